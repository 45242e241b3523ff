/**
 * What emulated canvases are, and what their runs do: plain data for the `TelaEmulator`.
 *
 * A {@link Script} says how long a run takes and how it ends, a {@link StreamScript} what a streamed one sends, piece by
 * piece, and a {@link Canvas} what there is to run. All of it can be left out: without a script a run takes five seconds
 * and answers with an echo of its variables.
 *
 * **Example** (A stream that breaks off)
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
 * How an execution was asked for. A `task` is one that an app owns.
 *
 * @category models
 * @since 0.1.0
 */
export type Mode = "sync" | "async" | "stream" | "task"

/**
 * A turn of the conversation that a client sent along.
 *
 * @category models
 * @since 0.1.0
 */
export interface Message {
  readonly role: string
  readonly content: unknown
}

/**
 * What a client asked for, in Tela's own names.
 *
 * @category models
 * @since 0.1.0
 */
export interface RunRequest {
  readonly mode: Mode
  readonly canvas_id: string | undefined
  readonly version_id: string | undefined
  readonly application_id: string | undefined
  readonly environment_name: string | undefined
  readonly variables: Readonly<Record<string, unknown>>
  readonly messages: ReadonlyArray<Message>
  readonly override: Readonly<Record<string, unknown>> | undefined
  readonly tags: ReadonlyArray<string>
  readonly label: string | undefined
  readonly webhook_url: string | undefined
}

/**
 * What a run produces: a text, an object, or a function of what was asked for.
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
 * What Tela says about a run that failed (assumption 2).
 *
 * @category models
 * @since 0.1.0
 */
export interface Failure {
  /** @default "EXECUTION_FAILED" */
  readonly code?: string | undefined
  /** @default the first error of the timeline, or "The execution failed" */
  readonly message?: string | undefined
}

/**
 * One thing that happens in a stream.
 *
 * **Details**
 *
 * | piece | what is sent |
 * | --- | --- |
 * | a text | a chunk whose `delta.content` is that text |
 * | `structured` | a chunk whose `message.structured_content` is that value |
 * | `error` | `data: {"error": ...}` |
 * | `errorEvent` | `event: error` with that value |
 * | `event`, `data` | a named event |
 * | `comment` | a comment, such as a keep-alive |
 * | `retry` | a `retry:` line |
 * | `pause` | nothing, for a time of the program's clock |
 * | `raw` | that text as it is |
 * | `drop` | the connection breaks, and nothing after it is sent |
 *
 * @category models
 * @since 0.1.0
 */
export type StreamPiece =
  | string
  | { readonly structured: unknown }
  | { readonly error: unknown }
  | { readonly errorEvent: unknown }
  | { readonly event: string; readonly data: unknown }
  | { readonly comment: string }
  | { readonly retry: number }
  | { readonly pause: Duration.Input }
  | { readonly raw: string }
  | { readonly drop: true }

/**
 * What a streamed run sends.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamScript {
  /** @default the output in a handful of texts, or an error if the run fails */
  readonly pieces?: ReadonlyArray<StreamPiece> | undefined
  /**
   * How long the stream rests between two pieces.
   *
   * @default 0
   */
  readonly pause?: Duration.Input | undefined
  /** Breaks the connection after that many pieces. */
  readonly dropAfter?: number | undefined
  /**
   * What ends the stream: a chunk with a `finish_reason` and `[DONE]`, that chunk alone, or nothing at all.
   *
   * @default "done", or "none" if the run fails
   */
  readonly end?: "done" | "stop" | "none" | undefined
  /**
   * How chunks are told apart (assumption 3). In `json-lines` there are no comments, events and `retry:` lines.
   *
   * @default "sse"
   */
  readonly framing?: "sse" | "json-lines" | undefined
  /** @default "\n" */
  readonly newline?: "\n" | "\r\n" | "\r" | undefined
  /** Cuts what is sent into chunks of that many bytes, wherever that is. */
  readonly chunkBytes?: number | undefined
}

/**
 * What a run will do. Everything that is left out is as its canvas or the emulator's own `script` option says, or has
 * its default.
 *
 * @category models
 * @since 0.1.0
 */
