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
import { Id } from "../internal/id.ts"
import {
  absentable,
  Count,
  open,
  openLiterals,
  renamed,
  sideField,
  sideFieldOr,
  times,
  withRaw
} from "../internal/responseSchema.ts"

/**
 * One message of a chat history. The history is in order, starts with the user, and alternates with the assistant.
 *
 * @category models
 * @since 0.1.0
 */
export interface Message {
  /** Who speaks. */
  readonly role: "user" | "assistant" | "system" | "function" | (string & {})
  /** Text, or parts such as `{ type: "text", text }` and `{ type: "image_url", image_url: { url } }`. */
  readonly content: string | ReadonlyArray<unknown>
}

/**
 * Changes of the canvas's settings for one execution. Settings that are absent stay.
 *
 * @see https://docs.tela.com/api-reference/completion/create
 * @category models
 * @since 0.1.0
 */
export interface Override {
  /** How the model is called. The provider requires it. */
  readonly type: "chat" | "completion"
  /** The name of the model. */
  readonly model?: string | undefined
  /** From 0 to 1. */
  readonly temperature?: number | undefined
  /** The functions that the model may call. */
  readonly functions?:
    | ReadonlyArray<{
      /** The id of the function. */
      readonly id: string
      /** The name that the model calls. */
      readonly name: string
      /** A description for the model. */
      readonly description?: string | undefined
      /** A JSON Schema, sent as it is. */
      readonly parameters?: unknown
    }>
    | undefined
  /** The form of the output. */
  readonly structuredOutput?: {
    /** Whether the output is an object. */
    readonly enabled: boolean
    /** A JSON Schema of an object, sent as it is. */
    readonly schema?: unknown
  } | undefined
}

/**
 * Decodes the response to a synchronous execution of a canvas.
 *
 * @see https://docs.tela.com/api-reference/completion/create
 * @category schemas
 * @since 0.1.0
 */
export const ChatCompletion = open({
  /** The id of the completion. It cannot be looked up. */
  id: Schema.String,
  /** Always `chat.completion`, as documented. */
  object: sideField(Schema.String),
  /** Unix seconds. */
  created: sideField(Schema.Finite),
  /** The outputs. The first one with the index 0 or without an index counts, and otherwise the first. */
  choices: Schema.NonEmptyArray(open({
    /** The index of the choice. The provider does not document it. */
    index: Schema.optionalKey(Schema.Unknown),
    /** The message of the model. */
    message: open({
      /** `assistant`, as documented. */
      role: sideField(Schema.String),
      /** An object if the canvas has structured output, and text otherwise. */
      content: Schema.Unknown
    }),
    /** Why the model stopped. The provider does not document it. */
    finish_reason: Schema.optionalKey(Schema.Unknown),
    /** The same in camelCase. */
    finishReason: Schema.optionalKey(Schema.Unknown),
    /** Why the choice failed. The provider does not document it. */
    error: Schema.optionalKey(Schema.Unknown)
  }))
})

/**
 * The response to a synchronous execution of a canvas.
 *
 * **Details**
 *
 * | member | what it is |
 * | --- | --- |
 * | `id` | the id of the completion, which cannot be looked up |
 * | `object` | `chat.completion`, as documented |
 * | `created` | the time, in Unix seconds |
 * | `choices` | the outputs: `message` (`role` and `content`), and members that the provider does not document (`index`, `finish_reason`, `error`) |
 *
 * @category models
 * @since 0.1.0
 */
export interface ChatCompletion extends Schema.Schema.Type<typeof ChatCompletion> {}

/**
 * Decodes the response to a synchronous execution of a workflow. The documentation does not show it, so its form is assumed from a
 * public client (assumption 11).
 *
 * @category schemas
 * @since 0.1.0
 */
export const WorkflowRun = open({
  /** The id of the run. */
  id: Schema.String,
  /** The id of the version that was executed. */
  promptVersionId: sideField(Schema.String),
  /** `running`, `completed` or `failed`, or a status that this library does not know. */
  status: openLiterals(["running", "completed", "failed"]),
  /** When it started, in ISO 8601. */
  startedAt: sideField(Schema.String),
  /** When it ended, in ISO 8601. */
  completedAt: sideField(Schema.String),
  /** The steps, in order. The output of the last one is that of the workflow. */
  steps: Schema.Array(open({
    /** The id of the step. */
    id: sideField(Schema.String),
    /** The name of the step. */
    name: sideField(Schema.String),
    /** The id of the action that it runs. */
    actionId: sideField(Schema.String),
    /** The input of the step. */
    input: Schema.optionalKey(Schema.Unknown),
    /** The output of the step. */
    output: Schema.optionalKey(Schema.Unknown)
  }))
})

