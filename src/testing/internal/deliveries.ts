/** Sends webhooks, for every provider. */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as WebhookDelivery from "../WebhookDelivery.ts"
import * as rude from "./rude/deliveries.ts"
import type { Has } from "./rude/json.ts"
import * as Check from "./check.ts"

/** A webhook to be sent. */
export interface Call extends
  Pick<
    WebhookDelivery.Delivery,
    "id" | "event" | "webhookId" | "subjectId" | "url" | "headers" | "body"
  >
{
  /** Makes the headers of each attempt from its body. */
  readonly sign?: ((body: string) => Effect.Effect<Readonly<Record<string, string>>>) | undefined
}

export interface Options {
  /** @default a client on `fetch` */
  readonly client: HttpClient.HttpClient | undefined
  /** @default this machine */
  readonly hosts: ReadonlyArray<string> | undefined
  /** The pause before each further attempt. */
  readonly pauses: ReadonlyArray<Duration.Input>
  readonly script: WebhookDelivery.Script | undefined
  readonly has: Has
  readonly scope: Scope.Scope
  readonly now: Effect.Effect<number>
  /** Waits for a time of the emulator's clock. */
  readonly until: (at: number) => Effect.Effect<void>
}

export interface Deliveries {
  readonly all: Effect.Effect<ReadonlyArray<WebhookDelivery.Delivery>>
  readonly setScript: (script: WebhookDelivery.Script) => Effect.Effect<void>
  /** Sends a webhook in the background. */
  readonly send: (call: Call) => Effect.Effect<void>
  /** Sends one request and returns the status of the response. `undefined`: no response, or a host that is not allowed. */
  readonly sendOnce: (call: Pick<Call, "url" | "headers" | "body">) => Effect.Effect<number | undefined>
}

const loopback = ["127.0.0.1", "localhost", "[::1]"]

/** How long to wait for a response. */
const patience = Duration.seconds(10)

export const make = Effect.fnUntraced(function*(
  options: Options
): Effect.fn.Return<Deliveries, never, Scope.Scope> {
  const client = options.client ?? (yield* fetchClient)
  const hosts = options.hosts ?? loopback
  const pauses = options.pauses.map((pause) => Duration.toMillis(pause))
  const deliveries: Array<Recorded> = []
  let script = rude.script(options.has, options.script)

  const isAllowed = (url: string): boolean => URL.canParse(url) && hosts.includes(new URL(url).hostname)

  const post = (url: string, headers: Readonly<Record<string, string>>, body: string) =>
    HttpClientRequest.post(url).pipe(
      HttpClientRequest.setHeaders(headers),
      HttpClientRequest.bodyText(body, "application/json"),
      client.execute,
      Effect.map((response): number | undefined => response.status),
      Effect.timeout(patience),
      Effect.orElseSucceed(() => undefined)
    )

  /** Repeats until a response is a success, and returns whether one was. */
  const attempt = Effect.fnUntraced(function*(delivery: Recorded, call: Call, unanswered: number) {
    const body = JSON.stringify(call.body)
    for (let tries = 1;; tries++) {
      if (call.sign !== undefined) delivery.headers = { ...call.headers, ...(yield* call.sign(body)) }
      delivery.attempts++
      const sent = post(call.url, delivery.headers, body)
      delivery.statusCode = yield* tries > unanswered
        ? sent
        : Effect.as(Effect.all([sent, Effect.sleep(patience)], { concurrency: "unbounded" }), undefined)
      if (isSuccess(delivery.statusCode)) return true
      const pause = pauses[tries - 1]
      if (pause === undefined) return false
      yield* options.until((yield* options.now) + pause)
    }
  })

  const send = Effect.fnUntraced(function*(call: Call) {
    const { event, subjectId, url } = call
    const createdAt = yield* options.now
    const due = { event, subjectId, url, index: deliveries.length }
    const mishap = (typeof script === "function" ? script(due) : script) ?? {}
    const { sign: _, ...recorded } = call
    const delivery: Recorded = {
      ...recorded,
      createdAt,
      status: !isAllowed(url) ? "refused" : mishap.lost === true ? "lost" : "pending",
      statusCode: undefined,
      attempts: 0
    }
    deliveries.push(delivery)
    if (delivery.status !== "pending") return
    const copies = mishap.copies ?? 1
    let left = copies
    for (let copy = 0; copy < copies; copy++) {
      const at = createdAt + Duration.toMillis(mishap.delay ?? 0) + copy * Duration.toMillis(mishap.gap ?? 0)
      const copied = Effect.map(attempt(delivery, call, mishap.unanswered ?? 0), (isDelivered) => {
        left--
        if (isDelivered) delivery.status = "delivered"
        else if (left === 0 && delivery.status === "pending") delivery.status = "failed"
      })
      yield* Effect.forkIn(Effect.andThen(options.until(at), copied), options.scope)
    }
  })

  return {
    all: Effect.sync(() => deliveries.map(snapshot)),
    setScript: (next) =>
      Effect.sync(() => {
        Check.kind("script", next, isScript, "an object, or a function that returns one")
        script = rude.script(options.has, next)
      }),
    send,
    sendOnce: ({ body, headers, url }) => isAllowed(url) ? post(url, headers, JSON.stringify(body)) : Effect.undefined
  }
})

export const isSuccess = (status: number | undefined): boolean => status !== undefined && status >= 200 && status < 300

const snapshot = (delivery: Recorded): WebhookDelivery.Delivery => ({ ...delivery })

type Recorded = { -readonly [K in keyof WebhookDelivery.Delivery]: WebhookDelivery.Delivery[K] }

// No redirects: a webhook goes only to its own URL.
const fetchClient: Effect.Effect<HttpClient.HttpClient, never, Scope.Scope> = Effect.map(
  Layer.build(
    Layer.provide(FetchHttpClient.layer, Layer.succeed(FetchHttpClient.RequestInit, { redirect: "manual" }))
  ),
  Context.get(HttpClient.HttpClient)
)

const isScript = (script: unknown): boolean => Predicate.isObject(script) || Predicate.isFunction(script)
