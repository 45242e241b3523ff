/** A `fetch` that records the provider's responses, and a budget of credits. */
import { Context, Effect, Ref } from "effect"

/** One request and its response. */
export interface Exchange {
  readonly method: string
  readonly url: URL
  /** The headers of the request, with lower-case names. */
  readonly sent: Readonly<Record<string, string>>
  readonly requestBody: string | undefined
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Records every exchange with the origin of the API. Bodies of other hosts, which are files, are not kept. */
export const recorder = (baseUrl: string, real: typeof globalThis.fetch = globalThis.fetch) => {
  const pending: Array<Promise<Exchange>> = []
  const api = new URL(baseUrl).origin
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, { ...init, body: null } as RequestInit)
    const response = await real(input, init)
    const url = new URL(request.url)
    const exchange = {
      method: request.method,
      url,
      sent: Object.fromEntries(request.headers),
      requestBody: init?.body instanceof Uint8Array ? new TextDecoder().decode(init.body) : undefined,
      status: response.status,
      headers: Object.fromEntries(response.headers)
    }
    const isFile = url.origin !== api || !/json|event-stream/.test(exchange.headers["content-type"] ?? "")
    if (isFile) pending.push(Promise.resolve({ ...exchange, body: "" }))
    else {
      // A consumer that abandons a stream ends its copy too
      const copy = response.clone()
      pending.push(copy.text().then((body) => ({ ...exchange, body }), () => ({ ...exchange, body: "" })))
    }
    return response
  }
  return { fetch, exchanges: Effect.promise(() => Promise.all(pending)) }
}

/** The credits that the command may spend. */
export interface Budget {
  readonly limit: number
  readonly spent: Ref.Ref<number>
}

export const Budget: Context.Service<Budget, Budget> = Context.Service<Budget>("test/live/Budget")

/**
 * Runs a step that may cost credits only if its expected cost is within the limit. The real cost is known afterwards, if the
 * provider reports it; otherwise the expected cost counts.
 */
export const paid = <A, E, R>(
  expected: number,
  step: Effect.Effect<readonly [A, credits: number | undefined], E, R>
): Effect.Effect<A | undefined, E, R | Budget> =>
  Effect.gen(function*() {
    const { limit, spent } = yield* Budget
    if ((yield* Ref.get(spent)) + expected > limit) return undefined
    yield* Ref.update(spent, (credits) => credits + expected)
    const [result, credits] = yield* step
    yield* Ref.update(spent, (total) => total - expected + (credits ?? expected))
    return result
  })