/**
 * The response to a synchronous execution of a workflow.
 *
 * **Details**
 *
 * | member | what it is |
 * | --- | --- |
 * | `id`, `promptVersionId` | the ids of the run and of the version that was executed |
 * | `status` | `running`, `completed` or `failed`, or a status that this library does not know |
 * | `startedAt`, `completedAt` | the times of its start and its end, in ISO 8601 |
 * | `steps` | the steps in order, each with `id`, `name`, `actionId`, `input` and `output`; the output of the last step is that of the workflow |
 *
 * @category models
 * @since 0.1.0
 */
export interface WorkflowRun extends Schema.Schema.Type<typeof WorkflowRun> {}

/** The version of a run or a task, and its owners. */
const origin = {
  /** The id of the version that is executed. */
  promptVersionId: sideField(Schema.String),
  /** The id of the application, if a task is executed. */
  promptApplicationId: sideField(Schema.String),
  /** The id of the workspace. */
  workspaceId: sideField(Schema.String)
}

/**
 * Decodes an asynchronous run: the response to its creation and to each poll, and the body of its webhook.
 *
 * **Details**
 *
 * The reference shows it in snake_case and a public client reads camelCase, so both decode (assumption 1).
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
  /** The id of the run. */
  id: Id,
  /** `created`, `running`, `succeeded` or `failed`, or a status that this library does not know. */
  status: openLiterals(["created", "running", "succeeded", "failed"]),
  /** The variables, messages and files of the execution. */
  inputContent: sideField(Schema.Unknown),
  /** The output, once there is one. */
  outputContent: sideField(renamed({
    tool_calls: "toolCalls",
    has_structured_output: "hasStructuredOutput",
    input_messages: "inputMessages"
  }, {
    /** Who speaks: `assistant`. */
    role: sideField(Schema.String),
    /** An object if the canvas has structured output, and text otherwise. */
    content: Schema.optionalKey(Schema.Unknown),
    /** The functions that the model called. */
    toolCalls: sideField(Schema.Array(open({
      /** The name of the function. */
      name: Schema.String,
      /** Its arguments, as JSON. */
      arguments: Schema.String
    }))),
    /** Whether `content` is an object. */
    hasStructuredOutput: sideField(Schema.Boolean),
    /** The messages that the model received. */
    inputMessages: sideField(Schema.Unknown),
    /** Duration, costs and tokens. */
    information: sideField(Schema.Record(Schema.String, Schema.Unknown))
  })),
  /** The request that created the run. */
  rawInput: sideField(Schema.Unknown),
  /** The unprocessed output. That of a failed run may have the reasons. */
  rawOutput: sideField(Schema.Unknown),
  ...origin,
  ...times,
  /** The tags that the execution was given. */
  tags: sideField(Schema.Array(Schema.String))
}))

/**
 * An asynchronous run, as `tela.completionRuns` lists it.
 *
 * **Details**
 *
 * | member | what it is |
 * | --- | --- |
 * | `id` | the id of the run |
 * | `status` | `created`, `running`, `succeeded` or `failed`, or a status that this library does not know |
 * | `inputContent` | the variables, messages and files of the execution |
 * | `outputContent` | the output, once there is one: `role`, `content`, `toolCalls`, `hasStructuredOutput`, `inputMessages`, and `information` with duration, costs and tokens |
 * | `rawInput`, `rawOutput` | the request that created the run, and the unprocessed output, which may have the reasons of a failure |
 * | `promptVersionId`, `promptApplicationId`, `workspaceId` | the ids of the version, of the application of a task, and of the workspace |
 * | `createdAt`, `updatedAt` | the times of creation and of the last change, in ISO 8601 |
 * | `tags` | the tags that the execution was given |
 * | `raw` | the JSON that the provider sent |
 *
 * @category models
 * @since 0.1.0
 */
export interface CompletionRun extends Schema.Schema.Type<typeof CompletionRun> {}

