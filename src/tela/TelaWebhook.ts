/**
 * Tela webhooks. The provider does not sign them. The sender therefore proves itself with a header that the provider received
 * together with the execution, and that no other sender can make.
 *
 * **When to use**
 *
 * Without a public address, poll: a wait needs no webhook. For executions of many minutes, webhooks save polls: with
 * {@link layerWebhookRoute} and a `Webhooks` hub a wait polls once a minute, and at once when a webhook arrives.
 * {@link constructEvent} is for a server that has its own routes.
 *
 * @see https://docs.tela.com/en/completion-api/async-and-webhooks
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as HttpRouter from "effect/http/HttpRouter"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import { parseJson, quote } from "../internal/describe.ts"
import * as Hmac from "../internal/webhooks/hmac.ts"
import * as Options from "../internal/options.ts"
import type * as Webhooks from "../internal/webhooks/hub.ts"
import { bytesOf, checkSecret, invalid } from "../internal/webhooks/proof.ts"
import * as Route from "../internal/webhooks/route.ts"
import type { ConfigError, WebhookSignatureError } from "../RunError.ts"
import { decodeExecution } from "./internal/source.ts"
import { type ExecutionSnapshot, provider } from "./TelaExecution.ts"

/**
 * The name of the header that proves a webhook. {@link webhookHeaders} makes its value.
 *
 * @category constants
 * @since 0.1.0
 */
export const webhookHeader = "x-canvas-runs-webhook"

/**
 * Makes headers for the `forwardHeaders` of one execution. The provider sends them with the webhook. They hold a token that is made
 * with the secret and differs for each execution, so a token that leaks does not reveal the secret. An empty secret is a
 * `ConfigError`.
 *
 * **Example** (Asking for a webhook that can be trusted)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { Tela } from "canvas-runs"
 * import { TelaEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const tela = yield* Tela.TelaClient
 *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
 *   const forwardHeaders = yield* Tela.webhookHeaders(Redacted.make("a long random text"))
 *   yield* canvas.execute({}, { async: true, webhookUrl: "https://example.com/tela", forwardHeaders })
 *   return Object.keys(forwardHeaders)
 * }).pipe(
 *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
 *     Layer.provideMerge(TelaEmulator.layerTest())
 *   ))
 * )
 *
 * console.log(await Effect.runPromise(main)) // => ["x-canvas-runs-webhook"]
 * ```
 *
 * @see {@link layerWebhookRoute} for receiving the webhook
 * @see https://docs.tela.com/en/workstation/events/authentication
 * @category webhooks
 * @since 0.1.0
 */
export const webhookHeaders = (
  secret: Redacted.Redacted<string>
): Effect.Effect<Readonly<Record<string, string>>, ConfigError> =>
  Effect.gen(function*() {
    const key = yield* checkSecret(secret)
    const numbers = yield* Effect.all([Random.nextInt, Random.nextInt, Random.nextInt])
    const nonce = numbers.map((n) => Math.abs(n).toString(36)).join("")
    return { [webhookHeader]: `${nonce}.${yield* Hmac.sign(key, [purpose, nonce])}` }
  })

/**
 * The headers of a request: a record, as of Effect's or Node's HTTP server, or a web `Headers`.
 *
 * @category webhooks
 * @since 0.1.0
 */
export type RequestHeaders =
  | {
    /** Returns the value of a header, or `null` if the request has no such header. */
    readonly get: (name: string) => string | null
  }
  | Readonly<Record<string, string | ReadonlyArray<string> | undefined>>

/**
 * Verifies a webhook, and decodes the state of the execution in its body. A webhook without a valid token, or whose body is not an
 * execution, is a `WebhookSignatureError`. An empty secret is a `ConfigError`.
 *
 * **When to use**
 *
 * In a server that has its own routes. {@link layerWebhookRoute} also recognises duplicates and wakes the waits.
 *
 * **Gotchas**
 *
 * The token proves that the provider gave it to the sender. It proves nothing about the body, which may be forged, or about another
 * execution: look the execution up before you act on it, as waits do.
 *
 * **Example** (Verifying a webhook by hand)
 *
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { Tela } from "canvas-runs"
 *
 * const secret = Redacted.make("a long random text")
 *
 * const main = Effect.gen(function*() {
 *   const headers = yield* Tela.webhookHeaders(secret)
 *   const body = JSON.stringify({ id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11", status: "failed" })
 *   const snapshot = yield* Tela.constructEvent(body, headers, secret)
 *   const forged = yield* Effect.flip(Tela.constructEvent(body, {}, secret))
 *   return [snapshot.status, forged.message.split(".")[0]]
 * })
 *
 * console.log(await Effect.runPromise(main)) // => ["failed", "There is no x-canvas-runs-webhook header"]
 * ```
 *
 * @see https://docs.tela.com/api-reference/completion/get
 * @category webhooks
 * @since 0.1.0
 */
