/**
 * The exit codes of the command: one for each class of outcome.
 */
import * as CliError from "effect/cli/CliError"
import * as Predicate from "effect/Predicate"

/** The class of an outcome. */
export type Outcome = keyof typeof exitCodes

/** The exit code of each class, and what it means. */
export const exitCodes = {
  success: { code: 0, meaning: "The command did what it was asked to do." },
  failed: { code: 1, meaning: "The run failed, or its output does not fit the schema." },
  badRequest: { code: 2, meaning: "A flag, an argument, a file or the name of a run is wrong." },
  stillRunning: { code: 3, meaning: "The deadline passed. The run continues: wait again." },
  auth: { code: 4, meaning: "The API key is missing, wrong, or not allowed to do this." },
  limit: { code: 5, meaning: "A rate limit, the credits of the account, or the budget is used up." },
  unknownCreate: { code: 6, meaning: "A run may have been created. Find out before you create it again." },
  provider: { code: 7, meaning: "The provider, or the connection to it, is in trouble. Try again later." },
  local: { code: 8, meaning: "This machine is in trouble: the store or a file cannot be read or written." },
  internal: { code: 70, meaning: "A fault of canvas-runs itself. Please report it." },
  interrupted: { code: 130, meaning: "Ctrl-C (SIGINT). The run continues: wait again." },
  closedOutput: { code: 141, meaning: "The reader of standard output went away (EPIPE), as `head` does." },
  hangup: { code: 129, meaning: "The terminal was closed (SIGHUP). The run continues." },
  terminated: { code: 143, meaning: "SIGTERM. The run continues: wait again." }
} as const

/** The names of the classes. */
export const outcomes = Object.keys(exitCodes) as ReadonlyArray<Outcome>

const outcomeOfTag: { readonly [tag: string]: Outcome } = {
  RunFailedError: "failed",
  InvalidOutputError: "failed",
  BadRequestError: "badRequest",
  NotFoundError: "badRequest",
  ConflictError: "badRequest",
  ConfigError: "badRequest",
  FileInputError: "badRequest",
  SchemaError: "badRequest",
  UsageError: "badRequest",
  RunTimeoutError: "stillRunning",
  WaitStoppedError: "stillRunning",
  StillRunningError: "stillRunning",
  KeyError: "auth",
  AuthenticationError: "auth",
  PermissionDeniedError: "auth",
  RateLimitError: "limit",
  UsageLimitError: "limit",
  BudgetExceededError: "limit",
  CreateOutcomeUnknownError: "unknownCreate",
  DuplicateRunsError: "unknownCreate",
  ServerError: "provider",
  TransportError: "provider",
  RequestTimeoutError: "provider",
  InvalidResponseError: "provider",
  StreamInterruptedError: "provider",
  ArtifactError: "provider",
  LocalError: "local",
  RunStoreError: "local",
  BudgetError: "local",
  SqlError: "local",
  PlatformError: "local"
}

/** Returns the class of an error. An error that no operation of the library makes is a fault of the command. */
export const outcomeOf = (error: unknown): Outcome => {
  if (CliError.isCliError(error)) return "badRequest"
  if (isClosedOutput(error)) return "closedOutput"
  if (Predicate.isTagged(error, "StoppedError") && Predicate.hasProperty(error, "reason")) {
    return error.reason as Outcome
  }
  if (!Predicate.hasProperty(error, "_tag") || !Predicate.isString(error._tag)) return "internal"
  if (error._tag === "ConfigError" && Predicate.hasProperty(error, "option") && isCredential(error.option)) {
    return "auth"
  }
  // The file of an artifact is on this machine
  if (error._tag === "ArtifactError" && Predicate.hasProperty(error, "reason") && error.reason === "write") {
    return "local"
  }
  return outcomeOfTag[error._tag] ?? "internal"
}

/** Whether an option of a client holds a secret. */
const isCredential = (option: unknown): boolean => option === "apiKey" || option === "jwt"

/** Whether an error says that the reader of a pipe went away. */
const isClosedOutput = (error: unknown): boolean =>
  Predicate.hasProperty(error, "code") && error.code === "EPIPE" ||
  Predicate.hasProperty(error, "cause") && error.cause !== error && isClosedOutput(error.cause)

/** Returns the class that all outcomes share. Several classes of failure together are `failed`. */
export const together = (outcomes: Iterable<Outcome>): Outcome => {
  const failures = new Set(Array.from(outcomes).filter((outcome) => outcome !== "success"))
  const [first] = failures
  return failures.size > 1 ? "failed" : first ?? "success"
}
