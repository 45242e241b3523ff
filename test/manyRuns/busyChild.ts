/**
 * A process whose event loop is blocked in real time, again and again for `turn` milliseconds, with a short pause between. Its
 * waits have a deadline. It sends back the delay of each poll and each timeout, as a number of pauses after the first possible
 * one.
 *
 * Counting pauses instead of milliseconds makes the result independent of the machine's speed.
 */
import { Effect } from "effect"
import { Run, RunRef, type RunSource } from "canvas-runs"
import * as Polling from "canvas-runs/Polling"
import type { BusyTurns, Delays } from "./busyTurns.ts"

interface Snapshot {
  readonly status: "running"
}

/** The number of passes of the event loop in a pause, which is enough for all due tasks. */
const passes = 200

/** Timers within the coalescing window of 50 ms wake together, and the machine adds some time. */
const slack = 100

const begins: Array<number> = []

/** The number of pauses between the first one after the due time and now. */
const restsSince = (due: number): number => {
  const first = begins.findIndex((at) => at >= due + slack)
  return first === -1 ? 0 : begins.length - 1 - first
}

const follow = async ({ count, interval, timeout, turn }: BusyTurns): Promise<Delays> => {
  const policy = Effect.runSync(
    Polling.makePolicy("test", { timeout, pollInterval: interval }, { pollInterval: interval, timeout })
  )
  const delays = { polls: 0, latestPoll: 0, timeouts: 0, latestTimeout: 0 }
  const started = performance.now()
  for (let index = 0; index < count; index++) {
    let polled: number | undefined
    /** Records the delay of the poll that was due last. */
    const noteDue = () => {
      if (polled !== undefined) delays.latestPoll = Math.max(delays.latestPoll, restsSince(polled + interval))
    }
    const source: RunSource.RunSource<Snapshot, never, never> = {
      ref: RunRef.make({ provider: "test", kind: "run", id: `${index}` }),
      retrieve: Effect.sync(() => {
        noteDue()
        polled = performance.now()
        delays.polls++
        return { value: { status: "running" }, requestId: undefined, retryAfter: undefined }
      }),
      classify: () => ({ _tag: "Pending" }),
      status: ({ status }) => status,
      unchanged: () => true
    }
    const begun = performance.now()
    Effect.runFork(Run.wait(source, policy)).addObserver(() => {
      noteDue()
      delays.latestTimeout = Math.max(delays.latestTimeout, restsSince(begun + timeout))
      delays.timeouts++
    })
  }
  while (delays.timeouts < count && performance.now() < started + timeout + 3 * turn) {
    begins.push(performance.now())
    for (let pass = 0; pass < passes; pass++) await new Promise(setImmediate)
    // Blocks the event loop without CPU time
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, turn)
  }
  return delays
}

process.once("message", (turns: BusyTurns) => {
  void follow(turns).then((delays) => process.send!(delays, () => process.disconnect()))
})
