/**
 * Streamed executions of Tela canvases: what the model says, as it says it.
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
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { constVoid } from "effect/Function"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Create from "../internal/create.ts"
import { reasons } from "../internal/describe.ts"
import * as FetchPlatform from "../internal/fetchPlatform.ts"
import type * as Http from "../internal/http.ts"
import * as TimerQueue from "../internal/polling/timerQueue.ts"
import * as Sse from "./internal/sse.ts"
import * as Telemetry from "../internal/telemetry.ts"
import { type InvalidOutputError, RunFailedError, StreamInterruptedError } from "../RunError.ts"
import * as RunRef from "../internal/ref.ts"
import { reasonOf } from "./internal/endMark.ts"
import * as Fold from "./internal/streamFold.ts"
import { positive } from "./internal/duration.ts"
import { type Validate, validated } from "./internal/output.ts"
import { operation, prepare, type Runtime, spanAttributes, type Target } from "./internal/request.ts"
import { failedStream } from "./internal/syncAnswer.ts"
import {
  type ExecuteError,
  type ExecuteParams,
  provider,
  type TelaDuration,
  type VersionParams
} from "./TelaExecution.ts"

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
    Create.operation(Effect.gen(function*() {
      const first = yield* positive(operation, "firstEventTimeout", params.firstEventTimeout ?? "5 minutes")
      const idle = yield* positive(operation, "idleTimeout", params.idleTimeout ?? "1 minute")
      const total = yield* positive(operation, "timeout", params.timeout ?? Infinity)
      const started = yield* Clock.currentTimeMillis
      const { request } = yield* prepare(runtime, target, variables, params, { stream: true })
      const opened = yield* Create.open(
        runtime.api,
        {
          operation,
          request: HttpClientRequest.setHeader(request, "accept", "text/event-stream, application/json"),
          timeout: Duration.min(first, total)
        },
        { retryCreates: runtime.retryCreates }
      ).pipe(Effect.catch(failedStream))
      yield* Telemetry.countCreated(provider)
      let hasEnded = false
      const onEnd = (exit: Exit.Exit<unknown, unknown>, id: string | undefined) =>
        Effect.suspend(() => {
          if (hasEnded) return Effect.void
          hasEnded = true
          return Telemetry.endedAlone({ provider, started, id }, exit)
        })
      // A consumer that leaves before the end
      yield* Effect.addFinalizer(() => onEnd(Exit.interrupt(), undefined))
      return Stream.fromPull(read({
        opened,
        scope: yield* Effect.scope,
        validate,
        clock: yield* Clock.Clock,
        timers: yield* Effect.withFiber((fiber) => Effect.succeed(TimerQueue.of(fiber))),
        started,
        first,
        idle,
        total,
        onEnd
      }))
    }))
  ).pipe(Telemetry.streamSpan("TelaCanvas.execute", spanAttributes(target, params, "stream")))

interface Reading<Output> {
  readonly opened: Http.Opened
  readonly scope: Scope.Scope
  readonly validate: Validate<Output>
  readonly clock: Clock.Clock
  readonly timers: TimerQueue.TimerQueue
  readonly started: number
  readonly first: Duration.Duration
  readonly idle: Duration.Duration
  readonly total: Duration.Duration
  /** Takes the end that the consumer is told, and the completion's id. Later ones are ignored. */
  readonly onEnd: (exit: Exit.Exit<unknown, unknown>, id: string | undefined) => Effect.Effect<void>
}

type Parts<Output> = Pull.Pull<readonly [StreamPart<Output>, ...Array<StreamPart<Output>>], StreamError>

/**
 * Reads the body: bytes to events to parts, an array per piece of the body, in one step. Parts that stand before a failure in
 * the same piece are handed on first, so the outcome does not depend on how the network cut the stream.
 *
 * The body is read only when the consumer asks, and a watchdog looks after the time.
 */
