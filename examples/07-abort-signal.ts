/**
 * Promises: an `AbortSignal` stops the wait at once, with all its timers and sockets. The run continues at the provider, which
 * has no way to stop one. Its ref starts another wait.
 *
 * Run: `npm run example examples/07-abort-signal.ts`
 */
import { ManagedRuntime } from "effect"
import { RunRef, Spine } from "canvas-runs"
import { Timeline } from "canvas-runs/testing"
import { live } from "./support/live.ts"

await using runtime = ManagedRuntime.make(live({ script: { timeline: Timeline.make({ duration: "30 minutes" }) } }))

const { ref } = await runtime.runPromise(
  Spine.SpineClient.use((spine) => spine.runs.create({ prompt: "Plan a conference for 200 people" }))
)

const wait = Spine.SpineClient.use((spine) => spine.runs.waitForCompletion(ref, { timeout: "2 hours" }))

// A user who closes the tab, a request that is cancelled, a server that shuts down
const controller = new AbortController()
setTimeout(() => controller.abort(), 300)

await runtime.runPromise(wait, { signal: controller.signal }).then(
  () => console.log("the run ended first"),
  () => console.log(`stopped waiting for ${RunRef.format(ref)}`)
)

const now = await runtime.runPromise(Spine.SpineClient.use((spine) => spine.runs.retrieve(ref)))
console.log(`it continues: ${now.status}`)

const run = await runtime.runPromise(wait)
console.log(`picked up again: ${run.status}`)
