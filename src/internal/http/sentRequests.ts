/** Counts how often the HTTP client sends one request. An `HttpClient` of the program may repeat it below this library. */
import * as Context from "effect/Context"
import * as Predicate from "effect/Predicate"

export interface SentRequests {
  /** How many times a client of this package, or Effect's fetch client, has sent the request. Other clients count nothing. */
  count: number
  /** Whether a fetch of the program sent it. Such a fetch may have sent it several times. */
  isOwnFetch: boolean
  /** How many of these undici has accepted. undici reports when it begins to write one. */
  watched: number
  /** Whether undici has begun to write any of them. */
  isWritten: boolean
}

/** Its key is text, so that all loaded copies of this package share it. */
export const CurrentSentRequests = Context.Reference<SentRequests | undefined>("canvas-runs/internal/Sends", {
  defaultValue: () => undefined
})

export const make = (): SentRequests => ({ count: 0, isOwnFetch: false, watched: 0, isWritten: false })

/** Resets the counts. */
export const reset = (sends: SentRequests): void => {
  sends.count = 0
  sends.watched = 0
  sends.isWritten = false
}

/** Whether the request may have been sent before the attempt that failed last. Then that failure proves nothing. */
export const isRepeated = (sends: SentRequests | undefined): boolean =>
  sends !== undefined && (sends.count > 1 || sends.isOwnFetch)

/** Whether no byte of the request has been written, which proves that it was not sent, with any failure. */
export const isUnwritten = (sends: SentRequests | undefined): boolean =>
  sends !== undefined && sends.count > 0 && sends.watched >= sends.count && !sends.isWritten && !sends.isOwnFetch

/** The method that undici calls on a handler before it writes the request, up to version 7 and from version 8 on. */
const starts = ["onConnect", "onRequestStart"] as const

/**
 * Watches a request that is passed to a dispatcher of undici. undici calls a method of the request's handler right before it
 * writes the first byte, on HTTP/1.1 and HTTP/2 alike, and not while it resolves a name, connects, shakes hands, opens a tunnel
 * of a proxy, or waits for a free connection.
 */
export const watch = (sends: SentRequests, handler: object): void => {
  if (!Object.isExtensible(handler)) return
  for (const name of starts) {
    const start = Predicate.hasProperty(handler, name) ? handler[name] : undefined
    if (!Predicate.isFunction(start)) continue
    Object.assign(handler, {
      [name](this: unknown, ...args: ReadonlyArray<unknown>): unknown {
        sends.isWritten = true
        return Reflect.apply(start, this, args)
      }
    })
    sends.watched++
  }
}
