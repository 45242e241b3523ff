/**
 * The data of the Tela API, in the camelCase of its SDK. Completions are snake_case on the wire, and the schemas here hold
 * both spellings; what belongs to the user (variables, output, tool arguments) is never renamed.
 *
 * **Details**
 *
 * Decoding is strict about what the client acts on (ids, statuses, outputs, links) and lenient about everything else: fields
 * that the provider adds survive, `null` counts as absent, a side field of an unexpected type is absent, and open sets are
 * plain strings with suggestions. The `raw` of a run or a task is the response's own JSON, unchanged.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"
import { Id } from "../internal/id.ts"
import {
  absentable,
  Count,
  open,
  openLiterals,
  renamed,
  sideField,
  sideFieldOr,
  withRaw
} from "../internal/responseSchema.ts"

/**
 * What one step of the chat history says.
 *
 * @category models
 * @since 0.1.0
 */
export interface Message {
  readonly role: "user" | "assistant" | "system" | "function" | (string & {})
  readonly content: string | ReadonlyArray<unknown>
}

/**
 * A change of the canvas's settings for one execution.
 *
 * @see https://docs.tela.com/api-reference/completion/create
 * @category models
 * @since 0.1.0
 */
export interface Override {
  readonly type: "chat" | "completion"
  readonly model?: string | undefined
  /** From 0 to 1. */
  readonly temperature?: number | undefined
  readonly functions?:
    | ReadonlyArray<{
      readonly id: string
      readonly name: string
      readonly description?: string | undefined
      /** A JSON Schema, sent as it is. */
      readonly parameters?: unknown
    }>
    | undefined
  readonly structuredOutput?: {
    readonly enabled: boolean
    /** A JSON Schema of an object, sent as it is. */
    readonly schema?: unknown
  } | undefined
}

/**
 * The answer to a synchronous execution of a canvas.
 *
 * @see https://docs.tela.com/api-reference/completion/create
 * @category schemas
 * @since 0.1.0
 */
export const ChatCompletion = open({
  id: Schema.String,
  object: sideField(Schema.String),
  /** Unix seconds. */
  created: sideField(Schema.Finite),
  choices: Schema.NonEmptyArray(open({
    index: Schema.optionalKey(Schema.Unknown),
    message: open({
      role: sideField(Schema.String),
      /** An object where the canvas has structured output, text elsewhere. */
      content: Schema.Unknown
    }),
    /** Why the model stopped. The provider does not document it. */
    finish_reason: Schema.optionalKey(Schema.Unknown),
    finishReason: Schema.optionalKey(Schema.Unknown),
    error: Schema.optionalKey(Schema.Unknown)
  }))
})

/**
 * @category models
 * @since 0.1.0
 */
export interface ChatCompletion extends Schema.Schema.Type<typeof ChatCompletion> {}

/**
 * The answer to a synchronous execution of a workflow (assumed from a public client: the documentation does not show it).
 *
 * @category schemas
 * @since 0.1.0
 */
export const WorkflowRun = open({
  id: Schema.String,
  promptVersionId: sideField(Schema.String),
  status: openLiterals(["running", "completed", "failed"]),
  ...Struct.Record(["startedAt", "completedAt"], sideField(Schema.String)),
  steps: Schema.Array(open({
    ...Struct.Record(["id", "name", "actionId"], sideField(Schema.String)),
    input: Schema.optionalKey(Schema.Unknown),
    output: Schema.optionalKey(Schema.Unknown)
  }))
})

/**
 * @category models
 * @since 0.1.0
 */
export interface WorkflowRun extends Schema.Schema.Type<typeof WorkflowRun> {}

/**
 * An asynchronous run: the answer to its creation, to each poll, and the body of its webhook.
 *
 * **Details**
 *
 * The reference shows it in snake_case and a public client reads camelCase, so either decodes.
 *
 * @see https://docs.tela.com/api-reference/completion/get
 * @category schemas
 * @since 0.1.0
 */
