/**
 * Tela canvases: looked up and compared with your schemas, or named without a request.
 *
 * **Example** (Running a canvas and validating its output)
 *
 * ```ts
 * import { Effect, Layer, Redacted, Schema } from "effect"
 * import { Tela } from "canvas-runs"
 * import { TelaEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const tela = yield* Tela.TelaClient
 *   const canvas = yield* tela.canvas.get({
 *     id: TelaEmulator.invoiceCanvas.id,
 *     output: { total: Schema.Finite, currency: Schema.String }
 *   })
 *   const { result } = yield* canvas.execute({ document: Tela.file("https://example.com/invoice.pdf") })
 *   return `${result.total} ${result.currency}`
 * }).pipe(
 *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
 *     Layer.provideMerge(TelaEmulator.layerTest({ canvases: [TelaEmulator.invoiceCanvas] }))
 *   ))
 * )
 *
 * console.log(await Effect.runPromise(main)) // => 42 BRL
 * ```
 *
 * @see https://docs.tela.com/en/completion-api/overview
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type { RunRef } from "../internal/ref.ts"
import {
  type BadRequestError,
  InvalidOutputError,
  type OnCreatedErrorOf,
  type RequestError,
  RunFailedError
} from "../RunError.ts"
import type * as AnySchema from "./internal/anySchema.ts"
import {
  type AsyncExecution,
  type AsyncParams,
  type CanvasRunError,
  type DynamicParams,
  ExecuteError,
  type GetExecutionParams,
  type OptionalModeParams,
  type RunParams,
  type SyncExecution,
  type SyncParams,
  type TaskParams
} from "./TelaExecution.ts"
import type * as Data from "./TelaCanvasSchema.ts"
import type { DynamicStreamParams, StreamError, StreamExecution, StreamParams, StreamPart } from "./TelaStream.ts"

/**
 * The variables of a canvas without an input schema: an object with a member for each variable. The values are files, and all
 * values that JSON can write.
 *
 * @see {@link module:TelaFile} for files in variables
 * @see https://docs.tela.com/en/completion-api/variables-and-files
 * @category models
 * @since 0.1.0
 */
export type Variables = { readonly [name: string]: unknown } | (object & NoContainer)

/** Members of arrays, functions and dates. The compiler takes these for objects, but JSON does not write them as objects. */
interface NoContainer {
  readonly [Symbol.iterator]?: never
  readonly apply?: never
  readonly getTime?: never
}

/**
 * The type of an execution's result. It is `Output` if `Skip`, the type of `skipResultValidation`, is `false`. It is `unknown` if
 * `Skip` is `true` or `boolean`, because the output is then not validated, or may not be.
 *
 * @category models
 * @since 0.1.0
 */
export type Result<Output, Skip> = [Skip] extends [false] ? Output : unknown

/**
 * The schema of the errors of a synchronous execution.
 *
 * @category schemas
 * @since 0.1.0
 */
export const SyncError = /*#__PURE__*/ Schema.Union([ExecuteError, RunFailedError, InvalidOutputError])

/**
 * The errors of a synchronous execution: those of the request, `CreateOutcomeUnknownError` if the execution may have run and no
 * result arrived, `RunFailedError` if it failed, and `InvalidOutputError` if its output does not fit the schema.
 *
 * @see {@link module:RunError} for each of them
 * @category errors
 * @since 0.1.0
 */
export type SyncError = ExecuteError | RunFailedError | InvalidOutputError

/**
 * An execution in any mode. `isSync`, `isAsync` and `isStream` say which mode it has, and narrow the type.
 *
 * @category models
 * @since 0.1.0
 */
export type Execution<Output> = SyncExecution<Output> | AsyncExecution<Output> | StreamExecution<Output>

/**
 * A canvas that can be executed. Each execution is billed. A request that starts one is repeated only if it certainly did not
 * reach the provider.
 *
 * **When to use**
 *
 * | method | use it if |
 * | --- | --- |
 * | `run` | you want the output of an execution of any length with one call |
 * | `execute` | the execution takes a few minutes at most, and may be lost with the process |
 * | `execute` with `async: true` | you also want its id, its ref, its events, or a webhook |
 * | `stream` | you show the text while the model writes it |
 * | `execute` with `stream: true` | you also want the status or the request id of the stream, or cancel it from another fiber |
 *
 * **Gotchas**
 *
 * An execution of a canvas that is named by its `id` runs the version that production serves at that time, also after
 * `canvas.get` has looked up an earlier version. To run exactly one version, give its `versionId`.
 *
 * @see {@link Workstation} for an application, whose executions are tasks
 * @see {@link Canvases} for the ways to get one
 * @category models
 * @since 0.1.0
 */
