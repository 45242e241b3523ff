/**
 * The emulated canvases, and scripts of what their runs do: plain data for the `TelaEmulator`.
 *
 * A {@link Script} says how long a run takes and how it ends, a {@link StreamScript} which pieces a streamed run sends, and a
 * {@link Canvas} describes a canvas. Every part is optional: without a script a run takes five seconds and returns its variables.
 *
 * **Example** (A stream whose connection breaks)
 *
 * ```ts
 * import { TelaScript } from "canvas-runs/testing"
 *
 * const script: TelaScript.Script = {
 *   stream: {
 *     pause: "200 millis",
 *     pieces: ["Once ", "upon ", { comment: "keep-alive" }, { drop: true }]
 *   }
 * }
 *
 * script.stream?.pieces?.length // => 4
 * ```
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Timeline from "./Timeline.ts"

/**
 * The mode in which an execution was requested. A `task` is an execution that an app owns.
 *
 * @category models
 * @since 0.1.0
 */
export type Mode = "sync" | "async" | "stream" | "task"

/**
 * A message of the conversation that a client sent.
 *
 * @category models
 * @since 0.1.0
 */
export interface Message {
  /** The author, such as `"user"`. */
  readonly role: string
  /** The text, or its parts. */
  readonly content: unknown
}

/**
 * The request of a client, in Tela's own names.
 *
 * @category models
 * @since 0.1.0
 */
export interface RunRequest {
  /** The mode of the execution. */
  readonly mode: Mode
  /** The id of the canvas, if the request has one. */
  readonly canvas_id: string | undefined
  /** The id of the version, if the request has one. */
  readonly version_id: string | undefined
  /** The id of the app, if the request has one. */
  readonly application_id: string | undefined
  /** The environment whose version is to run, if the request has one. */
  readonly environment_name: string | undefined
  /** The values of the variables. */
  readonly variables: Readonly<Record<string, unknown>>
  /** The conversation; empty if there is none. */
  readonly messages: ReadonlyArray<Message>
  /** The settings of the canvas that the request replaces. */
  readonly override: Readonly<Record<string, unknown>> | undefined
  /** The tags. */
  readonly tags: ReadonlyArray<string>
  /** The label of the run. */
  readonly label: string | undefined
  /** The address for the webhook of this run. */
  readonly webhook_url: string | undefined
}

/**
 * The output of a run: a value, or a function from the request to a value.
 *
 * @category models
 * @since 0.1.0
 */
export type Output =
  | string
  | number
  | boolean
  | null
  | ReadonlyArray<unknown>
  | { readonly [name: string]: unknown }
  | ((request: RunRequest) => unknown)

/**
 * The error of a run that failed (assumption 2).
 *
 * @category models
 * @since 0.1.0
 */
export interface Failure {
  /**
   * The error code.
   *
   * @default "EXECUTION_FAILED"
   */
  readonly code?: string | undefined
  /**
   * The message.
   *
   * @default the first error of the timeline, or "The execution failed"
   */
  readonly message?: string | undefined
}

/**
 * One piece of a stream.
 *
 * **Details**
 *
 * | piece | sent |
 * | --- | --- |
 * | a string | a chunk whose `delta.content` is that text |
 * | `structured` | a chunk whose `message.structured_content` is that value |
 * | `error` | `data: {"error": ...}` |
 * | `errorEvent` | `event: error` with that value |
 * | `event`, `data` | a named event |
 * | `comment` | a comment, such as a keep-alive |
 * | `retry` | a `retry:` line |
 * | `pause` | nothing, for a time on the program's clock |
 * | `raw` | that text, unchanged |
 * | `drop` | the connection breaks, and nothing after it is sent |
 *
 * @category models
 * @since 0.1.0
 */
export type StreamPiece =
  | string
  | {
    /** The structured content of a chunk. */
    readonly structured: unknown
  }
  | {
    /** The error of a chunk that has no output. */
    readonly error: unknown
  }
  | {
    /** The data of an event with the name `error`. */
    readonly errorEvent: unknown
  }
  | {
    /** The name of an event. */
    readonly event: string
    /** The data of that event. */
    readonly data: unknown
  }
  | {
    /** The text of a comment. */
    readonly comment: string
  }
  | {
    /** The value of a `retry:` line, in milliseconds. */
    readonly retry: number
  }
  | {
    /** How long nothing is sent. */
    readonly pause: Duration.Input
  }
  | {
    /** Text that is sent unchanged. */
    readonly raw: string
  }
  | {
    /** Breaks the connection. */
    readonly drop: true
  }

/**
 * The stream of a run.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamScript {
  /**
   * The pieces, in the order in which they are sent.
   *
   * @default the output in a handful of texts, or an error if the run fails
   */
  readonly pieces?: ReadonlyArray<StreamPiece> | undefined
  /**
   * The pause between two pieces.
   *
   * @default 0
   */
  readonly pause?: Duration.Input | undefined
  /** Breaks the connection after that many pieces. */
  readonly dropAfter?: number | undefined
  /**
   * The end of the stream: a chunk with a `finish_reason` and `[DONE]`, that chunk alone, or nothing.
   *
   * @default "done", or "none" if the run fails
   */
  readonly end?: "done" | "stop" | "none" | undefined
  /**
   * How chunks are separated (assumption 3). In `json-lines` there are no comments, events and `retry:` lines.
   *
   * @default "sse"
   */
  readonly framing?: "sse" | "json-lines" | undefined
  /**
   * The line break between and after the lines.
   *
   * @default "\n"
   */
  readonly newline?: "\n" | "\r\n" | "\r" | undefined
  /** Cuts the bytes of the stream into chunks of this size, also inside a character or a line. */
  readonly chunkBytes?: number | undefined
}

