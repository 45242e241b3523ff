/**
 * A client that is configured by environment variables or a `.env` file, together with the settings of your program. A missing or
 * wrong value is a `ConfigError` at the start, before any request.
 *
 * Run: `npm run example examples/25-config.ts`. It always uses the emulator.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Config, ConfigProvider, Console, Duration, Effect, FileSystem } from "effect"
import { Spine } from "canvas-runs"
import { SpineEmulator } from "canvas-runs/testing"

/**
 * The key comes from `SPINE_API_KEY`, unless you pass `apiKey: Config.Redacted("ANOTHER_NAME")`. The address is read from a
 * variable of your choice.
 */
const client = Spine.layerConfig({
  baseUrl: Config.withDefault(Config.String("REPORTS_SPINE_URL"), "https://api.getspine.ai"),
  requestTimeout: "30 seconds"
})

/** The settings of the program. */
const settings = Config.all({
  pollInterval: Config.withDefault(Config.Duration("POLL_INTERVAL"), Duration.seconds(15)),
  timeout: Config.withDefault(Config.Duration("TIMEOUT"), Duration.hours(2))
}).pipe(Config.nested("REPORTS"))

const report = Effect.gen(function*() {
  const { pollInterval, timeout } = yield* settings
  const spine = yield* Spine.SpineClient
  const run = yield* spine.runs.run({ prompt: "Compare three vector databases" }, { pollInterval, timeout })
  return `${run.status}, polled every ${Duration.format(pollInterval)} for at most ${Duration.format(timeout)}`
})

/** Runs the program with the values of a `ConfigProvider`. */
const runWith = (title: string, provider: ConfigProvider.ConfigProvider) =>
  report.pipe(
    Effect.provide(client),
    Effect.provideService(ConfigProvider.ConfigProvider, provider),
    Effect.catchTag("ConfigError", ({ message }) => Effect.succeed(message)),
    Effect.flatMap((outcome) => Console.log(`${title}\n  ${outcome.replaceAll("\n", "\n  ")}\n`))
  )

const program = Effect.gen(function*() {
  const key = "sk_spine_example"
  const fromEnv = (env: Record<string, string>) => ConfigProvider.fromEnv({ env })

  yield* runWith("no key", fromEnv({}))
  yield* runWith("a line break in the key", fromEnv({ SPINE_API_KEY: `${key}\nREPORTS_TIMEOUT=1` }))
  yield* runWith("an address without a scheme", fromEnv({ SPINE_API_KEY: key, REPORTS_SPINE_URL: "localhost" }))
  yield* runWith("a timeout without a unit", fromEnv({ SPINE_API_KEY: key, REPORTS_TIMEOUT: "2" }))

  const fs = yield* FileSystem.FileSystem
  const path = `${yield* fs.makeTempDirectoryScoped()}/.env`
  yield* fs.writeFileString(path, `SPINE_API_KEY=${key}\nREPORTS_POLL_INTERVAL=1 second\nREPORTS_TIMEOUT=1 hour\n`)
  const file = yield* ConfigProvider.fromDotEnv({ path })
  yield* runWith("a .env file", file)

  // The environment wins over the file
  const environment = fromEnv({ REPORTS_POLL_INTERVAL: "200 millis" })
  yield* runWith("a .env file and an environment variable", ConfigProvider.orElse(environment, file))
}).pipe(Effect.scoped)

program.pipe(
  // In your program: FetchHttpClient.layer instead of the emulator, and no ConfigProvider: the default reads the environment
  Effect.provide([SpineEmulator.layerTest({ speed: 10_000 }), NodeServices.layer]),
  NodeRuntime.runMain
)