/**
 * Decodes the output of a task.
 *
 * @see https://docs.tela.com/api-reference/task/get-task-id
 * @category schemas
 * @since 0.1.0
 */
export const TaskOutput = open({
  /** Who speaks: `assistant`. */
  role: sideField(Schema.String),
  /** An object if the canvas has structured output, and text otherwise. */
  content: Schema.optionalKey(Schema.Unknown)
})

/**
 * The output of a task, before or after a person edited it.
 *
 * **Details**
 *
 * | member | what it is |
 * | --- | --- |
 * | `role` | `assistant`, as documented |
 * | `content` | an object if the canvas has structured output, and text otherwise |
 *
 * @category models
 * @since 0.1.0
 */
export interface TaskOutput extends Schema.Schema.Type<typeof TaskOutput> {}

/**
 * Decodes a task of a workstation application.
 *
 * @see https://docs.tela.com/api-reference/task/get-task-id
 * @category schemas
 * @since 0.1.0
 */
export const Task = withRaw(open({
  /** The id of the task. */
  id: Id,
  /** Its number in the application, as people see it. */
  reference: sideField(Schema.Finite),
  /** Its name. Empty if the provider sends none. */
  name: sideFieldOr(Schema.String, ""),
  /** `validating` means that the output waits for a person. */
  status: openLiterals(["created", "running", "validating", "completed", "failed", "cancelled"]),
  /** The body of the request that created the task. */
  rawInput: sideField(Schema.Unknown),
  /** The variables, messages and files of the task. */
  inputContent: sideField(open({
    /** The variables by name. */
    variables: sideField(Schema.Record(Schema.String, Schema.Unknown)),
    /** The messages. */
    messages: sideField(Schema.Array(Schema.Unknown)),
    /** The files. `tasks.getInputFiles` decodes them. */
    files: sideField(Schema.Array(Schema.Record(Schema.String, Schema.Unknown)))
  })),
  /** The present output, with later edits, once there is one. */
  outputContent: sideField(TaskOutput),
  /** The output before any person edited it. */
  originalOutputContent: sideField(TaskOutput),
  /** Who created it. */
  createdBy: sideField(Schema.String),
  /** Who approved it, by e-mail address. */
  approvedBy: sideField(Schema.String),
  /** When it was approved, in ISO 8601. */
  approvedAt: sideField(Schema.String),
  /** The id of the run that works for it. */
  completionRunId: sideField(Schema.String),
  /** The id of the run of a workflow that works for it. */
  workflowRunId: sideField(Schema.String),
  ...origin,
  /** Data that was stored with the task, and its edits. */
  metadata: sideField(open({
    /** The edits of the output. */
    editedFields: sideField(Schema.Array(open({
      /** The path of the field. */
      path: Schema.String,
      /** Who edited it. */
      author: sideField(Schema.String),
      /** When it was edited, in ISO 8601. */
      editedAt: sideField(Schema.String),
      /** The value before the edit. */
      previousValue: Schema.optionalKey(Schema.Unknown)
    })))
  })),
  /** Its tags. */
  tags: sideFieldOr(Schema.Array(Schema.String), []),
  ...times
}))

/**
 * A task of a workstation application.
 *
 * **Details**
 *
 * | member | what it is |
 * | --- | --- |
 * | `id` | the id of the task |
 * | `reference` | its number, as people see it |
 * | `name` | its name; empty if the provider sends none |
 * | `status` | `created`, `running`, `validating` (the output waits for a person), `completed`, `failed` or `cancelled`, or a status that this library does not know |
 * | `rawInput` | the request that created the task |
 * | `inputContent` | `variables`, `messages` and `files` |
 * | `outputContent` | the output with later edits, once there is one |
 * | `originalOutputContent` | the output before any person edited it |
 * | `createdBy`, `approvedBy` | the people who created and approved it |
 * | `approvedAt` | the time of approval, in ISO 8601 |
 * | `completionRunId`, `workflowRunId` | the id of the run, or of the run of a workflow, that works for it |
 * | `promptVersionId`, `promptApplicationId`, `workspaceId` | the ids of the version, the application and the workspace |
 * | `metadata` | data that was stored with it, and `editedFields`: the edits of the output |
 * | `tags` | its tags |
 * | `createdAt`, `updatedAt` | the times of creation and of the last change, in ISO 8601 |
 * | `raw` | the JSON that the provider sent |
 *
 * @category models
 * @since 0.1.0
 */
