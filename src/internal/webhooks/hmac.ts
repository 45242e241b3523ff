/** HMAC-SHA256 by the platform's own crypto, which Node 20, Bun, Deno, workers and browsers all have. */
import * as Mac from "effect/crypto/Mac"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import * as Layer from "effect/Layer"
import * as Binary from "../binary.ts"

const layer = Mac.layerWebCrypto.pipe(Layer.provide(SecureRandom.layerWebCrypto))

const encoder = new TextEncoder()

/** The signed content: texts and bytes, one after the other. */
export type Parts = ReadonlyArray<string | Uint8Array>

const withKey = <A>(
  secret: string,
  parts: Parts,
  use: (mac: Mac.Mac["Service"], key: Mac.Key, data: Uint8Array) => Effect.Effect<A, unknown>
): Effect.Effect<A> =>
  Effect.gen(function*() {
    const mac = yield* Mac.Mac
    const key = yield* Mac.key(Mac.hmacSha256, encoder.encode(secret))
    const data = Binary.concatenate(parts.map((part) => typeof part === "string" ? encoder.encode(part) : part))
    return yield* use(mac, key, data)
  }).pipe(Effect.orDie, Effect.provide(layer))

/** Signs `parts` with a text as the key. The signature is in hexadecimal digits. */
export const sign = (secret: string, parts: Parts): Effect.Effect<string> =>
  withKey(secret, parts, (mac, key, data) => Effect.map(mac.sign(key, data), Hex.encode))

/** Whether any of the signatures is the one of `parts`. Each is compared in constant time. */
export const verifyAny = (secret: string, signatures: ReadonlyArray<string>, parts: Parts): Effect.Effect<boolean> =>
  withKey(secret, parts, (mac, key, data) =>
    Effect.map(
      Effect.forEach(signatures, (signature) =>
        Effect.flatMap(Effect.fromResult(Hex.decode(signature)), (tag) => mac.verify(key, tag, data))),
      (results) =>
        results.includes(true)
    ))
