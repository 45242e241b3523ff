/**
 * The Tela client: a service, and the layers that make it.
 *
 * **Example** (Validated output from a canvas)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Tela } from "canvas-runs"
 *
 * const Invoice = Schema.Struct({ total: Schema.Number, currency: Schema.String })
 *
 * const program = Effect.gen(function*() {
 *   const tela = yield* Tela.TelaClient
 *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11", output: Invoice })
 *   const { result } = yield* canvas.execute({ document: Tela.file("https://example.com/invoice.pdf") })
 *   return `${result.total} ${result.currency}`
 * })
 *
 * // Reads TELA_API_KEY, and uses fetch
 * const main = program.pipe(Effect.provide(Tela.layerFetch()))
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
  ConfigError,
  type CreateError,
  type InvalidOutputError,
  type RequestError,
  type RunFailedError
} from "../RunError.ts"
import type { RunRef } from "../internal/ref.ts"
import * as Canvases from "./internal/canvas.ts"
import { getExecution } from "./internal/follow.ts"
import { get } from "./internal/get.ts"
import * as StreamExecutions from "./internal/streamExecution.ts"
import * as Tasks from "./internal/tasks.ts"
import type * as TelaCanvas from "./TelaCanvas.ts"
import * as TelaCompletionRuns from "./TelaCompletionRuns.ts"
import {
  type AsyncExecution,
  type AsyncParams,
  type CanvasRunError,
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
 * What the client offers.
 *
 * @category models
 * @since 0.1.0
 */
export interface Service {
  /** Canvases and applications, which execute. */
  readonly canvas: TelaCanvas.Canvases
  readonly getExecution: {
    /**
     * Looks up an asynchronous execution by its id or ref, or with `isTask` a task. Its `result` is validated with the `output`
     * schema, if you give one.
     *
     * **Details**
     *
     * An execution that has ended has its `status` and `result` without another request. Any other is polled when its result is
     * requested: every second for 60 seconds by default, counted from then; `pollingInterval` and `pollingTimeout` change that.
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
  /** Executions of applications, which people review. */
  readonly tasks: TelaTasks.Tasks
  /** What has been executed. */
  readonly completionRuns: TelaCompletionRuns.CompletionRuns
  /** Versions of canvases. */
  readonly versions: TelaVersions.Versions
  /** Which version is served where. */
  readonly environments: TelaVersions.Environments
  /** The files behind `vault://` references. */
  readonly vault: TelaVault.Vault
  /** Asks the provider whether it takes the credential. It fails with an `AuthenticationError` where it does not. */
  readonly checkCredential: Effect.Effect<void, RequestError>
}

/**
 * The Tela client.
 *
 * @category services
 * @since 0.1.0
 */
export class TelaClient extends Context.Service<TelaClient, Service>()("canvas-runs/tela/TelaClient") {}

/**
 * How a client is made: with an API key or a JWT, not both.
 *
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
      readonly jwt?: undefined
    }
    | {
      readonly apiKey?: undefined
      /** A token of a signed-in user, or an `Effect` that gives the one that is valid now, as with `apiKey`. */
      readonly jwt: Redacted.Redacted<string> | Effect.Effect<Redacted.Redacted<string>, unknown>
    }
  )

/**
 * Makes a client on the `HttpClient` at hand.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<Service, ConfigError, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const checked = yield* Client.readOptions(options ?? null, ["apiKey", "jwt"])
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
      tasks: Tasks.make(client),
      completionRuns: TelaCompletionRuns.make(api),
      versions: TelaVersions.make(api),
      environments: TelaVersions.makeEnvironments(api),
      vault: TelaVault.make(api, client.transfer),
      checkCredential: get(api, "checkCredential", "/api-key", () =>
        Effect.void)
    }
  })

/**
 * A layer with the client, on the `HttpClient` at hand.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<TelaClient, ConfigError, HttpClient.HttpClient> =>
  Layer.effect(TelaClient, make(options))

/**
 * Options of {@link layerConfig}: those of the client, where credentials and address may also be a `Config`.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConfigOptions extends Omit<ClientOptions, "baseUrl"> {
  /** @default Config.Redacted("TELA_API_KEY"), unless there is a `jwt` */
  readonly apiKey?: Options["apiKey"] | Config.Config<Redacted.Redacted<string>>
  /** @default Config.Redacted("TELA_JWT"), unless there is an `apiKey` */
  readonly jwt?: Options["jwt"] | Config.Config<Redacted.Redacted<string>>
  /** @default Config.String("TELA_BASE_URL"), or the provider's address */
  readonly baseUrl?: string | Config.Config<string> | undefined
}

