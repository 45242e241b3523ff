/**
 * Three hundred runs in one process: a row in a table for each, one rate limit for all polls, a few requests at a time, and each
 * result when it is ready.
 *
 * Run: `npm run example examples/22-many-runs.ts`
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Duration, Effect, Layer, Result, Stream } from "effect"
import { RateLimiter } from "effect/persistence"
import { Spine } from "canvas-runs"
import { Timeline } from "canvas-runs/testing"
import { isReal, live } from "./support/live.ts"

const program = Effect.gen(function*() {
  const spine = yield* Spine.SpineClient
  // The real service would start as many runs as this, for money
  const count = (yield* isReal) ? 3 : 300

  // Runs are waited for from the moment they are created. A create that fails would end the stream, so it is left out
  const created = Stream.range(1, count).pipe(
    Stream.mapEffect(
      (number) => Effect.result(spine.runs.create({ prompt: `Describe the tide at station ${number}` })),
      {
        concurrency: 8
      }
    ),
    Stream.filterMap((result) => result)
  )

  let done = 0
  const failures: Array<string> = []
  yield* spine.runs.completions(created, { pollInterval: "30 seconds", timeout: "2 hours", concurrency: 32 }).pipe(
    Stream.runForEach(({ result, target }) => {
      done++
      // The ref of whatever went wrong is at hand, to store it or to wait again
      if (Result.isFailure(result)) failures.push(`${result.failure._tag}: ${target.ref.id}`)
      return done % 100 === 0 ? Console.log(`${done} of ${count}`) : Effect.void
    })
  )
  yield* Console.log(`${done} runs, ${done - failures.length} completed, ${failures.length} failed`)
})

// For several processes that share a key: RateLimiter.layerStoreRedis in place of layerStoreMemory
const limiter = RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))

const main = Layer.unwrap(
  Effect.map(RateLimiter.RateLimiter, (limiter) =>
    live({
      runs: 3,
      rateLimit: { limiter, limit: 20, window: "1 second" },
      // Every fiftieth does not work out
      script: ({ prompt }) => {
        const number = Number(prompt.split(" ").at(-1))
        return {
          timeline: Timeline.make({
            duration: Duration.minutes(2 + number % 7),
            outcome: number % 50 === 0 ? "failed" : "completed"
          })
        }
      }
    }))
).pipe(Layer.provide(limiter))

program.pipe(Effect.provide(main), NodeRuntime.runMain)
