/** Reads and checks the options that a client, a layer or a route is made from. What is wrong with them is a `ConfigError`. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ConfigError } from "../RunError.ts"
import { quote } from "./describe.ts"
import * as Options from "./options.ts"

/** The error about an option with a value that it cannot have. */
export const wrong = (option: string, value: unknown, expected: string): ConfigError =>
  new ConfigError({ message: `${option} is ${quote(value)}; it must be ${expected}.`, option })

/** Copies the options, and fails if one of them is not in `known`. */
export const read = <O>(options: O, known: ReadonlyArray<string>): Effect.Effect<NonNullable<O>, ConfigError> =>
  Effect.mapError(Effect.fromResult(Options.read("options", options, known)), (fault) => new ConfigError(fault))

/** Fails if an option is given and is not of its kind. */
export const checkKind = (
  option: string,
  value: unknown,
  isKind: (value: unknown) => boolean,
  expected: string
): Effect.Effect<void, ConfigError> =>
  value === undefined || Options.is(isKind, value) ? Effect.void : Effect.fail(wrong(option, value, expected))

export const checkDuration = (option: string, input: Duration.Input): Effect.Effect<Duration.Duration, ConfigError> =>
  Effect.mapError(
    Effect.fromOption(Option.filter(Options.durationOf(input), Duration.isPositive)),
    () => wrong(option, input, "a duration above zero. Write \"5 minutes\", or milliseconds")
  )

export const checkBytes = (option: string, bytes: number): Effect.Effect<number, ConfigError> =>
  Number.isSafeInteger(bytes) && bytes > 0
    ? Effect.succeed(bytes)
    : Effect.fail(wrong(option, bytes, "a whole number of bytes above zero"))
