/**
 * What goes wrong between a client and a provider, as plain data that an emulator acts out.
 *
 * A fault says for which requests it happens ({@link on}, {@link skip}, {@link times}) and what happens: another
 * answer, a late one, none at all, or a connection that breaks before, after or inside the answer. Without further
 * words a fault happens once, to the next request. A count, a status or a delay that means nothing throws a `RangeError`.
 *
 * **Example** (Two faults for one run)
 *
 * ```ts
 * import { Fault } from "canvas-runs/testing"
 *
 * const faults = [
 *   // The run starts, and its id is lost.
 *   Fault.dropAfter.pipe(Fault.on("POST", "/v1/run")),
 *   // The third and the fourth poll are told to slow down.
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
 * An answer that replaces the provider's.
 *
 * **Details**
 *
 * Without a `body` the emulator sends what its provider sends with that status.
 *
 * @category models
 * @since 0.1.0
 */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: { readonly content: string | Uint8Array; readonly contentType: string } | undefined
}

/**
 * What happens to a request.
 *
 * **Details**
 *
 * | action | the request is handled | the client gets |
 * | --- | --- | --- |
 * | `Handle` | yes | the answer |
 * | `HandleThenWait` | yes, at once | the answer, late |
 * | `Respond` | no | another answer |
 * | `HandleThenRespond` | yes | another answer |
 * | `HandleThenTruncate` | yes | the first bytes of the answer, as if they were all |
 * | `Hang` | no | nothing, ever |
 * | `Drop` | no | a broken connection |
 * | `HandleThenDrop` | yes | a broken connection |
 * | `DropInside` | yes | status, headers, the first bytes of the body, then a broken connection |
 *
 * @category models
 * @since 0.1.0
 */
export type Action =
  | { readonly _tag: "Handle" }
  | { readonly _tag: "HandleThenWait"; readonly millis: number }
  | { readonly _tag: "Respond"; readonly answer: Answer }
  | { readonly _tag: "HandleThenRespond"; readonly answer: Answer }
  | { readonly _tag: "HandleThenTruncate"; readonly bytes: number }
  | { readonly _tag: "Hang" }
  | { readonly _tag: "Drop" }
  | { readonly _tag: "HandleThenDrop" }
  | { readonly _tag: "DropInside"; readonly bytes: number }

/**
 * Something that goes wrong, and for which requests.
 *
 * @category models
 * @since 0.1.0
 */
