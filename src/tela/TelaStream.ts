/**
 * Streamed executions of Tela canvases: the output while the model writes it.
 *
 * **Example** (Showing text as it arrives)
 *
 * ```ts
 * import { Effect, Layer, Redacted, Stream } from "effect"
 * import { Tela } from "canvas-runs"
 * import { TelaEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const tela = yield* Tela.TelaClient
 *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
 *   return yield* canvas.stream({ topic: "tides" }).pipe(
 *     Stream.map((part) => part._tag === "delta" ? part.content : ""),
 *     Stream.tap((text) => Effect.sync(() => process.stdout.write(text))),
 *     Stream.mkString
 *   )
 * }).pipe(
 *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
 *     Layer.provideMerge(TelaEmulator.layerTest({ script: { stream: { pieces: ["Once ", "upon a tide"] } } }))
 *   ))
 * )
 *
 * const text = await Effect.runPromise(main)
 * text.length // => 16
 * ```
 *
 * **Details**
 *
 * The provider does not document its framing (assumption 3). Server-sent events are read in every form that its SDKs read (any line
 * ending, comments, named events, `retry:`), and so is one JSON document per line.
 *
 * A stream succeeds if the server says that it ended and the output fits the schema:
 *
 * | the server sends | the stream |
 * | --- | --- |
 * | a `finish_reason` of `stop`, `length`, `content_filter`, `tool_calls` or `function_call`, in any case | succeeds when its connection ends, breaks or falls silent |
 * | `[DONE]` after output | succeeds, with the `finish_reason` before it, if there is one |
 * | `[DONE]` without output, or after a chunk of an unknown form or a text such as `Internal Server Error` | fails with `StreamInterruptedError` |
 * | an error in any form, or a `finish_reason` of `error`, `failed` or `cancelled` | fails with `RunFailedError` and the provider's words |
 * | nothing more, and no such `finish_reason` | fails with `StreamInterruptedError` |
 * | one document of `application/json` that is the response to a synchronous execution | succeeds with its output |
 * | no event, but other text | fails with `StreamInterruptedError`, and `received.unread` has the beginning of the text |
 *
 * Empty data, JSON scalars, and text that does not begin like JSON are skipped and counted. Any text
 * except a time or a word such as `ping` may be an error of a proxy. If no chunk follows it, the stream fails even after `[DONE]`, and
 * the error has the text in `received.unread`. An event with a name is emitted as an `event`, unless it holds choices like a chunk. An
 * event named `error` is a failure, with data or without.
 *
 * The first `id` names the completion. A chunk with another `id` is skipped and counted: it adds no text, and its `finish_reason` is
 * ignored. If the first three ids differ, the server gives each chunk an id, and all chunks are read. The choice with the index 0, or
 * without an index, is the output. Other choices are not read.
 *
 * The first five reasons of the table are terminal. After a terminal `finish_reason` only an error is a failure: a chunk that the
 * connection cut off is ignored. The output is the last structured output, unless the text after it is JSON itself. If a later message
 * before the terminal `finish_reason` has an empty `structured_content`, such as `null` or `{}`, the text could not be parsed, and the
 * text is the output.
 *
 * **Gotchas**
 *
 * A streamed execution has no id and cannot be looked up. If it breaks, the text and the output that had arrived are in the
 * `received` of the `StreamInterruptedError`, and nothing more can be read.
 *
 * @see https://docs.tela.com/en/completion-api/streaming
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import { InvalidOutputError, RunFailedError, StreamInterruptedError } from "../RunError.ts"
import {
  ExecuteError,
  type ExecuteParams,
  type ExecutionInfo,
  type TelaDuration,
  type VersionParams
} from "./TelaExecution.ts"

/**
 * The parameters of a streamed execution. A timeout that passes is a `StreamInterruptedError`, whose `reason` says which.
 *
 * @see https://docs.tela.com/en/completion-api/streaming
 * @category models
 * @since 0.1.0
 */
export interface StreamParams<Skip extends boolean = boolean> extends ExecuteParams<Skip>, VersionParams {
  /** Makes an execution of `canvas.execute` stream. `canvas.stream` needs no such parameter. */
  readonly stream?: true | undefined
  /** Not allowed: a streamed execution is not asynchronous. */
  readonly async?: false | undefined
  /**
   * How long to wait for the first event. It counts from when the request is sent, once its files have been uploaded. Without any
   * response in this time, the outcome of the create is unknown (`CreateOutcomeUnknownError`).
   *
   * @default "5 minutes"
   */
  readonly firstEventTimeout?: TelaDuration | undefined
  /**
   * How long the stream may be without an event. Keep-alives do not count, because a server that only says that it is alive
   * would otherwise never time out. They are comments, empty data, JSON scalars such as a time, any text that does not begin like
   * JSON, chunks of an unknown form such as `{"type":"ping"}`, and events named `ping`, `heartbeat` or `keep-alive`.
   *
   * If a terminal `finish_reason` has arrived when this time passes, the stream succeeds: only the connection stayed open.
   *
   * @default "1 minute"
   */
  readonly idleTimeout?: TelaDuration | undefined
  /**
   * How long the whole stream may take, from when the request is sent.
   *
   * @default Infinity
   */
  readonly timeout?: TelaDuration | undefined
}

/**
 * One part of a streamed execution.
 *
 * **Details**
 *
 * A `delta` has new text of the model. An `event` is an event that the server sent with a name. A stream that succeeds ends with
 * one `final`, which holds the validated output.
 *
 * @see https://docs.tela.com/en/completion-api/streaming
 * @category models
 * @since 0.1.0
 */
