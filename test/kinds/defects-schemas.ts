/** Every call of a schema or a function of the caller in the Tela client. Neither a throw nor a return value is ever a defect. */
import { assert } from "@effect/vitest"
import { Cause, Effect, Exit, Logger, Option, Schema, SchemaGetter } from "effect"
import type { StandardSchemaV1 } from "effect/StandardSchema"
import { TestClock } from "effect/testing"
import { z } from "zod"
import { RunError, RunRef } from "canvas-runs"
import { thenOnCreated } from "../../src/internal/http/create.ts"
import { failure, finish, success } from "../support/results.ts"
import { canvasId, live, setup } from "../support/tela.ts"
import type { Place } from "./kind.ts"

const schemas = "src/tela/internal/anySchema.ts"
const describe = "src/internal/describe.ts"
const canvases = "src/tela/internal/canvasParams.ts"
const shape = "src/tela/internal/compareSchemas.ts"
const tasks = "src/tela/internal/tasks.ts"

const output = { total: 42 }

/** Executes in two modes with a schema for the output, and expects an `InvalidOutputError` with the output. */
const isInvalidOutput = (schema: unknown, issue?: string) =>
  Effect.gen(function*() {
    const { emulator, tela } = yield* setup
    yield* emulator.script({ output })
    const canvas = tela.canvas.make({ id: canvasId, output: schema as Schema.Codec<unknown> })
    for (const call of [canvas.execute({}), canvas.run({})] as ReadonlyArray<Effect.Effect<unknown, unknown>>) {
      const error = failure(yield* finish(call))
      assert.instanceOf(error, RunError.InvalidOutputError)
      assert.deepStrictEqual(error.output, output)
      if (issue !== undefined) assert.include(error.issue, issue)
    }
  }).pipe(Effect.provide(live()), Effect.provide(TestClock.layer()))

/** Executes with a schema for the input, and expects a `BadRequestError` before any request. */
const isRefusedInput = (schema: unknown, variables: object = {}) =>
  Effect.gen(function*() {
    const { emulator, tela } = yield* setup
    const canvas = tela.canvas.make({ id: canvasId, input: schema as Schema.Codec<object> })
    const error = failure(yield* finish(canvas.execute(variables)))
    assert.instanceOf(error, RunError.BadRequestError)
    assert.strictEqual(error.parameter, "variables")
    assert.deepStrictEqual(yield* emulator.requests, [])
  }).pipe(Effect.provide(live()), Effect.provide(TestClock.layer()))

/** Passes a value that is not a schema to every call that accepts one, and expects a `BadRequestError` before any request. */
const isNoSchema = (schema: unknown) =>
  Effect.gen(function*() {
    const { emulator, tela } = yield* setup
    const given = schema as Schema.Codec<unknown>
    const calls: ReadonlyArray<readonly [Effect.Effect<unknown, unknown>, string]> = [
      [tela.canvas.get({ id: canvasId, output: given }), "output"],
      [tela.canvas.get({ id: canvasId, input: given }), "input"],
      [tela.canvas.make({ id: canvasId, output: given }).execute({}), "output"],
      [tela.canvas.make({ id: canvasId, input: given }).run({}), "input"],
      [tela.canvas.make({ id: canvasId, output: given }).getExecution(canvasId), "output"],
      [tela.getExecution(canvasId, { output: given }), "output"]
    ]
    for (const [call, parameter] of calls) {
      const error = failure(yield* finish(call))
      assert.instanceOf(error, RunError.BadRequestError)
      assert.deepStrictEqual([error.parameter, error.sent], [parameter, false])
      assert.include(error.message, "Schema.Number")
    }
    assert.deepStrictEqual(yield* emulator.requests, [])
  }).pipe(Effect.provide(live()), Effect.provide(TestClock.layer()))

const standard = (validate: (value: unknown) => unknown, jsonSchema?: object): StandardSchemaV1 => ({
  "~standard": {
    version: 1,
    vendor: "test",
    validate,
    ...(jsonSchema === undefined ? undefined : { jsonSchema })
  } as never
})

const transforming = (decode: (value: unknown) => unknown, encode = decode) =>
  Schema.Unknown.pipe(
    Schema.decodeTo(Schema.Unknown, { decode: SchemaGetter.transform(decode), encode: SchemaGetter.transform(encode) })
  )

/** A promise that is not an instance of this realm's `Promise`. */
const thenable = (result: unknown): PromiseLike<unknown> =>
  ({ then: (resolve: (result: unknown) => void) => resolve(result) }) as never // oxlint-disable-line unicorn/no-thenable

