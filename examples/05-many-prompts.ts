/**
 * Many prompts, a few at a time: at most four runs are under way, each result is printed when it is ready, and one failure does
 * not stop the others.
 *
 * Run: `npm run example examples/05-many-prompts.ts`
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Result, Stream } from "effect"
import { Spine } from "canvas-runs"
import { Timeline } from "canvas-runs/testing"
import { live } from "./support/live.ts"

const cities = ["Copenhagen", "Oslo", "Vienna", "Athens", "Riga", "Rome", "Bern", "Porto"]

const research = Effect.fn("research")(function*(city: string) {
  const spine = yield* Spine.SpineClient
  const run = yield* spine.runs.run(
    { prompt: `Write a memo on public transport in ${city}`, template: "memo" },
    { pollInterval: "15 seconds", timeout: "2 hours" }
  )
  return run.metadata?.credits_consumed ?? 0
})

const program = Effect.gen(function*() {
  const credits = yield* Stream.fromIterable(cities).pipe(
    Stream.mapEffect(
      (city) => Effect.map(Effect.result(research(city)), (result) => ({ city, result })),
      { concurrency: 4, unordered: true }
    ),
    Stream.tap(({ city, result }) =>
      Console.log(Result.isSuccess(result) ? `${city}: done` : `${city}: ${result.failure.message}`)
    ),
    Stream.runFold(() => 0, (sum, { result }) => sum + Result.getOrElse(result, () => 0))
  )
  yield* Console.log(`${cities.length} prompts, ${credits} credits`)
})

program.pipe(
  Effect.provide(live({
    runs: cities.length,
    // A longer name means a longer run, and the run for Athens fails
    script: ({ prompt }) => ({
      timeline: Timeline.make({
        duration: `${prompt.length - 35} minutes`,
        outcome: prompt.includes("Athens") ? "failed" : "completed"
      })
    })
  })),
  NodeRuntime.runMain
)
