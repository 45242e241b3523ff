/**
 * Spine webhooks: verified, decoded, and passed on to the waits that they are about.
 *
 * @see https://docs.getspine.ai/api-reference/concepts/webhooks
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import type * as HttpRouter from "effect/http/HttpRouter"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { quote } from "../internal/describe.ts"
import * as Hmac from "../internal/hmac.ts"
import * as Options from "../internal/options.ts"
import { toBytes, wordsOf } from "../internal/payload.ts"
import * as Route from "../internal/webhookRoute.ts"
import { checkSecret } from "../internal/webhookSecret.ts"
import { open, openLiterals, sideField, sideFieldOr } from "../internal/responseSchema.ts"
import { ConfigError, WebhookSignatureError } from "../RunError.ts"
import type * as Webhooks from "../Webhooks.ts"
import { provider } from "./internal/source.ts"
import { Artifact, RunErrorEntry } from "./SpineSchema.ts"

/** The hub keeps ids, so a long one is refused. */
const Id = Schema.NonEmptyString.check(Schema.isMaxLength(200))

/**
 * What a webhook says of a run. Unlike the answer to a poll it is flat, and has no metadata: retrieve the run for those.
 *
 * **Details**
 *
 * Only the run's id must decode. A side field that is `null` or odd is absent, and the event's `raw` has it. Without a status the
 * type of the event decides.
 *
 * @category schemas
 * @since 0.1.0
 */
export const WebhookRun = open({
  run_id: Id,
  status: openLiterals(["running", "completed", "partial", "failed"]),
  canvas_id: sideField(Schema.String),
  duration_ms: sideField(Schema.Finite),
  final_output: sideField(Schema.String),
  artifacts: sideField(Schema.Array(Artifact)),
  errors: sideField(Schema.Array(RunErrorEntry))
})

/**
 * @category models
 * @since 0.1.0
 */
export interface WebhookRun extends Schema.Schema.Type<typeof WebhookRun> {}

const envelope = {
  /** Identifies the event; use it to notice duplicate deliveries. */
  id: Id,
  /** Unix seconds. */
  created: sideFieldOr(Schema.Finite, 0),
  livemode: sideFieldOr(Schema.Boolean, false),
  api_version: sideField(Schema.String)
}

const RunEvent = open({
  ...envelope,
  type: Schema.Literals(["run.started", "run.completed", "run.failed"]),
  data: open({ object: WebhookRun })
})

const OtherEvent = open({
  ...envelope,
  type: openLiterals(["webhook.ping"]),
  data: sideFieldOr(open({ object: sideFieldOr(Schema.Record(Schema.String, Schema.Unknown), {}) }), { object: {} })
})

/**
 * A webhook: one about a run, or one of any other type, which is left open.
 *
 * **Example** (Deciding by type)
 *
 * ```ts
 * import type { Spine } from "canvas-runs"
 *
 * const describe = (event: Spine.WebhookEvent): string =>
 *   event._tag === "run" ? `${event.type}: ${event.run.status}` : `something else: ${event.type}`
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export type WebhookEvent =
  & {
    readonly id: string
    readonly created: number
    readonly livemode: boolean
    readonly api_version?: string
    /** The body, as it came. */
    readonly raw: unknown
  }
  & (
    | {
      readonly _tag: "run"
      readonly type: "run.started" | "run.completed" | "run.failed"
      readonly run: WebhookRun
    }
    | { readonly _tag: "other"; readonly type: string; readonly object: Readonly<Record<string, unknown>> }
  )

/**
 * Verifies a webhook and decodes it.
 *
 * **Details**
 *
 * Give the body as it was received, byte for byte. Any of several signatures may match; they are compared in constant
 * time. A timestamp that is further away than the tolerance, in either direction, is refused. The time is that of the
 * program's `Clock`.
 *
 * That the key is the whole secret, `whsec_` and all, is assumed: the provider does not say.
 *
 * **Example** (Verifying what was signed)
 *
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { Spine } from "canvas-runs"
 *
 * const secret = Redacted.make("whsec_example")
 * const body = JSON.stringify({ id: "evt_1", type: "webhook.ping", created: 0, livemode: false, data: { object: {} } })
 *
 * const program = Effect.gen(function*() {
 *   const header = yield* Spine.signWebhook(body, secret)
 *   const event = yield* Spine.constructEvent(body, header, secret)
 *   return event.type
 * })
 *
 * console.log(await Effect.runPromise(program)) // => "webhook.ping"
 * ```
 *
 * @see https://docs.getspine.ai/sdks/typescript/webhooks
 * @category webhooks
 * @since 0.1.0
 */
