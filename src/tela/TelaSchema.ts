/**
 * The data of the Tela API, in the camelCase of its SDK. Completions are snake_case on the wire, and the schemas here hold
 * both spellings; what belongs to the user (variables, output, tool arguments) is never renamed.
 *
 * **Details**
 *
 * Decoding is lenient where the provider's documentation is open: fields it may add survive, `null` counts as absent, and
 * open sets are plain strings with suggestions.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { absentable, open, openLiterals, renamed, withFallback } from "../internal/wire.ts"

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
  object: absentable(Schema.String),
  /** Unix seconds. */
  created: absentable(Schema.Finite),
  choices: Schema.NonEmptyArray(open({
    message: open({
      role: absentable(Schema.String),
      /** An object where the canvas has structured output, text elsewhere. */
      content: Schema.Unknown
    })
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
  promptVersionId: absentable(Schema.String),
  status: openLiterals(["running", "completed", "failed"]),
  startedAt: absentable(Schema.String),
  completedAt: absentable(Schema.String),
  steps: Schema.Array(open({
    id: absentable(Schema.String),
    name: absentable(Schema.String),
    actionId: absentable(Schema.String),
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
export const CompletionRun = renamed({
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
  id: Schema.NonEmptyString,
  status: openLiterals(["created", "running", "succeeded", "failed"]),
  inputContent: absentable(Schema.Unknown),
  outputContent: absentable(renamed({
    tool_calls: "toolCalls",
    has_structured_output: "hasStructuredOutput",
    input_messages: "inputMessages"
  }, {
    role: absentable(Schema.String),
    /** An object where the canvas has structured output, text elsewhere. */
    content: Schema.optionalKey(Schema.Unknown),
    toolCalls: absentable(Schema.Array(open({ name: Schema.String, arguments: Schema.String }))),
    hasStructuredOutput: absentable(Schema.Boolean),
    inputMessages: absentable(Schema.Unknown),
    information: absentable(Schema.Record(Schema.String, Schema.Unknown))
  })),
  rawInput: absentable(Schema.Unknown),
  rawOutput: absentable(Schema.Unknown),
  promptVersionId: absentable(Schema.String),
  promptApplicationId: absentable(Schema.String),
  workspaceId: absentable(Schema.String),
  createdAt: absentable(Schema.String),
  updatedAt: absentable(Schema.String),
  tags: absentable(Schema.Array(Schema.String))
})

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
  role: absentable(Schema.String),
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
export const Task = open({
  id: Schema.NonEmptyString,
  reference: absentable(Schema.Finite),
  name: withFallback(Schema.String, ""),
  /** `validating` means that the output is there and waits for a person. */
  status: openLiterals(["created", "running", "validating", "completed", "failed", "cancelled"]),
  rawInput: absentable(Schema.Unknown),
  inputContent: absentable(open({
    variables: absentable(Schema.Record(Schema.String, Schema.Unknown)),
    messages: absentable(Schema.Array(Schema.Unknown)),
    files: absentable(Schema.Array(Schema.Record(Schema.String, Schema.Unknown)))
  })),
  outputContent: absentable(TaskOutput),
  /** The output before any person edited it. */
  originalOutputContent: absentable(TaskOutput),
  createdBy: absentable(Schema.String),
  approvedBy: absentable(Schema.String),
  approvedAt: absentable(Schema.String),
  completionRunId: absentable(Schema.String),
  workflowRunId: absentable(Schema.String),
  promptVersionId: absentable(Schema.String),
  promptApplicationId: absentable(Schema.String),
  workspaceId: absentable(Schema.String),
  metadata: absentable(open({
    editedFields: absentable(Schema.Array(open({
      path: Schema.String,
      author: absentable(Schema.String),
      editedAt: absentable(Schema.String),
      previousValue: Schema.optionalKey(Schema.Unknown)
    })))
  })),
  tags: withFallback(Schema.Array(Schema.String), []),
  createdAt: absentable(Schema.String),
  updatedAt: absentable(Schema.String)
})

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
  description: absentable(Schema.String)
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
  title: absentable(Schema.String),
  variables: withFallback(Schema.Array(Variable), []),
  configuration: absentable(open({
    model: absentable(Schema.String),
    type: absentable(Schema.String),
    temperature: absentable(Schema.Finite),
    structuredOutput: absentable(open({
      enabled: withFallback(Schema.Boolean, false),
      schema: absentable(Schema.Record(Schema.String, Schema.Unknown))
    }))
  })),
  promoted: absentable(Schema.Boolean),
  draft: absentable(Schema.Boolean),
  isWorkflow: withFallback(Schema.Boolean, false),
  versionIndex: absentable(Schema.Finite),
  createdAt: absentable(Schema.String),
  updatedAt: absentable(Schema.String)
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
  title: withFallback(Schema.String, ""),
  projectId: absentable(Schema.String),
  workspaceId: absentable(Schema.String)
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
  title: absentable(Schema.String)
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
      content: Schema.optionalKey(Schema.NullishOr(Schema.String))
    }))),
    finish_reason: Schema.optionalKey(Schema.NullishOr(Schema.String))
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
  message: Schema.optionalKey(Schema.NullishOr(Schema.String)),
  code: Schema.optionalKey(Schema.NullishOr(Schema.Union([Schema.String, Schema.Finite])))
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
    ...(message == null ? undefined : { message }),
    ...(code == null ? undefined : { code: String(code) })
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

const PageMeta = Schema.Struct({ total: Schema.optionalKey(Schema.NullishOr(Schema.Finite)) })

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
    meta: Schema.optionalKey(Schema.NullishOr(PageMeta)),
    metadata: Schema.optionalKey(Schema.NullishOr(PageMeta))
  }))
  return (body) =>
    Array.isArray(body)
      ? Effect.map(decodeArray(body), (data) => ({ data, total: undefined }))
      : Effect.map(decodeEnvelope(body), ({ data, meta, metadata }) => ({
        data,
        total: (meta ?? metadata)?.total ?? undefined
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
  name: absentable(Schema.String),
  /** A link, which may be a `vault://` reference. */
  url: absentable(Schema.String),
  type: absentable(openLiterals(["image", "file"])),
  usedAt: absentable(openLiterals(["variables", "messages"])),
  /** What the provider's parser made of it. */
  parsedContent: absentable(Schema.String)
})

/**
 * @category models
 * @since 0.1.0
 */
export interface InputFile extends Schema.Schema.Type<typeof InputFile> {}

/**
 * How far a task is.
 *
 * @category schemas
 * @since 0.1.0
 */
export const TaskProgress = open({
  taskId: Schema.NonEmptyString,
  promptApplicationId: absentable(Schema.String),
  status: openLiterals(["created", "running", "validating", "completed", "failed", "cancelled"]),
  progress: absentable(open({
    currentStep: absentable(Schema.Finite),
    totalSteps: absentable(Schema.Finite),
    percentage: absentable(Schema.Finite)
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
  promptId: absentable(Schema.String),
  title: absentable(Schema.String),
  promoted: absentable(Schema.Boolean),
  draft: absentable(Schema.Boolean),
  versionIndex: absentable(Schema.Finite),
  createdAt: absentable(Schema.String),
  updatedAt: absentable(Schema.String)
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
  id: absentable(Schema.String),
  name: Schema.NonEmptyString,
  /** The version that it serves, if it serves any. */
  currentVersion: absentable(CanvasVersion),
  activePublication: absentable(open({
    id: absentable(Schema.String),
    versionId: absentable(Schema.String),
    publishedAt: absentable(Schema.String)
  })),
  createdAt: absentable(Schema.String),
  updatedAt: absentable(Schema.String)
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
  originalFileName: absentable(Schema.String),
  mimeType: absentable(Schema.String),
  /** In bytes. */
  size: absentable(Schema.Finite),
  createdAt: absentable(Schema.String),
  uploadedAt: absentable(Schema.String)
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
  expiresAt: absentable(Schema.String),
  metadata: absentable(VaultMetadata)
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
