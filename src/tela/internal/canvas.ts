/** Canvases and applications: how they are looked up, and how they execute. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { Client } from "../../internal/http/client.ts"
import * as Create from "../../internal/http/create.ts"
import type * as Http from "../../internal/http/call.ts"
import type { RunRef } from "../../internal/ref.ts"
import * as Telemetry from "../../internal/telemetry.ts"
import { badRequest, type OnCreatedErrorOf } from "../../RunError.ts"
import type { Canvas, Canvases, Execution, SyncError, Workstation } from "../TelaCanvas.ts"
import { type GetExecutionParams, provider } from "../TelaExecution.ts"
import * as Data from "../TelaCanvasSchema.ts"
import * as AnySchema from "./anySchema.ts"
import * as Params from "./canvasParams.ts"
import { compare } from "./compareSchemas.ts"
import { executeAsync, executeStream, executeSync, run } from "./execute.ts"
import { getExecution } from "./follow.ts"
import { get } from "./get.ts"
import { validateWith } from "./output.ts"
import type { Job } from "./request.ts"
import * as StreamExecutions from "./streamExecution.ts"

/** Makes `tela.canvas`. */
export const make = (client: Client): Canvases => ({
  get: ((options: Params.AnyOptions) => look(client, options)) as Canvases["get"],
  make: ((options: Params.AnyOptions) => build(client, options, {})) as unknown as Canvases["make"]
})

const decodeCanvas = Schema.decodeUnknownEffect(Data.CanvasInfo)
const decodeVersion = Schema.decodeUnknownEffect(Data.CanvasVersion)
const decodeApplication = Schema.decodeUnknownEffect(Data.Application)

/** Looks up a canvas, and compares its form with the schemas of the caller. */
const look = (client: Client, given: Params.AnyOptions) =>
  Effect.gen(function*() {
    const operation = "canvas.get"
    const read = <A>(path: string, decode: Http.Call<A>["decode"]) => get(client.api, operation, path, decode)
    const options = yield* Params.checkOptions(operation, Params.readOptions(given))
    const { promptId, promptVersionId, title } = options.applicationId !== undefined
      ? yield* read(`/prompt-application/${options.applicationId}`, decodeApplication)
      : { promptId: options.id, promptVersionId: options.versionId, title: undefined }
    const found = yield* read(
      promptVersionId === undefined ? `/prompt/${promptId}/promoted-version` : `/prompt-version/${promptVersionId}`,
      decodeVersion
    )
    const canvas = yield* read(`/prompt/${found.promptId}`, decodeCanvas)
    const differences = compare(found, options)
    if (differences.length > 0) {
      return yield* badRequest({
        operation,
        parameter: "schemas",
        message:
          `the schemas given differ from the canvas "${canvas.title}": ${
            differences.join("; ")
          }. Change the schemas or the ` +
          "canvas. Nothing was executed.",
        sent: true
      })
    }
    return build(client, options, {
      id: canvas.id,
      versionId: found.id,
      name: title ?? canvas.title,
      isWorkflow: found.isWorkflow,
      version: found
    })
  }).pipe(Telemetry.span("TelaCanvas.get", { "run.provider": provider }))

/** The fields that a look-up adds to the options of a canvas. */
type Known = Partial<Pick<Canvas, "id" | "versionId" | "name" | "isWorkflow" | "version">>

const build = (client: Client, given: Params.AnyOptions, known: Known): Canvas | Workstation => {
  // The faults of the options are reported before the first request
  const read = Params.readOptions(given)
  const options = Result.getOrElse(read, (): Params.AnyOptions => ({}))
  const isTask = options.applicationId !== undefined
  // Checks the arguments as far as possible before a request, and encodes the variables
  const makeJob = (method: string, variables: unknown, given: Params.AnyParams | undefined, mode: Params.Mode) =>
    Create.operation(Effect.gen(function*() {
      const operation = `canvas.${method}`
      const target = yield* Params.checkOptions(operation, read)
      const { applicationId, input, output } = target
      const params = yield* Params.checkExecution(operation, variables, given, mode, applicationId !== undefined)
      const encoded = input === undefined
        ? variables
        : yield* Effect.mapError(AnySchema.encode(input)(variables), (issue) =>
          badRequest({
            operation,
            parameter: "variables",
            message: `the variables do not fit the input schema: ${issue}. Give what the schema asks for.`
          }))
      const validate = validateWith(output, params.skipResultValidation)
      return { client, operation, target, name: known.name, params, variables: encoded, validate }
    }))
  return {
    id: known.id ?? options.id,
    versionId: known.versionId ?? options.versionId,
    applicationId: options.applicationId,
    name: known.name,
    isWorkflow: known.isWorkflow,
    version: known.version,
    isWorkstation: isTask,
    execute: (variables: unknown, params?: Params.AnyParams) =>
      Effect.flatMap(makeJob("execute", variables, params, {}), (job) => Create.operation(execute(job))),
    run: (variables: unknown, params?: Params.AnyParams) =>
      Effect.flatMap(makeJob("run", variables, params, { async: true }), (job) => Create.operation(run(job))),
    ...(isTask ? undefined : {
      stream: (variables: unknown, params?: Params.AnyParams) =>
        Stream.unwrap(Effect.map(makeJob("stream", variables, params, { stream: true }), executeStream))
    }),
    getExecution: (id: string | RunRef, params?: GetExecutionParams) =>
      getExecution(client, "canvas.getExecution", id, params, options)
  } as unknown as Canvas | Workstation
}

/** Executes in the mode that the parameters name. */
const execute = (job: Job): Effect.Effect<Execution<unknown>, SyncError | OnCreatedErrorOf<unknown>, unknown> =>
  job.params.stream === true
    ? StreamExecutions.make(job, (validate) => executeStream({ ...job, validate }))
    : job.params.async === true || job.target.applicationId !== undefined
    ? executeAsync(job)
    : executeSync(job)