const throwing = (thrown: unknown) => (): never => {
  throw thrown
}

const hostile: unknown = Object.defineProperty({}, "message", { get: throwing(new Error("no message")) })
const cyclic = (() => {
  const root: Record<string, unknown> = {}
  root["self"] = root
  return root
})()

/** A look-up of a canvas that has a structured output, with schemas that have these JSON Schemas. */
const isLookedUp = (of: "input" | "output", jsonSchema: () => unknown) =>
  Effect.gen(function*() {
    const { emulator, tela } = yield* setup
    const canvas = yield* emulator.canvas({
      title: "Invoices",
      variables: [{ name: "document" }],
      structuredOutput: {
        type: "object",
        title: "",
        description: "",
        properties: { total: { type: "number" } },
        required: []
      }
    })
    const schema = standard((value) => ({ value }), { input: jsonSchema, output: jsonSchema })
    success(yield* finish(tela.canvas.get({ id: canvas.id, [of]: schema })))
  }).pipe(Effect.provide(live()), Effect.provide(TestClock.layer()))

/** Corrects the output of a task, and expects a `BadRequestError` and an unchanged output. */
const changesNothing = (update: (content: unknown) => unknown, issue: string) =>
  Effect.gen(function*() {
    const { tela } = yield* setup
    const [task] = yield* tela.tasks.create("5b8a3f8e-2b1c-4b8a-8d6f-3d1f0c2e4a55", [
      { name: "one", variables: {}, outputContent: output }
    ])
    const error = failure(yield* finish(tela.tasks.updateOutputContent(task.id, update)))
    assert.instanceOf(error, RunError.BadRequestError)
    assert.include(error.message, issue)
    assert.deepStrictEqual(yield* tela.tasks.getOutput(task.id), Option.some(output))
  }).pipe(Effect.provide(live()), Effect.provide(TestClock.layer()))

const ref = RunRef.make({ provider: "tela", kind: "execution", id: canvasId })

/** An `onCreated` that dies keeps its cause, and the ref is logged. */
const logsTheRef = (onCreated: () => Effect.Effect<unknown>) =>
  Effect.gen(function*() {
    const logged: Array<string> = []
    const logger = Logger.make(({ message }) => void logged.push(String(message)))
    const exit = yield* thenOnCreated(Effect.succeed({ ref }), onCreated).pipe(
      Effect.exit,
      Effect.provide(Logger.layer([logger]))
    )
    assert.isTrue(Exit.isFailure(exit) && !Cause.hasFails(exit.cause))
    assert.include(logged.join(), canvasId)
  })

const hasTheRef = (onCreated: () => unknown) =>
  Effect.gen(function*() {
    const error: unknown = yield* Effect.flip(
      thenOnCreated(Effect.succeed({ ref }), onCreated as () => Effect.Effect<unknown, Error>)
    )
    assert.instanceOf(error, RunError.OnCreatedError)
    assert.deepStrictEqual(error.ref, ref)
    assert.include(error.message, "not an Effect")
  })

