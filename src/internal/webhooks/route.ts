/** The route that receives the webhooks of a provider, and delivers them to the hub. */
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import type * as Headers from "effect/http/Headers"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpServerRespondable from "effect/http/HttpServerRespondable"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type * as Redacted from "effect/Redacted"
import { ConfigError, type WebhookSignatureError } from "../../RunError.ts"
import * as CallOptions from "../options.ts"
import * as Webhooks from "./hub.ts"
import { checkSecret } from "./proof.ts"

/** The options of the routes of both providers. */
export interface Options<Event, R> {
  /** The path of the route, such as `"/webhooks"`. */
  readonly path: HttpRouter.PathInput
  /** The secret that proves the webhooks: Spine's `whsec_…` of the endpoint, or the secret that `Tela.webhookHeaders` was given. */
  readonly secret: Redacted.Redacted<string>
  /**
   * The longest body, in bytes.
   *
   * @default 1 MiB for Spine, 16 MiB for Tela
   */
  readonly maxBodyBytes?: number | undefined
  /** Runs after the response, for each new delivery. Its services are those of the layer's context, and its failure is logged. */
  readonly onEvent?: ((event: Event) => Effect.Effect<unknown, unknown, R>) | undefined
}

/** The parts of a route that differ between providers. */
export interface Provider<O, Event> {
  /** The names of the options that only this provider has, and their check when the route is made. */
  readonly otherOptions: ReadonlyArray<keyof O & string>
  readonly check: (options: O) => Effect.Effect<unknown, ConfigError>
  readonly maxBodyBytes: number
  readonly verify: (options: O, body: Uint8Array, headers: Headers.Headers) => Effect.Effect<
    { readonly event: Event; readonly delivery: Webhooks.Delivery },
    WebhookSignatureError | ConfigError
  >
}

/** The result of `onEvent`. A JavaScript program may pass an async function, and its rejection must not end the process. */
const effectOf = <R>(returned: Effect.Effect<unknown, unknown, R>): Effect.Effect<unknown, unknown, R> =>
  Predicate.isPromiseLike(returned) ? Effect.promise(() => Promise.resolve(returned)) : returned

/** Providers send small bodies at once. A sender that stalls must not keep a fiber and a socket forever. */
const bodyTimeout = "30 seconds"

/** Checks the options, and adds the route of a provider. */
export const layer = <Event, R, O extends Options<Event, R>>(
  given: O & Options<Event, R>,
  provider: Provider<NoInfer<O>, Event>
): Layer.Layer<never, ConfigError, HttpRouter.HttpRouter | Webhooks.Webhooks | R> =>
  Layer.effectDiscard(
    Effect.gen(function*() {
      const options = yield* CallOptions.copyConfig("options", given, [...optionNames, ...provider.otherOptions], true)
      const { maxBodyBytes: limit = provider.maxBodyBytes, onEvent, path, secret } = options
      yield* CallOptions.checkGivenConfig("path", path, isPath, "the path of the route, such as \"/webhooks\"")
      yield* CallOptions.checkConfig("onEvent", onEvent, Predicate.isFunction, "a function")
      yield* CallOptions.checkConfig("maxBodyBytes", limit, CallOptions.isCount, "a whole number of bytes above zero")
      yield* checkSecret(secret)
      yield* provider.check(options)
      const router = yield* HttpRouter.HttpRouter
      const webhooks = yield* Webhooks.Webhooks
      const context = yield* Effect.context<R>()

      const receive = Effect.fnUntraced(function*(request: HttpServerRequest.HttpServerRequest) {
        const body = yield* Effect.result(Effect.timeoutOption(request.arrayBuffer, bodyTimeout))
        // 413 for one that is too long, 400 for one that broke off
        if (body._tag === "Failure") return yield* HttpServerRespondable.toResponse(body.failure)
        if (Option.isNone(body.success)) return HttpServerResponse.empty({ status: 408 })
        // A server of the program may ignore the limit
        if (body.success.value.byteLength > limit) return HttpServerResponse.empty({ status: 413 })
        const verified = yield* Effect.result(
          provider.verify(options, new Uint8Array(body.success.value), request.headers)
        )
        if (verified._tag === "Failure") {
          yield* Effect.logWarning(`canvas-runs: a webhook was rejected: ${verified.failure.message}`)
          return HttpServerResponse.empty({ status: 400 })
        }
        const { delivery, event } = verified.success
        const isNew = yield* Effect.orDie(webhooks.deliver(delivery))
        // The sender waits for the response, and must not wait for `onEvent`
        if (isNew && onEvent !== undefined) {
          yield* Effect.forkDetach(
            // Suspended, because `onEvent` may throw. The delivery is already recorded, so a second one would be a duplicate
            Effect.catchCause(
              Effect.provideContext(Effect.suspend(() => effectOf(onEvent(event))), context),
              (cause) => Effect.logError("canvas-runs: onEvent failed", cause)
            )
          )
        }
        return HttpServerResponse.empty()
      }, Effect.provideService(HttpServerRequest.MaxBodySize, ByteSize.bytes(limit)))

      yield* router.add("POST", path, receive)
    }).pipe(
      Effect.mapError((error) => new ConfigError({ ...error, message: `layerWebhookRoute: ${error.message}` }))
    )
  )

const optionNames: ReadonlyArray<keyof Options<unknown, unknown>> = ["path", "secret", "maxBodyBytes", "onEvent"]

const isPath = (path: unknown): boolean => typeof path === "string" && /^[/*]/.test(path)