const read = <Output>(reading: Reading<Output>): Effect.Effect<Parts<Output>> => {
  const { clock, onEnd, opened, scope, timers } = reading
  const { maxBytes, requestId, response } = opened
  const said = Fold.initial()
  /** What has been read and not been handed on. */
  let parts: Array<StreamPart<Output>> = []
  /** How the stream ends, once that is certain. The consumer gets it after the parts. */
  let ending: Parts<Output> | undefined
  /** The consumer, while it waits. */
  let consumer: ((parts: Parts<Output>) => void) | undefined
  /** Asks the body for its next piece. */
  let more: () => void = constVoid
  let isCutOff = false
  /** Whether the last piece of the body held more than keep-alives. */
  let isAlive = false

  const fail = (error: StreamInterruptedError | RunFailedError) => {
    ending ??= Effect.fail(error)
  }

  const tooLong = () =>
    interrupted(reading, said, "transport", {
      what: `an event is longer than ${maxBytes} characters, which is the client's maxResponseBytes and can be raised`
    })

  const take = (event: string, data: string) => {
    if (ending !== undefined) return
    if (data.length > maxBytes) return fail(tooLong())
    const step = Fold.step(said, event, data, requestId, isCutOff)
    switch (step._tag) {
      case "delta":
        isAlive ||= said.unknown === undefined
        parts.push(step)
        return
      case "event":
        isAlive ||= !isKeepAlive(step.event)
        parts.push(step)
        return
      case "lines":
        for (const line of step.lines) take(event, line)
        return
      case "done":
        return conclude(true)
      case "failed":
        return fail(failed(reading, said, step))
      case "unreadable":
        return fail(
          interrupted(reading, said, "transport", {
            what: `an event ${step.why}: ${excerpt(step.text)}`,
            broken: step.data
          })
        )
    }
  }

  const parser = Sse.make(take, {
    maxLength: maxBytes,
    clean: opened.clean,
    isWhole: (event) => reasonOf(event) === "failure"
  })

  /** Ends the stream, which has sent `[DONE]` or will send nothing more. */
  const conclude = (isDone: boolean) => {
    ending ??= Fold.isSuccess(said, isDone)
      ? final
      : Effect.fail(interrupted(reading, said, "end", { what: whyOpen(said, isDone, response) }))
  }

  const final: Parts<Output> = Effect.suspend(() =>
    Effect.map(
      validated(validateText(reading.validate, said.message), Fold.outputOf(said), {
        requestId,
        finishReason: said.finishReason
      }),
      (result) => {
        ending = Cause.done()
        return [{ _tag: "final", result, message: said.message, finishReason: said.finishReason, requestId }] as const
      }
    )
  )

  const sinceSent = clock.currentTimeMillisUnsafe() - opened.sentAt
  const deadline = timers.now() + Duration.toMillis(reading.total) - sinceSent
  /** What the server may take its time for, and how many milliseconds are left of it. The consumer's time does not count. */
  let phase: "first-event" | "idle" = "first-event"
  let patience = Duration.toMillis(reading.first) - sinceSent
  let askedAt = 0
  const watchdog = TimerQueue.watchman(timers, () => {
    // The model has said its end, and only the connection stayed open
    if (Fold.isSuccess(said, false)) return finish()
    const reason = timers.now() >= deadline ? "total" : phase
    fail(interrupted(reading, said, reason, { what: whyLate(reading, reason) }))
    answer()
  })

  /** Hands on what has been read, or else lets the consumer see how the stream ends. */
  const answer = () => {
    const resume = consumer
    consumer = undefined
    watchdog.rest()
    resume?.(next)
  }

  const next: Parts<Output> = Effect.suspend(() => {
    const read = parts
    if (isNonEmpty(read)) {
      parts = []
      return Effect.succeed(read)
    }
    if (ending !== undefined) return Effect.onExit(ending, (exit) => onEnd(exit, said.completionId))
    askedAt = timers.now()
    watchdog.expect(Math.min(patience, deadline - askedAt))
    return ask
  })

  // What arrives after a consumer was interrupted is for its next pull
  const forget = Effect.sync(() => {
    consumer = undefined
    watchdog.rest()
  })
  const ask: Parts<Output> = Effect.callback((resume) => {
    consumer = resume
    more()
    return forget
  })

  /** The last event may lack the blank line that closes it, if the server closed the stream instead, or be cut. */
  const finish = () => {
    isCutOff = true
    parser.end()
    conclude(false)
    answer()
  }

  const sink: Sink = {
    isAwaited: () => consumer !== undefined,
    feed: (pieces) => {
      pieces.forEach(parser.feed)
      if (parser.isTooLong()) fail(tooLong())
      if (parts.length === 0 && ending === undefined) return more()
      if (isAlive) {
        isAlive = false
        phase = "idle"
        patience = Duration.toMillis(reading.idle)
      } else if (consumer !== undefined) patience = Math.max(0, patience - (timers.now() - askedAt))
      answer()
    },
    finish,
    breakOff: (cause) => {
      if (Fold.isSuccess(said, false)) return finish()
      fail(
        interrupted(reading, said, "transport", {
          what: FetchPlatform.adviceFor(cause) ?? "the connection broke",
          cause
        })
      )
      answer()
    },
    die: (cause) => {
      ending ??= Effect.failCause(cause)
      answer()
    }
  }

  return Effect.suspend(() => {
    const body = FetchPlatform.fetchBody(response)
    return Scope.addFinalizer(scope, Effect.sync(watchdog.stop)).pipe(
      Effect.andThen(
        body === undefined || body === "taken"
          ? readStream(FetchPlatform.stream(response), scope, sink)
          : readWeb(body, scope, sink)
      ),
      Effect.map((ask) => {
        more = ask
        return next
      })
    )
  })
}

