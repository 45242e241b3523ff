/** A process that shares a rate limit with others through Redis. Its argument is its options, as JSON. */
import { Effect, Layer, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import { Spine } from "canvas-runs"
import { redisLimiter } from "../support/redis.ts"

export interface Options {
  readonly socket: string
  readonly baseUrl: string
  readonly limit: number
  readonly requests: number
}

const { baseUrl, limit, requests, socket } = JSON.parse(process.argv[2]!) as Options

const main = Effect.gen(function*() {
  const { runs } = yield* Spine.SpineClient
  yield* Effect.promise(() => {
    const start = new Promise((resolve) => process.once("message", resolve))
    process.send!("ready")
    return start
  })
  yield* Effect.forEach(Array.from({ length: requests }), () => runs.create({ prompt: "tides" }), {
    concurrency: "unbounded",
    discard: true
  })
  process.disconnect()
}).pipe(
  Effect.provide(
    Spine.layer({
      apiKey: Redacted.make("sk_spine_redis"),
      baseUrl,
      rateLimit: { limit, window: "1 second" }
    })
  ),
  Effect.provide(Layer.merge(redisLimiter(socket), FetchHttpClient.layer))
)

await Effect.runPromise(main)
