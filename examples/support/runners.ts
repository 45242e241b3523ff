/** Runs an example as several runners of a cluster, with a database and an emulator beside them. */
import { ConfigProvider, Console, Data, Deferred, Effect, Schedule } from "effect"
import { SpineEmulator, Timeline } from "canvas-runs/testing"
import * as SpineEmulatorServer from "canvas-runs/testing/SpineEmulatorServer"
import { spawn } from "node:child_process"
import { databaseUrl, freePort } from "./postgres.ts"

/** The runner ended before it listened, for example because another program took its port. */
class NotListening extends Data.TaggedError("NotListening")<{ readonly code: number | null }> {}

/** Starts the file as a runner, and returns its process when it listens. */
const start = Effect.fnUntraced(function*(file: string, env: NodeJS.ProcessEnv) {
  const port = yield* freePort
  const isListening = yield* Deferred.make<void, NotListening>()
  const runner = yield* Effect.acquireRelease(
    Effect.sync(() => {
      // The condition with which the repository resolves "canvas-runs" to its sources
      const options = process.execArgv.filter((option) => option.startsWith("--conditions"))
      const child = spawn(process.execPath, [...options, file, `${port}`], {
        env: { ...process.env, ...env },
        stdio: ["ignore", "pipe", "inherit"]
      })
      let output = ""
      child.stdout.on("data", (chunk) => {
        output += String(chunk)
        if (output.includes("Listening on")) Deferred.doneUnsafe(isListening, Effect.void)
      })
      child.once("exit", (code) => Deferred.doneUnsafe(isListening, Effect.fail(new NotListening({ code }))))
      return child
    }),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  yield* Deferred.await(isListening)
  return runner
}, Effect.retry({ times: 3 }))

/** Starts `count` runners of the file. `use` is given a function that kills one of them, when this many runs have been polled. */
export const withRunners = <E>(
  file: string,
  count: number,
  use: (killOne: (polled: number) => Effect.Effect<void>) => Effect.Effect<void, E>
) =>
  Effect.gen(function*() {
    const { baseUrl } = yield* SpineEmulatorServer.SpineEmulatorServer
    const emulator = yield* SpineEmulator.SpineEmulator
    const url = yield* databaseUrl
    const env = { DATABASE_URL: url, SPINE_API_KEY: "sk_spine_example", SPINE_BASE_URL: baseUrl }
    const runners = yield* Effect.forEach(Array.from({ length: count }), () => start(file, env), {
      concurrency: "unbounded"
    })
    yield* Console.log(`${runners.length} runners are listening`)
    const polledRuns = Effect.map(
      emulator.requests,
      (all) => new Set(all.filter(({ method }) => method === "GET").map(({ path }) => path)).size
    )
    const killOne = Effect.fnUntraced(function*(polled: number) {
      yield* Effect.repeat(polledRuns, { until: (count) => count >= polled, schedule: Schedule.spaced("100 millis") })
      runners[0]!.kill("SIGKILL")
      yield* Console.log("one runner was killed")
    })
    const provider = ConfigProvider.fromEnv({ env })
    yield* Effect.provideService(use(killOne), ConfigProvider.ConfigProvider, provider)
    yield* Console.log(`the provider has ${(yield* emulator.runs).length} runs`)
  }).pipe(
    Effect.scoped,
    Effect.provide(SpineEmulatorServer.layer({ script: { timeline: Timeline.make({ duration: "8 seconds" }) } }))
  )
