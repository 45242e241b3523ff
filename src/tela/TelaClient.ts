/**
 * The Tela client: a service, and the layers that make it.
 *
 * Words such as "assumption 15" in the code cite an assumption about the
 * provider, of which `docs/assumptions.md` has the list.
 *
 * **When to use**
 *
 * | layer | use it |
 * | --- | --- |
 * | {@link layerFetch} | in a program: it reads `TELA_API_KEY`, and uses fetch |
 * | {@link layerConfig} | with another `HttpClient`, such as `NodeHttp.layer` |
 * | {@link layer} | if the program has the key already |
 * | {@link layer} on `TelaEmulator.layerTest()` | in tests of the whole client, without a network |
 * | {@link layerTest} | in tests with handlers, without HTTP |
 *
 * **Example** (Validated output from a canvas)
 *
 * ```ts
 * import { Effect, Layer, Redacted, Schema } from "effect"
 * import { Tela } from "canvas-runs"
 * import { TelaEmulator } from "canvas-runs/testing"
 *
 * const Invoice = Schema.Struct({ total: Schema.Finite, currency: Schema.String })
 *
 * const program = Effect.gen(function*() {
 *   const tela = yield* Tela.TelaClient
 *   const canvas = tela.canvas.make({ id: TelaEmulator.invoiceCanvas.id, output: Invoice })
 *   const { result } = yield* canvas.execute({ document: Tela.file("https://example.com/invoice.pdf") })
 *   return `${result.total} ${result.currency}`
 * })
 *
 * // The real service: program.pipe(Effect.provide(Tela.layerFetch()))
 * const test = program.pipe(
 *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
 *     Layer.provideMerge(TelaEmulator.layerTest({ canvases: [TelaEmulator.invoiceCanvas] }))
 *   ))
 * )
 *
 * console.log(await Effect.runPromise(test)) // => 42 BRL
 * ```
 *
 * @see https://docs.tela.com/api-reference/introduction
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Stream from "effect/Stream"
import type { ClientOptions } from "../ClientOptions.ts"
import type { AnySchema } from "./internal/anySchema.ts"
import * as Client from "../internal/http/client.ts"
import * as Mock from "../internal/mock.ts"
import {
  type BadRequestError,
  ConfigError,
  type CreateError,
  type InvalidOutputError,
  type RequestError,
  type RunFailedError
} from "../RunError.ts"
import type { RunRef } from "../internal/ref.ts"
import type { RunSource } from "../RunSource.ts"
import * as Canvases from "./internal/canvas.ts"
import type { AnyOptions } from "./internal/canvasParams.ts"
import { getExecution } from "./internal/follow.ts"
import { get } from "./internal/get.ts"
import { refOf } from "./internal/ref.ts"
import { source } from "./internal/source.ts"
import * as StreamExecutions from "./internal/streamExecution.ts"
import * as Tasks from "./internal/tasks.ts"
import type * as TelaCanvas from "./TelaCanvas.ts"
import * as TelaCompletionRuns from "./TelaCompletionRuns.ts"
import {
  type AsyncExecution,
  type AsyncParams,
  type CanvasRunError,
  type ExecutionSnapshot,
  type GetExecutionParams,
  provider,
  type RunParams,
  type SyncExecution,
  type SyncParams,
  type TaskParams
} from "./TelaExecution.ts"
import { describeError, type Task } from "./TelaSchema.ts"
import type { StreamError, StreamParams, StreamPart } from "./TelaStream.ts"
import type * as TelaTasks from "./TelaTasks.ts"
import * as TelaVault from "./TelaVault.ts"
import * as TelaVersions from "./TelaVersions.ts"

/**
 * The members of the client.
 *
 * @see {@link TelaClient} for the service
 * @category models
 * @since 0.1.0
 */
