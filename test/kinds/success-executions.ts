/** Every expression that decides whether an execution or a task has succeeded or ended. */
import { assert } from "@effect/vitest"
import { Effect, Fiber, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { RunError, RunStore, type Tela } from "canvas-runs"
import { failure, finish, success } from "../support/results.ts"
import { applicationId, canvasId, live, setup } from "../support/tela.ts"
import type { Place } from "./kind.ts"
import { clientsOn } from "../support/clients.ts"
import { answering, json } from "../support/http.ts"

const snapshots = "src/tela/internal/source.ts"
const answers = "src/tela/internal/syncAnswer.ts"
const following = "src/tela/internal/follow.ts"
const modes = "src/tela/internal/execute.ts"
const outputs = "src/tela/internal/output.ts"

const Output = Schema.Struct({ total: Schema.Number })

/** A provider that answers with these bodies in order, and repeats the last one. */
const answered = <A, E>(
  bodies: ReadonlyArray<unknown>,
  use: (tela: Tela.Service) => Effect.Effect<A, E>,
  status = 200
): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    const { client } = answering(({ index }) => json(bodies[Math.min(index, bodies.length - 1)], status))
    return Effect.flatMap(clientsOn(client), ({ tela }) => use(tela))
  }).pipe(Effect.provide(TestClock.layer()))

const execution = (status: string, content: unknown = { total: 1 }) => ({
  id: canvasId,
  status,
  output_content: { content }
})
const task = (status: string, content: unknown = { total: 1 }) => ({ id: canvasId, status, outputContent: { content } })
const workflow = (status: string) => ({ id: canvasId, status, steps: [{ output: { total: 1 } }] })

/** Looks it up, waits for its result, and expects that the wait ends by its deadline. */
const isNoEnd = (bodies: ReadonlyArray<unknown>, params: Tela.GetExecutionParams = {}) =>
  answered(bodies, (tela) =>
    Effect.gen(function*() {
      const found = yield* tela.getExecution(canvasId, { output: Output, ...params })
      const error = failure(yield* finish(found.result))
      assert.instanceOf(error, RunError.RunTimeoutError)
    }))

const failsWith = (tag: string, bodies: ReadonlyArray<unknown>, params: Tela.GetExecutionParams = {}) =>
  answered(bodies, (tela) =>
    Effect.gen(function*() {
      const exit = yield* finish(
        Effect.flatMap(tela.getExecution(canvasId, { output: Output, ...params }), ({ result }) => result)
      )
      assert.strictEqual(failure(exit)._tag, tag)
    }))

const hasStatus = (status: Tela.ExecutionStatus, body: unknown, params: Tela.GetExecutionParams = {}) =>
  answered([body], (tela) =>
    Effect.gen(function*() {
      const found = yield* tela.getExecution(canvasId, { output: Output, ...params })
      assert.strictEqual(yield* found.status, status)
    }))

/** Moves the clock in small steps, each with the time that responses need, until the effect has ended. */
const ended = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(effect)
    while (fiber.pollUnsafe() === undefined) {
      yield* TestClock.adjust("100 millis")
      yield* Effect.promise(() => new Promise(setImmediate))
    }
    return yield* Fiber.join(fiber)
  })

/** The result of an execution that is looked up. */
const resultIs = (expected: unknown, bodies: ReadonlyArray<unknown>, params: Tela.GetExecutionParams = {}) =>
  answered(bodies, (tela) =>
    Effect.gen(function*() {
      const result = Effect.flatMap(tela.getExecution(canvasId, { output: Output, ...params }), ({ result }) => result)
      assert.deepStrictEqual(yield* ended(result), expected)
    }))

/** The result of a new execution: the first body answers the creation. */
const executionIs = (bodies: ReadonlyArray<unknown>) =>
  answered(bodies, (tela) =>
    Effect.gen(function*() {
      const canvas = tela.canvas.make({ id: canvasId, output: Output })
      const result = Effect.flatMap(canvas.execute({}, { async: true }), ({ result }) => result)
      assert.deepStrictEqual(yield* ended(result), { total: 1 })
    }))

const newTask = { name: "A", variables: {} }

const executing = (tela: Tela.Service, kind: "execution" | "task") =>
  kind === "task"
    ? tela.canvas.make({ applicationId }).execute({})
    : tela.canvas.make({ id: canvasId }).execute({}, { async: true })

