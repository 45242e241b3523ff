/** The errors of the command that are not errors of the library. */
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { RunRef } from "../internal/ref.ts"
import { outcomes } from "./exitCode.ts"

/** Returns the innermost reason of an error, such as `EACCES: permission denied`. */
export const reasonOf = (error: unknown): string => {
  const cause = Predicate.hasProperty(error, "cause") ? error.cause : undefined
  return cause instanceof Error ? reasonOf(cause) : error instanceof Error ? error.message : String(error)
}

/** A flag, an argument or a file of the user is wrong. No request was made. */
export class UsageError extends Schema.TaggedError<UsageError>()("UsageError", {
  message: Schema.String
}) {}

/** The API key is missing, or is the key of another provider. No request was made. */
export class KeyError extends Schema.TaggedError<KeyError>()("KeyError", {
  message: Schema.String
}) {}

/** A directory or a file of this machine cannot be used. */
export class LocalError extends Schema.TaggedError<LocalError>()("LocalError", {
  message: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {}

/** A run has not ended, and the command does not wait any longer. An emulated run has no ref, because it ends with the command. */
export class StillRunningError extends Schema.TaggedError<StillRunningError>()("StillRunningError", {
  message: Schema.String,
  ref: Schema.optionalKey(RunRef)
}) {}

/** Something did not succeed, and the user has been told why. */
export class Reported extends Schema.TaggedError<Reported>()("Reported", {
  outcome: Schema.Literals(outcomes)
}) {}
