/** Every expression that decides that an execution or a task has succeeded, or has ended. */
import { assert } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted, Schema, Stream } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { RunError, Tela } from "canvas-runs"
import { apiKey, canvasId, failure, finish, live, setup, success } from "../tela/support.ts"
import type { Place } from "./kind.ts"

const snapshots = "src/tela/internal/snapshot.ts"
const answers = "src/tela/internal/syncAnswer.ts"
const following = "src/tela/internal/follow.ts"
const executing = "src/tela/internal/execute.ts"
const schemas = "src/tela/TelaSchema.ts"

const Output = Schema.Struct({ total: Schema.Number })

/** A provider that answers the first request with the first body, and all after the last with the last. */
const answering = <A, E>(
  bodies: ReadonlyArray<unknown>,
  use: (tela: Tela.Service) => Effect.Effect<A, E>,
  status = 200
): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    let next = 0
    const client = HttpClient.make((request) =>
      Effect.sync(() => {
        const body = bodies[Math.min(next++, bodies.length - 1)]
        return HttpClientResponse.fromWeb(request, Response.json(body, { status }))
      })
    )
    return Effect.flatMap(Tela.TelaClient, use).pipe(
      Effect.provide(Layer.orDie(Tela.layer({ apiKey: Redacted.make(apiKey) }))),
      Effect.provideService(HttpClient.HttpClient, client),
      Effect.provide(TestClock.layer())
    )
  })

const execution = (status: string, content: unknown = { total: 1 }) => ({
  id: canvasId,
  status,
  output_content: { content }
})
const task = (status: string, content: unknown = { total: 1 }) => ({ id: canvasId, status, outputContent: { content } })
const workflow = (status: string) => ({ id: canvasId, status, steps: [{ output: { total: 1 } }] })

/** Looks it up, waits for its result, and expects that the wait ends by its deadline. */
const isNoEnd = (bodies: ReadonlyArray<unknown>, params: Tela.GetExecutionParams = {}) =>
  answering(bodies, (tela) =>
    Effect.gen(function*() {
      const found = yield* tela.getExecution(canvasId, { output: Output, ...params })
      const error = failure(yield* finish(found.result))
      assert.instanceOf(error, RunError.RunTimeoutError)
    }))

const failsWith = (tag: string, bodies: ReadonlyArray<unknown>, params: Tela.GetExecutionParams = {}) =>
  answering(bodies, (tela) =>
    Effect.gen(function*() {
      const exit = yield* finish(
        Effect.flatMap(tela.getExecution(canvasId, { output: Output, ...params }), ({ result }) => result)
      )
      assert.strictEqual(failure(exit)._tag, tag)
    }))

const hasStatus = (status: Tela.ExecutionStatus, body: unknown, params: Tela.GetExecutionParams = {}) =>
  answering([body], (tela) =>
    Effect.gen(function*() {
      const found = yield* tela.getExecution(canvasId, { output: Output, ...params })
      assert.strictEqual(yield* found.status, status)
    }))

const completion = (more: object, choice?: object) => ({
  id: "crsv-7",
  choices: [{ message: { content: { total: 1 } }, ...choice }],
  ...more
})

