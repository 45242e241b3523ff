/**
 * Tela canvases: looked up and checked against the caller's schemas, or taken at the caller's word.
 *
 * @see https://docs.tela.com/en/completion-api/overview
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Predicate from "effect/Predicate"
import * as ReadResult from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as AnySchema from "./internal/anySchema.ts"
import * as Create from "../internal/create.ts"
import { quote } from "../internal/describe.ts"
import { checkId } from "../internal/id.ts"
import * as Options from "../internal/options.ts"
import * as Telemetry from "../internal/telemetry.ts"
import {
  type BadRequestError,
  type InvalidOutputError,
  type OnCreatedErrorOf,
  refused,
  type RequestError,
  type RunFailedError
} from "../RunError.ts"
import type { RunRef } from "../internal/ref.ts"
import { executeAsync, executeSync, run } from "./internal/execute.ts"
import { getExecution } from "./internal/follow.ts"
import { type Validate, validateWith } from "./internal/output.ts"
import type { Runtime, Target } from "./internal/request.ts"
import { executeStream } from "./internal/stream.ts"
import * as StreamExecutions from "./internal/streamExecution.ts"
import {
  type AsyncExecution,
  type AsyncParams,
  type CanvasRunError,
  type DynamicParams,
  type ExecuteError,
  type GetExecutionParams,
  provider,
  type RunParams,
  type SyncExecution,
  type SyncParams,
  type TaskParams
} from "./TelaExecution.ts"
import * as Wire from "./TelaSchema.ts"
import { compare } from "./internal/compareSchemas.ts"
import type { DynamicStreamParams, StreamError, StreamExecution, StreamParams, StreamPart } from "./TelaStream.ts"

/**
 * The variables of a canvas without a schema: an object with a member for each variable.
 *
 * @category models
 * @since 0.1.0
 */
export type Variables = object

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
      params: DynamicParams<Skip, E, R> | DynamicStreamParams<Skip>
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

/**
 * Makes {@link Canvases} on an API.
 *
 * @internal
 */
export const make = (runtime: Runtime): Canvases => ({
  get: ((options: AnyOptions) => get(runtime, options)) as Canvases["get"],
  make: ((options: AnyOptions) => build(runtime, options, {})) as unknown as Canvases["make"]
})

interface AnyOptions extends Schemas<AnySchema.AnySchema, AnySchema.AnySchema> {
  readonly id?: string | undefined
  readonly versionId?: string | undefined
  readonly applicationId?: string | undefined
}

interface Known {
  readonly id?: string | undefined
  readonly versionId?: string | undefined
  readonly name?: string | undefined
  readonly isWorkflow?: boolean | undefined
  readonly version?: Wire.CanvasVersion | undefined
}

const operation = "canvas.get"

const decodeCanvas = Schema.decodeUnknownEffect(Wire.CanvasInfo)
const decodeVersion = Schema.decodeUnknownEffect(Wire.CanvasVersion)
const decodeApplication = Schema.decodeUnknownEffect(Wire.Application)

const get = ({ api, ...runtime }: Runtime, given: AnyOptions) =>
  Effect.gen(function*() {
    const read = <A>(path: string, decode: (body: unknown) => Effect.Effect<A, Schema.SchemaError>) =>
      Effect.map(api.call({ operation, request: HttpClientRequest.get(path), decode }), ({ value }) => value)
    const version = (id: string) => read(`/prompt-version/${id}`, decodeVersion)
    const checked = Options.read("options", given ?? null, optionNames)
    const target = yield* checkOptions(operation, checked)
    const options = ReadResult.getOrThrow(checked)

    const application = target._tag === "Application"
      ? yield* read(`/prompt-application/${target.applicationId}`, decodeApplication)
      : undefined
    const found = target._tag === "Version"
      ? yield* version(target.versionId)
      : target._tag === "Canvas"
      ? yield* read(`/prompt/${target.id}/promoted-version`, decodeVersion)
      : application?.promptVersionId === undefined
      ? yield* read(`/prompt/${application!.promptId}/promoted-version`, decodeVersion)
      : yield* version(application.promptVersionId)
    const canvas = yield* read(`/prompt/${found.promptId}`, decodeCanvas)

    const differences = compare(found, options)
    if (differences.length > 0) {
      return yield* refused({
        operation,
        parameter: "schemas",
        message: `the schemas given differ from the canvas "${canvas.title}": ${differences.join("; ")}.`,
        sent: true
      })
    }
    return build({ api, ...runtime }, options, {
      id: canvas.id,
      versionId: found.id,
      name: application?.title ?? canvas.title,
      isWorkflow: found.isWorkflow,
      version: found
    })
  }).pipe(Telemetry.span("TelaCanvas.get", { "run.provider": provider }))

