import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import {
  Cause,
  ConfigProvider,
  Effect,
  Exit,
  Layer,
  Logger,
  Option,
  Redacted,
  References,
  Schedule,
  Stream
} from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { inspect } from "node:util"
import { RunError, Tela } from "canvas-runs"
import { Fault, TelaEmulator } from "canvas-runs/testing"
import { failure, finish } from "../support/results.ts"
import { apiKey, applicationId, canvasId, live, setup } from "../support/tela.ts"
import { recordSpans, shownFailure } from "../support/spans.ts"
import { answering, noRequests } from "../support/http.ts"

const checked = Effect.flatMap(Tela.TelaClient, ({ checkCredential }) => checkCredential)

describe("the credential", () => {
  it.effect("is sent as a bearer token with every call", () =>
    Effect.gen(function*() {
      const { emulator, tela } = yield* setup
      yield* tela.checkCredential
      yield* tela.tasks.list()
      yield* tela.completionRuns.list()
      yield* tela.versions.latest(canvasId)
      yield* tela.environments.list(canvasId)
      const requests = yield* emulator.requests
      assert.deepStrictEqual(requests.map(({ path }) => path.split("?")[0]), [
        "/api-key",
        "/task",
        "/v1/completion-run",
        `/prompt/${canvasId}/latest-version`,
        "/environment"
      ])
      assert.deepStrictEqual(
        new Set(requests.map(({ headers }) => headers["authorization"])),
        new Set([`Bearer ${apiKey}`])
      )
    }).pipe(Effect.provide(live())))

  it.effect("may be a JWT", () =>
    Effect.gen(function*() {
      yield* checked
      const [request] = yield* (yield* TelaEmulator.TelaEmulator).requests
      assert.strictEqual(request!.headers["authorization"], "Bearer aaa.bbb.ccc")
    }).pipe(Effect.provide(
      Layer.provideMerge(Tela.layer({ jwt: Redacted.make("aaa.bbb.ccc") }), TelaEmulator.layerTest())
    )))

  it.effect("checkCredential reports whether the provider accepts it", () =>
    Effect.gen(function*() {
      const { emulator } = yield* setup
      assert.isUndefined(yield* checked)
      yield* emulator.revokeKey(apiKey)
      const error = yield* Effect.flip(checked)
      assert.instanceOf(error, RunError.AuthenticationError)
      assert.deepStrictEqual([error.operation, error.providerCode], ["checkCredential", "UNAUTHORIZED"])
    }).pipe(Effect.provide(live())))

  it.effect("is not sent to another origin when the provider redirects", () =>
    Effect.gen(function*() {
      const location = "https://evil.example/"
      const { layer: http, requests } = answering(() => new Response(null, { status: 307, headers: { location } }))
      const layer = Tela.layer({ apiKey: Redacted.make(apiKey), baseUrl: "https://tela.example/gateway" })
      const error = yield* checked.pipe(
        Effect.provide(Layer.provide(layer, http)),
        Effect.flip
      )
      assert.instanceOf(error, RunError.InvalidResponseError)
      assert.deepStrictEqual(requests.map(({ url }) => url), ["https://tela.example/gateway/api-key"])
    }))
})

