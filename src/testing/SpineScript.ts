/**
 * Scripts of runs and endpoints of webhooks: plain data for the `SpineEmulator`.
 *
 * A {@link Script} says how long a run takes, how it ends and which files it produces. Every member is optional. Without a script a
 * run takes 12 minutes and produces a file for each of its blocks that has one.
 *
 * **Example** (A run that produces one file)
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
 * The form of `POST /v1/run`, as the emulator received it.
 *
 * @see https://docs.getspine.ai/api-reference/endpoints/create-run
 * @category models
 * @since 0.1.0
 */
export interface CreateRequest {
  /** The instruction. */
  readonly prompt: string
  /** The template; `undefined` if the form has none. */
  readonly template: SpineSchema.Template | undefined
  /** The types of block; `undefined` if the form has none. */
  readonly blocks: ReadonlyArray<SpineSchema.BlockType> | undefined
  /** The guidance for all agents. */
  readonly agent_instructions: string | undefined
  /** The address of a webhook, which has no effect (K2). */
  readonly webhook_url: string | undefined
  /** The uploads, in order. */
  readonly files: ReadonlyArray<ReceivedFile>
}

/**
 * A file that a scripted run produces.
 *
 * @category models
 * @since 0.1.0
 */
export interface ScriptedArtifact {
  /** The file name, with its extension. */
  readonly name: string
  /**
   * The `type` of the artifact.
   *
   * @default the extension of the name, or "bin" without one
   */
  readonly type?: string | undefined
  /**
   * The media type of the download.
   *
   * @default that of the type if it is known, or "application/octet-stream"
   */
  readonly contentType?: string | undefined
  /** The content. A file that is too large for the memory is a stream with its size. */
  readonly content: string | Uint8Array | {
    /** The number of bytes that the run announces. */
    readonly size: number
    /** The bytes. The stream runs for each download. */
    readonly stream: Stream.Stream<Uint8Array>
  }
}

/**
 * The behaviour of a run. A member that is absent is as in the `script` option of the emulator, or has its default.
 *
 * @see {@link module:Timeline} for the course of a run
 * @category models
 * @since 0.1.0
 */
export interface Script {
  /**
   * The duration, the progress and the outcome of the run.
   *
   * @default 12 minutes with five tasks, then "completed"
   */
  readonly timeline?: Timeline.Timeline | undefined
  /**
   * How many polls of the running run lack the `canvas_id` (S1). With `"never"` the terminal snapshot lacks it too.
   *
   * @default 1
   */
  readonly canvasIdAfter?: number | "never" | undefined
  /**
   * The `final_output` of the run.
   *
   * @default a text in Markdown that repeats the prompt
   */
  readonly finalOutput?: string | undefined
  /**
   * The files of the run.
   *
   * @default a file for each block that has one, by the blocks or the template of the create
   */
  readonly artifacts?: ReadonlyArray<ScriptedArtifact> | undefined
  /**
   * The `credits_consumed` of the run.
   *
   * @default 45
   */
  readonly credits?: number | undefined
  /**
   * The `models_used` of the run.
   *
   * @default ["anthropic/claude-sonnet-4-6"]
   */
  readonly models?: ReadonlyArray<string> | undefined
  /**
   * The `estimated_duration_ms` in the response to the create (K3).
   *
   * @default "15 minutes"
   */
  readonly estimatedDuration?: Duration.Input | undefined
}

/**
 * A prompt that begins with this text makes a run that fails, also if its script says otherwise. The text after it is the error of
 * the run.
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
 * A prompt that begins with this text makes a run that ends `partial`, also if its script says otherwise. The text after it is the
 * error of the run.
 *
 * @see {@link failingPrompt}
 * @category constants
 * @since 0.1.0
 */
export const partialPrompt = "emulator: partial"

/**
 * The types of the events that webhooks have.
 *
 * @see https://docs.getspine.ai/api-reference/concepts/webhooks
 * @category models
 * @since 0.1.0
 */
export type WebhookEvent = "run.started" | "run.completed" | "run.failed" | "webhook.ping"

/**
 * An endpoint that receives webhooks, as you enter it in the developer portal of the real service.
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
  /** The address. Its host must be this machine, unless the `webhookHosts` of the emulator name others. */
  readonly url: string
  /** The secret of the signatures, which is used whole (W1). Spine's own begin with `whsec_`. */
  readonly secret: string
  /**
   * The events that are sent to this endpoint.
   *
   * @default ["*"]
   */
  readonly events?: ReadonlyArray<WebhookEvent | "*"> | undefined
}
