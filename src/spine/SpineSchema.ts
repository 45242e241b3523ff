/**
 * Schemas for the responses about Spine's runs. Names are the provider's own, in its snake_case.
 *
 * **Details**
 *
 * Decoding is strict about what a client acts on: ids, the status of a run, its output and the links of its files. A `completed`
 * run without a `result` that has an output does not decode. Everything else is lenient. A side field that is `null`, or has an
 * unexpected value, is absent, or has the default that its documentation names. Fields that the provider may add later survive
 * decoding (read them with a cast). Open sets (artifact types, block and task status) are plain strings with suggestions. A run
 * status that is not known today becomes an {@link UnknownRun} instead of a failure.
 *
 * A created run and each snapshot of a run have `raw`, the JSON that the provider sent, unchanged. It is a plain member, so
 * `JSON.stringify` and comparisons include it. `Schema.encode` leaves it out, and it does not count in the decision whether a
 * snapshot has changed.
 *
 * @see {@link module:SpineCanvasSchema} for the responses about canvases
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { messageOf } from "../internal/describe.ts"
import { Id } from "../internal/id.ts"
import {
  Count,
  open,
  openLiterals,
  type Raw,
  sideField,
  sideFieldOr,
  withFallback,
  withRaw
} from "../internal/responseSchema.ts"

/**
 * The templates that a run can be created with. Without one, Spine uses `auto`.
 *
 * @see https://docs.getspine.ai/api-reference/concepts/templates
 * @category schemas
 * @since 0.1.0
 */
export const Template = Schema.Literals([
  "auto",
  "deep_research",
  "report",
  "slides",
  "memo",
  "excel",
  "app",
  "landing_page"
])

/**
 * The name of a template.
 *
 * @category models
 * @since 0.1.0
 */
export type Template = typeof Template.Type

/**
 * The types of block that a canvas consists of. If `runs.create` is given some, Spine ignores the template.
 *
 * @see https://docs.getspine.ai/api-reference/concepts/block-types
 * @category schemas
 * @since 0.1.0
 */
export const BlockType = Schema.Literals([
  "prompt-block",
  "list-block",
  "memo-block",
  "document-block",
  "excel-block",
  "deep-research-block",
  "image-block",
  "presentation-block",
  "app-block",
  "table-block",
  "prototype-block",
  "landing-page-block",
  "text-block",
  "web-block",
  "yt-block",
  "web-research-block",
  "file-block"
])

/**
 * The name of a type of block.
 *
 * @category models
 * @since 0.1.0
 */
export type BlockType = typeof BlockType.Type

/**
 * The response to `POST /v1/run`.
 *
 * @see https://docs.getspine.ai/api-reference/endpoints/create-run
 * @category schemas
 * @since 0.1.0
 */
export const CreateRunResponse = withRaw(open({
  /** The run's id, a UUID today. */
  run_id: Id,
  /** Always `"running"` today, which is also the default. */
  status: sideFieldOr(openLiterals(["running"]), "running"),
  /** The path to poll, relative to the API's origin. Empty by default. */
  poll_url: sideFieldOr(Schema.String, ""),
  /** How long the run is expected to take, in milliseconds. A hint: real runs take minutes to two hours. */
  estimated_duration_ms: sideField(Schema.Finite)
}))

/**
 * The response to `POST /v1/run`, decoded.
 *
 * @category models
 * @since 0.1.0
 */
export interface CreateRunResponse extends Schema.Schema.Type<typeof CreateRunResponse> {}

/**
 * The progress of a run.
 *
 * @see https://docs.getspine.ai/api-reference/concepts/polling-and-status
 * @category schemas
 * @since 0.1.0
 */
export const RunProgress = open({
  /** The number of tasks that are finished. */
  tasks_completed: sideFieldOr(Schema.Finite, 0),
  /** The number of tasks known so far. It can grow while the run plans its work. */
  tasks_total: sideFieldOr(Schema.Finite, 0),
  /** Milliseconds since the run started. */
  elapsed_ms: sideFieldOr(Schema.Finite, 0)
})

/**
 * The progress of a run, decoded.
 *
 * @category models
 * @since 0.1.0
 */
export interface RunProgress extends Schema.Schema.Type<typeof RunProgress> {}

/**
 * A file that a run produced.
 *
 * @see https://docs.getspine.ai/api-reference/concepts/polling-and-status
 * @category schemas
 * @since 0.1.0
 */