describe("promise 11: secrets", () => {
  it.effect("no secret appears in any error, in any form that the provider may echo", () =>
    Effect.gen(function*() {
      const { emulator, tela } = yield* setup
      const body = { code: "X", message: `bad key ${apiKey}`, status: 401, name: "Error", details: { apiKey } }
      for (
        const fault of [
          Fault.status(401, { body }),
          Fault.status(400, { body }),
          Fault.status(200, { body }),
          Fault.html(`<html>${apiKey}`),
          Fault.html(`<html>${apiKey}`, 503),
          Fault.status(302, { headers: { location: `https://evil.example/?key=${apiKey}` } }),
          Fault.drop,
          Fault.hang
        ]
      ) {
        for (
          const call of [
            tela.tasks.get("1"),
            tela.tasks.approve("1"),
            tela.tasks.create(applicationId, [{ name: "x", variables: {} }]),
            tela.completionRuns.list(),
            tela.vault.download("vault://1")
          ]
        ) {
          yield* emulator.fault(fault)
          const error = failure(yield* finish(call as Effect.Effect<unknown, Error>))
          const shown = [
            inspect(error, { depth: 20, showHidden: true }),
            JSON.stringify(error),
            String(error),
            error.stack,
            Cause.pretty(Cause.fail(error))
          ].join("\n")
          assert.notInclude(shown, "planted")
        }
      }
    }).pipe(Effect.provide(live({ retry: Schedule.recurs(0) }))))

  it.effect("no secret and no signed link appears in spans or logs", () =>
    Effect.gen(function*() {
      const { spans, tracer } = recordSpans()
      const logs: Array<unknown> = []
      const logger = Logger.make((options) =>
        logs.push(options.message, options.cause, options.fiber.getRef(References.CurrentLogAnnotations))
      )
      const urls = yield* Effect.gen(function*() {
        const { emulator, tela } = yield* setup
        const [task] = yield* tela.tasks.create(applicationId, [
          { name: "x", variables: { file: Tela.file(new File(["a"], "a.txt")) }, outputContent: {} }
        ])
        yield* tela.tasks.approve(task.id)
        yield* Stream.runDrain(tela.tasks.stream())
        yield* tela.versions.latest(canvasId)
        const [file] = yield* emulator.files
        yield* tela.vault.download(`vault://${file!.id}`)
        yield* emulator.fault(Fault.status(503), Fault.status(400, { body: { message: apiKey } }))
        failure(yield* finish(tela.tasks.get(task.id)))
        return (yield* emulator.requests).map(({ url }) => url)
      }).pipe(
        Effect.provide(live()),
        Effect.withTracer(tracer),
        Effect.provide(Logger.layer([logger])),
        Effect.provideService(References.MinimumLogLevel, "All")
      )
      assert.includeMembers(spans.map(({ name }) => name), [
        "TelaTasks.create",
        "TelaTasks.update",
        "TelaTasks.list",
        "TelaTasks.get",
        "TelaVersions.latest",
        "TelaVault.resolve"
      ])
      const shown = inspect(spans.map((span) => [span.name, [...span.attributes], shownFailure(span)]), { depth: 20 }) +
        inspect(logs, { depth: 20 })
      assert.notInclude(shown, "planted")
      const signed = urls.filter((url) => url.includes("/_files/"))
      assert.strictEqual(signed.length, 2)
      for (const url of signed) assert.notInclude(shown, new URL(url).pathname)
      assert.isAbove(logs.length, 0)
    }))
})