const build = (runtime: Runtime, given: AnyOptions, known: Known): Canvas | Workstation => {
  // From JavaScript it may be anything; what is wrong with it is said before the first request
  const read = Options.read("options", given ?? null, optionNames)
  const options: AnyOptions = ReadResult.getOrElse(read, () => ({}))
  const target = targetOf(options)
  const isTask = target._tag === "Application"
  const encode = options.input === undefined ? undefined : AnySchema.encode(options.input)

  /** Checks everything that can be checked before a request, and encodes the variables. */
  const prepared = (
    operation: string,
    variables: unknown,
    given: AnyParams | undefined,
    mode: { readonly async?: boolean; readonly stream?: boolean }
  ) =>
    Effect.gen(function*() {
      yield* checkOptions(operation, read)
      const names = mode.stream ? streamNames : isTask ? taskNames : canvasNames
      const params = yield* Options.copy(operation, "params", given, names)
      yield* checkMode(operation, { ...params, ...mode }, isTask)
      if (!Options.is(isVariables, variables)) {
        return yield* refused({
          operation,
          parameter: "variables",
          message: `the variables are ${nameOf(variables)}. Pass an object with a member for each variable.`
        })
      }
      const encoded = encode === undefined ? variables : yield* Effect.mapError(encode(variables), (issue) =>
        refused({
          operation,
          parameter: "variables",
          message: `the variables do not fit the input schema: ${issue}.`
        }))
      return { params, variables: encoded }
    })

  const validate = (params: AnyParams) => validateWith(options.output, params.skipResultValidation)

  const streaming = (variables: unknown, params: StreamParams) => <A>(validate: Validate<A>) =>
    executeStream(runtime, target, variables, params, validate)

  const stream = (variables: unknown, params?: StreamParams) =>
    Stream.unwrap(
      Effect.map(
        Create.operation(prepared("canvas.stream", variables, params, { stream: true })),
        ({ params, variables }) => streaming(variables, params as StreamParams)(validate(params))
      )
    )

  const execute = (variables: unknown, params?: AnyParams) =>
    Create.operation(Effect.flatMap(
      prepared("canvas.execute", variables, params, {}),
      ({ params, variables }): Effect.Effect<Execution<unknown>, SyncError | OnCreatedErrorOf<unknown>, unknown> =>
        params.stream === true
          ? StreamExecutions.make({
            params: params as DynamicStreamParams,
            variables,
            validate: validate(params),
            open: streaming(variables, params as StreamParams)
          })
          : params.async === true || isTask
          ? executeAsync(
            runtime,
            target,
            variables,
            params as DynamicParams<boolean, unknown, unknown>,
            validate(params)
          )
          : executeSync(runtime, target, variables, params, validate(params))
    ))

  const runToEnd = (variables: unknown, params?: AnyParams) =>
    Create.operation(Effect.flatMap(
      prepared("canvas.run", variables, params, { async: true }),
      ({ params, variables }) =>
        run(runtime, target, variables, params as DynamicParams<boolean, unknown, unknown>, validate(params))
    ))

  return {
    id: known.id ?? options.id,
    versionId: known.versionId ?? options.versionId,
    applicationId: options.applicationId,
    name: known.name,
    isWorkflow: known.isWorkflow,
    version: known.version,
    isWorkstation: isTask,
    execute,
    run: runToEnd,
    ...(isTask ? undefined : { stream }),
    getExecution: (id: string | RunRef, params?: GetExecutionParams) =>
      lookUp(runtime, "canvas.getExecution", id, params, { isTask, output: options.output })
  } as unknown as Canvas | Workstation
}

/**
 * Looks up an execution, with the schema for its output.
 *
 * @internal
 */
export const lookUp = (
  runtime: Runtime,
  operation: string,
  id: string | RunRef,
  given: (GetExecutionParams & { readonly output?: unknown }) | undefined,
  /** The canvas that the execution is of, where it is known. */
  canvas?: { readonly isTask: boolean; readonly output: unknown }
): Effect.Effect<AsyncExecution<unknown>, RequestError> =>
  Effect.gen(function*() {
    const params = yield* Options.copy(operation, "params", given, lookUpNames)
    const { output } = canvas ?? params
    yield* checkSchemas(operation, { output })
    return yield* getExecution(
      runtime,
      operation,
      id,
      { ...params, isTask: params.isTask ?? canvas?.isTask ?? false },
      validateWith(output as AnySchema.AnySchema | undefined, params.skipResultValidation)
    )
  })

