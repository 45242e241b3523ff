/** The error classes of the library. */
import { Duration, type Schema } from "effect"
import { Budget, RunError, RunRef, RunStore } from "canvas-runs"

export interface ErrorClass extends Schema.Codec<Error & { readonly _tag: string; readonly ref?: RunRef.RunRef }> {
  new(
    fields: unknown
  ): Error & { readonly _tag: string; readonly ref?: RunRef.RunRef; readonly [field: string]: unknown }
  readonly fields: Readonly<Record<string, unknown>>
  readonly identifier: string
}

export const ref = RunRef.make({
  provider: "spine",
  kind: "run",
  id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11",
  createdAt: 1
})

/** The fields of an error of a request. */
export const request = {
  message: "m",
  operation: "o",
  attempts: 1,
  elapsed: Duration.seconds(1),
  status: 500,
  ref,
  body: {}
}
/** Every error class, with fields that fit. */
export const classes: ReadonlyArray<readonly [Class: ErrorClass, fields: Readonly<Record<string, unknown>>]> = [
  ...[
    RunError.AuthenticationError,
    RunError.UsageLimitError,
    RunError.PermissionDeniedError,
    RunError.NotFoundError,
    RunError.ConflictError,
    RunError.RateLimitError,
    RunError.ServerError,
    RunError.RequestTimeoutError
  ].map((Class) => [Class as unknown as ErrorClass, request] as const),
  [RunError.BadRequestError as unknown as ErrorClass, { ...request, sent: false, parameter: "p" }],
  [RunError.TransportError as unknown as ErrorClass, { ...request, reached: false, code: "E", cause: new Error("x") }],
  [RunError.InvalidResponseError as unknown as ErrorClass, { ...request, isRetryable: true, contentType: "text/html" }],
  [RunError.CreateOutcomeUnknownError as unknown as ErrorClass, { ...request, cause: new Error("x") }],
  [RunError.OnCreatedError as unknown as ErrorClass, { message: "m", ref, cause: "x" }],
  [RunError.RunTimeoutError as unknown as ErrorClass, {
    message: "m",
    ref,
    reason: "deadline",
    elapsed: Duration.seconds(1),
    polls: 1,
    history: [{ elapsedMs: 1, outcome: "running", polls: 1 }],
    lastSnapshot: {}
  }],
  [RunError.WaitStoppedError as unknown as ErrorClass, { message: "m", ref }],
  [RunError.RunFailedError as unknown as ErrorClass, { message: "m", ref, errors: ["x"], run: {}, requestId: "r" }],
  [RunError.InvalidOutputError as unknown as ErrorClass, { message: "m", ref, issue: "i", output: {}, requestId: "r" }],
  [RunError.StreamInterruptedError as unknown as ErrorClass, {
    message: "m",
    ref,
    reason: "idle",
    received: { message: "a", structured: {}, chunks: 1 },
    elapsed: Duration.seconds(1),
    cause: "x"
  }],
  [RunError.ArtifactError as unknown as ErrorClass, {
    message: "m",
    artifact: "a",
    reason: "size",
    ref,
    status: 500,
    expectedBytes: 1,
    receivedBytes: 2,
    retryAfter: Duration.seconds(1),
    isRetryable: false,
    cause: "x"
  }],
  [RunError.FileInputError as unknown as ErrorClass, {
    message: "m",
    file: "f",
    reason: "read",
    variable: "v",
    status: 500,
    isRetryable: false,
    cause: "x"
  }],
  [RunError.WebhookSignatureError as unknown as ErrorClass, { message: "m", reason: "stale" }],
  [RunError.ConfigError as unknown as ErrorClass, { message: "m", option: "o", cause: "x" }],
  [RunStore.DuplicateRunsError as unknown as ErrorClass, { message: "m", operation: "o", key: "k", refs: [ref, ref] }],
  [RunStore.RunStoreError as unknown as ErrorClass, {
    message: "m",
    operation: "o",
    reason: "record",
    key: "k",
    ref,
    cause: "x"
  }],
  [Budget.BudgetExceededError as unknown as ErrorClass, {
    message: "m",
    account: "a",
    limit: 3,
    spent: 1,
    reserved: 1,
    estimate: 2
  }],
  [Budget.BudgetError as unknown as ErrorClass, { message: "m", operation: "o", cause: "x" }]
]
