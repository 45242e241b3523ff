/**
 * A `RunRef` names a run. It is plain data that exists as soon as the provider has accepted the run, before any wait. Another
 * process needs nothing else to continue.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { oneLine, quote, shorten } from "./internal/describe.ts"
import * as Options from "./internal/options.ts"
import { RunRef } from "./internal/ref.ts"
import { badRequest, type BadRequestError } from "./RunError.ts"

export { format, make, RunRef } from "./internal/ref.ts"

/**
 * Reads a ref from JSON text. Text that is not a ref, or is a ref of a newer version, is a `BadRequestError` that says why.
 *
 * **Example** (Resuming after a restart)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { RunRef } from "canvas-runs"
 *
 * const saved = JSON.stringify(RunRef.make({ provider: "spine", kind: "run", id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11" }))
 *
 * const ref = await Effect.runPromise(RunRef.parse(saved))
 * console.log(ref.id) // => "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export const parse = (json: string): Effect.Effect<RunRef, BadRequestError> =>
  Effect.andThen(
    Options.checkGiven(operation, "json", json, Predicate.isString, "the JSON text of a RunRef"),
    Effect.mapError(decodeRef(json), (error) => {
      const written = Option.getOrUndefined(decodeVersion(json))?.version
      const message = written === undefined || written === version
        ? `json is text of ${json.length} characters, which is not a RunRef (${oneLine(shorten(error.message))}). ` +
          "Give the text that JSON.stringify(ref) made. A newer version of canvas-runs may have written it."
        : `the text is a RunRef with the version ${
          quote(written)
        }, and this version of canvas-runs reads version ${version}. ` +
          "If a newer version of canvas-runs wrote it, use that version to read it."
      return badRequest({ operation, parameter: "json", message })
    })
  )

const operation = "RunRef.parse"
const version = 1

const decodeRef = Schema.decodeUnknownEffect(Schema.fromJsonString(RunRef))
const decodeVersion = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Struct({ version: Schema.Unknown })))
