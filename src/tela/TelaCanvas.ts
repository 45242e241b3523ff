/**
 * Tela canvases: looked up and checked against the caller's schemas, or taken at the caller's word.
 *
 * @see https://docs.tela.com/en/completion-api/overview
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { RunRef } from "../internal/ref.ts"
import type {
  BadRequestError,
  InvalidOutputError,
  OnCreatedErrorOf,
  RequestError,
  RunFailedError
} from "../RunError.ts"
import type * as AnySchema from "./internal/anySchema.ts"
import type {
  AsyncExecution,
  AsyncParams,
  CanvasRunError,
  DynamicParams,
  ExecuteError,
  GetExecutionParams,
  OptionalModeParams,
  RunParams,
  SyncExecution,
  SyncParams,
  TaskParams
} from "./TelaExecution.ts"
import type * as Wire from "./TelaCanvasSchema.ts"
import type { DynamicStreamParams, StreamError, StreamExecution, StreamParams, StreamPart } from "./TelaStream.ts"

/**
 * The variables of a canvas without a schema: an object with a member for each variable.
 *
 * @category models
 * @since 0.1.0
 */
export type Variables = { readonly [name: string]: unknown } | (object & NoContainer)

/** Arrays, functions and dates have these. They are objects for the compiler, and no variables: JSON makes no object of them. */
interface NoContainer {
  readonly [Symbol.iterator]?: never
  readonly apply?: never
  readonly getTime?: never
}

/**
 * The result of an execution: the output's type where `Skip`, the type of `skipResultValidation`, surely is `false`, and
 * `unknown` elsewhere.
 *
 * @category models
 * @since 0.1.0
 */
export type Result<Output, Skip> = [Skip] extends [false] ? Output : unknown

/**
 * What a synchronous execution can fail with.
 *
 * @category errors
 * @since 0.1.0
 */
export type SyncError = ExecuteError | RunFailedError | InvalidOutputError

/**
 * An execution in any mode. `isSync`, `isAsync` and `isStream` tell which.
 *
 * @category models
 * @since 0.1.0
 */
export type Execution<Output> = SyncExecution<Output> | AsyncExecution<Output> | StreamExecution<Output>

/**
 * A canvas that can be executed. Each execution is billed, and is not repeated unless it surely did not reach the provider.
 *
 * @category models
 * @since 0.1.0
 */
