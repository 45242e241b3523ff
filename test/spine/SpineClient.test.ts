import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import {
  Cause,
  ConfigProvider,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  Metric,
  Redacted,
  References,
  Schedule,
  Stream,
  Tracer
} from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"
import { RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import { inspect } from "node:util"
import { type ClientOptions, RunError, Spine } from "canvas-runs"
import { Fault, SpineEmulator, Timeline } from "canvas-runs/testing"
import { failure, finish, success } from "../support/results.ts"
import { acceptedRun, apiKey, live } from "../support/spine.ts"
import { recordSpans, shownFailure } from "../support/spans.ts"
import { answering, json, noRequests } from "../support/http.ts"

const id = "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"
const retrieve = Effect.flatMap(Spine.SpineClient, (spine) => spine.runs.retrieve(id))

/** Retrieves once, with a fault and without retries. */
const retrieveWith = (fault: Fault.Fault, options?: Partial<Spine.Options>) =>
  Effect.gen(function*() {
    yield* (yield* SpineEmulator.SpineEmulator).fault(fault.pipe(Fault.times(Infinity)))
    return failure(yield* finish(retrieve))
  }).pipe(Effect.provide(live({ retry: Schedule.recurs(0), ...options })))

describe("errors by status", () => {
  for (
    const [status, tag, isRetryable] of [
      [400, "BadRequestError", false],
      [401, "AuthenticationError", false],
      [402, "UsageLimitError", false],
      [403, "PermissionDeniedError", false],
      [404, "NotFoundError", false],
      [405, "BadRequestError", false],
      [408, "RequestTimeoutError", true],
      [409, "ConflictError", false],
      [413, "BadRequestError", false],
      [415, "BadRequestError", false],
      [422, "BadRequestError", false],
      [425, "ServerError", true],
      [429, "RateLimitError", true],
      [500, "ServerError", true],
      [502, "ServerError", true],
      [503, "ServerError", true],
      [504, "ServerError", true],
      [520, "ServerError", true]
    ] as const
  ) {
    it.effect(`${status} is a ${tag} with the provider's message`, () =>
      Effect.gen(function*() {
        const body = { success: false, error: "in so many words" }
        const error = yield* retrieveWith(
          Fault.status(status, {
            body: JSON.stringify(body),
            contentType: "application/json",
            headers: { "retry-after": "3" }
          })
        )
        assert.strictEqual(error._tag, tag)
        assert.strictEqual(error.isRetryable, isRetryable)
        assert.strictEqual(error.status, status)
        assert.strictEqual(error.providerMessage, "in so many words")
        assert.deepStrictEqual(error.body, body)
        assert.strictEqual(error.operation, "runs.retrieve")
        assert.strictEqual(error.attempts, 1)
        assert.strictEqual(error.ref?.id, id)
        assert.isString(error.requestId)
        assert.deepStrictEqual(error.retryAfter, Duration.seconds(3))
        assert.include(error.message, "in so many words")
      }))
  }

  it.effect("an HTML page with a status of failure is the error of that status, with the beginning of the page", () =>
    Effect.gen(function*() {
      const error = yield* retrieveWith(Fault.html("<html>Bad gateway</html>", 502))
      assert.strictEqual(error._tag, "ServerError")
      assert.strictEqual(error.body, "<html>Bad gateway</html>")
    }))

  for (
    const [name, fault, words, isRetryable] of [
      ["an HTML page", Fault.html("<!doctype html><title>Log in</title>"), "HTML", true],
      ["nothing", Fault.empty(), "empty", true],
      ["plain text", Fault.status(200, { body: "ok", contentType: "text/plain" }), "text/plain", true],
      [
        "cut JSON",
        Fault.status(200, { body: "{\"success\":tr", contentType: "application/json" }),
        "text that breaks off or is malformed",
        true
      ],
      [
        "a run without an id",
        Fault.status(200, {
          body: "{\"success\":true,\"data\":{\"status\":\"running\"}}",
          contentType: "application/json"
        }),
        "run_id",
        false
      ],
      [
        "a completed run without a result",
        Fault.status(200, {
          body: JSON.stringify({
            success: true,
            data: { run_id: id, status: "completed", canvas_id: id, duration_ms: 1, metadata: {} }
          }),
          contentType: "application/json"
        }),
        "result",
        false
      ],
      ["JSON of another kind", Fault.status(200, { body: "[1]", contentType: "application/json" }), "form", false]
    ] as const
  ) {
    it.effect(`promise 9: ${name} is an InvalidResponseError`, () =>
      Effect.gen(function*() {
        const error = yield* retrieveWith(fault)
        assert.instanceOf(error, RunError.InvalidResponseError)
        assert.include(error.message, words)
        assert.strictEqual(error.isRetryable, isRetryable)
        assert.strictEqual(error.status, 200)
      }))
  }

  it.effect("promise 9: a body that reports an error is an error response, with any status", () =>
    Effect.gen(function*() {
      const body = { success: false, error: "no such thing" }
      const error = yield* retrieveWith(
        Fault.status(200, { body: JSON.stringify(body), contentType: "application/json" })
      )
      assert.instanceOf(error, RunError.BadRequestError)
      assert.isTrue(error.sent)
      assert.strictEqual(error.status, 200)
      assert.include(error.message, "no such thing")
    }))

  it.effect("an error keeps only the beginning of a long response", () =>
    Effect.gen(function*() {
      const error = yield* retrieveWith(Fault.html(`<html>${"x".repeat(1_000_000)}`))
      assert.isBelow(JSON.stringify(error).length, 10_000)
    }))

  it.effect("a response over the limit is not read, with or without an announced length, compressed or not", () =>
    Effect.gen(function*() {
      const page = `<html>${"x".repeat(100_000)}`
      const announced = yield* retrieveWith(Fault.html(page), { maxResponseBytes: 50_000 })
      assert.instanceOf(announced, RunError.InvalidResponseError)
      assert.include(announced.message, "50000 bytes")
      let sent = 0
      const endless = answering(() =>
        new Response(
          new ReadableStream({
            pull: (controller) => {
              sent += 10_000
              controller.enqueue(new Uint8Array(10_000).fill(32))
            }
          })
        )
      )
      const error = yield* Effect.flip(retrieve).pipe(
        Effect.provide(
          Spine.layer({ apiKey: Redacted.make(apiKey), maxResponseBytes: 50_000, retry: Schedule.recurs(0) })
        ),
        Effect.provide(endless.layer)
      )
      assert.instanceOf(error, RunError.InvalidResponseError)
      assert.isBelow(sent, 200_000)
      const fine = yield* retrieveWith(Fault.html(page), { maxResponseBytes: 200_000 })
      assert.include(fine.message, "HTML")
    }))

  it.effect("a broken connection is a TransportError", () =>
    Effect.gen(function*() {
      for (const fault of [Fault.drop, Fault.dropAfter]) {
        const error = yield* retrieveWith(fault)
        assert.instanceOf(error, RunError.TransportError)
        assert.strictEqual(error.code, "ECONNRESET")
        assert.isTrue(error.reached)
      }
    }))

  it.effect("B4: a status whose body breaks off decides, and the message says that the body is missing", () =>
    Effect.gen(function*() {
      const error = yield* retrieveWith(Fault.dropInside(5))
      assert.instanceOf(error, RunError.NotFoundError)
      assert.include(error.message, "the body of the response did not arrive")
      assert.isUndefined(error.body)
    }))

  it.effect("an unknown host is a TransportError with reached: false", () =>
    Effect.gen(function*() {
      const error = yield* retrieveWith(Fault.hang, { baseUrl: "https://spine.invalid" })
      assert.instanceOf(error, RunError.TransportError)
      assert.strictEqual(error.code, "ENOTFOUND")
      assert.isFalse(error.reached)
    }))

  it.effect("no answer within the request timeout is a RequestTimeoutError", () =>
    Effect.gen(function*() {
      const error = yield* retrieveWith(Fault.hang)
      assert.instanceOf(error, RunError.RequestTimeoutError)
      assert.strictEqual(Duration.toSeconds(error.elapsed), 60)
      assert.include((yield* retrieveWith(Fault.hang, { requestTimeout: "5 seconds" })).message, "5s")
    }))
})

describe("retries of safe requests", () => {
  const times = (faults: ReadonlyArray<Fault.Fault>, options?: Partial<Spine.Options>) =>
    Effect.gen(function*() {
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.fault(...faults)
      const exit = yield* finish(retrieve)
      return { exit, at: (yield* emulator.requests).map(({ receivedAt }) => receivedAt) }
    }).pipe(Effect.provide(live(options)))

  it.effect("are two, within half a second and one second", () =>
    Effect.gen(function*() {
      const { at, exit } = yield* times([Fault.status(503).pipe(Fault.times(9))])
      assert.strictEqual(at.length, 3)
      assert.isAtMost(at[1]! - at[0]!, 500)
      assert.isAtMost(at[2]! - at[1]!, 1000)
      const error = failure(exit)
      assert.strictEqual(error.attempts, 3)
      assert.closeTo(Duration.toMillis(error.elapsed), at[2]!, 0.001)
    }))

  it.effect("are not made for a permanent failure", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* times([Fault.status(400)])).at.length, 1)
    }))

  it.effect("follow any schedule, which gets the errors as input", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const retry = Schedule.spaced("1 minute").pipe(
        Schedule.setInputType<ClientOptions.RetriedError>(),
        Schedule.tap(({ input }) => Effect.sync(() => seen.push(input._tag))),
        Schedule.upTo({ times: 4 })
      )
      const { at } = yield* times([
        Fault.status(503),
        Fault.drop,
        Fault.status(429),
        Fault.html("<html>"),
        Fault.status(500)
      ], { retry })
      assert.deepStrictEqual(at, [0, 60_000, 120_000, 180_000, 240_000])
      assert.deepStrictEqual(seen.slice(0, 4), [
        "ServerError",
        "TransportError",
        "RateLimitError",
        "InvalidResponseError"
      ])
    }))

  const once = { retry: Schedule.max([Schedule.spaced("1 second"), Schedule.recurs(1)]) }
  for (
    const [header, seconds] of [
      [{ "retry-after": "20" }, 20],
      [{ "retry-after": "0" }, 1],
      [{ "retry-after": "999999999" }, 60],
      [{ "retry-after": "9".repeat(400) }, 1],
      [{ "retry-after": "-5" }, 1],
      [{ "retry-after": "1.5" }, 1],
      [{ "retry-after": "soon" }, 1],
      [{ "retry-after": "Thu, 01 Jan 1970 00:00:30 GMT" }, 30],
      [{ "retry-after": "Thu, 01 Jan 1970 00:00:00 GMT" }, 1],
      [{ "retry-after": "Fri, 31 Dec 2999 23:59:59 GMT" }, 60],
      [{ "retry-after-ms": "2500" }, 2.5],
      [{ "retry-after-ms": "2500", "retry-after": "20" }, 2.5],
      [{ "retry-after-ms": "soon", "retry-after": "20" }, 20]
    ] as const
  ) {
    it.effect(`promise 2: wait ${seconds} s for ${JSON.stringify(header).slice(0, 70)}`, () =>
      Effect.gen(function*() {
        const { at } = yield* times([Fault.status(429, { headers: header })], once)
        assert.deepStrictEqual(at, [0, seconds * 1000])
      }))
  }

  it.effect("promise 2: wait at most the retryAfterCeiling of the caller", () =>
    Effect.gen(function*() {
      const { at } = yield* times([Fault.status(429, { headers: { "retry-after": "999" } })], {
        ...once,
        retryAfterCeiling: "5 minutes"
      })
      assert.deepStrictEqual(at, [0, 300_000])
    }))
})

