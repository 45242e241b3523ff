/** How runs and waits are counted, and which spans and metrics the guide lists. */
import { assert, describe, it } from "@effect/vitest"
import { type Duration, Effect, Fiber, Layer, Metric, Schema, Stream } from "effect"
import type { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { WorkflowEngine } from "effect/workflow"
import { globSync, readFileSync } from "node:fs"
import { RunRef, RunStore, Spine, Tela, Webhooks } from "canvas-runs"
import { Fault, SpineEmulator, TelaEmulator, Timeline } from "canvas-runs/testing"
import { SpineWorkflow, Waits } from "canvas-runs/workflow"
import { finish, success } from "../support/results.ts"
import * as OnSpine from "../support/spine.ts"
import * as OnTela from "../support/tela.ts"

type Services =
  | Spine.SpineClient
  | SpineEmulator.SpineEmulator
  | Tela.TelaClient
  | TelaEmulator.TelaEmulator
  | HttpClient.HttpClient

const layer = Layer.merge(OnSpine.live(), OnTela.live())

/** The runs that were created, and the waits that ended by their outcome. Each end also has one duration. */
const counted = <A, E>(self: Effect.Effect<A, E, Services>) =>
  Effect.gen(function*() {
    yield* Effect.exit(self)
    const metrics = yield* Metric.snapshot
    const counts = (name: string) =>
      Object.fromEntries(
        metrics.flatMap(({ attributes, id, state }) =>
          id === name ? [[attributes?.["outcome"] ?? "created", (state as { readonly count: number }).count]] : []
        )
      )
    const ended = counts("canvas_runs_ended_total")
    assert.deepStrictEqual(counts("canvas_runs_wait_duration"), ended)
    return { ...counts("canvas_runs_created_total"), ...ended }
  }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))

const takes = (duration: Duration.Input, outcome: "completed" | "failed" = "completed") => ({
  timeline: Timeline.make({ duration, outcome })
})

const spine = <A, E>(
  script: Parameters<SpineEmulator.SpineEmulator["Service"]["script"]>[0],
  use: (runs: Spine.Runs, emulator: SpineEmulator.SpineEmulator["Service"]) => Effect.Effect<A, E>
) =>
  Effect.gen(function*() {
    const emulator = yield* SpineEmulator.SpineEmulator
    yield* emulator.script(script)
    return yield* use((yield* Spine.SpineClient).runs, emulator)
  })

const tela = <A, E>(
  script: Parameters<TelaEmulator.TelaEmulator["Service"]["script"]>[0],
  use: (
    tela: Tela.TelaClient["Service"],
    canvas: Tela.Canvas,
    emulator: TelaEmulator.TelaEmulator["Service"]
  ) => Effect.Effect<A, E>
) =>
  Effect.gen(function*() {
    const emulator = yield* TelaEmulator.TelaEmulator
    yield* emulator.script(script)
    const client = yield* Tela.TelaClient
    return yield* use(client, client.canvas.make({ id: OnTela.canvasId }) as Tela.Canvas, emulator)
  })

/** Runs an effect for a while, and interrupts it. */
const interruptedAfter = <A, E, R>(self: Effect.Effect<A, E, R>, duration: Duration.Input) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(self)
    yield* Effect.repeat(Effect.yieldNow, { times: 50 })
    yield* TestClock.adjust(duration)
    yield* Fiber.interrupt(fiber)
  })

const invoice = Schema.Struct({ total: Schema.Number })

