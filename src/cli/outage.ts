/** Tells the user that a provider does not answer the polls of a wait, which go on. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { RequestError } from "../RunError.ts"
import type { Provider } from "./names.ts"
import { Output } from "./output.ts"

/** The providers whose last poll failed, and when the user was told about an outage. */
interface State {
  readonly providers: Set<string>
  toldAt: number
}

export const make = (): State => ({ providers: new Set(), toldAt: -Infinity })

/** The outages of this call. */
export class Outages extends Context.Reference<State>("canvas-runs/cli/Outages", { defaultValue: make }) {}

/** Between two notes about outages, in milliseconds: a provider may fail every fifth request. */
const pause = 60_000

/** Tells the user if a poll fails that the wait survives. */
export const watchedPoll = <A, R>(
  provider: Provider,
  poll: Effect.Effect<A, RequestError, R>
): Effect.Effect<A, RequestError, Output | R> =>
  poll.pipe(
    Effect.tap(Effect.map(Outages, ({ providers }) => providers.delete(provider))),
    Effect.tapError(Effect.fnUntraced(function*(error) {
      if (!error.isRetryable) return
      const outages = yield* Outages
      const now = yield* Clock.currentTimeMillis
      if (!outages.providers.has(provider) && now - outages.toldAt >= pause) {
        outages.toldAt = now
        yield* (yield* Output).note(`${names[provider]} ${describe(error)}; trying again.`)
      }
      outages.providers.add(provider)
    }))
  )

const names = { spine: "Spine", tela: "Tela" } as const

const describe = (error: RequestError): string => {
  if ("status" in error && error.status !== undefined) return `answers with status ${error.status}`
  const reason = Object.keys(reasons).find((code) => error.message.includes(code))
  return reason === undefined ? "does not answer" : `does not answer (${reasons[reason]})`
}

const reasons: { readonly [code: string]: string } = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  ETIMEDOUT: "connection timed out",
  ENOTFOUND: "host not found",
  EAI_AGAIN: "host not found",
  EHOSTUNREACH: "host unreachable",
  ENETUNREACH: "network unreachable"
}
