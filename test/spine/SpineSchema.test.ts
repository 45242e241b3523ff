/** Which fields of a response have to decode, and which may be odd. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schedule, Schema, Stream } from "effect"
import { HttpClient } from "effect/http"
import { RunError, Spine } from "canvas-runs"
import * as RunStore from "canvas-runs/RunStore"
import { finish } from "../support/results.ts"
import { answering, json } from "../support/http.ts"

const id = "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"

/** A client of a provider that answers each request with this data. */
const spineOf = (data: unknown, urls: Array<string> = []) =>
  Spine.make({ apiKey: Redacted.make("sk_spine_schema"), retry: Schedule.recurs(0) }).pipe(
    Effect.provideService(
      HttpClient.HttpClient,
      answering(({ url }) => {
        urls.push(url.pathname)
        return json({ success: true, data })
      }).client
    ),
    Effect.orDie
  )

const artifact = {
  id: "a-1",
  type: "docx",
  name: "report.docx",
  download_url: "https://files.test/a-1",
  size_bytes: 3
}
const completed = {
  run_id: id,
  status: "completed",
  canvas_id: "c-1",
  duration_ms: 60_000,
  result: { final_output: "the answer", artifacts: [artifact] },
  metadata: { template_used: "report", models_used: ["a/b"], credits_consumed: 45 }
}

describe("a create", () => {
  for (
    const [what, data] of [
      ["a text for the estimate", { run_id: id, status: "running", estimated_duration_ms: "900000" }],
      ["a number for the path to poll", { run_id: id, status: "running", poll_url: 5 }],
      ["no status", { run_id: id }],
      ["null for everything but the id", { run_id: id, status: null, poll_url: null, estimated_duration_ms: null }],
      ["objects and lists for the hints", { run_id: id, status: { a: 1 }, poll_url: [], estimated_duration_ms: [9] }],
      ["an estimate that is not a JSON number", { run_id: id, status: 7, estimated_duration_ms: "NaN" }]
    ] as const
  ) {
    it.effect(`B5: keeps the run when the response has ${what}`, () =>
      Effect.gen(function*() {
        const { runs } = yield* spineOf(data)
        const { get, runOnce } = yield* RunStore.RunStore
        const created = yield* runs.create({ prompt: "x" })
        assert.strictEqual(created.ref.id, id)
        assert.strictEqual(created.status, "running")
        assert.isUndefined(created.estimated_duration_ms)
        assert.notProperty(created.ref, "estimatedDurationMs")
        assert.deepStrictEqual(created.raw, data)
        yield* runOnce("a", runs.create({ prompt: "x" }))
        assert.strictEqual((yield* get("a"))?._tag, "Created")
      }).pipe(Effect.provide(RunStore.layerMemory)))
  }

  for (const run_id of [undefined, null, "", 5, "a/b", "..", "a?b", "a b", "a\u0000", "x".repeat(201), "\ud800"]) {
    it.effect(`has an unknown outcome when the id is ${JSON.stringify(run_id)?.slice(0, 20)}, with the body`, () =>
      Effect.gen(function*() {
        const { runs } = yield* spineOf({ run_id, status: "running" })
        const error = yield* Effect.flip(runs.create({ prompt: "x" }))
        assert.instanceOf(error, RunError.CreateOutcomeUnknownError)
        assert.isDefined(error.body)
      }))
  }
})