const syncFailsWith = (tag: string, body: unknown, status = 200) =>
  answering([body], (tela) =>
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
      "an execution that is created, with an output, is no success": () => isNoEnd([execution("created")]),
      "an unknown status after a known one is no success": () => isNoEnd([execution("running"), execution("archived")])
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
    name: "runStatus: the words of tasks and workflows are no end of an execution",
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
    name: "workflowStatus: a workflow that runs is no success, although it has steps with outputs",
    mutant: {
      file: snapshots,
      find: "{ running: \"running\", completed: \"succeeded\"",
      replace: "{ running: \"succeeded\", succeeded: \"succeeded\", completed: \"succeeded\""
    },
    inputs: {
      "a workflow that runs is polled further": () => isNoEnd([workflow("running")]),
      "a workflow with the word of an execution is polled further": () => isNoEnd([workflow("succeeded")])
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
    name: "taskStatus: a cancelled task has failed, whatever its output is",
    mutant: { file: snapshots, find: "cancelled: \"failed\"", replace: "cancelled: \"running\"" },
    inputs: {
      "a cancelled task is a RunFailedError": () => failsWith("RunFailedError", [task("cancelled")], { isTask: true }),
      "a task that is cancelled while it is waited for is a RunFailedError": () =>
        failsWith("RunFailedError", [task("running"), task("cancelled")], { isTask: true })
    }
  },
  {
    name: "decodeSync: a workflow succeeds synchronously only if it says completed",
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
    name: "decodeSync: a run succeeds synchronously only if it says succeeded",
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
    name: "decodeSync: a completion whose status is no success leaves the outcome open",
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
      "an execution that succeeded with an error in words": () =>
        failsWith("RunFailedError", [execution("running"), { ...execution("succeeded"), error: "evicted" }]),
      "a workflow that is completed with a list of errors": () =>
        failsWith("RunFailedError", [{ ...workflow("completed"), errors: [{ message: "step 2" }] }]),
      "a task that is validating with an error": () =>
        failsWith("RunFailedError", [{ ...task("validating"), error: { code: "X" } }], { isTask: true })
    },
    control: () => hasStatus("succeeded", { ...execution("succeeded"), error: null, errors: [] })
  },
  {
    name: "saysThatItFailed: a run with the status failed has ended, also in an answer of 5xx",
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
    name: "saysThatItFailed: no other word of a 5xx ends an execution",
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
    name: "retrieve: an answer about another execution is no answer",
    mutant: {
      file: snapshots,
      find: "about(ref, ref.kind === \"task\" ? decodeTask : decodeExecution)",
      replace: "ref.kind === \"task\" ? decodeTask : decodeExecution"
    },
    inputs: {
      "another execution's success is an InvalidResponseError": () =>
        failsWith("InvalidResponseError", [{ ...execution("succeeded"), id: "another" }]),
      "another task's success, while this one is polled, is an InvalidResponseError": () =>
        failsWith("InvalidResponseError", [task("running"), { ...task("validating"), id: "another" }], { isTask: true })
    }
  },
  {
    name: "status: a success that the provider reports is one only with a valid output",
    mutant: {
      file: following,
      find: "onFailure: () => \"failed\" as const",
      replace: "onFailure: () => \"succeeded\" as const"
    },
    inputs: {
      "an execution without an output that was looked up is failed": () =>
        hasStatus("failed", { id: canvasId, status: "succeeded", output_content: null }),
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
      file: executing,
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
      "run of a task fails when its output is another's": () =>
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
    name: "CompletionRun: an output that cannot be read is not an absent one",
    mutant: {
      file: schemas,
      find: "outputContent: absentable(renamed({",
      replace: "outputContent: sideField(renamed({"
    },
    inputs: {
      "an output_content that is text is an InvalidResponseError": () =>
        failsWith("InvalidResponseError", [{ ...execution("succeeded"), output_content: "42" }], {
          skipResultValidation: true
        }),
      "an outputContent that is a list is an InvalidResponseError": () =>
        failsWith("InvalidResponseError", [{ id: canvasId, status: "succeeded", outputContent: [{ content: 1 }] }], {
          skipResultValidation: true
        })
    }
  },
  {
    name: "Task: an output that cannot be read is not an absent one",
    mutant: {
      file: schemas,
      find: "outputContent: absentable(TaskOutput)",
      replace: "outputContent: sideField(TaskOutput)"
    },
    inputs: {
      "an output of a task that is text is an InvalidResponseError": () =>
        failsWith("InvalidResponseError", [{ ...task("validating"), outputContent: "42" }], {
          isTask: true,
          skipResultValidation: true
        }),
      "an output of a task that is a number is an InvalidResponseError": () =>
        failsWith("InvalidResponseError", [{ ...task("completed"), outputContent: 42 }], {
          isTask: true,
          skipResultValidation: true
        })
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