export const Artifact = open({
  /** The artifact's UUID, the same as the id of the block that produced it (assumed: the documentation only hints at it). */
  id: Schema.String,
  /** The kind of file. */
  type: sideFieldOr(openLiterals(["docx", "xlsx", "pptx", "html", "png"]), "unknown"),
  /** The file name, with its extension. Empty by default. */
  name: sideFieldOr(Schema.String, ""),
  /** The link to the file, which works for a limited time (assumed: a signed URL that needs no API key). */
  download_url: Schema.String,
  /** The size of the file in bytes. */
  size_bytes: sideField(Count)
})

/**
 * A file that a run produced, decoded.
 *
 * @category models
 * @since 0.1.0
 */
export interface Artifact extends Schema.Schema.Type<typeof Artifact> {}

const output = open({
  /** The synthesized answer, in Markdown. */
  final_output: withFallback(Schema.String, ""),
  /** The files that the run produced. Often none. */
  artifacts: withFallback(Schema.Array(Artifact), [])
})

/**
 * The output of a run.
 *
 * **Details**
 *
 * The provider may leave out either member, or send `null` for it, but not for both: a result without any output does not decode.
 *
 * @see https://docs.getspine.ai/api-reference/concepts/polling-and-status
 * @category schemas
 * @since 0.1.0
 */
export const RunResult = Schema.flip(
  Schema.flip(output).check(
    Schema.makeFilter((result) =>
      Predicate.isNotNullish(result.final_output) || Predicate.isNotNullish(result.artifacts) ||
      "neither final_output nor artifacts"
    )
  )
)

/**
 * The output of a run, decoded.
 *
 * @category models
 * @since 0.1.0
 */
export interface RunResult extends Schema.Schema.Type<typeof RunResult> {}

/**
 * The template and the models that a run used, and its price.
 *
 * @see https://docs.getspine.ai/api-reference/concepts/polling-and-status
 * @category schemas
 * @since 0.1.0
 */
export const RunMetadata = open({
  /** The template of the create, or `auto`. */
  template_used: sideFieldOr(Schema.String, "auto"),
  /** The names of the models, as `vendor/model`. None by default. */
  models_used: sideFieldOr(Schema.Array(Schema.String), []),
  /** The price of the run. 1,000 credits cost 1 US dollar. Absent unless the provider sends a number. */
  credits_consumed: sideField(Schema.Finite)
})

/**
 * The template and the models that a run used, and its price, decoded.
 *
 * @category models
 * @since 0.1.0
 */
export interface RunMetadata extends Schema.Schema.Type<typeof RunMetadata> {}

/**
 * One error of a run.
 *
 * **Details**
 *
 * Other members that the provider sends are kept. In the `errors` of a run, an entry may also be plain text, and a single entry may
 * stand in place of the list.
 *
 * @category schemas
 * @since 0.1.0
 */
export const RunErrorEntry = open({
  // S5: other members are kept
  /** The text of the provider, such as `"Agent execution failed"`. */
  error: sideFieldOr(Schema.String, "")
})

/**
 * One error of a run, decoded.
 *
 * @category models
 * @since 0.1.0
 */
export interface RunErrorEntry extends Schema.Schema.Type<typeof RunErrorEntry> {}

/** What went wrong, also where an entry is a plain text, or the list is a single entry. */
const errorEntries = withFallback(Schema.Unknown, []).pipe(
  Schema.decodeTo(
    Schema.Array(Schema.toType(RunErrorEntry)),
    {
      decode: SchemaGetter.transform((value: unknown) => (Array.isArray(value) ? value : [value]).map(entryOf)),
      encode: SchemaGetter.passthrough()
    } as never
  )
)

const entryOf = (value: unknown): RunErrorEntry =>
  Predicate.isObject(value) && Predicate.hasProperty(value, "error") && typeof value.error === "string"
    ? value as unknown as RunErrorEntry
    : { ...(Predicate.isObject(value) ? value : undefined), error: Predicate.isNullish(value) ? "" : messageOf(value) }

/**
 * A run whose agents are working.
 *
 * @see https://docs.getspine.ai/api-reference/concepts/polling-and-status
 * @category schemas
 * @since 0.1.0
 */
export const RunningRun = open({
  status: Schema.Literal("running"),
  /** The id of the run. */
  run_id: Id,
  /** The id of the canvas. The first polls may lack it, because the canvas is stored a moment after the run. */
  canvas_id: sideField(Schema.String),
  /** The progress of the run. All zero by default. */
  progress: sideFieldOr(RunProgress, { tasks_completed: 0, tasks_total: 0, elapsed_ms: 0 })
})

