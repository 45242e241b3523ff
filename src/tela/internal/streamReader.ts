/**
 * Reads the body of a streamed execution. The path of a piece of the body: `openFetch` or `openStream` reads it, `sse.ts` finds its
 * events, `streamFold.ts` makes a part of each event, and `nextParts` hands the parts to the consumer.
 *
 * All mutable state is in one {@link Reader}, which these functions receive. The body is read only when the consumer pulls, and a
 * watchdog bounds the time that the server takes.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { constVoid } from "effect/Function"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import type * as Pull from "effect/Pull"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Body from "../../internal/http/body.ts"
import * as Causes from "../../internal/http/causes.ts"
import type * as Http from "../../internal/http/call.ts"
import * as TimerQueue from "../../internal/polling/timerQueue.ts"
import * as Telemetry from "../../internal/telemetry.ts"
import type { RunFailedError, StreamInterruptedError } from "../../RunError.ts"
import { provider } from "../TelaExecution.ts"
import type { StreamError, StreamPart } from "../TelaStream.ts"
import { reasonOf } from "./endMark.ts"
import { type Validate, validated } from "./output.ts"
import * as Sse from "./sse.ts"
import { excerpt, failed, interrupted, type Limits, notEvents, whyLate, whyOpen } from "./streamErrors.ts"
import * as Fold from "./streamFold.ts"
import { decodeSync } from "./syncAnswer.ts"

type Parts = Pull.Pull<readonly [StreamPart<unknown>, ...Array<StreamPart<unknown>>], StreamError>

/** The mutable state of a stream that is being read. */
const initial = () => ({
  /** Reads the next piece of the body. */
  readMore: constVoid,
  /** The parts that have been read and not been handed to the consumer. */
  parts: [] as Array<StreamPart<unknown>>,
  /** How the stream ends, once that is certain. The consumer gets it after the parts. */
  ending: undefined as Parts | undefined,
  /** Whether the consumer has received the end. */
  hasEnded: false,
  /** Resumes the consumer; present while it waits. */
  consumer: undefined as ((parts: Parts) => void) | undefined,
  /** Whether the last piece of the body held more than keep-alives. */
  isAlive: false,
  /** The beginning of the body, up to the first chunk. */
  head: "",
  /** The step of the server that the reader waits for. */
  phase: "first-event" as "first-event" | "idle",
  /** When the wait for the next piece began. */
  askedAt: 0
})

/** A stream that is being read. */
interface Reader extends ReturnType<typeof initial> {
  readonly opened: Http.Opened
  readonly validate: Validate
  readonly limits: Limits
  /** When the execution began, in Unix milliseconds. */
  readonly started: number
  readonly timers: TimerQueue.TimerQueue
  /** When the execution began, in the milliseconds of `timers`. */
  readonly startedAt: number
  /** When the `timeout` ends, in the milliseconds of `timers`. */
  readonly deadline: number
  readonly said: Fold.Said
  readonly parser: Sse.SseParser
  readonly watchdog: TimerQueue.Watchdog
  /** Decodes the beginning of the body. */
  readonly decoder: TextDecoder
  /** What the consumer pulls. */
  readonly next: Parts
  /** Waits for the body. */
  readonly waiting: Parts
  /** How many milliseconds the server has left. The time of the consumer does not count. */
  patience: number
}

/** The inputs of a stream that is read. */
type Reading = Pick<Reader, "opened" | "validate" | "limits" | "started">

/** Opens the body, and returns what the consumer pulls: an array of parts for each piece of the body. */
export const read = (reading: Reading): Effect.Effect<Parts, never, Scope.Scope> =>
  Effect.uninterruptible(Effect.gen(function*() {
    const timers = yield* Effect.withFiber((fiber) => Effect.succeed(TimerQueue.of(fiber)))
    const reader = make(reading, timers, yield* Clock.currentTimeMillis)
    yield* Telemetry.countCreated(provider)
    yield* Effect.addFinalizer(() => {
      reader.watchdog.stop()
      // The consumer left before the end
      return end(reader, Exit.interrupt())
    })
    const { response } = reading.opened
    const body = Body.fetchBody(response)
    reader.readMore = body === undefined || body === "taken"
      ? yield* openStream(reader, Body.stream(response))
      : yield* openFetch(reader, body)
    return reader.next
  }))

