/**
 * The process that is killed: it is like a user's program. It continues unfinished entries, creates a run for each of its keys
 * once, and waits for all of them. It reports each unknown outcome on a line of its output. The harness reads only these
 * lines.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as SpineClient from "canvas-runs/spine/SpineClient"
import * as RunStore from "canvas-runs/RunStore"

class NotListed extends Data.TaggedError("NotListed")<{ readonly message: string }> {}

const [directory, baseUrl, ...keys] = process.argv.slice(2) as [string, string, ...Array<string>]

const program = Effect.gen(function*() {
  const store = yield* RunStore.RunStore
  const { runs } = yield* SpineClient.SpineClient
  const entries = new Map((yield* store.unfinished).map((entry) => [entry.key, entry]))
  yield* Console.log("ready")

  const wait = (key: string, ref: Parameters<typeof runs.waitForCompletion>[0]) =>
    store.track(key, runs.waitForCompletion(ref, { pollInterval: "15 millis", timeout: "1 minute" }))

  yield* Effect.forEach(
    keys,
    Effect.fnUntraced(function*(key) {
      const entry = entries.get(key)
      if (entry?._tag === "Created") return yield* wait(key, entry.ref)
      const ref = yield* store.runOnce(key, runs.create({ prompt: key })).pipe(
        // The provider rejected it, so there is no run and the key is free
        Effect.retry({ while: ({ _tag }) => _tag === "RateLimitError", schedule: Schedule.spaced("5 millis") }),
        Effect.catchTag(
          "CreateOutcomeUnknownError",
          (error) =>
            error.operation === "RunStore.runOnce" && entry?._tag !== "Unknown"
              ? new NotListed({ message: `${key} has an unknown outcome, and was not listed` })
              : Effect.as(Console.log(`unknown ${key}`), undefined)
        )
      )
      return ref === undefined ? undefined : yield* wait(key, ref)
    }),
    { concurrency: 3, discard: true }
  )
})

const storage = KeyValueStore.layerFileSystem(directory).pipe(
  Layer.provide([NodeFileSystem.layer, NodePath.layer])
)

program.pipe(
  Effect.provide([
    Layer.provide(RunStore.layer, storage),
    SpineClient.layer({ apiKey: Redacted.make("sk_spine_crash"), baseUrl }).pipe(Layer.provide(FetchHttpClient.layer))
  ]),
  NodeRuntime.runMain
)
