/** Schemas of the caller's own: Effect Schemas, or anything that implements Standard Schema, behind one face. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { StandardSchemaV1 } from "effect/StandardSchema"

/** An Effect Schema that needs no services, or anything that implements Standard Schema, Zod among them. */
export type AnySchema = Schema.Codec<any, any> | StandardSchemaV1<any, any> // oxlint-disable-line typescript/no-explicit-any -- schemas of any type

/** What a caller gives to a schema for input. */
export type InputOf<S> = S extends Schema.Constraint ? S["Type"]
  : S extends StandardSchemaV1<infer I, unknown> ? I
  : never

/** What a schema for output gives to the caller. */
export type OutputOf<S> = S extends Schema.Constraint ? S["Type"]
  : S extends StandardSchemaV1<unknown, infer O> ? O
  : never

/** Turns a caller's value into what is sent, or says what does not fit. */
export const encode = (schema: AnySchema): (value: unknown) => Effect.Effect<unknown, string> =>
  Schema.isSchema(schema)
    ? (value) => Effect.mapError(Schema.encodeUnknownEffect(schema as Schema.Codec<unknown>)(value), describeIssue)
    : validate(schema as StandardSchemaV1)

/** Turns what arrived into the caller's value, or says what does not fit. */
export const decode = (schema: AnySchema): (value: unknown) => Effect.Effect<unknown, string> =>
  Schema.isSchema(schema)
    ? (value) => Effect.mapError(Schema.decodeUnknownEffect(schema as Schema.Codec<unknown>)(value), describeIssue)
    : validate(schema as StandardSchemaV1)

/**
 * The JSON Schema of what travels: what a schema for input gives, and what a schema for output takes. None where the
 * schema has none to give. An Effect Schema has one encoded side for both.
 */
export const jsonSchema = (schema: AnySchema, of: "input" | "output"): Option.Option<JsonSchemaDocument> =>
  Option.liftThrowable((): JsonSchemaDocument => {
    if (Schema.isSchema(schema)) {
      const { definitions, schema: root } = Schema.toJsonSchemaDocument(schema)
      return { root: root as JsonSchema, definitions: definitions as Record<string, JsonSchema> }
    }
    const converter =
      (schema as { readonly "~standard": { readonly jsonSchema?: JsonSchemaConverter } })["~standard"].jsonSchema
    const root = converter![of === "input" ? "output" : "input"]!({
      target: "draft-2020-12",
      // Zod's word for leaving a type of one's own open, instead of giving up on the whole schema
      libraryOptions: { unrepresentable: "any" }
    }) as JsonSchema
    return { root, definitions: (root.$defs ?? {}) as Record<string, JsonSchema> }
  })()

/** As much of JSON Schema as two schemas are compared by. */
export interface JsonSchema {
  readonly type?: string | ReadonlyArray<string>
  readonly properties?: { readonly [name: string]: JsonSchema }
  readonly required?: ReadonlyArray<string>
  readonly items?: JsonSchema
  readonly anyOf?: ReadonlyArray<JsonSchema>
  readonly oneOf?: ReadonlyArray<JsonSchema>
  readonly allOf?: ReadonlyArray<JsonSchema>
  readonly enum?: ReadonlyArray<unknown>
  readonly const?: unknown
  readonly $ref?: string
  readonly $defs?: { readonly [name: string]: JsonSchema }
}

export interface JsonSchemaDocument {
  readonly root: JsonSchema
  readonly definitions: { readonly [name: string]: JsonSchema }
}

interface JsonSchemaConverter {
  readonly [side: string]: (options: {
    readonly target: string
    readonly libraryOptions?: Record<string, unknown>
  }) => Record<string, unknown>
}

const describeIssue = (error: Schema.SchemaError): string => error.message.replaceAll(/\s*\n\s*/g, " ")

const validate = (schema: StandardSchemaV1) => (value: unknown): Effect.Effect<unknown, string> =>
  Effect.suspend(() => {
    const result = schema["~standard"].validate(value)
    return result instanceof Promise ? Effect.flatMap(Effect.promise(() => result), settle) : settle(result)
  }).pipe(Effect.catchDefect((defect) => Effect.fail(`the schema threw: ${String(defect)}`)))

const settle = (result: StandardSchemaV1.Result<unknown>): Effect.Effect<unknown, string> =>
  result.issues === undefined
    ? Effect.succeed(result.value)
    : Effect.fail(result.issues.map(({ message, path }) => `${message}${at(path)}`).join("; "))

const at = (path: StandardSchemaV1.Issue["path"]): string =>
  path === undefined || path.length === 0
    ? ""
    : ` at ${
      path.map((segment) => JSON.stringify(String(typeof segment === "object" ? segment.key : segment))).join(".")
    }`
