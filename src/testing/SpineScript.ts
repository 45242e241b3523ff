/**
 * Scripts of runs and endpoints of webhooks: plain data for the `SpineEmulator`.
 *
 * A {@link Script} says how long a run takes, how it ends and which files it makes. Every member is optional. Without a
 * script a run takes 12 minutes and makes the files that follow from its blocks.
 *
 * **Example** (A run that makes one file)
 *
 * ```ts
 * import { type SpineScript, Timeline } from "canvas-runs/testing"
 *
 * const script: SpineScript.Script = {
 *   timeline: Timeline.make({ duration: "90 minutes" }),
 *   artifacts: [{ name: "report.md", content: "# Report" }]
 * }
 *
 * script.artifacts?.length // => 1
 * ```
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Stream from "effect/Stream"
import type * as SpineSchema from "../spine/SpineSchema.ts"
import type { ReceivedFile } from "./Exchange.ts"
import type * as Timeline from "./Timeline.ts"

/**
 * The form of `POST /v1/run`, as the emulator read it.
 *
 * @category models
 * @since 0.1.0
 */
export interface CreateRequest {
  readonly prompt: string
  readonly template: SpineSchema.Template | undefined
  readonly blocks: ReadonlyArray<SpineSchema.BlockType> | undefined
  readonly agent_instructions: string | undefined
  readonly webhook_url: string | undefined
  readonly files: ReadonlyArray<ReceivedFile>
}

/**
 * A file that a scripted run makes.
 *
 * @category models
 * @since 0.1.0
 */
export interface ScriptedArtifact {
  readonly name: string
  /** @default the extension of the name */
  readonly type?: string | undefined
  readonly contentType?: string | undefined
  /** A file too large to hold in memory is a stream with its size. */
  readonly content: string | Uint8Array | { readonly size: number; readonly stream: Stream.Stream<Uint8Array> }
}

/**
 * The behaviour of a run. A member that is left out is as in the emulator's own `script` option, or has its default.
 *
 * @category models
 * @since 0.1.0
 */
export interface Script {
  /** @default 12 minutes with five tasks, to a good end */
  readonly timeline?: Timeline.Timeline | undefined
  /**
   * How many polls of the running run lack the `canvas_id` (S1). With `"never"` it is missing from the end as well.
   *
   * @default 1
   */
  readonly canvasIdAfter?: number | "never" | undefined
  /** @default a text in Markdown that repeats the prompt */
  readonly finalOutput?: string | undefined
  /** @default the files that follow from the blocks or the template */
  readonly artifacts?: ReadonlyArray<ScriptedArtifact> | undefined
  /** @default 45 */
  readonly credits?: number | undefined
  /** @default ["anthropic/claude-sonnet-4-6"] */
  readonly models?: ReadonlyArray<string> | undefined
  /**
   * The estimate in the response to the creation (K3).
   *
   * @default "15 minutes"
   */
  readonly estimatedDuration?: Duration.Input | undefined
}

/**
 * A prompt that begins with this text makes a run that fails, whatever its script says. The text after it becomes the
 * error of the run.
 *
 * **Example** (A run that fails, on a server that cannot be scripted)
 *
 * ```ts
 * import { SpineEmulator } from "canvas-runs/testing"
 *
 * const prompt = `${SpineEmulator.failingPrompt} out of paper`
 *
 * prompt // => "emulator: fail out of paper"
 * ```
 *
 * @see {@link partialPrompt}
 * @category constants
 * @since 0.1.0
 */
export const failingPrompt = "emulator: fail"

/**
 * A prompt that begins with this text makes a run that ends `partial`, whatever its script says. The text after it
 * becomes the error of the run.
 *
 * @see {@link failingPrompt}
 * @category constants
 * @since 0.1.0
 */
export const partialPrompt = "emulator: partial"

/**
 * The types of events that are sent to webhooks.
 *
 * @category models
 * @since 0.1.0
 */
export type WebhookEvent = "run.started" | "run.completed" | "run.failed" | "webhook.ping"

/**
 * A receiver of events, as it would stand in the workspace's developer portal.
 *
 * **Example** (Receiving the test event without a socket)
 *
 * ```ts
 * import { SpineEmulator } from "canvas-runs/testing"
 * import { Deferred, Effect } from "effect"
 * import { HttpClient, HttpClientResponse } from "effect/http"
 *
 * const program = Effect.gen(function*() {
 *   const received = yield* Deferred.make<string | undefined>()
 *   const webhookClient = HttpClient.make((request) =>
 *     Effect.as(
 *       Deferred.succeed(received, request.headers["spine-event-type"]),
 *       HttpClientResponse.fromWeb(request, new Response(null, { status: 204 }))
 *     ))
 *   const emulator = yield* SpineEmulator.make({
 *     webhooks: [{ url: "http://127.0.0.1:8080/hook", secret: "whsec_example" }],
 *     webhookClient
 *   })
 *   yield* emulator.ping
 *   return yield* Deferred.await(received)
 * })
 *
 * console.log(await Effect.runPromise(Effect.scoped(program))) // => "webhook.ping"
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export interface WebhookEndpoint {
  /** Must be on this machine, unless the options name other hosts. */
  readonly url: string
  /** What webhooks are signed with, all of it (W1). Spine's own begin with `whsec_`. */
  readonly secret: string
  /**
   * The events that are sent to this endpoint.
   *
   * @default ["*"]
   */
  readonly events?: ReadonlyArray<WebhookEvent | "*"> | undefined
}
