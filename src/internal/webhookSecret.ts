/** The secret that proves webhooks. */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import { ConfigError } from "../RunError.ts"
import { textOf } from "./secret.ts"

/**
 * Checks a secret of webhooks, and never shows it. One that was read from a file often ends with a line break, and then every
 * genuine webhook is refused; an empty key is refused by the platform's crypto with a defect.
 */
export const checkSecret = (secret: Redacted.Redacted<string>): Effect.Effect<string, ConfigError> => {
  const value = textOf(secret)
  const wrong = typeof value !== "string"
    ? "must be a Redacted string, as Redacted.make and Config.Redacted make it"
    : value === ""
    ? "is empty"
    : value.trim() !== value
    ? "begins or ends with white space, such as a line break. Trim it"
    : undefined
  return wrong === undefined
    ? Effect.succeed(value!)
    : Effect.fail(
      new ConfigError({ message: `The secret of the webhooks ${wrong}. No webhook can be verified.`, option: "secret" })
    )
}
