/** A process of the simulation: runs blocks of seeds, one after the other. */
import { on } from "node:events"
import { runSeed, type Seeds } from "./simulate.ts"

for await (const [message] of on(process, "message")) {
  const { from, seeds } = message as Seeds
  const reports = []
  for (let seed = from; seed < from + seeds; seed++) reports.push(await runSeed(seed))
  process.send!(reports)
}