export interface Canvas<in Input = Variables, out Output = unknown> {
  /** The id of the canvas. `undefined` if `canvas.make` was given a version alone. */
  readonly id: string | undefined
  /** The id of the version that was looked up, or that `canvas.make` was given. */
  readonly versionId: string | undefined
  /** Always `undefined`: a {@link Workstation} has one. */
  readonly applicationId: undefined
  /** The title of the canvas. `undefined` if it was not looked up. */
  readonly name: string | undefined
  /** Whether the version that was looked up is a workflow. `undefined` if none was looked up. */
  readonly isWorkflow: boolean | undefined
  /** The version that was looked up, with the variables it takes and the form of its output. `undefined` if none was. */
  readonly version: Data.CanvasVersion | undefined
  /** Always `false`: distinguishes a canvas from a {@link Workstation}. */
  readonly isWorkstation: false
  /** Executes the canvas: synchronously, or with `async: true` or `stream: true` in another mode. */
  readonly execute: {
    /**
     * Executes the canvas, waits for the response (10 minutes by default), and returns the execution with its validated
     * `result`.
     *
     * **When to use**
     *
     * For executions of a few minutes at most. The execution cannot be looked up: if the connection breaks, its output is lost. Use
     * `run`, or `async: true`, for anything longer, and `stream` to show the text while it is written.
     *
     * **Gotchas**
     *
     * A response of 5xx is a `RunFailedError` only if it says that the execution failed. Otherwise it is a
     * `CreateOutcomeUnknownError`, because a proxy may have given up while the execution succeeds. So is a timeout.
     *
     * **Example** (A result with a type)
     *
     * ```ts
     * import { Effect, Layer, Redacted, Schema } from "effect"
     * import { Tela } from "canvas-runs"
     * import { TelaEmulator } from "canvas-runs/testing"
     *
     * const main = Effect.gen(function*() {
     *   const tela = yield* Tela.TelaClient
     *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11", output: { total: Schema.Finite } })
     *   const execution = yield* canvas.execute({ topic: "tides" }, { timeout: "2m" })
     *   return execution.result.total
     * }).pipe(
     *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
     *     Layer.provideMerge(TelaEmulator.layerTest({ script: { output: { total: 42 } } }))
     *   ))
     * )
     *
     * console.log(await Effect.runPromise(main)) // => 42
     * ```
     *
     * @see https://docs.tela.com/api-reference/completion/create
     */
    <Skip extends boolean = false>(
      variables: Input,
      params?: SyncParams<Skip>
    ): Effect.Effect<SyncExecution<Result<Output, Skip>>, SyncError>
    /**
     * Creates an asynchronous execution of the canvas, and returns it at once. Its `result` polls every second for 60 seconds by
     * default. `pollingInterval` and `pollingTimeout` change that.
     *
     * **When to use**
     *
     * For executions that outlive the process (store `ref`), for their events, and with `webhookUrl`. `run` does the same with one
     * call if you need the output alone.
     *
     * **Example** (An execution and its result)
     *
     * ```ts
     * import { Effect, Layer, Redacted } from "effect"
     * import { Tela } from "canvas-runs"
     * import { TelaEmulator } from "canvas-runs/testing"
     *
     * const main = Effect.gen(function*() {
     *   const tela = yield* Tela.TelaClient
     *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
     *   const execution = yield* canvas.execute({ topic: "tides" }, { async: true, pollingInterval: 1 })
     *   return [execution.ref.kind, yield* execution.status, yield* execution.result]
     * }).pipe(
     *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
     *     Layer.provideMerge(TelaEmulator.layerTest({ script: { polls: { running: 2 }, output: "Twice a day" } }))
     *   ))
     * )
     *
     * console.log(await Effect.runPromise(main)) // => ["execution", "created", "Twice a day"]
     * ```
     *
     * @see {@link AsyncExecution} for what it returns
     * @see https://docs.tela.com/en/completion-api/async-and-webhooks
     */
    <Skip extends boolean = false, E = never, R = never>(
      variables: Input,
      params: AsyncParams<Skip, E, R>
    ): Effect.Effect<AsyncExecution<Result<Output, Skip>>, ExecuteError | OnCreatedErrorOf<NoInfer<E>>, NoInfer<R>>
    /**
     * Returns a streamed execution, whose `result` is a `Stream`. This call sends no request: the first pull of `result` sends it.
     * A second run of `result` is a `BadRequestError`. A streamed execution has no id, no webhook and no polling.
     *
     * **When to use**
     *
     * If other code reads the `status` or the `requestId`, or calls `cancel`, while the stream is consumed. Otherwise
     * `canvas.stream` is shorter.
     *
     * **Example** (The status beside the stream)
     *
     * ```ts
     * import { Effect, Layer, Redacted, Stream } from "effect"
     * import { Tela } from "canvas-runs"
     * import { TelaEmulator } from "canvas-runs/testing"
     *
     * const main = Effect.gen(function*() {
     *   const tela = yield* Tela.TelaClient
     *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
     *   const execution = yield* canvas.execute({ topic: "tides" }, { stream: true })
     *   const before = yield* execution.status
     *   const parts = yield* Stream.runCollect(execution.result)
     *   return [before, yield* execution.status, parts.at(-1)?._tag]
     * }).pipe(
     *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
     *     Layer.provideMerge(TelaEmulator.layerTest())
     *   ))
     * )
     *
     * console.log(await Effect.runPromise(main)) // => ["created", "succeeded", "final"]
     * ```
     *
     * @see {@link StreamExecution} for what it returns
     * @see https://docs.tela.com/en/completion-api/streaming
     */
    <Skip extends boolean = false>(
      variables: Input,
      params: StreamParams<Skip> & {
        /** Makes the execution stream. */
        readonly stream: true
      }
    ): Effect.Effect<StreamExecution<Result<Output, Skip>>, BadRequestError>
    /**
     * Executes the canvas in a mode that only the running program knows. The execution's `isSync`, `isAsync` and `isStream` say
     * which mode it has.
     *
     * **Example** (A mode from the configuration)
     *
     * ```ts
     * import { Effect, Layer, Redacted } from "effect"
     * import { Tela } from "canvas-runs"
     * import { TelaEmulator } from "canvas-runs/testing"
     *
     * const settings = { async: false }
     *
     * const main = Effect.gen(function*() {
     *   const tela = yield* Tela.TelaClient
     *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
     *   const execution = yield* canvas.execute({ topic: "tides" }, settings)
     *   return execution.isAsync ? execution.ref.id : execution.isSync ? execution.result : "a stream"
     * }).pipe(
     *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
     *     Layer.provideMerge(TelaEmulator.layerTest({ script: { output: "Twice a day" } }))
     *   ))
     * )
     *
     * console.log(await Effect.runPromise(main)) // => Twice a day
     * ```
     */
    <Skip extends boolean = false, E = never, R = never>(
      variables: Input,
      params: DynamicParams<Skip, E, R> | DynamicStreamParams<Skip> | OptionalModeParams<Skip> | undefined
    ): Effect.Effect<Execution<Result<Output, Skip>>, SyncError | OnCreatedErrorOf<NoInfer<E>>, NoInfer<R>>
  }
  /** Creates an execution, polls until it ends, and returns its output. */
  readonly run: {
    /**
     * Creates an asynchronous execution, polls until it ends, and returns the validated output. It polls every second for 60
     * seconds by default. `pollingInterval` and `pollingTimeout` change that.
     *
     * **When to use**
     *
     * The default choice for an output. Use `execute` with `async: true` if you need the execution as a value, for its events or
     * to cancel the wait.
     *
     * **Details**
     *
     * Every failure after the creation has the execution's `ref`: after a `RunTimeoutError` or a lost connection, pass it to
     * `getExecution`. `onCreated` runs between the creation and the first poll, to store the ref.
     *
     * **Example** (An output with one call)
     *
     * ```ts
     * import { Effect, Layer, Redacted, Schema } from "effect"
     * import { Tela } from "canvas-runs"
     * import { TelaEmulator, Timeline } from "canvas-runs/testing"
     *
     * const main = Effect.gen(function*() {
     *   const tela = yield* Tela.TelaClient
     *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11", output: { total: Schema.Finite } })
     *   return yield* canvas.run({ topic: "tides" }, { pollingTimeout: "15m" })
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
     * @see {@link RunParams} for its parameters
     * @see https://docs.tela.com/en/completion-api/async-and-webhooks
     */
    <Skip extends boolean = false, E = never, R = never>(
      variables: Input,
      params?: RunParams<Skip, E, R>
    ): Effect.Effect<Result<Output, Skip>, CanvasRunError<NoInfer<E>>, NoInfer<R>>
  }
  /** Executes the canvas, and streams its output. */
  readonly stream: {
    /**
     * Executes the canvas and streams its output: the short form of `execute` with `{ stream: true }`. It emits text as it
     * arrives, and ends with a `final` part that holds the validated output.
     *
     * **Gotchas**
     *
     * The stream is cold: each run of it is a new execution, which is billed. Run it once, and share what it emits with
     * `Stream.share` or `Stream.broadcast`. A retry of the stream executes again.
     *
     * The provider does not document streams of workflows, and is assumed to refuse them (assumption 5).
     *
     * **Example** (Text as it arrives)
     *
     * ```ts
     * import { Effect, Layer, Redacted, Stream } from "effect"
     * import { Tela } from "canvas-runs"
     * import { TelaEmulator } from "canvas-runs/testing"
     *
     * const main = Effect.gen(function*() {
     *   const tela = yield* Tela.TelaClient
     *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
     *   return yield* canvas.stream({ topic: "tides" }).pipe(
     *     Stream.map((part) => part._tag === "delta" ? part.content : part._tag),
     *     Stream.filter((text) => text !== ""),
     *     Stream.runCollect
     *   )
     * }).pipe(
     *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
     *     Layer.provideMerge(TelaEmulator.layerTest({ script: { stream: { pieces: ["Tw", "ice"] } } }))
     *   ))
     * )
     *
     * console.log(await Effect.runPromise(main)) // => ["Tw", "ice", "final"]
     * ```
     *
     * @see {@link StreamPart} for what it emits
     * @see https://docs.tela.com/en/completion-api/streaming
     */
    <Skip extends boolean = false>(
      variables: Input,
      params?: StreamParams<Skip>
    ): Stream.Stream<StreamPart<Result<Output, Skip>>, StreamError>
  }
  /** Looks up an execution of this canvas. */
  readonly getExecution: {
    /**
     * Looks up an asynchronous execution by its id or ref, or with `isTask` a task, and validates its output with the schema of
     * this canvas. An execution that has ended has its result without polling.
     *
     * **When to use**
     *
     * To continue in another process, or after a `RunTimeoutError`. Prefer the ref to the id: it has the time of the creation, and
     * says whether it names a task. `tela.getExecution` needs no canvas.
     *
     * **Example** (Continuing from a stored ref)
     *
     * ```ts
     * import { Effect, Layer, Redacted } from "effect"
     * import { RunRef, Tela } from "canvas-runs"
     * import { TelaEmulator, Timeline } from "canvas-runs/testing"
     *
     * const main = Effect.gen(function*() {
     *   const tela = yield* Tela.TelaClient
     *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
     *   const { ref } = yield* canvas.execute({ topic: "tides" }, { async: true })
     *   const stored = JSON.stringify(ref)
     *   const execution = yield* canvas.getExecution(yield* RunRef.parse(stored))
     *   return yield* execution.result
     * }).pipe(
     *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
     *     Layer.provideMerge(TelaEmulator.layerTest({ script: { timeline: Timeline.make({ duration: 0 }), output: "Twice a day" } }))
     *   ))
     * )
     *
     * console.log(await Effect.runPromise(main)) // => Twice a day
     * ```
     *
     * @see {@link module:TelaClient} for `tela.getExecution`, which needs no canvas
     * @see https://docs.tela.com/api-reference/completion/get
     */
    <Skip extends boolean = false>(
      id: string | RunRef,
      params?: GetExecutionParams<Skip>
    ): Effect.Effect<AsyncExecution<Result<Output, Skip>>, RequestError>
  }
}