const make = (reading: Reading, timers: TimerQueue.TimerQueue, now: number): Reader => {
  const { limits, opened, started } = reading
  const sinceSent = now - opened.sentAt
  const reader: Reader = {
    ...initial(),
    ...reading,
    timers,
    startedAt: timers.now() - (now - started),
    deadline: timers.now() + Duration.toMillis(limits.total) - sinceSent,
    patience: Duration.toMillis(limits["first-event"]) - sinceSent,
    said: Fold.initial(opened.requestId),
    parser: Sse.make((event, data) => onEvent(reader, event, data), {
      maxLength: opened.maxBytes,
      clean: opened.clean,
      isWhole: (event) => reasonOf(event) === "failure"
    }),
    watchdog: TimerQueue.watchdog(timers, () => timeOut(reader)),
    decoder: new TextDecoder(),
    next: Effect.suspend(() => nextParts(reader)),
    waiting: Effect.callback((resume) => {
      reader.consumer = resume
      reader.readMore()
      // Parts that arrive after the consumer was interrupted are for its next pull
      return Effect.sync(() => void release(reader))
    })
  }
  return reader
}

/** Reads the body of a fetch directly. */
const openFetch = (reader: Reader, body: ReadableStream<Uint8Array>) =>
  Effect.withFiber((fiber) => {
    const { cancel, next } = Body.openWeb(fiber, body, {
      onPiece: (piece) => readPieces(reader, [piece]),
      onEnd: () => finish(reader),
      onFailure: (cause) => breakOff(reader, cause),
      onDefect: (defect) => die(reader, Cause.die(defect))
    })
    return Effect.as(Effect.addFinalizer(() => Effect.sync(cancel)), next)
  })

/** Reads any other body in a fiber. A `TestClock` waits for a fiber, and not for a promise. */
const openStream = (reader: Reader, stream: ReturnType<typeof Body.stream>) =>
  Effect.suspend(() => {
    const latch = Latch.makeUnsafe()
    const asked = Effect.andThen(latch.await, latch.close)
    return asked.pipe(
      Effect.andThen(
        Stream.runForEachArray(stream, (pieces) => Effect.andThen(Effect.sync(() => readPieces(reader, pieces)), asked))
      ),
      Effect.matchEffect({
        onFailure: ({ reason }) => Effect.sync(() => breakOff(reader, reason.cause)),
        onSuccess: () => Effect.sync(() => finish(reader))
      }),
      Effect.catchCause((cause) => Effect.sync(() => die(reader, cause))),
      Effect.interruptible,
      Effect.forkScoped,
      Effect.as(() => latch.openUnsafe())
    )
  })

/**
 * Hands the parts that have been read to the consumer, then the end of the stream. Without either, waits for the body. Parts
 * before a failure in the same piece are handed on first, so that the outcome does not depend on how the network cut the stream.
 */
const nextParts = (reader: Reader): Parts => {
  const { deadline, ending, parts, patience, timers, watchdog } = reader
  if (isNonEmpty(parts)) {
    reader.parts = []
    return Effect.succeed(parts)
  }
  if (ending !== undefined) return Effect.onExit(ending, (exit) => end(reader, exit))
  reader.askedAt = timers.now()
  watchdog.expect(Math.min(patience, deadline - reader.askedAt))
  return reader.waiting
}

const isNonEmpty = <A>(parts: ReadonlyArray<A>): parts is readonly [A, ...Array<A>] => parts.length > 0

