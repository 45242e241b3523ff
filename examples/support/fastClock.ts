/** A clock that goes faster than time, so that an example can wait two hours in a few seconds. */
import { Clock, Duration, Effect, Layer } from "effect"

/** Everything under this layer sees time pass `speed` times faster: sleeps, schedules, timeouts and timestamps. */
export const layer = (speed: number): Layer.Layer<never> =>
  Layer.effect(
    Clock.Clock,
    Effect.clockWith((real) =>
      Effect.sync(() => {
        const wall = real.currentTimeNanosUnsafe()
        const start = real.monotonicTimeNanosUnsafe()
        const elapsed = () => (real.monotonicTimeNanosUnsafe() - start) * BigInt(speed)
        const nanos = () => wall + elapsed()
        const millis = () => Number(nanos() / 1_000_000n)
        return {
          currentTimeMillisUnsafe: millis,
          currentTimeMillis: Effect.sync(millis),
          currentTimeNanosUnsafe: nanos,
          currentTimeNanos: Effect.sync(nanos),
          monotonicTimeNanosUnsafe: elapsed,
          monotonicTimeNanos: Effect.sync(elapsed),
          sleep: (duration) => real.sleep(Duration.times(duration, 1 / speed))
        }
      })
    )
  )
