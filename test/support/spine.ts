/** The client of Spine on its emulator. */
import { Layer, Redacted } from "effect"
import { type HttpClient } from "effect/http"
import { Spine } from "canvas-runs"
import { SpineEmulator } from "canvas-runs/testing"

export const apiKey = "sk_spine_planted_secret_0001"

/** The client on the emulator in memory, which shares its `HttpClient`. */
export const live = (
  client?: Partial<Spine.Options>,
  emulator?: SpineEmulator.Options
): Layer.Layer<Spine.SpineClient | SpineEmulator.SpineEmulator | HttpClient.HttpClient> =>
  Layer.orDie(Spine.layer({ apiKey: Redacted.make(apiKey), ...client })).pipe(
    Layer.provideMerge(SpineEmulator.layerTest(emulator))
  )
