import { assert, describe, it } from "@effect/vitest"
import { Effect, Equal, Schema } from "effect"
import { Budget, RunError, RunStore, Tela } from "canvas-runs"
import { DurableRun } from "canvas-runs/workflow"
import { classes, ref, request } from "./support/errors.ts"

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

describe("constructing an error never fails", () => {
  it("C1: the table has every error class that the library exports", () => {
    const exported = [RunError, RunStore, Budget].flatMap((module) => Object.values<unknown>(module)).filter((value) =>
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

/** Values for the fields that hold anything, and for a ref, which the class may replace by a valid one. */
const arbitraryFields: Readonly<Record<string, Schema.Top>> = {
  message: Schema.String,
  body: Schema.Json,
  run: Schema.Json,
  output: Schema.Json,
  lastSnapshot: Schema.Json,
  received: Schema.Struct({ message: Schema.String, structured: Schema.Json, chunks: Schema.Finite }),
  ref: Schema.Struct({
    version: Schema.Literal(1),
    provider: Schema.NonEmptyString,
    kind: Schema.NonEmptyString,
    id: Schema.NonEmptyString,
    createdAt: Schema.Finite
  })
}

const writeAndRead = <A>(schema: Schema.Codec<A, unknown>, value: A): A => {
  const json = Schema.toCodecJson(schema)
  return Schema.decodeUnknownSync(json)(JSON.parse(JSON.stringify(Schema.encodeSync(json)(value))))
}

describe("an error in JSON", () => {
  it("C1: an error is the same one under the schema of each union that it belongs to", () => {
    const output = new RunError.InvalidOutputError({ message: "m", ref, issue: "i", output: 1 })
    const unions = [Tela.ResultError, Tela.CanvasRunError, Tela.SyncError, Tela.StreamError, DurableRun.Error]
    for (const union of unions) assert.instanceOf(writeAndRead<unknown>(union, output), RunError.InvalidOutputError)
    const limited = new RunError.RateLimitError(request)
    for (const union of [...unions, Tela.ExecuteError, RunError.WatchError, RunError.DownloadError]) {
      assert.instanceOf(writeAndRead<unknown>(union, limited), RunError.RateLimitError)
    }
  })

  for (const [Class] of classes) {
    const fields = Object.fromEntries(
      Object.entries(Class.fields)
        .filter(([name]) => name !== "_tag" && name !== "cause")
        .map(([name, field]) => [name, arbitraryFields[name] ?? field as Schema.Top])
    )

    it.effect.prop(
      `C1: ${Class.identifier} is the same error after it was written and read`,
      { given: Schema.Struct(fields) },
      ({ given }) =>
        Effect.sync(() => {
          const error = new Class({ ...given, cause: new Error("the cause") })
          const read = writeAndRead(Class, error)
          assert.instanceOf(read, Class)
          const { cause, ...others } = error as { readonly cause?: unknown }
          const { cause: readCause, ...readOthers } = read as { readonly cause?: unknown }
          // JSON has no -0, which is equal to 0 here
          assert.isTrue(Equal.equals(readOthers, others), `${JSON.stringify(readOthers)} ${JSON.stringify(others)}`)
          assert.strictEqual((readCause as Error | undefined)?.message, (cause as Error | undefined)?.message)
        })
    )
  }

  it("C1: a cause that is an error of a request or of a file keeps its class, at every depth", () => {
    const server = new RunError.ServerError({ ...request, body: null })
    const file = new RunError.FileInputError({
      message: "m",
      file: "f",
      reason: "upload",
      reached: true,
      isRetryable: true,
      cause: server
    })
    const error = writeAndRead(
      RunError.CreateError,
      new RunError.CreateOutcomeUnknownError({ ...request, cause: file })
    )
    assert.instanceOf(error, RunError.CreateOutcomeUnknownError)
    assert.instanceOf(error.cause, RunError.FileInputError)
    assert.instanceOf(error.cause.cause, RunError.ServerError)
    assert.isNull(error.cause.cause.body)
  })

  it("C1: a value that JSON does not have becomes a similar one", () => {
    const run = { missing: undefined, list: [undefined], number: NaN, big: 1n, date: new Date(0) }
    const error = writeAndRead(
      RunError.WaitError,
      new RunError.RunFailedError({ message: "m", ref, errors: [], run })
    )
    assert.instanceOf(error, RunError.RunFailedError)
    assert.deepStrictEqual(error.run, { list: [null], number: null, big: "1n", date: "1970-01-01T00:00:00.000Z" })
    const empty = writeAndRead(
      RunError.InvalidOutputError,
      new RunError.InvalidOutputError({ message: "m", ref, issue: "i", output: undefined })
    )
    assert.isNull(empty.output)
  })
})