/**
 * Creates a layer with the client, configured by `TELA_API_KEY` or `TELA_JWT` (exactly one of them) and `TELA_BASE_URL`. Options
 * given here win.
 *
 * **Example** (A key under another name)
 *
 * ```ts
 * import { Config, Layer } from "effect"
 * import { FetchHttpClient } from "effect/http"
 * import { Tela } from "canvas-runs"
 *
 * const layer = Tela.layerConfig({ apiKey: Config.Redacted("ACME_TELA_KEY") }).pipe(
 *   Layer.provide(FetchHttpClient.layer)
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (options?: ConfigOptions): Layer.Layer<TelaClient, ConfigError, HttpClient.HttpClient> =>
  Layer.effect(
    TelaClient,
    Effect.gen(function*() {
      const checked = yield* Client.readOptions(options, ["apiKey", "jwt"])
      const credential = checked.apiKey !== undefined || checked.jwt !== undefined
        ? {
          apiKey: yield* Client.fromConfig("apiKey", checked.apiKey),
          jwt: yield* Client.fromConfig("jwt", checked.jwt)
        }
        : yield* readCredential
      const baseUrl = checked.baseUrl === undefined
        ? Option.getOrUndefined(
          yield* Client.readConfig("TELA_BASE_URL", Config.option(Config.String("TELA_BASE_URL")))
        )
        : yield* Client.fromConfig("baseUrl", checked.baseUrl)
      return yield* make({ ...checked, ...credential, baseUrl } as Options)
    })
  )

/**
 * Everything at once: {@link layerConfig} and fetch.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerFetch = (options?: ConfigOptions): Layer.Layer<TelaClient, ConfigError> =>
  Layer.provide(layerConfig(options), FetchHttpClient.layer)

/**
 * What a canvas of a test does, for any kind of canvas.
 *
 * @category testing
 * @since 0.1.0
 */
export interface TestCanvas {
  readonly id?: string | undefined
  readonly versionId?: string | undefined
  readonly applicationId?: string | undefined
  readonly name?: string | undefined
  readonly isWorkflow?: boolean | undefined
  /** Answers `execute`, except where it streams. What it leaves out of an execution is absent. */
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
export interface TestCanvasOptions extends TelaCanvas.Schemas<AnySchema, AnySchema> {
  readonly id?: string | undefined
  readonly versionId?: string | undefined
  readonly applicationId?: string | undefined
}

/**
 * Some of the client's methods, for a test.
 *
 * @category testing
 * @since 0.1.0
 */
export interface TestHandlers {
  readonly canvas?: {
    readonly get?: ((options: TestCanvasOptions) => Effect.Effect<TestCanvas, RequestError>) | undefined
    readonly make?: ((options: TestCanvasOptions) => TestCanvas) | undefined
  } | undefined
  readonly tasks?:
    | Partial<Omit<TelaTasks.Tasks, "create">> & {
      readonly create?: (
        applicationId: string,
        tasks: ReadonlyArray<TelaTasks.NewTask>
      ) => Effect.Effect<ReadonlyArray<Task>, CreateError>
    }
    | undefined
  readonly completionRuns?: Partial<TelaCompletionRuns.CompletionRuns> | undefined
  readonly versions?: Partial<TelaVersions.Versions> | undefined
  readonly environments?: Partial<TelaVersions.Environments> | undefined
  readonly vault?: Partial<TelaVault.Vault> | undefined
  readonly getExecution?: TestCanvas["getExecution"]
  readonly checkCredential?: Service["checkCredential"] | undefined
}

/**
 * A client made of handlers, for tests without HTTP. A method without a handler dies with its name.
 *
 * **Details**
 *
 * What a handler of `canvas` returns is taken as it is: no schema is applied to variables or output.
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
                () => stream(variables, params) as Stream.Stream<StreamPart<never>, StreamError>
              )
              : execute(variables, params as SyncParams | AsyncParams)
        }
      }
      const { get, make } = handlers.canvas ?? {}
      const mock = <Name extends keyof Service>(name: Name, members: object | undefined = handlers[name]) =>
        Mock.make<Service[Name] & object>(`TelaClient.${name}`, members)
      const { checkCredential, getExecution } = handlers

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
        ...(checkCredential === undefined ? undefined : { checkCredential })
      })
    })
  )

const readCredential = Effect.gen(function*() {
  // A variable that is empty is as good as none
  const read = (name: string) =>
    Effect.map(
      Client.readConfig(name, Config.option(Config.Redacted(name))),
      (value) => Option.getOrUndefined(Option.filter(value, (secret) => Redacted.value(secret) !== ""))
    )
  const apiKey = yield* read("TELA_API_KEY")
  const jwt = yield* read("TELA_JWT")
  if ((apiKey === undefined) === (jwt === undefined)) {
    return yield* new ConfigError({
      message: apiKey === undefined
        ? `Neither TELA_API_KEY nor TELA_JWT is set. ${whereToGetOne}`
        : "Both TELA_API_KEY and TELA_JWT are set. Unset one of them.",
      option: "TELA_API_KEY"
    })
  }
  return { apiKey, jwt }
})

const whereToGetOne =
  "Create a key in Tela's workspace settings and set TELA_API_KEY (or TELA_JWT), or pass Redacted.make(key)."