export interface Task extends Schema.Schema.Type<typeof Task> {}

/**
 * Decodes the members of a stream's chunk that the client reads. The `raw` of a part has the whole chunk.
 *
 * @see https://docs.tela.com/en/completion-api/streaming
 * @category schemas
 * @since 0.1.0
 */
export const StreamChunk = Schema.Struct({
  /** The id of the completion. */
  id: Schema.optionalKey(Schema.NullishOr(Schema.String)),
  /** The choices. The one with the index 0, or without an index, is read. */
  choices: Schema.optionalKey(Schema.NullishOr(Schema.Array(Schema.Struct({
    /** The new text. */
    delta: Schema.optionalKey(Schema.NullishOr(Schema.Struct({
      /** The text. */
      content: Schema.optionalKey(Schema.NullishOr(Schema.String)),
      /** The name of `content` at some servers. */
      text: Schema.optionalKey(Schema.Unknown)
    }))),
    /** The text of a server with the older completions API, which has no `delta`. */
    text: Schema.optionalKey(Schema.Unknown),
    /** Why the model stopped. A value that is not text is absent here, and does not end the stream. */
    finish_reason: sideField(Schema.String),
    /** The same in camelCase. */
    finishReason: sideField(Schema.String),
    /** The index of the choice. */
    index: Schema.optionalKey(Schema.Unknown),
    /** Why the choice failed. */
    error: Schema.optionalKey(Schema.Unknown),
    /** The whole message, of a server that does not send it in pieces. */
    message: Schema.optionalKey(Schema.NullishOr(Schema.Struct({
      /** The output. */
      content: Schema.optionalKey(Schema.Unknown)
    })))
  })))),
  /** The message so far. */
  message: Schema.optionalKey(Schema.NullishOr(Schema.Struct({
    /** The text so far. */
    content: Schema.optionalKey(Schema.NullishOr(Schema.String)),
    /** The structured output so far. */
    structured_content: Schema.optionalKey(Schema.Unknown)
  })))
})

/**
 * The members of a stream's chunk that the client reads.
 *
 * **Details**
 *
 * | member | what it is |
 * | --- | --- |
 * | `id` | the id of the completion |
 * | `choices` | the choices: new text in `delta`, and `finish_reason` at the end; the choice with the index 0, or without an index, is read |
 * | `message` | the message so far: `content`, and the structured output in `structured_content` |
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamChunk extends Schema.Schema.Type<typeof StreamChunk> {}

const decodeErrorBody = Schema.decodeUnknownOption(Schema.Struct({
  message: sideField(Schema.String),
  code: sideField(Schema.Union([Schema.String, Schema.Finite]))
}))

/**
 * Reads the message and the code from the body of an error response, `{ code, message, status, name }`. A code that is a number
 * becomes text. Returns `undefined` for a body that is not an object.
 *
 * **Example** (The code of an error response)
 *
 * ```ts
 * import { Tela } from "canvas-runs"
 *
 * Tela.describeError({ code: "INVALID_SCHEMA", message: "unknown variable", status: 400 })?.code // => INVALID_SCHEMA
 * Tela.describeError("Bad Gateway") === undefined // => true
 * ```
 *
 * @see https://docs.tela.com/en/completion-api/errors-and-retries
 * @category decoding
 * @since 0.1.0
 */
export const describeError = (body: unknown): {
  /** The provider's message. It is for people. */
  readonly message?: string
  /** The provider's code, such as `"INVALID_SCHEMA"`. */
  readonly code?: string
} | undefined =>
  Option.getOrUndefined(
    Option.map(
      decodeErrorBody(body),
      ({ code, ...body }) => code === undefined ? body : { ...body, code: String(code) }
    )
  )

/**
 * Decodes a file that an execution or a task was given.
 *
 * @see https://docs.tela.com/api-reference/completion/get
 * @category schemas
 * @since 0.1.0
 */
