/** Makes each kind of `ArtifactError`. */
import { ArtifactError } from "../../RunError.ts"
import type { Failure } from "../http/retry.ts"
import type { Loose } from "../loose.ts"
import type { ArtifactSource } from "./source.ts"

/** The parts of a file that its errors name. */
export type Named = Pick<ArtifactSource, "name" | "ref">

type Fields = Partial<Failure> & Loose<Pick<ArtifactError, "status" | "expectedBytes" | "receivedBytes" | "cause">>

export const make = ({ name, ref }: Named, reason: ArtifactError["reason"], what: string, fields: Fields = {}) =>
  new ArtifactError({
    message: `The file ${JSON.stringify(name)} could not be ${reason === "write" ? "written" : "read"}. ${what}`,
    artifact: name,
    reason,
    ref,
    isRetryable: false,
    ...fields
  })

/** The server has no file to give, now or at all. */
export const unavailable = (
  source: Named,
  what: string,
  fields: Fields = {},
  advice = fields.isRetryable === true
    ? "Try again later."
    : "A repetition fails as well. Retrieve the run again for another link."
): ArtifactError => make(source, "unavailable", `${what.charAt(0).toUpperCase()}${what.slice(1)}. ${advice}`, fields)

/** The file broke off after `receivedBytes`. */
export const interrupted = (
  source: Named,
  receivedBytes: number,
  what: string,
  { cause, words }: { readonly cause?: Error | undefined; readonly words: string } = { words: "" }
): ArtifactError =>
  make(source, "interrupted", `After ${receivedBytes} bytes, ${what}${words}. Read it again.`, {
    isRetryable: true,
    receivedBytes,
    cause
  })

/**
 * The file is shorter or longer than `expectedBytes`. Without `expectedBytes` it is longer than the size that the server
 * announced.
 */
export const wrongSize = (source: Named, receivedBytes: number, expectedBytes: number | undefined): ArtifactError => {
  const isRetryable = receivedBytes < (expectedBytes ?? Infinity)
  return make(
    source,
    "size",
    `${expectedBytes ?? "More"} bytes were announced, and ${receivedBytes} arrived. ${
      isRetryable ? "Read it again." : "Retrieve the run again, in case the file was replaced."
    }`,
    { receivedBytes, isRetryable, expectedBytes }
  )
}
