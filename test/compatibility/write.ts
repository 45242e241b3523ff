/** `npm run fixtures`: writes what this version stores, for the test of all later versions. */
import { Effect } from "effect"
import { mkdirSync, writeFileSync } from "node:fs"
import manifest from "../../package.json" with { type: "json" }
import { fixtures, workflows } from "./fixtures.ts"

const folder = new URL(`${manifest.version}/`, import.meta.url)
mkdirSync(folder, { recursive: true })
const files = { ...await Effect.runPromise(fixtures), "workflows.sql": await Effect.runPromise(workflows) }
for (const [name, text] of Object.entries(files)) writeFileSync(new URL(name, folder), text)
console.log(`wrote test/compatibility/${manifest.version}`)
