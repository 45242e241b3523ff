/**
 * Failures between a client and a provider, as plain data that an emulator plays.
 *
 * A fault has an action: another response, a late one, none at all, or a connection that breaks before, after or inside the
 * response. {@link on}, {@link skip} and {@link times} select the requests that it applies to. Without them it applies once, to
 * the next request. Faults are given to the `fault` function of an emulator. A count, a status or a delay that is not possible
 * throws a `RangeError`.
 *
 * **When to use**
 *
 * A fault is for what goes wrong. For what real servers may do, such as compressed responses and unknown fields, use `Rude`. For
 * webhooks that get lost or are late, use `WebhookDelivery`.
 *
 * **Example** (Two faults for one run)
 *
 * ```ts
 * import { Fault } from "canvas-runs/testing"
 *
 * const faults = [
 *   // The run starts, and its id is lost
 *   Fault.dropAfter.pipe(Fault.on("POST", "/v1/run")),
 *   // The third and the fourth poll are rejected with a time to wait
 *   Fault.status(429, { headers: { "retry-after": "20" } }).pipe(
 *     Fault.on("GET", /^\/v1\/run\//),
 *     Fault.skip(2),
 *     Fault.times(2)
 *   )
 * ]
 *
 * faults.map((fault) => fault.action._tag) // => ["HandleThenDrop", "Respond"]
 * ```
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import { dual } from "effect/Function"
import { type Pipeable, Prototype as PipeablePrototype } from "effect/Pipeable"
import * as Check from "./internal/check.ts"
import * as Predicate from "effect/Predicate"

/**
 * A response that replaces the provider's.
 *
 * @category models
 * @since 0.1.0
 */
export interface Answer {
  /** The HTTP status, from 200 to 599. */
  readonly status: number
  /** The headers, besides those of the body. */
  readonly headers: Readonly<Record<string, string>>
  /** The body. `undefined`: the body that the provider sends with this status. */
  readonly body: {
    /** The text or the bytes. */
    readonly content: string | Uint8Array
    /** The media type. */
    readonly contentType: string
  } | undefined
}

/**
 * What a fault does with a request.
 *
 * **Details**
 *
 * | action | made by | the request is handled | the client gets |
 * | --- | --- | --- | --- |
 * | `Handle` | {@link delay} | yes, after the delay | the response |
 * | `HandleThenWait` | {@link answerLate} | yes, at once | the response, late |
 * | `Respond` | {@link status}, {@link html}, {@link empty} | no | another response |
 * | `HandleThenRespond` | {@link handleThenStatus} | yes | another response |
 * | `HandleThenTruncate` | {@link truncate} | yes | the first bytes of the response, as if they were all |
 * | `Hang` | {@link hang} | no | no response |
 * | `Drop` | {@link drop} | no | a broken connection |
 * | `HandleThenDrop` | {@link dropAfter} | yes | a broken connection |
 * | `DropInside` | {@link dropInside} | yes | status, headers, the first bytes of the body, then a broken connection |
 *
 * @category models
 * @since 0.1.0
 */
export type Action =
  | { readonly _tag: "Handle" }
  | {
    readonly _tag: "HandleThenWait"
    /** The time until the response is sent, in milliseconds of the program's clock. */
    readonly millis: number
  }
  | {
    readonly _tag: "Respond"
    /** The response. */
    readonly answer: Answer
  }
  | {
    readonly _tag: "HandleThenRespond"
    /** The response. */
    readonly answer: Answer
  }
  | {
    readonly _tag: "HandleThenTruncate"
    /** The number of bytes of the body that are sent. */
    readonly bytes: number
  }
  | { readonly _tag: "Hang" }
  | { readonly _tag: "Drop" }
  | { readonly _tag: "HandleThenDrop" }
  | {
    readonly _tag: "DropInside"
    /** The number of bytes of the body that are sent. */
    readonly bytes: number
  }

/**
 * A failure, and the requests that it applies to.
 *
 * @category models
 * @since 0.1.0
 */
export interface Fault extends Pipeable {
  /** The method of the requests, in upper case. `undefined`: every method. */
  readonly method: string | undefined
  /** A prefix of the path, or a pattern in it. `undefined`: every path. */
  readonly path: string | RegExp | undefined
  /** How many matching requests it leaves alone first. */
  readonly skip: number
  /** How many matching requests it applies to after that. */
  readonly times: number
  /** How long the request waits before the action, in milliseconds of the program's clock. */
  readonly delayMillis: number
  /** What happens to the request. */
  readonly action: Action
}

