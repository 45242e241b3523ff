/** Every place that uses a service of the context if no option gives one. Without it, the service would be ignored. */
import { assert } from "@effect/vitest"
import { Duration, Effect, Redacted, Schedule, Stream } from "effect"
import { HttpClient } from "effect/http"
import { RateLimiter } from "effect/persistence"
import { Spine, Tela, Webhooks } from "canvas-runs"
import type { Place } from "./kind.ts"
import { answering, json } from "../support/http.ts"
import { completedRun, runningRun } from "../support/spine.ts"

const client = "src/internal/http/client.ts"

const id = "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"
const options = { apiKey: Redacted.make("key_of_services"), retry: Schedule.recurs(0) }

/** A provider whose run is terminal at the second poll. */
const provider = () => answering(({ index }) => json(index === 0 ? runningRun(id) : completedRun(id))).client

/** A hub in the context is asked for the end of a run, and a hub in the options replaces it. */
const asksHub = (wait: (spine: Spine.Service) => Effect.Effect<unknown, unknown>) => () =>
  Effect.gen(function*() {
    const asked: Array<string> = []
    const hub = (name: string): Webhooks.Service => ({
      deliver: () => Effect.succeed(true),
      ended: (_, run) => Effect.andThen(Effect.sync(() => asked.push(`${name} ${run}`)), Effect.never)
    })
    for (const own of [{}, { webhooks: hub("option") }]) {
      yield* Effect.flatMap(Spine.make({ ...options, ...own }), wait).pipe(
        Effect.provideService(Webhooks.Webhooks, hub("context")),
        Effect.provideService(HttpClient.HttpClient, provider())
      )
    }
    assert.deepStrictEqual(asked, [`context ${id}`, `option ${id}`])
  })

/** A limiter in the context is asked before a request, and a limiter in the options replaces it. */
const asksLimiter = (
  call: (
    options: { readonly rateLimit: NonNullable<Spine.Options["rateLimit"]> }
  ) => Effect.Effect<unknown, unknown, HttpClient.HttpClient>
) =>
() =>
  Effect.gen(function*() {
    const asked: Array<string> = []
    const limiter = (name: string): RateLimiter.RateLimiter => ({
      [RateLimiter.TypeId]: RateLimiter.TypeId,
      consume: ({ limit }) =>
        Effect.sync(() => {
          asked.push(name)
          return { delay: Duration.zero, limit, remaining: limit, resetAfter: Duration.zero }
        }),
      adaptiveConsume: () => Effect.die("adaptive"),
      adaptiveFeedback: () => Effect.void
    })
    const rateLimit = { limit: 10, window: "1 second" } as const
    for (const own of [rateLimit, { ...rateLimit, limiter: limiter("option") }]) {
      yield* Effect.exit(call({ rateLimit: own })).pipe(
        Effect.provideService(RateLimiter.RateLimiter, limiter("context")),
        Effect.provideService(HttpClient.HttpClient, provider())
      )
    }
    assert.deepStrictEqual(asked, ["context", "option"])
  })

export const places: ReadonlyArray<Place> = [
  {
    name: "services: the hub of the context is used without the option",
    mutant: {
      file: client,
      find: "options.webhooks ?? Option.getOrUndefined(yield* Effect.serviceOption(Webhooks))",
      replace: "options.webhooks"
    },
    inputs: {
      "by a wait": asksHub(({ runs }) => runs.waitForCompletion(id, { pollInterval: "1 millis" })),
      "by a watch": asksHub(({ runs }) => Stream.runDrain(runs.watch(id, { pollInterval: "1 millis" })))
    }
  },
  {
    name: "services: the limiter of the context is used without the option",
    mutant: {
      file: "src/internal/http/rateLimit.ts",
      find: "options.limiter ?? Option.getOrUndefined(yield* Effect.serviceOption(RateLimiter.RateLimiter))",
      replace: "options.limiter"
    },
    inputs: {
      "by Spine": asksLimiter((limits) =>
        Effect.flatMap(Spine.make({ ...options, ...limits }), ({ runs }) => runs.retrieve(id))
      ),
      "by Tela": asksLimiter((limits) =>
        Effect.flatMap(
          Tela.make({ ...options, ...limits }),
          ({ canvas }) => canvas.make({ id }).execute({}, { async: true })
        )
      )
    }
  }
]
