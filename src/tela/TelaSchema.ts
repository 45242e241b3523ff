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
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Id } from "../internal/id.ts"
import {
  absentable,
  Count,
  open,
  openLiterals,
  renamed,
  sideField,
  sideFieldOr,
  withFallback,
  withRaw
} from "../internal/wire.ts"

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
  startedAt: sideField(Schema.String),
  completedAt: sideField(Schema.String),
  steps: Schema.Array(open({
    id: sideField(Schema.String),
    name: sideField(Schema.String),
    actionId: sideField(Schema.String),
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
  outputContent: absentable(renamed({
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
  rawInput: sideField(Schema.Unknown),
  rawOutput: sideField(Schema.Unknown),
  promptVersionId: sideField(Schema.String),
  promptApplicationId: sideField(Schema.String),
  workspaceId: sideField(Schema.String),
  createdAt: sideField(Schema.String),
  updatedAt: sideField(Schema.String),
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
  outputContent: absentable(TaskOutput),
  /** The output before any person edited it. */
  originalOutputContent: sideField(TaskOutput),
  createdBy: sideField(Schema.String),
  approvedBy: sideField(Schema.String),
  approvedAt: sideField(Schema.String),
  completionRunId: sideField(Schema.String),
  workflowRunId: sideField(Schema.String),
  promptVersionId: sideField(Schema.String),
  promptApplicationId: sideField(Schema.String),
  workspaceId: sideField(Schema.String),
  metadata: sideField(open({
    editedFields: sideField(Schema.Array(open({
      path: Schema.String,
      author: sideField(Schema.String),
      editedAt: sideField(Schema.String),
      previousValue: Schema.optionalKey(Schema.Unknown)
    })))
  })),
  tags: sideFieldOr(Schema.Array(Schema.String), []),
  createdAt: sideField(Schema.String),
  updatedAt: sideField(Schema.String)
}))

/**
 * @category models
 * @since 0.1.0
 */
export interface Task extends Schema.Schema.Type<typeof Task> {}

/**
 * A variable that a canvas takes.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Variable = open({
  name: Schema.String,
  type: openLiterals(["text", "file"]),
  required: withFallback(Schema.Boolean, false),
  description: sideField(Schema.String)
})

/**
 * @category models
 * @since 0.1.0
 */
export interface Variable extends Schema.Schema.Type<typeof Variable> {}

/**
 * One version of a canvas.
 *
 * @see https://docs.tela.com/api-reference/prompt-version/get-prompt-version-history
 * @category schemas
 * @since 0.1.0
 */
export const CanvasVersion = open({
  id: Schema.NonEmptyString,
  promptId: Schema.String,
  title: sideField(Schema.String),
  variables: withFallback(Schema.Array(Variable), []),
  configuration: absentable(open({
    model: sideField(Schema.String),
    type: sideField(Schema.String),
    temperature: sideField(Schema.Finite),
    structuredOutput: absentable(open({
      enabled: withFallback(Schema.Boolean, false),
      schema: absentable(Schema.Record(Schema.String, Schema.Unknown))
    }))
  })),
  promoted: sideField(Schema.Boolean),
  draft: sideField(Schema.Boolean),
  isWorkflow: withFallback(Schema.Boolean, false),
  versionIndex: sideField(Schema.Finite),
  createdAt: sideField(Schema.String),
  updatedAt: sideField(Schema.String)
})

/**
 * @category models
 * @since 0.1.0
 */
export interface CanvasVersion extends Schema.Schema.Type<typeof CanvasVersion> {}

/**
 * A canvas, without its versions.
 *
 * @see https://docs.tela.com/api-reference/canvas/get-prompt-id
 * @category schemas
 * @since 0.1.0
 */
export const CanvasInfo = open({
  id: Schema.NonEmptyString,
  title: sideFieldOr(Schema.String, ""),
  projectId: sideField(Schema.String),
  workspaceId: sideField(Schema.String)
})

/**
 * @category models
 * @since 0.1.0
 */
export interface CanvasInfo extends Schema.Schema.Type<typeof CanvasInfo> {}

/**
 * A workstation application (assumed: its look-up is not documented).
 *
 * @category schemas
 * @since 0.1.0
 */
export const Application = open({
  id: Schema.NonEmptyString,
  promptId: Schema.String,
  promptVersionId: absentable(Schema.String),
  title: sideField(Schema.String)
})

/**
 * @category models
 * @since 0.1.0
 */
export interface Application extends Schema.Schema.Type<typeof Application> {}

/**
 * What the client reads of one chunk of a stream; the rest is passed on as it came.
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
    finish_reason: Schema.optionalKey(Schema.NullishOr(Schema.String)),
    finishReason: Schema.optionalKey(Schema.NullishOr(Schema.String)),
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
  Option.getOrUndefined(Option.map(decodeErrorBody(body), ({ code, message }) => ({
    ...(message === undefined ? undefined : { message }),
    ...(code === undefined ? undefined : { code: String(code) })
  })))

/**
 * One page of a list. The provider shows pages as `{ data, meta }` in one place and as bare arrays in another, so either
 * decodes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Page<A> {
  readonly data: ReadonlyArray<A>
  /** How many there are in all, where the provider tells. */
  readonly total: number | undefined
}

const PageMeta = Schema.Struct({ total: sideField(Schema.Finite) })

/**
 * Makes a decoder for {@link Page}.
 *
 * @category decoding
 * @since 0.1.0
 */
export const decodePage = <A>(
  item: Schema.Codec<A, unknown>
): (body: unknown) => Effect.Effect<Page<A>, Schema.SchemaError> => {
  const decodeArray = Schema.decodeUnknownEffect(Schema.Array(item))
  const decodeEnvelope = Schema.decodeUnknownEffect(Schema.Struct({
    data: Schema.Array(item),
    meta: sideField(PageMeta),
    metadata: sideField(PageMeta)
  }))
  return (body) =>
    Array.isArray(body)
      ? Effect.map(decodeArray(body), (data) => ({ data, total: undefined }))
      : Effect.map(decodeEnvelope(body), ({ data, meta, metadata }) => ({
        data,
        total: (meta ?? metadata)?.total
      }))
}

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
    currentStep: sideField(Schema.Finite),
    totalSteps: sideField(Schema.Finite),
    percentage: sideField(Schema.Finite)
  })),
  currentStepInfo: Schema.optionalKey(Schema.Unknown)
})

