/**
 * A `Schedule` decides when to poll. Before each delay it gets the state of the run: its progress, its age, the provider's
 * estimate. Here two waits follow the same run of 21 minutes, each with another schedule.
 *
 * Run: `npm run example examples/10-custom-schedule.ts`
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Duration, Effect, Schedule, Stream } from "effect"
import { Polling, Spine } from "canvas-runs"
import { Timeline } from "canvas-runs/testing"
import { live } from "./support/live.ts"

/** Grows from 15 seconds to a minute, as Spine's documentation recommends. */
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

  /** A column for each half minute: `|` is a poll. */
  const chart = (polls: ReadonlyArray<Duration.Duration>) =>
    Array.from(
      { length: 46 },
      (_, column) => polls.some((poll) => Math.floor(Duration.toSeconds(poll) / 30) === column) ? "|" : "."
    ).join("")

  const follow = (name: string, schedule: Polling.PollSchedule<Spine.Run>) =>
    spine.runs.polls(created, { schedule, timeout: "2 hours" }).pipe(
      Stream.map(({ elapsed }) => elapsed),
      Stream.runCollect,
      Effect.map((polls) => {
        const end = Duration.toSeconds(polls.at(-1) ?? Duration.zero) / 60
        return `${name}  ${chart(polls)}  ${polls.length} polls, noticed the end at ${end.toFixed(1)} min`
      })
    )

  yield* Console.log("minute   0         5         10        15        20")
  const lines = yield* Effect.all([follow("backoff", backoff), follow("patient", patient)], {
    concurrency: "unbounded"
  })
  yield* Console.log(lines.join("\n"))
})

program.pipe(
  Effect.provide(live({
    script: { timeline: Timeline.make({ duration: "21 minutes", tasks: 10 }), estimatedDuration: "20 minutes" }
  })),
  NodeRuntime.runMain
)
