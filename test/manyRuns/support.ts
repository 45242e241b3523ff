import { type Clock, Duration, Effect, Layer, Redacted } from "effect"
import { HttpClient, type HttpClientRequest, type HttpClientResponse, HttpServerResponse } from "effect/http"
import { RateLimiter } from "effect/persistence"
import { Spine } from "canvas-runs"

/** A limiter with a store in this process. */
export const limiters = RateLimiter.layer.pipe(Layer.provideMerge(RateLimiter.layerStoreMemory))

export interface Provider {
  readonly client: HttpClient.HttpClient
  /** The arrival times of all requests, in order. */
  readonly arrivals: Array<number>
  /** The same for each run. */
  readonly polls: Map<string, Array<number>>
  /** The most requests that were under way at one moment. */
  readonly most: () => number
  readonly underWay: () => number
}

/** The id of a run that the provider below knows. */
export const runId = (index: number): string => `6f1c1d5e-2b7e-4a0c-9a53-${index.toString(16).padStart(12, "0")}`

/**
 * Only Spine's responses to polls. The emulator takes a millisecond of real time for each, which would be most of a minute for
 * the polls of ten thousand runs.
 */
export const makeProvider = (options: {
  /** The time at which a run ends. */
  readonly endsAt: (index: number) => number
  readonly latency?: Duration.Input
  /** The time until which all polls get a 429. */
  readonly busyUntil?: (now: number) => number | undefined
}): Provider => {
  const arrivals: Array<number> = []
  const polls = new Map<string, Array<number>>()
  const latency = Duration.fromInputUnsafe(options.latency ?? 0)
  let underWay = 0
  let most = 0

  // Not a `Response` of the platform: its body is read through promises, for which the test clock does not wait
  const answer = (
    request: HttpClientRequest.HttpClientRequest,
    id: string,
    now: number
  ): HttpClientResponse.HttpClientResponse => {
    const json = (body: unknown, init?: { readonly status: number; readonly headers: Record<string, string> }) =>
      HttpServerResponse.toClientResponse(HttpServerResponse.jsonUnsafe(body, init), { request })
    const busyUntil = options.busyUntil?.(now)
    if (busyUntil !== undefined) {
      return json({ success: false, error: { code: "RATE_LIMITED", message: "Too many requests" } }, {
        status: 429,
        headers: { "retry-after": new Date(busyUntil).toUTCString() }
      })
    }
    const elapsed_ms = Math.round(now)
    return json({
      success: true,
      data: now < options.endsAt(Number.parseInt(id.slice(24), 16))
        ? { run_id: id, status: "running", progress: { tasks_completed: 0, tasks_total: 5, elapsed_ms } }
        : {
          run_id: id,
          status: "completed",
          canvas_id: id,
          duration_ms: elapsed_ms,
          result: { artifacts: [], final_output: id },
          metadata: {}
        }
    })
  }

  const client = HttpClient.make((request, url) =>
    Effect.clockWith((clock: Clock.Clock) => {
      const id = url.pathname.slice(url.pathname.lastIndexOf("/") + 1)
      const now = clock.currentTimeMillisUnsafe()
      arrivals.push(now)
      const own = polls.get(id)
      if (own === undefined) polls.set(id, [now])
      else own.push(now)
      most = Math.max(most, ++underWay)
      return Effect.sleep(latency).pipe(
        Effect.andThen(Effect.sync(() => answer(request, id, clock.currentTimeMillisUnsafe()))),
        Effect.ensuring(Effect.sync(() => underWay--))
      )
    })
  )
  return { client, arrivals, polls, most: () => most, underWay: () => underWay }
}

/** A client of this provider. */
export const spineOn = (provider: Provider, options?: Partial<Spine.Options>) =>
  Effect.provide(
    Spine.SpineClient.use(Effect.succeed),
    Spine.layer({ apiKey: Redacted.make("sk_spine_many"), ...options }).pipe(
      Layer.provide(Layer.succeed(HttpClient.HttpClient, provider.client))
    )
  )

/** The largest number of these times in any window, whose end is exclusive, with a tolerance for rounding. */
export const mostWithin = (moments: ReadonlyArray<number>, window: number): number => {
  let first = 0
  let most = 0
  for (const [index, moment] of moments.entries()) {
    while (moments[first]! <= moment - window + 0.001) first++
    most = Math.max(most, index - first + 1)
  }
  return most
}

/** A clock with another `sleep`. */
export const sleepingBy = (clock: Clock.Clock, sleep: Clock.Clock["sleep"]): Clock.Clock => ({
  currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe(),
  currentTimeMillis: clock.currentTimeMillis,
  currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
  currentTimeNanos: clock.currentTimeNanos,
  monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
  monotonicTimeNanos: clock.monotonicTimeNanos,
  sleep
})

/** The clock of a suspended process: for some time no sleep ends, and then all sleeps that were due end at once. */
export const stopped = (clock: Clock.Clock, from: number, until: number): Clock.Clock =>
  sleepingBy(clock, (duration) =>
    Effect.suspend(() => {
      const now = clock.currentTimeMillisUnsafe()
      const due = now + Duration.toMillis(duration)
      return clock.sleep(due > from && due < until ? Duration.millis(until - now) : duration)
    }))
