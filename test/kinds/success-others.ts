/** Every place that reads an answer about one run or task: an answer about another one is invalid. */
import { assert } from "@effect/vitest"
import { Effect, FileSystem, Layer, Predicate, Stream } from "effect"
import { RunError, RunRef, Spine, Tela } from "canvas-runs"
import type { Place } from "./kind.ts"
import { clients } from "../support/clients.ts"
import { answering, json } from "../support/http.ts"

const asked = "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"
const other = "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a12"

const run = (id: string, status = "completed") => ({
  success: true,
  data: { run_id: id, status, duration_ms: 1, result: { final_output: "the answer", artifacts: [] } }
})

const task = (id: string) => ({
  id,
  status: "completed",
  inputContent: { files: [] },
  outputContent: { role: "assistant", content: "the answer" }
})

/** The clients on providers that answer every request with this body. */
const answered = (body: unknown) =>
  Layer.provide(clients(), answering(({ url }) => json(typeof body === "function" ? body(url) : body)).layer)

/** The answer is rejected if it is about another run or task, and accepted otherwise. */
const isRefused = (
  about: (id: string) => unknown,
  use: Effect.Effect<unknown, unknown, Spine.SpineClient | Tela.TelaClient>
) =>
() =>
  Effect.gen(function*() {
    const error = yield* Effect.flip(Effect.provide(use, answered(about(other))))
    assert.instanceOf(error, RunError.InvalidResponseError)
    yield* Effect.provide(use, answered(about(asked.toUpperCase())))
  })

const spine = <A, E>(use: (spine: Spine.Service) => Effect.Effect<A, E>) => Spine.SpineClient.use(use)
const tela = <A, E>(use: (tela: Tela.Service) => Effect.Effect<A, E>) => Tela.TelaClient.use(use)

const ofCanvas = (canvas_id: string) => ({ success: true, data: { canvas_id } })

const refOf = (id: string) => RunRef.make({ provider: "spine", kind: "run", id })

/** The call is rejected before a request. */
const isBadRequest = (use: (spine: Spine.Service) => Effect.Effect<unknown, unknown, FileSystem.FileSystem>) => () =>
  Effect.gen(function*() {
    const error = yield* Effect.flip(Effect.flatMap(Spine.SpineClient, use))
    assert.instanceOf(error, RunError.BadRequestError)
    assert.isFalse(error.sent)
  }).pipe(Effect.provide([answered(run(asked)), FileSystem.layerNoop({})]))

const saysWhy = (use: (runs: Spine.Runs) => Effect.Effect<unknown, unknown>) => () =>
  Effect.gen(function*() {
    const told = yield* Effect.provide(
      spine(({ runs }) => use(runs)),
      answered({ success: true, data: { run_id: asked, status: "failed", error: "out of ink" } })
    )
    assert.include(JSON.stringify(Predicate.hasProperty(told, "errors") ? told.errors : undefined), "out of ink")
  })

const notApproved = (status: string, use: (tasks: Tela.Tasks) => Effect.Effect<unknown, unknown>) => () =>
  Effect.gen(function*() {
    const error = yield* Effect.flip(Effect.provide(tela(({ tasks }) => use(tasks)), answered({ id: asked, status })))
    assert.instanceOf(error, RunError.InvalidResponseError)
    assert.include(error.message, "completed")
  })

const createsTasks = (ids: ReadonlyArray<string>, expected: string) => () =>
  Effect.gen(function*() {
    const tasks = ids.map((_, index) => ({ name: `task ${index}`, variables: {} }))
    const result = yield* Effect.result(
      Effect.provide(
        tela((client) => client.tasks.create(asked, tasks)),
        answered(ids.map((id) => ({ id, status: "created" })))
      )
    )
    assert.strictEqual(
      result._tag === "Success" ? "success" : (result.failure as { readonly _tag: string })._tag,
      expected
    )
  })

const withResult = (status: string, result: unknown) =>
  answered({ success: true, data: { run_id: asked, status, result, errors: [] } })

/** A result without output does not decode in any call, and one with either member does. */
const needsOutput = (status: string, result: unknown) => () =>
  Effect.gen(function*() {
    const wait = spine(({ runs }) => runs.waitForCompletion(asked))
    const error = yield* Effect.flip(
      Effect.provide(spine(({ runs }) => runs.retrieve(asked)), withResult(status, result))
    )
    assert.instanceOf(error, RunError.InvalidResponseError)
    assert.include(error.message, "neither final_output nor artifacts")
    for (const member of [{ final_output: "" }, { artifacts: [] }]) {
      yield* Effect.provide(wait, withResult(status, member))
    }
  })

/** A list that claims `total` rows, with three rows on its first page, and `next` on each later one. */
const listEnds = (total: number, next: ReadonlyArray<object>, expected: "Success" | "Failure") => () =>
  Effect.gen(function*() {
    const rows = [1, 2, 3].map((index) => ({ id: `t${index}`, status: "running" }))
    let requests = 0
    const exit = yield* Effect.exit(Effect.provide(
      tela(({ tasks }) => Stream.runCount(tasks.stream({ pageSize: 3 }))),
      // The last answer ends a stream that would otherwise never end
      answered(({ searchParams }: URL) => ({
        data: searchParams.get("offset") === "0" ? rows : next,
        meta: { total: ++requests > 5 ? 0 : total }
      }))
    ))
    assert.strictEqual(exit._tag, expected)
  })

