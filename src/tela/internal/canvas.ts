/** Canvases and applications: how they are looked up, and how they execute. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Create from "../../internal/create.ts"
import type * as Http from "../../internal/http.ts"
import type { RunRef } from "../../internal/ref.ts"
import * as Telemetry from "../../internal/telemetry.ts"
import { type BadRequestError, type OnCreatedErrorOf, refused, type RequestError } from "../../RunError.ts"
import type { Canvas, Canvases, Execution, SyncError, Workstation } from "../TelaCanvas.ts"
import { type AsyncExecution, type DynamicParams, type GetExecutionParams, provider } from "../TelaExecution.ts"
import * as Wire from "../TelaCanvasSchema.ts"
import type { DynamicStreamParams, StreamError, StreamParams, StreamPart } from "../TelaStream.ts"
import * as AnySchema from "./anySchema.ts"
import * as Params from "./canvasParams.ts"
import { compare } from "./compareSchemas.ts"
import { executeAsync, executeSync, run } from "./execute.ts"
import { getExecution } from "./follow.ts"
import { get } from "./get.ts"
import { type Validate, validateWith } from "./output.ts"
import type { Runtime, Target } from "./request.ts"
import { executeStream } from "./stream.ts"
import * as StreamExecutions from "./streamExecution.ts"

/** Makes `tela.canvas`. */
export const make = (runtime: Runtime): Canvases => ({
  get: ((options: Params.AnyOptions) => look(runtime, options)) as Canvases["get"],
  make: ((options: Params.AnyOptions) => build(runtime, options, {})) as unknown as Canvases["make"]
})

const decodeCanvas = Schema.decodeUnknownEffect(Wire.CanvasInfo)
const decodeVersion = Schema.decodeUnknownEffect(Wire.CanvasVersion)
const decodeApplication = Schema.decodeUnknownEffect(Wire.Application)

/** Looks up a canvas, and compares its form with the schemas of the caller. */
const look = (runtime: Runtime, given: Params.AnyOptions) =>
  Effect.gen(function*() {
    const operation = "canvas.get"
    const read = <A>(path: string, decode: Http.Call<A>["decode"]) => get(runtime.api, operation, path, decode)
    const { options, target } = yield* Params.checkOptions(operation, Params.readOptions(given))
    const { promptId, promptVersionId, title } = target._tag === "Application"
      ? yield* read(`/prompt-application/${target.applicationId}`, decodeApplication)
      : { promptId: target.id, promptVersionId: target.versionId, title: undefined }
    const found = yield* read(
      promptVersionId === undefined ? `/prompt/${promptId}/promoted-version` : `/prompt-version/${promptVersionId}`,
      decodeVersion
    )
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
    return build(runtime, options, {
      id: canvas.id,
      versionId: found.id,
      name: title ?? canvas.title,
      isWorkflow: found.isWorkflow,
      version: found
    })
  }).pipe(Telemetry.span("TelaCanvas.get", { "run.provider": provider }))

/** What a look-up adds to the options of a canvas. */
type Known = Partial<Pick<Canvas, "id" | "versionId" | "name" | "isWorkflow" | "version">>

/** A canvas, or an application, as its methods need it. */
interface Described {
  readonly runtime: Runtime
  /** The options of the caller. Their faults are reported before the first request. */
  readonly read: Params.ReadOptions
  readonly target: Target
  readonly isTask: boolean
  readonly input: AnySchema.AnySchema | undefined
  readonly output: AnySchema.AnySchema | undefined
}

