/**
 * The Spine of the examples: the real service if `SPINE_API_KEY` is set, and otherwise an emulator in this process.
 *
 * Your program needs one line instead of this file: `Effect.provide(Spine.layerFetch())`.
 */
import { Config, Console, Effect, Layer, Redacted } from "effect"
import { type RunError, Spine } from "canvas-runs"
import { SpineEmulator } from "canvas-runs/testing"
import * as FastClock from "./fastClock.ts"

export interface Options {
  /** The script of the emulator's runs. By default they complete after twelve minutes. */
  readonly script?: SpineEmulator.Script | ((request: SpineEmulator.CreateRequest) => SpineEmulator.Script) | undefined
  /**
   * How many runs the example starts. The warning that they cost money says it.
   *
   * @default 1
   */
  readonly runs?: number | undefined
  readonly rateLimit?: Spine.Options["rateLimit"]
  /** Requests a span for each poll. */
  readonly tracePolls?: boolean | undefined
  /** The address for the emulator's webhooks. For the real service you enter the address in its developer portal. */
  readonly webhooks?: SpineEmulator.WebhookEndpoint | undefined
  /**
   * How many times faster than real time the emulated runs and the program run. An example that uses real I/O, such as a socket,
   * needs 1.
   *
   * @default 1000
   */
  readonly speed?: number | undefined
}

/** Whether there is a key for the real service. */
export const isReal: Effect.Effect<boolean> = Config.String("SPINE_API_KEY").pipe(
  Config.withDefault(""),
  Effect.map((key) => key !== ""),
  Effect.orDie
)

/** The client on the real service or on the emulator, which answers in memory. */
export const live = (options: Options = {}): Layer.Layer<Spine.SpineClient, RunError.ConfigError> =>
  Layer.unwrap(Effect.map(isReal, (real) => real ? layerReal(options) : emulated(options)))

/** The client with the emulator, for an example that controls the provider. */
export const emulated = (
  options: Options = {}
): Layer.Layer<Spine.SpineClient | SpineEmulator.SpineEmulator, RunError.ConfigError> =>
  Spine.layer({
    // The emulator takes every key of this form
    apiKey: Redacted.make("sk_spine_example"),
    // A request takes real time, which the fast clock would multiply
    requestTimeout: "2 hours",
    rateLimit: options.rateLimit,
    tracePolls: options.tracePolls
  }).pipe(
    Layer.provideMerge(
      Layer.effectDiscard(SpineEmulator.SpineEmulator.use((emulator) =>
        Effect.andThen(
          emulator.script(options.script ?? {}),
          options.webhooks === undefined ? Effect.void : emulator.webhooks(options.webhooks)
        )
      ))
    ),
    Layer.provideMerge(SpineEmulator.layerTest()),
    Layer.provideMerge(options.speed === 1 ? Layer.empty : FastClock.layer(options.speed ?? 1000))
  )

/** The real service, after a warning that leaves time to stop. */
export const layerReal = ({ rateLimit, runs = 1, tracePolls }: Options) =>
  Layer.tap(Spine.layerFetch({ rateLimit, tracePolls }), () =>
    Console.log(
      `SPINE_API_KEY is set, so this starts ${runs === 1 ? "a real run" : `${runs} real runs`} in five seconds. ` +
        "Runs take many minutes and cost money; Ctrl-C to stop now."
    ).pipe(Effect.andThen(Effect.sleep("5 seconds"))))
