/**
 * The data of Spine's runs, as it travels: names are the provider's own, in its snake_case.
 *
 * **Details**
 *
 * Decoding is strict about what a client acts on: ids, the status of a run, its output and the links of its files. A `completed`
 * run without a `result` that has an output does not decode. Everything else is lenient. A side field that is `null` or odd is absent, or has the
 * default that its documentation names. Fields that the provider may add later survive decoding (read them with a cast). Open sets
 * (artifact types, block and task status) are plain strings with suggestions. A run status that is not known today becomes
 * {@link UnknownRun} instead of a failure.
 *
 * A created run and each snapshot of a run have `raw`, which is what the provider sent, unchanged. It is a plain member, so it is
 * in `JSON.stringify` and in comparisons; `Schema.encode` leaves it out, and whether a snapshot counts as changed does not
 * depend on it.
 *
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
 * The templates a run can be created with. Without one, Spine uses `auto`.
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
 * @category models
 * @since 0.1.0
 */
export type Template = typeof Template.Type

/**
 * The types of block that a canvas is made of. Given to `runs.create`, they win over the template.
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
 * @category models
 * @since 0.1.0
 */
export type BlockType = typeof BlockType.Type

/**
 * The answer to `POST /v1/run`.
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
 * @category models
 * @since 0.1.0
 */
export interface CreateRunResponse extends Schema.Schema.Type<typeof CreateRunResponse> {}

/**
 * How far a run is.
 *
 * @category schemas
 * @since 0.1.0
 */
export const RunProgress = open({
  /** Tasks that are finished. */
  tasks_completed: sideFieldOr(Schema.Finite, 0),
  /** Tasks known so far; it can grow while the run plans its work. */
  tasks_total: sideFieldOr(Schema.Finite, 0),
  /** Milliseconds since the run started. */
  elapsed_ms: sideFieldOr(Schema.Finite, 0)
})

/**
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
  /** Where the file can be read, for a limited time (assumed: a signed URL that needs no API key). */
  download_url: Schema.String,
  /** The size of the file in bytes. */
  size_bytes: sideField(Count)
})

/**
 * @category models
 * @since 0.1.0
 */
export interface Artifact extends Schema.Schema.Type<typeof Artifact> {}

const output = open({
  /** The synthesized answer, in Markdown. */
  final_output: withFallback(Schema.String, ""),
  /** The files that the run made; often none. */
  artifacts: withFallback(Schema.Array(Artifact), [])
})

/**
 * The output of a run.
 *
 * **Details**
 *
 * Either member may be absent or `null`, but not both: a result without any output does not decode.
 *
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
 * @category models
 * @since 0.1.0
 */
export interface RunResult extends Schema.Schema.Type<typeof RunResult> {}

/**
 * What a run used.
 *
 * @category schemas
 * @since 0.1.0
 */
export const RunMetadata = open({
  /** The template sent, or `auto`. */
  template_used: sideFieldOr(Schema.String, "auto"),
  /** Model names, as `vendor/model`. */
  models_used: sideFieldOr(Schema.Array(Schema.String), []),
  /** The price of the run: 1,000 credits are one US dollar. Absent where the provider does not say it as a number. */
  credits_consumed: sideField(Schema.Finite)
})

/**
 * @category models
 * @since 0.1.0
 */
export interface RunMetadata extends Schema.Schema.Type<typeof RunMetadata> {}

/**
 * One thing that went wrong in a run.
 *
 * @category schemas
 * @since 0.1.0
 */
export const RunErrorEntry = open({
  // S5: other members are kept
  /** The provider's words. */
  error: sideFieldOr(Schema.String, "")
})

/**
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
 * @category schemas
 * @since 0.1.0
 */
export const RunningRun = open({
  status: Schema.Literal("running"),
  run_id: Id,
  /** Missing on the first polls: the canvas is stored a moment after the run. */
  canvas_id: sideField(Schema.String),
  progress: sideFieldOr(RunProgress, { tasks_completed: 0, tasks_total: 0, elapsed_ms: 0 })
})

/**
 * @category models
 * @since 0.1.0
 */
export interface RunningRun extends Schema.Schema.Type<typeof RunningRun>, Raw {}

/**
 * A run that finished with everything it was asked for.
 *
 * @category schemas
 * @since 0.1.0
 */
export const CompletedRun = open({
  status: Schema.Literal("completed"),
  run_id: Id,
  /** Empty where the provider leaves it out. */
  canvas_id: sideFieldOr(Schema.String, ""),
  /** Milliseconds from start to end. */
  duration_ms: sideField(Schema.Finite),
  result: RunResult,
  metadata: sideFieldOr(RunMetadata, { template_used: "auto", models_used: [] })
})

