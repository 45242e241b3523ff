/**
 * Whether the schemas that a caller gives are those of the canvas.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import * as AnySchema from "./anySchema.ts"
import type * as Wire from "../TelaCanvasSchema.ts"

/**
 * Every difference between the caller's schemas and the canvas, in words; none where they agree, or where a schema does
 * not tell its form.
 *
 * @internal
 */
export const compare = (
  version: Wire.CanvasVersion,
  schemas: { readonly input?: AnySchema.AnySchema | undefined; readonly output?: AnySchema.AnySchema | undefined }
): ReadonlyArray<string> => [
  ...(schemas.input === undefined ? [] : Option.getOrElse(untrusted(compareInput)(version, schemas.input), () => [])),
  ...(schemas.output === undefined || version.isWorkflow
    ? []
    : Option.getOrElse(untrusted(compareOutput)(version, schemas.output), () => []))
]

/** A JSON Schema comes from the provider or from a schema library, and may be none, or refer to itself without end. */
const untrusted = Option.liftThrowable

const compareInput = ({ variables }: Wire.CanvasVersion, schema: AnySchema.AnySchema): ReadonlyArray<string> => {
  const document = AnySchema.jsonSchema(schema, "input")
  if (Option.isNone(document)) return []
  const { definitions } = document.value
  const root = resolve(document.value.root, definitions)
  if (root.properties === undefined) return ["the input schema is not of an object"]
  const remote = new Map(variables.map((variable) => [variable.name, variable]))
  const differences: Array<string> = []
  for (const [name, property] of Object.entries(root.properties)) {
    const variable = remote.get(name)
    if (variable === undefined) {
      differences.push(`the input schema has "${name}", which the canvas does not`)
      continue
    }
    if (variable.required && root.required?.includes(name) !== true) {
      differences.push(`"${name}" is required by the canvas and optional in the input schema`)
    }
    const types = typesOf(property, definitions)
    if (variable.type === "file" && types.size > 0 && !types.has("object") && !types.has("array")) {
      differences.push(`"${name}" is a file for the canvas and ${[...types].join(" or ")} in the input schema`)
    }
    if (variable.type === "text" && isFile(property, definitions)) {
      differences.push(`"${name}" is text for the canvas and a file in the input schema`)
    }
  }
  for (const { name, required, type } of variables) {
    if (required && !Object.hasOwn(root.properties, name)) {
      differences.push(`the canvas requires "${name}" (${type}), which the input schema does not have`)
    }
  }
  return differences
}

const compareOutput = (version: Wire.CanvasVersion, schema: AnySchema.AnySchema): ReadonlyArray<string> => {
  const document = AnySchema.jsonSchema(schema, "output")
  if (Option.isNone(document)) return []
  const { definitions, root } = document.value
  const structured = version.configuration?.structuredOutput
  if (structured?.enabled !== true) {
    const types = typesOf(root, definitions)
    return types.size === 0 || types.has("string")
      ? []
      : [`the canvas answers with text, and the output schema is of ${[...types].join(" or ")}`]
  }
  return structured.schema === undefined
    ? []
    : compareTypes("output", structured.schema as AnySchema.JsonSchema, root, definitions)
}

/** What the canvas may answer with must be what the caller's schema takes. */
const compareTypes = (
  place: string,
  remote: AnySchema.JsonSchema,
  local: AnySchema.JsonSchema,
  definitions: AnySchema.JsonSchemaDocument["definitions"]
): ReadonlyArray<string> => {
  const remoteTypes = typesOf(remote, remote.$defs ?? {})
  const localTypes = typesOf(local, definitions)
  if (remoteTypes.size === 0 || localTypes.size === 0) return []
  const missing = [...remoteTypes].filter((type) =>
    !localTypes.has(type) && !(type === "integer" && localTypes.has("number"))
  )
  if (missing.length > 0) {
    return [
      `${place} is ${[...remoteTypes].join(" or ")} on the canvas and ${
        [...localTypes].join(" or ")
      } in the output schema`
    ]
  }
  const here = resolve(local, definitions)
  if (remote.properties !== undefined && here.properties !== undefined) {
    const differences: Array<string> = []
    for (const [name, property] of Object.entries(here.properties)) {
      const remoteProperty = remote.properties[name]
      const isRequired = here.required?.includes(name) === true
      if (remoteProperty !== undefined) {
        if (isRequired && remote.required !== undefined && !remote.required.includes(name)) {
          differences.push(`${place}.${name} may be absent on the canvas, and the output schema requires it`)
        }
        differences.push(...compareTypes(`${place}.${name}`, remoteProperty, property, definitions))
      } else if (isRequired) {
        differences.push(`${place}.${name} does not exist on the canvas, and the output schema requires it`)
      }
    }
    return differences
  }
  return remote.items !== undefined && here.items !== undefined
    ? compareTypes(`${place}[]`, remote.items, here.items, definitions)
    : []
}

const resolve = (
  schema: AnySchema.JsonSchema,
  definitions: AnySchema.JsonSchemaDocument["definitions"],
  depth = 0
): AnySchema.JsonSchema => {
  const name = schema.$ref?.replace(/^#\/(?:\$defs|definitions|components\/schemas)\//, "")
  const target = name === undefined ? undefined : definitions[name]
  return target === undefined || depth > 20 ? schema : resolve(target, definitions, depth + 1)
}

/** The JSON types that a schema takes; none if it does not tell. */
const typesOf = (
  schema: AnySchema.JsonSchema,
  definitions: AnySchema.JsonSchemaDocument["definitions"]
): ReadonlySet<string> => {
  const { anyOf, const: constant, enum: literals, oneOf, type } = resolve(schema, definitions)
  if (type !== undefined) return new Set(typeof type === "string" ? [type] : type)
  if (constant !== undefined) return new Set([jsonType(constant)])
  if (literals !== undefined) return new Set(literals.map(jsonType))
  const members = anyOf ?? oneOf
  if (members === undefined) return new Set()
  const types = members.map((member) => typesOf(member, definitions))
  return types.some((set) => set.size === 0) ? new Set() : new Set(types.flatMap((set) => Array.from(set)))
}

const jsonType = (value: unknown): string => value === null ? "null" : Array.isArray(value) ? "array" : typeof value

/** Whether this is what files are sent as. */
const isFile = (schema: AnySchema.JsonSchema, definitions: AnySchema.JsonSchemaDocument["definitions"]): boolean =>
  Object.hasOwn(resolve(schema, definitions).properties ?? {}, "file_url")
