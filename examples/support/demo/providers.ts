/** The providers of the demo, and their addresses. */
import { Console, Effect, Layer, Redacted } from "effect"
import { Spine, Tela } from "canvas-runs"
import { SpineEmulator } from "canvas-runs/testing"
import * as CombinedEmulatorServer from "canvas-runs/testing/CombinedEmulatorServer"
import * as Live from "../live.ts"
import * as LiveTela from "../liveTela.ts"
import * as DemoSpine from "./spine.ts"
import * as DemoTela from "./tela.ts"

/** The real services for which there are keys. */
export const real = Effect.all({ spine: Live.isReal, tela: LiveTela.isReal() })

/** The clients, which use the real network and real time: both emulators listen on one loopback socket. */
export const layerEmulated = Layer.unwrap(
  Effect.gen(function*() {
    const { baseUrl } = yield* CombinedEmulatorServer.CombinedEmulatorServer
    yield* Console.log(
      "Neither SPINE_API_KEY is set nor TELA_API_KEY with TELA_CANVAS_ID, so emulators of Spine and Tela do the work: " +
        `they listen on ${baseUrl}`
    )
    return Layer.mergeAll(
      Spine.layerFetch({ apiKey: Redacted.make("sk_spine_example"), baseUrl }),
      Tela.layerFetch({ apiKey: Redacted.make("tela_example"), baseUrl })
    )
  })
).pipe(
  Layer.provideMerge(Layer.effectDiscard(SpineEmulator.SpineEmulator.use(({ script }) => script(DemoSpine.script)))),
  Layer.provideMerge(LiveTela.layerCanvas(DemoTela.canvas)),
  Layer.provide(CombinedEmulatorServer.layer())
)

/** The clients of the real services that have runs to start. The client of a service without runs is never called. */
export const layerReal = (runs: { readonly spine: number; readonly tela: number }) =>
  Layer.mergeAll(
    runs.spine === 0 ? Spine.layerTest({}) : Live.layerReal({ runs: runs.spine }),
    runs.tela === 0 ? Tela.layerTest({}) : LiveTela.layerReal({ executions: runs.tela })
  )