describe("configuration", () => {
  const build = (layer: Layer.Layer<Tela.TelaClient, RunError.ConfigError>) =>
    Effect.scoped(Effect.flip(Layer.build(layer)))
  const key = { apiKey: Redacted.make("tela_planted") }

  for (
    const [name, options, option] of [
      ["neither a key nor a JWT", {}, "apiKey"],
      ["both a key and a JWT", { ...key, jwt: Redacted.make("planted.jwt") }, "apiKey"],
      ["an empty key", { apiKey: Redacted.make("") }, "apiKey"],
      ["a key with a line break", { apiKey: Redacted.make("tela_planted\n") }, "apiKey"],
      ["a key that is not redacted", { apiKey: "tela_planted" }, "apiKey"],
      ["a JWT with a space", { jwt: Redacted.make("planted jwt") }, "jwt"],
      ["an invalid base URL", { ...key, baseUrl: "api.tela.com" }, "baseUrl"],
      ["a base URL with a password", { ...key, baseUrl: "https://a:planted@api.tela.com" }, "baseUrl"],
      ["a timeout of zero", { ...key, requestTimeout: 0 }, "requestTimeout"]
    ] as const
  ) {
    it.effect(`${name} is a ConfigError that shows no secret`, () =>
      Effect.gen(function*() {
        const error = yield* build(Tela.layer(options as never).pipe(Layer.provide(noRequests)))
        assert.instanceOf(error, RunError.ConfigError)
        assert.strictEqual(error.option, option)
        assert.notInclude(inspect(error, { depth: 9 }), "planted")
      }))
  }

  const env = (values: Record<string, string>) =>
    Layer.provide(Layer.mergeAll(ConfigProvider.layer(ConfigProvider.fromEnv({ env: values })), noRequests))

  for (const values of [{}, { TELA_API_KEY: "", TELA_JWT: "" }]) {
    it.effect(`layerConfig names both variables when neither is set, as in ${JSON.stringify(values)}`, () =>
      Effect.gen(function*() {
        const { message, option } = yield* build(Tela.layerConfig().pipe(env(values)))
        assert.strictEqual(option, "TELA_API_KEY")
        assert.include(message, "Neither TELA_API_KEY nor TELA_JWT is set")
      }))
  }

  it.effect("layerConfig rejects both variables at once", () =>
    Effect.gen(function*() {
      const error = yield* build(Tela.layerConfig().pipe(env({ TELA_API_KEY: "planted", TELA_JWT: "planted" })))
      assert.strictEqual(error.message, "Tela client: Both TELA_API_KEY and TELA_JWT are set. Unset one of them.")
    }))

  it.effect("layerConfig rejects an invalid base URL", () =>
    Effect.gen(function*() {
      const error = yield* build(Tela.layerConfig().pipe(env({ TELA_API_KEY: "k", TELA_BASE_URL: "nowhere" })))
      assert.strictEqual(error.option, "baseUrl")
    }))

  it.effect("options of layerConfig have priority over the environment, with either kind of credential", () =>
    Effect.gen(function*() {
      const values = { TELA_API_KEY: "from-env", TELA_JWT: "from.env" }
      yield* Effect.scoped(Layer.build(Tela.layerConfig({ jwt: Redacted.make("a.b.c") }).pipe(env(values))))
      yield* Effect.scoped(Layer.build(Tela.layerConfig({ apiKey: Redacted.make("k") }).pipe(env(values))))
    }))

  for (const variable of ["TELA_API_KEY", "TELA_JWT"]) {
    it.effect(`layerConfig calls TELA_BASE_URL with ${variable}, if the other is empty or not set`, () =>
      Effect.gen(function*() {
        yield* checked
        const [request] = yield* (yield* TelaEmulator.TelaEmulator).requests
        assert.strictEqual(request!.headers["authorization"], `Bearer from-${variable}`)
        assert.strictEqual(request!.url, "https://staging.api.tela.com/api-key")
      }).pipe(
        Effect.provide(
          Tela.layerConfig().pipe(
            Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({
              env: {
                ...(variable === "TELA_JWT" ? { TELA_API_KEY: "" } : {}),
                [variable]: `from-${variable}`,
                TELA_BASE_URL: "https://staging.api.tela.com"
              }
            }))),
            Layer.provideMerge(TelaEmulator.layerTest({ origin: "https://staging.api.tela.com" }))
          )
        )
      ))
  }

  it.effect("layerFetch needs no HttpClient, and uses fetch", () =>
    Effect.gen(function*() {
      const { control, dispose, handler } = TelaEmulator.toWebHandler()
      const fetch: typeof globalThis.fetch = (input, init) => handler(new Request(input as URL, init))
      const [task] = yield* Effect.flatMap(Tela.TelaClient, ({ tasks }) =>
        tasks.create(applicationId, [{ name: "x", variables: {}, outputContent: 1 }])).pipe(
          Effect.provide(Tela.layerFetch({ apiKey: Redacted.make(apiKey) })),
          Effect.provideService(FetchHttpClient.Fetch, fetch)
        )
      assert.deepStrictEqual(
        (yield* control.tasks).map(({ id }) =>
          id
        ),
        [task.id]
      )
      yield* Effect.promise(dispose)
    }))

  it("needs an HttpClient unless the layer brings one, and takes one kind of credential", () => {
    type NeedsClient = Layer.Layer<Tela.TelaClient, RunError.ConfigError, HttpClient.HttpClient>
    expectTypeOf(Tela.layer).returns.toEqualTypeOf<NeedsClient>()
    expectTypeOf(Tela.layerConfig).returns.toEqualTypeOf<NeedsClient>()
    expectTypeOf(Tela.layerFetch).returns.toEqualTypeOf<Layer.Layer<Tela.TelaClient, RunError.ConfigError>>()
    expectTypeOf(Tela.layerTest).returns.toEqualTypeOf<Layer.Layer<Tela.TelaClient>>()
    type Secret = Redacted.Redacted<string>
    expectTypeOf<{ apiKey: Secret; jwt: Secret }>().not.toExtend<Tela.Options>()
    expectTypeOf<{ requestTimeout: "1 second" }>().not.toExtend<Tela.Options>()
  })

  it.effect("transformClient sees the API's requests, and neither uploads nor downloads", () => {
    const paths: Array<string> = []
    return Effect.gen(function*() {
      const { emulator, tela } = yield* setup
      yield* tela.tasks.create(applicationId, [
        { name: "x", variables: { file: Tela.file(new File(["a"], "a.txt")) } }
      ])
      const [file] = yield* emulator.files
      yield* tela.vault.download(`vault://${file!.id}`)
      const marked = (yield* emulator.requests).map(({ headers, path }) => [path.split("/")[1], headers["x-team"]])
      assert.deepStrictEqual(marked, [
        ["v3", "blue"],
        ["_files", undefined],
        ["task", "blue"],
        ["_services", "blue"],
        ["_files", undefined]
      ])
      assert.strictEqual(paths.length, 3)
    }).pipe(Effect.provide(live({
      transformClient: HttpClient.mapRequest((request) => {
        paths.push(request.url)
        return HttpClientRequest.setHeader(request, "x-team", "blue")
      })
    })))
  })
})

