/**
 * The shape of a schema, by which the caller's schema and that of a canvas are compared. `Schema.toJsonSchemaDocument` returns
 * far more, and is about 17 % of the code of a program that uses Tela.
 */
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import type { StandardJSONSchemaV1 } from "effect/StandardSchema"
import { attempt } from "../../internal/describe.ts"
import * as AnySchema from "./anySchema.ts"

/** The members of a shape are functions, because a schema may contain itself. */
export interface Shape {
  /** The JSON types of its values. Empty if the schema does not say. */
  readonly types: ReadonlyArray<string>
  readonly properties?: ReadonlyMap<string, Property> | undefined
  readonly items?: (() => Shape) | undefined
}

/** A property of an object. */
export interface Property {
  readonly shape: () => Shape
  /** `undefined` if the schema does not say. */
  readonly isRequired: boolean | undefined
}

const open: Shape = { types: [] }

/**
 * Returns the shape of the value that is sent or received. Of an Effect Schema that is the encoded side. Of a Standard Schema it
 * is the output side for input, and the input side for output. Throws where a Standard Schema has no JSON Schema.
 */
export const shapeOf = (schema: AnySchema.AnySchema, of: "input" | "output"): Shape => {
  if (AnySchema.isFields(schema)) return ofFields(schema, of)
  if (Schema.isSchema(schema)) return ofAst(SchemaAST.toEncoded(Schema.toCodecJson(schema).ast))
  const json = (schema as unknown as StandardJSONSchemaV1)["~standard"].jsonSchema[of === "input" ? "output" : "input"](
    {
      target: "draft-2020-12",
      // Zod then writes `{}` for a type without a JSON Schema, instead of throwing for the whole schema
      libraryOptions: { unrepresentable: "any" }
    }
  ) as JsonSchema
  return ofJson(json, json.$defs ?? {})
}

const ofFields = (fields: AnySchema.Fields, of: "input" | "output"): Shape => {
  const { standard, struct } = AnySchema.partition(fields)
  return {
    types: ["object"],
    properties: new Map([
      ...shapeOf(struct, of).properties ?? [],
      ...standard.map(([name, field]): [string, Property] => [
        name,
        { shape: () => attempt(() => shapeOf(field, of)) ?? open, isRequired: !AnySchema.takesUndefined(field) }
      ])
    ])
  }
}

const ofAst = (ast: SchemaAST.AST): Shape => {
  switch (ast._tag) {
    case "Null":
    case "Undefined":
    case "Void":
      return { types: ["null"] }
    case "String":
    case "TemplateLiteral":
      return { types: ["string"] }
    case "Number":
      return { types: [isInteger(ast.checks) ? "integer" : "number"] }
    case "Boolean":
      return { types: ["boolean"] }
    case "Literal":
      return ofValues([ast.literal])
    case "Enum":
      return ofValues(ast.enums.map(([, value]) => value))
    case "ObjectKeyword":
      return { types: ["object", "array"] }
    case "Arrays": {
      const [item, ...others] = ast.rest
      return { types: ["array"], items: item === undefined || others.length > 0 ? undefined : () => ofAst(item) }
    }
    case "Objects": {
      const { indexSignatures, propertySignatures } = ast
      const properties = propertySignatures.map(({ name, type }): [string, Property] => [
        String(name),
        { shape: () => ofAst(type), isRequired: !SchemaAST.isOptional(type) }
      ])
      if (properties.length > 0) return { types: ["object"], properties: new Map(properties) }
      // `{}` is anything but null
      return indexSignatures.length > 0 ? { types: ["object"] } : open
    }
    case "Union":
      return ofMembers(ast.types.map(ofAst))
    case "Suspend":
      return ofAst(ast.thunk())
    default:
      return open
  }
}

const isInteger = (checks: SchemaAST.Checks | undefined): boolean =>
  checks?.some((check) =>
    check._tag === "FilterGroup"
      ? isInteger(check.checks)
      : check.annotations?.representation?.id === "effect/schema/isInt"
  ) === true

/** Returns the shape of a JSON Schema. Without `definitions`, a schema at any level has its own. */
export const ofJson = (schema: JsonSchema, definitions?: Definitions): Shape => {
  const { anyOf, const: constant, enum: values, items, oneOf, properties, required, type } = resolve(
    schema,
    definitions ?? schema.$defs ?? {}
  )
  const { types } = type !== undefined
    ? { types: typeof type === "string" ? [type] : type }
    : constant !== undefined
    ? ofValues([constant])
    : values !== undefined
    ? ofValues(values)
    : ofMembers((anyOf ?? oneOf ?? []).map((member) => ofJson(member, definitions)))
  return {
    types,
    properties: properties === undefined ? undefined : new Map(
      Object.entries(properties).map(([name, property]) => [
        name,
        { shape: () => ofJson(property, definitions), isRequired: required?.includes(name) }
      ])
    ),
    items: items === undefined ? undefined : () => ofJson(items, definitions)
  }
}

const resolve = (schema: JsonSchema, definitions: Definitions, depth = 0): JsonSchema => {
  const name = schema.$ref?.replace(/^#\/(?:\$defs|definitions|components\/schemas)\//, "")
  const target = name === undefined ? undefined : definitions[name]
  return target === undefined || depth > 20 ? schema : resolve(target, definitions, depth + 1)
}

const ofMembers = (members: ReadonlyArray<Shape>): Shape =>
  members.some(({ types }) => types.length === 0) ? open : unique(members.flatMap(({ types }) => types))

const ofValues = (values: ReadonlyArray<unknown>): Shape =>
  unique(values.map((value) => value === null ? "null" : Array.isArray(value) ? "array" : typeof value))

const unique = (types: ReadonlyArray<string>): Shape => ({ types: Array.from(new Set(types)) })

/** The parts of a JSON Schema that its shape needs. */
export interface JsonSchema {
  readonly type?: string | ReadonlyArray<string>
  readonly properties?: { readonly [name: string]: JsonSchema }
  readonly required?: ReadonlyArray<string>
  readonly items?: JsonSchema
  readonly anyOf?: ReadonlyArray<JsonSchema>
  readonly oneOf?: ReadonlyArray<JsonSchema>
  readonly enum?: ReadonlyArray<unknown>
  readonly const?: unknown
  readonly $ref?: string
  readonly $defs?: Definitions
}

type Definitions = Readonly<Record<string, JsonSchema>>
