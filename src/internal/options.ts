/**
 * Reads what a caller passes. TypeScript reports a misspelled option only in a literal, and JavaScript never: such an option
 * would be ignored, and its default applied silently. A getter or a Proxy of the caller runs code, which may throw, and may
 * return something else the next time: options are copied once, inside a guard.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { badRequest, type BadRequestError, ConfigError } from "../RunError.ts"
import { messageOf, quote, quoteLink } from "./describe.ts"

/** Why an object of options cannot be used. */
export interface Fault {
  /** The option at fault. */
  readonly option: string
  readonly message: string
}

/**
 * Copies the options that are in `known`, or returns the fault of the first that is not. An option that is `undefined` counts as
 * left out, and so do options as a whole, unless they are required.
 */
export const read = <O>(
  what: string,
  options: O,
  known: ReadonlyArray<string>,
  isRequired = false,
  show = quote
): Result.Result<NonNullable<O>, Fault> =>
  Result.getOrElse(
    Result.try(() => readUnguarded<NonNullable<O>>(what, options, known, isRequired, show)),
    (thrown) => Result.fail({ option: what, message: unreadable(what, thrown) })
  )

const readUnguarded = <O>(
  what: string,
  options: unknown,
  known: ReadonlyArray<string>,
  isRequired: boolean,
  show: typeof quote
): Result.Result<O, Fault> => {
  if (options === undefined && !isRequired) return Result.succeed({} as O)
  if (!Predicate.isObject(options) || Array.isArray(options)) {
    return Result.fail({ option: what, message: `${what} must be an object, and is ${show(options)}.` })
  }
  const given = options as Record<string, unknown>
  const odd = Object.keys(given).find((name) => !known.includes(name) && given[name] !== undefined)
  if (odd !== undefined) {
    const near = nearest(odd, known)
    const advice = near === undefined ? `; the options are: ${known.join(", ")}.` : `. Did you mean ${near}?`
    const where = what === "options" ? "" : ` of ${what.replace(/^options of /, "")}`
    const message = `${JSON.stringify(odd.slice(0, maxName))} is not an option${where}${advice}`
    return Result.fail({ option: odd, message })
  }
  const members = known.map((name) => [name, given[name]] as const)
  return Result.succeed(Object.fromEntries(members.filter(([, value]) => value !== undefined)) as O)
}

const unreadable = (what: string, thrown: unknown): string =>
  `${what} could not be read (${messageOf(thrown)}). Pass plain data, without getters and Proxies that throw.`

/** {@link read} for a function that returns no Effect: it throws a `RangeError`. */
export const readOrThrow = <O>(options: O, known: ReadonlyArray<string>): NonNullable<O> =>
  Result.getOrThrowWith(read("options", options, known), ({ message }) => new RangeError(message))

/** Throws a `TypeError` for an argument that is not of its kind. For arguments that only a wrong program can give. */
export const need = (name: string, value: unknown, isKind: (value: unknown) => boolean, expected: string): void => {
  if (!is(isKind, value)) throw new TypeError(`${name} is ${quote(value)}; it must be ${expected}.`)
}

/** The error of an operation for a parameter at fault. */
export const rejectFor = (operation: string) => ({ message, option }: Fault): BadRequestError =>
  badRequest({ operation, parameter: option, message })

const rejectConfig = (fault: Fault): ConfigError => new ConfigError(fault)

/** Copies the options, and fails where they have a name that `operation` does not know. */
export const copy = <O>(
  operation: string,
  what: string,
  options: O,
  known: ReadonlyArray<string>,
  isRequired = false
): Effect.Effect<NonNullable<O>, BadRequestError> =>
  Effect.suspend(() => Effect.mapError(Effect.fromResult(read(what, options, known, isRequired)), rejectFor(operation)))

/** {@link copy} for the options of a client, of a route, or of another part that is configured. A text could be a key. */
export const copyConfig = <O>(what: string, options: O, known: ReadonlyArray<string>, isRequired = false) =>
  Effect.suspend(() =>
    Effect.mapError(Effect.fromResult(read(what, options, known, isRequired, hideText)), rejectConfig)
  )

/** {@link quote} for a value that may be a secret. */
export const hideText = (value: unknown): string => typeof value === "string" ? "text" : quote(value)

/** {@link copy} for an object that must be given. */
export const copyRequired = <O>(operation: string, what: string, options: O, known: ReadonlyArray<string>) =>
  copy(operation, what, options, known, true)