export interface Service {
  /** Looks up or names canvases and applications, which execute. */
  readonly canvas: TelaCanvas.Canvases
  /** Looks up an execution, or a task, without a canvas. */
  readonly getExecution: {
    /**
     * Looks up an asynchronous execution by its id or ref, or with `isTask` a task. Its `result` is validated with the `output`
     * schema, if you give one.
     *
     * **Details**
     *
     * An execution that has ended has its `status` and `result` without another request. Any other is polled when its result is
     * requested: every second for 60 seconds by default, counted from then. `pollingInterval` and `pollingTimeout` change that. An
     * id that is not found is a `NotFoundError`. The provider keeps no synchronous and no streamed executions.
     *
     * **When to use**
     *
     * If the program has a ref and no canvas. `canvas.getExecution` validates with the schema of its canvas.
     *
     * **Example** (Resuming an execution by its ref)
     *
     * ```ts
     * import { Effect, Layer, Redacted, Schema } from "effect"
     * import { Tela } from "canvas-runs"
     * import { TelaEmulator, Timeline } from "canvas-runs/testing"
     *
     * const main = Effect.gen(function*() {
     *   const tela = yield* Tela.TelaClient
     *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
     *   const { ref } = yield* canvas.execute({ topic: "tides" }, { async: true })
     *   const execution = yield* tela.getExecution(ref, { output: { total: Schema.Finite }, pollingTimeout: "2h" })
     *   return yield* execution.result
     * }).pipe(
     *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
     *     Layer.provideMerge(TelaEmulator.layerTest({
     *       script: { timeline: Timeline.make({ duration: 0 }), output: { total: 42 } }
     *     }))
     *   ))
     * )
     *
     * console.log(await Effect.runPromise(main)) // => { total: 42 }
     * ```
     *
     * @see https://docs.tela.com/api-reference/completion/get
     */
    <Out extends AnySchema = AnySchema, Skip extends boolean = false>(
      id: string | RunRef,
      params?: GetExecutionParams<Skip> & {
        /** The schema of the output, as in `canvas.make`. */
        readonly output?: Out | undefined
      }
    ): Effect.Effect<AsyncExecution<TelaCanvas.Result<TelaCanvas.OutputOf<Out>, Skip>>, RequestError>
  }
  /**
   * Describes an execution or a task to the kernel, for a wait of your own with the functions of `Run`. `getExecution` does this for
   * you. The output of its snapshots is not validated.
   *
   * **Example** (A wait on the kernel)
   *
   * ```ts
   * import { Duration, Effect, Redacted, Schedule } from "effect"
   * import { Run, Tela } from "canvas-runs"
   * import { TelaEmulator, Timeline } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
   *   const { ref } = yield* canvas.execute({ topic: "tides" }, { async: true })
   *   const snapshot = yield* Run.wait(yield* tela.source(ref), {
   *     schedule: Schedule.spaced("1 second"),
   *     timeout: Duration.minutes(10),
   *     errorBudget: 5,
   *     retryAfterCeiling: Duration.minutes(1)
   *   })
   *   return snapshot.output
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") })),
   *   Effect.provide(TelaEmulator.layerTest({ script: { timeline: Timeline.make({ duration: 0 }), output: "Twice a day" } }))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => Twice a day
   * ```
   */
  readonly source: (
    ref: RunRef
  ) => Effect.Effect<RunSource<ExecutionSnapshot, ExecutionSnapshot, ExecutionSnapshot>, BadRequestError>
  /** Creates, reads, changes and approves tasks: the executions of applications, which people review. */
  readonly tasks: TelaTasks.Tasks
  /** Lists the asynchronous executions of the workspace. */
  readonly completionRuns: TelaCompletionRuns.CompletionRuns
  /** Reads the versions of canvases. */
  readonly versions: TelaVersions.Versions
  /** Reads the environments of canvases: which version is served where. */
  readonly environments: TelaVersions.Environments
  /** Reads the files behind `vault://` references. */
  readonly vault: TelaVault.Vault
  /**
   * Checks the credential with one request, `GET /api-key`. A credential that the provider does not accept is an
   * `AuthenticationError`.
   *
   * **Example** (Refusing to start with a wrong key)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   yield* tela.checkCredential
   *   return "ready"
   * }).pipe(
   *   Effect.catchTag("AuthenticationError", (error) => Effect.succeed(error.status)),
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("wrong") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest({ apiKeys: ["right"] }))
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => 401
   * ```
   */
  readonly checkCredential: Effect.Effect<void, RequestError>
}

/**
 * The Tela client, as a service.
 *
 * **Example** (Using the client of the context)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Tela } from "canvas-runs"
 *
 * const isReady = Effect.gen(function*() {
 *   const tela = yield* Tela.TelaClient
 *   return yield* Effect.as(tela.checkCredential, "ready")
 * })
 *
 * const test = Tela.layerTest({ checkCredential: Effect.void })
 *
 * console.log(await Effect.runPromise(Effect.provide(isReady, test))) // => ready
 * ```
 *
 * @see {@link layerFetch} for a layer that needs nothing else
 * @category services
 * @since 0.1.0
 */
