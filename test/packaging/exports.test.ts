import { expect, it } from "@effect/vitest"
import { publicExports } from "./exports.ts"

it("the package exports the names and types of the snapshot", { timeout: 60_000 }, async () => {
  const exported = await publicExports()
  // A public change is accepted with `npx vitest run test/packaging -u`, and is read in the diff
  await expect(exported).toMatchFileSnapshot("./exports.snapshot.txt")
})