export const constructEvent = (
  payload: Uint8Array | ArrayBuffer | string,
  signatureHeader: string | null | undefined,
  secret: Redacted.Redacted<string>,
  options?: {
    /** @default "300 seconds" */
    readonly tolerance?: Duration.Input | undefined
  }
): Effect.Effect<WebhookEvent, WebhookSignatureError | ConfigError> =>
  Effect.gen(function*() {
    const key = yield* checkSecret(secret)
    const tolerance = yield* checkTolerance((yield* readOptions(options, ["tolerance"])).tolerance)
    const fail = (reason: WebhookSignatureError["reason"], message: string) =>
      new WebhookSignatureError({ reason, message })
    const header: unknown = signatureHeader
    if (header === undefined || header === null || typeof header === "string" && header.trim() === "") {
      return yield* fail("missing", "There is no Spine-Signature header. Pass the header of the request as it came.")
    }
    if (typeof header !== "string") {
      return yield* fail("malformed", `The Spine-Signature header is ${quote(header)}; pass it as one text.`)
    }
    const { signatures, timestamp } = parseHeader(header)
    if (timestamp === undefined || signatures.length === 0) {
      return yield* fail("malformed", "The Spine-Signature header is not of the form t=...,v1=...")
    }
    const bytes = toBytes(payload)
    if (bytes === undefined) {
      return yield* fail(
        "body",
        `The payload is ${wordsOf(payload)}. Pass the bytes or the text of the body as they came.`
      )
    }
    if (!(yield* Hmac.verifyAny(key, signatures, `${timestamp}.`, bytes))) {
      return yield* fail(
        "mismatch",
        "No signature matches. Check the secret, and that the body is passed as it was received, not parsed and written again."
      )
    }
    const now = (yield* Clock.currentTimeMillis) / 1000
    if (Math.abs(now - Number(timestamp)) > tolerance) {
      return yield* fail(
        "stale",
        `The webhook was signed ${Math.round(now - Number(timestamp))} seconds ago. Is the clock of this machine right?`
      )
    }
    const event = decodeEvent(new TextDecoder().decode(bytes))
    return event ??
      (yield* fail(
        "body",
        "The signature matches, and the body is no event that can be read: it must be JSON with an id and a type, and for an " +
          "event about a run data.object must have the run_id."
      ))
  })

/**
 * Signs a body as the provider does: the value of a `Spine-Signature` header, for tests of what receives webhooks.
 *
 * @category webhooks
 * @since 0.1.0
 */
export const signWebhook = (
  payload: Uint8Array | ArrayBuffer | string,
  secret: Redacted.Redacted<string>,
  options?: {
    /** In Unix seconds. The default is now. */
    readonly timestamp?: number | undefined
  }
): Effect.Effect<string, ConfigError> =>
  Effect.gen(function*() {
    const key = yield* checkSecret(secret)
    const { timestamp = Math.floor((yield* Clock.currentTimeMillis) / 1000) } = yield* readOptions(options, [
      "timestamp"
    ])
    if (!(Number.isSafeInteger(timestamp) && timestamp >= 0 && timestamp < 1e12)) {
      return yield* new ConfigError({
        message: `timestamp is ${quote(timestamp)}; it must be a whole number of Unix seconds, such as 1790000000.`,
        option: "timestamp"
      })
    }
    const bytes = toBytes(payload)
    if (bytes === undefined) {
      return yield* new ConfigError({
        message: `The payload is ${wordsOf(payload)}. Pass the bytes or the text of a body.`,
        option: "payload"
      })
    }
    const signature = yield* Hmac.sign(key, `${timestamp}.`, bytes)
    return `t=${timestamp},v1=${Hex.encode(signature)}`
  })

/**
 * A route that receives the webhooks of a workspace: verified, told apart from doubles, answered fast, and passed on to the
 * waits that they are about.
 *
 * **Details**
 *
 * It answers 204 for a delivery that it took and for a duplicate, 400 for a signature that does not match, 413 for a body
 * over the limit, and 408 for a body that does not arrive within 30 seconds. `onEvent` runs after the response; if it fails, dies or throws, that is logged. The layer fails with a
 * `ConfigError` where the secret, the tolerance or the limit cannot be used.
 *
 * @category webhooks
 * @since 0.1.0
 */