export class TelaClient extends Context.Service<TelaClient, Service>()("canvas-runs/tela/TelaClient") {}

/**
 * The options of a client: those of every client, the API's origin, and either an API key or a JWT. Both together are a
 * `ConfigError`.
 *
 * @see {@link module:ClientOptions} for timeouts, retries, limits and webhooks
 * @see https://docs.tela.com/api-reference/introduction
 * @category models
 * @since 0.1.0
 */
export type Options =
  & ClientOptions
  & {
    /**
     * The API's origin.
     *
     * @default "https://api.tela.com"
     */
    readonly baseUrl?: string | undefined
  }
  & (
    | {
      /**
       * A key of the workspace, sent to the provider's origin and nowhere else. An `Effect` is run for each call, so that a key
       * can be rotated while the program runs. Its failure, or a key that takes longer than `requestTimeout`, is a
       * `TransportError` with `reached: false`, which a wait survives like other transient failures.
       */
      readonly apiKey: Redacted.Redacted<string> | Effect.Effect<Redacted.Redacted<string>, unknown>
      /** Not allowed beside an API key. */
      readonly jwt?: undefined
    }
    | {
      /** Not allowed beside a JWT. */
      readonly apiKey?: undefined
      /** A token of a signed-in user, or an `Effect` that returns the one that is valid now, as with `apiKey`. */
      readonly jwt: Redacted.Redacted<string> | Effect.Effect<Redacted.Redacted<string>, unknown>
    }
  )

/**
 * Makes a client on the `HttpClient` of the context. Options that are wrong are a `ConfigError`.
 *
 * **When to use**
 *
 * For several accounts in one program. For one account, a layer is simpler.
 *
 * **Example** (A client for each account)
 *
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { Tela } from "canvas-runs"
 * import { TelaEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const clients = yield* Effect.forEach(["key_a", "key_b"], (key) => Tela.make({ apiKey: Redacted.make(key) }))
 *   yield* Effect.forEach(clients, (tela) => tela.checkCredential, { discard: true })
 *   return clients.length
 * })
 *
 * console.log(await Effect.runPromise(Effect.provide(main, TelaEmulator.layerTest()))) // => 2
 * ```
 *
 * @see {@link layer} for a layer
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<Service, ConfigError, HttpClient.HttpClient> =>
  Client.about(name, () => build(options))

const name = "Tela client"

const build = (options: Options): Effect.Effect<Service, ConfigError, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const checked = yield* Client.readOptions(options, ["apiKey", "jwt"], true)
    const { apiKey, jwt } = checked
    if (apiKey !== undefined && jwt !== undefined) {
      return yield* new ConfigError({
        message: "Both an API key and a JWT were given. Give one of them.",
        option: "apiKey"
      })
    }
    const credential = jwt === undefined ? { option: "apiKey", value: apiKey } : { option: "jwt", value: jwt }
    const client = yield* Client.make({
      ...checked,
      provider,
      defaultBaseUrl: "https://api.tela.com",
      credential: { header: "authorization", prefix: "Bearer ", whereToGetOne, ...credential },
      describeError
    })
    const { api } = client
    return {
      canvas: Canvases.make(client),
      getExecution: ((id: string | RunRef, params?: GetExecutionParams & { readonly output?: unknown }) =>
        getExecution(client, "getExecution", id, params)) as Service["getExecution"],
      source: (ref) =>
        Effect.map(
          refOf("source", "ref", ref, "execution", ["execution", "task"]),
          (ref) =>
            source(api, ref, client.webhooks)
        ),
      tasks: Tasks.make(client),
      completionRuns: TelaCompletionRuns.make(api),
      versions: TelaVersions.make(api),
      environments: TelaVersions.makeEnvironments(api),
      vault: TelaVault.make(api, client.transfer),
      checkCredential: get(api, "checkCredential", "/api-key", () => Effect.void)
    }
  })

/**
 * Creates a layer with the client, on the `HttpClient` of the context. Options that are wrong are a `ConfigError`.
 *
 * **Example** (A client on the emulator)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { Tela } from "canvas-runs"
 * import { TelaEmulator } from "canvas-runs/testing"
 *
 * const TelaTest = Tela.layer({ apiKey: Redacted.make("tela_test"), requestTimeout: "10 seconds" }).pipe(
 *   Layer.provide(TelaEmulator.layerTest({ script: { output: "Twice a day" } }))
 * )
 *
 * const main = Effect.gen(function*() {
 *   const tela = yield* Tela.TelaClient
 *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
 *   return (yield* canvas.execute({ topic: "tides" })).result
 * })
 *
 * console.log(await Effect.runPromise(Effect.provide(main, TelaTest))) // => Twice a day
 * ```
 *
 * @see {@link layerConfig} for the key from the environment
 * @see {@link make} for the client without a layer
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<TelaClient, ConfigError, HttpClient.HttpClient> =>
  Layer.effect(TelaClient, make(options))

/**
 * Options of {@link layerConfig} and {@link layerFetch}: those of the client, where the credential and the address may also be a
 * `Config`.
 *
 * @see {@link Options} for the options of {@link layer}
 * @category models
 * @since 0.1.0
 */
