import { expect, it } from "@effect/vitest"
import { publicExports } from "./exports.ts"

it("exports what the snapshot says, under the names and with the types that it says", { timeout: 60_000 }, async () => {
  const exported = await publicExports()
  // A public change is accepted with `npx vitest run test/packaging -u`, and is read in the diff
  await expect(exported).toMatchFileSnapshot("./exports.snapshot.txt")
})