export const constructEvent = (
  payload: Uint8Array | ArrayBuffer | string,
  headers: RequestHeaders,
  secret: Redacted.Redacted<string>
): Effect.Effect<ExecutionSnapshot, WebhookSignatureError | ConfigError> =>
  Effect.gen(function*() {
    const key = yield* checkSecret(secret)
    const [nonce, signature] = yield* readToken(headers)
    if (!(yield* Hmac.verifyAny(key, [signature], [purpose, nonce]))) {
      return yield* invalid(
        "mismatch",
        `The ${webhookHeader} header was made with another secret. Use the one that Tela.webhookHeaders was given.`
      )
    }
    const json = parseJson(new TextDecoder().decode(yield* bytesOf(payload)))
    const snapshot = Option.isNone(json) ? Option.none() : yield* Effect.option(decodeExecution(json.value))
    // The hub keeps ids, so only an id is taken
    return Option.isSome(snapshot) && /^[\w.-]{1,200}$/.test(snapshot.value.id)
      ? snapshot.value
      : yield* invalid(
        "body",
        "The header is genuine, and the body is not an execution. Pass the body as it was received."
      )
  })

/**
 * Creates a route that receives the webhooks of executions. It verifies each delivery, recognises duplicates, answers at once, and
 * wakes the waits for the execution.
 *
 * **Details**
 *
 * It answers 204 for a new delivery and for a duplicate, 400 for one without a valid token, 413 for a body over the limit, and 408
 * for a body that does not arrive within 30 seconds. `onEvent` runs after the response. If it fails, dies or throws, the route logs
 * that. The layer fails with a `ConfigError` if the secret or the limit cannot be used.
 *
 * The provider does not document whether it repeats a webhook that was not accepted (assumption 13).
 *
 * A delivery makes the wait for its execution poll once, and is never the result itself. Only a delivery with the same token and
 * the same body is a duplicate, so a forged delivery does not hide a genuine one.
 *
 * **Example** (The route as a web handler)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { HttpRouter } from "effect/http"
 * import { Tela, Webhooks } from "canvas-runs"
 *
 * const secret = Redacted.make("a long random text")
 * const route = Tela.layerWebhookRoute({ path: "/webhooks/tela", secret })
 * const { dispose, handler } = HttpRouter.toWebHandler(Layer.provide(route, Webhooks.layer), { disableLogger: true })
 *
 * const headers = await Effect.runPromise(Tela.webhookHeaders(secret))
 * const body = JSON.stringify({ id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11", status: "failed" })
 * const response = await handler(new Request("https://example.com/webhooks/tela", { method: "POST", headers, body }))
 * await dispose()
 *
 * response.status // => 204
 * ```
 *
 * @see {@link constructEvent} for a server that has its own routes
 * @see {@link module:Webhooks} for the hub
 * @see https://docs.tela.com/en/completion-api/async-and-webhooks
 * @category webhooks
 * @since 0.1.0
 */
export const layerWebhookRoute = <R = never>(
  options: Route.Options<ExecutionSnapshot, R>
): Layer.Layer<never, ConfigError, HttpRouter.HttpRouter | Webhooks.Webhooks | R> =>
  Route.layer(options, {
    otherOptions: [],
    check: () => Effect.void,
    maxBodyBytes: 16 * 1024 * 1024,
    verify: ({ secret }, body, headers) =>
      Effect.gen(function*() {
        const event = yield* constructEvent(body, headers, secret)
        // Tela gives its webhooks no id, and only the token is proved: all of the body identifies a delivery, with its token
        const digest = yield* Hmac.sign(Redacted.value(secret), [`${deliveryPurpose}${headers[webhookHeader]} `, body])
        return {
          event,
          delivery: {
            provider,
            runId: event.id,
            eventId: `${event.id}/${digest}`,
            isTerminal: event.status === "succeeded" || event.status === "failed"
          }
        }
      })
  })

/** The nonce and the signature of a token. */
const readToken = Effect.fnUntraced(function*(headers: unknown) {
  if (!Options.is(Predicate.isObject, headers)) {
    // They hold the token
    const given = typeof headers === "string" ? "text" : quote(headers)
    return yield* invalid(
      "missing",
      `The headers are ${given}. Pass all headers of the request, as an object or as Headers.`
    )
  }
  const header = Option.getOrUndefined(headerOf(headers))
  if (header === undefined || header === null) {
    return yield* invalid(
      "missing",
      `There is no ${webhookHeader} header. Create the execution with forwardHeaders from Tela.webhookHeaders.`
    )
  }
  const token = typeof header === "string" ? /^([0-9a-z]{1,60})\.([0-9a-f]{64})$/.exec(header) : null
  return token === null
    ? yield* invalid(
      "malformed",
      `The ${webhookHeader} header does not come from Tela.webhookHeaders. Pass the headers of the request unchanged.`
    )
    : [token[1]!, token[2]!] as const
})

/** JavaScript may pass anything. */
const headerOf = Option.liftThrowable((headers: unknown): unknown =>
  Predicate.hasProperty(headers, "get") && typeof headers.get === "function"
    ? headers.get(webhookHeader)
    : Predicate.isObject(headers)
    ? Object.entries(headers).find(([name]) => name.toLowerCase() === webhookHeader)?.[1]
    : undefined
)

/** Keeps tokens apart from anything else that is made with the same secret. */
const purpose = "canvas-runs tela webhook "
const deliveryPurpose = "canvas-runs tela delivery "