export const InputFile = renamed({ used_at: "usedAt", parsed_content: "parsedContent" }, {
  /** The name of the file. */
  name: sideField(Schema.String),
  /** A link, which may be a `vault://` reference. */
  url: absentable(Schema.String),
  /** `image` or `file`. */
  type: sideField(openLiterals(["image", "file"])),
  /** Whether it is in the `variables` or in the `messages`. */
  usedAt: sideField(openLiterals(["variables", "messages"])),
  /** The text that the provider's parser read from it. */
  parsedContent: sideField(Schema.String)
})

/**
 * A file that an execution or a task was given.
 *
 * **Details**
 *
 * | member | what it is |
 * | --- | --- |
 * | `name` | the name of the file |
 * | `url` | a link, which may be a `vault://` reference |
 * | `type` | `image` or `file` |
 * | `usedAt` | whether it is in the `variables` or in the `messages` |
 * | `parsedContent` | the text that the provider's parser read from it |
 *
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
 * Decodes the progress of a task.
 *
 * @see https://docs.tela.com/api-reference/task/progress
 * @category schemas
 * @since 0.1.0
 */
export const TaskProgress = open({
  /** The id of the task. */
  taskId: Schema.NonEmptyString,
  /** The id of the application. */
  promptApplicationId: sideField(Schema.String),
  /** The status of the task. */
  status: openLiterals(["created", "running", "validating", "completed", "failed", "cancelled"]),
  /** How much is done. */
  progress: sideField(open({
    /** The number of the step that runs. */
    currentStep: sideField(Schema.Finite),
    /** How many steps there are. */
    totalSteps: sideField(Schema.Finite),
    /** How much is done, in percent. */
    percentage: sideField(Schema.Finite)
  })),
  /** Data about the step that runs. Its form is not documented. */
  currentStepInfo: Schema.optionalKey(Schema.Unknown)
})

/**
 * The progress of a task.
 *
 * **Details**
 *
 * | member | what it is |
 * | --- | --- |
 * | `taskId`, `promptApplicationId` | the ids of the task and of its application |
 * | `status` | the status of the task |
 * | `progress` | the counts `currentStep` and `totalSteps`, and `percentage` |
 * | `currentStepInfo` | data about the step that runs, whose form is not documented |
 *
 * @category models
 * @since 0.1.0
 */
export interface TaskProgress extends Schema.Schema.Type<typeof TaskProgress> {}

/**
 * Decodes the metadata of a file in the vault.
 *
 * @category schemas
 * @since 0.1.0
 */
export const VaultMetadata = open({
  /** The id of the file, which follows `vault://`. */
  id: Schema.NonEmptyString,
  /** The name under which it was uploaded. */
  originalFileName: sideField(Schema.String),
  /** Its media type. */
  mimeType: sideField(Schema.String),
  /** In bytes. */
  size: sideField(Count),
  /** When it was announced, in ISO 8601. */
  createdAt: sideField(Schema.String),
  /** When its bytes were uploaded, in ISO 8601. */
  uploadedAt: sideField(Schema.String)
})

/**
 * The metadata of a file in the vault.
 *
 * **Details**
 *
 * | member | what it is |
 * | --- | --- |
 * | `id` | the id of the file, which follows `vault://` |
 * | `originalFileName` | the name under which it was uploaded |
 * | `mimeType` | its media type |
 * | `size` | its size in bytes |
 * | `createdAt`, `uploadedAt` | the times when it was announced and when its bytes were uploaded, in ISO 8601 |
 *
 * @category models
 * @since 0.1.0
 */
export interface VaultMetadata extends Schema.Schema.Type<typeof VaultMetadata> {}

/**
 * Decodes a link to a file of the vault.
 *
 * @category schemas
 * @since 0.1.0
 */
export const VaultLink = open({
  /** The signed link. */
  url: Schema.NonEmptyString,
  /** ISO 8601. */
  expiresAt: sideField(Schema.String),
  /** The name, the type and the size of the file, if the provider sends them. */
  metadata: sideField(VaultMetadata)
})

/**
 * A link to a file of the vault. Any holder of the link can open it until it expires.
 *
 * **Details**
 *
 * | member | what it is |
 * | --- | --- |
 * | `url` | the signed link |
 * | `expiresAt` | the time when it expires, in ISO 8601 |
 * | `metadata` | the name, the type and the size of the file, if the provider sends them |
 *
 * @category models
 * @since 0.1.0
 */
export interface VaultLink extends Schema.Schema.Type<typeof VaultLink> {}