/**
 * A run whose agents are working, decoded.
 *
 * @category models
 * @since 0.1.0
 */
export interface RunningRun extends Schema.Schema.Type<typeof RunningRun>, Raw {}

/**
 * A run that finished without a failure.
 *
 * @see https://docs.getspine.ai/api-reference/concepts/polling-and-status
 * @category schemas
 * @since 0.1.0
 */
export const CompletedRun = open({
  status: Schema.Literal("completed"),
  /** The id of the run. */
  run_id: Id,
  /** The id of the canvas. Empty by default. */
  canvas_id: sideFieldOr(Schema.String, ""),
  /** The time from start to end, in milliseconds. */
  duration_ms: sideField(Schema.Finite),
  /** The text and the files of the run. */
  result: RunResult,
  /** The template, the models and the price of the run. By default the template is `"auto"`, with no models and no price. */
  metadata: sideFieldOr(RunMetadata, { template_used: "auto", models_used: [] })
})

/**
 * A run that finished without a failure, decoded.
 *
 * @category models
 * @since 0.1.0
 */
export interface CompletedRun extends Schema.Schema.Type<typeof CompletedRun>, Raw {}

/**
 * A run with a usable result, of which some blocks failed.
 *
 * @see https://docs.getspine.ai/api-reference/concepts/polling-and-status
 * @category schemas
 * @since 0.1.0
 */
export const PartialRun = open({
  status: Schema.Literal("partial"),
  /** The id of the run. */
  run_id: Id,
  /** The id of the canvas, if the provider sends it. */
  canvas_id: sideField(Schema.String),
  /** The time from start to end, in milliseconds. */
  duration_ms: sideField(Schema.Finite),
  /** The text and the files of the run, as far as they were produced. */
  result: RunResult,
  /** The template, the models and the price of the run, if the provider sends them. */
  metadata: sideField(RunMetadata),
  /** The errors of the blocks that failed. None by default. */
  errors: errorEntries
})

/**
 * A run with a usable result, of which some blocks failed, decoded.
 *
 * @category models
 * @since 0.1.0
 */
export interface PartialRun extends Schema.Schema.Type<typeof PartialRun>, Raw {}

/**
 * A run that ended without a usable result.
 *
 * @see https://docs.getspine.ai/api-reference/concepts/polling-and-status
 * @category schemas
 * @since 0.1.0
 */
export const FailedRun = open({
  status: Schema.Literal("failed"),
  /** The id of the run. */
  run_id: Id,
  /** The id of the canvas, if the provider sends it. */
  canvas_id: sideField(Schema.String),
  /** The time from start to end, in milliseconds. */
  duration_ms: sideField(Schema.Finite),
  /** The reasons. None by default. */
  errors: errorEntries
})

/**
 * A run that ended without a usable result, decoded.
 *
 * @category models
 * @since 0.1.0
 */
export interface FailedRun extends Schema.Schema.Type<typeof FailedRun>, Raw {}

// S6
const knownStatuses: ReadonlySet<string> = new Set(["running", "completed", "partial", "failed"])

/**
 * A run with a status that this library does not know, such as one that the provider adds later. It is not a terminal state: a wait
 * continues until the status is terminal or the deadline passes.
 *
 * **Details**
 *
 * `status` is the literal `"unknown"`, so that narrowing keeps working. `provider_status` is the status that the provider sent.
 *
 * @category schemas
 * @since 0.1.0
 */
export const UnknownRun = open({
  /** The status that the provider sent. */
  status: Schema.String.check(
    Schema.makeFilter((status: string) => !knownStatuses.has(status), { expected: "a status not known today" })
  ),
  /** The id of the run. */
  run_id: Id,
  /** The id of the canvas, if the provider sends it. */
  canvas_id: sideField(Schema.String)
}).pipe(
  Schema.decodeTo(
    open({
      status: Schema.Literal("unknown"),
      /** The status that the provider sent. */
      provider_status: Schema.String,
      /** The id of the run. */
      run_id: Id,
      /** The id of the canvas, if the provider sends it. */
      canvas_id: Schema.optionalKey(Schema.String)
    }),
    SchemaTransformation.transform({
      decode: (run) => ({ ...run, status: "unknown" as const, provider_status: run.status }),
      encode: ({ provider_status, ...run }) => ({ ...run, status: provider_status })
    })
  )
)

