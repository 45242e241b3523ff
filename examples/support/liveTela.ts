/**
 * The Tela of the examples: the real service if `TELA_API_KEY` and `TELA_CANVAS_ID` are set, and otherwise an emulator in this
 * process.
 *
 * Your program needs one line instead of this file: `Effect.provide(Tela.layerFetch())`.
 */
import { Config, Console, Effect, Layer, Redacted } from "effect"
import { type RunError, Tela } from "canvas-runs"
import { TelaEmulator, type TelaScript } from "canvas-runs/testing"
import * as FastClock from "./fastClock.ts"

export interface Options {
  /** The variables of the canvas and the script of its executions, on the emulator. */
  readonly canvas?: Omit<TelaScript.Canvas, "id" | "applicationId"> | undefined
  /**
   * How many executions the example starts. The warning about their cost shows this number.
   *
   * @default 1
   */
  readonly executions?: number | undefined
  /**
   * The environment variable with the id at the real service.
   *
   * @default "TELA_CANVAS_ID"
   */
  readonly needs?: "TELA_CANVAS_ID" | "TELA_APPLICATION_ID" | undefined
}

const variable = (name: string, fallback: string): Effect.Effect<string> =>
  Effect.orDie(Effect.map(Config.withDefault(Config.String(name), ""), (value) => value === "" ? fallback : value))

/** The id of the canvas that the example executes. In your program it is a constant. */
export const canvasId = variable("TELA_CANVAS_ID", "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11")

/** The id of the canvas's application. */
export const applicationId = variable("TELA_APPLICATION_ID", "5b8a3f8e-2b1c-4b8a-8d6f-3d1f0c2e4a55")

/** Whether there is a key for the real service, and an id to execute there. */
export const isReal = (needs: Options["needs"] = "TELA_CANVAS_ID"): Effect.Effect<boolean> =>
  Effect.gen(function*() {
    if ((yield* variable("TELA_API_KEY", "")) === "") return false
    if ((yield* variable(needs, "")) !== "") return true
    yield* Console.log(`TELA_API_KEY is set, but ${needs} is not, so there is nothing to execute at Tela.`)
    return false
  })

/** The client, for an example that works with either. The emulator answers in memory, on a clock twenty times as fast. */
export const live = (options: Options = {}): Layer.Layer<Tela.TelaClient, RunError.ConfigError> =>
  Layer.unwrap(Effect.map(isReal(options.needs), (real) => real ? layerReal(options) : emulated(options)))

/** The client with the emulator, for an example that controls the provider. */
export const emulated = (
  { canvas }: Options = {}
): Layer.Layer<Tela.TelaClient | TelaEmulator.TelaEmulator, RunError.ConfigError> =>
  // A request takes real time, and would time out on the fast clock
  Tela.layer({ apiKey: Redacted.make("tela_example"), requestTimeout: "2 hours" }).pipe(
    Layer.provideMerge(layerCanvas(canvas)),
    Layer.provideMerge(TelaEmulator.layerTest()),
    Layer.provideMerge(FastClock.layer(20))
  )

/** Prints a warning, and leaves time to stop. */
export const layerReal = ({ executions = 1 }: Options): Layer.Layer<Tela.TelaClient, RunError.ConfigError> =>
  Layer.tap(Tela.layerFetch(), () =>
    Console.log(
      `TELA_API_KEY is set, so this executes a real canvas ${
        executions === 1 ? "" : `${executions} times `
      }in five seconds. Executions cost money; Ctrl-C to stop now.`
    ).pipe(Effect.andThen(Effect.sleep("5 seconds"))))

/** Adds the canvas of an example to the emulator. */
export const layerCanvas = (canvas: Options["canvas"]): Layer.Layer<never, never, TelaEmulator.TelaEmulator> =>
  Layer.effectDiscard(Effect.gen(function*() {
    const emulator = yield* TelaEmulator.TelaEmulator
    yield* emulator.canvas({ ...canvas, id: yield* canvasId, applicationId: yield* applicationId })
  }))
