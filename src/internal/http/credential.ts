/** The API key of a client: a fixed key, or an effect that returns the key that is valid now. */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import { badRequest, ConfigError, TransportError } from "../../RunError.ts"
import { attempt, quote } from "../describe.ts"
import * as Options from "../options.ts"
import { textOf } from "../secret.ts"
import type { Key } from "./call.ts"

/** A secret, or an effect that returns the secret that is valid now. */
export type Secret = Redacted.Redacted<string> | Effect.Effect<Redacted.Redacted<string>, unknown>

/** The key of a client, as its options give it. */
export interface Credential {
  readonly header: string
  readonly prefix?: string
  /** The name of the option that holds the secret. */
  readonly option: string
  readonly value: Secret | undefined
  readonly whereToGetOne: string
}

/** Checks the key. A key from an effect is checked for each call. If the effect fails, the call fails before any request. */
export const keyOf = (credential: Credential, timeout: Duration.Duration): Effect.Effect<Key, ConfigError> => {
  const { option, value } = credential
  if (!Options.is(Effect.isEffect, value)) return checkSecret(credential, value)
  return Effect.succeed((operation) => {
    const unavailable = (why: string) =>
      Effect.fail(
        new TransportError({
          operation,
          message:
            `${operation}: the effect given as ${option} ${why}. No request was made. Try again, or check where the key is kept.`,
          reached: false,
          attempts: 0,
          elapsed: Duration.zero
        })
      )
    return Effect.suspend(() => value as Effect.Effect<unknown, unknown>).pipe(
      Effect.catchCause((cause) =>
        Cause.hasInterrupts(cause) ? Effect.interrupt : unavailable(`failed${kindOf(Cause.squash(cause))}`)
      ),
      Effect.timeoutOrElse({
        duration: timeout,
        orElse: () => unavailable(`gave no key within ${Duration.format(timeout)}`)
      }),
      Effect.flatMap((secret) =>
        Effect.mapError(
          checkSecret(credential, secret),
          ({ message }) => badRequest({ operation, parameter: option, message })
        )
      )
    )
  })
}

/** The tag or the name of an error. Its message is not shown, because code that reads keys may write them into it. */
const kindOf = (error: unknown): string =>
  attempt(() => {
    const kind = Predicate.hasProperty(error, "_tag") ? error._tag : error instanceof Error ? error.name : undefined
    return typeof kind === "string" && /^[A-Za-z]\w{0,40}$/.test(kind) ? ` (${kind})` : ""
  }) ?? ""

/** Checks a secret. Its error does not show it. */
const checkSecret = ({ option, whereToGetOne }: Credential, secret: unknown) => {
  const value = textOf(secret)
  const wrong = secret === undefined || secret === null
    ? "is missing: it must be a Redacted string, such as Redacted.make(key)"
    : typeof secret === "string"
    ? "is plain text: read it with Config.Redacted or wrap it with Redacted.make, which keep it out of logs"
    : typeof value !== "string"
    ? `is ${
      Options.is(Redacted.isRedacted, secret)
        ? "a Redacted value that holds no text, or has been wiped"
        : typeof secret === "object"
        ? quote(secret)
        : `a ${typeof secret}`
    }: it must be a Redacted string, such as Redacted.make(key)`
    : value.trim() === ""
    ? "is empty"
    // fetch would reject it with an error that shows the key
    : !/^[\u0021-\u007e]+$/.test(value)
    ? "has characters that no key has, such as a space or a line break"
    : undefined
  return wrong === undefined
    ? Effect.succeed(secret as Redacted.Redacted<string>)
    : Effect.fail(new ConfigError({ message: `${option} ${wrong}. ${whereToGetOne}`, option }))
}
