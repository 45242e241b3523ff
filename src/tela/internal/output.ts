/** The output of an execution, converted by the schema of the caller. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { parseJson, shorten } from "../../internal/describe.ts"
import type * as RunRef from "../../internal/ref.ts"
import { InvalidOutputError } from "../../RunError.ts"
import * as AnySchema from "./anySchema.ts"

/** Converts the provider's output to the type of the caller, or describes the part that does not fit. */
export type Validate = (output: unknown) => Effect.Effect<unknown, string>

/** Validates with the schema of the caller. Without one, or with `skip`, the output stays as the provider sent it. */
export const validateWith = (schema: AnySchema.AnySchema | undefined, skip: boolean | undefined): Validate =>
  schema === undefined || skip === true ? Effect.succeed : AnySchema.decode(schema)

/**
 * Validates the output of an execution that succeeded. Text that does not fit is read as JSON, because a server may send structured
 * output as text. The error for an output that does not fit holds it.
 */
export const validated = (
  validate: Validate,
  output: unknown,
  context: {
    readonly ref?: RunRef.RunRef | undefined
    readonly requestId: string | undefined
    readonly finishReason?: string | undefined
  }
): Effect.Effect<unknown, InvalidOutputError> =>
  Effect.mapError(validateText(validate, output), (issue) =>
    new InvalidOutputError({
      message:
        `The execution succeeded${
          context.finishReason === undefined ? "" : ` with finish_reason ${JSON.stringify(context.finishReason)}`
        }, and its output does not fit the schema: ${shorten(issue)}. ` +
        "The output is kept in this error; correct the schema or the canvas, or set skipResultValidation.",
      issue,
      output,
      ...context
    }))

const validateText = (validate: Validate, output: unknown): Effect.Effect<unknown, string> =>
  typeof output !== "string"
    ? validate(output)
    : Effect.catch(validate(output), (issue) =>
      Option.match(parseJson(output), {
        onNone: () => Effect.fail(issue),
        onSome: (json) => Effect.mapError(validate(json), () => issue)
      }))
