/** Links to files that expire, each with a token that cannot be guessed. */
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as rude from "./rude/http.ts"
import type { Has } from "./rude/json.ts"

export interface Link<Target> {
  readonly target: Target
  /** On the emulator's clock, in milliseconds. */
  readonly expiresAt: number
}

export interface Links<Target> {
  /** The origin that links point to, for a request that was sent to that origin. */
  readonly originFor: (requested: string) => string
  readonly add: (
    target: Target,
    now: number,
    lifetimeMillis: number
  ) => { readonly token: string; readonly expiresAt: number }
  readonly find: (token: string) => Link<Target> | undefined
  /** The response to a request for a link that a rude server lets expire early. */
  readonly expiredEarly: (fileId: string, token: string) => HttpServerResponse.HttpServerResponse | undefined
  /** Makes every link expire. */
  readonly expireAll: () => void
}

export const make = <Target>(options: {
  readonly has: Has
  readonly uuid: () => string
  /** The origin of the API. */
  readonly origin: string
  /**
   * The origin that links point to. Without it they point to the default origin for requests in memory, and to the server itself
   * otherwise.
   */
  readonly fileOrigin: string | undefined
  readonly defaultFileOrigin: string
}): Links<Target> => {
  const links = new Map<string, Link<Target>>()
  return {
    originFor: (requested) =>
      options.fileOrigin ?? (requested === options.origin ? options.defaultFileOrigin : requested),
    add: (target, now, lifetimeMillis) => {
      // An unknown token is rejected, so expired links can be deleted. They are at the front, because most links live equally
      // long.
      for (const [token, { expiresAt }] of links) {
        if (expiresAt > now) break
        links.delete(token)
      }
      const token = options.uuid().replaceAll("-", "")
      const expiresAt = now + lifetimeMillis
      links.set(token, { target, expiresAt })
      return { token, expiresAt }
    },
    find: (token) => links.get(token),
    expiredEarly: rude.makeLinks(options.has),
    expireAll: () => links.clear()
  }
}