describe("a run is counted as created once and a wait as ended once", () => {
  const cases: Readonly<Record<string, readonly [program: Effect.Effect<unknown, unknown, Services>, counts: object]>> =
    {
      "a run of Spine that succeeds": [
        spine(takes("1 minute"), (runs) => finish(runs.run({ prompt: "x" }))),
        { created: 1, Succeeded: 1 }
      ],
      "a run of Spine that fails": [
        spine(takes("1 minute", "failed"), (runs) => finish(runs.run({ prompt: "x" }))),
        { created: 1, Failed: 1 }
      ],
      "a failed run that is a result of the program": [
        spine(
          takes("1 minute", "failed"),
          (runs) =>
            Effect.flatMap(
              runs.create({ prompt: "x" }),
              ({ ref }) => finish(runs.waitForCompletion(ref, { resolveOnFailure: true }))
            )
        ),
        { created: 1, Failed: 1 }
      ],
      "a create that is refused": [
        spine(
          {},
          (runs, emulator) => Effect.andThen(emulator.fault(Fault.status(401)), finish(runs.run({ prompt: "x" })))
        ),
        {}
      ],
      "a create whose outcome is unknown": [
        spine(
          {},
          (runs, emulator) => Effect.andThen(emulator.fault(Fault.status(500)), finish(runs.run({ prompt: "x" })))
        ),
        {}
      ],
      "a deadline, and a second wait that sees the end": [
        spine(takes("2 hours"), (runs) =>
          Effect.gen(function*() {
            const { ref } = yield* runs.create({ prompt: "x" })
            yield* finish(runs.waitForCompletion(ref, { timeout: "1 hour" }), "1 hour")
            success(yield* finish(runs.waitForCompletion(ref, { timeout: "3 hours" })))
          })),
        { created: 1, RunTimeoutError: 1, Succeeded: 1 }
      ],
      "an interrupted wait": [
        spine(takes("2 hours"), (runs) => interruptedAfter(runs.run({ prompt: "x" }), "1 minute")),
        { created: 1, Interrupted: 1 }
      ],
      "a failed poll": [
        spine(
          takes("2 hours"),
          (runs, emulator) =>
            Effect.flatMap(
              runs.create({ prompt: "x" }),
              ({ ref }) => Effect.andThen(emulator.fault(Fault.status(401)), finish(runs.waitForCompletion(ref)))
            )
        ),
        { created: 1, AuthenticationError: 1 }
      ],
      "a stream of snapshots, to its end": [
        spine(
          takes("1 minute"),
          (runs) => Effect.flatMap(runs.create({ prompt: "x" }), ({ ref }) => finish(Stream.runDrain(runs.watch(ref))))
        ),
        { created: 1, Succeeded: 1 }
      ],
      "a stream of polls whose consumer leaves between two polls": [
        spine(
          takes("1 minute"),
          (runs) =>
            Effect.flatMap(
              runs.create({ prompt: "x" }),
              ({ ref }) => finish(Stream.runDrain(Stream.take(runs.polls(ref), 2)))
            )
        ),
        { created: 1, Interrupted: 1 }
      ],
      "a stream of polls whose consumer leaves with the last one": [
        spine(
          takes(0),
          (runs) => Effect.flatMap(runs.create({ prompt: "x" }), ({ ref }) => finish(Stream.runHead(runs.polls(ref))))
        ),
        { created: 1, Succeeded: 1 }
      ],
      "a stream of polls that is interrupted": [
        spine(
          takes("2 hours"),
          (runs) =>
            Effect.flatMap(
              runs.create({ prompt: "x" }),
              ({ ref }) => interruptedAfter(Stream.runDrain(runs.polls(ref)), "1 minute")
            )
        ),
        { created: 1, Interrupted: 1 }
      ],
      "two waiters of one handle": [
        spine(
          takes("1 minute"),
          (runs) =>
            Effect.flatMap(
              runs.create({ prompt: "x" }),
              ({ ref }) =>
                Effect.flatMap(runs.share(ref), ({ wait }) => finish(Effect.all([wait, wait], { concurrency: 2 })))
            )
        ),
        { created: 1, Succeeded: 1 }
      ],
      "a handle that is stopped": [
        spine(takes("1 hour"), (runs) =>
          Effect.gen(function*() {
            const { ref } = yield* runs.create({ prompt: "x" })
            const { stop, wait } = yield* runs.share(ref)
            const waiting = yield* Effect.forkChild(Effect.exit(wait))
            yield* TestClock.adjust("1 minute")
            yield* stop
            yield* Fiber.join(waiting)
          })),
        { created: 1, Interrupted: 1 }
      ],
      "runs that are awaited together": [
        spine(takes("1 minute"), (runs, emulator) =>
          Effect.gen(function*() {
            const good = yield* runs.create({ prompt: "x" })
            yield* emulator.script(takes("1 minute", "failed"))
            const bad = yield* runs.create({ prompt: "x" })
            yield* emulator.script(takes("10 hours"))
            const slow = yield* runs.create({ prompt: "x" })
            yield* finish(Stream.runDrain(runs.completions([good, bad, slow, "no id"], { timeout: "1 hour" })))
          })),
        { created: 3, Succeeded: 1, Failed: 1, RunTimeoutError: 1 }
      ],
      "runs that are awaited together, whose waits are interrupted while they sleep": [
        spine(takes("10 hours"), (runs) =>
          Effect.gen(function*() {
            const all = yield* Effect.all([runs.create({ prompt: "x" }), runs.create({ prompt: "x" })])
            yield* interruptedAfter(Stream.runDrain(runs.completions(all)), "1 minute")
          })),
        { created: 2, Interrupted: 2 }
      ],
      "runs that are awaited together, whose waits are interrupted during a poll": [
        spine(takes("10 hours"), (runs, emulator) =>
          Effect.gen(function*() {
            const run = yield* runs.create({ prompt: "x" })
            yield* emulator.fault(Fault.delay("1 minute"))
            yield* interruptedAfter(Stream.runDrain(runs.completions([run])), "10 seconds")
          })),
        { created: 1, Interrupted: 1 }
      ],
      "a synchronous execution": [
        tela({ output: "a" }, (_, canvas) => finish(canvas.execute({}))),
        { created: 1, Succeeded: 1 }
      ],
      "a synchronous execution that fails": [
        tela(takes(0, "failed"), (_, canvas) => finish(canvas.execute({}))),
        { created: 1, Failed: 1 }
      ],
      "a synchronous execution whose output does not fit": [
        tela(
          { output: { total: "a" } },
          ({ canvas }) => finish(canvas.make({ id: OnTela.canvasId, output: invoice }).execute({}))
        ),
        { created: 1, InvalidOutputError: 1 }
      ],
      "a synchronous execution without an answer": [
        tela(
          {},
          (_, canvas, emulator) => Effect.andThen(emulator.fault(Fault.status(500)), finish(canvas.execute({})))
        ),
        {}
      ],
      "an asynchronous execution": [
        tela({ output: "a", ...takes("20 seconds") }, (_, canvas) => finish(canvas.run({}))),
        { created: 1, Succeeded: 1 }
      ],
      "an asynchronous execution, whose result is read twice": [
        tela(
          { output: "a", ...takes("20 seconds") },
          (_, canvas) =>
            Effect.flatMap(canvas.execute({}, { async: true }), ({ result }) => finish(Effect.andThen(result, result)))
        ),
        { created: 1, Succeeded: 1 }
      ],
      "a stream, to its end": [
        tela(
          { stream: { pieces: ["a", { pause: "5 seconds" }, "b"] } },
          (_, canvas) => finish(Stream.runDrain(canvas.stream({})))
        ),
        { created: 1, Succeeded: 1 }
      ],
      "a stream that fails": [
        tela({ stream: { pieces: ["a", { error: "no" }] } }, (_, canvas) => finish(Stream.runDrain(canvas.stream({})))),
        { created: 1, Failed: 1 }
      ],
      "a stream whose first response says that it failed": [
        tela({}, (_, canvas, emulator) =>
          Effect.andThen(
            emulator.fault(Fault.status(500, { body: { code: "EXECUTION_FAILED", message: "no" } })),
            finish(Stream.runDrain(canvas.stream({})))
          )),
        { created: 1, Failed: 1 }
      ],
      "a stream that breaks off": [
        tela({ stream: { pieces: ["a"], end: "none" } }, (_, canvas) => finish(Stream.runDrain(canvas.stream({})))),
        { created: 1, StreamInterruptedError: 1 }
      ],
      "a stream whose consumer leaves": [
        tela(
          { stream: { pieces: ["a", { pause: "5 seconds" }, "b", "c"] } },
          (_, canvas) => finish(Stream.runDrain(Stream.take(canvas.stream({}), 2)))
        ),
        { created: 1, Interrupted: 1 }
      ],
      "a stream that is interrupted": [
        tela(
          { stream: { pieces: ["a", { pause: "50 seconds" }, "b"] } },
          (_, canvas) => interruptedAfter(Stream.runDrain(canvas.stream({})), "10 seconds")
        ),
        { created: 1, Interrupted: 1 }
      ],
      "a stream that is never run": [
        tela({}, (_, canvas) => Effect.sync(() => canvas.stream({}))),
        {}
      ],
      "tasks": [
        tela({ output: "a", ...takes("20 seconds") }, ({ getExecution, tasks }) =>
          Effect.gen(function*() {
            const [first] = yield* tasks.create(OnTela.applicationId, [
              { name: "a", variables: {} },
              { name: "b", variables: {} }
            ])
            const { result } = yield* getExecution(first!.id, { isTask: true })
            yield* finish(result)
          })),
        { created: 2, Succeeded: 1 }
      ],
      "a workstation": [
        tela(
          { output: "a", ...takes("20 seconds") },
          ({ canvas }) => finish(canvas.make({ applicationId: OnTela.applicationId }).run({}))
        ),
        { created: 1, Succeeded: 1 }
      ]
    }
  for (const [name, [program, counts]] of Object.entries(cases)) {
    it.effect(name, () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* counted(program), counts)
      }).pipe(Effect.provide(layer)))
  }

  it.effect("by a webhook: the wait counts, and the webhook does not", () =>
    Effect.gen(function*() {
      const hub = yield* Webhooks.make()
      const program = spine(takes("90 seconds"), (runs) =>
        Effect.flatMap(runs.create({ prompt: "x" }), ({ ref, run_id }) => {
          const wait: Effect.Effect<unknown, unknown> = runs.waitForCompletion(ref)
          return finish(Effect.all([
            wait,
            Effect.delay(
              Effect.forEach(["1", "2"], (eventId) =>
                hub.deliver({ provider: "spine", runId: run_id, eventId, isTerminal: true })),
              "95 seconds"
            )
          ], { concurrency: 2 }))
        }))
      const live = Layer.merge(OnTela.live(), OnSpine.live({ webhooks: hub }))
      assert.deepStrictEqual(yield* Effect.provide(counted(program), live), { created: 1, Succeeded: 1 })
    }))

  it.effect("in two processes: the first is interrupted, and the second sees the end", () =>
    Effect.gen(function*() {
      let stored = ""
      const first = yield* counted(spine(takes("10 minutes"), (runs) =>
        Effect.gen(function*() {
          const run = yield* runs.create({ prompt: "x" })
          stored = JSON.stringify(run.ref)
          yield* interruptedAfter(runs.waitForCompletion(run.ref), "1 minute")
        })))
      const second = yield* counted(Effect.gen(function*() {
        const { runs } = yield* Spine.SpineClient
        success(yield* finish(runs.waitForCompletion(yield* RunRef.parse(stored))))
      }))
      assert.deepStrictEqual([first, second], [{ created: 1, Interrupted: 1 }, { Succeeded: 1 }])
    }).pipe(Effect.provide(layer)))

  it.effect("in a durable workflow", () =>
    Effect.gen(function*() {
      const engine = Layer.mergeAll(WorkflowEngine.layerMemory, RunStore.layerMemory)
      const durable = SpineWorkflow.layer.pipe(
        Layer.provideMerge(Waits.layerMemory({ providers: [SpineWorkflow.provider] })),
        Layer.provideMerge(engine)
      )
      const payload = { key: "a", params: { prompt: "x" } }
      const counts = yield* counted(
        spine(takes("10 minutes"), () => Effect.void).pipe(
          // Returns when the workflow has started. The id of its execution is a hash, which takes real time
          Effect.andThen(SpineWorkflow.Run.execute(payload, { discard: true })),
          Effect.andThen(finish(SpineWorkflow.Run.execute(payload))),
          Effect.provide(durable)
        )
      )
      assert.deepStrictEqual(counts, { created: 1, Succeeded: 1 })
    }).pipe(Effect.provide(layer)))
})

