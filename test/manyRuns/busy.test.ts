/** Waits in a process whose event loop is blocked by other code. */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Option, Scheduler, Stream } from "effect"
import { Run, RunError, RunRef, type RunSource } from "canvas-runs"
import * as Polling from "canvas-runs/Polling"
import { size } from "../support/size.ts"
import * as Busy from "./busy.ts"
import * as BusyTurns from "./busyTurns.ts"

interface Snapshot {
  readonly status: "running"
}

const source = (id: string): RunSource.RunSource<Snapshot, never, never> => ({
  ref: RunRef.make({ provider: "test", kind: "run", id }),
  retrieve: Effect.succeed({ value: { status: "running" }, requestId: undefined, retryAfter: undefined }),
  classify: () => ({ _tag: "Pending" }),
  status: ({ status }) => status,
  unchanged: () => true
})

const policy = Effect.runSync(
  Polling.makePolicy("test", { timeout: "8 seconds", pollInterval: "5 seconds" }, {
    pollInterval: "5 seconds",
    timeout: "1 hour"
  })
)

/** Starts waits, and returns the time when each failed with its timeout. */
const waiting = (busy: Busy.Busy, count: number) => {
  const ended: Array<number> = []
  for (let id = 0; id < count; id++) {
    Effect.runForkWith(busy.context)(Run.wait(source(`${id}`), policy)).addObserver((exit) => {
      const error = Exit.isFailure(exit) ? Option.getOrUndefined(Exit.findErrorOption(exit)) : undefined
      assert.instanceOf(error, RunError.RunTimeoutError)
      ended.push(busy.now())
    })
  }
  return ended
}

describe("a busy event loop", () => {
  // It takes seconds but hardly any CPU time, so it runs concurrently with the other tests
  const turns = size(
    { count: 1500, turn: 1500, interval: 2000, timeout: 5000 },
    { count: 5000, turn: 2000, interval: 3000, timeout: 20_000 }
  )
  let process: Promise<BusyTurns.Delays>
  beforeAll(() => {
    process = BusyTurns.run(turns)
    // The test that awaits it reports the failure
    process.catch(() => {})
  })

  for (
    const [turn, passes, count] of [[2000, 3, 5000], [2000, 1, 2000], [1500, 2, 3000], [7000, 1, 1000]] as const
  ) {
    it(`C2: ${count} waits end by their deadline, with the event loop blocked for ${turn} ms at a time and ${passes} passes between`, () => {
      const busy = Busy.make()
      const ended = waiting(busy, count)
      // The deadline is at 8 s. One block may begin just before it, and the timeouts may need one more
      while (busy.now() < 8000 + 2 * turn) busy.turn(turn, passes)
      assert.strictEqual(ended.length, count)
    })
  }

  it("C2: waits that are delayed after a suspension are polled once each, before their deadline", () => {
    const busy = Busy.make()
    const ended = waiting(busy, 500)
    busy.turn(6500)
    assert.strictEqual(ended.length, 0)
    for (let turn = 0; turn < 200; turn++) busy.turn(10)
    assert.strictEqual(ended.length, 500)
    assert.isAtMost(Math.max(...ended), 8100)
  })

  it("C2: runs awaited together end by their deadline with room for one poll at a time", () => {
    const busy = Busy.make()
    const slow = (id: string) =>
      Effect.succeed({
        ...source(id),
        // A poll that takes ten blocks of the event loop
        retrieve: Effect.andThen(Effect.repeat(Effect.yieldNow, { times: 10 }), source(id).retrieve)
      })
    const ids = Array.from({ length: 300 }, (_, id) => `${id}`)
    let told = 0
    Effect.runForkWith(busy.context)(
      Stream.runForEach(
        Run.completions(Stream.fromIterable(ids), slow, policy, { concurrency: 30 }),
        ({ result }) =>
          Effect.sync(() => {
            assert.strictEqual(result._tag, "Failure")
            told++
          })
      )
    )
    // All waits have started by then
    for (let turn = 0; turn < 400; turn++) busy.turn(5)
    while (busy.now() < 16_000) busy.turn(2000)
    assert.strictEqual(told, 300)
  })

  it("C9: waits continue when the scheduler of the first of them is stopped", () => {
    const busy = Busy.make()
    const other = Busy.make()
    // The same clock, with a scheduler that no longer runs
    const stopped = Context.add(busy.context, Scheduler.Scheduler, Context.get(other.context, Scheduler.Scheduler))
    Effect.runForkWith(stopped)(Run.wait(source("first"), policy))
    const ended = waiting(busy, 300)
    for (let turn = 0; turn < 50; turn++) busy.turn(200)
    assert.strictEqual(ended.length, 300)
  })

  it(
    `C2: in a process whose event loop is blocked for ${turns.turn} ms at a time, ${turns.count} waits are delayed by one pause at most, and not past their deadline`,
    async () => {
      const { latestPoll, latestTimeout, polls, timeouts } = await process
      assert.strictEqual(timeouts, turns.count)
      assert.isAtLeast(polls, turns.count)
      assert.isAtMost(latestPoll, 1)
      assert.strictEqual(latestTimeout, 0)
    },
    120_000
  )
})
