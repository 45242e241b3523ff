/** The errors of a streamed execution, with the output received so far, and their messages. */
import * as Duration from "effect/Duration"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Predicate from "effect/Predicate"
import { quote, reasons } from "../../internal/describe.ts"
import { isId } from "../../internal/id.ts"
import type { TimerQueue } from "../../internal/polling/timerQueue.ts"
import * as RunRef from "../../internal/ref.ts"
import { RunFailedError, StreamInterruptedError } from "../../RunError.ts"
import { provider } from "../TelaExecution.ts"
import * as Fold from "./streamFold.ts"

/** The limits of the server's time, by the reason of the error when one has passed. */
export type Limits = Readonly<Record<"first-event" | "idle" | "total", Duration.Duration>>

/** The stream that an error is about. */
interface Streamed {
  readonly said: Fold.Said
  readonly timers: TimerQueue
  readonly startedAt: number
}

/** The error for a stream without an end mark. `broken` is the event that could not be read. */
export const interrupted = (
  { said, startedAt, timers }: Streamed,
  reason: StreamInterruptedError["reason"],
  what: string,
  { broken, cause, had = describe(said) }: {
    readonly broken?: unknown
    readonly cause?: unknown
    /** A description of the output received so far. */
    readonly had?: string
  } = {}
): StreamInterruptedError =>
  new StreamInterruptedError({
    message: `The streamed execution was interrupted: ${what}. It had received ${had}, which this error's ` +
      "received holds. A stream cannot be resumed: execute the canvas again, which is billed again.",
    reason,
    received: Fold.received(said, broken),
    elapsed: Duration.millis(timers.now() - startedAt),
    requestId: said.requestId,
    cause: cause instanceof Error ? cause : undefined
  })

/** The error for a body that has no events, such as the text of a proxy. `head` is its beginning. */
export const notEvents = (streamed: Streamed, head: string): StreamInterruptedError =>
  interrupted(streamed, "end", `the response has no events, but other text: ${excerpt(head.trim())}`, {
    broken: head,
    had: "that text"
  })

/** The error for a stream in which the provider reported a failure. */
export const failed = ({ said }: Streamed, { error, text, words }: Extract<Fold.Step, { readonly _tag: "failed" }>) =>
  new RunFailedError({
    message: `The provider reported that the streamed execution failed: ${
      words.length > 0 ? reasons(words) : `it gave no reason${text === "" ? "" : ` and sent ${excerpt(text)}`}`
    }. The client had received ${describe(said)}, which this error's run holds.`,
    ref: RunRef.make({ provider, kind: "stream", id: said.completionId || idIn(error) || said.requestId || "unknown" }),
    errors: words,
    run: { error, received: Fold.received(said) },
    requestId: said.requestId
  })

const idIn = (value: unknown): string | undefined =>
  Predicate.hasProperty(value, "id") && isId(value.id) ? value.id : undefined

const describe = ({ chunks, message, skipped }: Fold.Said): string =>
  `${chunks} ${chunks === 1 ? "chunk" : "chunks"} with ${message.length} characters of text${
    skipped === 0 ? "" : ` and ${skipped} skipped ${skipped === 1 ? "event" : "events"}`
  }`

/** Why an end is not a success. */
export const whyOpen = (said: Fold.Said, isDone: boolean, response: HttpClientResponse.HttpClientResponse): string => {
  if (said.unknown !== undefined) {
    const { raw, text, why } = said.unknown
    const id = said.chunks === 1 ? idIn(raw) : undefined
    return id === undefined
      ? `its last event ${why}: ${excerpt(text)}`
      : `the response is no stream, but one document about ${quote(id)}, which getExecution may find: ${excerpt(text)}`
  }
  const encoding = said.chunks === 0 ? response.headers["content-encoding"] : undefined
  return (isDone
    ? "it ended without output"
    : `it ended without [DONE] and without a finish_reason of a complete output${
      said.finishReason === undefined ? "" : ` (the last one is ${JSON.stringify(said.finishReason)})`
    }`) +
    (encoding === undefined
      ? ""
      : ` (the response has the content-encoding ${encoding}, which the HTTP client has to decode)`)
}

/** Which of the limits has passed. */
export const whyLate = (limits: Limits, reason: keyof Limits): string => {
  const limit = Duration.format(limits[reason])
  return reason === "total"
    ? `it took longer than ${limit}, which is its timeout`
    : reason === "idle"
    ? `no event arrived for ${limit}, which is its idleTimeout`
    : `no event arrived within ${limit}, which is its firstEventTimeout`
}

/** The beginning of a text of the provider, for a message. */
export const excerpt = (text: string): string => text.length <= 200 ? text : `${text.slice(0, 200)}…`
