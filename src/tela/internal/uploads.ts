/** Uploads of files to the vault: a signed address from the API, and the bytes to that address. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as UploadFile from "../../internal/files/uploadFile.ts"
import * as Body from "../../internal/http/body.ts"
import * as Causes from "../../internal/http/causes.ts"
import type { Client } from "../../internal/http/client.ts"
import * as FetchPlatform from "../../internal/http/fetchPlatform.ts"
import { type Failure, retrying } from "../../internal/http/retry.ts"
import { causeOf, execute } from "../../internal/http/send.ts"
import * as Transfer from "../../internal/http/transfer.ts"
import * as Upload from "../../internal/http/upload.ts"
import { Id } from "../../internal/id.ts"
import type { Loose } from "../../internal/loose.ts"
import { FileInputError } from "../../RunError.ts"

/** The version of the API in the paths of uploads. */
const compatibilityDate = "2025-07-23"

const decodeCreated = Schema.decodeUnknownEffect(Schema.Struct({ id: Id, uploadUrl: Schema.String }))

/** Uploads the file that stands at `variable`, and returns the reference to it. */
export const upload = ({ api, transfer }: Client, operation: string, file: UploadFile.UploadFile, variable: string) =>
  Effect.gen(function*() {
    const { value: { id, uploadUrl } } = yield* api.call({
      operation: `${operation}: upload of ${variable}`,
      // Assumption 24. A record without bytes is harmless, so this may be repeated
      request: HttpClientRequest.post("/v3/files", {
        headers: { "x-compatibility-date": compatibilityDate },
        body: HttpBody.jsonUnsafe({ fileName: file.filename })
      }),
      decode: decodeCreated
    })
    yield* put(transfer, file, uploadUrl, variable)
    return `vault://${id}`
  })

/** The error of a file, with the variable that contains it. */
export const withVariable = (error: FileInputError, variable: string): FileInputError =>
  new FileInputError({ ...error, variable, message: `${variable}: ${error.message}` })

const put = (transfer: Client["transfer"], file: UploadFile.UploadFile, link: string, variable: string) => {
  const { contentType, data, filename, size } = file
  const { idleTimeout: responseTimeout, uploadIdleTimeout } = transfer
  const failed = (
    what: string,
    fields: Partial<Failure> & Loose<Pick<FileInputError, "status" | "cause">>,
    advice = fields.isRetryable === true ? "Try again later." : "A repetition fails as well."
  ) =>
    new FileInputError({
      message: `${variable}: ${filename} could not be uploaded: ${what}. Nothing was executed. ${advice}`,
      file: filename,
      reason: "upload",
      variable,
      reached: false,
      isRetryable: false,
      ...fields
    })
  const redirected = (status?: number) =>
    failed(
      "its server redirects the upload, which is not followed",
      { status },
      "Look for a proxy that answers in the server's place."
    )
  const url = Transfer.resolveLink(link, transfer.baseUrl)
  if (typeof url === "string") return Effect.fail(failed(url, {}, "Check the base URL of the client."))
  let fileError: FileInputError | undefined
  const body = Stream.isStream(data)
    ? HttpBody.stream(Stream.tapError(data, (error) => Effect.sync(() => fileError = error)), contentType, size)
    : data instanceof Uint8Array
    ? HttpBody.uint8Array(data, contentType)
    : HttpBody.raw(data, { contentType, contentLength: size })
  const send = (request: HttpClientRequest.HttpClientRequest) =>
    Effect.mapError(execute(transfer.client, request), (error) => {
      if (HttpClientError.isHttpClientError(error) && Causes.isRefusedRedirect(error)) return redirected()
      const { cause, words } = Transfer.cleanCause(causeOf(error), url.href)
      return failed(`its server gave no answer${words}`, { isRetryable: true, cause })
    })
  const silent = (awaited: Upload.Awaited, limit: Duration.Duration) =>
    awaited === "file"
      ? withVariable(UploadFile.silentError(filename, limit), variable)
      : failed(
        awaited === "server"
          ? `its server stopped reading it for ${Duration.format(limit)} (uploadIdleTimeout)`
          : `its server gave no answer within ${Duration.format(limit)}`,
        { isRetryable: true }
      )
  const attempt = Effect.gen(function*() {
    const response = yield* Upload.whileMoving(
      HttpClientRequest.put(url, { body }),
      { idleMillis: Duration.toMillis(uploadIdleTimeout), responseMillis: Duration.toMillis(responseTimeout) },
      send,
      (awaited, limit) => Effect.fail(silent(awaited, limit))
    )
    const { status } = response
    if (status >= 200 && status < 300) {
      if (!(yield* Transfer.isPage(response))) return
      return yield* failed("its server, or a proxy in its place, answered with a page of HTML", {
        status,
        isRetryable: true
      })
    }
    yield* Body.discard(response)
    // A browser reports a redirect as status 0
    if (status === 0 || status >= 300 && status < 400) return yield* redirected(status)
    const refusal = yield* Transfer.refusal(response)
    // A server that does not accept chunked bodies does not accept them on a retry
    const isRetryable = refusal.isRetryable && status !== 501
    return yield* failed(Transfer.wordsOf(status), { ...refusal, isRetryable }, adviceOn[status])
  }).pipe(
    // For any response of the server to a body that broke off, the file is the reason
    Effect.mapError((error) => fileError === undefined ? error : withVariable(fileError, variable)),
    // The address is a secret while it is valid
    FetchPlatform.uploading(body)
  )
  // A stream may give its bytes only once
  return Stream.isStream(data) ? attempt : retrying(attempt, transfer, (error) => error.isRetryable)
}

const expired = "The address to upload to has expired or does not allow it: execute again for another one."
const needsLength = "It needs a content-length, which this platform does not send for a stream: give a Blob or bytes."

/** Advice for an upload that the server rejects, by the status. */
const adviceOn: { readonly [status: number]: string | undefined } = {
  400: expired,
  401: expired,
  403: expired,
  404: expired,
  410: expired,
  411: needsLength,
  413: "The file is larger than the server accepts: send a smaller one.",
  501: needsLength
}
