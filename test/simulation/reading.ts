/**
 * How the oracle reads the provider's responses. It is written from the promises and from RFC 9110, and shares no code with the
 * library.
 */
import type { Pace, Plan, Retry } from "./plan.ts"
import type { Reply } from "./provider.ts"

/** The outcome of one request. */
export type Outcome =
  | Said
  | {
    readonly _tag: "Failed"
    /** The tag of the error. */
    readonly error: string
    /** Whether a repetition can help. */
    readonly isPassing: boolean
    /** For a create: whether a run may exist. */
    readonly mayExist: boolean
    /** Whether the connection was certainly never made. */
    readonly neverSent: boolean
    readonly retryAfter: number | undefined
  }

/** A response that decodes. */
export interface Said {
  readonly _tag: "Said"
  readonly id: string
  /** The status as the provider reports it. */
  readonly status: string
  readonly end: "success" | "failure" | undefined
  readonly isStrange: boolean
  /** The parts by which snapshots differ: everything but the elapsed time. */
  readonly key: string
  readonly progress: { readonly completed: number; readonly total: number } | undefined
  /** The output, where the run has succeeded. */
  readonly output: unknown
  readonly data: unknown
  readonly requestId: string | undefined
  readonly retryAfter: number | undefined
}

type Answer = Reply & { readonly _tag: "Answer" }

const fail = (
  error: string,
  options: {
    readonly isPassing?: boolean
    readonly mayExist?: boolean
    readonly neverSent?: boolean
    readonly retryAfter?: number | undefined
  } = {}
): Outcome => ({
  _tag: "Failed",
  error,
  isPassing: options.isPassing ?? false,
  mayExist: options.mayExist ?? false,
  neverSent: options.neverSent ?? false,
  retryAfter: options.retryAfter
})

export const timedOut: Outcome = fail("RequestTimeoutError", { isPassing: true, mayExist: true })

export const brokenOff = (isConnected: boolean): Outcome =>
  fail("TransportError", { isPassing: true, mayExist: isConnected, neverSent: !isConnected })

/** The allowed form of a message that contained the key. */
const withoutKey = (text: string, secret: string): string => text.split(secret).join("<redacted>")

/** Reads a response that arrived completely at `now`. */
export const read = ({ api, secret }: Plan, method: string, answer: Answer, now: number): Outcome => {
  const retryAfter = retryAfterOf(answer.headers, now)
  const { status } = answer
  const id = answer.headers["x-request-id"]
  const requestId = id === undefined ? undefined : withoutKey(id, secret)
  if (status >= 300 && status < 400) {
    // The two redirects that keep the method have not processed the request
    return fail("InvalidResponseError", { mayExist: status !== 307 && status !== 308, retryAfter })
  }
  if (status >= 200 && status < 300) {
    const body = parse(answer.body, secret)
    if (body === undefined) return fail("InvalidResponseError", { isPassing: true, mayExist: true, retryAfter })
    // Spine's envelope of an error reports the error itself
    if (api === "spine" && isErrorEnvelope(body.value)) return fail("BadRequestError", { retryAfter })
    const said = api === "spine" ? spineSays(method, body.value) : telaSays(body.value)
    // Spine's envelope can report an error with any status
    if (api === "spine" && isJson(body.value) && body.value.success === false && typeof body.value.error === "string") {
      return fail("BadRequestError", { retryAfter })
    }
    return said === undefined
      ? fail("InvalidResponseError", { mayExist: true, retryAfter })
      : { _tag: "Said", ...said, requestId, retryAfter }
  }
  switch (status) {
    case 401:
      return fail("AuthenticationError", { retryAfter })
    case 402:
      return fail("UsageLimitError", { retryAfter })
    case 403:
      return fail("PermissionDeniedError", { retryAfter })
    case 404:
      return fail("NotFoundError", { retryAfter })
    case 408:
      return fail("RequestTimeoutError", { isPassing: true, mayExist: true, retryAfter })
    case 409:
      return fail("ConflictError", { retryAfter })
    case 429:
      return fail("RateLimitError", { isPassing: true, retryAfter })
    case 425:
      return fail("ServerError", { isPassing: true, retryAfter })
  }
  return status >= 500
    ? fail("ServerError", { isPassing: true, mayExist: true, retryAfter })
    : fail("BadRequestError", { retryAfter })
}

type Saying = Omit<Said, "_tag" | "requestId" | "retryAfter">

interface Json {
  readonly [key: string]: unknown
}

const isJson = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

const isErrorEnvelope = (body: unknown): boolean => {
  const { error, success } = (body ?? {}) as { readonly error?: unknown; readonly success?: unknown }
  return success === false && typeof error === "string"
}

