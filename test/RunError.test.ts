import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Schema } from "effect"
import { RunError, RunRef, RunStore } from "canvas-runs"

const ref = RunRef.make({ provider: "spine", kind: "run", id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11", createdAt: 1 })

const cyclic: Record<string, unknown> = { a: 1n }
cyclic.self = cyclic

const revoked = Proxy.revocable({}, {})
revoked.revoke()

/** The values that a server, a program without `exactOptionalPropertyTypes` or a JavaScript program can put into a field. */
const hostile: ReadonlyArray<unknown> = [
  undefined,
  null,
  NaN,
  Infinity,
  -0,
  1n,
  "",
  Symbol("x"),
  () => "x",
  [],
  [undefined, { error: "x" }, Symbol("y")],
  {},
  Object.create(null),
  cyclic,
  revoked.proxy,
  new Proxy({}, {
    get: () => {
      throw new Error("a trap")
    }
  }),
  {
    get message() {
      throw new Error("a getter")
    }
  },
  { ...ref, createdAt: undefined },
  { ...ref, createdAt: NaN, requestId: null },
  { ...ref, id: "" },
  new Error("an error", { cause: cyclic }),
  new Date(NaN)
]

/** Every error class of the library, with fields that fit. */
const request = { message: "m", operation: "o", attempts: 1, elapsed: Duration.seconds(1), status: 500, ref, body: {} }
const classes: ReadonlyArray<readonly [Class: ErrorClass, fields: Readonly<Record<string, unknown>>]> = [
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
  [RunStore.RunStoreError as unknown as ErrorClass, {
    message: "m",
    operation: "o",
    reason: "record",
    key: "k",
    ref,
    cause: "x"
  }]
]

interface ErrorClass extends Schema.Codec<Error & { readonly _tag: string; readonly ref?: RunRef.RunRef }> {
  new(
    fields: unknown
  ): Error & { readonly _tag: string; readonly ref?: RunRef.RunRef; readonly [field: string]: unknown }
  readonly fields: Readonly<Record<string, unknown>>
  readonly identifier: string
}

describe("constructing an error never fails", () => {
  it("C1: the table has every error class that the library exports", () => {
    const exported = [...Object.values(RunError), ...Object.values(RunStore)].filter((value) =>
      typeof value === "function" && value.prototype instanceof Error
    )
    assert.sameMembers(classes.map(([Class]) => Class as unknown), exported)
  })

  for (const [Class, fields] of classes) {
    it(`C1: ${Class.identifier} can be constructed with any value in any field, and is read back from JSON`, () => {
      const json = Schema.toCodecJson(Class)
      const check = (fields: unknown, context: string) => {
        const error = new Class(fields)
        assert.instanceOf(error, Class, context)
        assert.instanceOf(error, Error, context)
        assert.strictEqual(error._tag, Class.identifier, context)
        assert.isString(error.message, context)
        const read = Schema.decodeUnknownSync(json)(JSON.parse(JSON.stringify(Schema.encodeSync(json)(error))))
        assert.instanceOf(read, Class, context)
        assert.strictEqual(read.message, error.message, context)
        return error
      }
      check(fields, "fitting")
      for (const name of Object.keys(Class.fields).filter((name) => name !== "_tag")) {
        for (const [index, value] of hostile.entries()) check({ ...fields, [name]: value }, `${name}, value ${index}`)
        const { [name]: _, ...others } = fields
        check(others, `without ${name}`)
      }
      for (const value of hostile) check(value, "instead of the fields")
    })
  }

  it("C1: valid fields and the id of a ref are kept", () => {
    const odd = { ...request, status: NaN, requestId: 5, ref: { ...ref, createdAt: undefined, requestId: null } }
    const error = new RunError.ServerError(odd as never)
    assert.strictEqual(error.message, "m")
    assert.strictEqual(error.attempts, 1)
    assert.isFalse("status" in error)
    assert.isFalse("requestId" in error)
    assert.deepStrictEqual(error.ref, { version: 1, provider: "spine", kind: "run", id: ref.id })
    const unnamed = new RunError.RunFailedError(
      { message: "m", ref: { provider: "spine", id: "" }, errors: ["a", { error: "b" }, 5n], run: cyclic } as never
    )
    assert.deepStrictEqual(unnamed.ref, { version: 1, provider: "spine", kind: "unknown", id: "unknown" })
    assert.lengthOf(unnamed.errors, 3)
    assert.strictEqual(unnamed.run, cyclic)
  })

  it.effect("C1: an error can be yielded as a failure in Effect.gen", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Effect.gen(function*() {
        return yield* new RunError.NotFoundError({ ...request, status: NaN })
      }))
      assert.strictEqual(error._tag, "NotFoundError")
      assert.isFalse(error.isRetryable)
    }))
})