export const CompletionRun = withRaw(renamed({
  input_content: "inputContent",
  output_content: "outputContent",
  raw_input: "rawInput",
  raw_output: "rawOutput",
  prompt_version_id: "promptVersionId",
  prompt_application_id: "promptApplicationId",
  workspace_id: "workspaceId",
  created_at: "createdAt",
  updated_at: "updatedAt"
}, {
  id: Id,
  status: openLiterals(["created", "running", "succeeded", "failed"]),
  inputContent: sideField(Schema.Unknown),
  outputContent: sideField(renamed({
    tool_calls: "toolCalls",
    has_structured_output: "hasStructuredOutput",
    input_messages: "inputMessages"
  }, {
    role: sideField(Schema.String),
    /** An object where the canvas has structured output, text elsewhere. */
    content: Schema.optionalKey(Schema.Unknown),
    toolCalls: sideField(Schema.Array(open({ name: Schema.String, arguments: Schema.String }))),
    hasStructuredOutput: sideField(Schema.Boolean),
    inputMessages: sideField(Schema.Unknown),
    information: sideField(Schema.Record(Schema.String, Schema.Unknown))
  })),
  ...Struct.Record(["rawInput", "rawOutput"], sideField(Schema.Unknown)),
  ...Struct.Record(["promptVersionId", "promptApplicationId", "workspaceId"], sideField(Schema.String)),
  ...Struct.Record(["createdAt", "updatedAt"], sideField(Schema.String)),
  tags: sideField(Schema.Array(Schema.String))
}))

/**
 * @category models
 * @since 0.1.0
 */
export interface CompletionRun extends Schema.Schema.Type<typeof CompletionRun> {}

/**
 * The output of a task, before or after a person edited it.
 *
 * @category schemas
 * @since 0.1.0
 */
export const TaskOutput = open({
  role: sideField(Schema.String),
  content: Schema.optionalKey(Schema.Unknown)
})

/**
 * @category models
 * @since 0.1.0
 */
export interface TaskOutput extends Schema.Schema.Type<typeof TaskOutput> {}

/**
 * A task of a workstation application.
 *
 * @see https://docs.tela.com/api-reference/task/get-task-id
 * @category schemas
 * @since 0.1.0
 */
export const Task = withRaw(open({
  id: Id,
  reference: sideField(Schema.Finite),
  name: sideFieldOr(Schema.String, ""),
  /** `validating` means that the output is there and waits for a person. */
  status: openLiterals(["created", "running", "validating", "completed", "failed", "cancelled"]),
  rawInput: sideField(Schema.Unknown),
  inputContent: sideField(open({
    variables: sideField(Schema.Record(Schema.String, Schema.Unknown)),
    messages: sideField(Schema.Array(Schema.Unknown)),
    files: sideField(Schema.Array(Schema.Record(Schema.String, Schema.Unknown)))
  })),
  outputContent: sideField(TaskOutput),
  /** The output before any person edited it. */
  originalOutputContent: sideField(TaskOutput),
  ...Struct.Record(["createdBy", "approvedBy", "approvedAt"], sideField(Schema.String)),
  ...Struct.Record(["completionRunId", "workflowRunId"], sideField(Schema.String)),
  ...Struct.Record(["promptVersionId", "promptApplicationId", "workspaceId"], sideField(Schema.String)),
  metadata: sideField(open({
    editedFields: sideField(Schema.Array(open({
      path: Schema.String,
      author: sideField(Schema.String),
      editedAt: sideField(Schema.String),
      previousValue: Schema.optionalKey(Schema.Unknown)
    })))
  })),
  tags: sideFieldOr(Schema.Array(Schema.String), []),
  ...Struct.Record(["createdAt", "updatedAt"], sideField(Schema.String))
}))

/**
 * @category models
 * @since 0.1.0
 */
export interface Task extends Schema.Schema.Type<typeof Task> {}

/**
 * What the client reads of one chunk of a stream. The `raw` of a part has the whole chunk.
 *
 * @see https://docs.tela.com/en/completion-api/streaming
 * @category schemas
 * @since 0.1.0
 */
