/** A process whose event loop is busy, on a simulated clock: no real time passes, and the order of events is repeatable. */
import { Clock, Context, Duration, Effect, Scheduler } from "effect"
import { sleepingBy } from "./support.ts"

export interface Busy {
  /** The services of fibers in this process. */
  readonly context: Context.Context<never>
  /** The simulated time, in milliseconds since the start. */
  readonly now: () => number
  /** Blocks the event loop for this long, and then runs the queued tasks `passes` times. */
  readonly turn: (millis: number, passes?: number) => void
}

export const make = (): Busy => {
  let time = 0
  let tasks: Array<() => void> = []
  let sleeps: Array<{ readonly at: number; readonly wake: () => void }> = []
  const real = Context.get(Context.empty(), Clock.Clock)
  const clock: Clock.Clock = {
    ...sleepingBy(real, (duration) =>
      Effect.callback<void>((resume) => {
        const sleep = { at: time + Duration.toMillis(duration), wake: () => resume(Effect.void) }
        sleeps.push(sleep)
        return Effect.sync(() => {
          sleeps = sleeps.filter((other) => other !== sleep)
        })
      })),
    currentTimeMillisUnsafe: () => time,
    monotonicTimeNanosUnsafe: () => BigInt(Math.round(time * 1e6))
  }
  const scheduler = new Scheduler.MixedScheduler("async", (task) => {
    tasks.push(task)
    return () => {
      tasks = tasks.filter((other) => other !== task)
    }
  })
  return {
    context: Context.make(Clock.Clock, clock).pipe(Context.add(Scheduler.Scheduler, scheduler)) as Context.Context<
      never
    >,
    now: () => time,
    turn: (millis, passes = 3) => {
      time += millis
      const due = sleeps.filter(({ at }) => at <= time).toSorted((a, b) => a.at - b.at)
      sleeps = sleeps.filter(({ at }) => at > time)
      for (const { wake } of due) wake()
      for (let pass = 0; pass < passes; pass++) {
        const queued = tasks
        tasks = []
        for (const task of queued) task()
      }
    }
  }
}
