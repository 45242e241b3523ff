import { assert, it } from "@effect/vitest"
import { errorsOf } from "./compiler.ts"

const prelude = `import { Effect, Schema } from "effect"
import { Tela } from "canvas-runs"
declare const canvas: Tela.Canvas<{ readonly topic: string }, number>
declare const tela: Tela.Service
const variables = { topic: "the sea" }
`

/** A wrong call, and the text that the compiler's error must have. */
const calls: ReadonlyArray<readonly [call: string, ...named: ReadonlyArray<string>]> = [
  ["canvas.execute({ topik: \"x\" })", "'topik'", "'topic'"],
  ["canvas.execute({})", "'topic' is missing"],
  ["canvas.execute({ topic: 5 })", "'number' is not assignable to type 'string'"],
  ["canvas.execute({ topik: \"x\" }, { async: true })", "'topik'"],
  ["canvas.execute(variables, { async: true, webhook: \"https://x.example\" })", "'webhook' does not exist"],
  ["canvas.execute(variables, { pollingInterval: 5 })", "'async' is missing"],
  ["canvas.execute(variables, { webhookUrl: \"https://x.example\" })", "'async' is missing"],
  ["canvas.execute(variables, { stream: true, webhookUrl: \"https://x.example\" })", "'webhookUrl' does not exist"],
  // The error is at the property async
  ["canvas.execute(variables, { stream: true, async: true })", "'true' is not assignable to type 'false'"],
  ["canvas.execute(variables, { async: true, timeout: \"5m\" })", "'timeout' does not exist"],
  ["canvas.execute(variables, { async: true, pollingInterval: \"5 minuets\" })", "\"5 minuets\""],
  ["canvas.execute(variables, { asynch: true })", "'asynch' does not exist", "'async'"],
  ["canvas.run(variables, { interval: 5 })", "'interval' does not exist"],
  ["canvas.stream(variables, { idleTimeoutMs: 5 })", "'idleTimeoutMs' does not exist", "'idleTimeout'"],
  ["canvas.getExecution(\"id\", { isTasks: true })", "'isTasks' does not exist", "'isTask'"],
  ["tela.getExecution(\"id\", { outputs: Schema.String })", "'outputs' does not exist", "'output'"],
  ["tela.canvas.make({ id: \"x\", output: { type: \"object\" } })", "'string' is not assignable"]
]

it("F3: a compiler error names the wrong or missing property, and no iterators", async () => {
  const lines = calls.map(([call]) =>
    `export const _ = Effect.gen(function*() { return yield* Effect.succeed(${call}) })`
  )
  const numbered = lines.map((line, index) => line.replace("const _", `const _${index}`))
  // The same calls as a program writes them
  const yielded = calls.map(([call], index) =>
    `export const y${index} = Effect.gen(function*() { return yield* ${call} })`
  )
  const errors = await errorsOf(prelude + [...numbered, ...yielded].join("\n"))
  const first = prelude.split("\n").length
  for (const [index, [call, ...named]] of calls.entries()) {
    const text = errors[first + index]
    assert.isDefined(text, `this compiles: ${call}`)
    for (const name of named) assert.include(text, name, call)
    if (!/stream\(|make\(/.test(call)) {
      const asWritten = errors[first + calls.length + index]
      for (const name of named) assert.include(asWritten, name, call)
      assert.notInclude(asWritten, "iterator", call)
    }
  }
}, 60_000)
