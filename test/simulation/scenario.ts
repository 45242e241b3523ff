/**
 * Runs the plan of a seed: the real client on the simulated provider, under the `TestClock`, and records all events. It judges
 * nothing.
 */
import { Duration, Effect, Exit, Fiber, Layer, Option, Redacted, Schedule, Schema, Stream, Struct } from "effect"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { type ClientOptions, Polling, RunRef, type RunSource, Spine, Tela } from "canvas-runs"
import { patientClock } from "../support/clock.ts"
import * as Observer from "./observer.ts"
import type { ClientPlan, Consumer, Network, Pace, Plan, PolicyPlan, Waiter } from "./plan.ts"
import * as Provider from "./provider.ts"
import * as Random from "../support/random.ts"

/** The recorded events. */
export interface History {
  readonly plan: Plan
  readonly provider: Provider.Provider
  readonly observer: Observer.Observer
  readonly processes: ReadonlyArray<Process>
  /** The times of the clock at the start, and when nothing was left to do. */
  readonly startedAt: number
  readonly endedAt: number | undefined
}

/** One run of the program, from its start to its end or its interruption. */
export interface Process {
  readonly number: number
  readonly policy: PolicyPlan
  readonly startedAt: number
  /** The ref it started from, as JSON. */
  readonly resumed: string | undefined
  creation: Step<RunRef.RunRef> | undefined
  onCreated: { readonly startedAt: number; endedAt: number | undefined; readonly ref: RunRef.RunRef } | undefined
  /** Looking up an execution, before it can be followed. */
  lookup: Step<unknown> | undefined
  readonly followers: Array<Follower>
  cancelledAt: number | undefined
  interruptedAt: number | undefined
  end: { readonly at: number; readonly exit: Exit.Exit<unknown, unknown> } | undefined
  /** The resources in use after its end. */
  leftovers: Observer.Leftovers | undefined
  /** How many of its clients were made and not yet released. */
  openLayers: number
  /** The inputs of an adaptive schedule. */
  readonly states: Array<{ readonly at: number; readonly state: Polling.PollState }>
}

/** An effect that takes time, with its end. */
export interface Step<A> {
  readonly startedAt: number
  end: { readonly at: number; readonly exit: Exit.Exit<A, unknown> } | undefined
}

/** A waiter for a run. */
export interface Follower extends Step<unknown> {
  readonly kind: Waiter["kind"]
  readonly consumer: Consumer
  /** The time at which it is interrupted. */
  readonly leaveAt: number | undefined
  readonly elements: Array<Element>
}

/** An element of a stream: when it was emitted, and when its consumer had finished with it. */
export interface Element {
  readonly at: number
  readonly value: unknown
  doneAt: number | undefined
}

/** 1 January 2026: dates in `Retry-After` need a realistic clock. */
const epoch = Date.UTC(2026, 0, 1)

/** No valid scenario lasts longer. */
const horizon = Duration.days(60)

export const run = (plan: Plan): Effect.Effect<History> => Effect.provide(simulate(plan), patientClock)

