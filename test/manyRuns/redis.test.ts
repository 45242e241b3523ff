/** A rate limit that processes share through Redis. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Redacted, References } from "effect"
import { RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import { fork } from "node:child_process"
import { Spine } from "canvas-runs"
import { SpineEmulator } from "canvas-runs/testing"
import * as SpineEmulatorServer from "canvas-runs/testing/SpineEmulatorServer"
import { bundled } from "../support/programs.ts"
import { hasRedis, redis, redisLimiter } from "../support/redis.ts"
import { apiKey } from "../support/spine.ts"
import type { Options } from "./redisChild.ts"
import { mostWithin } from "./support.ts"

const limit = 20

/** At most 2 requests at once, and the others evenly spaced. */
const burst = 2
const spacing = 1000 / (limit - burst)

const arrivals = Effect.map(
  SpineEmulator.SpineEmulator.use(({ requests }) => requests),
  (requests) => requests.map(({ receivedAt }) => receivedAt).toSorted((a, b) => a - b)
)

/** A client with its own connection to Redis, like that of another process. `onAsk` and `onAnswer` surround each question to Redis. */
const clientOn = (
  socket: string,
  window: "1 second" | "10 minutes" = "1 second",
  onAsk = () => {},
  onAnswer = () => {}
) =>
  Effect.gen(function*() {
    const inRedis = Context.get(yield* Layer.build(redisLimiter(socket)), RateLimiter.RateLimiter)
    const limiter: typeof inRedis = {
      ...inRedis,
      consume: (options) =>
        Effect.ensuring(Effect.andThen(Effect.sync(onAsk), inRedis.consume(options)), Effect.sync(onAnswer))
    }
    const layer = Spine.layer({ apiKey: Redacted.make(apiKey), rateLimit: { limiter, limit, window } })
    return Context.get(yield* Layer.build(Layer.fresh(layer)), Spine.SpineClient)
  })

/** A process that sends its requests as fast as its limit allows, once it may. */
const processOn = (file: string, options: Options) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = fork(file, [JSON.stringify(options)], { execArgv: [] })
      const ready = new Promise((resolve) => child.once("message", resolve))
      const ended = new Promise((resolve) => child.once("exit", resolve))
      return { child, ready, ended }
    }),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  )

const tests = () => {
  it.effect("is one limit for two clients: never more than `limit` requests in any window", () =>
    Effect.gen(function*() {
      const { socket } = yield* redis
      const requests = 100
      let asked = 0
      const ask = () => asked++
      const answer = () => asked--
      // Redis forgets a limit after its window, in real time. The test is over long before
      const client = clientOn(socket, "10 minutes", ask, answer)
      const clients = [yield* client, yield* client]
      const fiber = yield* Effect.forkChild(
        Effect.forEach(
          Array.from({ length: requests }, (_, index) => clients[index % 2]!),
          ({ runs }) => runs.create({ prompt: "tides" }),
          { concurrency: "unbounded", discard: true }
        )
      )
      while (fiber.pollUnsafe() === undefined) {
        // The clock stands still until Redis has answered
        if (asked === 0) yield* TestClock.adjust("12 seconds")
        yield* TestClock.withLive(Effect.sleep("1 millis"))
      }
      yield* Fiber.join(fiber)
      const moments = yield* arrivals
      assert.lengthOf(moments, requests)
      assert.isAtMost(mostWithin(moments, 600_000), limit)
    }).pipe(Effect.provide(SpineEmulator.layerTest())))

  it.live("is one limit for two processes: since their start never more requests than the limit allows", () =>
    Effect.gen(function*() {
      const { socket } = yield* redis
      const { baseUrl } = yield* SpineEmulatorServer.SpineEmulatorServer
      const file = yield* bundled(new URL("redisChild.ts", import.meta.url))
      const options = { socket, baseUrl, limit, requests: 15 }
      const children = [yield* processOn(file, options), yield* processOn(file, options)]
      yield* Effect.promise(() => Promise.all(children.map(({ ready }) => ready)))
      const started = Date.now()
      for (const { child } of children) child.send("start")
      const codes = yield* Effect.promise(() => Promise.all(children.map(({ ended }) => ended)))
      assert.deepStrictEqual(codes, [0, 0])
      const moments = yield* arrivals
      assert.lengthOf(moments, 30)
      // A busy machine delays arrivals, and makes none of them earlier
      for (const [index, moment] of moments.entries()) {
        assert.isAtLeast(moment - started, (index + 1 - burst) * spacing - 2, `request ${index + 1}`)
      }
    }).pipe(Effect.provide(SpineEmulatorServer.layer())))

  it.live("limits nothing, and holds nothing up, while Redis is down", () =>
    Effect.gen(function*() {
      const { socket, stop } = yield* redis
      const { runs } = yield* clientOn(socket)
      yield* stop
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(runs.create({ prompt: "tides" }))))
    }).pipe(
      Effect.provide(SpineEmulator.layerTest()),
      Effect.provideService(References.MinimumLogLevel, "None")
    ))
}

if (hasRedis) describe("a rate limit in Redis", tests)
else it("a rate limit in Redis", (context) => context.skip("redis-server is not installed"))