export const places: ReadonlyArray<Place> = [
  {
    name: "a list of Tela is complete only with its total",
    mutant: {
      file: "src/tela/internal/paginate.ts",
      find: "seen.size < total && !hasGrown",
      replace: "false"
    },
    inputs: {
      "an empty page before it": listEnds(5, [], "Failure"),
      "the same rows again": listEnds(6, [1, 2, 3].map((index) => ({ id: `t${index}`, status: "running" })), "Failure"),
      "the last row": listEnds(4, [{ id: "t4", status: "running" }], "Success")
    }
  },
  {
    name: "a finished run of Spine has an output",
    mutant: {
      file: "src/spine/SpineSchema.ts",
      find: "\"neither final_output nor artifacts\"",
      replace: "true"
    },
    inputs: {
      "an empty object is not an output": needsOutput("completed", {}),
      "two nulls are not an output": needsOutput("completed", { final_output: null, artifacts: null }),
      "nor is one with other fields, of a partial run": needsOutput("partial", { output: "the answer" })
    }
  },
  {
    name: "a poll of Spine accepts only an answer about its run",
    mutant: {
      file: "src/spine/internal/source.ts",
      find: "about(\"run_id\", ref.id, decodeRun)",
      replace: "decodeRun"
    },
    inputs: {
      "a wait gets the end of another run": isRefused(run, spine(({ runs }) => runs.waitForCompletion(asked))),
      "a failure of another run is not a failure of this one": isRefused(
        (id) => run(id, "failed"),
        spine(({ runs }) => runs.waitForCompletion(asked, { resolveOnFailure: true }))
      ),
      "a look-up": isRefused(run, spine(({ runs }) => runs.retrieve(asked)))
    }
  },
  {
    name: "a call about a Tela task accepts only an answer about that task",
    mutant: {
      file: "src/tela/internal/tasks.ts",
      find: "about(ref, decode), options",
      replace: "decode, options"
    },
    inputs: {
      "its output": isRefused(task, tela(({ tasks }) => tasks.getOutput(asked))),
      "its files": isRefused(task, tela(({ tasks }) => tasks.getInputFiles(asked))),
      "a change of it": isRefused(task, tela(({ tasks }) => tasks.approve(asked)))
    }
  },
  {
    name: "a call about a canvas of Spine accepts only an answer about that canvas or task",
    mutant: {
      file: "src/spine/internal/about.ts",
      find: "value[name].toLowerCase() === id.toLowerCase()",
      replace: "value[name] !== \"\""
    },
    inputs: {
      "its blocks": isRefused(ofCanvas, spine(({ canvases }) => canvases.getDag(asked))),
      "its tasks": isRefused(ofCanvas, spine(({ canvases }) => canvases.getTasks(asked))),
      "one task": isRefused(
        (task_id) => ({ success: true, data: { task_id } }),
        spine(({ canvases }) => canvases.getTask("c1", asked))
      )
    }
  },
  {
    name: "a ref of another kind names no run of Spine",
    mutant: {
      file: "src/internal/id.ts",
      find: "ref?.provider === provider && kinds.includes(ref.kind)",
      replace: "ref?.provider === provider"
    },
    inputs: {
      "a task": isBadRequest(({ runs }) => runs.retrieve({ ...refOf(asked), kind: "task" })),
      "a canvas, beside the id of a run": isBadRequest(({ runs }) =>
        runs.waitForCompletion({ run_id: asked, ref: { ...refOf(asked), kind: "canvas" } })
      ),
      "an execution, for its files": isBadRequest(({ artifacts }) =>
        artifacts.toDirectory({ ...refOf(asked), kind: "execution" } as never, "/tmp")
      )
    }
  },
  {
    name: "an id and a ref of two runs name no run of Spine",
    mutant: {
      file: "src/spine/internal/target.ts",
      find: "Predicate.isNullish(named) || String(named).toLowerCase() === id.toLowerCase()",
      replace: "true"
    },
    inputs: {
      "a look-up": isBadRequest(({ runs }) => runs.retrieve({ run_id: other, ref: refOf(asked) })),
      "a wait": isBadRequest(({ runs }) => runs.waitForCompletion({ run_id: other, ref: refOf(asked) }))
    }
  },
  {
    name: "a failed run of Spine has its reasons, also from a single text",
    mutant: {
      file: "src/spine/internal/source.ts",
      find: "Predicate.isString(run.raw.error)",
      replace: "Predicate.isString(run.raw.error) && false"
    },
    inputs: {
      "of a wait": saysWhy((runs) => Effect.flip(runs.waitForCompletion(asked))),
      "of a look-up": saysWhy((runs) => runs.retrieve(asked))
    }
  },
  {
    name: "a task of Tela is approved only if the answer says so",
    mutant: {
      file: "src/tela/internal/tasks.ts",
      find: "status === undefined ? decodeTask : decodeApproved",
      replace: "decodeTask"
    },
    inputs: {
      "not when it is still validating": notApproved("validating", (tasks) => tasks.approve(asked)),
      "not when it failed": notApproved("failed", (tasks) => tasks.update(asked, { status: "completed" })),
      "when it is completed": () =>
        Effect.map(
          Effect.provide(tela(({ tasks }) => tasks.approve(asked)), answered({ id: asked, status: "completed" })),
          ({ status }) => assert.strictEqual(status, "completed")
        )
    }
  },
  {
    name: "tasks of Tela are created only if the answer has as many different tasks",
    mutant: {
      file: "src/tela/internal/tasks.ts",
      find: "Schema.isMaxLength(count), areDifferent",
      replace: "Schema.isMaxLength(count)"
    },
    inputs: {
      "not when one is listed twice": createsTasks(["t1", "t1"], "CreateOutcomeUnknownError"),
      "not when two of three are the same": createsTasks(["t1", "t2", "t1"], "CreateOutcomeUnknownError"),
      "when they differ": createsTasks(["t1", "t2"], "success")
    }
  }
]