const parse = (text: string, secret: string): { readonly value: unknown } | undefined => {
  try {
    return {
      value: JSON.parse(text, (_, value: unknown) => typeof value === "string" ? withoutKey(value, secret) : value)
    }
  } catch {
    return undefined
  }
}

const spineSays = (method: string, body: unknown): Saying | undefined => {
  if (!isJson(body) || body.success !== true || !isJson(body.data)) return undefined
  const { data } = body
  const { run_id: id, status } = data
  if (typeof id !== "string" || typeof status !== "string") return undefined
  if (method === "GET" && status === "completed" && !isJson(data.result)) return undefined
  const { elapsed_ms: _, ...progress } = isJson(data.progress) ? data.progress : {}
  return {
    id,
    status,
    end: status === "completed" || status === "partial" ? "success" : status === "failed" ? "failure" : undefined,
    isStrange: !["running", "completed", "partial", "failed"].includes(status),
    key: JSON.stringify({ ...data, progress }),
    progress: status === "running"
      ? { completed: Number(progress.tasks_completed), total: Number(progress.tasks_total) }
      : undefined,
    output: isJson(data.result) ? data.result.final_output : undefined,
    data
  }
}

const telaSays = (body: unknown): Saying | undefined => {
  if (!isJson(body) || typeof body.id !== "string" || typeof body.status !== "string") return undefined
  const { id, output_content: content, status } = body
  const output = isJson(content) ? content.content : undefined
  return {
    id,
    status,
    end: status === "succeeded" ? "success" : status === "failed" ? "failure" : undefined,
    isStrange: !["created", "running", "succeeded", "failed"].includes(status),
    key: JSON.stringify([status, output]),
    progress: undefined,
    output,
    data: body
  }
}

/** Promise 2: seconds, an HTTP date or milliseconds; any other value is ignored. */
const retryAfterOf = (headers: Readonly<Record<string, string>>, now: number): number | undefined => {
  const millis = headers["retry-after-ms"]
  if (millis !== undefined && /^\d+$/.test(millis)) return Number(millis)
  const value = headers["retry-after"]?.trim()
  // A number of 400 digits is invalid
  if (value === undefined || value.length > 40) return undefined
  if (/^\d+$/.test(value)) return Number(value) * 1000
  if (!/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/.test(value)) return undefined
  const wait = Date.parse(value) - now
  return wait > 0 ? wait : undefined
}

/** The target of a redirect, if a client with a key may follow it. */
export const redirectHome = (origin: string, url: string, answer: Answer): string | undefined => {
  const { location } = answer.headers
  if (answer.status < 300 || answer.status >= 400 || location === undefined || !URL.canParse(location, url)) {
    return undefined
  }
  const target = new URL(location, url)
  return target.origin === origin ? target.href : undefined
}

/** The range of times of an event. */
export type Range = readonly [from: number, to: number]

/** The pause before a retry, the first being 1; `undefined` if there is none. */
export const retryPause = (retry: Retry, count: number): Range | undefined => {
  switch (retry._tag) {
    case "None":
      return undefined
    case "Default":
      return count <= 2 ? [0, 500 * 2 ** (count - 1)] : undefined
    case "Spaced":
      return count <= retry.times ? [retry.every, retry.every] : undefined
  }
}

/** How often a request is repeated at most. */
export const maxRetries = (retry: Retry): number =>
  retry._tag === "None" ? 0 : retry._tag === "Default" ? 2 : retry.times

/** The pause after a poll, the first being 1; `undefined` when the schedule has ended. */
export const pollPause = (
  pace: Pace,
  api: Plan["api"],
  count: number,
  seen: { readonly progress: Said["progress"]; readonly failures: number }
): Range | undefined => {
  const exactly = (millis: number): Range => [millis, millis]
  switch (pace._tag) {
    case "Default":
      return exactly(api === "spine" ? 5000 : 1000)
    case "Fixed":
      return exactly(pace.every)
    case "Finite":
      return count <= pace.times ? exactly(pace.every) : undefined
    case "Backoff": {
      const millis = Math.min(pace.initial * pace.factor ** (count - 1), pace.max)
      return pace.jitter ? [millis * 0.8, millis * 1.2] : exactly(millis)
    }
    case "Adaptive":
      return exactly(
        seen.failures > 0
          ? pace.slow * 2
          : seen.progress !== undefined && seen.progress.completed * 2 >= seen.progress.total
          ? pace.fast
          : pace.slow
      )
  }
}

/** The shortest pause of a schedule. */
export const shortestPause = (pace: Pace, api: Plan["api"]): number => {
  switch (pace._tag) {
    case "Default":
      return api === "spine" ? 5000 : 1000
    case "Backoff":
      return 0.8 * Math.min(pace.initial, pace.max)
    case "Adaptive":
      return pace.fast
    default:
      return pace.every
  }
}