export interface Canvas<in Input = Variables, out Output = unknown> {
  /** The canvas's id; absent where only a version was named and not looked up. */
  readonly id: string | undefined
  readonly versionId: string | undefined
  readonly applicationId: undefined
  readonly name: string | undefined
  readonly isWorkflow: boolean | undefined
  /** The version that was looked up, with the variables it takes and the form of its output. */
  readonly version: Wire.CanvasVersion | undefined
  readonly isWorkstation: false
  readonly execute: {
    /**
     * Executes the canvas, waits for the response (10 minutes by default), and returns the execution with its validated
     * `result`.
     *
     * **Details**
     *
     * `{ async: true }` creates an execution that is polled, and `{ stream: true }` one that streams. All of them return an
     * `Effect` of an execution.
     *
     * **Gotchas**
     *
     * A response of 5xx is a `RunFailedError` only if it says that the execution failed. Otherwise it is a
     * `CreateOutcomeUnknownError`: it may come from a proxy that gave up while the execution goes well, and a synchronous
     * execution cannot be looked up.
     *
     * @see https://docs.tela.com/api-reference/completion/create
     */
    <Skip extends boolean = false>(
      variables: Input,
      params?: SyncParams<Skip>
    ): Effect.Effect<SyncExecution<Result<Output, Skip>>, SyncError>
    /**
     * Creates an execution of the canvas, and returns it at once. Its `result` polls every second for 60 seconds by default;
     * `pollingInterval` and `pollingTimeout` change that.
     *
     * @see https://docs.tela.com/en/completion-api/async
     */
    <Skip extends boolean = false, E = never, R = never>(
      variables: Input,
      params: AsyncParams<Skip, E, R>
    ): Effect.Effect<AsyncExecution<Result<Output, Skip>>, ExecuteError | OnCreatedErrorOf<NoInfer<E>>, NoInfer<R>>
    /**
     * Returns a streamed execution, whose `result` is a `Stream`. It sends nothing by itself: the first pull of `result` sends
     * the one request, and a second run of `result` is a `BadRequestError`. A stream has no id, no webhook and no polling.
     *
     * @see https://docs.tela.com/en/completion-api/streaming
     */
    <Skip extends boolean = false>(
      variables: Input,
      params: StreamParams<Skip> & { readonly stream: true }
    ): Effect.Effect<StreamExecution<Result<Output, Skip>>, BadRequestError>
    /**
     * Executes the canvas in a mode that only the running program knows. The execution's `isSync`, `isAsync` and `isStream` tell
     * which it is.
     */
    <Skip extends boolean = false, E = never, R = never>(
      variables: Input,
      params: DynamicParams<Skip, E, R> | DynamicStreamParams<Skip> | OptionalModeParams<Skip> | undefined
    ): Effect.Effect<Execution<Result<Output, Skip>>, SyncError | OnCreatedErrorOf<NoInfer<E>>, NoInfer<R>>
  }
  readonly run: {
    /**
     * Creates an asynchronous execution, polls it to its end, and returns the validated output. It polls every second for 60
     * seconds by default; `pollingInterval` and `pollingTimeout` change that.
     *
     * **Details**
     *
     * Every failure after the creation carries the execution's `ref`. `onCreated` runs between the creation and the first poll,
     * to store the ref.
     */
    <Skip extends boolean = false, E = never, R = never>(
      variables: Input,
      params?: RunParams<Skip, E, R>
    ): Effect.Effect<Result<Output, Skip>, CanvasRunError<NoInfer<E>>, NoInfer<R>>
  }
  readonly stream: {
    /**
     * Executes the canvas and streams the output: the short form of `execute` with `{ stream: true }`.
     *
     * **Gotchas**
     *
     * The stream is cold: each run of it is a new execution, which is billed. Run it once, and share what it emits with
     * `Stream.share` or `Stream.broadcast`; `Effect.retry` on it executes again.
     *
     * @see https://docs.tela.com/en/completion-api/streaming
     */
    <Skip extends boolean = false>(
      variables: Input,
      params?: StreamParams<Skip>
    ): Stream.Stream<StreamPart<Result<Output, Skip>>, StreamError>
  }
  readonly getExecution: {
    /**
     * Looks up an asynchronous execution by its id or ref, or with `isTask` a task, and validates its output with the schema of
     * this canvas. An execution that has ended has its result without polling.
     *
     * @see {@link module:TelaClient} for `tela.getExecution`, which needs no canvas
     */
    <Skip extends boolean = false>(
      id: string | RunRef,
      params?: GetExecutionParams<Skip>
    ): Effect.Effect<AsyncExecution<Result<Output, Skip>>, RequestError>
  }
}

/**
 * An application of a workstation, whose executions are tasks that people review.
 *
 * @category models
 * @since 0.1.0
 */
export interface Workstation<in Input = Variables, out Output = unknown> {
  readonly id: string | undefined
  readonly versionId: string | undefined
  readonly applicationId: string
  readonly name: string | undefined
  readonly isWorkflow: boolean | undefined
  /** The version that was looked up, with the variables it takes and the form of its output. */
  readonly version: Wire.CanvasVersion | undefined
  readonly isWorkstation: true
  readonly execute: {
    /**
     * Creates a task, and returns it at once. Its `result` polls every second for 60 seconds by default, and is there once the
     * task's status is `validating`, before a person has approved it.
     *
     * @see https://docs.tela.com/en/creating-tasks
     */
    <Skip extends boolean = false, E = never, R = never>(
      variables: Input,
      params?: TaskParams<Skip, E, R>
    ): Effect.Effect<AsyncExecution<Result<Output, Skip>>, ExecuteError | OnCreatedErrorOf<NoInfer<E>>, NoInfer<R>>
  }
  readonly run: {
    /**
     * Creates a task, polls until its status is `validating` (every second for 60 seconds by default), and returns the
     * validated output. Every failure after the creation carries the task's `ref`.
     */
    <Skip extends boolean = false, E = never, R = never>(
      variables: Input,
      params?: TaskParams<Skip, E, R>
    ): Effect.Effect<Result<Output, Skip>, CanvasRunError<NoInfer<E>>, NoInfer<R>>
  }
  readonly getExecution: {
    /** Looks up a task of the application by its id or ref, and validates its output with the schema of this workstation. */
    <Skip extends boolean = false>(
      id: string | RunRef,
      params?: GetExecutionParams<Skip>
    ): Effect.Effect<AsyncExecution<Result<Output, Skip>>, RequestError>
  }
}