/** The store keeps the ref, and the status is assumed until the first poll. */
const isCreated = (body: unknown, kind: "execution" | "task" = "execution") =>
  answered([body, kind === "task" ? task("completed") : execution("succeeded")], (tela) =>
    Effect.gen(function*() {
      const store = yield* RunStore.RunStore
      const ref = yield* store.runOnce("key", executing(tela, kind))
      assert.deepInclude(ref, { id: canvasId, kind })
      const entry = yield* store.get("key")
      assert.deepInclude(entry, { _tag: "Created", ref })
    }).pipe(Effect.provide(RunStore.layerMemory)))

const isUnknown = (body: unknown, kind: "execution" | "task" = "execution") =>
  answered([body], (tela) =>
    Effect.gen(function*() {
      const store = yield* RunStore.RunStore
      const error = yield* Effect.flip(store.runOnce("key", executing(tela, kind)))
      assert.strictEqual(error._tag, "CreateOutcomeUnknownError")
      assert.strictEqual((yield* store.get("key"))?._tag, "Unknown")
    }).pipe(Effect.provide(RunStore.layerMemory)))

/** The wait fails with an error that names the missing field, and has the ref and the last response. */
const hasNoOutput = (bodies: ReadonlyArray<unknown>, params: Tela.GetExecutionParams = {}) =>
  answered(bodies, (tela) =>
    Effect.gen(function*() {
      const exit = yield* finish(
        Effect.flatMap(tela.getExecution(canvasId, { ...params }), ({ result }) => result)
      )
      const error = failure(exit)
      assert.instanceOf(error, RunError.InvalidResponseError)
      assert.isTrue(error.isRetryable)
      assert.strictEqual(error.ref?.id, canvasId)
      assert.deepStrictEqual(error.body, bodies.at(-1))
      assert.match(
        error.message,
        /the status is "\w+", and the (?:content of the output|output of the last step) is missing/
      )
    }))

const completion = (more: object, choice?: object) => ({
  id: "crsv-7",
  choices: [{ message: { content: { total: 1 } }, ...choice }],
  ...more
})

const syncFailsWith = (tag: string, body: unknown, status = 200) =>
  answered([body], (tela) =>
    Effect.gen(function*() {
      const canvas = tela.canvas.make({ id: canvasId, output: Output })
      assert.strictEqual(failure(yield* finish(canvas.execute({})))._tag, tag)
    }), status)

/** An execution on the emulator whose output does not fit. */
const misfit = (
  use: (canvas: Tela.Canvas<Tela.Variables, { readonly total: number }>) => Effect.Effect<void, unknown>
) =>
  Effect.gen(function*() {
    const { emulator, tela } = yield* setup
    for (const output of [{ total: "a lot" }, "text", null]) {
      yield* emulator.script({ output })
      yield* use(tela.canvas.make({ id: canvasId, output: Output }))
    }
  }).pipe(Effect.provide(live()), Effect.provide(TestClock.layer()))

