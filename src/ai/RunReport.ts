/**
 * What the tools of `SpineToolkit` and `TelaToolkit` tell a model: a report about a run, or an error that says what to do.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { TaggedError } from "../internal/taggedError.ts"

/**
 * A file that a run produced.
 *
 * @category models
 * @since 0.1.0
 */
export const Artifact = Schema.Struct({
  /** The provider's id of the file. */
  id: Schema.String,
  /** The name of the file. */
  name: Schema.String,
  /** The kind of file, such as `"docx"`. */
  type: Schema.optionalKey(Schema.String),
  /** The size in bytes. */
  size_bytes: Schema.optionalKey(Schema.Finite),
  /** A link to the file, which works for a limited time. Only the tool for artifacts returns it. */
  download_url: Schema.optionalKey(Schema.String)
})

/**
 * @category models
 * @since 0.1.0
 */
export interface Artifact extends Schema.Schema.Type<typeof Artifact> {}

/**
 * The state of a run, and its output if it has ended.
 *
 * @category models
 * @since 0.1.0
 */
export const RunReport = Schema.Struct({
  /** The provider's id of the run. The other tools take it. */
  run_id: Schema.String,
  /** `running` until the run has ended. A `partial` run has an output, although some of its parts failed. */
  status: Schema.Literals(["running", "completed", "partial"]),
  /** What happened, and what to do next. */
  message: Schema.String,
  /** How much of the work is done, if the provider says so. */
  progress: Schema.optionalKey(Schema.Struct({
    /** The number of tasks that are done. */
    completed: Schema.Finite,
    /** The number of tasks that are known so far. */
    total: Schema.Finite
  })),
  /** The output: Markdown from Spine, any JSON from Tela. An output that is too long for a model is cut, and `message` says so. */
  output: Schema.optionalKey(Schema.Unknown),
  /** The files that the run produced. */
  artifacts: Schema.optionalKey(Schema.Array(Artifact)),
  /** What the run cost, in the provider's credits. */
  credits: Schema.optionalKey(Schema.Finite),
  /** Why parts of the run failed. */
  errors: Schema.optionalKey(Schema.Array(Schema.String))
})

/**
 * @category models
 * @since 0.1.0
 */
export interface RunReport extends Schema.Schema.Type<typeof RunReport> {}

/**
 * The failure of a tool. The model reads its fields, so the message says what to do.
 *
 * @category errors
 * @since 0.1.0
 */
export class ToolError extends TaggedError<ToolError>()("ToolError", {
  /** The tag of the error that ended the call, such as `"BudgetExceededError"` or `"RunFailedError"`. */
  error: Schema.String,
  /** What happened, and what to do. */
  message: Schema.String,
  /** The provider's id of the run, if there is one. */
  run_id: Schema.optionalKey(Schema.String),
  /** Whether the same call can succeed later. */
  isRetryable: Schema.Boolean
}) {}