describe("promise 11: secrets", () => {
  it.effect("no secret appears in any error, in any form that the provider may echo", () =>
    Effect.gen(function*() {
      const echo = JSON.stringify({ success: false, error: `bad key ${apiKey}`, headers: { "x-api-key": apiKey } })
      for (
        const fault of [
          Fault.status(401, { body: echo, contentType: "application/json" }),
          Fault.status(200, { body: echo, contentType: "application/json" }),
          Fault.html(`<html>${apiKey}`),
          Fault.html(`<html>${apiKey}`, 503),
          Fault.status(302, { headers: { location: `https://evil.example/?key=${apiKey}` } }),
          Fault.drop,
          Fault.dropInside(3),
          Fault.hang
        ]
      ) {
        const error = yield* retrieveWith(fault)
        const shown = [
          inspect(error, { depth: 20, showHidden: true }),
          JSON.stringify(error),
          String(error),
          error.stack,
          Cause.pretty(Cause.fail(error))
        ].join("\n")
        assert.notInclude(shown, apiKey)
        assert.notInclude(shown, "planted")
      }
    }))

  it.effect("no secret and no signed link appears in spans, logs or refs", () =>
    Effect.gen(function*() {
      const { spans, tracer } = recordSpans()
      const logs: Array<unknown> = []
      const logger = Logger.make((options) =>
        logs.push(options.message, options.cause, options.fiber.getRef(References.CurrentLogAnnotations))
      )
      const program = Effect.gen(function*() {
        const spine = yield* Spine.SpineClient
        const emulator = yield* SpineEmulator.SpineEmulator
        yield* emulator.script({
          timeline: Timeline.make({ duration: "10 seconds" }),
          artifacts: [{ name: "a.txt", content: "a" }]
        })
        const created = yield* spine.runs.create({ prompt: "x" })
        yield* emulator.fault(
          Fault.status(503),
          Fault.status(429),
          Fault.status(400, { body: apiKey, contentType: "text/plain" })
        )
        failure(yield* finish(spine.runs.waitForCompletion(created), "1 minute"))
        const run = success(yield* finish(spine.runs.waitForCompletion(created), "1 minute"))
        yield* spine.artifacts.download(run, run.result.artifacts[0]!)
        return { created, run }
      }).pipe(
        Effect.provide(live({ tracePolls: true })),
        Effect.withTracer(tracer),
        Effect.provide(Logger.layer([logger])),
        Effect.provideService(References.MinimumLogLevel, "All")
      )
      const { created, run } = yield* program
      const names = spans.map(({ name }) => name)
      assert.includeMembers(names, ["SpineRuns.create", "Run.wait", "http.client POST", "http.client GET"])
      const shown = inspect(spans.map((span) => [span.name, [...span.attributes], shownFailure(span)]), { depth: 20 }) +
        inspect(logs, { depth: 20 }) + JSON.stringify(created.ref)
      assert.notInclude(shown, apiKey)
      assert.notInclude(shown, new URL(run.result.artifacts[0]!.download_url).search)
      assert.isAbove(logs.length, 0)
      const wait = spans.findLast(({ name }) => name === "Run.wait")!
      assert.strictEqual(wait.attributes.get("run.id"), created.run_id)
      assert.strictEqual(wait.attributes.get("run.outcome"), "Succeeded")
      assert.isAtLeast(Number(wait.attributes.get("run.polls")), 1)
    }))

  it.effect("the key follows a redirect within the provider's origin, and none to another", () =>
    Effect.gen(function*() {
      const redirect = (location: string) => new Response(null, { status: 307, headers: { location } })
      const { layer: http, requests } = answering(({ url }) =>
        url.pathname.startsWith("/v1/")
          ? redirect("/v2/moved")
          : url.pathname === "/v2/moved" && url.search === ""
          ? json(acceptedRun(id))
          : redirect("https://evil.example/")
      )
      const layer = (baseUrl: string) => Layer.provide(Spine.layer({ apiKey: Redacted.make(apiKey), baseUrl }), http)
      assert.strictEqual((yield* Effect.provide(retrieve, layer("https://spine.example"))).status, "running")
      assert.deepStrictEqual(requests.map(({ headers, url }) => [url, headers["x-api-key"]]), [
        [`https://spine.example/v1/run/${id}`, apiKey],
        ["https://spine.example/v2/moved", apiKey]
      ])
      requests.length = 0
      const error = yield* Effect.flip(Effect.provide(retrieve, layer("https://spine.example/other")))
      assert.instanceOf(error, RunError.InvalidResponseError)
      assert.include(error.message, "https://evil.example")
      assert.deepStrictEqual(requests.map(({ url }) => url), [`https://spine.example/other/v1/run/${id}`])
    }))

  it.effect("no trace headers go to the provider", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      yield* spine.runs.create({ prompt: "x" })
      const [request] = yield* (yield* SpineEmulator.SpineEmulator).requests
      assert.notProperty(request!.headers, "traceparent")
      assert.notProperty(request!.headers, "b3")
    }).pipe(
      Effect.provide(live()),
      Effect.withTracer(Tracer.make({ span: (options) => new Tracer.NativeSpan(options) }))
    ))
})

