/**
 * The kind "a value of the caller, or of a service that the caller provides, is used before it is known to have its declared
 * type": options with getters, targets that are revoked Proxies, a store that fails with `null`.
 */
import { assert } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Option, Redacted, type Scope } from "effect"
import { HttpClient } from "effect/http"
import { KeyValueStore, type RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import { Polling, Run, RunError, RunRef, type RunSource, RunStore, Spine, Tela } from "canvas-runs"
import * as Kernel from "canvas-runs/Polling"
import { finish } from "../support/results.ts"
import type { Place } from "./kind.ts"
import { answering, json } from "../support/http.ts"

const id = "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"
const ref = RunRef.make({ provider: "spine", kind: "run", id })

const revoked = (of: object): never => {
  const { proxy, revoke } = Proxy.revocable(of, {})
  revoke()
  return proxy as never
}

const boom = (): never => {
  throw new Error("boom")
}

/** An object with a member that throws when it is read. */
const throwing = (name: string): never => Object.defineProperty({}, name, { enumerable: true, get: boom }) as never

/** An object with a member that may be read this many times. */
const readable = (name: string, value: unknown, times: number, rest: object = {}): never =>
  Object.defineProperty({ ...rest }, name, {
    enumerable: true,
    get: () => times-- > 0 ? value : boom()
  }) as never

const http = answering(() => json({}, 403)).client

const on = <A, E>(effect: Effect.Effect<A, E, HttpClient.HttpClient>) =>
  Effect.provideService(effect, HttpClient.HttpClient, http)
const spine = on(Effect.orDie(Spine.make({ apiKey: Redacted.make("k") })))
const tela = on(Effect.orDie(Tela.make({ apiKey: Redacted.make("k") })))

/** The call fails with this tag, and a message that contains this text. */
const failsWith = (
  effect: Effect.Effect<unknown, unknown>,
  tag: string,
  ...words: ReadonlyArray<string>
): Effect.Effect<void> =>
  Effect.map(Effect.exit(effect), (exit) => {
    const error = Option.getOrUndefined(Exit.findErrorOption(exit)) as Error & { readonly _tag?: string } | undefined
    assert.strictEqual(error?._tag, tag, String(exit))
    for (const word of words) assert.include(error!.message, word)
  })

const onTestClock = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) =>
  Effect.provide(Effect.scoped(effect), TestClock.layer())

// --- sources ---

interface Snapshot {
  readonly status: string
}

type Source = RunSource.RunSource<Snapshot, Snapshot, Snapshot, never>

const waitFor = (source: object, schedule = Polling.fixed("1 second")) =>
  onTestClock(Effect.gen(function*() {
    const policy = yield* Effect.orDie(
      Kernel.makePolicy<Snapshot>("test", { schedule, timeout: "3 minutes" }, { pollInterval: 1000, timeout: 1000 })
    )
    return yield* finish(Run.wait(
      {
        ref,
        retrieve: Effect.succeed({ value: { status: "running" }, requestId: undefined, retryAfter: undefined }),
        classify: () => ({ _tag: "Pending" }),
        status: () => "running",
        unchanged: () => true,
        ...source
      } as Source,
      policy
    ))
  }))

const diesWith = (exit: Exit.Exit<unknown, unknown>, ...words: ReadonlyArray<string>) => {
  assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause), String(exit))
  for (const word of words) assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", word)
}

const answer = (fields: object = {}) => ({
  value: { status: "x" },
  requestId: undefined,
  retryAfter: undefined,
  ...fields
})

// --- stores ---

const storing = (storage: object) =>
  Effect.provideService(
    RunStore.make,
    KeyValueStore.KeyValueStore,
    { get: () => Effect.undefined, set: () => Effect.void, remove: () => Effect.void, ...storage } as never
  )

const runs = { ref }

// --- limiters ---

/** A call through a limiter that returns this delay. */
const limitedTo = (delay: unknown) =>
  onTestClock(Effect.gen(function*() {
    const limited = yield* on(Effect.orDie(Spine.make({
      apiKey: Redacted.make("k"),
      rateLimit: {
        limiter: { consume: () => Effect.succeed({ delay }) } as unknown as RateLimiter.RateLimiter,
        limit: 1,
        window: "1 second"
      }
    })))
    const exit = yield* finish(limited.runs.retrieve(id))
    assert.instanceOf(Option.getOrUndefined(Exit.findErrorOption(exit)), RunError.PermissionDeniedError)
  }))

