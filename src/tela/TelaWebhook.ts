/**
 * Tela webhooks. The provider does not sign them. The sender therefore proves itself with a header that the provider received
 * together with the execution, and that no other sender can make.
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
import { decodeExecution } from "./internal/snapshot.ts"
import { type ExecutionSnapshot, provider } from "./TelaExecution.ts"

/**
 * The header that proves a webhook.
 *
 * @category constants
 * @since 0.1.0
 */
export const webhookHeader = "x-canvas-runs-webhook"

/**
 * Makes headers for the `forwardHeaders` of one execution. The provider sends them with the webhook. They hold a token that is made
 * with the secret and differs for each execution, so a token that leaks does not reveal the secret.
 *
 * **Example** (Asking for a webhook that can be trusted)
 *
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { Tela } from "canvas-runs"
 *
 * const secret = Redacted.make("a long random text")
 *
 * const start = (canvas: Tela.Canvas) =>
 *   Effect.flatMap(Tela.webhookHeaders(secret), (forwardHeaders) =>
 *     canvas.execute({}, { async: true, webhookUrl: "https://example.com/tela", forwardHeaders }))
 * ```
 *
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
  | { readonly get: (name: string) => string | null }
  | Readonly<Record<string, string | ReadonlyArray<string> | undefined>>

/**
 * Verifies a webhook and decodes what it says about the execution.
 *
 * **Gotchas**
 *
 * The token proves that the provider gave it to the sender. It proves nothing about the body, which may be about another execution or
 * forged: retrieve the execution before you act on it, as waits do.
 *
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
      return yield* invalid("mismatch", `The ${webhookHeader} header was made with another secret.`)
    }
    const json = parseJson(new TextDecoder().decode(yield* bytesOf(payload)))
    const snapshot = Option.isNone(json) ? Option.none() : yield* Effect.option(decodeExecution(json.value))
    // The hub keeps ids, so only an id is taken
    return Option.isSome(snapshot) && /^[\w.-]{1,200}$/.test(snapshot.value.id)
      ? snapshot.value
      : yield* invalid("body", "The sender is the right one, and the body is not an execution.")
  })

/**
 * A route that receives the webhooks of executions. It verifies each delivery, recognises duplicates, answers at once, and wakes the
 * waits for the execution.
 *
 * **Details**
 *
 * It answers 204 for a new delivery and for a duplicate, 400 for one without a valid token, 413 for a body over the limit, and 408
 * for a body that does not arrive within 30 seconds. `onEvent` runs after the response. If it fails, dies or throws, the route logs
 * that. The layer fails with a `ConfigError` if the secret or the limit cannot be used.
 *
 * A delivery makes the wait for its execution poll once, and is never the result itself. Only a delivery with the same token and
 * the same body is a duplicate, so a made-up one hides no genuine one.
 *
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
      `There is no ${webhookHeader} header. Was the execution given Tela.webhookHeaders?`
    )
  }
  const token = typeof header === "string" ? /^([0-9a-z]{1,60})\.([0-9a-f]{64})$/.exec(header) : null
  return token === null
    ? yield* invalid("malformed", `The ${webhookHeader} header is not what Tela.webhookHeaders makes.`)
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
