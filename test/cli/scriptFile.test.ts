import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as ScriptFile from "../../src/cli/scriptFile.ts"

const id = "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11"

it.effect("the first entry whose prompt is part of the run's prompt applies, and one without a prompt applies to all runs", () =>
  Effect.gen(function*() {
    const file = yield* ScriptFile.decode({
      spine: { runs: [{ prompt: "report", finalOutput: "a report", duration: "1 minute" }, { finalOutput: "any" }] }
    })
    const script = ScriptFile.spineScript(file, "10 seconds")
    const report = script({ prompt: "The report of Q3" })
    assert.strictEqual(report.finalOutput, "a report")
    assert.deepStrictEqual(report.estimatedDuration, script({ prompt: "report" }).estimatedDuration)
    assert.strictEqual(script({ prompt: "anything" }).finalOutput, "any")
    assert.strictEqual(script({ prompt: "anything" }).estimatedDuration, "10 seconds")
  }))

it.effect("a run or canvas without an entry behaves as the emulator does by default", () =>
  Effect.gen(function*() {
    const none = yield* ScriptFile.decode({})
    assert.strictEqual(ScriptFile.spineScript(none, "10 seconds")({ prompt: "anything" }).finalOutput, undefined)
    assert.deepStrictEqual(ScriptFile.telaCanvases(none, "10 seconds"), [])
    const other = yield* ScriptFile.decode({ spine: { runs: [{ prompt: "report", finalOutput: "a report" }] } })
    assert.strictEqual(ScriptFile.spineScript(other, "10 seconds")({ prompt: "anything" }).finalOutput, undefined)
  }))

it.effect("a canvas whose output is an object has a structured output, and one with pieces streams them", () =>
  Effect.gen(function*() {
    const schema = { type: "object", properties: { total: { type: "number" } } }
    const file = yield* ScriptFile.decode({
      tela: {
        canvases: [
          { id, output: { total: 3 } },
          { id, output: "text", pieces: ["te", "xt"] },
          { id, structuredOutput: schema, duration: "3 seconds" }
        ]
      }
    })
    const [object, text, structured] = ScriptFile.telaCanvases(file, "10 seconds")
    assert.deepStrictEqual([object!.structuredOutput, object!.script], [{ type: "object" }, {
      ...object!.script,
      output: { total: 3 }
    }])
    assert.deepStrictEqual([text!.structuredOutput, text!.script], [undefined, {
      ...text!.script,
      output: "text",
      stream: { pieces: ["te", "xt"] }
    }])
    assert.deepStrictEqual(structured!.structuredOutput, schema)
  }))

it.effect("an unknown member is refused as a typo", () =>
  Effect.gen(function*() {
    for (
      const file of [
        { spine: { runs: [{ finalOuput: "a" }] } },
        { tela: { canvases: [{ id: "no uuid" }] } },
        { spine: { runs: [{ duration: "soon" }] } }
      ]
    ) yield* Effect.flip(ScriptFile.decode(file))
  }))
