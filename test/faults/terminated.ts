/** The process that receives the SIGTERM: it makes one request of the given kind, and prints the outcome. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as RunStore from "canvas-runs/RunStore"
import * as SpineClient from "canvas-runs/spine/SpineClient"
import * as TelaClient from "canvas-runs/tela/TelaClient"

const [mode, baseUrl, directory, requestTimeout] = process.argv.slice(2) as [string, string, string, string]

const canvas = TelaClient.TelaClient.use((tela) =>
  Effect.succeed(tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" }))
)

const work: Effect.Effect<unknown, unknown, RunStore.RunStore | SpineClient.SpineClient | TelaClient.TelaClient> =
  mode ===
      "sync"
    ? Effect.flatMap(canvas, (canvas) => canvas.execute({}))
    : mode === "stream"
    ? Effect.flatMap(canvas, (canvas) => Stream.runForEach(canvas.stream({}), () => Console.log("part")))
    : Effect.gen(function*() {
      const store = yield* RunStore.RunStore
      const { runs } = yield* SpineClient.SpineClient
      return yield* store.runOnce("report", runs.create({ prompt: "report" }))
    })

const options = {
  apiKey: Redacted.make("key_of_the_process"),
  baseUrl,
  requestTimeout: Number(requestTimeout)
} as const

work.pipe(
  Effect.onInterrupt(() => Console.log("interrupted")),
  Effect.provide([
    Layer.provide(RunStore.layer, KeyValueStore.layerFileSystem(directory)),
    Layer.provide(Layer.mergeAll(SpineClient.layer(options), TelaClient.layer(options)), FetchHttpClient.layer)
  ]),
  Effect.provide([NodeFileSystem.layer, NodePath.layer]),
  NodeRuntime.runMain
)
