import { assert, it } from "@effect/vitest"
import * as ScriptFile from "../../src/cli/scriptFile.ts"

const id = "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11"

it("the first entry whose prompt is part of the run's prompt applies, and one without a prompt applies to all runs", () => {
  const file = ScriptFile.decode({
    spine: { runs: [{ prompt: "report", finalOutput: "a report", duration: "1 minute" }, { finalOutput: "any" }] }
  })
  const script = ScriptFile.spineScript(file, "10 seconds")
  const report = script({ prompt: "The report of Q3" })
  assert.strictEqual(report.finalOutput, "a report")
  assert.deepStrictEqual(report.estimatedDuration, script({ prompt: "report" }).estimatedDuration)
  assert.strictEqual(script({ prompt: "anything" }).finalOutput, "any")
  assert.strictEqual(script({ prompt: "anything" }).estimatedDuration, "10 seconds")
})

it("a run or canvas without an entry has the emulator's default behaviour", () => {
  const none = ScriptFile.decode({})
  assert.strictEqual(ScriptFile.spineScript(none, "10 seconds")({ prompt: "anything" }).finalOutput, undefined)
  assert.deepStrictEqual(ScriptFile.telaCanvases(none, "10 seconds"), [])
  const other = ScriptFile.decode({ spine: { runs: [{ prompt: "report", finalOutput: "a report" }] } })
  assert.strictEqual(ScriptFile.spineScript(other, "10 seconds")({ prompt: "anything" }).finalOutput, undefined)
})

it("a canvas whose output is an object has a structured output, and one with pieces streams them", () => {
  const schema = { type: "object", properties: { total: { type: "number" } } }
  const file = ScriptFile.decode({
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
})

it("an unknown member is rejected as a typo", () => {
  for (
    const file of [
      { spine: { runs: [{ finalOuput: "a" }] } },
      { tela: { canvases: [{ id: "no uuid" }] } },
      { spine: { runs: [{ duration: "soon" }] } }
    ]
  ) assert.throws(() => ScriptFile.decode(file))
})
