/** A clock that runs faster than real time, so that an example can wait two hours in a few seconds. */
import { Clock, Duration, Effect, Layer } from "effect"

/**
 * The longest step of real time that counts, in milliseconds. If the machine is busy for longer, the example is delayed, but
 * skips no events.
 */
const longestStep = 5

/** For a program with this layer, time passes `speed` times faster: sleeps, schedules, timeouts and timestamps. */
export const layer = (speed: number): Layer.Layer<never> =>
  Layer.effect(
    Clock.Clock,
    Effect.clockWith((real) =>
      Effect.sync(() => {
        const start = real.currentTimeMillisUnsafe()
        const sleepers = new Map<() => void, number>()
        let elapsed = 0
        let measuredAt = performance.now()
        let isTicking = false

        const measure = (): number => {
          const now = performance.now()
          elapsed += Math.min(now - measuredAt, longestStep) * speed
          measuredAt = now
          return elapsed
        }
        const tick = () => {
          const now = measure()
          const due = [...sleepers].filter(([, at]) => at <= now).sort(([, a], [, b]) => a - b)
          for (const [wake] of due) {
            sleepers.delete(wake)
            wake()
          }
          isTicking = sleepers.size > 0
          if (isTicking) setTimeout(tick, 1)
        }
        const sleep = (duration: Duration.Duration) =>
          Effect.callback<void>((resume) => {
            const wake = () => resume(Effect.void)
            sleepers.set(wake, measure() + Duration.toMillis(duration))
            if (!isTicking) setTimeout(tick, 1)
            isTicking = true
            return Effect.sync(() => sleepers.delete(wake))
          })

        const millis = () => start + measure()
        const nanosOf = (millis: number) => BigInt(Math.floor(millis * 1e6))
        return {
          currentTimeMillisUnsafe: millis,
          currentTimeMillis: Effect.sync(millis),
          currentTimeNanosUnsafe: () => nanosOf(millis()),
          currentTimeNanos: Effect.sync(() => nanosOf(millis())),
          monotonicTimeNanosUnsafe: () => nanosOf(measure()),
          monotonicTimeNanos: Effect.sync(() => nanosOf(measure())),
          sleep
        }
      })
    )
  )