/** The parameters of every mode, as they are after the compiler has checked them. */
interface AnyParams
  extends Omit<DynamicParams<boolean, unknown, unknown>, "async" | "stream">, Pick<SyncParams, "timeout">
{
  readonly async?: boolean | undefined
  readonly stream?: boolean | undefined
  readonly label?: string | undefined
}

const executeNames = ["messages", "override", "tags", "skipResultValidation", "async", "stream"]
const versionNames = ["versionId", "environmentName"]
const pollNames = [
  "pollingInterval",
  "schedule",
  "pollingTimeout",
  "errorBudget",
  "notFoundGrace",
  "retryAfterCeiling"
]
const createdNames = ["webhookUrl", "forwardHeaders", "onCreated"]
const timeNames = ["timeout", "firstEventTimeout", "idleTimeout"]
const streamNames = [...executeNames, ...versionNames, ...timeNames]
const canvasNames = [...streamNames, ...pollNames, ...createdNames]
const taskNames = [...executeNames, ...pollNames, ...createdNames, "label"]
const lookUpNames = [...pollNames, "isTask", "skipResultValidation", "output"]

/** Refuses parameters that another mode would need. */
const checkMode = (operation: string, params: AnyParams, isTask: boolean): Effect.Effect<void, BadRequestError> => {
  const wrong = (parameter: string, message: string) => Effect.fail(refused({ operation, parameter, message }))
  for (const mode of ["async", "stream"] as const) {
    if (params[mode] !== undefined && typeof params[mode] !== "boolean") {
      return wrong(mode, `${mode} is ${quote(params[mode])}. It must be true or false.`)
    }
  }
  if (params.async === true && params.stream === true) {
    return wrong("stream", "async and stream are both true. An execution has one mode.")
  }
  if (isTask) {
    return params.async === false || params.stream === true
      ? wrong(params.stream === true ? "stream" : "async", "a task is always asynchronous, and does not stream.")
      : Effect.void
  }
  const created = createdNames.find((name) => params[name as keyof AnyParams] !== undefined)
  return created !== undefined && params.async !== true
    ? wrong(created, `${created} needs an asynchronous execution. Set async to true.`)
    : Effect.void
}

const targetOf = ({ applicationId, id, versionId }: AnyOptions): Target =>
  applicationId !== undefined
    ? { _tag: "Application", applicationId }
    : versionId !== undefined
    ? { _tag: "Version", versionId, id }
    : { _tag: "Canvas", id: id! }

const optionNames = ["id", "versionId", "applicationId", "input", "output"]

const isVariables = (variables: unknown): variables is object =>
  Predicate.isObject(variables) && !(variables instanceof Date)

/** A `Date` is an object for the compiler and for JavaScript. */
const nameOf = (variables: unknown): string =>
  Options.is((variables) => variables instanceof Date, variables) ? "a Date" : quote(variables)

const checkOptions = (
  operation: string,
  read: ReadResult.Result<AnyOptions, Options.Fault>
): Effect.Effect<Target, BadRequestError> =>
  Effect.gen(function*() {
    if (ReadResult.isFailure(read)) {
      const { message, option: parameter } = read.failure
      return yield* refused({ operation, parameter, message })
    }
    const options = read.success
    const given = [options.id, options.versionId, options.applicationId].filter((id) => id !== undefined)
    if (given.length === 0 || options.applicationId !== undefined && given.length > 1) {
      return yield* refused({
        operation,
        parameter: "id",
        message: "the canvas has no name, or two. Give its id or a version's id, or the applicationId alone."
      })
    }
    yield* checkSchemas(operation, { input: options.input, output: options.output })
    const target = targetOf(options)
    const [parameter, id] = target._tag === "Application"
      ? ["applicationId", target.applicationId]
      : target._tag === "Version"
      ? ["versionId", target.versionId]
      : ["id", target.id]
    return yield* Effect.as(checkId(operation, parameter!, id), target)
  })

const faultOf = (schema: unknown): string | undefined =>
  ReadResult.getOrElse(ReadResult.try(() => AnySchema.faultOf(schema)), () => "an object that throws when it is read")

/** A schema that is none would be found out after the execution is paid. */
const checkSchemas = (
  operation: string,
  schemas: { readonly [parameter: string]: unknown }
): Effect.Effect<void, BadRequestError> => {
  for (const [parameter, schema] of Object.entries(schemas)) {
    const fault = schema === undefined ? undefined : faultOf(schema)
    if (fault !== undefined) {
      return Effect.fail(refused({
        operation,
        parameter,
        message:
          `the ${parameter} schema is ${fault}. Pass an Effect Schema, a Standard Schema such as a Zod schema, or a ` +
          "plain object of such schemas, for example { total: Schema.Number }."
      }))
    }
  }
  return Effect.void
}
