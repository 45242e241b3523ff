import { Effect } from "effect"
import * as TimerQueue from "../../src/internal/polling/timerQueue.ts"

/** Sleeps on the shared timer of the polls. */
export const sleep = (millis: number): Effect.Effect<void> =>
  Effect.withFiber((fiber) =>
    Effect.callback<void>((callback) => {
      const timers = TimerQueue.of(fiber)
      const timer: TimerQueue.Timer = { due: 0, index: -1, wake: () => callback(Effect.void) }
      timers.add(timer, millis)
      return Effect.sync(() => timers.remove(timer))
    })
  )