/**
 * What a run will do. A member that is left out comes from the script of its canvas, from the emulator's option `script`, or from
 * its default.
 *
 * @category models
 * @since 0.1.0
 */
export interface Script {
  /**
   * How long the run takes and how it ends. `partial` counts as success. A synchronous response is delayed by the same time.
   *
   * @default 5 seconds, with success; a synchronous response and a stream start at once
   */
  readonly timeline?: Timeline.Timeline | undefined
  /**
   * How long the run stays `created` (assumption 12).
   *
   * @default "1 second"
   */
  readonly createdFor?: Duration.Input | undefined
  /** Makes the polls advance an asynchronous run, and not time. The timeline still decides how it ends. */
  readonly polls?: {
    /** How many polls report `created`. */
    readonly created?: number | undefined
    /** How many polls after these report `running`. */
    readonly running?: number | undefined
  } | undefined
  /**
   * The output of the run, if it succeeds.
   *
   * @default an object after the structured output's schema if there is one, else a text; both echo the variables
   */
  readonly output?: Output | undefined
  /** Makes the run fail with this error. */
  readonly failure?: Failure | undefined
  /** The stream, if the run is streamed. */
  readonly stream?: StreamScript | undefined
}

/**
 * A variable of a canvas.
 *
 * @category models
 * @since 0.1.0
 */
export interface Variable {
  /** The name. */
  readonly name: string
  /**
   * The type of its value, as Tela names it.
   *
   * @default "text"
   */
  readonly type?: string | undefined
  /**
   * Whether a run must have a value for it.
   *
   * @default true
   */
  readonly required?: boolean | undefined
  /**
   * The description.
   *
   * @default ""
   */
  readonly description?: string | undefined
}

/**
 * A canvas of the emulated workspace.
 *
 * **Details**
 *
 * A canvas with `variables` rejects a request with a value for another name, or without a value for a required variable. A canvas
 * without `variables` accepts all values.
 *
 * @category models
 * @since 0.1.0
 */
export interface Canvas {
  /**
   * The id of the canvas.
   *
   * @default a fresh UUID
   */
  readonly id?: string | undefined
  /**
   * The ids of its versions, oldest first.
   *
   * @default one, with a fresh UUID
   */
  readonly versionIds?: ReadonlyArray<string> | undefined
  /**
   * The version that each environment serves, or `null` for none. There is always a `production`.
   *
   * @default the newest version in `production`
   */
  readonly environments?: Readonly<Record<string, string | null>> | undefined
  /**
   * The id of the Workstation app that runs it.
   *
   * @default a fresh UUID
   */
  readonly applicationId?: string | undefined
  /**
   * The title.
   *
   * @default "Untitled canvas"
   */
  readonly title?: string | undefined
  /**
   * The project that it belongs to.
   *
   * @default the emulator's only project
   */
  readonly projectId?: string | undefined
  /** Its variables. Without them every value is accepted. */
  readonly variables?: ReadonlyArray<Variable> | undefined
  /** The JSON Schema of its structured output. Without one the output is text. */
  readonly structuredOutput?: Readonly<Record<string, unknown>> | undefined
  /**
   * Whether it is a workflow.
   *
   * @default false
   */
  readonly isWorkflow?: boolean | undefined
  /** What its runs do. */
  readonly script?: Script | ((request: RunRequest) => Script) | undefined
  /** The output of its runs: short for `script: { output }`. */
  readonly output?: Output | undefined
}

/**
 * The id of a canvas whose runs fail. Its version and its app have the same id.
 *
 * @see {@link unknownCanvasId} and {@link workflowCanvasId}
 * @category constants
 * @since 0.1.0
 */
export const failingCanvasId = "00000000-0000-4000-8000-0000000fa11e"

/**
 * An id that no canvas, version or app has.
 *
 * @category constants
 * @since 0.1.0
 */
export const unknownCanvasId = "00000000-0000-4000-8000-000000000404"

/**
 * The id of a canvas that is a workflow. Its version and its app have the same id.
 *
 * @category constants
 * @since 0.1.0
 */
export const workflowCanvasId = "00000000-0000-4000-8000-00000000f10e"

/**
 * A canvas with a structured output, for the option `canvases`. Its title is "Invoice reader", and its output is always
 * `{ total: 42, currency: "BRL" }`. `npm run emulator` serves it.
 *
 * @category constants
 * @since 0.1.0
 */
export const invoiceCanvas: Canvas & {
  /** The id of the canvas, its version and its app. */
  readonly id: string
} = {
  id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11",
  versionIds: ["0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11"],
  applicationId: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11",
  title: "Invoice reader",
  structuredOutput: {
    type: "object",
    properties: { total: { type: "number" }, currency: { type: "string" } },
    required: ["total", "currency"],
    additionalProperties: false
  },
  output: { total: 42, currency: "BRL" }
}

/**
 * The id of the only workspace.
 *
 * @category constants
 * @since 0.1.0
 */
export const workspaceId = "00000000-0000-4000-8000-000000000001"

/**
 * The only user, who owns every key.
 *
 * @category constants
 * @since 0.1.0
 */
export const user = "emulator@tela.example"
