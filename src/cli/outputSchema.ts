/** The schema of an output, from a file with a JSON Schema. */
import * as Effect from "effect/Effect"
import * as JsonSchema from "effect/JsonSchema"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaRepresentation from "effect/SchemaRepresentation"
import * as Flag from "effect/cli/Flag"
import { messageOf, oneLine } from "../internal/describe.ts"
import { InvalidOutputError } from "../RunError.ts"
import { UsageError } from "./errors.ts"
import type { Ended } from "./follow.ts"
import { readJson } from "./files.ts"

/** The file with the JSON Schema. */
export const flag = Flag.Path("schema", { pathType: "file", mustExist: true }).pipe(
  Flag.withDescription("A file with the JSON Schema (draft 2020-12) that the output must fit"),
  Flag.optional
)

const Keyword = Schema.suspend((): Schema.Codec<unknown> => JsonSchemaFile)
const Type = Schema.Literals(["array", "boolean", "integer", "null", "number", "object", "string"])
const Keywords = Schema.optionalKey(Schema.Record(Schema.String, Keyword))
const Several = Schema.optionalKey(Schema.NonEmptyArray(Keyword))

/** The form of the keywords that say what an output may be. An unreadable one would be ignored, and would let everything pass. */
const JsonSchemaFile = Schema.Union([
  Schema.Boolean,
  Schema.StructWithRest(
    Schema.Struct({
      type: Schema.optionalKey(Schema.Union([Type, Schema.NonEmptyArray(Type)])),
      enum: Schema.optionalKey(Schema.Array(Schema.Unknown)),
      properties: Keywords,
      required: Schema.optionalKey(Schema.Array(Schema.String)),
      additionalProperties: Schema.optionalKey(Keyword),
      items: Schema.optionalKey(Keyword),
      prefixItems: Several,
      allOf: Several,
      anyOf: Several,
      oneOf: Several,
      $ref: Schema.optionalKey(Schema.String),
      $defs: Keywords
    }),
    [Schema.Record(Schema.String, Schema.Unknown)]
  )
])

const decodeSchema = Schema.decodeUnknownSync(JsonSchemaFile)

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
      const document = JsonSchema.fromSchemaDraft2020_12(decodeSchema(json) as JsonSchema.JsonSchema)
      return SchemaRepresentation.fromJsonSchemaDocument(document) as Schema.Codec<unknown>
    },
    catch: (cause) =>
      new UsageError({ message: `The file ${file.value} holds no JSON Schema: ${oneLine(messageOf(cause))}.` })
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