const make = (action: Action): Fault => ({
  ...PipeablePrototype,
  method: undefined,
  path: undefined,
  skip: 0,
  times: 1,
  delayMillis: 0,
  action
})

/**
 * Options of a response that replaces the provider's.
 *
 * @category options
 * @since 0.1.0
 */
export interface AnswerOptions {
  /**
   * The body: text and bytes are sent unchanged, any other value as JSON.
   *
   * @default the body that the provider sends with this status
   */
  readonly body?: unknown
  /**
   * The media type of the body.
   *
   * @default "text/plain" for text, "application/octet-stream" for bytes, "application/json" otherwise
   */
  readonly contentType?: string | undefined
  /**
   * Headers of the response, such as `retry-after`.
   *
   * @default {}
   */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

const answer = (status: number, given?: AnswerOptions): Answer => {
  const options = Check.options(given, { body: true, contentType: true, headers: true })
  return answerOf(status, options)
}

const answerOf = (status: number, options: AnswerOptions): Answer => ({
  status: Check.status("the status of a fault", status),
  headers: options.headers ?? {},
  body: "body" in options && options.body !== undefined
    ? typeof options.body === "string"
      ? { content: options.body, contentType: options.contentType ?? "text/plain" }
      : options.body instanceof Uint8Array
      ? { content: options.body, contentType: options.contentType ?? "application/octet-stream" }
      : { content: JSON.stringify(options.body), contentType: options.contentType ?? "application/json" }
    : undefined
})

/**
 * Responds with a status, without handling the request.
 *
 * **Example** (An overloaded provider)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { Spine } from "canvas-runs"
 * import { Fault, SpineEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const { runs } = yield* Spine.SpineClient
 *   const emulator = yield* SpineEmulator.SpineEmulator
 *   yield* emulator.fault(Fault.status(429, { headers: { "retry-after": "20" } }))
 *   const error = yield* Effect.flip(runs.create({ prompt: "Tides" }))
 *   console.log(error._tag, (yield* emulator.runs).length) // => RateLimitError 0
 * }).pipe(
 *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
 *     Layer.provideMerge(SpineEmulator.layerTest())
 *   ))
 * )
 * await Effect.runPromise(main)
 * ```
 *
 * @see {@link handleThenStatus} to handle the request first
 * @category constructors
 * @since 0.1.0
 */
export const status = (status: number, options?: AnswerOptions): Fault =>
  make({ _tag: "Respond", answer: answer(status, options) })

/**
 * Responds with a page of HTML, like a login page or the error page of a proxy, without handling the request. The default status
 * is 200.
 *
 * **Example** (A proxy in between)
 *
 * ```ts
 * import { Effect, Layer, Redacted, Schedule } from "effect"
 * import { Spine } from "canvas-runs"
 * import { Fault, SpineEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const { runs } = yield* Spine.SpineClient
 *   const emulator = yield* SpineEmulator.SpineEmulator
 *   const created = yield* runs.create({ prompt: "Tides" })
 *   yield* emulator.fault(Fault.html("<h1>Log in</h1>"))
 *   const error = yield* Effect.flip(runs.retrieve(created))
 *   console.log(error._tag) // => "InvalidResponseError"
 * }).pipe(
 *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test"), retry: Schedule.recurs(0) }).pipe(
 *     Layer.provideMerge(SpineEmulator.layerTest())
 *   ))
 * )
 * await Effect.runPromise(main)
 * ```
 *
 * @see {@link status} for any other body
 * @category constructors
 * @since 0.1.0
 */
export const html = (page: string, status = 200): Fault =>
  make({
    _tag: "Respond",
    answer: answer(status, {
      body: Check.kind("the page of a fault", page, Predicate.isString, "text"),
      contentType: "text/html; charset=utf-8"
    })
  })

/**
 * Responds with an empty body, without handling the request. The default status is 200.
 *
 * **Example** (A success without a body)
 *
 * ```ts
 * import { Effect, Layer, Redacted, Schedule } from "effect"
 * import { Spine } from "canvas-runs"
 * import { Fault, SpineEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const { runs } = yield* Spine.SpineClient
 *   const emulator = yield* SpineEmulator.SpineEmulator
 *   const created = yield* runs.create({ prompt: "Tides" })
 *   yield* emulator.fault(Fault.empty())
 *   const error = yield* Effect.flip(runs.retrieve(created))
 *   console.log(error._tag) // => "InvalidResponseError"
 * }).pipe(
 *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test"), retry: Schedule.recurs(0) }).pipe(
 *     Layer.provideMerge(SpineEmulator.layerTest())
 *   ))
 * )
 * await Effect.runPromise(main)
 * ```
 * @category constructors
 * @since 0.1.0
 */
export const empty = (status = 200): Fault =>
  make({ _tag: "Respond", answer: answer(status, { body: "", contentType: "application/json" }) })

/**
 * Handles the request, then responds with another status: the provider did the work, and the client learns the opposite.
 *
 * **Example** (A run that exists in spite of an error)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { Spine } from "canvas-runs"
 * import { Fault, SpineEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const { runs } = yield* Spine.SpineClient
 *   const emulator = yield* SpineEmulator.SpineEmulator
 *   yield* emulator.fault(Fault.handleThenStatus(502))
 *   const error = yield* Effect.flip(runs.create({ prompt: "Tides" }))
 *   console.log(error._tag, (yield* emulator.runs).length) // => CreateOutcomeUnknownError 1
 * }).pipe(
 *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
 *     Layer.provideMerge(SpineEmulator.layerTest())
 *   ))
 * )
 * await Effect.runPromise(main)
 * ```
 *
 * @see {@link status} to leave the request unhandled
 * @see {@link dropAfter} for no response at all
 * @category constructors
 * @since 0.1.0
 */
export const handleThenStatus = (status: number, options?: AnswerOptions): Fault =>
  make({ _tag: "HandleThenRespond", answer: answer(status, options) })

/**
 * Handles the request, and sends only the first bytes of the response, with their `content-length`: JSON that ends too early.
 *
 * **Example** (Half a response)
 *
 * ```ts
 * import { Effect, Layer, Redacted, Schedule } from "effect"
 * import { Spine } from "canvas-runs"
 * import { Fault, SpineEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const { runs } = yield* Spine.SpineClient
 *   const emulator = yield* SpineEmulator.SpineEmulator
 *   const created = yield* runs.create({ prompt: "Tides" })
 *   yield* emulator.fault(Fault.truncate(20))
 *   const error = yield* Effect.flip(runs.retrieve(created))
 *   console.log(error._tag) // => "InvalidResponseError"
 * }).pipe(
 *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test"), retry: Schedule.recurs(0) }).pipe(
 *     Layer.provideMerge(SpineEmulator.layerTest())
 *   ))
 * )
 * await Effect.runPromise(main)
 * ```
 *
 * @see {@link dropInside} for a connection that breaks there
 * @category constructors
 * @since 0.1.0
 */
export const truncate = (bytes: number): Fault =>
  make({ _tag: "HandleThenTruncate", bytes: Check.count("the number of bytes of a fault", bytes) })

/**
 * Accepts the request and never responds.
 *
 * @see {@link answerLate} for a response after a time
 * @category constructors
 * @since 0.1.0
 */
export const hang: Fault = make({ _tag: "Hang" })

/**
 * Breaks the connection before the request is handled.
 *
 * @see {@link dropAfter} to handle the request first
 * @category constructors
 * @since 0.1.0
 */
export const drop: Fault = make({ _tag: "Drop" })

/**
 * Handles the request, then breaks the connection without a response: a client that creates something with the request cannot
 * know that it exists.
 *
 * @see {@link drop} to leave the request unhandled
 * @see {@link dropInside} to break the connection inside the response
 * @category constructors
 * @since 0.1.0
 */
export const dropAfter: Fault = make({ _tag: "HandleThenDrop" })

/**
 * Handles the request, and breaks the connection after that many bytes of the body. The `content-length` is larger than that.
 *
 * **Example** (A download that is interrupted once)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { Spine } from "canvas-runs"
 * import { Fault, SpineEmulator, Timeline } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const { runs } = yield* Spine.SpineClient
 *   const emulator = yield* SpineEmulator.SpineEmulator
 *   const { artifacts } = yield* Spine.SpineClient
 *   yield* emulator.script({ timeline: Timeline.make({ duration: 0 }), artifacts: [{ name: "a.txt", content: "a,b\n1,2" }] })
 *   const run = yield* runs.run({ prompt: "Tides" })
 *   yield* emulator.fault(Fault.dropInside(3))
 *   const bytes = yield* artifacts.download(run, run.result.artifacts[0]!)
 *   console.log(bytes.length, (yield* emulator.requests).length) // => 7 4
 * }).pipe(
 *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
 *     Layer.provideMerge(SpineEmulator.layerTest())
 *   ))
 * )
 * await Effect.runPromise(main)
 * ```
 *
 * @see {@link truncate} for a short response that looks whole
 * @category constructors
 * @since 0.1.0
 */
export const dropInside = (bytes: number): Fault =>
  make({ _tag: "DropInside", bytes: Check.count("the number of bytes of a fault", bytes) })

/**
 * Waits for a time of the program's clock, then handles the request.
 *
 * **Example** (A slow network)
 *
 * ```ts
 * import { Fault } from "canvas-runs/testing"
 *
 * const slow = Fault.delay("5 seconds").pipe(Fault.on("GET"), Fault.times(Infinity))
 *
 * slow.delayMillis // => 5000
 * ```
 *
 * @see {@link answerLate} to handle the request before the delay
 * @see {@link after} to delay another fault
 * @category constructors
 * @since 0.1.0
 */
export const delay = (duration: Duration.Input): Fault => after(make({ _tag: "Handle" }), duration)

/**
 * Handles the request at once, and sends the response after a time of the program's clock: a client that stops waiting cannot
 * know that the work was done.
 *
 * **Example** (A create whose response comes too late)
 *
 * ```ts
 * import { Effect, Fiber, Layer, Redacted } from "effect"
 * import { TestClock } from "effect/testing"
 * import { Spine } from "canvas-runs"
 * import { Fault, SpineEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const { runs } = yield* Spine.SpineClient
 *   const emulator = yield* SpineEmulator.SpineEmulator
 *   yield* emulator.fault(Fault.answerLate("2 minutes"))
 *   const create = yield* Effect.forkChild(Effect.flip(runs.create({ prompt: "Tides" })))
 *   yield* TestClock.adjust("60 seconds")
 *   console.log((yield* Fiber.join(create))._tag, (yield* emulator.runs).length) // => CreateOutcomeUnknownError 1
 * }).pipe(
 *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
 *     Layer.provideMerge([SpineEmulator.layerTest(), TestClock.layer()])
 *   ))
 * )
 * await Effect.runPromise(main)
 * ```
 *
 * @see {@link delay} to handle the request after the delay
 * @category constructors
 * @since 0.1.0
 */
export const answerLate = (duration: Duration.Input): Fault =>
  make({ _tag: "HandleThenWait", millis: Check.millis("the delay of a fault", duration) })

/**
 * Limits a fault to requests with that method (`"*"` for any) and that path: a prefix, or a pattern. Without a path, any path
 * matches.
 *
 * **Example** (Polls only)
 *
 * ```ts
 * import { Fault } from "canvas-runs/testing"
 *
 * const fault = Fault.drop.pipe(Fault.on("GET", /^\/v1\/run\//))
 *
 * Fault.matches(fault, { method: "GET", path: "/v1/run/42" }) // => true
 * Fault.matches(fault, { method: "POST", path: "/v1/run" }) // => false
 * ```
 *
 * @see {@link skip} and {@link times} to count requests
 * @category combinators
 * @since 0.1.0
 */
export const on: {
  /** Limits a fault to requests with that method (`"*"` for any) and that path: a prefix, or a pattern. For `pipe`. */
  (method: string, path?: string | RegExp): (self: Fault) => Fault
  /** Limits a fault to requests with that method (`"*"` for any) and that path: a prefix, or a pattern. */
  (self: Fault, method: string, path?: string | RegExp): Fault
} = dual(
  (args) => typeof args[0] !== "string",
  (self: Fault, method: string, path?: string | RegExp): Fault => ({
    ...Check.fault(self),
    method: method === "*" ? undefined : Check.oneOf("the method of a fault", String(method).toUpperCase(), methods),
    path
  })
)

/**
 * Leaves the first `count` matching requests alone.
 *
 * **Example** (The second poll)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { Spine } from "canvas-runs"
 * import { Fault, SpineEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const { runs } = yield* Spine.SpineClient
 *   const emulator = yield* SpineEmulator.SpineEmulator
 *   const created = yield* runs.create({ prompt: "Tides" })
 *   yield* emulator.fault(Fault.status(404).pipe(Fault.on("GET"), Fault.skip(1)))
 *   console.log((yield* runs.retrieve(created)).status) // => "running"
 *   console.log((yield* Effect.flip(runs.retrieve(created)))._tag) // => "NotFoundError"
 * }).pipe(
 *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
 *     Layer.provideMerge(SpineEmulator.layerTest())
 *   ))
 * )
 * await Effect.runPromise(main)
 * ```
 * @category combinators
 * @since 0.1.0
 */
export const skip: {
  /** Leaves the first `count` matching requests alone. For `pipe`. */
  (count: number): (self: Fault) => Fault
  /** Leaves the first `count` matching requests alone. */
  (self: Fault, count: number): Fault
} = dual(2, (self: Fault, count: number): Fault => ({
  ...Check.fault(self),
  skip: Check.countOrAll("skip of a fault", count)
}))

/**
 * Applies a fault to `count` requests instead of one. `Infinity` means all of them.
 *
 * **Example** (An outage that a retry survives)
 *
 * ```ts
 * import { Effect, Layer, Redacted, Schedule } from "effect"
 * import { Spine } from "canvas-runs"
 * import { Fault, SpineEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const { runs } = yield* Spine.SpineClient
 *   const emulator = yield* SpineEmulator.SpineEmulator
 *   const created = yield* runs.create({ prompt: "Tides" })
 *   yield* emulator.fault(Fault.status(503).pipe(Fault.times(2)))
 *   console.log((yield* runs.retrieve(created)).status) // => "running"
 * }).pipe(
 *   Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test"), retry: Schedule.recurs(2) }).pipe(
 *     Layer.provideMerge(SpineEmulator.layerTest())
 *   ))
 * )
 * await Effect.runPromise(main)
 * ```
 * @category combinators
 * @since 0.1.0
 */
export const times: {
  /** Applies a fault to `count` requests; `Infinity` for all of them. For `pipe`. */
  (count: number): (self: Fault) => Fault
  /** Applies a fault to `count` requests; `Infinity` for all of them. */
  (self: Fault, count: number): Fault
} = dual(2, (self: Fault, count: number): Fault => ({
  ...Check.fault(self),
  times: Check.countOrAll("times of a fault", count)
}))

/**
 * Waits for a time of the program's clock before the action of a fault.
 *
 * **Example** (A connection that breaks after a minute)
 *
 * ```ts
 * import { Fault } from "canvas-runs/testing"
 *
 * const fault = Fault.drop.pipe(Fault.after("1 minute"))
 *
 * fault.delayMillis // => 60000
 * fault.action._tag // => "Drop"
 * ```
 *
 * @see {@link delay} for a delay alone
 * @category combinators
 * @since 0.1.0
 */
export const after: {
  /** Waits for `duration` of the program's clock before the action of a fault. For `pipe`. */
  (duration: Duration.Input): (self: Fault) => Fault
  /** Waits for `duration` of the program's clock before the action of a fault. */
  (self: Fault, duration: Duration.Input): Fault
} = dual(2, (self: Fault, duration: Duration.Input): Fault => ({
  ...Check.fault(self),
  delayMillis: Check.millis("the delay of a fault", duration)
}))

/**
 * Returns whether the method and the path of a request match a fault. `skip` and `times` do not count.
 *
 * **Example** (A prefix)
 *
 * ```ts
 * import { Fault } from "canvas-runs/testing"
 *
 * const fault = Fault.hang.pipe(Fault.on("*", "/v1/canvas"))
 *
 * Fault.matches(fault, { method: "GET", path: "/v1/canvas/42/dag" }) // => true
 * ```
 * @category predicates
 * @since 0.1.0
 */
export const matches = (
  self: Fault,
  request: {
    /** The method, in upper case. */
    readonly method: string
    /** The path, without the query. */
    readonly path: string
  }
): boolean => {
  Check.kind("request", request, isRequest, "an object such as { method: \"GET\", path: \"/v1/run/1\" }")
  return matchesRequest(Check.fault(self), request)
}

const matchesRequest = (self: Fault, request: { readonly method: string; readonly path: string }): boolean =>
  (self.method === undefined || self.method === request.method) &&
  (self.path === undefined ||
    (typeof self.path === "string" ? request.path.startsWith(self.path) : request.path.search(self.path) >= 0))

const methods: ReadonlyArray<string> = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]

const isRequest = (value: unknown): boolean => {
  const { method, path } = value as { readonly method: unknown; readonly path: unknown }
  return Predicate.isString(method) && Predicate.isString(path)
}
