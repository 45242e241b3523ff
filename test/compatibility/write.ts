/** `npm run fixtures`: writes what this version stores, for the test of all later versions. */
import { Effect } from "effect"
import { mkdirSync, writeFileSync } from "node:fs"
import manifest from "../../package.json" with { type: "json" }
import { fixtures } from "./fixtures.ts"

const folder = new URL(`${manifest.version}/`, import.meta.url)
mkdirSync(folder, { recursive: true })
for (const [name, text] of Object.entries(await Effect.runPromise(fixtures))) writeFileSync(new URL(name, folder), text)
console.log(`wrote test/compatibility/${manifest.version}`)
