/**
 * When to poll is a `Schedule`, which is told about the run before each delay: its progress, its age, the provider's
 * estimate. Two waiters follow the same run here, each at a pace of its own.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Duration, Effect, Schedule, Stream } from "effect"
import { Polling, Spine } from "canvas-runs"
import { Timeline } from "canvas-runs/testing"
import { live } from "./support/live.ts"

/** Grows from 15 seconds to a minute, as Spine's documentation asks for. */
const backoff = Polling.backoff({ initial: "15 seconds", factor: 1.5, max: "1 minute" })

/** Every five minutes while the end is far away by the provider's estimate, and every 20 seconds near it. */
const patient = Schedule.spaced("5 minutes").pipe(
  Schedule.setInputType<Polling.PollState<Spine.Run>>(),
  Schedule.modifyDelay(({ duration, input: { age, estimate } }) =>
    Effect.succeed(
      age !== undefined && estimate !== undefined && Duration.isGreaterThan(age, Duration.times(estimate, 0.9))
        ? Duration.seconds(20)
        : duration
    )
  )
)

const program = Effect.gen(function*() {
  const spine = yield* Spine.SpineClient
  const created = yield* spine.runs.create({ prompt: "Survey the literature on tides", template: "deep_research" })

  const follow = (name: string, schedule: Polling.PollSchedule<Spine.Run>) =>
    spine.runs.polls(created, { schedule, timeout: "2 hours" }).pipe(
      Stream.runLast,
      Effect.flatMap(Effect.fromOption),
      Effect.flatMap(({ elapsed, poll }) =>
        Console.log(`${name}: ${poll} polls, done after ${Duration.format(elapsed)}`)
      )
    )

  yield* Effect.all([follow("backoff", backoff), follow("patient", patient)], { concurrency: "unbounded" })
})

program.pipe(
  Effect.provide(live({
    script: { timeline: Timeline.make({ duration: "21 minutes", tasks: 10 }), estimatedDuration: "20 minutes" }
  })),
  NodeRuntime.runMain
)
