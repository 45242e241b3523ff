/**
 * Streamed executions of Tela canvases: what the model says, as it says it.
 *
 * **Details**
 *
 * The provider does not document its framing. Server-sent events are read in every form that its SDKs read (any line
 * ending, comments, named events, `retry:`), and so is one JSON document per line.
 *
 * **Gotchas**
 *
 * A streamed execution has no id and cannot be looked up: what has arrived when it breaks is all there is, and travels in
 * the `StreamInterruptedError`.
 *
 * @see https://docs.tela.com/en/completion-api/streaming
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Pull from "effect/Pull"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Create from "../internal/create.ts"
import type * as Http from "../internal/http.ts"
import * as Sse from "../internal/sse.ts"
import * as Telemetry from "../internal/telemetry.ts"
import * as Polling from "../Polling.ts"
import { type InvalidOutputError, type Received, RunFailedError, StreamInterruptedError } from "../RunError.ts"
import * as RunRef from "../RunRef.ts"
import {
  duration,
  type ExecuteError,
  type ExecuteParams,
  prepare,
  provider,
  type Runtime,
  type Target,
  type TelaDuration,
  type Validate,
  validated,
  type VersionParams
} from "./TelaExecution.ts"
import * as Wire from "./TelaSchema.ts"

/**
 * A streamed execution.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamParams extends ExecuteParams, VersionParams {
  readonly stream: true
  readonly async?: undefined
  /**
   * How long to wait for the first event.
   *
   * @default "5 minutes"
   */
  readonly firstEventTimeout?: TelaDuration | undefined
  /**
   * How long the stream may be without an event. Keep-alives do not count as events.
   *
   * @default "1 minute"
   */
  readonly idleTimeout?: TelaDuration | undefined
  /**
   * How long the whole stream may take.
   *
   * @default Infinity
   */
  readonly timeout?: TelaDuration | undefined
}

/**
 * A value that is not complete yet.
 *
 * @category models
 * @since 0.1.0
 */
export type DeepPartial<A> = A extends ReadonlyArray<infer Item> ? ReadonlyArray<DeepPartial<Item>>
  : A extends object ? { readonly [K in keyof A]?: DeepPartial<A[K]> }
  : A

