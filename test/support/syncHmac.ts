/**
 * HMAC without promises, as a mock of `src/internal/hmac.ts`: the `TestClock` does not wait for promises.
 *
 * ```ts
 * vi.mock("../../src/internal/hmac.ts", () => import("../support/syncHmac.ts"))
 * ```
 */
import * as Effect from "effect/Effect"
import { createHmac } from "node:crypto"
import type * as Hmac from "../../src/internal/hmac.ts"

const tag = (secret: string, prefix: string, body: Uint8Array): string =>
  createHmac("sha256", secret).update(prefix).update(body).digest("hex")

export const sign: typeof Hmac.sign = (secret, prefix, body) => Effect.sync(() => tag(secret, prefix, body))

export const verifyAny: typeof Hmac.verifyAny = (secret, signatures, prefix, body) =>
  Effect.sync(() => signatures.some((signature) => signature.toLowerCase() === tag(secret, prefix, body)))