/**
 * Runs a function that reads an argument of the caller. If it throws, as a revoked Proxy does, the call fails with the message of
 * the thrown value, before any request.
 */
export const reading = <A, E, R>(operation: string, parameter: string, evaluate: () => Effect.Effect<A, E, R>) =>
  Effect.catchDefect(
    Effect.suspend(evaluate),
    (thrown) => Effect.fail(badRequest({ operation, parameter, message: unreadable(parameter, thrown) }))
  )

/**
 * Runs the effect that a function of the program returns, after a request. If the function throws, or returns something else, such as a
 * `Promise`, the call fails.
 */
export const calling = <A, E, R>(
  operation: string,
  parameter: string,
  evaluate: () => Effect.Effect<A, E, R>
): Effect.Effect<A, E | BadRequestError, R> =>
  Effect.gen(function*() {
    const rejected = (message: string) => badRequest({ operation, parameter, message, sent: true })
    const made = yield* Effect.try({
      try: evaluate,
      catch: (thrown) =>
        rejected(`${parameter} threw ${quote(messageOf(thrown))}. Return an Effect that fails instead.`)
    })
    return Effect.isEffect(made)
      ? yield* made
      : yield* rejected(
        `${parameter} returned ${quote(made)}; it must return an Effect, such as one of Effect.tryPromise.`
      )
  })

/** Whether a value is of a kind. A value that throws when it is read, as a revoked Proxy does, is of no kind. */
export const is = (isKind: (value: unknown) => boolean, value: unknown): boolean =>
  Result.getOrElse(Result.try(() => isKind(value)), () => false)

/**
 * Reads a duration. `Duration` takes `NaN` and any object without a unit for zero, such as a `Promise`, a `Date` and
 * `{ second: 5 }`: here they are not durations. An object that throws is not a duration either.
 */
export const durationOf = (input: unknown): Option.Option<Duration.Duration> =>
  Number.isNaN(input) || is(isWithoutUnit, input)
    ? Option.none()
    : Option.flatten(fromInput(input as Duration.Input))

/** The milliseconds of a duration, and `NaN` for a value that is not one. */
export const millisOf = (input: unknown): number =>
  Option.match(durationOf(input), { onNone: () => NaN, onSome: Duration.toMillis })

const isWithoutUnit = (input: unknown): boolean =>
  Predicate.isObject(input) && !Array.isArray(input) && !Duration.isDuration(input) &&
  !units.some((unit) => unit in input)

const units = ["weeks", "days", "hours", "minutes", "seconds", "milliseconds", "microseconds", "nanoseconds"]

const fromInput = Option.liftThrowable(Duration.fromInput)

/** The arguments of a check: an option, its value, the kind that it must be of, the name of that kind, and how to show the value. */
type Check = readonly [
  option: string,
  value: unknown,
  isKind: (value: unknown) => boolean,
  expected: string,
  show?: typeof quote
]

/** Fails where a value is not of its kind. `reject` makes the error from the fault. */
const check = <E>(
  reject: (fault: Fault) => E,
  ...[option, value, isKind, expected, show = quote]: Check
): Effect.Effect<void, E> =>
  is(isKind, value)
    ? Effect.void
    : Effect.fail(reject({ option, message: `${option} is ${show(value)}; it must be ${expected}.` }))

/** Fails where a value of an operation is not of its kind. */
export const checkGiven = (operation: string, ...args: Check): Effect.Effect<void, BadRequestError> =>
  check(rejectFor(operation), ...args)

/** {@link checkGiven} for a value that may be left out. */
export const checkKind = (operation: string, ...args: Check): Effect.Effect<void, BadRequestError> =>
  args[1] === undefined ? Effect.void : checkGiven(operation, ...args)

/** {@link checkGiven} for an option of a client, of a route, or of another part that is configured. */
export const checkGivenConfig = (...args: Check): Effect.Effect<void, ConfigError> => check(rejectConfig, ...args)

/** {@link checkGivenConfig} for an option that may be left out. */
export const checkConfig = (...args: Check): Effect.Effect<void, ConfigError> =>
  args[1] === undefined ? Effect.void : checkGivenConfig(...args)

