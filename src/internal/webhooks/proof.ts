/** The inputs for the verification of a webhook: the secret, the body, and the error if one of them is not usable. */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import { ConfigError, WebhookSignatureError } from "../../RunError.ts"
import * as Binary from "../binary.ts"
import { attempt, quote } from "../describe.ts"
import * as Options from "../options.ts"
import { textOf } from "../secret.ts"

export const invalid = (reason: WebhookSignatureError["reason"], message: string): WebhookSignatureError =>
  new WebhookSignatureError({ reason, message })

/**
 * Checks a secret of webhooks, and never shows it. A secret from a file often ends with a line break, and then every genuine
 * webhook would be rejected. The platform's crypto rejects an empty key with a defect.
 */
export const checkSecret = (secret: Redacted.Redacted<string>): Effect.Effect<string, ConfigError> => {
  const value = textOf(secret)
  const wrong = typeof value !== "string"
    ? `is ${Options.hideText(secret)}: it must be a Redacted string, such as Redacted.make(secret)`
    : value === ""
    ? "is empty. Give the secret of the endpoint"
    : value.trim() !== value
    ? "begins or ends with white space, such as a line break. Trim it"
    : undefined
  return wrong === undefined
    ? Effect.succeed(value!)
    : Effect.fail(
      new ConfigError({ message: `The secret of the webhooks ${wrong}. No webhook can be verified.`, option: "secret" })
    )
}

/** The bytes of a body. A parsed body has none, and a transferred buffer has none either. */
export const bytesOf = (payload: unknown): Effect.Effect<Uint8Array, WebhookSignatureError> => {
  const bytes = attempt(() => readBytes(payload))
  if (bytes !== undefined) return Effect.succeed(bytes)
  const given = Options.is(Binary.isBytes, payload)
    ? "a buffer that was transferred and has no bytes"
    : quote(payload)
  return Effect.fail(
    invalid("body", `The payload is ${given}. Pass the bytes or the text of the body unchanged.`)
  )
}

const readBytes = (payload: unknown): Uint8Array | undefined => {
  if (typeof payload === "string") return new TextEncoder().encode(payload)
  if (!Binary.isBytes(payload)) return undefined
  // Throws if the buffer is detached, whose length is 0
  void new Uint8Array(ArrayBuffer.isView(payload) ? payload.buffer : payload)
  return Binary.bytesOf(payload)
}
