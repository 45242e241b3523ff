import { assert, it } from "@effect/vitest"
import { readFileSync } from "node:fs"

/** The call signatures of a member of the form `readonly name: { ... }`, each with the lines above it. */
const signaturesOf = (source: string, interfaceName: string, member: string): ReadonlyArray<string> => {
  const start = source.indexOf(`export interface ${interfaceName}`)
  const body = source.slice(start, source.indexOf("\n}\n", start))
  const from = body.indexOf(`  readonly ${member}: {\n`)
  assert.isAtLeast(from, 0, `${interfaceName}.${member} has its call signatures in braces`)
  const block = body.slice(from, body.indexOf("\n  }\n", from) === -1 ? undefined : body.indexOf("\n  }\n", from))
  return block.split(/^ {4}(?=[<(])/m).slice(0, -1)
}

const canvas = readFileSync(new URL("../../src/tela/TelaCanvas.ts", import.meta.url), "utf8")
const client = readFileSync(new URL("../../src/tela/TelaClient.ts", import.meta.url), "utf8")

for (
  const [source, interfaceName, member, count] of [
    [canvas, "Canvas<in Input", "execute", 4],
    [canvas, "Canvas<in Input", "run", 1],
    [canvas, "Canvas<in Input", "stream", 1],
    [canvas, "Canvas<in Input", "getExecution", 1],
    [canvas, "Workstation<in Input", "execute", 1],
    [canvas, "Workstation<in Input", "run", 1],
    [canvas, "Workstation<in Input", "getExecution", 1],
    [canvas, "Canvases", "get", 3],
    [canvas, "Canvases", "make", 3],
    [client, "Service", "getExecution", 1]
  ] as const
) {
  it(`F4: an editor shows documentation and an example for each call of ${interfaceName.replace(/<.*/, "")}.${member}`, () => {
    const above = signaturesOf(source, interfaceName, member)
    assert.strictEqual(above.length, count)
    for (const text of above) {
      assert.match(text, /\*\/\s*$/, `a call signature without documentation:\n${text}`)
      assert.include(text, "```ts", "a call signature without an example")
    }
  })
}
