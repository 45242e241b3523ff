import { assert, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { directory, pictures, texts } from "./pictures.ts"

it("the pictures of the documentation are up to date: npm run pictures", () => {
  const expected = pictures()
  assert.deepStrictEqual(readdirSync(directory).sort(), Object.keys(expected).sort())
  for (const [name, text] of Object.entries(expected)) {
    assert.strictEqual(readFileSync(directory + name, "utf8"), text, name)
  }
})

it("the guide shows the Mermaid text and the rows as they are drawn", () => {
  const guide = readFileSync(`${directory}../pictures.md`, "utf8")
  for (const text of texts()) assert.include(guide, `\n${text}\`\`\`\n`)
})
