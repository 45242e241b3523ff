/** HMAC-SHA256 by the platform's own crypto, which Node 20, Bun, Deno, workers and browsers all have. */
import * as Mac from "effect/crypto/Mac"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import * as Layer from "effect/Layer"
import * as Binary from "./binary.ts"

const layer = Mac.layerWebCrypto.pipe(Layer.provide(SecureRandom.layerWebCrypto))

const encoder = new TextEncoder()

/** Uses a text as the key, and the bytes that are signed: a text, and a body after it. */
const withKey = <A>(
  secret: string,
  prefix: string,
  body: Uint8Array,
  use: (mac: Mac.Mac["Service"], key: Mac.Key, data: Uint8Array) => Effect.Effect<A, unknown>
): Effect.Effect<A> =>
  Effect.gen(function*() {
    const mac = yield* Mac.Mac
    const key = yield* Mac.key(Mac.hmacSha256, encoder.encode(secret))
    return yield* use(mac, key, Binary.concatenate([encoder.encode(prefix), body]))
  }).pipe(Effect.orDie, Effect.provide(layer))

/** Signs `prefix` and `body` with a text as the key. The signature is in hexadecimal digits. */
export const sign = (secret: string, prefix: string, body: Uint8Array): Effect.Effect<string> =>
  withKey(secret, prefix, body, (mac, key, data) => Effect.map(mac.sign(key, data), Hex.encode))

/** Whether any of the signatures is that of `prefix` and `body`, each compared in constant time. */
export const verifyAny = (
  secret: string,
  signatures: ReadonlyArray<string>,
  prefix: string,
  body: Uint8Array
): Effect.Effect<boolean> =>
  withKey(secret, prefix, body, (mac, key, data) =>
    Effect.map(
      Effect.forEach(
        signatures,
        (signature) => Effect.flatMap(Effect.fromResult(Hex.decode(signature)), (tag) => mac.verify(key, tag, data))
      ),
      (results) => results.includes(true)
    ))
