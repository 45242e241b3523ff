/**
 * The errors of requests: for a status that is not a success, for a request without a response, and for one that took too long.
 */
import * as Duration from "effect/Duration"
import * as HttpClientError from "effect/http/HttpClientError"
import * as RunError from "../../RunError.ts"
import { oneLine, shorten } from "../describe.ts"
import type { Cleaner } from "../secret.ts"
import { type Attempt, fieldsOf } from "./call.ts"
import * as Causes from "./causes.ts"
import { neverSent } from "./neverSent.ts"
import * as SentRequests from "./sentRequests.ts"
import type { Awaited } from "./upload.ts"

/** The part of an error's fields that comes from a response. */
export interface ResponseFields extends ReturnType<typeof fieldsOf> {
  readonly status: number
  readonly body: unknown
  readonly requestId: string | undefined
  readonly retryAfter: Duration.Duration | undefined
  readonly providerMessage: string | undefined
  readonly providerCode: string | undefined
}

/** The class of an error, what went wrong, and what to do: trying again later, if nothing is given. */
type Meaning = readonly [
  error: new(fields: ResponseFields & { readonly message: string; readonly sent: true }) => RunError.RequestError,
  what: string,
  advice?: string | undefined
]

/** Whether a call starts a run. Its message does not advise to repeat a request that may have started one. */
const isCreate = ({ call }: Attempt): boolean => call.isSentOnce !== undefined

const meanings: { readonly [status: number]: Meaning } = {
  401: [RunError.AuthenticationError, "the API key was refused", "Check it, and that it is not revoked."],
  402: [RunError.UsageLimitError, "credits or plan are used up", "Top up, or start fewer runs."],
  403: [
    RunError.PermissionDeniedError,
    "this API key may not do that",
    "Use another, or ask the owner of the account."
  ],
  404: [RunError.NotFoundError, "not found, or owned by another account", "Check the id and the API key."],
  407: [RunError.BadRequestError, "a proxy asks for credentials", `${Causes.proxyAdvice}.`],
  408: [RunError.RequestTimeoutError, "the provider gave up waiting for the request"],
  409: [
    RunError.ConflictError,
    "the request conflicts with the present state of the run or task",
    "Look at that state first."
  ],
  410: [RunError.BadRequestError, "gone: deleted, or expired", "Check the id: it does not come back."],
  423: [RunError.ConflictError, "locked: in use, or locked by its owner", "Try again when it is unlocked."],
  425: [RunError.ServerError, "the provider asks to try again later", ""],
  429: [RunError.RateLimitError, "too many requests", "Slow down."]
}

const meaningOf = ({ retryAfter, status }: ResponseFields, url: string): Meaning => {
  const [error, what, advice] = meanings[status] ?? (status >= 500
    ? [RunError.ServerError, `the provider failed with ${status}`]
    : [
      RunError.BadRequestError,
      `the provider refused the request with ${status}`,
      "Change the request: a repetition fails as well."
    ])
  const twice = status === 404 ? doubledIn(url) : undefined
  return [
    error,
    what,
    twice !== undefined
      ? `The path begins with "${twice}${twice}": leave "${twice}" out of the base URL, or check the id and the API key.`
      : status === 429 && retryAfter !== undefined
      ? `Wait ${Duration.format(retryAfter)}.`
      : advice
  ]
}

/**
 * The first segment of a path, if it occurs twice, as "/v1" does where the base URL ends in it although each path begins with it.
 */
const doubledIn = (url: string): string | undefined =>
  URL.canParse(url) ? /(\/[^/]+)\1\//.exec(new URL(url).pathname)?.[1] : undefined

/** The error for a status that is not a success. `missing` says why the response has no body. */
export const statusError = (attempt: Attempt, fields: ResponseFields, url: string, missing = "") => {
  const [Class, what, advice = isCreate(attempt) ? "" : "Try again later."] = meaningOf(fields, url)
  const says = fields.providerMessage === undefined ? missing : ` (${shorten(oneLine(fields.providerMessage))})`
  return new Class({ ...fields, sent: true, message: `${fields.operation}: ${what}${says}. ${advice}`.trimEnd() })
}

/** The fields of an error about an attempt whose response did not arrive completely. */
const brokenFields = (attempt: Attempt) => ({
  ...fieldsOf(attempt),
  status: attempt.response?.status,
  body: attempt.text === "" ? undefined : shorten(attempt.cleaner.text(attempt.text), bodyLength)
})