/** Records the end of the stream in the span and the metrics, once, as the consumer receives it. */
const end = (reader: Reader, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> => {
  if (reader.hasEnded) return Effect.void
  reader.hasEnded = true
  return Telemetry.endedAlone({ provider, started: reader.started, id: reader.said.completionId }, exit)
}

/** Reads pieces of the body. The consumer is resumed if they hold a part, or the end. */
const readPieces = (reader: Reader, pieces: ReadonlyArray<Uint8Array>): void => {
  const { decoder, parser, said, timers } = reader
  for (const piece of pieces) {
    if (said.chunks === 0 && reader.head.length < maxHead) {
      reader.head += decoder.decode(piece.subarray(0, maxHead), { stream: true })
    }
    parser.feed(piece)
  }
  if (parser.isTooLong()) failWith(reader, tooLong(reader))
  if (reader.parts.length === 0 && reader.ending === undefined) return reader.readMore()
  if (reader.isAlive) {
    reader.isAlive = false
    reader.phase = "idle"
    reader.patience = Duration.toMillis(reader.limits.idle)
  } else if (reader.consumer !== undefined) {
    reader.patience = Math.max(0, reader.patience - (timers.now() - reader.askedAt))
  }
  answer(reader)
}

/** Handles one event of the body. */
const onEvent = (reader: Reader, event: string, data: string): void => {
  if (reader.ending !== undefined) return
  const { opened: { maxBytes }, said } = reader
  if (data.length > maxBytes) return failWith(reader, tooLong(reader))
  const step = Fold.step(said, event, data)
  switch (step._tag) {
    case "delta":
      reader.isAlive ||= said.unknown === undefined
      reader.parts.push(step)
      return
    case "event":
      reader.isAlive ||= !isKeepAlive(step.event)
      reader.parts.push(step)
      return
    case "lines":
      for (const line of step.lines) onEvent(reader, event, line)
      return
    case "done":
      return conclude(reader, true)
    case "failed":
      return failWith(reader, failed(reader, step))
    case "unreadable":
      return failWith(
        reader,
        interrupted(reader, "transport", `an event ${step.why}: ${excerpt(step.text)}`, { broken: step.data })
      )
  }
}

const isKeepAlive = (event: string): boolean => /^(ping|heartbeat|keep-?alive)$/i.test(event)

/** The body has ended. The last event may lack the blank line that closes it, or may be cut. */
const finish = (reader: Reader): void => {
  reader.said.isCutOff = true
  reader.parser.end()
  conclude(reader, false)
  answer(reader)
}

/** This library, or the HTTP client, has a fault. */
const die = (reader: Reader, cause: Cause.Cause<never>): void => {
  reader.ending ??= Effect.failCause(cause)
  answer(reader)
}

/** The connection broke. */
const breakOff = (reader: Reader, cause: unknown): void =>
  giveUp(reader, "transport", Causes.adviceFor(cause) ?? "the connection broke", cause)

/** The server took too long. */
const timeOut = (reader: Reader): void => {
  const reason = reader.timers.now() >= reader.deadline ? "total" : reader.phase
  giveUp(reader, reason, whyLate(reader.limits, reason))
}

/** Ends a stream whose body did not end. If the model has sent an end mark, only the connection was at fault. */
const giveUp = (reader: Reader, reason: StreamInterruptedError["reason"], why: string, cause?: unknown): void => {
  if (Fold.isSuccess(reader.said, false)) return finish(reader)
  failWith(reader, interrupted(reader, reason, why, { cause, broken: noEvents(reader) }))
  answer(reader)
}

/** Ends a stream that has sent `[DONE]` or will send nothing more. */
const conclude = (reader: Reader, isDone: boolean): void => {
  const { opened, said } = reader
  const text = noEvents(reader)
  reader.ending ??= Fold.isSuccess(said, isDone)
    ? final(reader, Fold.outputOf(said))
    : said.onlyChunk !== undefined && !isDone && isJson(opened.response)
    ? whole(reader, said.onlyChunk)
    : Effect.fail(
      text === undefined
        ? interrupted(reader, "end", whyOpen(said, isDone, opened.response))
        : notEvents(reader, text)
    )
}

const final = (reader: Reader, output: unknown): Parts =>
  Effect.suspend(() => {
    const { said: { finishReason, requestId }, validate } = reader
    const message = reader.said.message === "" && typeof output === "string" ? output : reader.said.message
    return Effect.map(
      validated(validate, output, { requestId, finishReason }),
      (result) => {
        reader.ending = Cause.done()
        return [{ _tag: "final", result, message, finishReason, requestId }] as const
      }
    )
  })

/** A body that is one JSON document is read as a synchronous answer: a proxy may wait for the whole answer. */
const whole = (reader: Reader, document: unknown): Parts =>
  Effect.flatMap(
    Effect.option(decodeSync(document)),
    (answer) =>
      Option.isSome(answer) && Result.isSuccess(answer.value.outcome)
        ? final(reader, answer.value.outcome.success)
        : Effect.fail(interrupted(reader, "end", whyOpen(reader.said, false, reader.opened.response)))
  )

const isJson = ({ headers }: HttpClientResponse.HttpClientResponse): boolean =>
  /^application\/(?:[\w.-]+\+)?json\b/i.test(headers["content-type"] ?? "")

/** The beginning of a body without chunks that has a line which is neither a comment nor a field of an event. */
const noEvents = ({ head, opened, said }: Reader): string | undefined =>
  // Text has none of these characters, so the body is compressed
  said.chunks === 0 && !/[\0-\b\ufffd]/.test(head) &&
    head.split(/[\r\n]+/).some((line) =>
      line.trim() !== "" && !/^\ufeff?(?::|(?:data|event|id|retry)(?::|$))/.test(line)
    )
    ? opened.clean(head).slice(0, maxHead / 2)
    : undefined

/**
 * How many characters of the beginning of a body are kept. An error quotes the first half. Secrets are removed from the whole
 * before that, so that none is cut at the end of the half.
 */
const maxHead = 4096

const tooLong = (reader: Reader): StreamInterruptedError =>
  interrupted(
    reader,
    "transport",
    `an event is longer than ${reader.opened.maxBytes} characters, which is the client's maxResponseBytes and can be raised`
  )

/** Ends the stream with an error, unless its end is certain already. */
const failWith = (reader: Reader, error: StreamInterruptedError | RunFailedError): void => {
  reader.ending ??= Effect.fail(error)
}

/** Lets the consumer take the parts that have been read. */
const answer = (reader: Reader): void => release(reader)?.(reader.next)

/** Returns the function that resumes the consumer, and marks the consumer as no longer waiting. */
const release = (reader: Reader): Reader["consumer"] => {
  const { consumer, watchdog } = reader
  reader.consumer = undefined
  watchdog.rest()
  return consumer
}
