/**
 * Tela canvases: looked up and checked against the caller's schemas, or taken at the caller's word.
 *
 * @see https://docs.tela.com/en/completion-api/overview
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { NoExcessProperties } from "effect/Types"
import * as AnySchema from "../internal/anySchema.ts"
import * as Telemetry from "../internal/telemetry.ts"
import {
  type BadRequestError,
  type InvalidOutputError,
  refused,
  type RequestError,
  type RunFailedError
} from "../RunError.ts"
import type { RunRef } from "../RunRef.ts"
import {
  type AsyncExecution,
  type AsyncParams,
  checkId,
  executeAsync,
  type ExecuteError,
  executeSync,
  getExecution,
  type GetExecutionParams,
  provider,
  type Runtime,
  type SyncExecution,
  type SyncParams,
  type Target,
  type TaskParams,
  validateWith
} from "./TelaExecution.ts"
import * as Wire from "./TelaSchema.ts"
import { compare } from "./TelaShape.ts"
import { executeStream, type StreamError, type StreamParams, type StreamPart } from "./TelaStream.ts"

/**
 * The variables of a canvas without a schema for them.
 *
 * @category models
 * @since 0.1.0
 */
export type Variables = { readonly [name: string]: unknown }

/**
 * The result of an execution: the output's type, or `unknown` where its validation is skipped.
 *
 * @category models
 * @since 0.1.0
 */
export type Result<Output, Params> = Params extends { readonly skipResultValidation: true } ? unknown : Output

/**
 * A canvas that can be executed.
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
  /**
   * Executes the canvas.
   *
   * **Details**
   *
   * - `{ stream: true }` streams: the answer is a `Stream`, and there is no id, no webhook and no polling.
   * - `{ async: true }` creates an execution that is followed by polling.
   * - Otherwise it waits for the answer.
   *
   * Each execution is billed. It is not repeated unless it surely did not reach the provider.
   *
   * @see https://docs.tela.com/api-reference/completion/create
   */
  readonly execute: {
    <const Params extends NoExcessProperties<StreamParams, Params>>(
      variables: Input,
      params: Params
    ): Stream.Stream<StreamPart<Result<Output, Params>>, StreamError>
    <const Params extends NoExcessProperties<AsyncParams, Params>>(
      variables: Input,
      params: Params
    ): Effect.Effect<AsyncExecution<Result<Output, Params>>, ExecuteError>
    <const Params extends NoExcessProperties<SyncParams, Params>>(
      variables: Input,
      params: Params
    ): Effect.Effect<SyncExecution<Result<Output, Params>>, ExecuteError | RunFailedError | InvalidOutputError>
    (variables: Input): Effect.Effect<SyncExecution<Output>, ExecuteError | RunFailedError | InvalidOutputError>
  }
  /** Executes the canvas and streams what it says: `execute` with `{ stream: true }`. */
  readonly stream: <const Params extends NoExcessProperties<Omit<StreamParams, "stream">, Params> = {}>(
    variables: Input,
    params?: Params
  ) => Stream.Stream<StreamPart<Result<Output, Params>>, StreamError>
  /** Looks up an asynchronous execution, or with `isTask` a task. One that has ended gives its result without polling. */
  readonly getExecution: <const Params extends NoExcessProperties<GetExecutionParams, Params> = {}>(
    id: string | RunRef,
    params?: Params
  ) => Effect.Effect<AsyncExecution<Result<Output, Params>>, RequestError>
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
  /**
   * Creates a task. It is followed by polling, and its output is there once its status is `validating`, before a person
   * has approved it.
   *
   * @see https://docs.tela.com/en/creating-tasks
   */
  readonly execute: <const Params extends NoExcessProperties<TaskParams, Params> = {}>(
    variables: Input,
    params?: Params
  ) => Effect.Effect<AsyncExecution<Result<Output, Params>>, ExecuteError>
  /** Looks up a task of the application. */
  readonly getExecution: <const Params extends NoExcessProperties<GetExecutionParams, Params> = {}>(
    id: string | RunRef,
    params?: Params
  ) => Effect.Effect<AsyncExecution<Result<Output, Params>>, RequestError>
}

/**
 * The schemas of a canvas's variables and output: Effect Schemas, or anything that implements Standard Schema, such as
 * Zod.
 *
 * @category models
 * @since 0.1.0
 */
export interface Schemas<In extends AnySchema.AnySchema, Out extends AnySchema.AnySchema> {
  readonly input?: In | undefined
  readonly output?: Out | undefined
}

type Variables_<In> = AnySchema.AnySchema extends In ? Variables : AnySchema.InputOf<In>
type Output_<Out> = AnySchema.AnySchema extends Out ? unknown : AnySchema.OutputOf<Out>

/**
 * What leads to canvases.
 *
 * @category models
 * @since 0.1.0
 */
