/** Limits of files that a provider documents. They are checked before anything is sent. */
import * as Effect from "effect/Effect"
import { essenceOf } from "./mediaType.ts"
import type { UploadFile } from "./uploadFile.ts"
import { badRequest, type BadRequestError } from "../../RunError.ts"

export interface FileLimits {
  readonly provider: string
  /** The media types, without parameters. */
  readonly types: RegExp
  /** Extensions that are accepted with every media type. */
  readonly extensions: ReadonlySet<string>
  /** A description of the accepted formats. */
  readonly formats: string
  /** The largest size in bytes. `Infinity` if the provider documents none. */
  readonly maxBytes: number
}

/**
 * Fails for a file whose type the provider does not document. Its type is its content type or, where that says nothing, the
 * extension of its name. A file without either is left to the provider.
 */
export const check = (
  operation: string,
  parameter: string,
  { contentType, filename, size }: UploadFile,
  limits: FileLimits
): Effect.Effect<void, BadRequestError> => {
  const type = essenceOf(contentType)
  // The ends of "Dr. Who" and of "report.2024" are not extensions
  const extension = /[^.]\.((?=\d*[a-z])[a-z\d]{1,10})$/.exec(filename.toLowerCase())?.[1] ?? ""
  const isUntyped = type === "application/octet-stream"
  const wrong = size > limits.maxBytes
    ? `has ${size} bytes, and ${limits.provider} accepts at most ${limits.maxBytes}`
    : !limits.types.test(type) && !limits.extensions.has(extension) && !(isUntyped && extension === "")
    ? `is ${
      isUntyped ? `a file .${extension}` : `of the type ${type}`
    }, and ${limits.provider} documents ${limits.formats} only`
    : undefined
  return wrong === undefined ? Effect.void : Effect.fail(badRequest({
    operation,
    parameter,
    message:
      `${filename} ${wrong}. Convert it, give the right name or contentType, or set the client's option skipFileValidation.`
  }))
}
