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
import { constVoid } from "effect/Function"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Pull from "effect/Pull"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Create from "../internal/create.ts"
import * as FetchPlatform from "../internal/fetchPlatform.ts"
import type * as Http from "../internal/http.ts"
import * as Timers from "../internal/timers.ts"
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
   * How long to wait for the first event. It counts from when the request is sent, once its files have been uploaded.
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
   * How long the whole stream may take, from when the request is sent.
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
      const { clean, maxBytes, requestId, response, sentAt } = yield* Create.open(
        runtime.api,
        {
          operation,
          request: HttpClientRequest.setHeader(request, "accept", "text/event-stream, application/json"),
          timeout: Duration.min(first, total)
        },
        { retryCreates: runtime.retryCreates }
      )
      yield* Telemetry.countCreated(provider)
      return Stream.fromPull(read({
        response,
        scope: yield* Effect.scope,
        validate,
        requestId,
        clean,
        maxBytes,
        clock: yield* Clock.Clock,
        timers: yield* Effect.withFiber((fiber) => Effect.succeed(Timers.of(fiber))),
        started,
        sentAt,
        firstMillis: Duration.toMillis(first),
        idleMillis: Duration.toMillis(idle),
        totalMillis: Duration.toMillis(total)
      }))
    }).pipe(Telemetry.span("TelaCanvas.execute", { "run.provider": provider, "execution.mode": "stream" }))
  )

const operation = "canvas.execute"

const notJson = Symbol("notJson")

// Once per event: an Option, or a function that catches for another, would cost a tenth of the parsing
const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return notJson
  }
}

const decodeChunk = Schema.decodeUnknownOption(Wire.StreamChunk)

/**
 * A chunk, or undefined if it is none or an error. The schema's interpreter costs half of the parsing, so it judges only
 * what is rare.
 */
const readChunk = (raw: unknown): Wire.StreamChunk | undefined =>
  isCommonChunk(raw)
    ? raw
    : Predicate.hasProperty(raw, "error") && raw.error != null
    ? undefined
    : Option.getOrUndefined(decodeChunk(raw))

/**
 * Whether this, which comes out of JSON, is no error and surely fits the schema as it is: it has one choice, whose delta
 * has a content, and no message or one with a content. What has a content is no array.
 *
 * @internal
 */
export const isCommonChunk = (raw: unknown): raw is Wire.StreamChunk => {
  if (typeof raw !== "object" || raw === null) return false
  const { choices, error, id, message } = raw as { [K in keyof Wire.StreamChunk | "error"]?: unknown }
  return error == null && isTextOrNullish(id) && Array.isArray(choices) && choices.length === 1 &&
    isCommonChoice(choices[0]) && (message == null || hasContent(message))
}

const isCommonChoice = (choice: unknown): boolean => {
  if (typeof choice !== "object" || choice === null) return false
  const { delta, finish_reason } = choice as { readonly delta?: unknown; readonly finish_reason?: unknown }
  return isTextOrNullish(finish_reason) && hasContent(delta)
}

const hasContent = (value: unknown): boolean => {
  if (typeof value !== "object" || value === null) return false
  const { content } = value as { readonly content?: unknown }
  return typeof content === "string" || content === null
}

const isTextOrNullish = (value: unknown): boolean => value == null || typeof value === "string"

interface Reading<Output> {
  readonly response: HttpClientResponse.HttpClientResponse
  readonly scope: Scope.Scope
  readonly validate: Validate<Output>
  readonly requestId: string | undefined
  readonly clean: Http.Opened["clean"]
  readonly maxBytes: number
  readonly clock: Clock.Clock
  readonly timers: Timers.Timers
  readonly started: number
  readonly sentAt: number
  readonly firstMillis: number
  readonly idleMillis: number
  readonly totalMillis: number
}

type Parts<Output> = Pull.Pull<readonly [StreamPart<Output>, ...Array<StreamPart<Output>>], StreamError>

/**
 * Reads the body: bytes to events to parts, an array per chunk, in one step. What stands before a failure in the same
 * chunk is handed on first, so the outcome does not depend on how the network cut the stream.
 *
 * The body is read only when the consumer asks, and a watchman looks after the time.
 */