export interface ConfigOptions extends Omit<ClientOptions, "baseUrl"> {
  /**
   * A key of the workspace, an `Effect` that returns one, or a `Config`.
   *
   * @default Config.Redacted("TELA_API_KEY"), unless there is a `jwt`
   */
  readonly apiKey?: Options["apiKey"] | Config.Config<Redacted.Redacted<string>>
  /**
   * A token of a signed-in user, an `Effect` that returns one, or a `Config`.
   *
   * @default Config.Redacted("TELA_JWT"), unless there is an `apiKey`
   */
  readonly jwt?: Options["jwt"] | Config.Config<Redacted.Redacted<string>>
  /**
   * The API's origin, or a `Config` of it.
   *
   * @default Config.String("TELA_BASE_URL"), and "https://api.tela.com" if that is not set
   */
  readonly baseUrl?: string | Config.Config<string> | undefined
}

/**
 * Creates a layer with the client, configured by `TELA_API_KEY` or `TELA_JWT` (exactly one of them) and `TELA_BASE_URL`. Options
 * given here win. A variable that is missing is a `ConfigError`.
 *
 * **Example** (A key under another name)
 *
 * ```ts
 * import { Config, ConfigProvider, Effect, Layer } from "effect"
 * import { Tela } from "canvas-runs"
 * import { TelaEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const tela = yield* Tela.TelaClient
 *   return yield* Effect.as(tela.checkCredential, "accepted")
 * }).pipe(
 *   Effect.provide(Tela.layerConfig({ apiKey: Config.Redacted("ACME_TELA_KEY") }).pipe(
 *     Layer.provideMerge(TelaEmulator.layerTest({ apiKeys: ["key_of_acme"] })),
 *     Layer.provideMerge(ConfigProvider.layer(ConfigProvider.fromEnv({ env: { ACME_TELA_KEY: "key_of_acme" } })))
 *   ))
 * )
 *
 * console.log(await Effect.runPromise(main)) // => accepted
 * ```
 *
 * @see {@link layerFetch} for the same with fetch
 * @see {@link layer} for a key that the program has already
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (options?: ConfigOptions): Layer.Layer<TelaClient, ConfigError, HttpClient.HttpClient> =>
  Layer.effect(
    TelaClient,
    Client.about(name, (variables) =>
      Effect.gen(function*() {
        const { apiKey, baseUrl = variableOfBaseUrl, jwt, ...rest } = yield* Client.readOptions(options, [
          "apiKey",
          "jwt"
        ])
        const credential = apiKey !== undefined || jwt !== undefined
          ? {
            apiKey: yield* Client.readConfig(variables, "apiKey", apiKey),
            jwt: yield* Client.readConfig(variables, "jwt", jwt)
          }
          : yield* readCredential(variables)
        return yield* build({
          ...rest,
          ...credential,
          baseUrl: yield* Client.readConfig(variables, "baseUrl", baseUrl)
        } as Options)
      }))
  )

/**
 * Creates a layer with the client, configured like {@link layerConfig}, on fetch.
 *
 * **When to use**
 *
 * In most programs. For many polls on Node, {@link layerConfig} with `NodeHttp.layer` of `canvas-runs/node` costs less: it keeps
 * connections open between polls.
 *
 * **Example** (A program without a key)
 *
 * ```ts
 * import { ConfigProvider, Effect } from "effect"
 * import { Tela } from "canvas-runs"
 *
 * const main = Effect.gen(function*() {
 *   const tela = yield* Tela.TelaClient
 *   yield* tela.checkCredential
 *   return "ready"
 * }).pipe(
 *   Effect.provide(Tela.layerFetch()),
 *   Effect.catchTag("ConfigError", (error) => Effect.succeed(`set ${error.option}`)),
 *   Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env: {} })))
 * )
 *
 * console.log(await Effect.runPromise(main)) // => set TELA_API_KEY
 * ```
 *
 * @see {@link layerConfig} for another `HttpClient`
 * @category layers
 * @since 0.1.0
 */
