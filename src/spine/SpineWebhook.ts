/**
 * Spine webhooks: their verification and decoding, and the route that receives them.
 *
 * @see https://docs.getspine.ai/api-reference/concepts/webhooks
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as HttpRouter from "effect/http/HttpRouter"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { parseJson, quote } from "../internal/describe.ts"
import * as Hmac from "../internal/webhooks/hmac.ts"
import * as Options from "../internal/options.ts"
import { open, openLiterals, sideField, sideFieldOr } from "../internal/responseSchema.ts"
import type * as Webhooks from "../internal/webhooks/hub.ts"
import { bytesOf, checkSecret, invalid } from "../internal/webhooks/proof.ts"
import * as Route from "../internal/webhooks/route.ts"
import { ConfigError, type WebhookSignatureError } from "../RunError.ts"
import { provider } from "./internal/source.ts"
import { Artifact, RunErrorEntry } from "./SpineSchema.ts"

/** The hub keeps ids, so their length is bounded. */
const Id = Schema.NonEmptyString.check(Schema.isMaxLength(200))

/**
 * What a webhook says about a run. Unlike the response to a poll it is flat and has no metadata: retrieve the run for those.
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

const Event = open({
  /** Identifies the event. Duplicate deliveries have the same id. */
  id: Id,
  /** Unix seconds. */
  created: sideFieldOr(Schema.Finite, 0),
  livemode: sideFieldOr(Schema.Boolean, false),
  api_version: sideField(Schema.String),
  type: openLiterals(["run.started", "run.completed", "run.failed", "webhook.ping"]),
  data: sideFieldOr(open({ object: sideFieldOr(Schema.Record(Schema.String, Schema.Unknown), {}) }), { object: {} })
})

/**
 * A webhook about a run, or of any other type, whose `object` is not decoded.
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
    /** The parsed body, unchanged. */
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
 * Pass the body as it was received, byte for byte. Any of several signatures may match. They are compared in constant time. A
 * timestamp that is further away than the tolerance, in either direction, is refused. The time is that of the program's `Clock`.
 *
 * Assumed, because the provider does not say: the key is the whole secret, with its prefix `whsec_`.
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
    const tolerance = yield* checkTolerance(yield* Options.copyConfig("options", options, ["tolerance"]))
    const { signatures, timestamp } = yield* readHeader(signatureHeader)
    const bytes = yield* bytesOf(payload)
    if (!(yield* Hmac.verifyAny(key, signatures, [`${timestamp}.`, bytes]))) {
      return yield* invalid(
        "mismatch",
        "No signature matches. Check the secret, and that the body is passed as it was received, not parsed and written again."
      )
    }
    const age = (yield* Clock.currentTimeMillis) / 1000 - Number(timestamp)
    // W7
    if (Math.abs(age) > Duration.toSeconds(tolerance)) {
      return yield* invalid(
        "stale",
        `The webhook was signed ${Math.round(age)} seconds ago, and the tolerance is ${Duration.format(tolerance)}. ` +
          "Check the clock of this machine; for a delivery that waited in a queue, raise the tolerance."
      )
    }
    return yield* Effect.mapError(
      Effect.fromOption(decodeEvent(new TextDecoder().decode(bytes))),
      () =>
        invalid(
          "body",
          "The signature matches, and the body is not an event: it must be JSON with an id and a type, and for an " +
            "event about a run data.object must have the run_id."
        )
    )
  })

/**
 * Signs a body as the provider does, and returns the value of the `Spine-Signature` header. For tests of programs that receive webhooks.
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
    const now = Math.floor((yield* Clock.currentTimeMillis) / 1000)
    const { timestamp = now } = yield* Options.copyConfig("options", options, ["timestamp"])
    yield* Options.checkConfig(
      "timestamp",
      timestamp,
      isTimestamp,
      "a whole number of Unix seconds, such as 1790000000"
    )
    const bytes = yield* Effect.mapError(
      bytesOf(payload),
      ({ message }) => new ConfigError({ message, option: "payload" })
    )
    return `t=${timestamp},v1=${yield* Hmac.sign(key, [`${timestamp}.`, bytes])}`
  })

/**
 * A route that receives the webhooks of a workspace. It verifies each delivery, recognises duplicates, answers at once, and wakes the
 * waits for the run.
 *
 * **Details**
 *
 * It answers 204 for a new delivery and for a duplicate, 400 for a signature that does not match, 413 for a body over the limit, and
 * 408 for a body that does not arrive within 30 seconds. `onEvent` runs after the response. If it fails, dies or throws, the route
 * logs that. The layer fails with a `ConfigError` if the secret, the tolerance or the limit cannot be used.
 *
 * @category webhooks
 * @since 0.1.0
 */