/**
 * One piece of a streamed execution.
 *
 * **Details**
 *
 * `delta`s come as the model speaks, `event`s are what the server sent under a name of its own, and a stream that ends
 * well ends with one `final`, which holds the validated output.
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
     * The structured output, as far as it can be parsed; none for a canvas whose output is text. It has not been decoded:
     * where the schema transforms, this is still what travels.
     */
    readonly structured: DeepPartial<Output> | undefined
    /** Why the model stopped, in the last piece. */
    readonly finishReason: string | undefined
    readonly requestId: string | undefined
    /** The chunk as it came. */
    readonly raw: unknown
  }
  | { readonly _tag: "event"; readonly event: string; readonly data: unknown; readonly requestId: string | undefined }
  | {
    readonly _tag: "final"
    /** The validated output. */
    readonly result: Output
    readonly message: string
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
 * Executes and streams.
 *
 * @internal
 */
export const executeStream = <Output>(
  runtime: Runtime,
  target: Target,
  variables: unknown,
  params: Omit<StreamParams, "stream">,
  validate: Validate<Output>
): Stream.Stream<StreamPart<Output>, StreamError> =>
  Stream.unwrap(
    Effect.gen(function*() {
      const first = yield* Polling.positive(
        operation,
        "firstEventTimeout",
        duration(params.firstEventTimeout ?? "5 minutes")
      )
      const idle = yield* Polling.positive(operation, "idleTimeout", duration(params.idleTimeout ?? "1 minute"))
      const total = yield* Polling.positive(operation, "timeout", duration(params.timeout ?? Infinity))
      const started = yield* Clock.currentTimeMillis
      const { request } = yield* prepare(runtime, target, variables, params, { stream: true })
      const { clean, maxBytes, requestId, response } = yield* Create.open(
        runtime.api,
        {
          operation,
          request: HttpClientRequest.setHeader(request, "accept", "text/event-stream, application/json"),
          timeout: Duration.min(first, total)
        },
        { retryCreates: runtime.retryCreates }
      )
      yield* Telemetry.countCreated(provider)
      return Stream.transformPull(response.stream, (pull) =>
        Effect.clockWith((clock) =>
          Effect.succeed(
            read({
              pull,
              validate,
              requestId,
              clean,
              maxBytes,
              clock,
              started,
              firstMillis: Duration.toMillis(first),
              idleMillis: Duration.toMillis(idle),
              totalMillis: Duration.toMillis(total)
            })
          )
        ))
    }).pipe(Telemetry.span("TelaCanvas.execute", { "run.provider": provider, "execution.mode": "stream" }))
  )

const operation = "canvas.execute"

const decodeChunk = Schema.decodeUnknownOption(Wire.StreamChunk)
const parseJson = Option.liftThrowable((text: string): unknown => JSON.parse(text))

interface Reading<Output> {
  readonly pull: Pull.Pull<ReadonlyArray<Uint8Array>, HttpClientError.HttpClientError>
  readonly validate: Validate<Output>
  readonly requestId: string | undefined
  readonly clean: Http.Opened["clean"]
  readonly maxBytes: number
  readonly clock: Clock.Clock
  readonly started: number
  readonly firstMillis: number
  readonly idleMillis: number
  readonly totalMillis: number
}

/**
 * Reads the body: bytes to events to parts, an array per chunk, in one step. What stands before a failure in the same
 * chunk is handed on first, so the outcome does not depend on how the network cut the stream.
 */
const read = <Output>(
  { clean, clock, firstMillis, idleMillis, maxBytes, pull, requestId, started, totalMillis, validate }: Reading<Output>
): Pull.Pull<readonly [StreamPart<Output>, ...Array<StreamPart<Output>>], StreamError> => {
  const parser = Sse.make({ maxLength: maxBytes })
  let message = ""
  let structured: unknown
  let chunks = 0
  let completionId: string | undefined
  let hasEnded = false
  let isFinished = false
  // What is left of the server's time for the next event. It runs only while the consumer waits.
  let patience = started + firstMillis - clock.currentTimeMillisUnsafe()
  let failure: StreamError | undefined
  let isDone = false

  const interrupted = (reason: StreamInterruptedError["reason"], what: string, cause?: unknown) =>
    new StreamInterruptedError({
      message:
        `The stream ${what} after ${chunks} chunks and ${message.length} characters. What had arrived is in this ` +
        "error's received; a streamed execution cannot be resumed.",
      reason,
      received: { message, structured, chunks } satisfies Received,
      elapsed: Duration.millis(clock.currentTimeMillisUnsafe() - started),
      ...(requestId === undefined ? undefined : { requestId }),
      ...(cause instanceof Error ? { cause } : undefined)
    })

  const tooLong = () =>
    interrupted("transport", `has an event longer than ${maxBytes} bytes, the client's maxResponseBytes,`)

  const refuse = (data: unknown): RunFailedError => {
    const error = Predicate.hasProperty(data, "error") ? data.error : data
    const words = typeof error === "string"
      ? error
      : Predicate.hasProperty(error, "message") && typeof error.message === "string"
      ? error.message
      : Predicate.hasProperty(data, "message") && typeof data.message === "string"
      ? data.message
      : undefined
    const ref = RunRef.make({ provider, kind: "stream", id: completionId ?? requestId ?? "unknown" })
    return new RunFailedError({
      message: `The provider broke off the stream: ${words ?? "it gave no reason"}. ${chunks} chunks had arrived.`,
      ref,
      errors: words === undefined ? [] : [words],
      run: { error: data, received: { message, structured, chunks } satisfies Received },
      ...(requestId === undefined ? undefined : { requestId })
    })
  }

  const take = ({ data: received, event }: Sse.SseEvent, out: Array<StreamPart<Output>>) => {
    if (received.length > maxBytes) {
      failure = tooLong()
      return
    }
    const data = clean(received)
    if (data.startsWith("[DONE]")) {
      hasEnded = true
      return
    }
    const json = parseJson(data)
    if (event === "error") {
      failure = refuse(Option.getOrElse(json, () => data))
      return
    }
    if (event !== "message") {
      out.push({ _tag: "event", event, data: Option.getOrElse(json, () => data), requestId })
      return
    }
    if (Option.isNone(json)) {
      failure = interrupted("transport", "held what is not JSON")
      return
    }
    const raw = json.value
    if (Predicate.hasProperty(raw, "error") && Predicate.isNotNullish(raw.error)) {
      failure = refuse(raw)
      return
    }
    const chunk = decodeChunk(raw)
    if (Option.isNone(chunk)) {
      failure = interrupted("transport", "held a chunk of an unknown form")
      return
    }
    const { choices, id, message: said } = chunk.value
    const choice = choices?.[0]
    const content = choice?.delta?.content ?? ""
    chunks++
    completionId = id ?? completionId
    message = said?.content ?? message + content
    if (Predicate.isNotNullish(said?.structured_content)) structured = said.structured_content
    if (choice?.finish_reason != null) isFinished = true
    out.push({
      _tag: "delta",
      content,
      message,
      structured: isEmpty(structured) ? undefined : structured as DeepPartial<Output>,
      finishReason: choice?.finish_reason ?? undefined,
      requestId,
      raw
    })
  }

  const takeAll = (events: ReadonlyArray<Sse.SseEvent>): Array<StreamPart<Output>> => {
    const out: Array<StreamPart<Output>> = []
    for (const event of events) {
      if (hasEnded || failure !== undefined) break
      take(event, out)
    }
    if (events.length > 0) patience = idleMillis
    return out
  }

  const final: Effect.Effect<readonly [StreamPart<Output>], InvalidOutputError> = Effect.suspend(() => {
    isDone = true
    return Effect.map(
      validated(validateAny(validate, structured, message), isEmpty(structured) ? message : structured, { requestId }),
      (result) => [{ _tag: "final", result, message, requestId }] as const
    )
  })

  type Parts = Pull.Pull<readonly [StreamPart<Output>, ...Array<StreamPart<Output>>], StreamError>

  /** The last event may lack the blank line that closes it, if the server closed the stream instead. */
  const finish: Parts = Effect.suspend(() => {
    const rest = parser.end().filter(({ data }) => data.startsWith("[DONE]") || Option.isSome(parseJson(data)))
    const parts = takeAll(rest)
    if (hasEnded || isFinished) hasEnded = true
    else failure ??= interrupted("end", "ended without its end mark")
    return isNonEmpty(parts) ? Effect.succeed(parts) : next
  })

  const next: Parts = Effect.suspend(() => {
    if (isDone) return Cause.done()
    if (failure !== undefined) return Effect.fail(failure)
    if (hasEnded) return final
    const now = clock.currentTimeMillisUnsafe()
    const left = started + totalMillis - now
    const bytes = Pull.matchEffect(pull, {
      onSuccess: (pieces): Parts => {
        patience -= clock.currentTimeMillisUnsafe() - now
        const parts = takeAll(pieces.flatMap(parser.feed))
        if (parser.isTooLong() && !hasEnded) {
          failure ??= tooLong()
        }
        return isNonEmpty(parts) ? Effect.succeed(parts) : next
      },
      onFailure: (cause): Parts => {
        const error = Cause.findErrorOption(cause)
        if (Option.isNone(error)) return Effect.failCause(cause as Cause.Cause<never>)
        return isFinished || error.value.reason._tag === "EmptyBodyError"
          ? finish
          : Effect.fail(interrupted("transport", "broke off", error.value.reason.cause))
      },
      onDone: () => finish
    })
    const limit = Math.min(patience, left)
    return limit === Infinity ? bytes : Effect.timeoutOrElse(bytes, {
      duration: Math.max(0, limit),
      orElse: (): Parts =>
        Effect.suspend(() =>
          Effect.fail(
            limit === left
              ? interrupted("total", "took longer than its timeout")
              : chunks === 0
              ? interrupted("first-event", "brought nothing in time")
              : interrupted("idle", "fell silent")
          )
        )
    })
  })

  return next
}

const isNonEmpty = <A>(parts: ReadonlyArray<A>): parts is readonly [A, ...Array<A>] => parts.length > 0

const isEmpty = (value: unknown): boolean =>
  Predicate.isNullish(value) || Predicate.isObject(value) && !Array.isArray(value) && Object.keys(value).length === 0

/** The text of a canvas with structured output is JSON, for a server that sends it as text only. */
const validateAny = <Output>(validate: Validate<Output>, structured: unknown, message: string): Validate<Output> =>
  !isEmpty(structured)
    ? validate
    : (output) =>
      Effect.catch(validate(output), (issue) =>
        Option.match(parseJson(message), {
          onNone: () => Effect.fail(issue),
          onSome: (json) => Effect.mapError(validate(json), () => issue)
        }))
