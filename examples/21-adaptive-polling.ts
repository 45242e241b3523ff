/**
 * Two waits for one run of an hour. The first polls every 30 seconds and notices the end 15 seconds late on average. The second uses
 * the estimate and the progress, and needs a fraction of the polls for the same detection latency.
 *
 * Run: `npm run example examples/21-adaptive-polling.ts`
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Duration, Effect, Stream } from "effect"
import { Polling, Spine } from "canvas-runs"
import { Timeline } from "canvas-runs/testing"
import { live } from "./support/live.ts"

const fixed = Polling.fixed("30 seconds")

/** For a provider without estimates, pass the durations of earlier runs as `pastDurations`. */
const adaptive = Polling.adaptive({ targetLatency: "15 seconds" })

const program = Effect.gen(function*() {
  const spine = yield* Spine.SpineClient
  const created = yield* spine.runs.create({ prompt: "Survey the literature on tides", template: "deep_research" })

  const follow = (name: string, schedule: Polling.PollSchedule<Spine.Run>) =>
    spine.runs.polls(created, { schedule, timeout: "2 hours" }).pipe(
      Stream.runCollect,
      Effect.flatMap((polls) => {
        const minutes = polls.map(({ elapsed }) => Math.floor(Duration.toMinutes(elapsed)))
        return Console.log(`${name}: ${polls.length} polls, in the minutes ${[...new Set(minutes)].join(" ")}`)
      })
    )

  yield* Effect.all([follow("fixed", fixed), follow("adaptive", adaptive)], { concurrency: "unbounded" })
})

program.pipe(
  Effect.provide(live({
    script: { timeline: Timeline.make({ duration: "1 hour", tasks: 12 }), estimatedDuration: "40 minutes" }
  })),
  NodeRuntime.runMain
)