export type StreamPart<Output> =
  | {
    /** New text of the model. */
    readonly _tag: "delta"
    /** The new text. It is empty in a part that has only a `finishReason` or structured output. */
    readonly content: string
    /** The whole text so far. */
    readonly message: string
    /**
     * The structured output so far, as the server sent it; `undefined` until there is one, and for a canvas whose output is
     * text. It is `unknown` because it is incomplete, not validated and not decoded: members may be missing at any depth.
     */
    readonly structured: unknown
    /**
     * Why the model stopped, in the part that reports it. `stop`, `length`, `content_filter`, `tool_calls` and
     * `function_call`, in any case, are terminal. Any other text is shown, and is not terminal.
     */
    readonly finishReason: string | undefined
    /** The provider's id of the request. */
    readonly requestId: string | undefined
    /** The chunk as the server sent it. */
    readonly raw: unknown
  }
  | {
    /** An event that the server sent with a name. */
    readonly _tag: "event"
    /** The name. */
    readonly event: string
    /** The data, parsed if it is JSON, and text otherwise. */
    readonly data: unknown
    /** The provider's id of the request. */
    readonly requestId: string | undefined
  }
  | {
    /** The end of a stream that succeeded. */
    readonly _tag: "final"
    /** The validated output. */
    readonly result: Output
    /** The whole text. */
    readonly message: string
    /**
     * Why the model stopped, if the server says so. `"length"` and `"content_filter"` mean that the output was cut off,
     * although it fits the schema.
     */
    readonly finishReason: string | undefined
    /** The provider's id of the request. */
    readonly requestId: string | undefined
  }

/**
 * The schema of the errors of a stream.
 *
 * @category schemas
 * @since 0.1.0
 */
export const StreamError = /*#__PURE__*/ Schema.Union([
  ExecuteError,
  RunFailedError,
  StreamInterruptedError,
  InvalidOutputError
])

/**
 * The errors of a stream: those of starting an execution, `RunFailedError` if the execution failed, `StreamInterruptedError` if the
 * stream broke, stalled or was cancelled, and `InvalidOutputError` if the output does not fit its schema.
 *
 * @category errors
 * @since 0.1.0
 */
export type StreamError = ExecuteError | RunFailedError | StreamInterruptedError | InvalidOutputError

/**
 * The status of a streamed execution: `created` at first, `streaming` from the first pull of its `result`, then `succeeded` once
 * the last part has been emitted, or `failed`. An execution whose consumer abandoned it, or that was cancelled, is `failed`.
 *
 * @category models
 * @since 0.1.0
 */
export type StreamStatus = "created" | "streaming" | "succeeded" | "failed"

/**
 * A streamed execution. The first pull of `result` uploads the files and sends the request.
 *
 * **When to use**
 *
 * If other code reads the `status`, or calls `cancel`, while the stream is consumed. `canvas.stream` is shorter, and executes again
 * each time that it is run.
 *
 * **Gotchas**
 *
 * `result` and `rawResult` are two forms of one execution, which runs once. A second run of either fails with a `BadRequestError`
 * and sends nothing.
 *
 * @see https://docs.tela.com/en/completion-api/streaming
 * @category models
 * @since 0.1.0
 */
export interface StreamExecution<out Output> extends ExecutionInfo {
  /** Always `false`. */
  readonly isSync: false
  /** Always `false`. */
  readonly isAsync: false
  /** Always `true`. */
  readonly isStream: true
  /** The parameters of `execute`. */
  readonly params: StreamParams | DynamicStreamParams
  /** The status, without a request. */
  readonly status: Effect.Effect<StreamStatus>
  /**
   * Executes, and emits the output as it arrives, ending with a `final` part that holds the validated output. Interrupting the
   * stream, or taking fewer parts, closes the connection.
   */
  readonly result: Stream.Stream<StreamPart<Output>, StreamError>
  /**
   * Executes without validation, and returns the chunks and the data of the events, unchanged.
   *
   * **Example** (The chunks as the server sent them)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
   *   const execution = yield* canvas.execute({ topic: "tides" }, { stream: true })
   *   return (yield* execution.rawResult).length
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest({ script: { stream: { pieces: ["Once ", "upon a tide"] } } }))
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => 3
   * ```
   */
  readonly rawResult: Effect.Effect<ReadonlyArray<unknown>, StreamError>
  /**
   * Closes the connection. The consumer of `result` gets a `StreamInterruptedError` with the reason `cancelled` and the text that
   * had arrived. A stream that has not started is never sent.
   *
   * **Example** (Cancelling from another fiber)
   *
   * ```ts
   * import { Effect, Layer, Redacted, Stream } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
   *   const execution = yield* canvas.execute({ topic: "tides" }, { stream: true })
   *   return yield* execution.result.pipe(
   *     Stream.runForEach(() => Effect.forkChild(execution.cancel)),
   *     Effect.catchTag("StreamInterruptedError", (error) => Effect.succeed([error.reason, error.received.message]))
   *   )
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest({ script: { stream: { pieces: ["Once ", { pause: "1 hour" }, "upon a tide"] } } }))
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => ["cancelled", "Once "]
   * ```
   */
  readonly cancel: Effect.Effect<void>
}

/**
 * Parameters of an execution that may stream, as in `const params = { stream: true }`, which TypeScript reads as
 * `{ stream: boolean }`. Without `stream: true`, `firstEventTimeout` and `idleTimeout` have no effect.
 *
 * @category models
 * @since 0.1.0
 */
export interface DynamicStreamParams<Skip extends boolean = boolean> extends Omit<StreamParams<Skip>, "stream"> {
  /** Whether the execution streams. */
  readonly stream: boolean
}