const simulate = (plan: Plan): Effect.Effect<History> =>
  Effect.gen(function*() {
    yield* TestClock.setTime(epoch)
    const clock = yield* TestClock.testClockWith((clock) => Effect.succeed(clock))
    const time: Provider.Time = {
      now: () => clock.currentTimeMillisUnsafe(),
      sleep: (millis) => clock.sleep(Duration.millis(millis))
    }
    const observer = Observer.make(clock, Random.make(plan.seed).fork(2), plan.isTraced)
    const provider = Provider.make(plan, time)
    const processes: Array<Process> = []
    let endedAt: number | undefined

    const process = (ref: string | undefined, policy: PolicyPlan, network: Network, interruptAt: number | undefined) =>
      Effect.gen(function*() {
        const process: Process = {
          number: processes.length + 1,
          policy,
          startedAt: time.now(),
          resumed: ref,
          creation: undefined,
          onCreated: undefined,
          lookup: undefined,
          followers: [],
          cancelledAt: undefined,
          interruptedAt: undefined,
          end: undefined,
          leftovers: undefined,
          openLayers: 0,
          states: []
        }
        processes.push(process)
        const stage: Stage = { plan, time, process }
        const program: Effect.Effect<void, unknown, Spine.SpineClient | Tela.TelaClient> = plan.api === "spine"
          ? spine(stage)
          : tela(stage)
        const main = program.pipe(
          Effect.provide(layer(stage, provider.client(process.number, network))),
          Effect.onExit((exit) => Effect.sync(() => process.end = { at: time.now(), exit }))
        )
        const fiber = yield* Effect.provideContext(Effect.forkChild(main), observer.context)
        if (interruptAt !== undefined) {
          yield* Effect.forkChild(Effect.gen(function*() {
            yield* time.sleep(interruptAt)
            if (process.end === undefined) {
              process.interruptedAt = time.now()
              yield* Fiber.interrupt(fiber)
            }
          }))
        }
        yield* Fiber.await(fiber)
        // A fiber that has finished only has to report its end
        yield* Effect.repeat(Effect.yieldNow, { times: 3 })
        process.leftovers = observer.leftovers()
        return process
      })

    yield* Effect.forkChild(Effect.gen(function*() {
      // From here on the clock waits for this fiber
      yield* time.sleep(1)
      const first = yield* process(undefined, plan.policy, plan.network, plan.interruptAt)
      const ref = savedRef(first)
      if (plan.resume !== undefined && ref !== undefined) {
        yield* time.sleep(plan.resume.gap)
        yield* process(ref, plan.resume.policy, plan.resume.network, undefined)
      }
      endedAt = time.now()
    }))
    // Any activity after the end appears in the history
    yield* TestClock.adjust(horizon)
    return { plan, provider, observer, processes, startedAt: epoch + 1, endedAt }
  })

/** The ref as it would have been stored: that of the error if there is one, else that of the creation. */
const savedRef = ({ creation, onCreated, followers }: Process): string | undefined => {
  for (const { end } of followers) {
    const error = end !== undefined && Exit.isFailure(end.exit)
      ? Option.getOrUndefined(Exit.findErrorOption(end.exit))
      : undefined
    if (hasRef(error)) return JSON.stringify(error.ref)
  }
  if (onCreated !== undefined) return JSON.stringify(onCreated.ref)
  return creation?.end !== undefined && Exit.isSuccess(creation.end.exit)
    ? JSON.stringify(creation.end.exit.value)
    : undefined
}

const hasRef = (error: unknown): error is { readonly _tag: string; readonly ref: RunRef.RunRef } =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "RunTimeoutError" && "ref" in error

interface Stage {
  readonly plan: Plan
  readonly time: Provider.Time
  readonly process: Process
}

const layer = (
  { plan, process }: Stage,
  client: HttpClient.HttpClient
): Layer.Layer<Spine.SpineClient | Tela.TelaClient> => {
  const options = { ...clientOptions(plan.client), apiKey: Redacted.make(plan.secret) }
  const sentinel = Layer.effectDiscard(
    Effect.acquireRelease(Effect.sync(() => process.openLayers++), () => Effect.sync(() => process.openLayers--))
  )
  return Layer.mergeAll(Spine.layer(options), Tela.layer(options), sentinel).pipe(
    Layer.provide(Layer.succeed(HttpClient.HttpClient, client)),
    Layer.orDie
  )
}

const clientOptions = ({ requestTimeout, retry, retryAfterCeiling, retryCreates }: ClientPlan) => ({
  requestTimeout,
  retryAfterCeiling,
  retryCreates,
  ...(retry._tag === "Default" ? undefined : {
    retry: retry._tag === "None"
      ? Schedule.recurs(0)
      : Schedule.max([Schedule.spaced(retry.every), Schedule.recurs(retry.times)])
  })
} satisfies ClientOptions.ClientOptions)

/** The pauses of the adaptive schedule, as a function of its input. */
const adaptiveDelay = (
  pace: Pace & { readonly _tag: "Adaptive" },
  state: { readonly progress: RunSource.Progress | undefined; readonly failures: number }
): number =>
  state.failures > 0
    ? pace.slow * 2
    : state.progress !== undefined && state.progress.completed * 2 >= state.progress.total
    ? pace.fast
    : pace.slow

