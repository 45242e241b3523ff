/** The providers and the storage around an MCP server, which survive it. */
import { type Duration, Effect, Layer, Redacted } from "effect"
import { KeyValueStore } from "effect/persistence"
import { Budget, RunStore, Spine, Tela } from "canvas-runs"
import { McpServer } from "canvas-runs/ai"
import { SpineEmulator, TelaEmulator, Timeline } from "canvas-runs/testing"
import { connect } from "./client.ts"

export interface ServeOptions {
  readonly limit?: number
  readonly token?: string
  readonly only?: "spine"
}

/** Builds the providers, whose runs take `duration`, and an empty storage. */
export const makeWorld = (duration: Duration.Input) =>
  Effect.gen(function*() {
    const script = { timeline: Timeline.make({ duration }) }
    const spine = Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
      Layer.provideMerge(SpineEmulator.layerTest({ script: { ...script, credits: 30 } }))
    )
    const tela = Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
      Layer.provideMerge(TelaEmulator.layerTest({ script }))
    )
    const context = yield* Layer.build(Layer.mergeAll(spine, tela, KeyValueStore.layerMemory))
    const services = Layer.succeedContext(context)
    /** The store as another process sees it. */
    const store = Effect.provide(RunStore.make, services)

    /** Starts a server, which ends with the scope. */
    const serve = ({ limit, only, token }: ServeOptions = {}) =>
      Effect.acquireRelease(
        Effect.sync(() =>
          connect(
            McpServer.layerHttp({
              serve: only === "spine" ? [McpServer.spine()] : [McpServer.spine(), McpServer.tela()],
              token: token === undefined ? undefined : Redacted.make(token)
            }).pipe(
              Layer.provide(limit === undefined ? Layer.empty : Budget.layerMemory({ limit })),
              Layer.provide(RunStore.layer),
              Layer.provide(services)
            )
          )
        ),
        ({ dispose }) => Effect.promise(dispose)
      )

    return {
      serve,
      store,
      spine: yield* Effect.provide(SpineEmulator.SpineEmulator, services),
      tela: yield* Effect.provide(TelaEmulator.TelaEmulator, services)
    }
  })
