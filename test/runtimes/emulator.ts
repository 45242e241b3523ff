/** The emulators in a separate process. Runs take half a second, and report the files that they received. */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { SpineEmulator, TelaEmulator, Timeline } from "canvas-runs/testing"
import * as CombinedEmulatorServer from "canvas-runs/testing/CombinedEmulatorServer"
import { createHash } from "node:crypto"
import { artifact, bytesOf, pieces, type Received } from "./content.ts"

const received = (name: string, type: string | undefined, bytes: Uint8Array): Received => ({
  name,
  type,
  size: bytes.byteLength,
  sha256: createHash("sha256").update(bytes).digest("hex")
})

const timeline = Timeline.make({ duration: "2 seconds" })

export const scripted = Effect.gen(function*() {
  const { baseUrl } = yield* CombinedEmulatorServer.CombinedEmulatorServer
  const spine = yield* SpineEmulator.SpineEmulator
  const tela = yield* TelaEmulator.TelaEmulator
  yield* spine.script(({ files }) => ({
    timeline,
    finalOutput: JSON.stringify(files.map(({ bytes, contentType, name }) => received(name, contentType, bytes))),
    artifacts: [{ name: artifact.name, content: bytesOf(artifact.size, artifact.seed) }]
  }))
  yield* tela.script({
    timeline,
    createdFor: "100 millis",
    output: () => ({
      files: Effect.runSync(tela.files).map(({ bytes, contentType, name }) =>
        received(name, contentType, bytes ?? new Uint8Array())
      )
    }),
    stream: { pieces, pause: "5 millis", chunkBytes: 11 }
  })
  return baseUrl
})

export const layer = CombinedEmulatorServer.layer({ cors: true, spine: { acceptAnyFileType: true } })

if (import.meta.main) {
  scripted.pipe(
    Effect.flatMap((baseUrl) => Console.log(`listening on ${baseUrl}`)),
    Effect.andThen(Effect.never),
    Effect.provide(layer),
    NodeRuntime.runMain
  )
}