/**
 * An application of a workstation. Its executions are tasks, which people review. They are asynchronous, and do not stream.
 *
 * @see {@link Canvas} for executions without review
 * @see {@link module:TelaTasks} for reading, correcting and approving tasks
 * @see https://docs.tela.com/en/creating-tasks
 * @category models
 * @since 0.1.0
 */
export interface Workstation<in Input = Variables, out Output = unknown> {
  /** The id of the application's canvas. `undefined` if it was not looked up. */
  readonly id: string | undefined
  /** The id of the version that was looked up. `undefined` if none was. */
  readonly versionId: string | undefined
  /** The id of the application. */
  readonly applicationId: string
  /** The title of the application, or of its canvas. `undefined` if it was not looked up. */
  readonly name: string | undefined
  /** Whether the version that was looked up is a workflow. `undefined` if none was looked up. */
  readonly isWorkflow: boolean | undefined
  /** The version that was looked up, with the variables it takes and the form of its output. `undefined` if none was. */
  readonly version: Data.CanvasVersion | undefined
  /** Always `true`: distinguishes an application from a {@link Canvas}. */
  readonly isWorkstation: true
  /** Creates a task of the application. */
  readonly execute: {
    /**
     * Creates a task, and returns it at once. Its `result` polls every second for 60 seconds by default, and succeeds once the
     * task's status is `validating`, before a person has approved it (assumption 8).
     *
     * **When to use**
     *
     * If you need the task as a value: its ref, its events, or `cancel`. Use `run` for the output alone, and `tela.tasks.create`
     * for up to 100 tasks with one request.
     *
     * **Example** (A task that waits for its review)
     *
     * ```ts
     * import { Effect, Layer, Redacted } from "effect"
     * import { Tela } from "canvas-runs"
     * import { TelaEmulator, Timeline } from "canvas-runs/testing"
     *
     * const main = Effect.gen(function*() {
     *   const tela = yield* Tela.TelaClient
     *   const app = tela.canvas.make({ applicationId: "22222222-2222-4222-8222-222222222222" })
     *   const execution = yield* app.execute({ invoice: 17 }, { label: "Invoice 17" })
     *   const output = yield* execution.result
     *   const task = yield* tela.tasks.get(execution.ref)
     *   return [task.name, task.status, output]
     * }).pipe(
     *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
     *     Layer.provideMerge(TelaEmulator.layerTest({ script: { timeline: Timeline.make({ duration: 0 }), output: "42 BRL" } }))
     *   ))
     * )
     *
     * console.log(await Effect.runPromise(main)) // => ["Invoice 17", "validating", "42 BRL"]
     * ```
     *
     * @see {@link module:TelaTasks} for `tela.tasks.create`
     * @see https://docs.tela.com/en/creating-tasks
     */
    <Skip extends boolean = false, E = never, R = never>(
      variables: Input,
      params?: TaskParams<Skip, E, R>
    ): Effect.Effect<AsyncExecution<Result<Output, Skip>>, ExecuteError | OnCreatedErrorOf<NoInfer<E>>, NoInfer<R>>
  }
  /** Creates a task, waits for its output, and returns it. */
  readonly run: {
    /**
     * Creates a task, polls until its status is `validating` (every second for 60 seconds by default), and returns the
     * validated output. Every failure after the creation has the task's `ref`.
     *
     * **Gotchas**
     *
     * The output is not reviewed yet. Read the corrected output with `tela.tasks.getOutput` after the approval.
     *
     * **Example** (An output before its review)
     *
     * ```ts
     * import { Effect, Layer, Redacted, Schema } from "effect"
     * import { Tela } from "canvas-runs"
     * import { TelaEmulator, Timeline } from "canvas-runs/testing"
     *
     * const main = Effect.gen(function*() {
     *   const tela = yield* Tela.TelaClient
     *   const app = tela.canvas.make({
     *     applicationId: "22222222-2222-4222-8222-222222222222",
     *     output: { total: Schema.Finite }
     *   })
     *   return yield* app.run({ invoice: 17 }, { label: "Invoice 17" })
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
     * @see {@link TaskParams} for its parameters
     * @see https://docs.tela.com/en/creating-tasks
     */
    <Skip extends boolean = false, E = never, R = never>(
      variables: Input,
      params?: TaskParams<Skip, E, R>
    ): Effect.Effect<Result<Output, Skip>, CanvasRunError<NoInfer<E>>, NoInfer<R>>
  }
  /** Looks up a task of the application, to wait for its output. */
  readonly getExecution: {
    /**
     * Looks up a task of the application by its id or ref, and validates its output with the schema of this workstation.
     *
     * **When to use**
     *
     * To wait for the output of a task, such as one of `tela.tasks.create`. To read the task itself, use `tela.tasks.get`.
     *
     * **Example** (Waiting for a task that was created before)
     *
     * ```ts
     * import { Effect, Layer, Redacted } from "effect"
     * import { Tela } from "canvas-runs"
     * import { TelaEmulator, Timeline } from "canvas-runs/testing"
     *
     * const main = Effect.gen(function*() {
     *   const tela = yield* Tela.TelaClient
     *   const app = tela.canvas.make({ applicationId: "22222222-2222-4222-8222-222222222222" })
     *   const [task] = yield* tela.tasks.create(app.applicationId, [{ name: "Invoice 17", variables: {} }])
     *   const execution = yield* app.getExecution(task.id)
     *   return yield* execution.result
     * }).pipe(
     *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
     *     Layer.provideMerge(TelaEmulator.layerTest({ script: { timeline: Timeline.make({ duration: 0 }), output: "42 BRL" } }))
     *   ))
     * )
     *
     * console.log(await Effect.runPromise(main)) // => 42 BRL
     * ```
     *
     * @see https://docs.tela.com/api-reference/task/get-task-id
     */
    <Skip extends boolean = false>(
      id: string | RunRef,
      params?: GetExecutionParams<Skip>
    ): Effect.Effect<AsyncExecution<Result<Output, Skip>>, RequestError>
  }
}

