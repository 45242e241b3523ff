/**
 * Waits for three hundred runs in one process. All polls share one rate limit, a few requests are under way at a time, and each
 * result is printed when it is ready.
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
  // The real service would start three hundred runs, which cost money
  const count = (yield* isReal) ? 3 : 300

  // The wait for a run starts when the run is created. A failed create would end the stream, so it is filtered out
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
      // Each failure has the ref of its run, to store it or to wait again
      if (Result.isFailure(result)) failures.push(`${result.failure._tag}: ${target.ref.id}`)
      return done % 100 === 0 ? Console.log(`${done} of ${count}`) : Effect.void
    })
  )
  yield* Console.log(`${done} runs, ${done - failures.length} completed, ${failures.length} failed`)
})

// If several processes share a key: RateLimiter.layerStoreRedis instead of layerStoreMemory
const limiter = RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))

const main = Layer.unwrap(
  Effect.map(RateLimiter.RateLimiter, (limiter) =>
    live({
      runs: 3,
      rateLimit: { limiter, limit: 20, window: "1 second" },
      // Every fiftieth run fails
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
