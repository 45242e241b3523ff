/** The API keys that an emulator accepts. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Check from "./check.ts"

export interface ApiKeys {
  readonly accepts: (key: string, now: number) => boolean
  /** Revokes a key: at once, or after a time. */
  readonly revoke: (key: string, options?: { readonly after?: Duration.Input }) => Effect.Effect<void>
}

export const make = (isKnown: (key: string) => boolean, now: Effect.Effect<number>): ApiKeys => {
  const revokedAt = new Map<string, number>()
  return {
    accepts: (key, now) => isKnown(key) && now < (revokedAt.get(key) ?? Infinity),
    revoke: (key, options) =>
      Effect.map(now, (now) => {
        Check.kind("key", key, Predicate.isString, "text")
        const { after = 0 } = Check.options(options, { after: true })
        revokedAt.set(key, now + Check.millis("after", after))
      })
  }
}