const isKeepAlive = (event: string): boolean => /^(ping|heartbeat|keep-?alive)$/i.test(event)

const isNonEmpty = <A>(parts: ReadonlyArray<A>): parts is readonly [A, ...Array<A>] => parts.length > 0

/** Takes the pieces of a body, and its end. */
interface Sink {
  /** Whether the consumer waits for a piece. */
  readonly isAwaited: () => boolean
  readonly feed: (pieces: ReadonlyArray<Uint8Array>) => void
  readonly finish: () => void
  readonly breakOff: (cause: unknown) => void
  readonly die: (cause: Cause.Cause<never>) => void
}

/**
 * Reads the body of a fetch by hand, which takes half of the time per piece that a fiber and its pulls take. Returns what
 * asks for the next piece.
 */
const readWeb = (
  body: ReadableStream<Uint8Array>,
  scope: Scope.Scope,
  sink: Sink
): Effect.Effect<() => void> =>
  Effect.uninterruptible(Effect.withFiber((fiber) => {
    const reader = body.getReader()
    const cancel = Effect.sync(() => FetchPlatform.letGo(() => reader.cancel()))
    const fork = Effect.runForkWith(fiber.context)
    let isReading = false
    let count = 0
    const onPiece = ({ done, value }: ReadableStreamReadResult<unknown>) => {
      isReading = false
      if (done) return sink.finish()
      const bytes = Result.try(() => FetchPlatform.toBytes(value))
      if (Result.isFailure(bytes)) sink.breakOff(bytes.failure)
      else sink.feed([bytes.success])
    }
    const onDefect = (defect: unknown) => sink.die(Cause.die(defect))
    const read = () => {
      Result.match(Result.try(() => reader.read().then(onPiece, sink.breakOff).catch(onDefect)), {
        onFailure: sink.breakOff,
        onSuccess: constVoid
      })
    }
    const readInNextTurn = Effect.andThen(Effect.yieldNow, Effect.sync(read))
    return Effect.as(Scope.addFinalizer(scope, cancel), () => {
      if (isReading) return
      isReading = true
      if (++count % FetchPlatform.piecesPerTurn === 0) fork(readInNextTurn)
      else read()
    })
  }))

/** Reads any other body in a fiber, which waits until it is asked. Returns what asks for the next piece. */
const readStream = (
  body: HttpClientResponse.HttpClientResponse["stream"],
  scope: Scope.Scope,
  sink: Sink
): Effect.Effect<() => void> =>
  Effect.flatMap(Scope.provide(Stream.toPull(body), scope), (pull) => {
    let wake = constVoid
    const asked = Effect.callback<void>((resume) => {
      wake = () => resume(Effect.void)
      if (sink.isAwaited()) wake()
    })
    const readOn: Effect.Effect<void> = Effect.suspend(() =>
      sink.isAwaited() ? readPiece : Effect.andThen(asked, readPiece)
    )
    const readPiece = Pull.matchEffect(pull, {
      onSuccess: (pieces) => {
        sink.feed(pieces)
        return readOn
      },
      onFailure: (cause) => {
        const error = Cause.findErrorOption(cause)
        return Option.isNone(error)
          ? Effect.failCause(cause as Cause.Cause<never>)
          : Effect.sync(() =>
            error.value.reason._tag === "EmptyBodyError" ? sink.finish() : sink.breakOff(error.value.reason.cause)
          )
      },
      onDone: () => Effect.sync(sink.finish)
    })
    return Effect.as(
      Effect.forkIn(Effect.catchCause(readOn, (cause) => Effect.sync(() => sink.die(cause))), scope),
      () => wake()
    )
  })

