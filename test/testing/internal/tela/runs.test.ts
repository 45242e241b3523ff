import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as TestClock from "effect/testing/TestClock"
import * as TelaEmulator from "../../../../src/testing/TelaEmulator.ts"
import * as Timeline from "../../../../src/testing/Timeline.ts"
import * as tela from "../../tela.ts"

const { completions, emulated, other, refusal } = tela
const control = TelaEmulator.TelaEmulator

describe("a run", () => {
  const statusOf = (id: string) => Effect.map(tela.poll(id), (run) => [run.status, run.updated_at])

  it.effect("rule 7: is created, runs and succeeds over time, with the times of each", () =>
    Effect.gen(function*() {
      const { id } = yield* tela.run({ async: true, variables: { a: "b" } })
      assert.deepStrictEqual(yield* statusOf(id), ["created", "1970-01-01T00:00:00.000Z"])
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual(yield* statusOf(id), ["created", "1970-01-01T00:00:00.000Z"])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* statusOf(id), ["running", "1970-01-01T00:00:01.000Z"])
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(yield* statusOf(id), ["running", "1970-01-01T00:00:01.000Z"])
      yield* TestClock.adjust("1 hour")
      const run = yield* tela.poll(id)
      assert.deepStrictEqual([run.status, run.updated_at], ["succeeded", "1970-01-01T00:00:05.000Z"])
      assert.deepStrictEqual(run.output_content, {
        role: "assistant",
        content: "The emulator was given a: b.",
        tool_calls: [],
        information: { duration: 5, cost: 0.01, input_tokens: 100, output_tokens: 20 },
        has_structured_output: false
      })
      assert.deepStrictEqual(run.raw_output, { content: "The emulator was given a: b." })
    }).pipe(emulated()))

  it.effect("assumption 12: stays created for the configured time", () =>
    Effect.gen(function*() {
      const { id } = yield* tela.run({ async: true })
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual((yield* tela.poll(id)).status, "created")
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual((yield* tela.poll(id)).status, "running")
    }).pipe(emulated({ script: { timeline: Timeline.make({ duration: "2 minutes" }), createdFor: "1 minute" } })))

  it.effect("rule 7: can progress with polls instead of time", () =>
    Effect.gen(function*() {
      const { id } = yield* tela.run({ async: true })
      const seen: Array<string> = []
      for (let poll = 0; poll < 6; poll++) {
        yield* TestClock.adjust("1 second")
        seen.push((yield* tela.poll(id)).status)
      }
      assert.deepStrictEqual(seen, ["created", "created", "running", "running", "running", "succeeded"])
      const run = yield* tela.poll(id)
      assert.deepStrictEqual([run.status, run.updated_at], ["succeeded", "1970-01-01T00:00:06.000Z"])
      assert.strictEqual((yield* (yield* control).runs)[0]?.polls, 7)
    }).pipe(emulated({ script: { polls: { created: 2, running: 3 } } })))

  it.effect("rule 8: continues without polls", () =>
    Effect.gen(function*() {
      yield* tela.run({ async: true })
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual((yield* (yield* control).runs).map((run) => run.status), ["succeeded"])
    }).pipe(emulated()))

  it.effect("runs faster by the factor of the speed", () =>
    Effect.gen(function*() {
      const { id } = yield* tela.run({ async: true })
      yield* TestClock.adjust("499 millis")
      assert.strictEqual((yield* tela.poll(id)).status, "running")
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* statusOf(id), ["succeeded", "1970-01-01T00:00:00.500Z"])
    }).pipe(emulated({ speed: 10 })))

  it.effect("ends when the clock of the emulator is advanced", () =>
    Effect.gen(function*() {
      const { id } = yield* tela.run({ async: true })
      yield* (yield* control).advance("5 seconds")
      assert.strictEqual((yield* tela.poll(id)).status, "succeeded")
    }).pipe(emulated()))

  it.effect("assumption 2: has its error in raw_output when it failed", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      yield* emulator.script({ timeline: Timeline.make({ duration: 0, outcome: "failed", errors: ["Too long"] }) })
      const { id } = yield* tela.run({ async: true })
      const run = yield* tela.poll(id)
      assert.deepStrictEqual(
        [run.status, run.output_content, run.raw_output],
        ["failed", null, { error: { code: "EXECUTION_FAILED", message: "Too long" } }]
      )
      yield* emulator.script({ failure: { code: "MODEL", message: "Overloaded" } })
      const second = yield* tela.run({ async: true })
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual((yield* tela.poll(second.id)).raw_output, {
        error: { code: "MODEL", message: "Overloaded" }
      })
    }).pipe(emulated()))

  it.effect("can have unknown statuses, which change updated_at", () =>
    Effect.gen(function*() {
      const { id } = yield* tela.run({ async: true })
      assert.deepStrictEqual(yield* statusOf(id), ["queued", "1970-01-01T00:00:00.000Z"])
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(yield* statusOf(id), ["running", "1970-01-01T00:00:03.000Z"])
    }).pipe(emulated({
      script: {
        timeline: Timeline.make({ duration: "5 seconds", statuses: [{ from: 0, to: "3 seconds", status: "queued" }] })
      }
    })))

  it.effect("assumption 1: can come in camel case, or with credits_used", () =>
    Effect.gen(function*() {
      const { id } = yield* tela.run({ async: true, variables: { my_var: { inner_key: 1 } } })
      yield* TestClock.adjust("5 seconds")
      const run = yield* tela.poll(id)
      assert.deepStrictEqual(
        [run.outputContent["hasStructuredOutput"], run.outputContent["information"].inputTokens],
        [false, 100]
      )
      assert.deepStrictEqual(run.inputContent["variables"], { my_var: { inner_key: 1 } })
      assert.deepStrictEqual([run.creditsUsed, run.rawInput["canvasId"]], [1, tela.canvasId])
      assert.isFalse("updated_at" in run)
    }).pipe(
      emulated({ camelCaseRuns: true }),
      Effect.andThen(
        Effect.gen(function*() {
          const { id } = yield* tela.run({ async: true })
          assert.strictEqual((yield* tela.poll(id)).credits_used, 1)
        }).pipe(emulated({ creditsUsed: true }))
      )
    ))

  it.effect("section 3.5: cannot be looked up if it is synchronous or streamed", () =>
    Effect.gen(function*() {
      const { id } = yield* tela.run({})
      yield* tela.streamText({})
      const own = (yield* (yield* control).runs).map((run) => run.id)
      for (const gone of [id, ...own]) {
        assert.deepStrictEqual(
          yield* refusal("GET", `${completions}/${gone}`),
          [404, "NOT_FOUND", `Run not found: ${gone}`]
        )
      }
    }).pipe(emulated()))

  it.effect("is recorded with its parameters, and its request with its body", () =>
    Effect.gen(function*() {
      const body = { version_id: other, variables: { a: 1 }, tags: ["t"], async: true }
      yield* tela.json("POST", completions, { body })
      const emulator = yield* control
      const [run] = yield* emulator.runs
      assert.deepStrictEqual(
        [run?.request.mode, run?.request.variables, run?.request.tags, run?.versionId],
        ["async", { a: 1 }, ["t"], other]
      )
      assert.deepStrictEqual((yield* emulator.requests)[0]?.json, body)
    }).pipe(emulated()))

  it.effect("is the same in every test with the same random numbers", () =>
    Effect.gen(function*() {
      const ids = Effect.map(tela.run({ async: true }), (run) => run.id).pipe(
        emulated(),
        Random.withSeed("tela")
      )
      assert.strictEqual(yield* ids, yield* ids)
    }))
})