describe("configuration", () => {
  const build = (layer: Layer.Layer<Spine.SpineClient, RunError.ConfigError>) =>
    Effect.scoped(Effect.flip(Layer.build(layer)))

  for (
    const [name, options, option] of [
      ["no key", {}, "apiKey"],
      ["an empty key", { apiKey: Redacted.make("") }, "apiKey"],
      ["a blank key", { apiKey: Redacted.make("  ") }, "apiKey"],
      ["a key with a line break", { apiKey: Redacted.make("sk_spine_planted\n") }, "apiKey"],
      ["a key that is not redacted", { apiKey: "sk_spine_planted" }, "apiKey"],
      ["an invalid base URL", { apiKey: Redacted.make("k"), baseUrl: "api.getspine.ai" }, "baseUrl"],
      ["a base URL of another scheme", { apiKey: Redacted.make("k"), baseUrl: "ftp://api.getspine.ai" }, "baseUrl"],
      ["a base URL with a password", { apiKey: Redacted.make("k"), baseUrl: "https://a:b@api.getspine.ai" }, "baseUrl"],
      ["a timeout of zero", { apiKey: Redacted.make("k"), requestTimeout: 0 }, "requestTimeout"],
      ["an invalid timeout", { apiKey: Redacted.make("k"), requestTimeout: "soon" }, "requestTimeout"]
    ] as const
  ) {
    it.effect(`${name} is a ConfigError that shows no secret`, () =>
      Effect.gen(function*() {
        const error = yield* build(Spine.layer(options as never).pipe(Layer.provide(noRequests)))
        assert.instanceOf(error, RunError.ConfigError)
        assert.strictEqual(error.option, option)
        assert.notInclude(inspect(error, { depth: 9 }), "planted")
      }))
  }

  const env = (values: Record<string, string>) =>
    Layer.provide(Layer.mergeAll(ConfigProvider.layer(ConfigProvider.fromEnv({ env: values })), noRequests))

  it.effect("layerConfig reads SPINE_API_KEY and SPINE_BASE_URL", () =>
    Effect.gen(function*() {
      const missing = yield* build(Spine.layerConfig().pipe(env({})))
      assert.strictEqual(missing.option, "SPINE_API_KEY")
      assert.include(missing.message, "SPINE_API_KEY")
      const wrong = yield* build(Spine.layerConfig().pipe(env({ SPINE_API_KEY: "k", SPINE_BASE_URL: "nowhere" })))
      assert.strictEqual(wrong.option, "baseUrl")
      yield* Effect.scoped(Layer.build(Spine.layerConfig().pipe(env({ SPINE_API_KEY: "k" }))))
      const given = Spine.layerConfig({ apiKey: Redacted.make("k") }).pipe(env({}))
      yield* Effect.scoped(Layer.build(given))
    }))

  it.effect("layerConfig calls the base URL of the environment with the key of the environment", () =>
    Effect.gen(function*() {
      const emulator = yield* SpineEmulator.SpineEmulator
      assert.strictEqual(Exit.isFailure(yield* Effect.exit(retrieve)), true)
      const [request] = yield* emulator.requests
      assert.strictEqual(request!.headers["x-api-key"], "sk_spine_env")
      assert.isTrue(request!.url.startsWith("https://staging.getspine.ai/"))
    }).pipe(
      Effect.provide(
        Spine.layerConfig().pipe(
          Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({
            env: { SPINE_API_KEY: "sk_spine_env", SPINE_BASE_URL: "https://staging.getspine.ai" }
          }))),
          Layer.provideMerge(SpineEmulator.layerTest({ origin: "https://staging.getspine.ai" }))
        )
      )
    ))

  it.effect("layerFetch needs no HttpClient, and uses fetch", () =>
    Effect.gen(function*() {
      const { control, handler } = SpineEmulator.toWebHandler()
      const fetch: typeof globalThis.fetch = (input, init) => handler(new Request(input as URL, init))
      const created = yield* Effect.flatMap(Spine.SpineClient, (spine) =>
        spine.runs.create({ prompt: "x", files: [new Blob(["a"])] })).pipe(
          Effect.provide(Spine.layerFetch({ apiKey: Redacted.make(apiKey) })),
          Effect.provideService(FetchHttpClient.Fetch, fetch)
        )
      assert.deepStrictEqual(
        (yield* control.runs).map((run) =>
          run.id
        ),
        [created.run_id]
      )
    }))

  it("needs an HttpClient unless the layer brings one", () => {
    expectTypeOf(Spine.layer).returns.toEqualTypeOf<
      Layer.Layer<Spine.SpineClient, RunError.ConfigError, HttpClient.HttpClient>
    >()
    expectTypeOf(Spine.layerConfig).returns.toEqualTypeOf<
      Layer.Layer<Spine.SpineClient, RunError.ConfigError, HttpClient.HttpClient>
    >()
    expectTypeOf(Spine.layerFetch).returns.toEqualTypeOf<Layer.Layer<Spine.SpineClient, RunError.ConfigError>>()
    expectTypeOf(Spine.layerTest).returns.toEqualTypeOf<Layer.Layer<Spine.SpineClient>>()
  })

  it.effect("transformClient may read the responses", () =>
    Effect.gen(function*() {
      const logged: Array<string> = []
      const run = { status: "running", run_id: id, progress: { tasks_completed: 0, tasks_total: 1, elapsed_ms: 0 } }
      const answers = answering(() => json({ success: true, data: run }))
      const options = (read: (response: HttpClientResponse.HttpClientResponse) => Effect.Effect<unknown, unknown>) => ({
        apiKey: Redacted.make(apiKey),
        transformClient: HttpClient.tap((response) =>
          Effect.map(Effect.orDie(read(response)), (text) => void logged.push(JSON.stringify(text)))
        )
      })
      for (const read of [({ text }) => text, ({ json }) => json] as Array<Parameters<typeof options>[0]>) {
        const { status } = yield* retrieve.pipe(
          Effect.provide(Layer.provide(Spine.layer(options(read)), answers.layer))
        )
        assert.strictEqual(status, "running")
      }
      assert.lengthOf(logged, 2)
    }))

  it.effect("transformClient sees the API's requests, and not the downloads", () =>
    Effect.gen(function*() {
      const urls: Array<string> = []
      const layer = live({
        transformClient: HttpClient.mapRequest((request) => {
          urls.push(new URL(request.url).pathname.split("/")[1]!)
          return HttpClientRequest.setHeader(request, "x-team", "blue")
        })
      })
      yield* Effect.gen(function*() {
        const spine = yield* Spine.SpineClient
        const emulator = yield* SpineEmulator.SpineEmulator
        yield* emulator.script({
          timeline: Timeline.make({ duration: "1 second" }),
          artifacts: [{ name: "a.txt", content: "a" }]
        })
        const run = success(yield* finish(spine.runs.run({ prompt: "x" }), "5 seconds"))
        yield* spine.artifacts.download(run, run.result.artifacts[0]!)
        assert.deepStrictEqual((yield* emulator.requests).map(({ headers }) => headers["x-team"]), [
          "blue",
          "blue",
          "blue",
          undefined
        ])
      }).pipe(Effect.provide(layer))
      assert.deepStrictEqual(urls, ["v1", "v1", "v1"])
    }))

  it.effect("rateLimit spreads requests, and the wait for a slot does not count as time of the request", () =>
    Effect.gen(function*() {
      const limiter = yield* RateLimiter.RateLimiter
      const layer = live({ requestTimeout: "1 second", rateLimit: { limiter, limit: 2, window: "1 minute" } })
      const at = yield* Effect.gen(function*() {
        const spine = yield* Spine.SpineClient
        const emulator = yield* SpineEmulator.SpineEmulator
        yield* finish(
          Effect.all(Array.from({ length: 6 }, () => Effect.exit(spine.runs.retrieve(id))), {
            concurrency: "unbounded"
          })
        )
        return (yield* emulator.requests).map(({ receivedAt }) => receivedAt)
      }).pipe(Effect.provide(layer))
      assert.deepStrictEqual(at, [0, 30_000, 60_000, 90_000, 120_000, 150_000])
    }).pipe(Effect.provide(RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory)))))

  for (
    const [name, gaveUpAt, laterAt, expected] of [
      ["long ago is not used together with a new one", 5000, 25_000, [0, 25_000, 35_000]],
      ["just now is not used together with a new one", 9000, 20_000, [0, 20_000, 30_000]],
      ["before its time is used by the next waiter", 5000, 6000, [0, 10_000, 20_000]]
    ] as const
  ) {
    it.effect(`rateLimit: a slot that a waiter left ${name}`, () =>
      Effect.gen(function*() {
        const limiter = yield* RateLimiter.RateLimiter
        const at = yield* Effect.gen(function*() {
          const { runs } = yield* Spine.SpineClient
          const retrieve = Effect.exit(runs.retrieve(id))
          yield* retrieve
          yield* finish(Effect.timeoutOption(retrieve, gaveUpAt), gaveUpAt)
          yield* TestClock.adjust(laterAt - gaveUpAt)
          yield* finish(Effect.all([retrieve, retrieve], { concurrency: "unbounded" }))
          return (yield* (yield* SpineEmulator.SpineEmulator).requests).map(({ receivedAt }) => receivedAt)
        }).pipe(Effect.provide(live({ rateLimit: { limiter, limit: 1, window: "10 seconds" } })))
        assert.deepStrictEqual(at, [...expected])
      }).pipe(Effect.provide(RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory)))))
  }
})