const interrupted = <Output>(
  { clock, opened: { requestId }, started }: Reading<Output>,
  said: Fold.Said,
  reason: StreamInterruptedError["reason"],
  { broken, cause, what }: { readonly what: string; readonly broken?: unknown; readonly cause?: unknown }
): StreamInterruptedError =>
  new StreamInterruptedError({
    message: `The streamed execution was interrupted: ${what}. It had received ${describe(said)}, which this error's ` +
      "received holds. A stream cannot be resumed: execute the canvas again, which is billed again.",
    reason,
    received: Fold.received(said, broken),
    elapsed: Duration.millis(clock.currentTimeMillisUnsafe() - started),
    ...(requestId === undefined ? undefined : { requestId }),
    ...(cause instanceof Error ? { cause } : undefined)
  })

const failed = <Output>(
  { opened: { requestId } }: Reading<Output>,
  said: Fold.Said,
  { error, text, words }: Extract<Fold.Step, { readonly _tag: "failed" }>
): RunFailedError =>
  new RunFailedError({
    message: `The provider reported that the streamed execution failed: ${
      words.length > 0 ? reasons(words) : `it gave no reason${text === "" ? "" : ` and sent ${excerpt(text)}`}`
    }. The client had received ${describe(said)}, which this error's run holds.`,
    ref: RunRef.make({ provider, kind: "stream", id: said.completionId || requestId || "unknown" }),
    errors: words,
    run: { error, received: Fold.received(said) },
    ...(requestId === undefined ? undefined : { requestId })
  })

const describe = ({ chunks, message, skipped }: Fold.Said): string =>
  `${chunks} ${chunks === 1 ? "chunk" : "chunks"} with ${message.length} characters of text${
    skipped === 0 ? "" : ` and ${skipped} skipped ${skipped === 1 ? "event" : "events"}`
  }`

/** Why what has been said is no success. */
const whyOpen = (said: Fold.Said, isDone: boolean, response: HttpClientResponse.HttpClientResponse): string => {
  if (said.unknown !== undefined) return `its last event ${said.unknown.why}: ${excerpt(said.unknown.text)}`
  const encoding = said.chunks === 0 ? response.headers["content-encoding"] : undefined
  return (isDone
    ? "it ended without output"
    : `it ended without [DONE] and without a finish_reason that is an end${
      said.finishReason === undefined ? "" : ` (the last one is ${JSON.stringify(said.finishReason)})`
    }`) +
    (encoding === undefined
      ? ""
      : ` (the response has the content-encoding ${encoding}, which the HTTP client has to decode)`)
}

const whyLate = <Output>(
  { first, idle, total }: Reading<Output>,
  reason: "first-event" | "idle" | "total"
): string =>
  reason === "total"
    ? `it took longer than ${Duration.format(total)}, which is its timeout`
    : reason === "idle"
    ? `no event arrived for ${Duration.format(idle)}, which is its idleTimeout`
    : `no event arrived within ${Duration.format(first)}, which is its firstEventTimeout`

const excerpt = (text: string): string => text.length <= 200 ? text : `${text.slice(0, 200)}…`

/** The text of a canvas with structured output is JSON, for a server that sends it as text only. */
const validateText = <Output>(validate: Validate<Output>, message: string): Validate<Output> => (output) =>
  output !== message
    ? validate(output)
    : Effect.catch(validate(output), (issue) => {
      const json = Fold.jsonOf(message)
      return json === undefined ? Effect.fail(issue) : Effect.mapError(validate(json), () => issue)
    })