/** How much of a body that is not JSON an error keeps. */
export const bodyLength = 2048

/** The error for a request without a complete response. The client's own error holds the request's headers, so it is not kept. */
export const transportError = (attempt: Attempt, error: unknown): RunError.RequestError => {
  const { call: { operation, sends }, cleaner, response } = attempt
  // A client of the program may fail with errors that its type does not declare
  const reason = HttpClientError.isHttpClientError(error) ? error.reason : { _tag: "Unknown", cause: error } as const
  const { cause } = reason
  const fields = brokenFields(attempt)
  if (reason._tag === "InvalidUrlError" || reason._tag === "EncodeError") {
    return new RunError.BadRequestError({
      ...fields,
      message: `${operation}: the request could not be made (${cleaner.text(Causes.describe(cause) ?? reason._tag)}).`,
      sent: false
    })
  }
  const said = Causes.describe(cause) ?? ("description" in reason ? reason.description : undefined)
  const code = Causes.codeOf(cause)
  // Node's own HTTP client throws when it is given a Blob
  if (attempt.call.isUpload === true && code === "ERR_INVALID_ARG_TYPE") {
    return new RunError.BadRequestError({
      ...fields,
      message:
        `${operation}: this HTTP client cannot send a Blob. Use the fetch or the undici client, or give the file as a stream.`,
      sent: false
    })
  }
  const isUnsent = SentRequests.isUnwritten(sends) || neverSent(cause) && !SentRequests.isRepeated(sends)
  return new RunError.TransportError({
    ...fields,
    message: `${operation}: ${response !== undefined ? "the answer broke off" : isUnsent ? "not sent" : "no answer"}: ${
      cleaner.text(said ?? "the connection failed")
    }. ${Causes.adviceFor(cause) ?? `Check the network${isUnsent || !isCreate(attempt) ? ", then try again" : ""}`}.`,
    reached: response !== undefined || reason._tag !== "TransportError" || !isUnsent,
    code,
    cause: cause instanceof Error ? scrubCause(cause, cleaner) : undefined
  })
}

/** The error for an attempt that took too long. The message names what the attempt waited for. */
export const timeoutError = (attempt: Attempt, timeout: Duration.Duration, awaited: Awaited) => {
  const { call: { onSilentFile, operation, sends }, response } = attempt
  const isUnsent = response === undefined && SentRequests.isUnwritten(sends)
  const silent = response === undefined && awaited === "file" ? onSilentFile?.() : undefined
  const what = response !== undefined
    ? `status ${response.status}, and no complete body within ${Duration.format(timeout)}`
    : isUnsent
    ? `no connection within ${Duration.format(timeout)}, so that the request was not sent`
    : awaited !== "response"
    ? `the upload made no progress for ${Duration.format(timeout)} (uploadIdleTimeout)`
    : `no answer within ${Duration.format(timeout)}`
  const advice = isUnsent
    ? "Check the network, the proxy, and whether other requests take all connections, then try again."
    : isCreate(attempt)
    ? "Give it a longer timeout."
    : "Try again, or give it a longer timeout."
  return new RunError.RequestTimeoutError({
    ...brokenFields(attempt),
    reached: isUnsent ? false : undefined,
    message: `${operation}: ${silent ?? `${what}. ${advice}`}`
  })
}

export const wrongServer = "Check the base URL, and whether a proxy answers in the provider's place."

/** The error for an upload that is redirected. */
export const redirectError = (attempt: Attempt, where: string): RunError.InvalidResponseError =>
  new RunError.InvalidResponseError({
    ...fieldsOf(attempt),
    isRetryable: false,
    message: `${attempt.call.operation}: the provider redirects ${where}. ${wrongServer}`
  })

/** The cause unchanged, or its text without the key. */
const scrubCause = (cause: Error, cleaner: Cleaner): Error =>
  isClean(cause, cleaner) ? cause : new Error(cleaner.text(Causes.describe(cause) ?? cause.name))

const isClean = (cause: unknown, cleaner: Cleaner, depth = 0): boolean =>
  typeof cause === "string"
    ? cleaner.text(cause) === cause
    : !(cause instanceof Error) ||
      // A stack has the addresses of modules, which may have a query
      depth < 8 && (cause.stack === undefined || cleaner.key(cause.stack) === cause.stack) &&
        [cause.message, cause.cause, ...(cause instanceof AggregateError ? cause.errors : [])]
          .every((part) => isClean(part, cleaner, depth + 1))
