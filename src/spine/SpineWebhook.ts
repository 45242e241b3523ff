/**
 * Verifies and decodes Spine webhooks, and receives them with a route.
 *
 * **When to use**
 *
 * Without a public address, poll: a wait needs no webhook. With {@link layerWebhookRoute} and a `Webhooks` hub a wait polls once
 * a minute, and at once when a webhook arrives. Use {@link constructEvent} in a server that has its own routes.
 *
 * **Details**
 *
 * The address of your route is set in Spine's developer portal, which shows the secret, `whsec_…`. The provider documents no
 * webhook for a run that ends `partial`, and neither its retries nor their order. The waits therefore keep polling.
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
 * The run in a webhook. Unlike the response to a poll it is flat and has no metadata. To get the metadata, retrieve the run.
 *
 * **Details**
 *
 * Only the id of the run must decode. A side field that is `null`, or has an unexpected value, is absent, and the `raw` of the
 * event has it. The documentation describes the object as the response to a poll and shows a flat one, so {@link constructEvent}
 * reads both.
 *
 * @see https://docs.getspine.ai/api-reference/concepts/webhooks
 * @category schemas
 * @since 0.1.0
 */
export const WebhookRun = open({
  /** The id of the run. */
  run_id: Id,
  /** The status of the run. If the object has none, the type of the event decides. */
  status: openLiterals(["running", "completed", "partial", "failed"]),
  /** The id of the canvas. */
  canvas_id: sideField(Schema.String),
  /** The time from start to end, in milliseconds. */
  duration_ms: sideField(Schema.Finite),
  /** The text of a completed run, in Markdown. */
  final_output: sideField(Schema.String),
  /** The files of a completed run. */
  artifacts: sideField(Schema.Array(Artifact)),
  /** The errors of a failed run. */
  errors: sideField(Schema.Array(RunErrorEntry))
})

/**
 * The run in a webhook, decoded.
 *
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
 * A webhook about a run, or of any other type, such as the portal's test event `webhook.ping`. The `object` of another type is not
 * decoded.
 *
 * **Example** (Deciding by type)
 *
 * ```ts
 * import type { Spine } from "canvas-runs"
 *
 * const describe = (event: Spine.WebhookEvent): string =>
 *   event._tag === "run" ? `${event.type}: ${event.run.status}` : `something else: ${event.type}`
 *
 * const event = { id: "evt_1", created: 1767225600, livemode: false, raw: {} }
 * describe({ ...event, _tag: "other", type: "webhook.ping", object: {} }) // => "something else: webhook.ping"
 * ```
 *
 * @see https://docs.getspine.ai/api-reference/concepts/webhooks
 * @category models
 * @since 0.1.0
 */
export type WebhookEvent =
  & {
    /** Identifies the event. Duplicate deliveries have the same id. */
    readonly id: string
    /** When the event was created, in Unix seconds. 0 by default. */
    readonly created: number
    /** Whether the event is from the provider's production, and not from development or staging. `false` by default. */
    readonly livemode: boolean
    /** The version of the API that wrote the event, such as `"2026-04-01"`. */
    readonly api_version?: string
    /** The parsed body, unchanged. */
    readonly raw: unknown
  }
  & (
    | {
      readonly _tag: "run"
      /** The change of the run. */
      readonly type: "run.started" | "run.completed" | "run.failed"
      /** The run. */
      readonly run: WebhookRun
    }
    | {
      readonly _tag: "other"
      /** The type of the event. */
      readonly type: string
      /** The `data.object` of the event, not decoded. Empty by default. */
      readonly object: Readonly<Record<string, unknown>>
    }
  )

/**
 * Verifies a webhook by its signature, and decodes it. It makes no request. A webhook that is not genuine, too old or not
 * readable is a `WebhookSignatureError`, whose `reason` says which. An empty secret or a wrong option is a `ConfigError`.
 *
 * **When to use**
 *
 * Use it in a server that has its own routes. {@link layerWebhookRoute} also recognises duplicates and wakes the waits.
 *
 * **Details**
 *
 * Pass the body byte for byte, not parsed and written again, and the value of the `Spine-Signature` header. If the header has
 * several signatures, one of them must match. They are compared in constant time. The time is that of the program's `Clock`.
 *
 * The provider does not document the key of the signature. This library assumes the whole secret, with its prefix `whsec_`.
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
 * @see {@link signWebhook} for the other side
 * @see https://docs.getspine.ai/sdks/typescript/webhooks
 * @category webhooks
 * @since 0.1.0
 */