describe("ids", () => {
  for (const run_id of ["run_01JABCDEF", "a.b~c:d@e", "Übung-7", "1", "…"]) {
    it.effect(`B9: a run that was created as ${run_id} can be waited for, watched and retrieved`, () =>
      Effect.gen(function*() {
        const created = yield* Effect.flatMap(
          spineOf({ run_id, status: "running" }),
          ({ runs }) => runs.create({ prompt: "x" })
        )
        const urls: Array<string> = []
        const { runs } = yield* spineOf({ ...completed, run_id }, urls)
        for (const target of [created, created.ref, run_id]) {
          assert.strictEqual((yield* runs.waitForCompletion(target)).run_id, run_id)
          assert.strictEqual((yield* runs.retrieve(target)).run_id, run_id)
        }
        assert.deepStrictEqual([...new Set(urls)], [new URL(`https://h/v1/run/${run_id}`).pathname])
      }))
  }

  for (
    const run_id of ["", ".", "..", "a/b", "a\\b", "a?b", "a#b", "a%2fb", "a b", "a\nb", "a\u200bb", "x".repeat(201)]
  ) {
    it.effect(`B9: ${JSON.stringify(run_id).slice(0, 20)} is rejected before a request`, () =>
      Effect.gen(function*() {
        const urls: Array<string> = []
        const { canvases, runs } = yield* spineOf(completed, urls)
        for (
          const call of [
            runs.retrieve(run_id),
            runs.waitForCompletion({ run_id }),
            canvases.getDag(run_id),
            canvases.getTask("c-1", run_id)
          ]
        ) {
          assert.instanceOf(yield* Effect.flip(call as Effect.Effect<unknown, unknown>), RunError.BadRequestError)
        }
        assert.deepStrictEqual(urls, [])
      }))
  }
})

describe("a finished run", () => {
  const odd: ReadonlyArray<readonly [string, Record<string, unknown>]> = [
    ["a text for the size of a file", {
      result: { final_output: "the answer", artifacts: [{ ...artifact, size_bytes: "3" }] }
    }],
    ["no name and no type of a file", {
      result: { final_output: "the answer", artifacts: [{ ...artifact, name: null, type: 4 }] }
    }],
    ["null for the metadata", { metadata: null }],
    ["a text for the metadata", { metadata: "none" }],
    ["a text for the credits", { metadata: { credits_consumed: "45.5" } }],
    ["odd models", { metadata: { models_used: [null, "a/b"], template_used: 3 } }],
    ["odd durations and canvases", { duration_ms: "60 s", canvas_id: 7 }],
    ["neither duration nor canvas", { duration_ms: undefined, canvas_id: undefined }]
  ]
  for (const [what, fields] of odd) {
    it.effect(`B6: can be read with ${what}, and raw has the whole response`, () =>
      Effect.gen(function*() {
        const data = JSON.parse(JSON.stringify({ ...completed, ...fields })) as unknown
        const { runs } = yield* spineOf(data)
        const run = yield* runs.waitForCompletion(id)
        assert.strictEqual(run.status, "completed")
        assert.strictEqual(run.result.final_output, "the answer")
        assert.strictEqual(run.result.artifacts[0]!.download_url, artifact.download_url)
        assert.deepStrictEqual(run.raw, data)
      }))
  }

  it.effect("B6: an odd field is absent, or has its documented default", () =>
    Effect.gen(function*() {
      const { runs } = yield* spineOf({
        ...completed,
        canvas_id: 7,
        duration_ms: "60 s",
        metadata: { credits_consumed: "45.5", models_used: 5 },
        result: { final_output: "x", artifacts: [{ ...artifact, size_bytes: "3", name: 1, type: null }] }
      })
      const run = yield* runs.waitForCompletion(id)
      assert.notProperty(run, "duration_ms")
      assert.strictEqual(run.canvas_id, "")
      assert.deepStrictEqual(run.metadata, { template_used: "auto", models_used: [] })
      assert.deepStrictEqual(run.result.artifacts, [
        { id: "a-1", type: "unknown", name: "", download_url: artifact.download_url }
      ])
    }))

  it.effect("B6: a size of a file that is not a number of bytes is absent", () =>
    Effect.gen(function*() {
      const { runs } = yield* spineOf({
        ...completed,
        result: {
          final_output: "x",
          artifacts: [-1, 1.5, 2 ** 60, "3", {}, 0, 3].map((size_bytes) => Object.assign({}, artifact, { size_bytes }))
        }
      })
      const run = yield* runs.waitForCompletion(id)
      assert.deepStrictEqual(run.result.artifacts.map(({ size_bytes }) => size_bytes), [
        ...Array.from({ length: 5 }, () => undefined),
        0,
        3
      ])
    }))

  for (
    const [what, errors, expected] of [
      ["texts", ["boom", "bang"], ["boom", "bang"]],
      ["one text", "boom", ["boom"]],
      ["one entry", { error: "boom" }, ["boom"]],
      ["entries of another form", [{ message: "boom" }, { error: "bang" }], ["boom", "bang"]],
      ["nothing readable", [null, { error: null, code: 7 }], ["", "{\"error\":null,\"code\":7}"]],
      ["null", null, []]
    ] as const
  ) {
    it.effect(`B6: has readable errors when those of a partial and a failed run are ${what}`, () =>
      Effect.gen(function*() {
        const partial = yield* Effect.flatMap(
          spineOf({ ...completed, status: "partial", errors }),
          ({ runs }) => runs.waitForCompletion(id)
        )
        assert.isTrue(partial.status === "partial")
        assert.deepStrictEqual((partial as Spine.PartialRun).errors.map(({ error }) => error), [...expected])
        const failed = yield* Effect.flatMap(
          spineOf({ run_id: id, status: "failed", errors }),
          ({ runs }) => Effect.flip(runs.waitForCompletion(id))
        )
        assert.instanceOf(failed, RunError.RunFailedError)
        assert.deepStrictEqual(failed.errors, [...expected])
      }))
  }

  for (
    const [what, fields] of [
      ["no result", { result: undefined }],
      ["a number for the output", { result: { final_output: 5 } }],
      ["a file without a link", { result: { final_output: "x", artifacts: [{ ...artifact, download_url: null }] } }],
      ["a file without an id", { result: { final_output: "x", artifacts: [{ ...artifact, id: undefined }] } }],
      ["no run id", { run_id: undefined }],
      ["a status that is not a text", { status: 1 }]
    ] as const
  ) {
    it.effect(`is an InvalidResponseError with ${what}, which the client needs`, () =>
      Effect.gen(function*() {
        const { runs } = yield* spineOf({ ...completed, ...fields })
        assert.instanceOf(yield* Effect.flip(runs.retrieve(id)), RunError.InvalidResponseError)
      }))
  }
})