/**
 * A run with a status that this library does not know, decoded.
 *
 * @category models
 * @since 0.1.0
 */
export interface UnknownRun extends Schema.Schema.Type<typeof UnknownRun>, Raw {}

/**
 * A snapshot of a run, as `GET /v1/run/{run_id}` returns it: a union that narrows on `status`.
 *
 * **Example** (Narrowing on the status)
 *
 * ```ts
 * import type * as Spine from "canvas-runs/spine"
 *
 * const describe = (run: Spine.Run): string => {
 *   switch (run.status) {
 *     case "running":
 *       return `${run.progress.tasks_completed} of ${run.progress.tasks_total} tasks`
 *     case "completed":
 *       return `${run.result.artifacts.length} files for ${run.metadata.credits_consumed} credits`
 *     case "partial":
 *       return `usable, but: ${run.errors.map((entry) => entry.error).join(", ")}`
 *     case "failed":
 *       return run.errors.map((entry) => entry.error).join(", ")
 *     case "unknown":
 *       return `a status added later: ${run.provider_status}`
 *   }
 * }
 *
 * describe({ status: "failed", run_id: "1", errors: [{ error: "Agent execution failed" }] }) // => "Agent execution failed"
 * ```
 *
 * @see https://docs.getspine.ai/api-reference/endpoints/get-run
 * @category schemas
 * @since 0.1.0
 */
export const Run = withRaw(Schema.Union([RunningRun, CompletedRun, PartialRun, FailedRun, UnknownRun]))

/**
 * A snapshot of a run, decoded: a union that narrows on `status`.
 *
 * @category models
 * @since 0.1.0
 */
export type Run = RunningRun | CompletedRun | PartialRun | FailedRun | UnknownRun

/**
 * A snapshot of a run that has ended.
 *
 * @see {@link module:SpineRuns} for `isTerminal`, which narrows to it
 * @category models
 * @since 0.1.0
 */
export type TerminalRun = CompletedRun | PartialRun | FailedRun

/**
 * Makes a decoder for responses, which wrap their data in `{ success: true, data }`. Any other body is a `SchemaError`.
 *
 * **When to use**
 *
 * The client decodes its responses itself. Use it for responses that you stored or requested yourself.
 *
 * **Example** (A stored response)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Spine } from "canvas-runs"
 *
 * const decode = Spine.decodeAnswer(Spine.Run)
 *
 * const run = await Effect.runPromise(decode({
 *   success: true,
 *   data: { run_id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11", status: "running", progress: { tasks_completed: 2 } }
 * }))
 *
 * run.status === "running" ? run.progress : undefined // => { tasks_completed: 2, tasks_total: 0, elapsed_ms: 0 }
 * ```
 *
 * @see {@link describeError} for responses that report an error
 * @see https://docs.getspine.ai/api-reference/errors
 * @category decoding
 * @since 0.1.0
 */
export const decodeAnswer = <A>(
  data: Schema.Codec<A, unknown>
): (body: unknown) => Effect.Effect<A, Schema.SchemaError> => {
  const decode = Schema.decodeUnknownEffect(Schema.Struct({ success: Schema.Literal(true), data }))
  return (body) => Effect.mapEager(decode(body), ({ data }) => data)
}

/**
 * Reads the text of an error response, `{ success: false, error }`. A body without the text `error` gives `undefined`.
 *
 * **Example** (The body of a 404)
 *
 * ```ts
 * import { Spine } from "canvas-runs"
 *
 * Spine.describeError({ success: false, error: "Run not found: 42" }) // => { message: "Run not found: 42", isRefusal: true }
 * Spine.describeError("<h1>Bad gateway</h1>") === undefined // => true
 * ```
 *
 * @see {@link decodeAnswer} for responses that report success
 * @see https://docs.getspine.ai/api-reference/errors
 * @category decoding
 * @since 0.1.0
 */
export const describeError = (
  body: unknown
): {
  /** The text of the provider. */
  readonly message?: string
  /** Whether `success` is `false`: then the body reports an error even if the HTTP status is one of success. */
  readonly isRefusal: boolean
} | undefined =>
  Predicate.hasProperty(body, "error") && typeof body.error === "string"
    ? { message: body.error, isRefusal: Predicate.hasProperty(body, "success") && body.success === false }
    : undefined
