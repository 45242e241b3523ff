/** Turns a response into the value of its call, or into the error that says why there is none. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Headers from "effect/http/Headers"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import { InvalidResponseError, type RequestError } from "../../RunError.ts"
import { oneLine, parseJson, shorten } from "../describe.ts"
import * as Body from "./body.ts"
import { type Call, fieldsOf, type Responded } from "./call.ts"
import { bodyLength, type ResponseFields, statusError, wrongServer } from "./errors.ts"
import * as Redirects from "./redirects.ts"
import { parseRetryAfter } from "./retry.ts"

export const isSuccess = (status: number): boolean => status >= 200 && status < 300

/** Whether a content type is HTML. A proxy sends such a page instead of the provider's response. */
export const isHtml = (headers: Headers.Headers): boolean => /html/i.test(headers["content-type"] ?? "")

/** Whether a text is a whole JSON document: the connection may break after its last byte. */
export const isWholeDocument = (text: string): boolean => /^\s*[{[]/.test(text) && Option.isSome(parseJson(text))

export const requestIdOf = ({ cleaner, headers }: Responded): string | undefined => {
  const id = headers["x-request-id"]
  return id === undefined ? undefined : cleaner.text(id)
}

const retryAfterOf = ({ clock, headers }: Responded) => parseRetryAfter(headers, clock.currentTimeMillisUnsafe())

/** The longest JSON body that an error keeps whole. */
const maxBodyLength = 65_536

/** The fields of an error about a response. `text` is the body, `undefined` if it did not arrive. */
const responseFields = (attempt: Responded, text: string | undefined): ResponseFields => {
  const clean = attempt.cleaner.key(text ?? "")
  const body = clean.length > maxBodyLength ? undefined : Option.getOrUndefined(parseJson(clean))
  const described = attempt.options.describeError(body)
  const excerpt = shorten(clean, bodyLength)
  return {
    ...fieldsOf(attempt),
    status: attempt.response.status,
    body: text === undefined ? undefined : body ?? excerpt,
    requestId: requestIdOf(attempt),
    retryAfter: retryAfterOf(attempt),
    providerMessage: body === undefined ? undefined : described?.message ?? excerpt,
    providerCode: described?.code
  }
}

const invalid = (
  attempt: Responded,
  text: string | undefined,
  what: string,
  isRetryable = false,
  advice = wrongServer
): Effect.Effect<never, InvalidResponseError> => {
  const fields = responseFields(attempt, text)
  const contentType = attempt.headers["content-type"]
  const says = fields.providerMessage === undefined
    ? ""
    : `It says: ${JSON.stringify(shorten(attempt.cleaner.text(fields.providerMessage), 200))}. `
  return Effect.fail(
    new InvalidResponseError({
      ...fields,
      isRetryable,
      message: `${fields.operation}: ${what} ${says}${advice}`,
      contentType: contentType === undefined ? undefined : shorten(attempt.cleaner.text(contentType))
    })
  )
}

/**
 * Fails with the error for a response that has no value: by its status, or because its body is not JSON. `missing` says why its
 * body did not arrive.
 */
export const fail = (attempt: Responded, text: string | undefined, missing?: string) => {
  const response = attempt.response
  const { status } = response
  // If a browser is told not to follow a redirect, it reports the redirect as status 0
  if (status === 0 || Redirects.isRedirect(status)) {
    return invalid(attempt, text, `the provider redirects ${Redirects.describe(response, attempt)}.`)
  }
  if (status === 304) {
    return invalid(
      attempt,
      text,
      "the response is 304 (not modified), although this client keeps no copy.",
      true,
      "Find the cache that answers in place of the provider."
    )
  }
  if (isSuccess(status)) return notJson(attempt, text ?? "")
  return status < 400
    ? invalid(attempt, text, `the response has status ${status}, which is neither a result nor an error.`)
    : Effect.fail(statusError(attempt, responseFields(attempt, text), response.request.url, missing))
}

const notJson = (attempt: Responded, text: string): Effect.Effect<never, RequestError> => {
  const encoding = Body.undecoded(attempt.response, attempt.headers)
  if (encoding !== undefined) {
    const shown = JSON.stringify(attempt.cleaner.text(encoding))
    return invalid(
      attempt,
      text,
      `the response has the content-encoding ${shown}, which this HTTP client does not decode.`,
      false,
      "Use fetch, or NodeHttp.layer of canvas-runs/node."
    )
  }
  const { "content-type": type = "unknown" } = attempt.headers
  const what = text.trim() === ""
    ? "empty"
    : /^\s*<(!doctype|html)/i.test(text)
    ? "an HTML page"
    : /json/i.test(type)
    ? "text that breaks off or is malformed"
    : `text of type ${shorten(attempt.cleaner.text(type))}`
  return invalid(attempt, text, `the answer is ${what}, not JSON.`, true)
}

/** The value of a response, from the text of its body: `undefined` if that is longer than the client reads. */
export const decode = <A>(attempt: Responded, call: Call<A>, text: string | undefined) => {
  const { cleaner, options } = attempt
  if (!isSuccess(attempt.response.status)) return fail(attempt, text ?? "")
  if (text === undefined) {
    return invalid(
      attempt,
      "",
      `the answer is longer than ${options.maxResponseBytes} bytes, which is the client's maxResponseBytes.`,
      false,
      "Raise it if such answers are right."
    )
  }
  const json = parseJson(cleaner.answer(text))
  if (Option.isNone(json)) return fail(attempt, text)
  return Effect.matchCauseEffectEager(call.decode(json.value), {
    onSuccess: (value) => Effect.succeed({ value, requestId: requestIdOf(attempt), retryAfter: retryAfterOf(attempt) }),
    onFailure: (cause) => {
      if (options.describeError(json.value)?.isRefusal === true) {
        return Effect.fail(statusError(attempt, responseFields(attempt, text), ""))
      }
      const error = Cause.squash(cause)
      // A RangeError means that the stack is full
      if (!Cause.hasFails(cause) && !(error instanceof RangeError)) {
        return Effect.failCause(cause as Cause.Cause<never>)
      }
      const isStale = call.isStale?.(json.value) === true
      const why = error instanceof RangeError
        ? "it is nested too deep"
        : shorten(oneLine(cleaner.text((error as Schema.SchemaError).message)))
      return invalid(
        attempt,
        text,
        `the answer does not have the promised form (${why}).`,
        isStale,
        isStale ? "The provider may not have stored it yet. Try again later." : wrongServer
      )
    }
  })
}