export const StreamChunk = Schema.Struct({
  id: Schema.optionalKey(Schema.NullishOr(Schema.String)),
  choices: Schema.optionalKey(Schema.NullishOr(Schema.Array(Schema.Struct({
    delta: Schema.optionalKey(Schema.NullishOr(Schema.Struct({
      content: Schema.optionalKey(Schema.NullishOr(Schema.String)),
      /** What some servers call `content`. */
      text: Schema.optionalKey(Schema.Unknown)
    }))),
    /** What a server sends instead of a delta that speaks the completions API before the chat. */
    text: Schema.optionalKey(Schema.Unknown),
    /** One that is no text ends nothing, and is absent here. */
    finish_reason: sideField(Schema.String),
    finishReason: sideField(Schema.String),
    index: Schema.optionalKey(Schema.Unknown),
    error: Schema.optionalKey(Schema.Unknown),
    /** What a server sends that answers at once and not in pieces. */
    message: Schema.optionalKey(Schema.NullishOr(Schema.Struct({ content: Schema.optionalKey(Schema.Unknown) })))
  })))),
  message: Schema.optionalKey(Schema.NullishOr(Schema.Struct({
    content: Schema.optionalKey(Schema.NullishOr(Schema.String)),
    structured_content: Schema.optionalKey(Schema.Unknown)
  })))
})

/**
 * @category models
 * @since 0.1.0
 */
export interface StreamChunk extends Schema.Schema.Type<typeof StreamChunk> {}

const ErrorBody = Schema.Struct({
  message: sideField(Schema.String),
  code: sideField(Schema.Union([Schema.String, Schema.Finite]))
})

const decodeErrorBody = Schema.decodeUnknownOption(ErrorBody)

/**
 * What the body of a refusal, `{ code, message, status, name }`, says.
 *
 * @see https://docs.tela.com/en/completion-api/errors-and-retries
 * @category decoding
 * @since 0.1.0
 */
export const describeError = (body: unknown): { readonly message?: string; readonly code?: string } | undefined =>
  Option.getOrUndefined(
    Option.map(
      decodeErrorBody(body),
      ({ code, ...body }) => code === undefined ? body : { ...body, code: String(code) }
    )
  )

/**
 * A file that an execution or a task was given.
 *
 * @see https://docs.tela.com/api-reference/completion/get
 * @category schemas
 * @since 0.1.0
 */
export const InputFile = renamed({ used_at: "usedAt", parsed_content: "parsedContent" }, {
  name: sideField(Schema.String),
  /** A link, which may be a `vault://` reference. */
  url: absentable(Schema.String),
  type: sideField(openLiterals(["image", "file"])),
  usedAt: sideField(openLiterals(["variables", "messages"])),
  /** What the provider's parser made of it. */
  parsedContent: sideField(Schema.String)
})

/**
 * @category models
 * @since 0.1.0
 */
export interface InputFile extends Schema.Schema.Type<typeof InputFile> {}

/**
 * The files that a task was given.
 *
 * @internal
 */
export const TaskInput = Schema.Struct({
  inputContent: absentable(Schema.Struct({ files: absentable(Schema.Array(InputFile)) }))
})

/**
 * How far a task is.
 *
 * @category schemas
 * @since 0.1.0
 */
export const TaskProgress = open({
  taskId: Schema.NonEmptyString,
  promptApplicationId: sideField(Schema.String),
  status: openLiterals(["created", "running", "validating", "completed", "failed", "cancelled"]),
  progress: sideField(open({
    ...Struct.Record(["currentStep", "totalSteps", "percentage"], sideField(Schema.Finite))
  })),
  currentStepInfo: Schema.optionalKey(Schema.Unknown)
})

/**
 * @category models
 * @since 0.1.0
 */
export interface TaskProgress extends Schema.Schema.Type<typeof TaskProgress> {}

/**
 * What the vault knows of a file.
 *
 * @category schemas
 * @since 0.1.0
 */
export const VaultMetadata = open({
  id: Schema.NonEmptyString,
  originalFileName: sideField(Schema.String),
  mimeType: sideField(Schema.String),
  /** In bytes. */
  size: sideField(Count),
  ...Struct.Record(["createdAt", "uploadedAt"], sideField(Schema.String))
})

/**
 * @category models
 * @since 0.1.0
 */
export interface VaultMetadata extends Schema.Schema.Type<typeof VaultMetadata> {}

/**
 * A link to a file of the vault. Any holder of the link can open it until it expires.
 *
 * @category schemas
 * @since 0.1.0
 */
export const VaultLink = open({
  url: Schema.NonEmptyString,
  /** ISO 8601. */
  expiresAt: sideField(Schema.String),
  metadata: sideField(VaultMetadata)
})

/**
 * @category models
 * @since 0.1.0
 */
export interface VaultLink extends Schema.Schema.Type<typeof VaultLink> {}
