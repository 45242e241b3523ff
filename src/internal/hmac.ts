/** HMAC-SHA256 by the platform's own crypto, which Node 20, Bun, Deno, workers and browsers all have. */
import * as Mac from "effect/crypto/Mac"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const layer = Mac.layerWebCrypto.pipe(Layer.provide(SecureRandom.layerWebCrypto))

const encoder = new TextEncoder()

/** What is signed: bytes that follow a text. */
const join = (prefix: string, body: Uint8Array): Uint8Array => {
  const head = encoder.encode(prefix)
  const whole = new Uint8Array(head.byteLength + body.byteLength)
  whole.set(head)
  whole.set(body, head.byteLength)
  return whole
}

/** Signs `prefix` and `body` with a text as the key. */
export const sign = (secret: string, prefix: string, body: Uint8Array): Effect.Effect<Uint8Array> =>
  Effect.gen(function*() {
    const mac = yield* Mac.Mac
    const key = yield* Mac.key(Mac.hmacSha256, encoder.encode(secret))
    return yield* mac.sign(key, join(prefix, body))
  }).pipe(Effect.orDie, Effect.provide(layer))

/** Whether any of the signatures is that of `prefix` and `body`, compared in constant time. */
export const verifyAny = (
  secret: string,
  signatures: ReadonlyArray<Uint8Array>,
  prefix: string,
  body: Uint8Array
): Effect.Effect<boolean> =>
  Effect.gen(function*() {
    const mac = yield* Mac.Mac
    const key = yield* Mac.key(Mac.hmacSha256, encoder.encode(secret))
    const data = join(prefix, body)
    const results = yield* Effect.forEach(signatures, (signature) => mac.verify(key, signature, data))
    return results.includes(true)
  }).pipe(Effect.orDie, Effect.provide(layer))