export const layerFetch = (options?: ConfigOptions): Layer.Layer<TelaClient, ConfigError> =>
  Layer.provide(layerConfig(options), FetchHttpClient.layer)

/**
 * The handlers of a test's canvas, or of its workstation. A call of a method without a handler is a defect that names the method.
 *
 * @see {@link layerTest} for an example
 * @category testing
 * @since 0.1.0
 */
export interface TestCanvas {
  /** The `id` of the canvas. The default is that of the options. */
  readonly id?: string | undefined
  /** The `versionId` of the canvas. The default is that of the options. */
  readonly versionId?: string | undefined
  /** The `applicationId` of the workstation. The default is that of the options, which alone decides `isWorkstation`. */
  readonly applicationId?: string | undefined
  /** The `name` of the canvas. */
  readonly name?: string | undefined
  /** The `isWorkflow` of the canvas. */
  readonly isWorkflow?: boolean | undefined
  /** Answers `execute`, unless it streams. Members that it leaves out of the execution are absent. */
  readonly execute?:
    | ((
      variables: unknown,
      params: SyncParams | AsyncParams | TaskParams
    ) => Effect.Effect<
      Partial<SyncExecution<unknown>> | Partial<AsyncExecution<unknown>>,
      CreateError | RunFailedError | InvalidOutputError
    >)
    | undefined
  /** Answers `run`. */
  readonly run?:
    | ((variables: unknown, params: RunParams | TaskParams) => Effect.Effect<unknown, CanvasRunError>)
    | undefined
  /** Answers `stream`, and `execute` with `{ stream: true }`. */
  readonly stream?:
    | ((variables: unknown, params: StreamParams) => Stream.Stream<StreamPart<unknown>, StreamError>)
    | undefined
  /** Answers `getExecution`. Members that it leaves out of the execution are absent. */
  readonly getExecution?:
    | ((
      id: string | RunRef,
      params: GetExecutionParams
    ) => Effect.Effect<Partial<AsyncExecution<unknown>>, RequestError>)
    | undefined
}

/**
 * The options that a test's `canvas.get` or `canvas.make` is called with.
 *
 * @category testing
 * @since 0.1.0
 */
export interface TestCanvasOptions extends AnyOptions {}

/**
 * Some of the client's methods, for a test.
 *
 * @see {@link layerTest} for an example
 * @category testing
 * @since 0.1.0
 */
export interface TestHandlers {
  /** Answers `canvas.get` and `canvas.make`. */
  readonly canvas?: {
    /** Answers `canvas.get` with the handlers of the canvas. */
    readonly get?: ((options: TestCanvasOptions) => Effect.Effect<TestCanvas, RequestError>) | undefined
    /** Answers `canvas.make` with the handlers of the canvas. Without it a canvas has no handlers. */
    readonly make?: ((options: TestCanvasOptions) => TestCanvas) | undefined
  } | undefined
  /** Answers methods of `tasks`. */
  readonly tasks?:
    | Partial<Omit<TelaTasks.Tasks, "create">> & {
      /** Answers `tasks.create`. */
      readonly create?: (
        applicationId: string,
        tasks: ReadonlyArray<TelaTasks.NewTask>
      ) => Effect.Effect<ReadonlyArray<Task>, CreateError>
    }
    | undefined
  /** Answers methods of `completionRuns`. */
  readonly completionRuns?: Partial<TelaCompletionRuns.CompletionRuns> | undefined
  /** Answers methods of `versions`. */
  readonly versions?: Partial<TelaVersions.Versions> | undefined
  /** Answers methods of `environments`. */
  readonly environments?: Partial<TelaVersions.Environments> | undefined
  /** Answers methods of `vault`. */
  readonly vault?: Partial<TelaVault.Vault> | undefined
  /** Answers `getExecution`. Members that it leaves out of the execution are absent. */
  readonly getExecution?: TestCanvas["getExecution"]
  /** Answers `source`. */
  readonly source?: Service["source"] | undefined
  /** Answers `checkCredential`. */
  readonly checkCredential?: Service["checkCredential"] | undefined
}

