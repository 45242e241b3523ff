/** Keeps the requests of a client under a limit. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as RateLimiter from "effect/persistence/RateLimiter"
import * as Predicate from "effect/Predicate"
import type { ClientOptions } from "../../ClientOptions.ts"
import { ConfigError } from "../../RunError.ts"
import { quote } from "../describe.ts"
import { checkConfig, checkGivenConfig, copyConfig, durationConfig, durationOf, isCount } from "../options.ts"

/** Checks the option `rateLimit`, and returns the effect that waits for a slot. */
export const make = Effect.fnUntraced(function*(
  provider: string,
  given: ClientOptions["rateLimit"]
): Effect.fn.Return<Effect.Effect<void> | undefined, ConfigError> {
  if (given === undefined) return undefined
  const options = yield* Effect.mapError(
    copyConfig("rateLimit", given, ["limiter", "limit", "window", "key"]),
    (error) => new ConfigError({ ...error, message: error.message, option: `rateLimit.${error.option}` })
  )
  const limiter = options.limiter ?? Option.getOrUndefined(yield* Effect.serviceOption(RateLimiter.RateLimiter))
  if (limiter === undefined) {
    return yield* new ConfigError({
      message:
        "rateLimit.limiter is missing. Provide RateLimiter.layer of effect/persistence, with RateLimiter.layerStoreMemory or a " +
        "shared store.",
      option: "rateLimit.limiter"
    })
  }
  yield* checkConfig("rateLimit.limiter", limiter, isLimiter, "a RateLimiter of effect/persistence")
  yield* checkGivenConfig("rateLimit.limit", options.limit, isCount, "a whole number, 1 or more")
  yield* checkConfig("rateLimit.key", options.key, Predicate.isString, "text")
  const window = yield* durationConfig("rateLimit.window", options.window)
  // @effect-diagnostics-next-line returnEffectInGen:off -- each request runs the effect
  return makeSlots(reserveSlot(provider, options, limiter, window))
})

const isLimiter = (value: unknown): boolean =>
  Predicate.hasProperty(value, "consume") && Predicate.isFunction(value.consume)

/**
 * Waits for a slot, first in, first out. Only the first request in the queue asks the limiter for one: if all had reserved theirs in
 * advance, all would be due at once after the process was suspended. A slot whose request was interrupted goes to the next request.
 *
 * The queue is not Effect's `Semaphore`, which copies its waiters at each release: it takes 25 seconds to drain 20,000 of them.
 */
const makeSlots = (reserve: Effect.Effect<Duration.Duration>): Effect.Effect<void> => {
  const waiting = new Set<() => void>()
  // Kept between calls: a new iterator takes longer to find the front of a set, the more waiters have left it
  let order = waiting.values()
  let isTaken = false
  let readyAt: number | undefined

  const leave = () => {
    const { done, value: go } = order.next()
    if (done === true) {
      isTaken = false
      order = waiting.values()
      return
    }
    waiting.delete(go)
    go()
  }

  const take = Effect.gen(function*() {
    const clock = yield* Clock.Clock
    // Unlike the time of day, it does not jump when the system's time is set
    const now = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
    // A reservation from the past is not used: the bucket has filled up since, so one more request would exceed the limit
    if (readyAt === undefined || readyAt <= now()) {
      // The delay counts from the question: a store may take a while to answer, and Effect's stores use the time of the question
      const askedAt = now()
      const delay = yield* reserve
      readyAt = askedAt + Duration.toMillis(delay)
    }
    const millis = readyAt - now()
    if (millis > 0) yield* Effect.sleep(millis)
    readyAt = undefined
  })

  // Interruptible only while it waits, so that the request at the front always leaves the queue
  return Effect.uninterruptibleMask((restore) => {
    const takeAndLeave = Effect.ensuring(restore(take), Effect.sync(leave))
    if (!isTaken) {
      isTaken = true
      return takeAndLeave
    }
    let isFirst = false
    let go: () => void
    const queue = Effect.callback<void>((resume) => {
      go = () => {
        isFirst = true
        // Deferred, because a request that is woken would wake the next one before it leaves
        resume(Effect.yieldNow)
      }
      waiting.add(go)
    })
    return Effect.matchCauseEffect(restore(queue), {
      onSuccess: () => takeAndLeave,
      onFailure: (cause) => {
        waiting.delete(go)
        if (isFirst) leave()
        return Effect.failCause(cause)
      }
    })
  })
}

/**
 * Reserves a slot, and returns how long it takes until then. At most `limit` requests in any window: up to 10 % may burst, and
 * the bucket refills at 90 % of the limit's rate. A bucket of the whole limit, or a fixed window at its edge, would let through
 * twice as many.
 *
 * A limiter whose store fails limits nothing: it must not stop the polls of a paid run.
 */
const reserveSlot = (
  provider: string,
  { key, limit }: NonNullable<ClientOptions["rateLimit"]>,
  limiter: RateLimiter.RateLimiter,
  window: Duration.Duration
): Effect.Effect<Duration.Duration> => {
  const burst = Math.floor(limit / 10)
  const bucket = Math.max(1, burst)
  return Effect.gen(function*() {
    // The program's own limiter may throw, or return anything
    const consumed = yield* limiter.consume({
      key: key ?? `canvas-runs/${provider}`,
      algorithm: "token-bucket",
      limit: bucket,
      window: Duration.times(window, bucket / (limit - burst)),
      onExceeded: "delay"
    })
    const delay = durationOf(consumed?.delay)
    // An infinite delay would hang every request
    if (Option.isSome(delay) && Duration.isFinite(delay.value)) return delay.value
    return yield* Effect.die(new TypeError(`the delay is ${quote(consumed?.delay)}; it must be a finite duration`))
  }).pipe(
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.failCause(cause as Cause.Cause<never>)
        : Effect.as(Effect.logWarning("canvas-runs: the rate limiter failed", cause), Duration.zero)
    )
  )
}