describe("layerTest", () => {
  it.effect("answers with the given handlers", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* retrieve).status, "running")
    }).pipe(Effect.provide(Spine.layerTest({
      runs: {
        retrieve: () =>
          Effect.succeed({
            status: "running",
            run_id: id,
            progress: { tasks_completed: 0, tasks_total: 1, elapsed_ms: 0 }
          })
      }
    }))))

  it.effect("dies with the name of the handler that is missing", () =>
    Effect.gen(function*() {
      const { artifacts, canvases, runs } = yield* Spine.SpineClient
      const artifact = { id, type: "png", name: "a.png", download_url: "https://x.example", size_bytes: 1 }
      const calls: Record<string, Effect.Effect<unknown, unknown, never>> = {
        "runs.create": runs.create({ prompt: "x" }),
        "runs.retrieve": runs.retrieve(id),
        "runs.waitForCompletion": runs.waitForCompletion(id),
        "runs.watch": Stream.runDrain(runs.watch(id)),
        "runs.polls": Stream.runDrain(runs.polls(id)),
        "runs.share": Effect.scoped(runs.share(id)),
        "runs.run": runs.run({ prompt: "x" }),
        "canvases.getDag": canvases.getDag(id),
        "canvases.getTasks": canvases.getTasks(id),
        "canvases.getTask": canvases.getTask(id, id),
        "artifacts.download": artifacts.download(id, artifact),
        "artifacts.stream": Stream.runDrain(artifacts.stream(id, artifact))
      }
      for (const [name, call] of Object.entries(calls)) {
        const exit = yield* Effect.exit(call)
        const [service, method] = name.split(".")
        assert.include(
          Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "",
          `SpineClient.${service}: Unimplemented method "${method}"`
        )
      }
    }).pipe(Effect.provide(Spine.layerTest({}))))
})