const options = "src/internal/options.ts"
const pollLoop = "src/internal/polling/pollLoop.ts"
const decide = "src/internal/polling/decide.ts"

export const places: ReadonlyArray<Place> = [
  {
    name: "Options.read: options that throw when they are read are rejected",
    mutant: {
      file: options,
      find: "(thrown) => Result.fail({ option: what, message: unreadable(what, thrown) })",
      replace: "(thrown) => { throw thrown }"
    },
    inputs: {
      "a getter among the params of a create": () =>
        failsWith(Effect.flatMap(spine, ({ runs }) => runs.create(throwing("prompt"))), "BadRequestError", "boom"),
      "a getter among the options of a client": () =>
        failsWith(on(Spine.make(throwing("baseUrl"))), "ConfigError", "boom"),
      "a revoked Proxy as the params of an execution": () =>
        failsWith(
          Effect.flatMap(tela, ({ canvas }) => canvas.make({ id }).execute({}, revoked({}))),
          "BadRequestError",
          "params could not be read"
        )
    }
  },
  {
    name: "Options.read: each option is read twice at most, before the first request",
    mutant: {
      file: options,
      find: "Result.succeed(Object.fromEntries(members.filter(([, value]) => value !== undefined)) as O)",
      replace: "Result.succeed(options as O)"
    },
    inputs: {
      "a prompt that can be read twice": () =>
        failsWith(
          Effect.flatMap(spine, ({ runs }) => runs.create(readable("prompt", "x", 1))),
          "PermissionDeniedError"
        ),
      "a pollInterval that can be read once": () =>
        failsWith(
          Effect.flatMap(spine, ({ runs }) => runs.waitForCompletion(id, readable("pollInterval", 1000, 1))),
          "PermissionDeniedError"
        )
    }
  },
  {
    name: "Options.reading: a target that throws when it is read is rejected",
    mutant: {
      file: options,
      find: "(thrown) => Effect.fail(badRequest({ operation, parameter, message: unreadable(parameter, thrown) }))",
      replace: "(thrown) => Effect.die(thrown)"
    },
    inputs: {
      "a run of Spine": () =>
        failsWith(Effect.flatMap(spine, ({ runs }) => runs.retrieve(revoked({}))), "BadRequestError", "run could not"),
      "a task of Tela": () =>
        failsWith(Effect.flatMap(tela, ({ tasks }) => tasks.get(throwing("provider"))), "BadRequestError"),
      "an execution of Tela": () =>
        failsWith(Effect.flatMap(tela, (tela) => tela.getExecution(revoked({}))), "BadRequestError", "id could not")
    }
  },
  {
    name: "Options.is: a value that throws when it is inspected is of no known class",
    mutant: {
      file: options,
      find: "Result.getOrElse(Result.try(() => isKind(value)), () => false)",
      replace: "isKind(value)"
    },
    inputs: {
      "an apiKey": () => failsWith(on(Spine.make({ apiKey: revoked({}) })), "ConfigError", "apiKey"),
      "a rate limiter": () =>
        failsWith(
          on(Tela.make({
            apiKey: Redacted.make("k"),
            rateLimit: { limiter: revoked({}), limit: 1, window: "1 second" }
          })),
          "ConfigError",
          "rateLimit.limiter"
        )
    }
  },
  {
    name: "Options.durationOf: an object without a unit is not a duration",
    mutant: { file: options, find: " || is(isWithoutUnit, input)", replace: "" },
    inputs: {
      "an unknown unit": () =>
        failsWith(
          Effect.flatMap(spine, ({ runs }) => runs.waitForCompletion(id, { notFoundGrace: { second: 5 } as never })),
          "BadRequestError",
          "notFoundGrace is an object"
        ),
      "a Date": () =>
        failsWith(
          Effect.flatMap(spine, ({ runs }) => runs.waitForCompletion(id, { retryAfterCeiling: new Date() as never })),
          "BadRequestError",
          "retryAfterCeiling is an object"
        )
    }
  },
  {
    name: "Options.durationOf: NaN is not a duration",
    mutant: { file: options, find: "Number.isNaN(input) || is", replace: "is" },
    inputs: {
      "a timeout": () =>
        failsWith(
          Effect.flatMap(spine, ({ runs }) => runs.waitForCompletion(id, { timeout: NaN })),
          "BadRequestError",
          "timeout is NaN"
        ),
      "a grace period, which may be zero": () =>
        failsWith(
          Effect.flatMap(spine, ({ runs }) => runs.waitForCompletion(id, { notFoundGrace: NaN })),
          "BadRequestError",
          "notFoundGrace is NaN"
        ),
      "a tolerance": () =>
        failsWith(
          Spine.constructEvent("{}", "t=1,v1=0", Redacted.make("s"), { tolerance: NaN }),
          "ConfigError",
          "tolerance is NaN"
        )
    }
  },
  {
    name: "RunRef.read: a ref with getters is copied",
    mutant: { file: "src/internal/ref.ts", find: "isRef(value) && isData(value)", replace: "isRef(value)" },
    inputs: {
      "an id that can be read twice": () =>
        failsWith(
          Effect.flatMap(spine, ({ runs }) =>
            runs.retrieve(readable("id", id, 2, { version: 1, provider: "spine", kind: "run" }))),
          "PermissionDeniedError"
        ),
      "a kind that can be read twice": () =>
        failsWith(
          Effect.flatMap(tela, ({ tasks }) =>
            tasks.get(readable("kind", "task", 2, { version: 1, provider: "tela", id }))),
          "PermissionDeniedError"
        )
    }
  },
  {
    name: "failed: a failure of retrieve that is not an object ends the wait unchanged",
    mutant: {
      file: pollLoop,
      find: "const { retryAfter, tag } = Decide.readFailure(error)",
      replace: "const { _tag: tag, retryAfter } = error"
    },
    inputs: Object.fromEntries([null, undefined].map((error) => [
      String(error),
      () =>
        Effect.map(waitFor({ retrieve: Effect.fail(error) }), (exit) => {
          assert.isTrue(Exit.isFailure(exit) && !Cause.hasDies(exit.cause), String(exit))
          const failure: Option.Option<unknown> = Exit.findErrorOption(exit)
          assert.isTrue(Option.isSome(failure) && failure.value === error, String(exit))
        })
    ]))
  },
  {
    name: "phaseOf: an unknown phase is a defect that names it",
    mutant: {
      file: decide,
      find: "if (tag === \"Pending\" || tag === \"Succeeded\" || tag === \"Failed\") return phase as PhaseOf<S>",
      replace: "return phase as PhaseOf<S>"
    },
    inputs: {
      "no phase": () =>
        Effect.map(waitFor({ classify: () => undefined }), (exit) => diesWith(exit, "classify", "undefined")),
      "another tag": () =>
        Effect.map(
          waitFor({ classify: () => ({ _tag: "Done", run: 1 }) }),
          (exit) => diesWith(exit, "classify", "\"Done\"")
        ),
      "a text": () =>
        Effect.map(waitFor({ classify: () => "Pending" }), (exit) => diesWith(exit, "classify", "\"Pending\""))
    }
  },
  {
    name: "floorOf: a Retry-After that is not a duration is ignored",
    mutant: {
      file: decide,
      find: "Option.match(durationOf(retryAfter), {",
      replace: "Option.match(Option.some(Duration.fromInputUnsafe(retryAfter as Duration.Input)), {"
    },
    inputs: Object.fromEntries([Symbol("soon"), "soon", {}].map((retryAfter) => [
      String(retryAfter),
      () =>
        Effect.map(
          waitFor({ retrieve: Effect.succeed(answer({ retryAfter })) }),
          (exit) => assert.instanceOf(Option.getOrUndefined(Exit.findErrorOption(exit)), RunError.RunTimeoutError)
        )
    ]))
  },
  {
    name: "runFailed: errors that are not a list of texts are omitted or quoted",
    mutant: {
      file: "src/internal/runFailed.ts",
      find: "Array.isArray(phase.errors) ? phase.errors as ReadonlyArray<string> : []",
      replace: "phase.errors"
    },
    inputs: Object.fromEntries([undefined, null, 5].map((errors) => [
      String(errors),
      () =>
        Effect.map(waitFor({ classify: () => ({ _tag: "Failed", run: 1, errors }) }), (exit) => {
          const error = Option.getOrUndefined(Exit.findErrorOption(exit))
          assert.instanceOf(error, RunError.RunFailedError)
          assert.include((error as Error).message, "the provider gave no reason")
        })
    ]))
  },
  {
    name: "Polling.make: a value that is not a duration is read as a minute",
    mutant: {
      file: "src/Polling.ts",
      find: "typeof input === \"number\" ? input : CallOptions.millisOf(input)",
      replace: "typeof input === \"number\" ? input : Duration.toMillis(Duration.fromInputUnsafe(input))"
    },
    inputs: Object.fromEntries([undefined, "soon", Symbol("soon")].map((delay) => [
      String(delay),
      () =>
        Effect.map(waitFor({}, Polling.make(() => delay as never) as never), (exit) => {
          const error = Option.getOrUndefined(Exit.findErrorOption(exit)) as RunError.RunTimeoutError
          assert.instanceOf(error, RunError.RunTimeoutError)
          // At 0, 1 and 2 minutes, and just before the end of the third
          assert.strictEqual(error.polls, 4)
        })
    ]))
  },
  {
    name: "the rate limiter: an infinite delay does not limit requests",
    mutant: {
      file: "src/internal/http/rateLimit.ts",
      find: "Option.isSome(delay) && Duration.isFinite(delay.value)",
      replace: "Option.isSome(delay)"
    },
    inputs: {
      "an infinite duration": () => limitedTo(Duration.infinity),
      "Infinity": () => limitedTo(Infinity)
    }
  },
  {
    name: "RunStore: a failure or a defect of the storage is a RunStoreError",
    mutant: {
      file: "src/internal/runStore/entries.ts",
      find: "if (Cause.hasInterruptsOnly(reasons)) return",
      replace: "return"
    },
    inputs: {
      "null, from get": () =>
        failsWith(
          Effect.flatMap(storing({ get: () => Effect.fail(null) }), (store) => store.get("k")),
          "RunStoreError",
          "could not be read (null)"
        ),
      "a defect, from set": () =>
        failsWith(
          Effect.flatMap(storing({ set: () => Effect.die(new Error("disk")) }), (store) =>
            store.runOnce("k", Effect.succeed(runs))),
          "RunStoreError",
          "could not be written (disk)"
        ),
      "a throw, from remove": () =>
        failsWith(
          Effect.flatMap(storing({ remove: boom }), (store) => store.forget("k")),
          "RunStoreError",
          "could not be removed (boom)"
        ),
      "keys that are not a list": () =>
        failsWith(
          Effect.flatMap(storing({ keys: Effect.succeed(5) }), (store) => store.unfinished),
          "RunStoreError",
          "could not be listed"
        )
    }
  },
  {
    name: "RunStore: an entry that is not a text is rejected and not read as a truncated one",
    mutant: {
      file: "src/internal/runStore/record.ts",
      find: "if (typeof text !== \"string\") return",
      replace: "if (text === key) return"
    },
    inputs: Object.fromEntries([{ version: 1 }, 5].map((entry) => [
      JSON.stringify(entry),
      () =>
        failsWith(
          Effect.flatMap(storing({ get: () => Effect.succeed(entry) }), (store) => store.get("k")),
          "RunStoreError",
          "and not text"
        )
    ]))
  },
  {
    name: "RunStore: a key that is not a text is rejected",
    mutant: {
      file: "src/internal/runStore/keys.ts",
      find: "Options.checkGiven(operation, \"key\", key, Predicate.isString, \"text\")",
      replace: "Effect.void"
    },
    inputs: Object.fromEntries([Symbol("k"), 5, {}].map((key) => [
      String(key),
      () =>
        failsWith(
          Effect.flatMap(storing({}), (store) => store.runOnce(key as never, Effect.succeed(runs))),
          "BadRequestError",
          "key is"
        )
    ]))
  },
  {
    name: "bytesOf: a transferred buffer is rejected as a payload",
    mutant: {
      file: "src/internal/webhooks/proof.ts",
      find: "void new Uint8Array(ArrayBuffer.isView(payload) ? payload.buffer : payload)",
      replace: ""
    },
    inputs: {
      "a view": () => {
        const view = new Uint8Array(2)
        structuredClone(view.buffer, { transfer: [view.buffer] })
        return failsWith(Spine.signWebhook(view, Redacted.make("s")), "ConfigError", "transferred")
      },
      "a buffer": () => {
        const buffer = new ArrayBuffer(2)
        structuredClone(buffer, { transfer: [buffer] })
        return failsWith(Spine.signWebhook(buffer, Redacted.make("s")), "ConfigError", "transferred")
      }
    }
  }
]