export const places: ReadonlyArray<Place> = [
  {
    name: "convert: a schema that throws means that the value does not fit",
    mutant: {
      file: schemas,
      find: ".pipe(Effect.catchDefect((defect) => Effect.fail(`the schema threw: ${messageOf(defect)}`)))",
      replace: ""
    },
    inputs: {
      "an Effect Schema whose transform throws on the output": () =>
        isInvalidOutput(transforming(throwing(new Error("cannot read the total"))), "cannot read the total"),
      "a Standard Schema that throws on the output": () => isInvalidOutput(standard(throwing("no")), "no"),
      "a Zod schema whose transform reads a missing member": () =>
        isInvalidOutput(z.unknown().transform((value) => (value as { a: { b: string } }).a.b)),
      "an Effect Schema that throws on the variables": () => isRefusedInput(transforming(throwing(new Error("no")))),
      "variables with a getter that throws": () =>
        isRefusedInput(
          z.object({ a: z.string() }),
          Object.defineProperty({}, "a", { enumerable: true, get: throwing(new Error("no")) })
        ),
      "a Standard Schema whose promise rejects": () =>
        isInvalidOutput(standard(() => Promise.reject(new Error("offline"))), "offline")
    }
  },
  {
    name: "messageOf: any thrown value has a text",
    mutant: {
      file: describe,
      find: "(attempt(() => {",
      replace: "(((read: () => string) => read())(() => {"
    },
    inputs: {
      "Object.create(null) is thrown": () => isInvalidOutput(standard(throwing(Object.create(null)))),
      "an object whose message throws is thrown": () => isInvalidOutput(transforming(throwing(hostile))),
      "undefined is thrown on the variables": () => isRefusedInput(standard(throwing(undefined))),
      "a cycle is thrown": () => isInvalidOutput(standard(throwing(cyclic)))
    }
  },
  {
    name: "validate: any value with a then is awaited",
    mutant: {
      file: schemas,
      find: "  return Predicate.isPromiseLike(result)\n",
      replace: "  return result instanceof Promise\n"
    },
    inputs: {
      "a thenable with a value is a success with the value": () =>
        Effect.gen(function*() {
          const { emulator, tela } = yield* setup
          yield* emulator.script({ output })
          const schema = standard((value) => thenable({ value }))
          const canvas = tela.canvas.make({ id: canvasId, output: schema })
          assert.deepStrictEqual(success(yield* finish(canvas.run({}))), output)
        }).pipe(Effect.provide(live()), Effect.provide(TestClock.layer())),
      "a thenable with issues names them": () =>
        isInvalidOutput(
          standard(() => thenable({ issues: [{ message: "too late" }] })),
          "too late"
        )
    }
  },
  {
    name: "judge: a result without a value and without issues is not a success",
    mutant: {
      file: schemas,
      find: "Predicate.hasProperty(result, \"value\") && !Predicate.isPromiseLike(result)",
      replace: "true as boolean && Predicate.hasProperty({ ...result as object, value: undefined }, \"value\")"
    },
    inputs: {
      "nothing is returned": () => isInvalidOutput(standard(() => undefined), "neither a value nor issues"),
      "true is returned": () => isInvalidOutput(standard(() => true)),
      "an empty object is returned": () => isInvalidOutput(standard(() => ({}))),
      "a promise of a text is returned": () => isInvalidOutput(standard(() => Promise.resolve("ok")))
    }
  },
  {
    name: "judge: issues in any form are not a success",
    mutant: {
      file: schemas,
      find: "Array.isArray(result.issues) && result.issues.length > 0",
      replace: "(result.issues as Array<unknown>).length > 0"
    },
    inputs: {
      "issues is true": () => isInvalidOutput(standard((value) => ({ value, issues: true }))),
      "issues is a number": () => isInvalidOutput(standard((value) => ({ value, issues: 1 }))),
      "issues is empty": () => isInvalidOutput(standard((value) => ({ value, issues: [] })), "no reason"),
      "issues is a text": () => isInvalidOutput(standard((value) => ({ value, issues: "wrong" })), "no reason")
    }
  },
  {
    name: "pathOf: the path of an issue may be anything",
    mutant: {
      file: schemas,
      find: "(attempt(() => pathOf(issue)) ?? \"\")",
      replace: "pathOf(issue)"
    },
    inputs: {
      "a path with null keeps the message": () =>
        isInvalidOutput(standard(() => ({ issues: [{ message: "too small", path: [null] }] })), "too small"),
      "an issue that is null is an issue": () => isInvalidOutput(standard(() => ({ issues: [null] })), "null"),
      "a path that is a number keeps the message": () =>
        isInvalidOutput(standard(() => ({ issues: [{ message: "too big", path: { length: 1 } }] })), "too big")
    }
  },
  {
    name: "checkSchema: a value that is not a schema is rejected before any request",
    mutant: {
      file: canvases,
      find: "schema === undefined ? undefined : AnySchema.faultOf(schema)",
      replace: "undefined as string | undefined"
    },
    inputs: {
      "null": () => isNoSchema(null),
      "a function": () => isNoSchema((value: unknown) => value),
      "a JSON Schema": () => isNoSchema({ type: "object", properties: { total: { type: "number" } } }),
      "an empty object": () => isNoSchema({}),
      "a list of schemas": () => isNoSchema([Schema.String]),
      "a text": () => isNoSchema("string"),
      "a nested plain object": () => isNoSchema({ customer: { name: Schema.String } })
    }
  },
  {
    name: "faultOf: an object that cannot be read is not a schema",
    mutant: {
      file: schemas,
      find: "Option.getOrElse(readFault(schema), () => \"an object that cannot be read\")",
      replace: "Option.getOrThrow(readFault(schema))"
    },
    inputs: {
      "an object with a getter that throws": () =>
        isNoSchema(Object.defineProperty({}, "total", { enumerable: true, get: throwing(new Error("no")) })),
      "a proxy that was revoked": () => {
        const { proxy, revoke } = Proxy.revocable({}, {})
        revoke()
        return isNoSchema(proxy)
      }
    }
  },
  {
    name: "shapeOf: a field whose JSON Schema cannot be made is not compared",
    mutant: {
      file: "src/tela/internal/schemaShape.ts",
      find: "attempt(() => shapeOf(field, of)) ?? open",
      replace: "shapeOf(field, of)"
    },
    inputs: {
      "that of a field throws, and the other fields are compared": () => {
        const never = throwing(new Error("cannot be represented"))
        return isComparedField(standard(throwing("absent"), { input: never, output: never }))
      },
      "a field has none, and the other fields are compared": () => isComparedField(standard(throwing("absent"), {}))
    }
  },
  {
    name: "compare: an invalid JSON Schema is not compared",
    mutant: {
      file: shape,
      find: "attempt(differences) ?? []",
      replace: "differences()"
    },
    inputs: {
      "the output's throws": () => isLookedUp("output", throwing(new Error("cannot be represented"))),
      "the input's is undefined": () => isLookedUp("input", () => undefined),
      "properties of the input is null": () => isLookedUp("input", () => ({ type: "object", properties: null })),
      "the output's union refers to itself without end": () => {
        const union: { anyOf?: ReadonlyArray<unknown> } = {}
        union.anyOf = [union]
        return isLookedUp("output", () => union)
      }
    }
  },
  {
    name: "takesUndefined: a field of a plain object may throw when it is asked whether it is optional",
    mutant: {
      file: schemas,
      find: "attempt(() => Result.isSuccess(judge(schema[\"~standard\"].validate(undefined)))) === true",
      replace: "Result.isSuccess(judge(schema[\"~standard\"].validate(undefined)))"
    },
    inputs: {
      "a field that throws on undefined is compared as required": () =>
        isComparedField(standard(throwing(new Error("no")))),
      "a field whose result cannot be read is compared as required": () =>
        isComparedField(standard(() => Object.defineProperty({}, "issues", { get: throwing(new Error("no")) })))
    }
  },
  {
    name: "updateOutputContent: an update that throws changes nothing",
    mutant: {
      file: tasks,
      find: "try: () => update(outputContent?.content),",
      replace: "try: ((value) => () => value)(update(outputContent?.content)),"
    },
    inputs: {
      "it reads a missing member": () =>
        changesNothing((content) => (content as { lines: Array<string> }).lines.length, "update threw"),
      "it throws an object without a prototype": () => changesNothing(throwing(Object.create(null)), "update threw")
    }
  },
  {
    name: "updateOutputContent: a Promise is rejected as an output",
    mutant: { file: tasks, find: "if (Predicate.isPromiseLike(updated)) {", replace: "if (updated === decodeTask) {" },
    inputs: {
      "an async function": () => changesNothing((content) => Promise.resolve(content), "Promise"),
      "a thenable": () => changesNothing(() => thenable(output), "Promise")
    }
  },
  {
    name: "thenOnCreated: the ref is logged when onCreated dies",
    mutant: {
      file: "src/internal/http/create.ts",
      find: "Cause.hasFails(cause) ? Effect.void :",
      replace: "Cause.hasFails(cause) || !Cause.hasFails(cause) ? Effect.void :"
    },
    inputs: {
      "onCreated throws": () => logsTheRef(throwing(new TypeError("store is undefined"))),
      "onCreated interrupts itself": () => logsTheRef(() => Effect.interrupt)
    }
  },
  {
    name: "thenOnCreated: a hook that returns no Effect is an OnCreatedError with the ref",
    mutant: {
      file: "src/internal/http/create.ts",
      find: "return Effect.isEffect(stored)\n",
      replace: "return stored !== ref\n"
    },
    inputs: {
      "onCreated returns nothing": () => hasTheRef(() => undefined),
      "onCreated returns a Promise": () => hasTheRef(() => Promise.resolve())
    }
  }
]

/** Looks a canvas up with a plain object that has this field, and another fault, which is still found. */
const isComparedField = (field: StandardSchemaV1) =>
  Effect.gen(function*() {
    const { emulator, tela } = yield* setup
    const canvas = yield* emulator.canvas({
      title: "Letters",
      variables: [{ name: "topic", required: true }],
      structuredOutput: {
        type: "object",
        title: "",
        description: "",
        properties: { topic: { type: "string" } },
        required: []
      }
    })
    for (const side of ["input", "output"] as const) {
      const error = failure(
        yield* finish(tela.canvas.get({ id: canvas.id, [side]: { topic: field, stray: Schema.String } }))
      )
      assert.instanceOf(error, RunError.BadRequestError)
      assert.include(error.message, "stray")
      assert.notInclude(error.message, "\"topic\"")
    }
  }).pipe(Effect.provide(live()), Effect.provide(TestClock.layer()))