it.effect("a change of only raw or elapsed time does not change a snapshot, with any status", () =>
  Effect.gen(function*() {
    let poll = 0
    const progress = (tasks: number) => ({ tasks_completed: tasks, tasks_total: 2, elapsed_ms: poll })
    const snapshots = [
      () => ({ status: "queued", progress: progress(0) }),
      () => ({ status: "queued", progress: progress(0) }),
      () => ({ status: "paused", progress: poll }),
      () => ({ status: "paused", progress: poll }),
      () => ({ status: "running", progress: progress(1) }),
      () => ({ status: "running", progress: progress(1) })
    ]
    const { runs } = yield* Spine.make({ apiKey: Redacted.make("sk_spine_schema") }).pipe(
      Effect.provideService(
        HttpClient.HttpClient,
        answering(() => {
          const snapshot = snapshots[poll++]
          return json({ success: true, data: snapshot === undefined ? completed : { run_id: id, ...snapshot() } })
        }).client
      )
    )
    const exit = yield* finish(Stream.runCollect(runs.watch(id)))
    assert.isTrue(exit._tag === "Success")
    const seen = exit._tag === "Success" ? exit.value : []
    assert.deepStrictEqual(seen.map((run) => run.status === "unknown" ? run.provider_status : run.status), [
      "queued",
      // A field outside the known progress may mean anything
      "paused",
      "paused",
      "running",
      "completed"
    ])
  }))

it.effect("raw is not part of an encoded run", () =>
  Effect.gen(function*() {
    const run = yield* Schema.decodeUnknownEffect(Spine.Run)(completed)
    assert.deepStrictEqual(yield* Schema.encodeEffect(Spine.Run)(run), completed)
  }))
