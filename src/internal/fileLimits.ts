/** Limits of files that a provider documents, checked before anything is sent. */
import * as Effect from "effect/Effect"
import type { UploadFile } from "../FileInput.ts"
import { badRequest, type BadRequestError } from "../RunError.ts"

export interface FileLimits {
  readonly provider: string
  /** The media types, without parameters. */
  readonly types: RegExp
  /** Extensions that are accepted whatever the media type. */
  readonly extensions: ReadonlySet<string>
  /** The accepted formats in words. */
  readonly formats: string
  /** The largest size in bytes, where the provider documents one. */
  readonly maxBytes: number
}

/** Fails for a file that the provider documents as not accepted. A file of an unknown type is left to the provider. */
export const check = (
  operation: string,
  parameter: string,
  { contentType, filename, size }: UploadFile,
  limits: FileLimits
): Effect.Effect<void, BadRequestError> => {
  const type = contentType.split(";")[0]!.trim().toLowerCase()
  const extension = filename.slice(filename.lastIndexOf(".") + 1).toLowerCase()
  const wrong = size > limits.maxBytes
    ? `has ${size} bytes, and ${limits.provider} accepts at most ${limits.maxBytes}`
    : type !== "application/octet-stream" && !limits.types.test(type) && !limits.extensions.has(extension)
    ? `is of the type ${type}, and ${limits.provider} documents ${limits.formats} only`
    : undefined
  return wrong === undefined ? Effect.void : Effect.fail(badRequest({
    operation,
    parameter,
    message: `${filename} ${wrong}. Convert it, or set the client's option skipFileValidation.`
  }))
}
