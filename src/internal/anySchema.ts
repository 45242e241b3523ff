/** Schemas of the caller's own: Effect Schemas, or anything that implements Standard Schema, behind one face. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
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
    if (Schema.isSchema(schema)) return formOf(SchemaAST.toEncoded(Schema.toCodecJson(schema).ast))
    const converter =
      (schema as { readonly "~standard": { readonly jsonSchema?: JsonSchemaConverter } })["~standard"].jsonSchema
    const root = converter![of === "input" ? "output" : "input"]!({
      target: "draft-2020-12",
      // Zod's word for leaving a type of one's own open, instead of giving up on the whole schema
      libraryOptions: { unrepresentable: "any" }
    }) as JsonSchema
    return { root, definitions: (root.$defs ?? {}) as Record<string, JsonSchema> }
  })()

/**
 * What two schemas are compared by, straight from the syntax tree: `Schema.toJsonSchemaDocument` says far more, and is a
 * sixth of a program that uses Tela.
 */
const formOf = (ast: SchemaAST.AST): JsonSchemaDocument => {
  const names = new Map<SchemaAST.AST, string>()
  const definitions: Record<string, JsonSchema> = {}
  const form = (ast: SchemaAST.AST): JsonSchema => {
    switch (ast._tag) {
      case "Null":
      case "Undefined":
      case "Void":
        return { type: "null" }
      case "String":
      case "TemplateLiteral":
        return { type: "string" }
      case "Number":
        return { type: isInteger(ast.checks) ? "integer" : "number" }
      case "Boolean":
        return { type: "boolean" }
      case "Literal":
        return { const: ast.literal }
      case "Enum":
        return { enum: ast.enums.map(([, value]) => value) }
      case "ObjectKeyword":
        return { type: ["object", "array"] }
      case "Arrays": {
        const [item, ...others] = ast.rest
        return { type: "array", ...item === undefined || others.length > 0 ? undefined : { items: form(item) } }
      }
      case "Objects": {
        const { indexSignatures, propertySignatures } = ast
        // `{}` is anything but null
        if (propertySignatures.length === 0 && indexSignatures.length === 0) return {}
        return {
          type: "object",
          ...propertySignatures.length === 0 ? undefined : {
            properties: Object.fromEntries(propertySignatures.map(({ name, type }) => [name, form(type)])),
            required: propertySignatures.flatMap(({ name, type }) => SchemaAST.isOptional(type) ? [] : [String(name)])
          }
        }
      }
      case "Union":
        return { anyOf: ast.types.map(form) }
      case "Suspend": {
        const inner = ast.thunk()
        const name = names.get(inner) ?? String(names.size)
        if (!names.has(inner)) {
          names.set(inner, name)
          definitions[name] = form(inner)
        }
        return { $ref: `#/$defs/${name}` }
      }
      default:
        return {}
    }
  }
  return { root: form(ast), definitions }
}

const isInteger = (checks: SchemaAST.Checks | undefined): boolean =>
  checks?.some((check) =>
    check._tag === "FilterGroup"
      ? isInteger(check.checks)
      : check.annotations?.representation?.id === "effect/schema/isInt"
  ) === true

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