/**
 * The schemas of a canvas's variables and output. Each is an Effect Schema, an implementation of Standard Schema such as a Zod
 * schema, or a plain object of schemas such as `{ total: Schema.Number }`, which is read as a struct.
 *
 * **Details**
 *
 * Anything else, such as a JSON Schema or a function, is a `BadRequestError` before any request.
 *
 * @category models
 * @since 0.1.0
 */
export interface Schemas<In extends AnySchema.AnySchema, Out extends AnySchema.AnySchema> {
  readonly input?: In | undefined
  readonly output?: Out | undefined
}

/**
 * The variables that a canvas with the input schema `In` takes: any object where there is no schema.
 *
 * @category models
 * @since 0.1.0
 */
export type VariablesOf<In> = AnySchema.AnySchema extends In ? Variables : AnySchema.InputOf<In>

/**
 * The output of a canvas with the output schema `Out`: `unknown` where there is no schema.
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
  readonly applicationId: string
  readonly id?: undefined
  readonly versionId?: undefined
}

/**
 * The ways to get a canvas.
 *
 * @category models
 * @since 0.1.0
 */
export interface Canvases {
  readonly get: {
    /**
     * Looks up an application of a workstation, and checks the schemas against the variables and the structured output of its
     * canvas: a `BadRequestError` names every difference.
     *
     * **Gotchas**
     *
     * How an application leads to its canvas is assumed: the provider does not document it.
     */
    <In extends AnySchema.AnySchema = AnySchema.AnySchema, Out extends AnySchema.AnySchema = AnySchema.AnySchema>(
      options: Schemas<In, Out> & ApplicationId
    ): Effect.Effect<Workstation<VariablesOf<In>, OutputOf<Out>>, RequestError>
    /**
     * Looks up a canvas by its id or a version's, and checks the schemas against its variables and its structured output: a
     * `BadRequestError` names every difference.
     *
     * **Gotchas**
     *
     * A Standard Schema without a JSON Schema is used and not checked here. Nor are custom types checked, such as
     * `z.custom<Tela.TelaFile>(Tela.isTelaFile)`, which is how a file is written in Zod.
     */
    <In extends AnySchema.AnySchema = AnySchema.AnySchema, Out extends AnySchema.AnySchema = AnySchema.AnySchema>(
      options: Schemas<In, Out> & CanvasOrVersion
    ): Effect.Effect<Canvas<VariablesOf<In>, OutputOf<Out>>, RequestError>
    /** Looks up a canvas or an application, whichever the options name. `isWorkstation` tells which it is. */
    <In extends AnySchema.AnySchema = AnySchema.AnySchema, Out extends AnySchema.AnySchema = AnySchema.AnySchema>(
      options: Schemas<In, Out> & (ApplicationId | CanvasOrVersion)
    ): Effect.Effect<
      Canvas<VariablesOf<In>, OutputOf<Out>> | Workstation<VariablesOf<In>, OutputOf<Out>>,
      RequestError
    >
  }
  readonly make: {
    /** Names an application of a workstation without a request: nothing is looked up, and the schemas are not compared. */
    <In extends AnySchema.AnySchema = AnySchema.AnySchema, Out extends AnySchema.AnySchema = AnySchema.AnySchema>(
      options: Schemas<In, Out> & ApplicationId
    ): Workstation<VariablesOf<In>, OutputOf<Out>>
    /** Names a canvas, or one of its versions, without a request: nothing is looked up, and the schemas are not compared. */
    <In extends AnySchema.AnySchema = AnySchema.AnySchema, Out extends AnySchema.AnySchema = AnySchema.AnySchema>(
      options: Schemas<In, Out> & CanvasOrVersion
    ): Canvas<VariablesOf<In>, OutputOf<Out>>
    /** Names a canvas or an application, whichever the options name. `isWorkstation` tells which it is. */
    <In extends AnySchema.AnySchema = AnySchema.AnySchema, Out extends AnySchema.AnySchema = AnySchema.AnySchema>(
      options: Schemas<In, Out> & (ApplicationId | CanvasOrVersion)
    ): Canvas<VariablesOf<In>, OutputOf<Out>> | Workstation<VariablesOf<In>, OutputOf<Out>>
  }
}

/**
 * A canvas, or one of its versions.
 *
 * @category models
 * @since 0.1.0
 */
export type CanvasOrVersion =
  | { readonly id: string; readonly versionId?: string | undefined; readonly applicationId?: undefined }
  | { readonly versionId: string; readonly id?: string | undefined; readonly applicationId?: undefined }
