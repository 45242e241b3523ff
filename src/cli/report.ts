/** Tells the user why a command did not succeed. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as CliError from "effect/cli/CliError"
import { read } from "../internal/ref.ts"
import { advised } from "./advice.ts"
import { again } from "./again.ts"
import { Reported } from "./errors.ts"
import { exitCodes, type Outcome, outcomeOf } from "./exitCode.ts"
import { format } from "./refText.ts"
import { type Failure, type Line, Output } from "./output.ts"

/** Reports the failure of the whole command, and returns its class. */
export const report = (cause: Cause.Cause<unknown>): Effect.Effect<Outcome, never, Output> =>
  Effect.gen(function*() {
    const output = yield* Output
    const error = Cause.squash(cause)
    if (isReported(error)) return error.outcome
    // The presenter, or the wait that was stopped, has written the text of these
    const isShown = CliError.isCliError(error) || Predicate.isTagged(error, "StoppedError")
    const line = yield* lineOf(error)
    if (line.outcome === "closedOutput") return line.outcome
    if (!isShown) {
      yield* output.note(`canvas-runs: ${line.outcome === "internal" ? Cause.pretty(cause) : line.error.message}`)
      yield* sayResume(error, line)
    }
    if (output.isJson) yield* Effect.ignore(output.line(line, ""))
    return line.outcome
  })

const isReported = Schema.is(Reported)

/** Reports the failure of one run of several, and returns its class. */
export const reportOne = (key: string, error: unknown): Effect.Effect<Outcome, never, Output> =>
  Effect.gen(function*() {
    const output = yield* Output
    const line = yield* lineOf(error)
    yield* output.note(`${key}: ${line.error.message}`)
    yield* sayResume(error, line)
    if (output.isJson) yield* Effect.ignore(output.line({ ...line, key }, ""))
    return line.outcome
  })

/** Says how to continue, if the run may. */
const sayResume = (error: unknown, { resume }: ErrorLine) =>
  resume === undefined
    ? Effect.void
    : Output.use(({ note }) => note(`${isOfFile(error) ? "Download" : "Wait"} again with:\n  ${resume}`))

type ErrorLine = Extract<Line, { readonly type: "error" }> & { readonly outcome: Outcome }

/** Describes an error as a line of output. */
const lineOf = Effect.fnUntraced(function*(error: unknown): Effect.fn.Return<ErrorLine> {
  const outcome = outcomeOf(error)
  const failure = failureOf(error)
  return {
    type: "error",
    exitCode: exitCodes[outcome].code,
    outcome,
    error: failure,
    ...(continues.has(outcome) && failure.ref !== undefined
      ? { resume: yield* again(isOfFile(error) ? "download" : "wait", format(failure.ref)) }
      : undefined)
  }
})

/** Whether a file of a run could not be downloaded. That run has ended. */
const isOfFile = Predicate.isTagged("ArtifactError")

/** The outcomes after which the run that they are about may continue. */
const continues: ReadonlySet<Outcome> = new Set(["stillRunning", "auth", "limit", "provider", "local"])

/** Describes an error as data. */
export const failureOf = (error: unknown): Failure => {
  const member = <A>(name: string, is: (value: unknown) => value is A): { readonly [key: string]: A } | undefined =>
    Predicate.hasProperty(error, name) && is(error[name]) ? { [name]: error[name] } : undefined
  const ref = Predicate.hasProperty(error, "ref") ? read(error.ref) : undefined
  return {
    tag: Predicate.hasProperty(error, "_tag") && Predicate.isString(error._tag) ? error._tag : nameOf(error),
    message: advised(messageOf(error)),
    ...member("isRetryable", Predicate.isBoolean),
    ...member("requestId", Predicate.isString),
    ...member("status", Predicate.isNumber),
    ...member("errors", isTexts),
    ...(ref === undefined ? undefined : { ref })
  }
}

const messageOf = (error: unknown): string =>
  CliError.isCliError(error) && error._tag === "ShowHelp"
    ? error.errors.map(({ message }) => message).join("\n") || "No command was given."
    : Predicate.isError(error)
    ? error.message
    : String(error)

const nameOf = (error: unknown): string => Predicate.isError(error) ? error.name : "Error"

const isTexts = (value: unknown): value is ReadonlyArray<string> =>
  Array.isArray(value) && value.every(Predicate.isString)
