/**
 * Where the examples find Spine: the real service if `SPINE_API_KEY` is set, and otherwise an emulator in this process.
 *
 * A program of your own needs one line instead of this file: `Effect.provide(Spine.layerFetch())`.
 */
import { Config, Console, Effect, Layer, Redacted } from "effect"
import { type RunError, Spine } from "canvas-runs"
import { SpineEmulator } from "canvas-runs/testing"
import * as FastClock from "./fastClock.ts"

export interface Options {
  /** What runs do if the emulator runs them: without it, twelve minutes to a good end. */
  readonly script?: SpineEmulator.Script | ((request: SpineEmulator.CreateRequest) => SpineEmulator.Script) | undefined
  /**
   * How many runs the example starts, for the warning that they cost money.
   *
   * @default 1
   */
  readonly runs?: number | undefined
  readonly rateLimit?: Spine.Options["rateLimit"]
}

/** Whether there is a key for the real service. */
export const isReal: Effect.Effect<boolean> = Config.String("SPINE_API_KEY").pipe(
  Config.withDefault(""),
  Effect.map((key) => key !== ""),
  Effect.orDie
)

/** The client, for an example that works with either. The emulator answers in memory, on a clock a thousand times as fast. */
export const live = (options: Options = {}): Layer.Layer<Spine.SpineClient, RunError.ConfigError> =>
  Layer.unwrap(Effect.map(isReal, (real) => real ? layerReal(options) : emulated(options)))

/** The client on the emulator, for an example that needs a provider it can control. */
export const emulated = (
  options: Options = {}
): Layer.Layer<Spine.SpineClient | SpineEmulator.SpineEmulator, RunError.ConfigError> =>
  // The emulator takes every key of this form. A request takes real time, and the fast clock would have it time out
  Spine.layer({ apiKey: Redacted.make("sk_spine_example"), requestTimeout: "2 hours", rateLimit: options.rateLimit })
    .pipe(
      Layer.provideMerge(
        Layer.effectDiscard(SpineEmulator.SpineEmulator.use((emulator) => emulator.script(options.script ?? {})))
      ),
      Layer.provideMerge(SpineEmulator.layerTest()),
      Layer.provideMerge(FastClock.layer(1000))
    )

/** The real service, after a warning that leaves time to stop. */
export const layerReal = ({ rateLimit, runs = 1 }: Options) =>
  Layer.tap(Spine.layerFetch({ rateLimit }), () =>
    Console.log(
      `SPINE_API_KEY is set, so this starts ${runs === 1 ? "a real run" : `${runs} real runs`} in five seconds. ` +
        "Runs take many minutes and cost money; Ctrl-C to stop now."
    ).pipe(Effect.andThen(Effect.sleep("5 seconds"))))
