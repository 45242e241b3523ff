/** The default output of a canvas: an echo of its variables, as a text or in the shape of a schema. */
import * as Predicate from "effect/Predicate"
import type * as TelaScript from "../../TelaScript.ts"
import { isObject, type JsonObject } from "../json.ts"
import * as files from "./fileRefs.ts"

type Request = Pick<TelaScript.RunRequest, "variables" | "messages">

/** A text or, if there is a schema, a value that conforms to it. */
export const defaultOutput = (request: Request, schema: JsonObject | undefined): unknown =>
  schema === undefined ? echo(request) : conforming(schema, { name: "value", request, root: schema, depth: 0 })

const echo = ({ messages, variables }: Request): string => {
  const parts = Object.entries(variables).map(([name, value]) => `${name}: ${describe(value)}`)
  const last = messages.findLast((message) => message.role === "user")
  if (last !== undefined) parts.push(`user: ${describe(last.content)}`)
  return parts.length === 0 ? "The emulator was given nothing." : `The emulator was given ${parts.join(", ")}.`
}

const describe = (value: unknown): string => {
  if (Predicate.isString(value)) return value
  const found = files.inValue(value)
  return found.length > 0 ? found.map((file) => file.name).join(" and ") : JSON.stringify(value)
}

interface Position {
  readonly name: string
  readonly request: Request
  readonly root: JsonObject
  readonly depth: number
}

const conforming = (schema: unknown, at: Position): unknown => {
  // A schema that refers to itself must end somewhere.
  if (!isObject(schema) || at.depth > 12) return null
  const inside = (schema: unknown, name = at.name) => conforming(schema, { ...at, name, depth: at.depth + 1 })
  if (Predicate.isString(schema["$ref"])) return inside(resolve(schema["$ref"], at.root))
  if ("const" in schema) return schema["const"]
  const options = schema["enum"]
  if (Array.isArray(options)) return options.find((option) => option === at.request.variables[at.name]) ?? options[0]
  const alternatives = schema["anyOf"] ?? schema["oneOf"]
  if (Array.isArray(alternatives)) {
    return inside(alternatives.find((schema) => !isObject(schema) || schema["type"] !== "null"))
  }
  if (Array.isArray(schema["allOf"])) {
    const all = schema["allOf"].filter(isObject)
    return inside({
      ...Object.assign({}, ...all),
      properties: Object.assign({}, ...all.map((schema) => schema["properties"]))
    })
  }
  const type = Array.isArray(schema["type"]) ? schema["type"].find((type) => type !== "null") : schema["type"]
  const given = at.request.variables[at.name]
  switch (type) {
    case "object":
      return Object.fromEntries(
        Object.entries(isObject(schema["properties"]) ? schema["properties"] : {}).map(
          ([name, property]) => [name, inside(property, name)]
        )
      )
    case "array": {
      if (Array.isArray(schema["prefixItems"])) return schema["prefixItems"].map((item) => inside(item))
      const length = Math.max(1, numeric(schema["minItems"]) ?? 1)
      return Array.from({ length }, () => inside(schema["items"] ?? { type: "string" }))
    }
    case "boolean":
      return Predicate.isBoolean(given) ? given : true
    case "integer":
    case "number":
      return number(schema, given, type === "integer")
    case "null":
      return null
    default:
      return "properties" in schema ? inside({ ...schema, type: "object" }) : string(schema, given, at)
  }
}

const numeric = (value: unknown): number | undefined => Predicate.isNumber(value) ? value : undefined

const resolve = (ref: string, root: JsonObject): unknown =>
  ref.replace(/^#\/?/, "").split("/").filter((key) => key !== "").reduce<unknown>(
    (value, key) => isObject(value) ? value[key.replaceAll("~1", "/").replaceAll("~0", "~")] : undefined,
    root
  )

const number = (schema: JsonObject, given: unknown, whole: boolean): number => {
  const parsed = Predicate.isNumber(given) ? given : Predicate.isString(given) && given !== "" ? Number(given) : NaN
  const step = numeric(schema["multipleOf"]) ?? 1
  const exclusiveMinimum = numeric(schema["exclusiveMinimum"])
  const exclusiveMaximum = numeric(schema["exclusiveMaximum"])
  const minimum = Math.max(
    numeric(schema["minimum"]) ?? -Infinity,
    exclusiveMinimum === undefined ? -Infinity : exclusiveMinimum + step / 2
  )
  const maximum = Math.min(
    numeric(schema["maximum"]) ?? Infinity,
    exclusiveMaximum === undefined ? Infinity : exclusiveMaximum - step / 2
  )
  const fits = (value: number) =>
    Number.isFinite(value) && value >= minimum && value <= maximum && (!whole || Number.isInteger(value))
  if (fits(parsed)) return parsed
  const rounded = Math.min(Math.floor(maximum / step) * step, Math.max(Math.ceil(minimum / step) * step, 42))
  return fits(rounded) ? rounded : Math.min(maximum, Math.max(minimum, 42))
}

const formats: { readonly [format: string]: string } = {
  "date-time": "2026-01-02T03:04:05.000Z",
  date: "2026-01-02",
  time: "03:04:05Z",
  email: "someone@example.com",
  uri: "https://example.com/",
  url: "https://example.com/",
  uuid: "00000000-0000-4000-8000-000000000001",
  hostname: "example.com",
  ipv4: "192.0.2.1"
}

const string = (schema: JsonObject, given: unknown, at: Position): string => {
  const format = schema["format"]
  if (Predicate.isString(format) && Object.hasOwn(formats, format)) return formats[format]!
  const first = Object.values(at.request.variables).find(Predicate.isString)
  const text = Predicate.isString(given) ? given : first === undefined ? at.name : `${at.name} of ${first}`
  return text.slice(0, numeric(schema["maxLength"]) ?? Infinity).padEnd(numeric(schema["minLength"]) ?? 0, ".")
}