/**
 * Creates a layer with a client that consists of handlers, for tests without HTTP. A call of a method without a handler is a defect that
 * names the method.
 *
 * **When to use**
 *
 * To decide what one call returns. `TelaEmulator.layerTest` of `canvas-runs/testing` tests the whole client instead: requests,
 * schemas, polling and errors.
 *
 * **Details**
 *
 * The client returns what a handler of `canvas` returns. It applies no schema to variables or output.
 *
 * **Example** (Testing without HTTP)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Tela } from "canvas-runs"
 *
 * const total = Effect.gen(function*() {
 *   const tela = yield* Tela.TelaClient
 *   const canvas = yield* tela.canvas.get({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
 *   return (yield* canvas.execute({ document: "…" })).result
 * })
 *
 * const test = Tela.layerTest({
 *   canvas: {
 *     get: () => Effect.succeed({ execute: () => Effect.succeed({ result: { total: 42 } }) })
 *   }
 * })
 *
 * console.log(await Effect.runPromise(Effect.provide(total, test))) // => { total: 42 }
 * ```
 *
 * @see {@link module:TelaEmulator} in `canvas-runs/testing` for tests of the whole client
 * @category testing
 * @since 0.1.0
 */
export const layerTest = (handlers: TestHandlers): Layer.Layer<TelaClient> =>
  Layer.effect(
    TelaClient,
    Effect.gen(function*() {
      const missing = yield* Mock.make<{ readonly [K in keyof TestCanvas]-?: NonNullable<TestCanvas[K]> }>(
        "TelaClient.canvas",
        {}
      )

      const canvasOf = ({ applicationId, id, versionId }: TestCanvasOptions, handlers: TestCanvas = {}) => {
        const { execute = missing.execute, stream = missing.stream } = handlers
        return {
          id,
          versionId,
          applicationId,
          name: undefined,
          isWorkflow: undefined,
          run: missing.run,
          getExecution: missing.getExecution,
          ...handlers,
          isWorkstation: applicationId !== undefined,
          stream,
          execute: (variables: unknown, params: SyncParams | AsyncParams | StreamParams = {}) =>
            params.stream === true
              ? StreamExecutions.make(
                { params, variables, validate: Effect.succeed },
                () => stream(variables, params)
              )
              : execute(variables, params as SyncParams | AsyncParams)
        }
      }
      const { get, make } = handlers?.canvas ?? {}
      const mock = <Name extends keyof Service>(name: Name, members: object | undefined = handlers?.[name]) =>
        Mock.make<Service[Name] & object>(`TelaClient.${name}`, members)
      const { checkCredential, getExecution, source } = handlers ?? {}

      return yield* Mock.make<Service>("TelaClient", {
        canvas: yield* mock("canvas", {
          ...(get === undefined ? undefined : {
            get: (options: TestCanvasOptions) => Effect.map(get(options), (canvas) => canvasOf(options, canvas))
          }),
          make: (options: TestCanvasOptions) => canvasOf(options, make?.(options))
        }),
        tasks: yield* mock("tasks"),
        completionRuns: yield* mock("completionRuns"),
        versions: yield* mock("versions"),
        environments: yield* mock("environments"),
        vault: yield* mock("vault"),
        ...(getExecution === undefined ? undefined : { getExecution }),
        ...(source === undefined ? undefined : { source }),
        ...(checkCredential === undefined ? undefined : { checkCredential })
      })
    })
  )

const variableOfBaseUrl = /*#__PURE__*/ Config.withDefault(/*#__PURE__*/ Config.String("TELA_BASE_URL"), undefined)

const readCredential = Effect.fnUntraced(function*(variables: Client.Variables) {
  // A variable that is empty is as good as none
  const read = (option: string, name: string) =>
    Effect.map(
      Client.readConfig(variables, option, Config.option(Config.Redacted(name))),
      (value) => Option.getOrUndefined(Option.filter(value, (secret) => Redacted.value(secret) !== ""))
    )
  const apiKey = yield* read("apiKey", "TELA_API_KEY")
  const jwt = yield* read("jwt", "TELA_JWT")
  if ((apiKey === undefined) === (jwt === undefined)) {
    return yield* new ConfigError({
      message: apiKey === undefined
        ? `Neither TELA_API_KEY nor TELA_JWT is set. ${whereToGetOne} Then set TELA_API_KEY, or give apiKey to the layer.`
        : "Both TELA_API_KEY and TELA_JWT are set. Unset one of them.",
      option: "TELA_API_KEY"
    })
  }
  return { apiKey, jwt }
})

const whereToGetOne = "Create a key in Tela's workspace settings."