/**
 * @category models
 * @since 0.1.0
 */
export interface CompletedRun extends Schema.Schema.Type<typeof CompletedRun>, Raw {}

/**
 * A run of which some blocks failed, and whose result can be used.
 *
 * @category schemas
 * @since 0.1.0
 */
export const PartialRun = open({
  status: Schema.Literal("partial"),
  run_id: Id,
  canvas_id: sideField(Schema.String),
  /** Milliseconds from start to end. */
  duration_ms: sideField(Schema.Finite),
  result: RunResult,
  metadata: sideField(RunMetadata),
  /** What failed. */
  errors: errorEntries
})

/**
 * @category models
 * @since 0.1.0
 */
export interface PartialRun extends Schema.Schema.Type<typeof PartialRun>, Raw {}

/**
 * A run that ended without a usable result.
 *
 * @category schemas
 * @since 0.1.0
 */
export const FailedRun = open({
  status: Schema.Literal("failed"),
  run_id: Id,
  canvas_id: sideField(Schema.String),
  /** Milliseconds from start to end. */
  duration_ms: sideField(Schema.Finite),
  /** Why. */
  errors: errorEntries
})

/**
 * @category models
 * @since 0.1.0
 */
export interface FailedRun extends Schema.Schema.Type<typeof FailedRun>, Raw {}

// S6
const knownStatuses: ReadonlySet<string> = new Set(["running", "completed", "partial", "failed"])

/**
 * A run in a state that this library does not know, such as one the provider adds tomorrow. It is not taken for an end:
 * waiting goes on until the status is known or the deadline passes.
 *
 * **Details**
 *
 * `status` is the literal `"unknown"`, so that narrowing keeps working, and `provider_status` is what was sent.
 *
 * @category schemas
 * @since 0.1.0
 */
export const UnknownRun = open({
  status: Schema.String.check(
    Schema.makeFilter((status: string) => !knownStatuses.has(status), { expected: "a status not known today" })
  ),
  run_id: Id,
  canvas_id: sideField(Schema.String)
}).pipe(
  Schema.decodeTo(
    open({
      status: Schema.Literal("unknown"),
      provider_status: Schema.String,
      run_id: Id,
      canvas_id: Schema.optionalKey(Schema.String)
    }),
    SchemaTransformation.transform({
      decode: (run) => ({ ...run, status: "unknown" as const, provider_status: run.status }),
      encode: ({ provider_status, ...run }) => ({ ...run, status: provider_status })
    })
  )
)

/**
 * @category models
 * @since 0.1.0
 */
export interface UnknownRun extends Schema.Schema.Type<typeof UnknownRun>, Raw {}

/**
 * What `GET /v1/run/{run_id}` says: a union that narrows on `status`.
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
 *       return `a status of tomorrow: ${run.provider_status}`
 *   }
 * }
 * ```
 *
 * @see https://docs.getspine.ai/api-reference/endpoints/get-run
 * @category schemas
 * @since 0.1.0
 */
export const Run = withRaw(Schema.Union([RunningRun, CompletedRun, PartialRun, FailedRun, UnknownRun]))

/**
 * @category models
 * @since 0.1.0
 */
export type Run = RunningRun | CompletedRun | PartialRun | FailedRun | UnknownRun

/**
 * A run that has ended.
 *
 * @category models
 * @since 0.1.0
 */
export type TerminalRun = CompletedRun | PartialRun | FailedRun

/**
 * Makes a decoder for answers, which wrap their data in `{ success: true, data }`.
 *
 * @category decoding
 * @since 0.1.0
 */
export const decodeAnswer = <A>(
  data: Schema.Codec<A, unknown>
): (body: unknown) => Effect.Effect<A, Schema.SchemaError> => {
  const decode = Schema.decodeUnknownEffect(Schema.Struct({ success: Schema.Literal(true), data }))
  return (body) => Effect.map(decode(body), ({ data }) => data)
}

/**
 * What the body of a refusal, `{ success: false, error }`, says.
 *
 * @category decoding
 * @since 0.1.0
 */
export const describeError = (
  body: unknown
): { readonly message?: string; readonly isRefusal: boolean } | undefined =>
  Predicate.hasProperty(body, "error") && typeof body.error === "string"
    ? { message: body.error, isRefusal: Predicate.hasProperty(body, "success") && body.success === false }
    : undefined
