/**
 * Every failure has a tag, and the types list the tags that are possible. This example makes the emulator fail in six ways and
 * decides what to do about each. It always uses the emulator, because the real service does not fail on demand.
 *
 * Run: `npm run example examples/04-failures.ts`
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Duration, Effect } from "effect"
import { RunRef, Spine } from "canvas-runs"
import { Fault, SpineEmulator, Timeline } from "canvas-runs/testing"
import { emulated } from "./support/live.ts"

const ask = Effect.fn("ask")(
  function*(prompt: string, wait: Spine.WaitOptions = { timeout: "2 hours" }) {
    const spine = yield* Spine.SpineClient
    const run = yield* spine.runs.run({ prompt }, wait)
    return `${run.status} with ${run.result.artifacts.length} files`
  },
  Effect.catchTags({
    // Our mistake. `sent: false` says that it was found before anything was sent
    BadRequestError: (error) => Effect.succeed(`fix ${error.parameter ?? "the request"} (sent: ${error.sent})`),
    // The provider's reasons
    RunFailedError: (error) => Effect.succeed(`give up: ${error.errors.join("; ")}`),
    // Only the wait is over: to wait again you need nothing but the ref
    RunTimeoutError: (error) => Effect.succeed(`come back later to ${RunRef.format(error.ref)}`),
    RateLimitError: (error) =>
      Effect.succeed(`try again in ${Duration.format(error.retryAfter ?? Duration.minutes(1))}`),
    // Never repeat this create blindly: a run may exist, and cost money
    CreateOutcomeUnknownError: () => Effect.succeed("look into the portal before you start another"),
    UsageLimitError: (error) => Effect.succeed(`top up: ${error.providerMessage}`)
  }),
  // Other errors, such as no network, or a revoked key
  Effect.catch((error) => Effect.succeed(`${error._tag}: ${error.message}`))
)

const unlucky: Timeline.Options = { outcome: "failed", errors: ["The sources could not be read"] }

const program = Effect.gen(function*() {
  const emulator = yield* SpineEmulator.SpineEmulator
  const report = (title: string, outcome: Effect.Effect<string, never, Spine.SpineClient>) =>
    Effect.flatMap(outcome, (line) => Console.log(`${title.padEnd(22)} ${line}`))
  const onCreate = Fault.on("POST", "/v1/run")

  yield* report("an empty prompt", ask("  "))
  yield* report("a run of 90 minutes", ask("Long", { timeout: "15 minutes" }))

  yield* emulator.script({ timeline: Timeline.make({ duration: "1 minute", ...unlucky }) })
  yield* report("a run that fails", ask("Unlucky"))

  yield* emulator.fault(Fault.status(429, { headers: { "retry-after": "20" } }).pipe(onCreate))
  yield* report("too many requests", ask("Busy"))

  yield* emulator.fault(Fault.status(402).pipe(onCreate))
  yield* report("no credits", ask("Poor"))

  yield* emulator.fault(Fault.dropAfter.pipe(onCreate))
  yield* report("a broken connection", ask("Lost"))
})

program.pipe(
  // Always the emulator: the real service does not fail on demand
  Effect.provide(emulated({ script: { timeline: Timeline.make({ duration: "90 minutes" }) } })),
  NodeRuntime.runMain
)
