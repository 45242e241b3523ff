/**
 * Streamed executions of Tela canvases: the output while the model writes it.
 *
 * **Details**
 *
 * The provider does not document its framing. Server-sent events are read in every form that its SDKs read (any line
 * ending, comments, named events, `retry:`), and so is one JSON document per line.
 *
 * A stream succeeds if the server says that it ended and the output fits the schema:
 *
 * | the server sends | the stream |
 * | --- | --- |
 * | a `finish_reason` of `stop`, `length`, `content_filter`, `tool_calls` or `function_call`, in any case | succeeds when its connection ends, breaks or falls silent |
 * | `[DONE]` after output | succeeds, with whatever `finish_reason` came before |
 * | `[DONE]` without output, or after a chunk of an unknown form or a text such as `Internal Server Error` | fails with `StreamInterruptedError` |
 * | an error in any form, or a `finish_reason` of `error`, `failed` or `cancelled` | fails with `RunFailedError` and the provider's words |
 * | nothing more, and no such `finish_reason` | fails with `StreamInterruptedError` |
 * | one document of `application/json` that is the answer to a synchronous execution | succeeds with its output |
 * | no event, but other text | fails with `StreamInterruptedError`, and `received.unread` has the beginning of the text |
 *
 * Empty data, JSON scalars, and text that does not begin like JSON are skipped and counted. Text that is more than a time or a word
 * such as `ping` may be an error of a proxy: if no chunk follows it, `[DONE]` alone is no success, and the error has the text in
 * `received.unread`. An event with a name is handed on as an `event`, unless it holds choices like a chunk. An event named `error`
 * is a failure, with data or without.
 *
 * The first `id` names the completion. A chunk with another `id` is skipped and counted: it adds no text, and its `finish_reason` is no
 * end. If the first three ids differ, the server gives each chunk an id, and all chunks are read. The choice with the index 0, or
 * without an index, is the output. Other choices are not read.
 *
 * After a `finish_reason` that is an end, only an error is a failure: a later chunk that the connection cut off is ignored. The last
 * structured output counts, unless the text that came after it is JSON itself. If a later message, up to the end, has an empty
 * `structured_content`, such as `null` or `{}`, the output was not parsable, and the text is the output.
 *
 * **Gotchas**
 *
 * A streamed execution has no id and cannot be looked up: what has arrived when it breaks is all there is, and travels in
 * the `StreamInterruptedError`.
 *
 * @see https://docs.tela.com/en/completion-api/streaming
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { InvalidOutputError, RunFailedError, StreamInterruptedError } from "../RunError.ts"
import type { ExecuteError, ExecuteParams, ExecutionInfo, TelaDuration, VersionParams } from "./TelaExecution.ts"

/**
 * A streamed execution.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamParams<Skip extends boolean = boolean> extends ExecuteParams<Skip>, VersionParams {
  readonly stream?: true | undefined
  readonly async?: false | undefined
  /**
   * How long to wait for the first event. It counts from when the request is sent, once its files have been uploaded.
   *
   * @default "5 minutes"
   */
  readonly firstEventTimeout?: TelaDuration | undefined
  /**
   * How long the stream may be without an event. Keep-alives do not count, because a server that only says that it is alive
   * would otherwise never time out. They are comments, empty data, JSON scalars such as a time, any text that does not begin like
   * JSON, chunks of an unknown form such as `{"type":"ping"}`, and events named `ping`, `heartbeat` or `keep-alive`.
   *
   * If the model has already said its end when this time passes, the stream succeeds: only the connection stayed open.
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
 * One piece of a streamed execution.
 *
 * **Details**
 *
 * A `delta` is new text of the model, an `event` is what the server sent under another name, and a stream that succeeds ends with
 * one `final`, which holds the validated output.
 *
 * @category models
 * @since 0.1.0
 */
export type StreamPart<Output> =
  | {
    readonly _tag: "delta"
    /** What is new. */
    readonly content: string
    /** All that has been said so far. */
    readonly message: string
    /**
     * The structured output so far, as the server sent it; `undefined` until there is one, and for a canvas whose output is
     * text. It is `unknown` because it is incomplete, not validated and not decoded: members may be missing at any depth.
     */
    readonly structured: unknown
    /**
     * Why the model stopped, in the piece that says so. `stop`, `length`, `content_filter`, `tool_calls` and
     * `function_call`, in any case, are an end; any other text is shown and ends nothing.
     */
    readonly finishReason: string | undefined
    readonly requestId: string | undefined
    /** The chunk as the server sent it. */
    readonly raw: unknown
  }
  | { readonly _tag: "event"; readonly event: string; readonly data: unknown; readonly requestId: string | undefined }
  | {
    readonly _tag: "final"
    /** The validated output. */
    readonly result: Output
    readonly message: string
    /**
     * Why the model stopped, where the server says so. `"length"` and `"content_filter"` mean that the output was cut off,
     * although it fits the schema.
     */
    readonly finishReason: string | undefined
    readonly requestId: string | undefined
  }

/**
 * What a stream can fail with.
 *
 * @category errors
 * @since 0.1.0
 */
export type StreamError = ExecuteError | RunFailedError | StreamInterruptedError | InvalidOutputError

/**
 * The status of a streamed execution: `streaming` from the first pull of its `result`, then `succeeded` once the last part has
 * been emitted, or `failed`. One that its consumer abandoned, or that was cancelled, is `failed`.
 *
 * @category models
 * @since 0.1.0
 */
export type StreamStatus = "created" | "streaming" | "succeeded" | "failed"

/**
 * A streamed execution. It sends nothing by itself: the first pull of `result` uploads the files and sends the one request.
 *
 * **Gotchas**
 *
 * `result` and `rawResult` are two forms of one execution, which runs once. A second run of either fails with a
 * `BadRequestError` and sends nothing. For a stream that executes again each time it is run, there is `canvas.stream`.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamExecution<out Output> extends ExecutionInfo {
  readonly isSync: false
  readonly isAsync: false
  readonly isStream: true
  readonly params: StreamParams | DynamicStreamParams
  /** The status, without a request. */
  readonly status: Effect.Effect<StreamStatus>
  /**
   * The output as it arrives, ending with a `final` part that holds the validated output. Abandoning the stream, by interruption
   * or by taking fewer parts, closes the connection.
   */
  readonly result: Stream.Stream<StreamPart<Output>, StreamError>
  /** Executes without validation, and returns the chunks and events, unchanged. */
  readonly rawResult: Effect.Effect<ReadonlyArray<unknown>, StreamError>
  /**
   * Closes the connection. The consumer of `result` gets a `StreamInterruptedError` with the reason `cancelled` and what had
   * arrived. A stream that has not started is never sent.
   */
  readonly cancel: Effect.Effect<void>
}

/**
 * Parameters of which only the running program knows whether they stream, as in `const params = { stream: true }`, which
 * TypeScript reads as `{ stream: boolean }`. Without `stream: true`, `firstEventTimeout` and `idleTimeout` have no effect.
 *
 * @category models
 * @since 0.1.0
 */
export interface DynamicStreamParams<Skip extends boolean = boolean> extends Omit<StreamParams<Skip>, "stream"> {
  readonly stream: boolean
}
