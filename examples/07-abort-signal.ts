/**
 * From a world of promises: an `AbortSignal` stops the waiting at once, with every timer and socket it had. The run goes
 * on at the provider, because no provider lets go of a run it has accepted; its ref leads back to it.
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
  () => console.log("it was faster than we were"),
  () => console.log(`stopped waiting for ${RunRef.format(ref)}`)
)

const now = await runtime.runPromise(Spine.SpineClient.use((spine) => spine.runs.retrieve(ref)))
console.log(`it goes on: ${now.status}`)

const run = await runtime.runPromise(wait)
console.log(`picked up again: ${run.status}`)