export interface Fault extends Pipeable {
  /** Every method, if absent. */
  readonly method: string | undefined
  /** A prefix of the path, or a pattern in it. Every path, if absent. */
  readonly path: string | RegExp | undefined
  /** How many matching requests are spared first. */
  readonly skip: number
  /** How many matching requests are hit after that. */
  readonly times: number
  /** How long the request is held up before anything else happens. */
  readonly delayMillis: number
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
 * What to send instead of the provider's own answer: text and bytes as they are, any other value as JSON.
 *
 * @category options
 * @since 0.1.0
 */
export interface AnswerOptions {
  readonly body?: unknown
  /** @default "application/json", or "text/plain" for a text and "application/octet-stream" for bytes */
  readonly contentType?: string | undefined
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
 * Answers with a status instead of handling the request.
 *
 * **Example** (A provider that is overloaded)
 *
 * ```ts
 * import { Fault } from "canvas-runs/testing"
 *
 * const overloaded = Fault.status(503, { body: { success: false, error: "try again" } }).pipe(Fault.times(3))
 *
 * overloaded.times // => 3
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const status = (status: number, options?: AnswerOptions): Fault =>
  make({ _tag: "Respond", answer: answer(status, options) })

/**
 * Answers with an HTML page instead of handling the request, like a login wall or a proxy's error page.
 *
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
 * Answers with no body at all instead of handling the request.
 *
 * @category constructors
 * @since 0.1.0
 */
export const empty = (status = 200): Fault =>
  make({ _tag: "Respond", answer: answer(status, { body: "", contentType: "application/json" }) })

/**
 * Handles the request, then answers with another status: the work is done and the client is told otherwise.
 *
 * @category constructors
 * @since 0.1.0
 */
export const handleThenStatus = (status: number, options?: AnswerOptions): Fault =>
  make({ _tag: "HandleThenRespond", answer: answer(status, options) })

/**
 * Handles the request and sends only the first bytes of the answer, with a `content-length` that agrees with them:
 * JSON that ends too early.
 *
 * @category constructors
 * @since 0.1.0
 */
export const truncate = (bytes: number): Fault =>
  make({ _tag: "HandleThenTruncate", bytes: Check.count("the number of bytes of a fault", bytes) })

/**
 * Accepts the request and never answers.
 *
 * @category constructors
 * @since 0.1.0
 */
export const hang: Fault = make({ _tag: "Hang" })

/**
 * Breaks the connection before the request is handled.
 *
 * @category constructors
 * @since 0.1.0
 */
export const drop: Fault = make({ _tag: "Drop" })

/**
 * Handles the request, then breaks the connection instead of answering: a caller that creates something with that request
 * cannot know that it exists.
 *
 * @category constructors
 * @since 0.1.0
 */
export const dropAfter: Fault = make({ _tag: "HandleThenDrop" })

/**
 * Handles the request and breaks the connection after that many bytes of the answer's body.
 *
 * **Details**
 *
 * The `content-length` sent is always larger than what arrives.
 *
 * @category constructors
 * @since 0.1.0
 */
export const dropInside = (bytes: number): Fault =>
  make({ _tag: "DropInside", bytes: Check.count("the number of bytes of a fault", bytes) })

/**
 * Holds the request up for a time of the program's clock, and handles it then.
 *
 * @category constructors
 * @since 0.1.0
 */
export const delay = (duration: Duration.Input): Fault => after(make({ _tag: "Handle" }), duration)

/**
 * Handles the request at once, and sends the answer after a time of the program's clock: a caller that gives up waiting cannot
 * know that the work was done.
 *
 * @category constructors
 * @since 0.1.0
 */
export const answerLate = (duration: Duration.Input): Fault =>
  make({ _tag: "HandleThenWait", millis: Check.millis("the delay of a fault", duration) })

/**
 * Lets a fault happen only to requests with that method (`"*"` for any) and that path: a prefix, or a pattern.
 *
 * @category combinators
 * @since 0.1.0
 */
export const on: {
  /** Limits a fault to requests with that method (`"*"` for any) and that path: a prefix, or a pattern. */
  (method: string, path?: string | RegExp): (self: Fault) => Fault
  /** Limits a fault to requests with that method (`"*"` for any) and that path: a prefix, or a pattern. */
  (self: Fault, method: string, path?: string | RegExp): Fault
} = dual(
  (args) => typeof args[0] !== "string",
  (self: Fault, method: string, path?: string | RegExp): Fault => ({
    ...checked(self),
    method: method === "*" ? undefined : Check.oneOf("the method of a fault", String(method).toUpperCase(), methods),
    path
  })
)

/**
 * Spares the first requests that match.
 *
 * @category combinators
 * @since 0.1.0
 */
export const skip: {
  /** Spares the first `count` requests that match. */
  (count: number): (self: Fault) => Fault
  /** Spares the first `count` requests that match. */
  (self: Fault, count: number): Fault
} = dual(2, (self: Fault, count: number): Fault => ({
  ...checked(self),
  skip: Check.countOrAll("skip of a fault", count)
}))

/**
 * Lets a fault happen to that many requests; `Infinity` for all of them.
 *
 * @category combinators
 * @since 0.1.0
 */
export const times: {
  /** Applies a fault to `count` requests; `Infinity` for all of them. */
  (count: number): (self: Fault) => Fault
  /** Applies a fault to `count` requests; `Infinity` for all of them. */
  (self: Fault, count: number): Fault
} = dual(2, (self: Fault, count: number): Fault => ({
  ...checked(self),
  times: Check.countOrAll("times of a fault", count)
}))

/**
 * Lets a fault happen only after the request was held up for a time of the program's clock.
 *
 * @category combinators
 * @since 0.1.0
 */
export const after: {
  /** Applies a fault only after the request was held up for `duration` of the program's clock. */
  (duration: Duration.Input): (self: Fault) => Fault
  /** Applies a fault only after the request was held up for `duration` of the program's clock. */
  (self: Fault, duration: Duration.Input): Fault
} = dual(2, (self: Fault, duration: Duration.Input): Fault => ({
  ...checked(self),
  delayMillis: Check.millis("the delay of a fault", duration)
}))

/**
 * Whether a fault is meant for requests like that one.
 *
 * @category predicates
 * @since 0.1.0
 */
export const matches = (self: Fault, request: { readonly method: string; readonly path: string }): boolean => {
  Check.kind("request", request, isRequest, "an object with the texts method and path")
  return matchesRequest(checked(self), request)
}

const matchesRequest = (self: Fault, request: { readonly method: string; readonly path: string }): boolean =>
  (self.method === undefined || self.method === request.method) &&
  (self.path === undefined ||
    (typeof self.path === "string" ? request.path.startsWith(self.path) : request.path.search(self.path) >= 0))

const methods: ReadonlyArray<string> = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]

const checked = (fault: Fault): Fault => Check.kind("fault", fault, isFault, "a fault, such as Fault.status(500)")

const isFault = (value: unknown): boolean =>
  Predicate.hasProperty(value, "action") && Predicate.hasProperty(value, "skip")

const isRequest = (value: unknown): boolean => {
  const { method, path } = value as { readonly method: unknown; readonly path: unknown }
  return Predicate.isString(method) && Predicate.isString(path)
}