export const layerWebhookRoute = <R = never>(
  options: Route.Options<WebhookEvent, R> & {
    /** @default "300 seconds" */
    readonly tolerance?: Duration.Input | undefined
  }
): Layer.Layer<never, ConfigError, HttpRouter.HttpRouter | Webhooks.Webhooks | R> =>
  Route.layer(options, {
    otherOptions: ["tolerance"],
    check: checkTolerance,
    maxBodyBytes: 1024 * 1024,
    verify: ({ secret, tolerance }, body, headers) =>
      Effect.map(
        constructEvent(body, headers["spine-signature"], secret, { tolerance }),
        (event) => ({ event, delivery: deliveryOf(event) })
      )
  })

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

const isTimestamp = (value: unknown): boolean => value === 0 || Options.isCount(value) && Number(value) < 1e12

const checkTolerance = ({ tolerance }: { readonly tolerance?: Duration.Input | undefined }) =>
  Options.durationConfig("tolerance", tolerance ?? "300 seconds")

const readHeader = Effect.fnUntraced(function*(header: unknown) {
  if (header === undefined || header === null || typeof header === "string" && header.trim() === "") {
    return yield* invalid("missing", "There is no Spine-Signature header. Pass the header of the request unchanged.")
  }
  if (typeof header !== "string") {
    return yield* invalid("malformed", `The Spine-Signature header is ${quote(header)}; pass it as one text.`)
  }
  // Only an attacker sends a header with thousands of signatures
  const parts = header.slice(0, 4096).split(",")
  const valuesOf = (pattern: RegExp) => parts.flatMap((part) => pattern.exec(part.trim())?.[1] ?? [])
  // Kept as text: its digits are what was signed
  const timestamp = valuesOf(/^t\s*=\s*(\d{1,12})$/).at(-1)
  const signatures = valuesOf(/^v1\s*=\s*([0-9a-fA-F]{64})$/)
  if (timestamp === undefined || signatures.length === 0) {
    return yield* invalid(
      "malformed",
      "The Spine-Signature header is not of the form t=...,v1=... Pass the header of the request unchanged."
    )
  }
  return { timestamp, signatures }
})

const decodeWebhookRun = Schema.decodeUnknownOption(WebhookRun)
const decodeEnvelope = Schema.decodeUnknownOption(Event)

/** The status of a run by the type of an event about it. */
const statusOf = { "run.started": "running", "run.completed": "completed", "run.failed": "failed" } as const

const isRunType = (type: string): type is keyof typeof statusOf => Object.hasOwn(statusOf, type)

const decodeEvent = (text: string): Option.Option<WebhookEvent> =>
  Option.flatMap(
    parseJson(text),
    (raw) =>
      Option.flatMap(decodeEnvelope(raw), ({ data: { object }, type, ...event }): Option.Option<WebhookEvent> =>
        isRunType(type)
          ? Option.map(decodeRun(type, object), (run) => ({ ...event, _tag: "run", type, run, raw }))
          // W8: a progress event, which the documentation mentions and does not describe, is one of these
          : Option.some({ ...event, _tag: "other", type, object, raw }))
  )

/** The documentation calls the object a mirror of the poll's answer and shows a flat one, so either is taken. */
const decodeRun = (type: keyof typeof statusOf, { error, result, ...rest }: Readonly<Record<string, unknown>>) =>
  decodeWebhookRun({
    ...(Predicate.isObject(result) ? result : undefined),
    ...(typeof error === "string" ? { errors: [{ error }] } : undefined),
    ...rest,
    ...(typeof rest["status"] === "string" ? undefined : { status: statusOf[type] })
  })