export const constructEvent = (
  payload: Uint8Array | ArrayBuffer | string,
  signatureHeader: string | null | undefined,
  secret: Redacted.Redacted<string>,
  options?: {
    /**
     * How far the time of the signature may differ from now, in either direction.
     *
     * @default "300 seconds"
     */
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
        `The webhook was signed ${Math.abs(Math.round(age))} seconds ${age < 0 ? "in the future" : "ago"}, and the ` +
          `tolerance is ${Duration.format(tolerance)}. Check the clock of this machine, or raise the tolerance.`
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
 * Signs a body as the provider does, and returns the value of the `Spine-Signature` header. An empty secret or a wrong option is a
 * `ConfigError`.
 *
 * **When to use**
 *
 * Use it to test a program that receives webhooks. `SpineEmulator` signs the webhooks that it sends by itself.
 *
 * **Example** (A fixed time)
 *
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { Spine } from "canvas-runs"
 *
 * const signed = Spine.signWebhook("{}", Redacted.make("whsec_example"), { timestamp: 1767225600 })
 *
 * const header = await Effect.runPromise(signed)
 * header.slice(0, 16) // => "t=1767225600,v1="
 * ```
 *
 * @see {@link constructEvent} for the verification
 * @see https://docs.getspine.ai/api-reference/concepts/webhooks
 * @category webhooks
 * @since 0.1.0
 */
export const signWebhook = (
  payload: Uint8Array | ArrayBuffer | string,
  secret: Redacted.Redacted<string>,
  options?: {
    /** The time of the signature, in Unix seconds. The default is now, by the program's `Clock`. */
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
 * Creates a route that receives the webhooks of a workspace. It verifies each delivery, recognises duplicates, answers at once, and
 * wakes the waits for the run.
 *
 * **Details**
 *
 * It answers 204 for a new delivery and for a duplicate, 400 for a signature that does not match, 413 for a body over the limit,
 * and 408 for a body that does not arrive within 30 seconds. `onEvent` runs after the response. If it fails, dies or throws, the
 * route logs that. The layer fails with a `ConfigError` if the secret, the tolerance or the limit cannot be used.
 *
 * A delivery that says that the run has ended makes the wait for it poll at once. It is never the result itself.
 *
 * **Example** (The route as a web handler)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { HttpRouter } from "effect/http"
 * import { Spine, Webhooks } from "canvas-runs"
 *
 * const secret = Redacted.make("whsec_example")
 * const route = Spine.layerWebhookRoute({ path: "/webhooks/spine", secret })
 * const { dispose, handler } = HttpRouter.toWebHandler(Layer.provide(route, Webhooks.layer), { disableLogger: true })
 *
 * const body = JSON.stringify({ id: "evt_1", type: "webhook.ping", created: 1767225600, livemode: false, data: { object: {} } })
 * const headers = { "spine-signature": await Effect.runPromise(Spine.signWebhook(body, secret)) }
 * const response = await handler(new Request("https://example.com/webhooks/spine", { method: "POST", headers, body }))
 * await dispose()
 *
 * response.status // => 204
 * ```
 *
 * @see {@link constructEvent} for a server that has its own routes
 * @see {@link module:Webhooks} for the hub
 * @see https://docs.getspine.ai/api-reference/concepts/webhooks
 * @category webhooks
 * @since 0.1.0
 */
export const layerWebhookRoute = <R = never>(
  options: Route.Options<WebhookEvent, R> & {
    /**
     * How far the time of a signature may differ from now, in either direction.
     *
     * @default "300 seconds"
     */
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
  // A type that the provider adds later, such as "run.partial", may be about a run too
  const run = event._tag === "run" ? event.run : Option.getOrUndefined(decodeWebhookRun(event.object))
  return {
    provider,
    // An event without a run has its own id here, so that its duplicates are recognised too
    runId: run?.run_id ?? event.id,
    // A second event with the same id, but about another run or of another type, is not a duplicate
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
  // Kept as text, because the signature covers these digits
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
          // W8: also a progress event, which the documentation mentions and does not describe
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