export const layerWebhookRoute = <R = never>(options: {
  readonly path: HttpRouter.PathInput
  /** The secret of the endpoint, `whsec_…`. */
  readonly secret: Redacted.Redacted<string>
  /** @default "300 seconds" */
  readonly tolerance?: Duration.Input | undefined
  /**
   * The longest body, in bytes.
   *
   * @default 1 MiB
   */
  readonly maxBodyBytes?: number | undefined
  /** Runs after the response, for each new delivery. Its services are those of the layer's context, and its failure is logged. */
  readonly onEvent?: ((event: WebhookEvent) => Effect.Effect<unknown, unknown, R>) | undefined
}): Layer.Layer<never, ConfigError, HttpRouter.HttpRouter | Webhooks.Webhooks | R> =>
  Route.layer(options, ["tolerance"], (options) => ({
    maxBodyBytes: options.maxBodyBytes,
    check: Effect.andThen(checkSecret(options.secret), checkTolerance(options.tolerance)),
    verify: (body, headers) =>
      Effect.map(
        constructEvent(body, headers["spine-signature"], options.secret, { tolerance: options.tolerance }),
        (event) => ({ event, delivery: deliveryOf(event) })
      )
  }))

const deliveryOf = (event: WebhookEvent): Webhooks.Delivery => {
  // A type of tomorrow, such as "run.partial", may be about a run as well
  const run = event._tag === "run" ? event.run : Option.getOrUndefined(decodeWebhookRun(event.object))
  return {
    provider,
    // An event about no run is about itself, so that its duplicates are recognised too
    runId: run?.run_id ?? event.id,
    // An id that comes again about another run, or with another status, is no duplicate
    eventId: run === undefined ? event.id : `${event.id}/${event.type}/${run.run_id}`,
    isTerminal: event.type === "run.completed" || event.type === "run.failed" ||
      run !== undefined && run.status !== "running"
  }
}

/** In seconds. */
const checkTolerance = (tolerance: Duration.Input | undefined): Effect.Effect<number, ConfigError> => {
  const duration = Options.durationOf(tolerance ?? "300 seconds")
  return Option.isSome(duration) && Duration.isPositive(duration.value)
    ? Effect.succeed(Duration.toSeconds(duration.value))
    : Effect.fail(
      new ConfigError({
        message: `tolerance is ${
          quote(tolerance)
        }; it must be a duration above zero. Write "5 minutes", or milliseconds.`,
        option: "tolerance"
      })
    )
}

const readOptions = <O>(options: O, known: ReadonlyArray<string>): Effect.Effect<NonNullable<O>, ConfigError> =>
  Effect.mapError(Effect.fromResult(Options.read("options", options, known)), (fault) => new ConfigError(fault))

/** The timestamp is kept as text: what was signed is its digits. */
const parseHeader = (
  header: string
): { readonly timestamp: string | undefined; readonly signatures: ReadonlyArray<Uint8Array> } => {
  let timestamp: string | undefined
  const signatures: Array<Uint8Array> = []
  // Only an attacker sends a header with thousands of signatures
  for (const part of header.slice(0, 4096).split(",")) {
    const at = part.indexOf("=")
    const [name, value] = [part.slice(0, at).trim(), part.slice(at + 1).trim()]
    if (name === "t" && /^\d{1,12}$/.test(value)) timestamp = value
    if (name === "v1" && /^[0-9a-f]{64}$/i.test(value)) {
      signatures.push(Result.getOrThrow(Hex.decode(value)))
    }
  }
  return { timestamp, signatures }
}

const decodeWebhookRun = Schema.decodeUnknownOption(WebhookRun)
const decodeRunEvent = Schema.decodeUnknownOption(RunEvent)
const decodeOtherEvent = Schema.decodeUnknownOption(OtherEvent)
const parseJson = Option.liftThrowable((text: string): unknown => JSON.parse(text))

const runEventType = /^run\.(started|completed|failed)$/

const decodeEvent = (text: string): WebhookEvent | undefined => {
  // Nothing decodes from undefined
  const raw = Option.getOrUndefined(parseJson(text))
  const run = decodeRunEvent(flatten(raw))
  if (Option.isSome(run)) {
    const { data, ...event } = run.value
    return { ...event, _tag: "run", run: data.object, raw }
  }
  const other = decodeOtherEvent(raw)
  if (Option.isNone(other) || runEventType.test(other.value.type)) return undefined
  const { data, ...event } = other.value
  return { ...event, _tag: "other", object: data.object, raw }
}

/** The documentation calls the object a mirror of the poll's answer and shows a flat one, so either is taken. */
const flatten = (raw: unknown): unknown => {
  const event = raw as { readonly type?: unknown; readonly data?: { readonly object?: Record<string, unknown> } } | null
  const object = event?.data?.object
  if (typeof object !== "object" || object === null) return raw
  const { error, result, ...rest } = object
  const ending = runEventType.exec(String(event!.type))?.[1]
  return {
    ...event,
    data: {
      ...event!.data,
      object: {
        ...(typeof result === "object" ? result : undefined),
        ...(typeof error === "string" ? { errors: [{ error }] } : undefined),
        ...rest,
        ...(typeof rest["status"] === "string" ? undefined : { status: ending === "started" ? "running" : ending })
      }
    }
  }
}
