/**
 * A `RunRef` names a run. It is plain data: it exists as soon as the provider accepted the run, before any waiting, and
 * it is all that another process needs to go on.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * The schema of a {@link RunRef}. What it encodes to is what it is: `JSON.stringify(ref)` loses nothing.
 *
 * **Details**
 *
 * `version` guards what is stored: a ref written by a later version of this library does not decode here.
 *
 * @see {@link module:Run.parseRef} for reading one back from JSON, with an error that says what is wrong
 * @category schemas
 * @since 0.1.0
 */
export const RunRef = Schema.Struct({
  /** The version of this format. */
  version: Schema.Literal(1),
  /** Who runs it, such as `"spine"`. */
  provider: Schema.NonEmptyString,
  /** What the provider calls it, such as `"run"`, `"execution"` or `"task"`. */
  kind: Schema.NonEmptyString,
  /** The provider's id. */
  id: Schema.NonEmptyString,
  /** When it was created, in Unix milliseconds; absent when it was created elsewhere and only its id is known. */
  createdAt: Schema.optionalKey(Schema.Finite),
  /** The provider's id of the request that created it, for its support. */
  requestId: Schema.optionalKey(Schema.String),
  /** How long the provider expected it to take, in milliseconds. */
  estimatedDurationMs: Schema.optionalKey(Schema.Finite)
})

/**
 * @category models
 * @since 0.1.0
 */
export interface RunRef extends Schema.Schema.Type<typeof RunRef> {}

/**
 * Makes a ref. Providers do this; use it to name a run by hand.
 *
 * **Example** (Naming a run by hand)
 *
 * ```ts
 * import { RunRef } from "canvas-runs"
 *
 * const ref = RunRef.make({ provider: "spine", kind: "run", id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11" })
 *
 * console.log(RunRef.format(ref)) // => "spine run 6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (fields: Omit<RunRef, "version">): RunRef => ({ version: 1, ...fields })

/**
 * The words that messages use for a run.
 *
 * @category formatting
 * @since 0.1.0
 */
export const format = (ref: RunRef): string => `${ref.provider} ${ref.kind} ${ref.id}`
