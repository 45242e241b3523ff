/** The body of a webhook, as a caller passes it. */
import * as Option from "effect/Option"
import * as Binary from "./binary.ts"
import { quote } from "./describe.ts"

/** The bytes. `undefined` for anything else, such as a body that was parsed, or a buffer that was transferred. */
export const toBytes = (payload: unknown): Uint8Array | undefined => Option.getOrUndefined(readBytes(payload))

const readBytes = Option.liftThrowable((payload: unknown): Uint8Array | undefined => {
  if (typeof payload === "string") return new TextEncoder().encode(payload)
  if (!Binary.isBytes(payload)) return undefined
  // Throws where the buffer is detached, in which case its length is 0
  const whole = new Uint8Array(ArrayBuffer.isView(payload) ? payload.buffer : payload)
  return whole.byteLength === 0 ? whole : Binary.bytesOf(payload)
})

/** What a message says of a payload that has no bytes. */
export const wordsOf = (payload: unknown): string =>
  Option.getOrElse(isBytes(payload), () => false) ? "a buffer that was transferred and has no bytes" : quote(payload)

const isBytes = Option.liftThrowable(Binary.isBytes)
