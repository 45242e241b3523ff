/**
 * HMAC without promises, as a mock of `src/internal/webhooks/hmac.ts`: the `TestClock` does not wait for promises.
 *
 * ```ts
 * vi.mock("../../src/internal/webhooks/hmac.ts", () => import("../support/syncHmac.ts"))
 * ```
 */
import * as Effect from "effect/Effect"
import { createHmac } from "node:crypto"
import type * as Hmac from "../../src/internal/webhooks/hmac.ts"

const tag = (secret: string, parts: Hmac.Parts): string =>
  parts.reduce((hmac, part) => hmac.update(part), createHmac("sha256", secret)).digest("hex")

export const sign: typeof Hmac.sign = (secret, parts) => Effect.sync(() => tag(secret, parts))

export const verifyAny: typeof Hmac.verifyAny = (secret, signatures, parts) =>
  Effect.sync(() => signatures.some((signature) => signature.toLowerCase() === tag(secret, parts)))