const build = (runtime: Runtime, given: Params.AnyOptions, known: Known): Canvas | Workstation => {
  const read = Params.readOptions(given)
  const options = Result.getOrElse(read, (): Params.AnyOptions => ({}))
  const { applicationId, id, input, output, versionId } = options
  const target = Params.targetOf(options)
  const isTask = target._tag === "Application"
  const canvas: Described = { runtime, read, target, isTask, input, output }
  return {
    id: known.id ?? id,
    versionId: known.versionId ?? versionId,
    applicationId,
    name: known.name,
    isWorkflow: known.isWorkflow,
    version: known.version,
    isWorkstation: isTask,
    execute: (variables: unknown, params?: Params.AnyParams) => execute(canvas, variables, params),
    run: (variables: unknown, params?: Params.AnyParams) => runToEnd(canvas, variables, params),
    ...(isTask ? undefined : {
      stream: (variables: unknown, params?: StreamParams) => stream(canvas, variables, params)
    }),
    getExecution: (id: string | RunRef, params?: GetExecutionParams) =>
      lookUp(runtime, "canvas.getExecution", id, params, canvas)
  } as unknown as Canvas | Workstation
}

/** An execution whose parameters are checked and whose variables are encoded. */
interface Prepared {
  readonly params: Params.AnyParams
  readonly variables: unknown
  readonly validate: Validate<never>
}

/** Checks everything that can be checked before a request, and encodes the variables. */
const prepare = (
  { input, isTask, output, read }: Described,
  operation: string,
  variables: unknown,
  given: Params.AnyParams | undefined,
  mode: Params.Mode
): Effect.Effect<Prepared, BadRequestError> =>
  Effect.gen(function*() {
    yield* Params.checkOptions(operation, read)
    const params = yield* Params.checkExecution(operation, variables, given, mode, isTask)
    const encoded = input === undefined
      ? variables
      : yield* Effect.mapError(AnySchema.encode(input)(variables), (issue) =>
        refused({
          operation,
          parameter: "variables",
          message: `the variables do not fit the input schema: ${issue}.`
        }))
    return { params, variables: encoded, validate: validateWith(output, params.skipResultValidation) }
  })

/** Executes in the mode that the parameters name. */
const execute = (canvas: Described, variables: unknown, params: Params.AnyParams | undefined) =>
  Create.operation(Effect.flatMap(
    prepare(canvas, "canvas.execute", variables, params, {}),
    (
      { params, validate, variables }
    ): Effect.Effect<Execution<unknown>, SyncError | OnCreatedErrorOf<unknown>, unknown> => {
      const { isTask, runtime, target } = canvas
      return params.stream === true
        ? StreamExecutions.make({
          params: params as DynamicStreamParams,
          variables,
          validate,
          open: (validate) => executeStream(runtime, target, variables, params as StreamParams, validate)
        })
        : params.async === true || isTask
        ? executeAsync(runtime, target, variables, params as DynamicParams<boolean, unknown, unknown>, validate)
        : executeSync(runtime, target, variables, params, validate)
    }
  ))

const runToEnd = (canvas: Described, variables: unknown, params: Params.AnyParams | undefined) =>
  Create.operation(Effect.flatMap(
    prepare(canvas, "canvas.run", variables, params, { async: true }),
    ({ params, validate, variables }) =>
      run(canvas.runtime, canvas.target, variables, params as DynamicParams<boolean, unknown, unknown>, validate)
  ))

const stream = (
  canvas: Described,
  variables: unknown,
  params: StreamParams | undefined
): Stream.Stream<StreamPart<unknown>, StreamError> =>
  Stream.unwrap(
    Effect.map(
      Create.operation(prepare(canvas, "canvas.stream", variables, params, { stream: true })),
      ({ params, validate, variables }) =>
        executeStream(canvas.runtime, canvas.target, variables, params as StreamParams, validate)
    )
  )

/** Looks up an execution, or a task. Without a canvas, the parameters have the schema of its output. */
export const lookUp = (
  runtime: Runtime,
  operation: string,
  id: string | RunRef,
  given: (GetExecutionParams & { readonly output?: unknown }) | undefined,
  canvas?: Pick<Described, "isTask" | "output">
): Effect.Effect<AsyncExecution<unknown>, RequestError> =>
  Effect.flatMap(Params.checkLookUp(operation, given, canvas), ({ output, params }) =>
    getExecution(
      runtime,
      operation,
      id,
      { ...params, isTask: params.isTask ?? canvas?.isTask ?? false },
      validateWith(output, params.skipResultValidation)
    ))
