/** The errors of a request: what the caller, the provider or the network did wrong. `RunError` exports them. */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { RunRef } from "./ref.ts"
import { Anything, Defect, PermanentError, TaggedError, TransientError } from "./taggedError.ts"

/** What every error about a request tells. */
const requestFields = {
  /** What happened, and what to do. */
  message: Schema.String,
  /** The call that failed, such as `"runs.create"`. */
  operation: Schema.String,
  /** The run the call was about, where there is one. */
  ref: Schema.optionalKey(RunRef),
  /** The HTTP status, where there was an answer. */
  status: Schema.optionalKey(Schema.Finite),
  /** The provider's id of the request, for its support. */
  requestId: Schema.optionalKey(Schema.String),
  /** The provider's own words. */
  providerMessage: Schema.optionalKey(Schema.String),
  /** The provider's own code, where it has codes. */
  providerCode: Schema.optionalKey(Schema.String),
  /** The answer's body: parsed JSON, or the beginning of the text. */
  body: Schema.optionalKey(Anything),
  /** How often the request was sent. */
  attempts: Schema.Finite,
  /** Time from the first attempt to this error. */
  elapsed: Schema.Duration,
  /** How long the provider asks to wait before the next try. */
  retryAfter: Schema.optionalKey(Schema.Duration)
} as const

/**
 * The request is wrong. `sent` tells who says so: `false` is this library, before any request was made.
 *
 * @category errors
 * @since 0.1.0
 */
export class BadRequestError extends PermanentError<BadRequestError>()("BadRequestError", {
  ...requestFields,
  /** Whether a request was made. */
  sent: Schema.Boolean,
  /** The parameter that is wrong, where that is known. */
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
 * 403: the key is good, and may not do this.
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
 * 409: the request does not fit the state of what it is about. 423: what it is about is locked.
 *
 * @category errors
 * @since 0.1.0
 */
export class ConflictError extends PermanentError<ConflictError>()("ConflictError", requestFields) {}

/**
 * 429: too many requests. `retryAfter` is what the provider asks for.
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
 * No answer: the connection could not be made, or broke. `reached` tells which.
 *
 * @category errors
 * @since 0.1.0
 */
export class TransportError extends TransientError<TransportError>()("TransportError", {
  ...requestFields,
  /** Whether the provider may have seen the request; `false` only where the connection surely was never made. */
  reached: Schema.Boolean,
  /** The system's code, such as `"ECONNRESET"`. */
  code: Schema.optionalKey(Schema.String),
  cause: Schema.optionalKey(Defect)
}) {}

/**
 * No answer within the request timeout, or a 408.
 *
 * @category errors
 * @since 0.1.0
 */
export class RequestTimeoutError extends TransientError<RequestTimeoutError>()("RequestTimeoutError", {
  ...requestFields,
  /** `false` where the request surely was not sent, as there was no connection in time. Absent otherwise. */
  reached: Schema.optionalKey(Schema.Boolean)
}) {}

/**
 * An answer that is not what the API promises: an HTML login page, truncated JSON, a redirect to another origin, a field
 * that is missing. Retryable where the body is no JSON at all, which is a proxy or a cut, and where a run of Tela has succeeded and has
 * no output, which may be stored later. Not retryable where other JSON does not decode.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidResponseError extends TaggedError<InvalidResponseError>()("InvalidResponseError", {
  ...requestFields,
  isRetryable: Schema.Boolean,
  contentType: Schema.optionalKey(Schema.String)
}) {}

/**
 * What a request can fail with.
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
 * A create went out and its outcome is not known: **a run may exist and may be billed**. Creates are not repeated for
 * that reason, unless the caller asks for it.
 *
 * **Details**
 *
 * `cause` is the {@link RequestError} of the last attempt: no answer, an answer of 5xx, or an answer that does not decode.
 *
 * @category errors
 * @since 0.1.0
 */
export class CreateOutcomeUnknownError
  extends PermanentError<CreateOutcomeUnknownError>()("CreateOutcomeUnknownError", {
    ...requestFields,
    cause: Defect
  })
{}

/**
 * Makes the error for input that is wrong, before the request that it is for.
 *
 * @category constructors
 * @since 0.1.0
 */
export const badRequest = (options: {
  readonly operation: string
  readonly parameter: string
  readonly message: string
  readonly ref?: RunRef | undefined
  /** Whether a request was made before, such as a look-up that shows what is wrong. */
  readonly sent?: boolean | undefined
}): BadRequestError =>
  new BadRequestError({
    message: `${options.operation}: ${options.message}${options.sent === true ? "" : " No request was made."}`,
    operation: options.operation,
    parameter: options.parameter,
    sent: options.sent ?? false,
    attempts: 0,
    elapsed: Duration.zero,
    ref: options.ref
  })
