/** The route that receives webhooks, whoever sends them. */
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
import { ConfigError, type WebhookSignatureError } from "../RunError.ts"
import * as Webhooks from "../Webhooks.ts"
import { quote } from "./describe.ts"

export interface Options<Event, R> {
  readonly path: HttpRouter.PathInput
  readonly maxBodyBytes?: number | undefined
  /** Checks the options of the provider, when the route is made. */
  readonly check: Effect.Effect<unknown, ConfigError>
  readonly verify: (
    body: Uint8Array,
    headers: Headers.Headers
  ) => Effect.Effect<
    { readonly event: Event; readonly delivery: Webhooks.Delivery },
    WebhookSignatureError | ConfigError
  >
  readonly onEvent?: ((event: Event) => Effect.Effect<unknown, unknown, R>) | undefined
}

/** What `onEvent` returned, which a program in JavaScript may have made an async function. Its rejection must not end the process. */
const effectOf = <R>(returned: Effect.Effect<unknown, unknown, R>): Effect.Effect<unknown, unknown, R> =>
  Predicate.isPromiseLike(returned) ? Effect.promise(() => Promise.resolve(returned)) : returned

const defaultMaxBodyBytes = 1024 * 1024

/** Providers send small bodies at once. A sender that stalls must not keep a fiber and a socket for ever. */
const bodyTimeout = "30 seconds"

export const layer = <Event, R>(
  options: Options<Event, R>
): Layer.Layer<never, ConfigError, HttpRouter.HttpRouter | Webhooks.Webhooks | R> =>
  Layer.effectDiscard(Effect.gen(function*() {
    yield* options.check
    const router = yield* HttpRouter.HttpRouter
    const webhooks = yield* Webhooks.Webhooks
    const context = yield* Effect.context<R>()
    const limit = options.maxBodyBytes ?? defaultMaxBodyBytes
    if (!Number.isSafeInteger(limit) || limit <= 0) {
      return yield* new ConfigError({
        message: `maxBodyBytes is ${quote(limit)}; it must be a whole number of bytes above zero.`,
        option: "maxBodyBytes"
      })
    }

    const receive = Effect.fnUntraced(function*(request: HttpServerRequest.HttpServerRequest) {
      const body = yield* Effect.result(Effect.timeoutOption(request.arrayBuffer, bodyTimeout))
      // 413 for one that is too long, 400 for one that broke off
      if (body._tag === "Failure") return yield* HttpServerRespondable.toResponse(body.failure)
      if (Option.isNone(body.success)) return HttpServerResponse.empty({ status: 408 })
      // A server of the program's own may not keep the limit
      if (body.success.value.byteLength > limit) return HttpServerResponse.empty({ status: 413 })
      const verified = yield* Effect.result(options.verify(new Uint8Array(body.success.value), request.headers))
      if (verified._tag === "Failure") {
        yield* Effect.logWarning(`canvas-runs: a webhook was refused: ${verified.failure.message}`)
        return HttpServerResponse.empty({ status: 400 })
      }
      const { delivery, event } = verified.success
      const isNew = yield* webhooks.deliver(delivery)
      const { onEvent } = options
      // The sender waits for the response, and must not wait for what is done with the event
      if (isNew && onEvent !== undefined) {
        yield* Effect.forkDetach(
          // Suspended, as it may throw. The delivery counts as taken by now, and a repetition as a duplicate
          Effect.catchCause(
            Effect.provideContext(Effect.suspend(() => effectOf(onEvent(event))), context),
            (cause) => Effect.logError("canvas-runs: onEvent failed", cause)
          )
        )
      }
      return HttpServerResponse.empty()
    }, Effect.provideService(HttpServerRequest.MaxBodySize, ByteSize.bytes(limit)))

    yield* router.add("POST", options.path, receive)
  }))
