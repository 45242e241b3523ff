/** The schema of an output, from a file with a JSON Schema. */
import * as Effect from "effect/Effect"
import * as JsonSchema from "effect/JsonSchema"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as SchemaRepresentation from "effect/SchemaRepresentation"
import * as Flag from "effect/cli/Flag"
import { oneLine } from "../internal/describe.ts"
import { InvalidOutputError } from "../RunError.ts"
import { UsageError } from "./errors.ts"
import type { Ended } from "./follow.ts"
import { readJson } from "./files.ts"

/** The file with the JSON Schema. */
export const flag = Flag.Path("schema", { pathType: "file", mustExist: true }).pipe(
  Flag.withDescription("A file with the JSON Schema (draft 2020-12) that the output must fit"),
  Flag.optional
)

/** Checks the output of a run. */
export type Check = (ended: Ended) => Effect.Effect<Ended, InvalidOutputError>

/** Reads the schema. Without a file, every output fits. */
export const read = Effect.fnUntraced(function*(file: Option.Option<string>): Effect.fn.Return<
  { readonly schema: Schema.Codec<unknown> | undefined; readonly check: Check },
  UsageError,
  Effect.Services<ReturnType<typeof readJson>>
> {
  if (Option.isNone(file)) return { schema: undefined, check: Effect.succeed }
  const json = yield* readJson(file.value)
  const schema = yield* Effect.try({
    try: () => {
      if (!Predicate.isObject(json)) throw new TypeError("it is not an object")
      return SchemaRepresentation.fromJsonSchemaDocument(
        JsonSchema.fromSchemaDraft2020_12(json as JsonSchema.JsonSchema)
      ) as Schema.Codec<unknown>
    },
    catch: (cause) =>
      new UsageError({ message: `The file ${file.value} holds no JSON Schema: ${oneLine(String(cause))}.` })
  })
  const decode = Schema.decodeUnknownEffect(schema, { errors: "all" })
  return {
    schema,
    check: (ended) =>
      Effect.mapBoth(decode(ended.line.output), {
        onSuccess: () => ended,
        onFailure: ({ message }) =>
          new InvalidOutputError({
            message: `The output of the run does not fit the schema ${file.value}: ${oneLine(message)}.`,
            ref: ended.line.ref,
            issue: message,
            output: ended.line.output
          })
      })
  }
})