describe("telemetry", () => {
  it.effect("counts runs by outcome, polls, and the time waited", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.script({ timeline: Timeline.make({ duration: "20 seconds" }) })
      success(yield* finish(spine.runs.run({ prompt: "x" })))
      yield* emulator.script({ timeline: Timeline.make({ duration: "20 seconds", outcome: "failed" }) })
      failure(yield* finish(spine.runs.run({ prompt: "x" })))
      failure(yield* finish(spine.runs.run({ prompt: "x" }, { timeout: "10 seconds" })))
      const metrics = yield* Metric.snapshot
      const find = (name: string, outcome?: string) =>
        metrics.find((metric) =>
          metric.id === name && (outcome === undefined || metric.attributes?.["outcome"] === outcome)
        )
      assert.deepInclude(find("canvas_runs_created_total")!.state, { count: 3 })
      assert.deepInclude(find("canvas_runs_created_total")!.attributes!, { provider: "spine" })
      assert.deepInclude(find("canvas_runs_ended_total", "Succeeded")!.state, { count: 1 })
      assert.deepInclude(find("canvas_runs_ended_total", "Failed")!.state, { count: 1 })
      assert.deepInclude(find("canvas_runs_ended_total", "RunTimeoutError")!.state, { count: 1 })
      assert.deepInclude(find("canvas_runs_polls_total")!.state, { count: 5 + 5 + 3 })
      assert.deepInclude(find("canvas_runs_wait_duration", "Succeeded")!.state, { count: 1, sum: 20_000 })
    }).pipe(Effect.provide(live()), Effect.provideService(Metric.MetricRegistry, new Map())))

  it.effect("counts watched and shared runs like awaited ones", () =>
    Effect.gen(function*() {
      const spine = yield* Spine.SpineClient
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.script({ timeline: Timeline.make({ duration: "20 seconds" }) })
      const { run_id } = yield* spine.runs.create({ prompt: "x" })
      const watched = yield* Effect.forkChild(Stream.runDrain(spine.runs.watch(run_id)))
      yield* Effect.scoped(Effect.gen(function*() {
        const shared = yield* spine.runs.share(run_id)
        success(yield* finish(Effect.all([shared.wait, shared.wait], { concurrency: 2 })))
      }))
      success(yield* finish(Fiber.join(watched)))
      const ended = (yield* Metric.snapshot).filter(({ id }) => id === "canvas_runs_ended_total")
      assert.deepStrictEqual(ended.map(({ attributes }) => attributes?.["outcome"]), ["Succeeded"])
      assert.deepInclude(ended[0]!.state, { count: 2 }, "one loop for both waiters")
    }).pipe(Effect.provide(live()), Effect.provideService(Metric.MetricRegistry, new Map())))

  it.effect("opens a span per wait, and one per poll only with tracePolls", () =>
    Effect.gen(function*() {
      for (const tracePolls of [undefined, false, true]) {
        const names: Array<string> = []
        const tracer = Tracer.make({
          span: (options) => {
            names.push(options.name)
            return new Tracer.NativeSpan(options)
          }
        })
        const program = Effect.gen(function*() {
          const spine = yield* Spine.SpineClient
          const run = yield* spine.runs.run({ prompt: "x" })
          yield* spine.runs.retrieve(run)
          return run
        })
        success(yield* finish(program).pipe(Effect.provide(live({ tracePolls })), Effect.withTracer(tracer)))
        const count = (name: string) => names.filter((other) => other === name).length
        assert.strictEqual(count("Run.wait"), 1)
        assert.strictEqual(count("http.client POST"), 1, "a create is not a poll")
        // A single retrieve is not a poll either
        if (tracePolls === true) assert.isAbove(count("http.client GET"), 2)
        else assert.strictEqual(count("http.client GET"), 1)
      }
    }))

  it.effect("opens spans only when a tracer collects them", () =>
    Effect.gen(function*() {
      let spans = 0
      const layer = live({
        transformClient: HttpClient.transform((effect) =>
          Effect.flatMap(Effect.option(Effect.currentSpan), (span) => {
            if (span._tag === "Some") spans++
            return effect
          })
        )
      })
      const run = Effect.flatMap(Spine.SpineClient, (spine) => finish(spine.runs.run({ prompt: "x" }))).pipe(
        Effect.provide(layer)
      )
      success(yield* run)
      assert.strictEqual(spans, 0)
      success(yield* Effect.withTracer(run, Tracer.make({ span: (options) => new Tracer.NativeSpan(options) })))
      assert.isAbove(spans, 0)
    }))
})