export const places: ReadonlyArray<Place> = [
  {
    name: "classify: only the status succeeded is a success",
    mutant: {
      file: snapshots,
      find: "  run.status === \"succeeded\"\n    ? { _tag: \"Succeeded\", run }",
      replace: "  run.status !== \"failed\"\n    ? { _tag: \"Succeeded\", run }"
    },
    inputs: {
      "a status in capitals is polled until the deadline": () => isNoEnd([execution("SUCCEEDED")]),
      "an execution that is created, with an output, is not a success": () => isNoEnd([execution("created")]),
      "an unknown status after a known one is not a success": () =>
        isNoEnd([execution("running"), execution("archived")])
    }
  },
  {
    name: "statusIn: a status is looked up among the known ones, and not in the prototype",
    mutant: {
      file: snapshots,
      find: "Object.hasOwn(table, status) ? table[status]! : \"unknown\"",
      replace: "table[status] ?? \"unknown\""
    },
    inputs: {
      "an execution with the status constructor is unknown": () => hasStatus("unknown", execution("constructor")),
      "a task with the status toString is unknown": () => hasStatus("unknown", task("toString"), { isTask: true })
    }
  },
  {
    name: "runStatus: a status of tasks or workflows does not end an execution",
    mutant: {
      file: snapshots,
      find: "const runStatus: StatusTable = { ",
      replace: "const runStatus: StatusTable = { completed: \"succeeded\", validating: \"succeeded\", "
    },
    inputs: {
      "an execution that is completed is polled further": () => isNoEnd([execution("completed")]),
      "an execution that is validating is polled further": () =>
        isNoEnd([execution("running"), execution("validating")])
    }
  },
  {
    name: "workflowStatus: a running workflow is not a success, even with outputs of steps",
    mutant: {
      file: snapshots,
      find: "{ running: \"running\", completed: \"succeeded\"",
      replace: "{ running: \"succeeded\", succeeded: \"succeeded\", completed: \"succeeded\""
    },
    inputs: {
      "a workflow that runs is polled further": () => isNoEnd([workflow("running")]),
      "a workflow with the status of an execution is polled further": () => isNoEnd([workflow("succeeded")])
    }
  },
  {
    name: "taskStatus: the output of a task counts from validating on",
    mutant: {
      file: snapshots,
      find: "  running: \"running\",\n  validating:",
      replace: "  running: \"succeeded\",\n  validating:"
    },
    inputs: {
      "a running task with an output from its creation is polled further": () =>
        isNoEnd([task("running")], { isTask: true }),
      "a task that runs again after a correction is polled further": () =>
        isNoEnd([task("created"), task("running")], { isTask: true })
    }
  },
  {
    name: "taskStatus: a cancelled task has failed, with any output",
    mutant: { file: snapshots, find: "cancelled: \"failed\"", replace: "cancelled: \"running\"" },
    inputs: {
      "a cancelled task is a RunFailedError": () => failsWith("RunFailedError", [task("cancelled")], { isTask: true }),
      "a task that is cancelled while it is waited for is a RunFailedError": () =>
        failsWith("RunFailedError", [task("running"), task("cancelled")], { isTask: true })
    }
  },
  {
    name: "decodeSync: a workflow succeeds synchronously only with the status completed",
    mutant: {
      file: answers,
      find: "      decodeStatus(isWorkflow(body) ? \"completed\" : \"succeeded\")(body),\n",
      replace: "      isWorkflow(body) ? Effect.void : decodeStatus(\"succeeded\")(body),\n"
    },
    inputs: {
      "a synchronous answer with a running workflow leaves the outcome open": () =>
        syncFailsWith("CreateOutcomeUnknownError", workflow("running")),
      "a synchronous answer with a workflow in capitals leaves the outcome open": () =>
        syncFailsWith("CreateOutcomeUnknownError", workflow("COMPLETED"))
    }
  },
  {
    name: "decodeSync: a run succeeds synchronously only with the status succeeded",
    mutant: {
      file: answers,
      find: "      decodeStatus(isWorkflow(body) ? \"completed\" : \"succeeded\")(body),\n",
      replace: "      isWorkflow(body) ? decodeStatus(\"completed\")(body) : Effect.void,\n"
    },
    inputs: {
      "a synchronous answer with a run that was created leaves the outcome open": () =>
        syncFailsWith("CreateOutcomeUnknownError", execution("created")),
      "a synchronous answer with a run in capitals leaves the outcome open": () =>
        syncFailsWith("CreateOutcomeUnknownError", execution("SUCCEEDED"))
    }
  },
  {
    name: "decodeSync: a completion with a status other than success leaves the outcome unknown",
    mutant: {
      file: answers,
      find: "Effect.andThen(decodeEnded(body), decodeChat(body))",
      replace: "decodeChat(body)"
    },
    inputs: {
      "in_progress": () => syncFailsWith("CreateOutcomeUnknownError", completion({ status: "in_progress" })),
      "running, beside a stop": () =>
        syncFailsWith("CreateOutcomeUnknownError", completion({ status: "Running" }, { finish_reason: "stop" }))
    }
  },
  {
    name: "decodeSync: the reason counts under both of its names",
    mutant: {
      file: answers,
      find: "choice.finish_reason ?? choice.finishReason",
      replace: "choice.finish_reason"
    },
    inputs: {
      "finishReason failed": () => syncFailsWith("RunFailedError", completion({}, { finishReason: "failed" })),
      "finishReason canceled, beside a null": () =>
        syncFailsWith("RunFailedError", completion({}, { finish_reason: null, finishReason: "canceled" }))
    }
  },
  {
    name: "statusIn: an error beside a status of success is a failure",
    mutant: {
      file: snapshots,
      find: "said === \"succeeded\" && errorIn(body) !== undefined ? \"failed\" : said",
      replace: "said"
    },
    inputs: {
      "an execution that succeeded with an error text": () =>
        failsWith("RunFailedError", [execution("running"), { ...execution("succeeded"), error: "evicted" }]),
      "a workflow that is completed with a list of errors": () =>
        failsWith("RunFailedError", [{ ...workflow("completed"), errors: [{ message: "step 2" }] }]),
      "a task that is validating with an error": () =>
        failsWith("RunFailedError", [{ ...task("validating"), error: { code: "X" } }], { isTask: true })
    },
    control: () => hasStatus("succeeded", { ...execution("succeeded"), error: null, errors: [] })
  },
  {
    name: "saysThatItFailed: a run with the status failed has ended, also in a response of 5xx",
    mutant: {
      file: answers,
      find: "/^failed$/i.test(textIn(body, \"status\")) ||",
      replace: "/^never$/i.test(textIn(body, \"status\")) ||"
    },
    inputs: {
      "500 with a failed execution is a RunFailedError": () =>
        syncFailsWith("RunFailedError", execution("failed", null), 500),
      "504 with a failed workflow is a RunFailedError": () => syncFailsWith("RunFailedError", workflow("FAILED"), 504)
    }
  },
  {
    name: "saysThatItFailed: no other status in a 5xx ends an execution",
    mutant: {
      file: answers,
      find: "/^(?:execution|run|completion|workflow)[_-]?failed(?:[_-]?error)?$/i",
      replace: "/failed/i"
    },
    inputs: {
      "PROVIDER_REQUEST_FAILED leaves the outcome open": () =>
        syncFailsWith("CreateOutcomeUnknownError", { code: "PROVIDER_REQUEST_FAILED", message: "x" }, 502),
      "EXECUTION_FAILED_TO_START leaves the outcome open": () =>
        syncFailsWith("CreateOutcomeUnknownError", { code: "EXECUTION_FAILED_TO_START", message: "x" }, 500)
    }
  },
  {
    name: "retrieve: an answer about another execution is an error",
    mutant: {
      file: snapshots,
      find: "about(ref, decodeWhole(kind))",
      replace: "decodeWhole(kind)"
    },
    inputs: {
      "another execution's success is an InvalidResponseError": () =>
        failsWith("InvalidResponseError", [{ ...execution("succeeded"), id: "another" }]),
      "another task's success, while this one is polled, is an InvalidResponseError": () =>
        failsWith("InvalidResponseError", [task("running"), { ...task("validating"), id: "another" }], { isTask: true })
    }
  },
  {
    name: "decodeWhole: a success without an output is not a success, in any form of the response",
    mutant: {
      file: snapshots,
      find: "hasNoOutput(kind, body) ? noOutput(body) : Effect.void,",
      replace: "Effect.void,"
    },
    inputs: {
      "output_content is null": () =>
        hasNoOutput([execution("running"), { ...execution("succeeded"), output_content: null }]),
      "output_content is absent": () => hasNoOutput([{ id: canvasId, status: "succeeded" }]),
      "outputContent has no content": () =>
        hasNoOutput([{ id: canvasId, status: "succeeded", outputContent: { role: "assistant" } }]),
      "a task is validating without output": () =>
        hasNoOutput([{ ...task("validating"), outputContent: null }], { isTask: true }),
      "a task of a workflow has no steps": () =>
        hasNoOutput([task("running"), { ...task("completed"), outputContent: { steps: [] } }], { isTask: true }),
      "a workflow has no steps": () => hasNoOutput([{ ...workflow("completed"), steps: [] }]),
      "the last step of a workflow has no output": () =>
        hasNoOutput([{ ...workflow("completed"), steps: [{ output: 1 }, { name: "last" }] }]),
      "a synchronous workflow has no steps": () =>
        syncFailsWith("CreateOutcomeUnknownError", { ...workflow("completed"), steps: [] }),
      "a synchronous run has no content": () =>
        syncFailsWith("CreateOutcomeUnknownError", { ...execution("succeeded"), output_content: { role: "assistant" } })
    },
    control: () =>
      answered([execution("succeeded", null)], (tela) =>
        Effect.gen(function*() {
          const { result } = yield* tela.getExecution(canvasId, { output: Schema.Null })
          assert.isNull(yield* result)
        }))
  },
  {
    name: "isStale: an output that is stored later than the status is awaited",
    mutant: { file: snapshots, find: "isAbout(ref, body) && hasNoOutput(kind, body),", replace: "false," },
    inputs: {
      "of an execution": () =>
        resultIs({ total: 1 }, [
          execution("running"),
          { ...execution("succeeded"), output_content: null },
          execution("succeeded")
        ]),
      "of a task of a workflow": () =>
        resultIs({ total: 1 }, [
          task("running"),
          { ...task("validating"), outputContent: { steps: [] } },
          { ...task("validating"), outputContent: { steps: [{ output: { total: 1 } }] } }
        ], { isTask: true }),
      "of one that is looked up": () =>
        resultIs({ total: 1 }, [{ ...workflow("completed"), steps: [] }, workflow("completed")])
    },
    control: () =>
      failsWith("InvalidResponseError", [{ ...execution("succeeded"), id: "another" }, execution("succeeded")])
  },
  {
    name: "decodeCreated: an id is enough to follow a new execution",
    mutant: {
      file: snapshots,
      find: "isId(field(body, \"id\")) && errorIn(body) === undefined",
      replace: "field(body, \"id\") === 0"
    },
    inputs: {
      "B5: the status of an execution is absent, null, a number or an object": () =>
        Effect.forEach([undefined, null, 5, {}], (status) => isCreated({ ...execution("created"), status })),
      "B5: the output or another field of an execution is odd": () =>
        Effect.forEach(
          [{ output_content: 5 }, { output_content: { content: 1 }, outputContent: [] }, { status: 0, steps: [7] }],
          (odd) => isCreated({ ...execution("running"), ...odd })
        ),
      "B5: the status or the output of a task is odd": () =>
        Effect.forEach(
          [{ status: undefined }, { status: null }, { status: 7, name: 7 }, { outputContent: "text" }],
          (odd) => isCreated({ ...task("running"), ...odd }, "task")
        ),
      "B5: the same in a list of one": () =>
        Effect.andThen(isCreated([{ id: canvasId }]), isCreated([{ id: canvasId, status: null }], "task")),
      "B5: tasks.create keeps all tasks that have an id": () =>
        answered(
          [[{ id: "a" }, { id: "b", status: 5, name: "B", tags: ["x"] }, task("running")]],
          (tela) =>
            Effect.gen(function*() {
              const created = yield* tela.tasks.create(applicationId, [newTask, newTask, newTask])
              assert.deepStrictEqual(created.map(({ id, status }) => [id, status]), [
                ["a", "created"],
                ["b", "created"],
                [canvasId, "running"]
              ])
              assert.deepInclude(created[1], {
                name: "B",
                tags: ["x"],
                raw: { id: "b", status: 5, name: "B", tags: ["x"] }
              })
            })
        )
    },
    control: () => Effect.andThen(isCreated([execution("created")]), isCreated([task("running")], "task"))
  },
  {
    name: "decodeCreated: an error or a completion names no execution, with any id",
    mutant: {
      file: snapshots,
      find: " && errorIn(body) === undefined && !Array.isArray(field(body, \"choices\"))",
      replace: ""
    },
    inputs: {
      "an error with an id": () => isUnknown({ id: "err-1", error: { message: "quota" } }),
      "a status of 4xx": () => isUnknown({ id: "err-1", status: 422, message: "no" }),
      "success false, for a task": () => isUnknown({ id: "err-1", success: false }, "task"),
      "a completion": () => isUnknown(completion({})),
      "a list of one error": () => isUnknown([{ id: "err-1", type: "error" }]),
      "an error in the list of tasks": () =>
        answered([[task("running"), { id: "err-1", error: "quota" }]], (tela) =>
          Effect.gen(function*() {
            const error = yield* Effect.flip(tela.tasks.create(applicationId, [newTask, newTask]))
            assert.strictEqual(error._tag, "CreateOutcomeUnknownError")
          }))
    },
    control: () => Effect.andThen(isUnknown({ status: "created" }), isUnknown({ id: "a/b" }, "task"))
  },
  {
    name: "decodeCreated: a creation that is answered with a success without output is polled",
    mutant: { file: snapshots, find: "hasNoOutput(kind, created) ?", replace: "created === undefined ?" },
    inputs: {
      "an execution": () => executionIs([{ ...execution("succeeded"), output_content: null }, execution("succeeded")]),
      "a workflow": () =>
        executionIs([{ ...workflow("completed"), steps: [] }, workflow("running"), workflow("completed")])
    },
    control: () => executionIs([execution("created"), execution("succeeded")])
  },
  {
    name: "validateText: text that is JSON is an output in every mode",
    mutant: { file: outputs, find: "typeof output !== \"string\"", replace: "typeof output !== \"symbol\"" },
    inputs: {
      "of an execution": () => resultIs({ total: 1 }, [execution("running"), execution("succeeded", "{\"total\":1}")]),
      "of a task": () => resultIs({ total: 1 }, [task("validating", " {\"total\": 1} ")], { isTask: true }),
      "of a synchronous answer": () =>
        answered([completion({}, { message: { content: "{\"total\":1}" } })], (tela) =>
          Effect.gen(function*() {
            const { result } = yield* tela.canvas.make({ id: canvasId, output: Output }).execute({})
            assert.deepStrictEqual(result, { total: 1 })
          }))
    },
    control: () => failsWith("InvalidOutputError", [execution("succeeded", "{\"total\":")])
  },
  {
    name: "status: a reported success counts only with a valid output",
    mutant: {
      file: following,
      find: "onFailure: () => \"failed\" as const",
      replace: "onFailure: () => \"succeeded\" as const"
    },
    inputs: {
      "an execution whose output is null is failed": () => hasStatus("failed", execution("succeeded", null)),
      "an approved task whose output does not fit is failed": () =>
        hasStatus("failed", task("completed", { total: "1" }), { isTask: true })
    }
  },
  {
    name: "result: an output is a result only if it is valid",
    mutant: {
      file: following,
      find: "      validated(validate, output, { ref, requestId }),\n      (exit)",
      replace: "      Effect.succeed(output as Output),\n      (exit)"
    },
    inputs: {
      "result fails, and events end with the error": () =>
        misfit((canvas) =>
          Effect.gen(function*() {
            const running = yield* canvas.execute({}, { async: true })
            const events = success(yield* finish(Stream.runCollect(running.events)))
            const last = events.at(-1)!
            assert.strictEqual(last._tag === "error" ? last.error._tag : last._tag, "InvalidOutputError")
            assert.strictEqual(failure(yield* finish(running.result))._tag, "InvalidOutputError")
          })
        ),
      "result fails for an output of null": () => failsWith("InvalidOutputError", [execution("succeeded", null)])
    }
  },
  {
    name: "run: an output is returned only if it is valid",
    mutant: {
      file: modes,
      find: "({ output, requestId }) => validated(validate, output, { ref, requestId })\n      )\n  )",
      replace: "({ output }) => Effect.succeed(output as Output)\n      )\n  )"
    },
    inputs: {
      "run fails with each output that does not fit": () =>
        misfit((canvas) =>
          Effect.gen(function*() {
            assert.strictEqual(failure(yield* finish(canvas.run({})))._tag, "InvalidOutputError")
          })
        ),
      "run of a task fails when its output is of another task": () =>
        Effect.gen(function*() {
          const { emulator, tela } = yield* setup
          yield* emulator.script({ output: { sum: 1 } })
          const workstation = tela.canvas.make({
            applicationId: "5b8a3f8e-2b1c-4b8a-8d6f-3d1f0c2e4a55",
            output: Output
          })
          assert.strictEqual(failure(yield* finish(workstation.run({})))._tag, "InvalidOutputError")
        }).pipe(Effect.provide(live()), Effect.provide(TestClock.layer()))
    }
  },
  {
    name: "StreamExecution: only the final part makes it succeeded",
    mutant: {
      file: "src/tela/internal/streamExecution.ts",
      find: "if (part._tag === \"final\") return",
      replace: "if (part._tag !== \"event\") return"
    },
    inputs: {
      "one that is abandoned after its first part has failed": () =>
        Effect.gen(function*() {
          const { tela } = yield* setup
          const streamed = yield* tela.canvas.make({ id: canvasId }).execute({}, { stream: true })
          yield* finish(Stream.runDrain(Stream.take(streamed.result, 1)))
          assert.strictEqual(yield* streamed.status, "failed")
        }).pipe(Effect.provide(live()), Effect.provide(TestClock.layer())),
      "one whose consumer is interrupted between two parts has failed": () =>
        Effect.gen(function*() {
          const { emulator, tela } = yield* setup
          yield* emulator.script({ stream: { pause: "1 minute", pieces: ["a", "b"] } })
          const streamed = yield* tela.canvas.make({ id: canvasId }).execute({}, { stream: true })
          const reader = yield* Effect.forkChild(Stream.runDrain(streamed.result))
          yield* TestClock.adjust("70 seconds")
          yield* Fiber.interrupt(reader)
          assert.strictEqual(yield* streamed.status, "failed")
        }).pipe(Effect.provide(live()), Effect.provide(TestClock.layer()))
    }
  }
]