export interface Script {
  /**
   * How long the run takes and how it ends; `partial` counts as success. A synchronous answer is held back that long
   * too.
   *
   * @default 5 seconds, to a good end; a synchronous answer comes and a stream starts at once
   */
  readonly timeline?: Timeline.Timeline | undefined
  /**
   * How long the run stays `created` (assumption 12).
   *
   * @default "1 second"
   */
  readonly createdFor?: Duration.Input | undefined
  /**
   * Lets polls move an asynchronous run instead of time (rule 7): how many of them see it `created`, and then `running`.
   * The timeline still says how it ends.
   */
  readonly polls?: { readonly created?: number | undefined; readonly running?: number | undefined } | undefined
  /** @default an object after the structured output's schema if there is one, else a text; both echo the variables */
  readonly output?: Output | undefined
  /** Lets the run fail. */
  readonly failure?: Failure | undefined
  /** What it sends if it is streamed. */
  readonly stream?: StreamScript | undefined
}

/**
 * A variable of a canvas.
 *
 * @category models
 * @since 0.1.0
 */
export interface Variable {
  readonly name: string
  /** @default "text" */
  readonly type?: string | undefined
  /** @default true */
  readonly required?: boolean | undefined
  /** @default "" */
  readonly description?: string | undefined
}

/**
 * A canvas that exists.
 *
 * **Details**
 *
 * A canvas that declares variables refuses values under any other name, and the lack of one it requires. One that does
 * not takes everything.
 *
 * @category models
 * @since 0.1.0
 */
export interface Canvas {
  /** @default a fresh UUID */
  readonly id?: string | undefined
  /**
   * Its versions, the oldest first.
   *
   * @default one, with a fresh UUID
   */
  readonly versionIds?: ReadonlyArray<string> | undefined
  /**
   * The version that each environment serves. `production` is there in any case; `null` lets it serve none.
   *
   * @default the newest version in `production`
   */
  readonly environments?: Readonly<Record<string, string | null>> | undefined
  /**
   * The Workstation app that runs it.
   *
   * @default a fresh UUID
   */
  readonly applicationId?: string | undefined
  /** @default "Untitled canvas" */
  readonly title?: string | undefined
  /** @default the emulator's only project */
  readonly projectId?: string | undefined
  readonly variables?: ReadonlyArray<Variable> | undefined
  /** The JSON Schema of its structured output. Without one it answers with a text. */
  readonly structuredOutput?: Readonly<Record<string, unknown>> | undefined
  /** @default false */
  readonly isWorkflow?: boolean | undefined
  /** What its runs do. */
  readonly script?: Script | ((request: RunRequest) => Script) | undefined
  /** What its runs produce: short for `script: { output }`. */
  readonly output?: Output | undefined
}

/**
 * A canvas whose runs fail. The same id is its version's and its app's.
 *
 * @category constants
 * @since 0.1.0
 */
export const failingCanvasId = "00000000-0000-4000-8000-0000000fa11e"

/**
 * An id that is no canvas, no version and no app.
 *
 * @category constants
 * @since 0.1.0
 */
export const unknownCanvasId = "00000000-0000-4000-8000-000000000404"

/**
 * A canvas that is a workflow. The same id is its version's and its app's.
 *
 * @category constants
 * @since 0.1.0
 */
export const workflowCanvasId = "00000000-0000-4000-8000-00000000f10e"

/**
 * A canvas with a structured output, for the option `canvases`: it reads invoices, and answers
 * `{ total: 42, currency: "BRL" }` to everything. `npm run emulator` serves it.
 *
 * @category constants
 * @since 0.1.0
 */
export const invoiceCanvas: Canvas & { readonly id: string } = {
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
 * The workspace that everything belongs to.
 *
 * @category constants
 * @since 0.1.0
 */
export const workspaceId = "00000000-0000-4000-8000-000000000001"

/**
 * Who everything is done by: the person behind every key.
 *
 * @category constants
 * @since 0.1.0
 */
export const user = "emulator@tela.example"