/** The library's schedule for a planned pace; `undefined` if an interval expresses it. */
const scheduleOf = ({ process, time }: Stage, pace: Pace): Polling.PollSchedule | undefined => {
  switch (pace._tag) {
    case "Backoff":
      return Polling.backoff(Struct.omit(pace, ["_tag"]))
    case "Adaptive":
      return Schedule.spaced(0).pipe(
        Schedule.setInputType<Polling.PollState>(),
        Schedule.modifyDelay(({ input }) =>
          Effect.sync(() => {
            process.states.push({ at: time.now(), state: input })
            return Duration.millis(adaptiveDelay(pace, input))
          })
        )
      )
    case "Finite":
      return Schedule.max([Schedule.spaced(pace.every), Schedule.recurs(pace.times)])
    default:
      return undefined
  }
}

const spine = (stage: Stage) =>
  Effect.gen(function*() {
    const { plan, process } = stage
    const { runs } = yield* Spine.SpineClient
    const options = spineOptions(stage)
    if (process.resumed !== undefined) {
      const ref = yield* RunRef.parse(process.resumed)
      return yield* follow(stage, "wait", 0, () => runs.waitForCompletion(ref, options))
    }
    const { program } = plan
    if (program._tag === "Single" && program.mode === "run") {
      const { onCreated } = program
      return yield* follow(stage, "wait", 0, () =>
        runs.run(params, {
          ...options,
          ...(onCreated === undefined ? undefined : {
            onCreated: ({ ref }) =>
              Effect.gen(function*() {
                const called: Process["onCreated"] = { startedAt: stage.time.now(), endedAt: undefined, ref }
                process.onCreated = called
                yield* stage.time.sleep(onCreated)
                called.endedAt = stage.time.now()
              })
          })
        }))
    }
    const { ref } = yield* creating(stage, runs.create(params))
    if (program._tag === "Single") {
      const { consumer, mode } = program
      switch (mode) {
        case "settle":
          return yield* follow(
            stage,
            mode,
            0,
            () => runs.waitForCompletion(ref, { ...options, resolveOnFailure: true })
          )
        case "watch":
          return yield* follow(stage, mode, 0, (collect) => collect(runs.watch(ref, options)), consumer)
        case "polls":
          return yield* follow(stage, mode, 0, (collect) => collect(runs.polls(ref, options)), consumer)
        default:
          return yield* follow(stage, "wait", 0, () => runs.waitForCompletion(ref, options))
      }
    }
    const handle = yield* runs.share(ref, options)
    return yield* together(stage, program.waiters, (kind, collect) => {
      switch (kind) {
        case "watch":
          return collect(handle.watch)
        case "polls":
          return collect(handle.polls)
        case "settle":
          return handle.settle
        default:
          return handle.wait
      }
    })
  })

const params = { prompt: "Compare three vector databases" }

const spineOptions = (stage: Stage): Spine.WaitOptions => {
  const { errorBudget, notFoundGrace, pace, retryAfterCeiling, timeout } = stage.process.policy
  const schedule = scheduleOf(stage, pace)
  return {
    errorBudget,
    notFoundGrace,
    retryAfterCeiling,
    timeout,
    ...(schedule === undefined ? { pollInterval: pace._tag === "Fixed" ? pace.every : undefined } : { schedule })
  }
}

export const canvasId = "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11"

const Output = Schema.Struct({ answer: Schema.String, score: Schema.Number })

const tela = (stage: Stage) =>
  Effect.gen(function*() {
    const { plan, process, time } = stage
    const client = yield* Tela.TelaClient
    const canvas = client.canvas.make({ id: canvasId, output: Output })
    const options = telaOptions(stage)
    if (process.resumed !== undefined) {
      const ref = yield* RunRef.parse(process.resumed)
      process.lookup = { startedAt: time.now(), end: undefined }
      const execution = yield* noting(stage, process.lookup, canvas.getExecution(ref, options))
      return yield* follow(stage, "wait", 0, () => execution.result)
    }
    const execute = canvas.execute({ topic: "databases" }, { async: true, ...options })
    const execution = yield* creating(stage, execute)
    const { program } = plan
    if (program._tag === "Single") return
    if (program.cancelAt !== undefined) {
      yield* Effect.forkChild(Effect.gen(function*() {
        yield* time.sleep(program.cancelAt!)
        process.cancelledAt = time.now()
        yield* execution.cancel
      }))
    }
    return yield* together(stage, program.waiters, (kind, collect) => {
      switch (kind) {
        case "watch":
          return collect(execution.watch)
        case "events":
          return collect(execution.events)
        case "raw":
          return execution.rawResult
        case "background":
          return Effect.scoped(Effect.andThen(execution.poll, Effect.never))
        default:
          return execution.result
      }
    })
  })

