/** The errors of a request. `RunError` exports them. */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { RunRef } from "./ref.ts"
import { Anything, Defect, PermanentError, TaggedError, TransientError } from "./taggedError.ts"

/** The fields of every error about a request. */
export const requestFields = {
  /** What happened, and what to do. */
  message: Schema.String,
  /**
   * The method that the program called, such as `"runs.run"`, or the request of a poll: `"runs.retrieve"` for Spine and
   * `"execution.poll"` for Tela.
   */
  operation: Schema.String,
  /** The run that the call was about, if there is one. */
  ref: Schema.optionalKey(RunRef),
  /** The HTTP status, if there was a response. */
  status: Schema.optionalKey(Schema.Finite),
  /** The provider's id of the request, for its support. */
  requestId: Schema.optionalKey(Schema.String),
  /** The message of the provider. */
  providerMessage: Schema.optionalKey(Schema.String),
  /** The error code of the provider, if it has codes. */
  providerCode: Schema.optionalKey(Schema.String),
  /** The body of the response: parsed JSON, or the beginning of the text. */
  body: Schema.optionalKey(Anything),
  /** How often the request was sent. */
  attempts: Schema.Finite,
  /** Time from the first attempt to this error. */
  elapsed: Schema.Duration,
  /** How long the provider asks to wait before the next request. */
  retryAfter: Schema.optionalKey(Schema.Duration)
} as const

/**
 * The request is wrong. If `sent` is `false`, this library found the mistake before it made any request.
 *
 * @category errors
 * @since 0.1.0
 */
export class BadRequestError extends PermanentError<BadRequestError>()("BadRequestError", {
  ...requestFields,
  /** Whether a request was made. */
  sent: Schema.Boolean,
  /** The parameter that is wrong, if that is known. */
  parameter: Schema.optionalKey(Schema.String)
}) {}

/**
 * 401: the API key is missing, wrong or revoked.
 *
 * @category errors
 * @since 0.1.0
 */
export class AuthenticationError extends PermanentError<AuthenticationError>()("AuthenticationError", requestFields) {}

/**
 * 402: the account's credits or its plan are used up.
 *
 * @category errors
 * @since 0.1.0
 */
export class UsageLimitError extends PermanentError<UsageLimitError>()("UsageLimitError", requestFields) {}

/**
 * 403: the key is valid, and has no permission for this call.
 *
 * @category errors
 * @since 0.1.0
 */
export class PermissionDeniedError
  extends PermanentError<PermissionDeniedError>()("PermissionDeniedError", requestFields)
{}

/**
 * 404: not found, or owned by another account.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotFoundError extends PermanentError<NotFoundError>()("NotFoundError", requestFields) {}

/**
 * 409: the request does not fit the state of its target. 423: its target is locked.
 *
 * @category errors
 * @since 0.1.0
 */
export class ConflictError extends PermanentError<ConflictError>()("ConflictError", requestFields) {}

/**
 * 429: too many requests. `retryAfter` is how long the provider asks to wait.
 *
 * @category errors
 * @since 0.1.0
 */
export class RateLimitError extends TransientError<RateLimitError>()("RateLimitError", requestFields) {}

/**
 * 5xx (and 425): the provider failed.
 *
 * @category errors
 * @since 0.1.0
 */
export class ServerError extends TransientError<ServerError>()("ServerError", requestFields) {}

/**
 * There was no response: the connection could not be made, or broke. `reached` distinguishes the two.
 *
 * @category errors
 * @since 0.1.0
 */
export class TransportError extends TransientError<TransportError>()("TransportError", {
  ...requestFields,
  /** Whether the provider may have received the request; `false` only if the connection was certainly never made. */
  reached: Schema.Boolean,
  /** The system's code, such as `"ECONNRESET"`. */
  code: Schema.optionalKey(Schema.String),
  /** The error of the HTTP client, if there is one. */
  cause: Schema.optionalKey(Defect)
}) {}

/**
 * There was no response within the request timeout, or a response of 408.
 *
 * @category errors
 * @since 0.1.0
 */
export class RequestTimeoutError extends TransientError<RequestTimeoutError>()("RequestTimeoutError", {
  ...requestFields,
  /** `false` if the request was certainly not sent, because there was no connection in time. Absent otherwise. */
  reached: Schema.optionalKey(Schema.Boolean)
}) {}

/**
 * The response does not follow the API: an HTML login page, truncated JSON, a redirect to another origin, a field that is
 * missing. It is retryable if the body is not JSON, because a proxy answered or the response was cut, and if a run of Tela has
 * succeeded without an output, because the output may be stored later. It is not retryable if other JSON does not decode.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidResponseError extends TaggedError<InvalidResponseError>()("InvalidResponseError", {
  ...requestFields,
  /** Whether the same request can succeed later. */
  isRetryable: Schema.Boolean,
  /** The `content-type` of the response, if it has one. */
  contentType: Schema.optionalKey(Schema.String)
}) {}

/**
 * The schema of the errors of a request.
 *
 * @category schemas
 * @since 0.1.0
 */
export const RequestError = /*#__PURE__*/ Schema.Union([
  BadRequestError,
  AuthenticationError,
  UsageLimitError,
  PermissionDeniedError,
  NotFoundError,
  ConflictError,
  RateLimitError,
  ServerError,
  TransportError,
  RequestTimeoutError,
  InvalidResponseError
])

/**
 * The errors of a request.
 *
 * @category errors
 * @since 0.1.0
 */
export type RequestError =
  | BadRequestError
  | AuthenticationError
  | UsageLimitError
  | PermissionDeniedError
  | NotFoundError
  | ConflictError
  | RateLimitError
  | ServerError
  | TransportError
  | RequestTimeoutError
  | InvalidResponseError

/**
 * Makes the error for wrong input, before the request that needs the input.
 *
 * **When to use**
 *
 * Use it in a provider of your own, so that wrong input has the same error as with Spine and Tela.
 *
 * **Example** (An option that is out of range)
 *
 * ```ts
 * import { RunError } from "canvas-runs"
 *
 * const error = RunError.badRequest({
 *   operation: "jobs.create",
 *   parameter: "copies",
 *   message: "copies is 0; it must be a whole number, 1 or more."
 * })
 *
 * error.message // => "jobs.create: copies is 0; it must be a whole number, 1 or more. No request was made."
 * error.isRetryable // => false
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const badRequest = ({ message, sent = false, ...fields }: {
  /** The call that is wrong, such as `"runs.create"`. The message begins with it. */
  readonly operation: string
  /** The parameter that is wrong. */
  readonly parameter: string
  /** The fault and the advice. The message also says whether a request was made. */
  readonly message: string
  /** The run that the call was about, if there is one. */
  readonly ref?: RunRef | undefined
  /** Whether a request was made before, such as a look-up that shows the fault. */
  readonly sent?: boolean | undefined
}): BadRequestError =>
  new BadRequestError({
    ...fields,
    message: `${fields.operation}: ${message}${sent ? "" : " No request was made."}`,
    sent,
    attempts: 0,
    elapsed: Duration.zero
  })

/** The fault and the advice in the message of {@link badRequest}, for the error of a layer, which makes no request. */
export const faultOf = ({ message, operation }: BadRequestError): string =>
  message.slice(`${operation}: `.length).replace(/ No request was made\.$/, "")
