/**
 * Many runs awaited together. Between polls a run is a row in a table, without a fiber: about 20 % of the memory of a wait. Each
 * poll, by the loop of every wait, has a fiber for as long as it takes.
 */
import type * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type * as RunSource from "../../RunSource.ts"
import type { RunFailedError, RunTimeoutError } from "../../RunError.ts"
import * as RunRef from "../ref.ts"
import * as Pause from "./pause.ts"
import { timedOut } from "./pollHistory.ts"
import * as PollLoop from "./pollLoop.ts"
import { type Loop, timeLeft } from "./sleepingRun.ts"
import * as Telemetry from "../telemetry.ts"
import * as TimerQueue from "./timerQueue.ts"

/**
 * The time that `source` has at least, in milliseconds, even if the deadline has passed: the `RunTimeoutError` needs the ref that
 * `source` returns.
 */
const graceMillis = 1000

export const make = <Target, S extends RunSource.Any, SE, SR, SourceError, InputError, InputServices>(options: {
  readonly targets: Stream.Stream<Target, InputError, InputServices>
  readonly source: (target: Target) => Effect.Effect<S, SourceError>
  readonly policy: RunSource.Policy<RunSource.Snapshot<S>, SE, SR>
  /** Is given each row before its first poll, and may change its policy. */
  readonly onRow?: ((row: Loop<S, SE, SR>) => void) | undefined
  /** How many polls may be under way at once. The others wait in the order in which they were due. */
  readonly concurrency: number
}) => {
  type Success = RunSource.Success<S>
  type Failure = RunSource.Error<S> | RunTimeoutError | RunFailedError | SE | SourceError
  type Services = RunSource.Services<S> | SR
  type Row = Loop<S, SE, SR>

  // A slow reader slows the polling: a poll whose completion is not taken yet keeps its slot
  return Stream.callback(
    (queue: Queue.Queue<RunSource.Completion<Target, Success, Failure>, InputError | Cause.Done>) =>
      Effect.withFiber((parent) => {
        // Read here and not in the release: by then this fiber has ended, and has no clock
        const timers = TimerQueue.of(parent)
        const { context } = parent
        const fork = Effect.runForkWith(context as Context.Context<Services>)
        const fibers = new Set<Fiber.Fiber<unknown, unknown>>()
        let waiting: Array<Row> = []
        let started = 0
        let arriving: (() => void) | undefined
        let wasDue = false
        let running = 0
        let rows = 0
        let isStarting = false
        let isWhole = false
        let isClosed = false
        /** The provider of a run that sleeps, and has no source. */
        let provider = "unknown"

        /**
         * Takes the row that has waited longest. First polls of new runs and polls of known runs alternate, and one new run at a
         * time is admitted.
         */
        const next = (): (() => void) | undefined => {
          if (isClosed || running >= options.concurrency) return undefined
          // Rows whose deadline passed while they waited have been removed
          while (started < waiting.length && !PollLoop.isQueued(waiting[started]!)) started++
          const row = waiting[started]
          if (row !== undefined && (arriving === undefined || !wasDue)) {
            wasDue = true
            started++
            PollLoop.dequeue(row)
            return () => start(pollOnce(row))
          }
          const begin = arriving
          arriving = undefined
          wasDue = false
          return begin
        }

        /**
         * Starts the polls that are due, as long as there is room. A poll that ends at once must not start the next one inside
         * its own call.
         */
        const startDue = () => {
          if (isStarting) return
          isStarting = true
          for (let start = next(); start !== undefined; start = next()) start()
          isStarting = false
          // If more polls are due than there is room for, the queue never becomes empty
          if (started === 0 || 2 * started < waiting.length) return
          waiting = waiting.slice(started)
          started = 0
        }

        const forkHeld = (effect: Effect.Effect<void, never, Services>): Fiber.Fiber<void> => {
          const fiber = fork(effect)
          fibers.add(fiber)
          fiber.addObserver(() => fibers.delete(fiber))
          return fiber
        }

        const start = (poll: Effect.Effect<void, never, Services>) => {
          running++
          forkHeld(poll).addObserver((exit) => {
            running--
            // A defect. Faults of a server or of an input are completions
            if (Exit.isFailure(exit) && !isClosed) Queue.failCauseUnsafe(queue, exit.cause)
            startDue()
          })
        }

        const wake = (row: Row) => {
          // The deadline of a row that waits for room. It times out without a poll, so it needs no room
          if (PollLoop.dequeue(row)) return start(pollOnce(row))
          if (Pause.putOff(row)) return
          PollLoop.enqueue(row)
          waiting.push(row)
          startDue()
          PollLoop.watchQueued(row)
        }

        const sleep = (row: Row, millis: number) =>
          Effect.sync(() => {
            if (isClosed) return
            row.source = undefined as never
            row.timers.add(row, millis)
          })

        /** Calls the caller's function inside the poll. So the deadline bounds it, and a throw in it ends the stream. */
        const sourceOf = (row: Row): Effect.Effect<Row["source"], SourceError | RunTimeoutError> =>
          TimerQueue.within(
            options.source(row.target as Target),
            // A poll that begins after the deadline gives the error of the deadline, with the ref of the source
            Math.max(timeLeft(row), graceMillis),
            () => {
              row.source = { ref: RunRef.nearest(row.target) } as Row["source"]
              return timedOut(row, "deadline")
            }
          )

        /** Polls once. Then either the next poll is planned, or the run is over. */
        const pollOnce = (row: Row): Effect.Effect<void, never, Services> =>
          Effect.gen(function*() {
            const polled = Effect.gen(function*() {
              const source = row.source = yield* sourceOf(row)
              provider = source.ref.provider
              if (row.polls === 0) PollLoop.listen(row, forkHeld)
              const ended = PollLoop.endedBy(source, yield* PollLoop.poll(row))
              if (ended === undefined) yield* PollLoop.plan(row, sleep)
              return ended
            })
            const ended = yield* Effect.onExit(polled, (exit) => Telemetry.ended(row, exit))
            if (ended !== undefined) yield* finish(row, Result.succeed(yield* PollLoop.successOf(ended)))
          }).pipe(Effect.catch((error) => finish(row, Result.fail(error))))

        const finish = (row: Row, result: Result.Result<Success, Failure>) =>
          Effect.map(Queue.offer(queue, { target: row.target as Target, result }), () => {
            PollLoop.stop(row)
            rows--
            endIfDone()
          })

        const endIfDone = () => {
          if (isWhole && rows === 0) Queue.endUnsafe(queue)
        }

        /** The time of a run starts with its first poll, which may have to wait for room. */
        const admit = (target: Target) =>
          Effect.callback<void>((resume) => {
            rows++
            arriving = () => {
              start(
                Effect.flatMap(PollLoop.make(undefined as never as Row["source"], options.policy, timers), (row) => {
                  row.target = target
                  row.wake = wake
                  options.onRow?.(row)
                  return pollOnce(row)
                })
              )
              resume(Effect.void)
            }
            startDue()
          })

        return Effect.acquireRelease(Effect.void, () =>
          Effect.suspend(() => {
            isClosed = true
            timers.removeAll((timer) => {
              if (timer.wake !== wake) return false
              // For a sleeping run only this remains to be done, and there may be a hundred thousand
              Telemetry.countEnded(context, provider, "Interrupted", timers.now() - (timer as Row).started)
              return true
            })
            return Fiber.interruptAll(fibers)
          })).pipe(
            Effect.andThen(Stream.runForEach(options.targets, admit)),
            Effect.andThen(Effect.sync(() => {
              isWhole = true
              endIfDone()
            }))
          )
      }),
    { bufferSize: options.concurrency }
  )
}