/**
 * The schemas of a canvas's variables and output. Each is an Effect Schema, an implementation of Standard Schema such as a Zod
 * schema, or a plain object of schemas such as `{ total: Schema.Finite }`, which is read as a struct.
 *
 * **Details**
 *
 * Anything else, such as a JSON Schema or a function, is a `BadRequestError` before any request. `canvas.make` returns at once, so
 * there the first execution fails with it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Schemas<In extends AnySchema.AnySchema, Out extends AnySchema.AnySchema> {
  /**
   * The schema of the variables. It types and encodes them. Variables that do not fit are a `BadRequestError` before the execution.
   *
   * @default any object is accepted, and sent as it is
   */
  readonly input?: In | undefined
  /**
   * The schema of the output. It types and decodes the result. An output that does not fit is an `InvalidOutputError`, which holds
   * the output.
   *
   * @default the result is `unknown`, as the provider sent it
   */
  readonly output?: Out | undefined
}

/**
 * The variables that a canvas with the input schema `In` takes. Without a schema it is {@link Variables}.
 *
 * @category models
 * @since 0.1.0
 */
export type VariablesOf<In> = AnySchema.AnySchema extends In ? Variables : AnySchema.InputOf<In>

/**
 * The type of the output of a canvas with the output schema `Out`. Without a schema it is `unknown`.
 *
 * @category models
 * @since 0.1.0
 */