export interface Canvases {
  /**
   * Looks a canvas up by its own id, a version's or an application's, and checks the schemas given against its variables
   * and its structured output: a `BadRequestError` names every difference.
   *
   * **Gotchas**
   *
   * A Standard Schema that has no JSON Schema to show is not checked here, only used, and so are types of one's own, such
   * as `z.custom<Tela.TelaFile>(Tela.isTelaFile)`, the way to write a file in Zod. How an application leads to its
   * canvas is assumed: the provider does not document it.
   */
  readonly get: {
    <In extends AnySchema.AnySchema = AnySchema.AnySchema, Out extends AnySchema.AnySchema = AnySchema.AnySchema>(
      options: Schemas<In, Out> & {
        readonly applicationId: string
        readonly id?: undefined
        readonly versionId?: undefined
      }
    ): Effect.Effect<Workstation<Variables_<In>, Output_<Out>>, RequestError>
    <In extends AnySchema.AnySchema = AnySchema.AnySchema, Out extends AnySchema.AnySchema = AnySchema.AnySchema>(
      options: Schemas<In, Out> & CanvasOrVersion
    ): Effect.Effect<Canvas<Variables_<In>, Output_<Out>>, RequestError>
  }
  /** Takes a canvas at the caller's word, without a request. */
  readonly make: {
    <In extends AnySchema.AnySchema = AnySchema.AnySchema, Out extends AnySchema.AnySchema = AnySchema.AnySchema>(
      options: Schemas<In, Out> & {
        readonly applicationId: string
        readonly id?: undefined
        readonly versionId?: undefined
      }
    ): Workstation<Variables_<In>, Output_<Out>>
    <In extends AnySchema.AnySchema = AnySchema.AnySchema, Out extends AnySchema.AnySchema = AnySchema.AnySchema>(
      options: Schemas<In, Out> & CanvasOrVersion
    ): Canvas<Variables_<In>, Output_<Out>>
  }
}

/**
 * A canvas, or one of its versions.
 *
 * @category models
 * @since 0.1.0
 */
export type CanvasOrVersion =
  | { readonly id: string; readonly versionId?: undefined; readonly applicationId?: undefined }
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

const get = ({ api, ...runtime }: Runtime, options: AnyOptions) =>
  Effect.gen(function*() {
    const read = <A>(path: string, decode: (body: unknown) => Effect.Effect<A, Schema.SchemaError>) =>
      Effect.map(api.call({ operation, request: HttpClientRequest.get(path), decode }), ({ value }) => value)
    const version = (id: string) => read(`/prompt-version/${id}`, decodeVersion)
    const target = yield* checkTarget(options)

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

const build = (runtime: Runtime, options: AnyOptions, known: Known): Canvas | Workstation => {
  const encode = options.input === undefined ? undefined : AnySchema.encode(options.input)
  const target = targetOf(options)

  /** Variables are checked before anything is sent. */
  const prepared = (variables: unknown): Effect.Effect<unknown, BadRequestError> =>
    Effect.andThen(
      checkTarget(options),
      encode === undefined ? Effect.succeed(variables) : Effect.mapError(encode(variables), (issue) =>
        refused({
          operation: "canvas.execute",
          parameter: "variables",
          message: `the variables do not fit the input schema: ${issue}.`
        }))
    )

  const validate = (params: { readonly skipResultValidation?: boolean | undefined } | undefined) =>
    validateWith(options.output, params?.skipResultValidation)

  const stream = (variables: unknown, params: Omit<StreamParams, "stream"> = {}) =>
    Stream.unwrap(
      Effect.map(
        prepared(variables),
        (variables) => executeStream(runtime, target, variables, params, validate(params))
      )
    )

  const followed = (variables: unknown, params: AsyncParams | TaskParams) =>
    Effect.flatMap(
      prepared(variables),
      (variables) => executeAsync(runtime, target, variables, params, validate(params))
    )

  const common = {
    id: known.id ?? options.id,
    versionId: known.versionId ?? options.versionId,
    name: known.name,
    isWorkflow: known.isWorkflow,
    version: known.version,
    getExecution: (id: string | RunRef, params: GetExecutionParams = {}) =>
      getExecution(
        runtime,
        id,
        { ...params, isTask: params.isTask ?? target._tag === "Application" },
        validate(params)
      )
  }

  if (options.applicationId !== undefined) {
    return {
      ...common,
      applicationId: options.applicationId,
      isWorkstation: true,
      execute: (variables: unknown, params: TaskParams = {}) => followed(variables, params)
    } as unknown as Workstation
  }
  return {
    ...common,
    applicationId: undefined,
    isWorkstation: false,
    stream,
    execute: (variables: unknown, params: StreamParams | AsyncParams | SyncParams = {}) =>
      params.stream === true
        ? stream(variables, params)
        : params.async === true
        ? followed(variables, params)
        : Effect.flatMap(
          prepared(variables),
          (variables) => executeSync(runtime, target, variables, params, validate(params))
        )
  } as unknown as Canvas
}

const targetOf = ({ applicationId, id, versionId }: AnyOptions): Target =>
  applicationId !== undefined
    ? { _tag: "Application", applicationId }
    : versionId !== undefined
    ? { _tag: "Version", versionId, id }
    : { _tag: "Canvas", id: id! }

const checkTarget = (options: AnyOptions): Effect.Effect<Target, BadRequestError> => {
  const given = [options.id, options.versionId, options.applicationId].filter((id) => id !== undefined)
  if (given.length === 0 || options.applicationId !== undefined && given.length > 1) {
    return Effect.fail(refused({
      operation,
      parameter: "id",
      message: "name the canvas by its id or a version's id, or an application by its id."
    }))
  }
  const target = targetOf(options)
  const [parameter, id] = target._tag === "Application"
    ? ["applicationId", target.applicationId]
    : target._tag === "Version"
    ? ["versionId", target.versionId]
    : ["id", target.id]
  return Effect.as(checkId(operation, parameter!, id), target)
}