/**
 * @category models
 * @since 0.1.0
 */
export interface TaskProgress extends Schema.Schema.Type<typeof TaskProgress> {}

/**
 * A version of a canvas, as the history of versions has it: without its content.
 *
 * @see https://docs.tela.com/api-reference/prompt-version/get-prompt-version-history
 * @category schemas
 * @since 0.1.0
 */
export const CanvasVersionSummary = open({
  id: Schema.NonEmptyString,
  promptId: sideField(Schema.String),
  title: sideField(Schema.String),
  promoted: sideField(Schema.Boolean),
  draft: sideField(Schema.Boolean),
  versionIndex: sideField(Schema.Finite),
  createdAt: sideField(Schema.String),
  updatedAt: sideField(Schema.String)
})

/**
 * @category models
 * @since 0.1.0
 */
export interface CanvasVersionSummary extends Schema.Schema.Type<typeof CanvasVersionSummary> {}

/**
 * An environment of a canvas, such as `production`.
 *
 * @see https://docs.tela.com/api-reference/environment/get-environment
 * @category schemas
 * @since 0.1.0
 */
export const Environment = open({
  id: sideField(Schema.String),
  name: Schema.NonEmptyString,
  /** The version that it serves, if it serves any. */
  currentVersion: absentable(CanvasVersion),
  activePublication: sideField(open({
    id: sideField(Schema.String),
    versionId: sideField(Schema.String),
    publishedAt: sideField(Schema.String)
  })),
  createdAt: sideField(Schema.String),
  updatedAt: sideField(Schema.String)
})

/**
 * @category models
 * @since 0.1.0
 */
export interface Environment extends Schema.Schema.Type<typeof Environment> {}

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
  createdAt: sideField(Schema.String),
  uploadedAt: sideField(Schema.String)
})

/**
 * @category models
 * @since 0.1.0
 */
export interface VaultMetadata extends Schema.Schema.Type<typeof VaultMetadata> {}

/**
 * A link to a file of the vault, good for whoever has it until it expires.
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

/**
 * Which page of a list is asked for.
 *
 * @category models
 * @since 0.1.0
 */
export interface PageParams {
  /** How many rows the page has at most. The default is the provider's. */
  readonly limit?: number | undefined
  /**
   * How many rows come before it.
   *
   * @default 0
   */
  readonly offset?: number | undefined
}

/**
 * How a stream goes through a list.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamPageParams {
  /**
   * How many rows are asked for at once.
   *
   * @default 50
   */
  readonly pageSize?: number | undefined
}