export type OutputOf<Out> = AnySchema.AnySchema extends Out ? unknown : AnySchema.OutputOf<Out>

/**
 * Names an application of a workstation.
 *
 * @category models
 * @since 0.1.0
 */
export interface ApplicationId {
  /** The id of the application. */
  readonly applicationId: string
  /** Not allowed beside an application. */
  readonly id?: undefined
  /** Not allowed beside an application, which has its own version. */
  readonly versionId?: undefined
}

/**
 * The ways to get a canvas.
 *
 * **When to use**
 *
 * | call | use it |
 * | --- | --- |
 * | `canvas.get` | when the program starts: it finds a wrong id or a schema that does not fit before an execution is billed |
 * | `canvas.make` | if the canvas is known to fit: it makes no request, and never fails |
 *
 * @category models
 * @since 0.1.0
 */
export interface Canvases {
  /** Looks up a canvas or an application, and compares it with your schemas. */
  readonly get: {
    /**
     * Looks up an application of a workstation, and compares the schemas with the variables and the structured output of its
     * canvas. A `BadRequestError` names every difference. It makes three requests.
     *
     * **Gotchas**
     *
     * The provider does not document how an application leads to its canvas. `GET /prompt-application/{id}` is assumed. Use
     * `canvas.make` if that fails.
     *
     * **Example** (An application and its title)
     *
     * ```ts
     * import { Effect, Layer, Redacted } from "effect"
     * import { Tela } from "canvas-runs"
     * import { TelaEmulator } from "canvas-runs/testing"
     *
     * const main = Effect.gen(function*() {
     *   const tela = yield* Tela.TelaClient
     *   const app = yield* tela.canvas.get({ applicationId: TelaEmulator.invoiceCanvas.id })
     *   return [app.name, app.isWorkstation]
     * }).pipe(
     *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
     *     Layer.provideMerge(TelaEmulator.layerTest({ canvases: [TelaEmulator.invoiceCanvas] }))
     *   ))
     * )
     *
     * console.log(await Effect.runPromise(main)) // => ["Invoice reader", true]
     * ```
     */
    <In extends AnySchema.AnySchema = AnySchema.AnySchema, Out extends AnySchema.AnySchema = AnySchema.AnySchema>(
      options: Schemas<In, Out> & ApplicationId
    ): Effect.Effect<Workstation<VariablesOf<In>, OutputOf<Out>>, RequestError>
    /**
     * Looks up a canvas by its id or by the id of a version, and compares the schemas with its variables and its structured
     * output. A `BadRequestError` names every difference. It makes two requests.
     *
     * **Details**
     *
     * An `id` alone stands for the version that production serves. A canvas that was never published, or that the key cannot
     * reach, is a `NotFoundError`. The output of a workflow is not compared.
     *
     * **Gotchas**
     *
     * A Standard Schema without a JSON Schema is used and not compared. Nor are custom types compared, such as
     * `z.custom<Tela.TelaFile>(Tela.isTelaFile)`, which is how a file is written in Zod.
     *
     * **Example** (A schema that does not fit the canvas)
     *
     * ```ts
     * import { Effect, Layer, Redacted, Schema } from "effect"
     * import { Tela } from "canvas-runs"
     * import { TelaEmulator } from "canvas-runs/testing"
     *
     * const main = Effect.gen(function*() {
     *   const tela = yield* Tela.TelaClient
     *   const canvas = yield* tela.canvas.get({
     *     id: TelaEmulator.invoiceCanvas.id,
     *     output: { total: Schema.Finite, taxes: Schema.Finite }
     *   })
     *   return canvas.name
     * }).pipe(
     *   Effect.catchTag("BadRequestError", (error) => Effect.succeed(error.message.split(": ").at(-1))),
     *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
     *     Layer.provideMerge(TelaEmulator.layerTest({ canvases: [TelaEmulator.invoiceCanvas] }))
     *   ))
     * )
     *
     * const message = await Effect.runPromise(main)
     * console.log(message) // => output.taxes does not exist on the canvas, and the output schema requires it.
     * ```
     *
     * @see https://docs.tela.com/api-reference/prompt-version/get-prompt-id-promoted-version
     * @see https://docs.tela.com/api-reference/canvas/get-prompt-id
     */
    <In extends AnySchema.AnySchema = AnySchema.AnySchema, Out extends AnySchema.AnySchema = AnySchema.AnySchema>(
      options: Schemas<In, Out> & CanvasOrVersion
    ): Effect.Effect<Canvas<VariablesOf<In>, OutputOf<Out>>, RequestError>
    /**
     * Looks up the canvas or the application that the options name. `isWorkstation` says which it is.
     *
     * **Example** (A target from the configuration)
     *
     * ```ts
     * import { Effect, Layer, Redacted } from "effect"
     * import { Tela } from "canvas-runs"
     * import { TelaEmulator } from "canvas-runs/testing"
     *
     * const target: Tela.ApplicationId | Tela.CanvasOrVersion = JSON.parse(`{ "id": "${TelaEmulator.invoiceCanvas.id}" }`)
     *
     * const main = Effect.gen(function*() {
     *   const tela = yield* Tela.TelaClient
     *   const canvas = yield* tela.canvas.get(target)
     *   return canvas.isWorkstation ? "an application" : canvas.version?.title
     * }).pipe(
     *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
     *     Layer.provideMerge(TelaEmulator.layerTest({ canvases: [TelaEmulator.invoiceCanvas] }))
     *   ))
     * )
     *
     * console.log(await Effect.runPromise(main)) // => "Invoice reader"
     * ```
     */
    <In extends AnySchema.AnySchema = AnySchema.AnySchema, Out extends AnySchema.AnySchema = AnySchema.AnySchema>(
      options: Schemas<In, Out> & (ApplicationId | CanvasOrVersion)
    ): Effect.Effect<
      Canvas<VariablesOf<In>, OutputOf<Out>> | Workstation<VariablesOf<In>, OutputOf<Out>>,
      RequestError
    >
  }
  /** Names a canvas or an application without a request. */
  readonly make: {
    /**
     * Names an application of a workstation without a request: it is not looked up, and the schemas are not compared. Options that
     * are wrong are a `BadRequestError` of its methods.
     *
     * **Example** (An application by its id)
     *
     * ```ts
     * import { Effect, Layer, Redacted } from "effect"
     * import { Tela } from "canvas-runs"
     * import { TelaEmulator } from "canvas-runs/testing"
     *
     * const main = Effect.gen(function*() {
     *   const tela = yield* Tela.TelaClient
     *   const app = tela.canvas.make({ applicationId: "22222222-2222-4222-8222-222222222222" })
     *   const task = yield* app.execute({ invoice: 17 })
     *   return task.ref.kind
     * }).pipe(
     *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
     *     Layer.provideMerge(TelaEmulator.layerTest())
     *   ))
     * )
     *
     * console.log(await Effect.runPromise(main)) // => "task"
     * ```
     */
    <In extends AnySchema.AnySchema = AnySchema.AnySchema, Out extends AnySchema.AnySchema = AnySchema.AnySchema>(
      options: Schemas<In, Out> & ApplicationId
    ): Workstation<VariablesOf<In>, OutputOf<Out>>
    /**
     * Names a canvas, or one of its versions, without a request: it is not looked up, and the schemas are not compared. Options
     * that are wrong are a `BadRequestError` of its methods.
     *
     * **Example** (Schemas in Zod, which the output is validated with)
     *
     * ```ts
     * import { Effect, Layer, Redacted } from "effect"
     * import { z } from "zod"
     * import { Tela } from "canvas-runs"
     * import { TelaEmulator } from "canvas-runs/testing"
     *
     * const main = Effect.gen(function*() {
     *   const tela = yield* Tela.TelaClient
     *   const canvas = tela.canvas.make({
     *     versionId: "33333333-3333-4333-8333-333333333333",
     *     output: z.object({ total: z.number() })
     *   })
     *   return yield* canvas.execute({ topic: "tides" })
     * }).pipe(
     *   Effect.catchTag("InvalidOutputError", (error) => Effect.succeed(error.output)),
     *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
     *     Layer.provideMerge(TelaEmulator.layerTest({ script: { output: { total: "unknown" } } }))
     *   ))
     * )
     *
     * console.log(await Effect.runPromise(main)) // => { total: "unknown" }
     * ```
     */
    <In extends AnySchema.AnySchema = AnySchema.AnySchema, Out extends AnySchema.AnySchema = AnySchema.AnySchema>(
      options: Schemas<In, Out> & CanvasOrVersion
    ): Canvas<VariablesOf<In>, OutputOf<Out>>
    /**
     * Names the canvas or the application of the options without a request. `isWorkstation` says which it is.
     *
     * **Example** (A target from the configuration)
     *
     * ```ts
     * import { Effect, Layer, Redacted } from "effect"
     * import { Tela } from "canvas-runs"
     * import { TelaEmulator } from "canvas-runs/testing"
     *
     * const target: Tela.ApplicationId | Tela.CanvasOrVersion = JSON.parse("{ \"applicationId\": \"app-7\" }")
     *
     * const main = Effect.gen(function*() {
     *   const tela = yield* Tela.TelaClient
     *   const canvas = tela.canvas.make(target)
     *   return canvas.isWorkstation ? canvas.applicationId : canvas.id
     * }).pipe(
     *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
     *     Layer.provideMerge(TelaEmulator.layerTest())
     *   ))
     * )
     *
     * console.log(await Effect.runPromise(main)) // => "app-7"
     * ```
     */
    <In extends AnySchema.AnySchema = AnySchema.AnySchema, Out extends AnySchema.AnySchema = AnySchema.AnySchema>(
      options: Schemas<In, Out> & (ApplicationId | CanvasOrVersion)
    ): Canvas<VariablesOf<In>, OutputOf<Out>> | Workstation<VariablesOf<In>, OutputOf<Out>>
  }
}

/**
 * Names a canvas by its `id`, or one of its versions by its `versionId`. With both, the version is executed.
 *
 * @see {@link ApplicationId} for an application
 * @category models
 * @since 0.1.0
 */
export type CanvasOrVersion =
  | {
    /** The id of the canvas. */
    readonly id: string
    /** The id of the version to execute. The default is the version that production serves. */
    readonly versionId?: string | undefined
    /** Not allowed beside a canvas. */
    readonly applicationId?: undefined
  }
  | {
    /** The id of the version to execute. */
    readonly versionId: string
    /** The id of the canvas. */
    readonly id?: string | undefined
    /** Not allowed beside a version. */
    readonly applicationId?: undefined
  }
