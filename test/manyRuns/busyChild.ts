/**
 * A process whose event loop is really held, again and again, for a turn of so many milliseconds, with a short rest between.
 * Its waits have a deadline. It sends back how many rests after the first that was possible each poll and each timeout came.
 *
 * Rests are counted and not milliseconds, so a slow machine changes nothing.
 */
import { Effect } from "effect"
import { Run, RunRef, type RunSource } from "canvas-runs"
import * as Polling from "canvas-runs/Polling"
import type { BusyTurns, Delays } from "./busyTurns.ts"

interface Snapshot {
  readonly status: "running"
}

/** So many passes of the event loop are a rest: enough for all that is due. */
const passes = 200

/** Timers that are due within 50 ms of each other wake together, and the machine takes a moment. */
const slack = 100

const begins: Array<number> = []

/** How many rests after the first that begins when this is due. */
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
    /** A poll that is due, and is made now or never. */
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
    // Holds the event loop, and takes no CPU time
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, turn)
  }
  return delays
}

process.once("message", (turns: BusyTurns) => {
  void follow(turns).then((delays) => process.send!(delays, () => process.disconnect()))
})