/** Reads a duration of a kind. Otherwise `reject` makes the error from the fault. */
export const readDuration = <E>(
  reject: (fault: Fault) => E,
  option: string,
  input: unknown,
  isKind: (duration: Duration.Duration) => boolean,
  expected: string
): Effect.Effect<Duration.Duration, E> =>
  Effect.mapError(
    Effect.fromOption(Option.filter(durationOf(input), isKind)),
    () => reject({ option, message: `${option} is ${quote(input)}; it must be ${expected}. ${durationForms}` })
  )

/** Reads a duration of an operation, which must be longer than zero. */
export const positive = (operation: string, parameter: string, input: unknown) =>
  readDuration(rejectFor(operation), parameter, input, Duration.isPositive, positiveDuration)

/** Reads a duration of an operation, which may be zero. */
export const nonNegative = (operation: string, parameter: string, input: unknown) =>
  readDuration(
    rejectFor(operation),
    parameter,
    input,
    (duration) => !Duration.isNegative(duration),
    "a duration, 0 or longer"
  )

/** Reads a duration of a configuration, which must be longer than zero. */
export const durationConfig = (option: string, input: unknown): Effect.Effect<Duration.Duration, ConfigError> =>
  readDuration(rejectConfig, option, input, Duration.isPositive, positiveDuration)

export const positiveDuration = "a positive duration"
export const durationForms = "Write \"5 seconds\", or milliseconds as a number."

/** Whether a value is a whole number above zero. */
export const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) > 0

/** Whether a value is the name of a table that needs no quotes, with room for an ending. */
export const isTable = (value: unknown): boolean => Predicate.isString(value) && /^[a-z_][a-z0-9_]{0,40}$/i.test(value)

/** Fails where a value is not text, or is blank. */
export const checkText = (operation: string, parameter: string, value: unknown): Effect.Effect<void, BadRequestError> =>
  checkGiven(operation, parameter, value, isText, "text that is not blank")

/**
 * {@link checkText} for a text that is stored unchanged in a column of a SQL database. PostgreSQL stores no NUL, and half of a surrogate pair
 * comes back as another character.
 */
export const checkStorable = (operation: string, parameter: string, value: unknown, maxLength = Infinity) =>
  Effect.andThen(
    checkText(operation, parameter, value),
    checkGiven(
      operation,
      parameter,
      value,
      (text) => (text as string).length <= maxLength && !/\0|\p{Surrogate}/u.test(text as string),
      `text without U+0000 and without half of a surrogate pair${
        maxLength === Infinity ? "" : `, of at most ${maxLength} characters`
      }`
    )
  )

/** Whether a value is text that is not blank. */
export const isText = (value: unknown): value is string => typeof value === "string" && value.trim() !== ""

/** Fails where a value is not an absolute URL. The query of a URL may hold a secret, so it is not shown. */
export const checkUrl = (operation: string, parameter: string, value: unknown): Effect.Effect<void, BadRequestError> =>
  checkKind(operation, parameter, value, isUrl, "an absolute URL, such as \"https://example.com/hook\"", quoteLink)

const isUrl = (value: unknown): boolean => typeof value === "string" && URL.canParse(value)

/** Fails where `onCreated` is not a function: after the create it would be too late. */
export const checkOnCreated = (operation: string, onCreated: unknown): Effect.Effect<void, BadRequestError> =>
  checkKind(operation, "onCreated", onCreated, Predicate.isFunction, "a function that returns an Effect")

/** The length of the longest option name. */
const maxName = 64

/** The known name that a caller most likely meant: other SDKs write `timeoutMs`, `baseURL`, `asynch`, `webhook`. */
export const nearest = (name: string, known: ReadonlyArray<string>): string | undefined => {
  const plain = normalize(name)
  let best: { readonly name: string; readonly distance: number } | undefined
  for (const candidate of known) {
    const other = normalize(candidate)
    const isPart = plain.length > 3 && (other.includes(plain) || plain.includes(other))
    const distance = isPart ? 1 : editDistance(plain, other)
    if (distance <= Math.max(2, other.length / 3) && distance < Math.min(other.length, best?.distance ?? Infinity)) {
      best = { name: candidate, distance }
    }
  }
  return best?.name
}

const normalize = (name: string): string =>
  name.slice(0, maxName).toLowerCase().replaceAll(/[^a-z]/g, "").replace(/(?:ms|millis|milliseconds|seconds)$/, "")

/** How many letters must be added, removed or replaced to turn one name into the other. */
const editDistance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    }
    row = next
  }
  return row[b.length]!
}