const telaOptions = (stage: Stage): Tela.PollParams => {
  const { errorBudget, pace, timeout } = stage.process.policy
  const schedule = scheduleOf(stage, pace)
  return {
    errorBudget,
    pollingTimeout: timeout,
    ...(schedule === undefined ? { pollingInterval: pace._tag === "Fixed" ? pace.every : undefined } : { schedule })
  }
}

/** Creates a run, and records the ref. */
const creating = <A extends { readonly ref: RunRef.RunRef }, E, R>(
  stage: Stage,
  create: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  const creation: Step<RunRef.RunRef> = { startedAt: stage.time.now(), end: undefined }
  stage.process.creation = creation
  return Effect.onExit(create, (exit) =>
    Effect.sync(() => {
      creation.end = { at: stage.time.now(), exit: Exit.map(exit, ({ ref }) => ref) }
    }))
}

const noting = <A, E, R>(stage: Stage, step: Step<unknown>, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.onExit(effect, (exit) =>
    Effect.sync(() => {
      step.end = { at: stage.time.now(), exit }
    }))

/** Reads a stream to its end, at its consumer's speed. */
type Collect = <A, E, R>(stream: Stream.Stream<A, E, R>) => Effect.Effect<void, E, R>

const noConsumer: Consumer = { takes: 0, leavesAfter: undefined }

/** Follows a run in some way, and records the outcome. */
const follow = <A, E, R>(
  stage: Stage,
  kind: Waiter["kind"],
  staysFor: number,
  use: (collect: Collect) => Effect.Effect<A, E, R>,
  consumer: Consumer = noConsumer
): Effect.Effect<void, never, R> =>
  Effect.suspend(() => {
    const { process, time } = stage
    const follower: Follower = {
      kind,
      consumer,
      startedAt: time.now(),
      leaveAt: staysFor === 0 ? undefined : time.now() + staysFor,
      elements: [],
      end: undefined
    }
    process.followers.push(follower)
    const collect: Collect = (stream) =>
      (consumer.leavesAfter === undefined ? stream : Stream.take(stream, consumer.leavesAfter)).pipe(
        Stream.runForEach((value) =>
          Effect.suspend(() => {
            const element: Element = { at: time.now(), value, doneAt: undefined }
            follower.elements.push(element)
            return Effect.map(time.sleep(consumer.takes), () => {
              element.doneAt = time.now()
            })
          })
        )
      )
    const followed = noting(stage, follower, use(collect))
    const bounded = staysFor === 0 ? followed : Effect.raceFirst(followed, time.sleep(staysFor))
    return Effect.catchCause(Effect.asVoid(bounded), (cause) =>
      // An interruption of the process propagates; any other end of a follower does not affect the others
      process.interruptedAt === undefined ? Effect.void : Effect.failCause(cause as never))
  })

/** Starts and stops followers, each at its time. */
const together = <A, E, R>(
  stage: Stage,
  waiters: ReadonlyArray<Waiter>,
  use: (kind: Waiter["kind"], collect: Collect) => Effect.Effect<A, E, R>
): Effect.Effect<void, never, R> =>
  Effect.forEach(waiters, ({ consumer, joinAt, kind, leaveAt }) =>
    Effect.andThen(
      stage.time.sleep(joinAt),
      follow(
        stage,
        kind,
        leaveAt === undefined ? 0 : leaveAt - joinAt,
        (collect) => use(kind, collect),
        consumer
      )
    ), { concurrency: "unbounded", discard: true })