const read = <Output>({
  clean,
  clock,
  firstMillis,
  idleMillis,
  maxBytes,
  requestId,
  response,
  scope,
  sentAt,
  started,
  timers,
  totalMillis,
  validate
}: Reading<Output>): Effect.Effect<Parts<Output>> => {
  let message = ""
  let structured: unknown
  // The same without an empty one, which says nothing
  let shown: DeepPartial<Output> | undefined
  let chunks = 0
  let completionId: string | undefined
  let hasEnded = false
  let isFinished = false
  let isCutOff = false
  let failure: Cause.Cause<StreamError> | undefined
  let isDone = false

  const interrupted = (reason: StreamInterruptedError["reason"], what: string, cause?: unknown) =>
    Cause.fail(
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
    )

  const tooLong = () =>
    interrupted(
      "transport",
      `has an event longer than the client's maxResponseBytes (${maxBytes}), which can be raised,`
    )

  const refuse = (data: unknown) => {
    const error = Predicate.hasProperty(data, "error") ? data.error : data
    const words = typeof error === "string"
      ? error
      : Predicate.hasProperty(error, "message") && typeof error.message === "string"
      ? error.message
      : Predicate.hasProperty(data, "message") && typeof data.message === "string"
      ? data.message
      : undefined
    const ref = RunRef.make({ provider, kind: "stream", id: completionId ?? requestId ?? "unknown" })
    return Cause.fail(
      new RunFailedError({
        message: `The provider broke off the stream: ${words ?? "it gave no reason"}. ${chunks} chunks had arrived.`,
        ref,
        errors: words === undefined ? [] : [words],
        run: { error: data, received: { message, structured, chunks } satisfies Received },
        ...(requestId === undefined ? undefined : { requestId })
      })
    )
  }

  /** What has been read and not been handed on. */
  let parts: Array<StreamPart<Output>> = []

  const take = (event: string, data: string) => {
    if (hasEnded || failure !== undefined) return
    if (data.length > maxBytes) {
      failure = tooLong()
      return
    }
    if (data.charCodeAt(0) === 91 /* [ */ && data.startsWith("[DONE]")) {
      hasEnded = true
      return
    }
    const raw = parseJson(data)
    if (raw === notJson && isCutOff) return
    if (event === "error") {
      failure = refuse(raw === notJson ? data : raw)
      return
    }
    if (event !== "message") {
      parts.push({ _tag: "event", event, data: raw === notJson ? data : raw, requestId })
      return
    }
    if (raw === notJson) {
      failure = interrupted("transport", "held what is not JSON")
      return
    }
    const chunk = readChunk(raw)
    if (chunk === undefined) {
      failure = Predicate.hasProperty(raw, "error") && raw.error != null
        ? refuse(raw)
        : interrupted("transport", "held a chunk of an unknown form")
      return
    }
    const { choices, id, message: said } = chunk
    const choice = choices?.[0]
    const content = choice?.delta?.content ?? ""
    const finishReason = choice?.finish_reason ?? undefined
    chunks++
    completionId = id ?? completionId
    message = said?.content ?? message + content
    if (said?.structured_content != null) {
      structured = said.structured_content
      shown = isEmpty(structured) ? undefined : structured as DeepPartial<Output>
    }
    if (finishReason !== undefined) isFinished = true
    parts.push({ _tag: "delta", content, message, structured: shown, finishReason, requestId, raw })
  }

  const parser = Sse.make(take, { maxLength: maxBytes, clean })

  const final: Effect.Effect<readonly [StreamPart<Output>], InvalidOutputError> = Effect.suspend(() => {
    isDone = true
    return Effect.map(
      validated(validateAny(validate, structured, message), isEmpty(structured) ? message : structured, { requestId }),
      (result) => [{ _tag: "final", result, message, requestId }] as const
    )
  })

  /** The consumer, while it waits. */
  let consumer: ((parts: Parts<Output>) => void) | undefined
  /** Asks the body for more. */
  let more: () => void = constVoid
  /** How long the server may take for its next event. The time that the consumer takes does not count. */
  const sinceSent = clock.currentTimeMillisUnsafe() - sentAt
  let patience = firstMillis - sinceSent
  const end = timers.now() + totalMillis - sinceSent
  const watchman = Timers.watchman(timers, () => {
    failure ??= timers.now() >= end
      ? interrupted("total", "took longer than its timeout")
      : chunks === 0
      ? interrupted("first-event", "brought nothing in time")
      : interrupted("idle", "fell silent")
    answer()
  })

  /** Hands on what has been read, or else lets the consumer see that there is no more. */
  const answer = () => {
    const resume = consumer
    consumer = undefined
    watchman.rest()
    resume?.(next)
  }

  const next: Parts<Output> = Effect.suspend(() => {
    const read = parts
    if (isNonEmpty(read)) {
      parts = []
      return Effect.succeed(read)
    }
    if (isDone) return Cause.done()
    if (failure !== undefined) return Effect.failCause(failure)
    if (hasEnded) return final
    watchman.expect(Math.min(patience, end - timers.now()))
    return ask
  })

  // What arrives after a consumer was interrupted is for its next pull
  const forget = Effect.sync(() => {
    consumer = undefined
    watchman.rest()
  })
  const ask: Parts<Output> = Effect.callback((resume) => {
    consumer = resume
    more()
    return forget
  })

  /** Takes what has arrived. Whether that is something for the consumer to see. */
  const feed = (pieces: ReadonlyArray<Uint8Array>): boolean => {
    pieces.forEach(parser.feed)
    if (parser.isTooLong() && !hasEnded) failure ??= tooLong()
    if (parts.length === 0 && failure === undefined && !hasEnded) return false
    patience = idleMillis
    return true
  }

  /** The last event may lack the blank line that closes it, if the server closed the stream instead, or be cut. */
  const finish = () => {
    isCutOff = true
    parser.end()
    if (hasEnded || isFinished) hasEnded = true
    else failure ??= interrupted("end", "ended without its end mark")
    answer()
  }

  const breakOff = (cause: unknown) => {
    if (isFinished) return finish()
    failure ??= interrupted("transport", "broke off", cause)
    answer()
  }

  const die = (cause: Cause.Cause<never>) => {
    failure ??= cause
    answer()
  }

  /** Reads a fetch's body by hand, which takes half of the time per chunk that a fiber and its pulls take. */
  const readWeb = (body: ReadableStream<Uint8Array> | null): Effect.Effect<void> =>
    Effect.uninterruptible(Effect.suspend(() => {
      if (body === null) {
        more = finish
        return Effect.void
      }
      const reader = body.getReader()
      const cancel = Effect.promise(() => reader.cancel().catch(constVoid))
      let isReading = false
      const onPiece = ({ done, value }: ReadableStreamReadResult<Uint8Array>) => {
        isReading = false
        if (done) finish()
        else if (feed([value])) answer()
        else more()
      }
      const onDefect = (defect: unknown) => die(Cause.die(defect))
      more = () => {
        if (isReading) return
        isReading = true
        reader.read().then(onPiece, breakOff).catch(onDefect)
      }
      return Scope.addFinalizer(scope, cancel)
    }))

  /** Reads any other body in a fiber, which waits until it is asked. */
  const readStream = (body: HttpClientResponse.HttpClientResponse["stream"]): Effect.Effect<void> =>
    Effect.flatMap(Scope.provide(Stream.toPull(body), scope), (pull) => {
      const asked = Effect.callback<void>((resume) => {
        more = () => resume(Effect.void)
        if (consumer !== undefined) more()
      })
      const readOn: Effect.Effect<void> = Effect.suspend(() =>
        consumer === undefined ? Effect.andThen(asked, readPiece) : readPiece
      )
      const readPiece = Pull.matchEffect(pull, {
        onSuccess: (pieces) => {
          if (feed(pieces)) answer()
          return readOn
        },
        onFailure: (cause) => {
          const error = Cause.findErrorOption(cause)
          return Option.isNone(error)
            ? Effect.failCause(cause as Cause.Cause<never>)
            : Effect.sync(() =>
              error.value.reason._tag === "EmptyBodyError" ? finish() : breakOff(error.value.reason.cause)
            )
        },
        onDone: () => Effect.sync(finish)
      })
      return Effect.forkIn(Effect.catchCause(readOn, (cause) => Effect.sync(() => die(cause))), scope)
    })

  return Effect.suspend(() => {
    const body = FetchPlatform.fetchBody(response)
    return Scope.addFinalizer(scope, Effect.sync(watchman.stop)).pipe(
      Effect.andThen(body === undefined || body === "taken" ? readStream(response.stream) : readWeb(body)),
      Effect.as(next)
    )
  })
}

const isNonEmpty = <A>(parts: ReadonlyArray<A>): parts is readonly [A, ...Array<A>] => parts.length > 0

const isEmpty = (value: unknown): boolean =>
  Predicate.isNullish(value) || Predicate.isObject(value) && !Array.isArray(value) && Object.keys(value).length === 0

/** The text of a canvas with structured output is JSON, for a server that sends it as text only. */
const validateAny = <Output>(validate: Validate<Output>, structured: unknown, message: string): Validate<Output> =>
  !isEmpty(structured)
    ? validate
    : (output) =>
      Effect.catch(validate(output), (issue) => {
        const json = parseJson(message)
        return json === notJson ? Effect.fail(issue) : Effect.mapError(validate(json), () => issue)
      })