describe("the guide about tracing", () => {
  const guide = readFileSync(new URL("../../docs/tracing.md", import.meta.url), "utf8")
  const sources = globSync("src/**/*.ts").map((file) => readFileSync(file, "utf8")).join("\n")

  it("lists every span with a fixed name", () => {
    const names = [...sources.matchAll(/(?:[sS]pan(?:Of)?\(|span: )\s*"([A-Z][\w.]+)"/g)].map(([, name]) => name!)
    assert.isAbove(new Set(names).size, 10)
    for (const name of names) assert.include(guide, `\`${name}\``)
  })

  it("lists every metric", () => {
    const names = [...sources.matchAll(/(?:counter|timer|histogram)\("([a-z_.]+)"/g)].map(([, name]) => name!)
    assert.isAbove(new Set(names).size, 4)
    for (const name of names) assert.include(guide, `\`${name}\``)
  })

  it("lists every attribute", () => {
    const names = [
      ...sources.matchAll(/"((?:run|canvas|execution|task|gen_ai|server|error|http|url)\.[a-z_.]+)": /g)
    ]
      .map(([, name]) => name!)
    assert.isAbove(new Set(names).size, 20)
    for (const name of names) if (!webhooks.has(name)) assert.include(guide, `\`${name}\``)
  })
})

/** The types of the webhooks of Spine, which look like attributes. */
const webhooks = new Set(["run.started", "run.completed", "run.failed"])