describe("layerTest", () => {
  const execution = { result: { total: 42 } }

  it.effect("answers with the given handlers", () =>
    Effect.gen(function*() {
      const tela = yield* Tela.TelaClient
      assert.strictEqual((yield* tela.tasks.get("1")).name, "Task 1")
      assert.strictEqual((yield* tela.tasks.create("1", [{ name: "x", variables: {} }]))[0].name, "x")
      assert.strictEqual(yield* Stream.runCount(tela.tasks.stream()), 2)
      assert.deepStrictEqual(yield* tela.tasks.getOutput("1"), Option.some(1))
      assert.isUndefined(yield* tela.checkCredential)
    }).pipe(Effect.provide(Tela.layerTest({
      tasks: {
        get: (id) => Effect.succeed({ id: String(id), name: `Task ${String(id)}`, status: "running", tags: [] }),
        create: (_applicationId, tasks) =>
          Effect.succeed(tasks.map(({ name }, index) => ({ id: String(index), name, status: "running", tags: [] }))),
        stream: () =>
          Stream.make(
            { id: "1", name: "a", status: "running", tags: [] },
            { id: "2", name: "b", status: "running", tags: [] }
          ),
        getOutput: () => Effect.succeedSome(1)
      },
      checkCredential: Effect.void
    }))))

  it.effect("answers for a canvas in all its modes, whether it was looked up or not", () =>
    Effect.gen(function*() {
      const tela = yield* Tela.TelaClient
      const looked = yield* tela.canvas.get({ id: canvasId })
      assert.deepStrictEqual([looked.id, looked.name, looked.isWorkstation], [canvasId, "Looked up", false])
      const made = tela.canvas.make({ versionId: "v1" })
      for (const canvas of [looked, made]) {
        assert.deepStrictEqual((yield* canvas.execute({})).result, execution.result)
        assert.deepStrictEqual(yield* (yield* canvas.execute({}, { async: true })).result, "later")
        assert.deepStrictEqual(yield* Stream.runCount((yield* canvas.execute({}, { stream: true })).result), 1)
        assert.deepStrictEqual(yield* Stream.runCount(canvas.stream({})), 1)
        assert.strictEqual((yield* canvas.getExecution("e1")).id, "e1")
      }
      const workstation = tela.canvas.make({ applicationId })
      assert.deepStrictEqual([workstation.applicationId, workstation.isWorkstation], [applicationId, true])
    }).pipe(Effect.provide(Layer.suspend(() => {
      const canvas: Tela.TestCanvas = {
        execute: (_variables, { async }) =>
          Effect.succeed(async === true ? { result: Effect.succeed("later") } : execution),
        stream: () => Stream.make({ _tag: "Delta", text: "a" } as never),
        getExecution: (id) => Effect.succeed({ id: String(id) })
      }
      return Tela.layerTest({
        canvas: { get: () => Effect.succeed({ name: "Looked up", ...canvas }), make: () => canvas }
      })
    }))))

  it.effect("dies with the name of the handler that is missing", () =>
    Effect.gen(function*() {
      const { canvas, checkCredential, completionRuns, environments, getExecution, tasks, vault, versions } =
        yield* Tela
          .TelaClient
      const made = canvas.make({ id: canvasId })
      const calls: Record<string, Effect.Effect<unknown, unknown>> = {
        "checkCredential": checkCredential,
        "canvas.get": canvas.get({ id: canvasId }),
        "canvas.execute": made.execute({}),
        "canvas.run": made.run({}),
        "canvas.stream": Effect.flatMap(made.execute({}, { stream: true }), ({ result }) => Stream.runDrain(result)),
        "canvas.getExecution": made.getExecution("1"),
        "getExecution": getExecution("1"),
        "tasks.create": tasks.create(applicationId, []),
        "tasks.get": tasks.get("1"),
        "tasks.list": tasks.list(),
        "tasks.stream": Stream.runDrain(tasks.stream()),
        "tasks.progress": tasks.progress(),
        "tasks.update": tasks.update("1", {}),
        "tasks.approve": tasks.approve("1"),
        "tasks.rename": tasks.rename("1", "x"),
        "tasks.setOutputContent": tasks.setOutputContent("1", 1),
        "tasks.patchOutputContent": tasks.patchOutputContent("1", {}),
        "tasks.patchOutputField": tasks.patchOutputField("1", "a", 1),
        "tasks.updateOutputContent": tasks.updateOutputContent("1", () => 1),
        "tasks.getInputFiles": tasks.getInputFiles("1"),
        "tasks.getOutput": tasks.getOutput("1"),
        "completionRuns.list": completionRuns.list(),
        "completionRuns.stream": Stream.runDrain(completionRuns.stream()),
        "versions.get": versions.get("1"),
        "versions.latest": versions.latest("1"),
        "versions.promoted": versions.promoted("1"),
        "versions.history": versions.history("1"),
        "environments.list": environments.list("1"),
        "environments.resolve": environments.resolve("1", "production"),
        "vault.resolve": vault.resolve("vault://1"),
        "vault.download": vault.download("vault://1"),
        "vault.stream": Stream.runDrain(vault.stream("vault://1"))
      }
      for (const [name, call] of Object.entries(calls)) {
        const exit = yield* Effect.exit(call)
        assert.include(
          Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "",
          `TelaClient${name.includes(".") ? "." : ""}${name.split(".").slice(0, -1)}: Unimplemented method "${
            name.split(".").at(-1)
          }"`
        )
      }
    }).pipe(Effect.provide(Tela.layerTest({}))))

  it.effect("dies on a member that is missing from a handler's canvas", () =>
    Effect.gen(function*() {
      const { canvas } = yield* Tela.TelaClient
      const made = canvas.make({ id: canvasId })
      assert.deepStrictEqual((yield* made.execute({})).result, execution.result)
      const exit = yield* Effect.exit(made.getExecution("1"))
      assert.include(
        Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "",
        "TelaClient.canvas: Unimplemented method \"getExecution\""
      )
    }).pipe(Effect.provide(Tela.layerTest({
      canvas: { make: () => ({ execute: () => Effect.succeed(execution) }) }
    }))))
})
