/**
 * Many runs awaited together. Between polls a run is a row in a table: no fiber, no stack, a fifth of what a wait of its own
 * holds. Each turn of its loop, which is the loop of every wait, has a fiber for as long as it takes.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type { Policy } from "../Polling.ts"
import type { Answer, Completion, RunSource } from "../Run.ts"
import type { RunTimeoutError } from "../RunError.ts"
import * as PollLoop from "./pollLoop.ts"
import * as Telemetry from "./telemetry.ts"
import * as Timers from "./timers.ts"

export const make = <
  Target,
  Snapshot,
  Success extends Snapshot,
  Failed extends Snapshot,
  E extends PollLoop.Failure,
  R,
  SE,
  SR,
  SourceError,
  A,
  JudgeError,
  InputError,
  InputServices
>(options: {
  readonly targets: Stream.Stream<Target, InputError, InputServices>
  readonly source: (target: Target) => Effect.Effect<RunSource<Snapshot, Success, Failed, E, R>, SourceError>
  readonly policy: Policy<Snapshot, SE, SR>
  readonly judge: (end: PollLoop.Ended<Success, Failed>) => Effect.Effect<A, JudgeError>
  /** How many turns may be under way at once. The others wait, in the order in which they were due. */
  readonly concurrency: number
}): Stream.Stream<
  Completion<Target, A, E | RunTimeoutError | SE | SourceError | JudgeError>,
  InputError,
  R | SR | InputServices
> => {
  type Failure = E | RunTimeoutError | SE | SourceError | JudgeError
  type Row = PollLoop.Loop<Snapshot, Success, Failed, E, R, SE, SR>
  type Ended = PollLoop.Ended<Success, Failed>

  // A slow reader slows the polling: who offers what nobody takes keeps its place among those under way
  return Stream.callback(
    (queue: Queue.Queue<Completion<Target, A, Failure>, InputError | Cause.Done>) =>
      Effect.withFiber((parent) => {
        // Not when all are let go: by then this fiber has ended, and knows no clock
        const timers = Timers.of(parent)
        const fork = Effect.runForkWith(parent.context as never)
        const fibers = new Set<Fiber.Fiber<unknown, unknown>>()
        const listeners = new Map<Row, Fiber.Fiber<unknown, unknown>>()
        let waiting: Array<() => void> = []
        let started = 0
        let arriving: (() => void) | undefined
        let wasDue = false
        let running = 0
        let rows = 0
        let isStarting = false
        let isWhole = false
        let isClosed = false

        /** What has waited longest, but every other turn is for a new run, of which one at a time is let in. */
        const next = (): (() => void) | undefined => {
          if (isClosed || running >= options.concurrency) return undefined
          if (arriving === undefined || !wasDue && started < waiting.length) {
            wasDue = true
            return started < waiting.length ? waiting[started++] : undefined
          }
          const start = arriving
          arriving = undefined
          wasDue = false
          return start
        }

        /** Starts what is due, as long as there is room. A turn that ends at once must not start the next inside it. */
        const startDue = () => {
          if (isStarting) return
          isStarting = true
          for (let start = next(); start !== undefined; start = next()) start()
          isStarting = false
          // Where more is due than there is room for, the queue never runs empty
          if (started === 0 || 2 * started < waiting.length) return
          waiting = waiting.slice(started)
          started = 0
        }
        const whenThereIsRoom = (start: () => void) => {
          waiting.push(start)
          startDue()
        }

        const start = (turn: Effect.Effect<void, never, R | SR>) => {
          running++
          const fiber = fork(turn as Effect.Effect<void>)
          fibers.add(fiber)
          fiber.addObserver((exit) => {
            fibers.delete(fiber)
            running--
            // A defect; all that a server or a wrong input can cause is a completion
            if (Exit.isFailure(exit) && !isClosed) Queue.failCauseUnsafe(queue, exit.cause)
            startDue()
          })
        }

        const wake = (row: Row) => {
          if (!PollLoop.isHeldBack(row)) whenThereIsRoom(() => start(turn(row)))
        }

        const sleep = (row: Row, millis: number) =>
          Effect.sync(() => {
            if (isClosed) return
            row.source = undefined as never
            row.timers.add(row, millis)
          })

        /** One turn: a poll, or what a push brought; then either the next is planned, or the run is over. */
        const turn = (row: Row, pushed?: Answer<Snapshot>): Effect.Effect<void, never, R | SR> =>
          Effect.flatMap(options.source(row.target as Target), (source) => {
            row.source = source
            listen(row, source)
            return Effect.flatMap(
              pushed === undefined ? PollLoop.poll(row) : Effect.sync(() => PollLoop.succeeded(row, pushed)),
              (turn): Effect.Effect<Ended | undefined, RunTimeoutError | SE, SR> =>
                turn.phase === undefined || turn.phase._tag === "Pending"
                  ? Effect.as(PollLoop.plan(row, sleep), undefined)
                  : Effect.succeed({ ref: source.ref, phase: turn.phase, requestId: turn.answer.requestId })
            ).pipe(
              Effect.onExit((exit) =>
                Exit.isSuccess(exit) && exit.value === undefined
                  ? Effect.void
                  : Telemetry.endedOfMany(row, exit as Exit.Exit<Ended, E | RunTimeoutError | SE>)
              )
            )
          }).pipe(
            Effect.flatMap((ended) => ended === undefined ? Effect.undefined : Effect.asSome(options.judge(ended))),
            Effect.matchEffect({
              onFailure: (error) => finish(row, Result.fail(error)),
              onSuccess: (result) =>
                result === undefined || Option.isNone(result)
                  ? Effect.void
                  : finish(row, Result.succeed(result.value))
            })
          )

        const finish = (row: Row, result: Result.Result<A, Failure>) =>
          Effect.map(Queue.offer(queue, { target: row.target as Target, result }), () => {
            listeners.get(row)?.interruptUnsafe()
            listeners.delete(row)
            rows--
            endIfDone()
          })

        const endIfDone = () => {
          if (isWhole && rows === 0) Queue.endUnsafe(queue)
        }

        /** Where the provider tells of the end by itself, a row that sleeps is woken, and one that is polling hurries. */
        const listen = (row: Row, { pushed }: Pick<Row["source"], "pushed">) => {
          if (pushed === undefined || row.polls > 0) return
          const fiber = fork(Effect.map(pushed, (answer) => {
            row.isLast = false
            row.hurry = 1
            if (row.index === -1) return
            row.timers.remove(row)
            whenThereIsRoom(() => start(turn(row, Option.getOrUndefined(answer))))
          }))
          listeners.set(row, fiber)
        }

        /** Its time begins with its first poll, which may have to wait for room. */
        const admit = (target: Target) =>
          Effect.callback<void>((resume) => {
            rows++
            arriving = () => {
              start(
                Effect.flatMap(PollLoop.make(undefined as never as Row["source"], options.policy, timers), (row) => {
                  row.target = target
                  row.wake = wake
                  return turn(row)
                })
              )
              resume(Effect.void)
            }
            startDue()
          })

        return Effect.acquireRelease(Effect.void, () =>
          Effect.suspend(() => {
            isClosed = true
            timers.removeAll((timer) => timer.wake === wake)
            return Fiber.interruptAll([...fibers, ...listeners.values()])
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
