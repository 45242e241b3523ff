/** The client of Tela on its emulator, or on a provider whose responses the test sets. */
import { Effect, Layer, Redacted } from "effect"
import type { HttpClient } from "effect/http"
import { RunError, Tela } from "canvas-runs"
import { TelaEmulator } from "canvas-runs/testing"
import { answering, json } from "./http.ts"

export const apiKey = "tela_planted_secret_0001"
export const canvasId = "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11"
export const applicationId = "5b8a3f8e-2b1c-4b8a-8d6f-3d1f0c2e4a55"
export const unknownId = "00000000-0000-4000-8000-00000000dead"

/** The client on the emulator in memory, which shares its `HttpClient`. */
export const live = (
  client?: Partial<Tela.Options>,
  emulator?: TelaEmulator.Options
): Layer.Layer<Tela.TelaClient | TelaEmulator.TelaEmulator | HttpClient.HttpClient> =>
  Layer.orDie(Tela.layer({ apiKey: Redacted.make(apiKey), ...client } as Tela.Options)).pipe(
    Layer.provideMerge(TelaEmulator.layerTest(emulator))
  )

export const setup = Effect.gen(function*() {
  return { tela: yield* Tela.TelaClient, emulator: yield* TelaEmulator.TelaEmulator }
})

/** The client on a provider that answers every request with `answer(url)` as JSON. */
export const scripted = (answer: (url: URL) => unknown): Layer.Layer<Tela.TelaClient> =>
  Layer.provide(
    Layer.orDie(Tela.layer({ apiKey: Redacted.make(apiKey) })),
    answering(({ url }) => json(answer(url))).layer
  )

/** For each call, the parameter that its error names, and the number of requests. */
export const refusals = Effect.fnUntraced(function*(
  calls: ReadonlyArray<readonly [Effect.Effect<unknown, unknown>, parameter: string]>
) {
  const emulator = yield* TelaEmulator.TelaEmulator
  yield* emulator.clearRequests
  return {
    expected: calls.map(([, parameter]) => parameter),
    actual: yield* Effect.forEach(
      calls,
      ([call]) =>
        Effect.map(
          Effect.flip(call),
          (error) => error instanceof RunError.BadRequestError && !error.sent ? error.parameter : error
        )
    ),
    requests: (yield* emulator.requests).length
  }
})
