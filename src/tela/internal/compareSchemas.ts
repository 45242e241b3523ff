/** Compares the schemas that a caller gives with those of the canvas. */
import { attempt } from "../../internal/describe.ts"
import type { Schemas } from "../TelaCanvas.ts"
import type * as Data from "../TelaCanvasSchema.ts"
import type * as AnySchema from "./anySchema.ts"
import { type JsonSchema, ofJson, type Property, type Shape, shapeOf } from "./schemaShape.ts"

/**
 * Describes every difference between the caller's schemas and the canvas. There is none where they agree, or where the shape of a
 * schema is not known.
 */
export const compare = (
  version: Data.CanvasVersion,
  { input, output }: Schemas<AnySchema.AnySchema, AnySchema.AnySchema>
): ReadonlyArray<string> => [
  ...(input === undefined ? [] : untrusted(() => compareInput(version, shapeOf(input, "input")))),
  ...(output === undefined || version.isWorkflow
    ? []
    : untrusted(() => compareOutput(version, shapeOf(output, "output"))))
]

/** A JSON Schema comes from the provider or from a schema library. It may be missing, or it may refer to itself without end. */
const untrusted = (differences: () => ReadonlyArray<string>): ReadonlyArray<string> => attempt(differences) ?? []

const compareInput = ({ variables }: Data.CanvasVersion, { properties }: Shape): ReadonlyArray<string> => {
  if (properties === undefined) return ["the input schema is not of an object"]
  const names = new Set(variables.map(({ name }) => name))
  return [
    ...Array.from(properties.keys()).filter((name) => !names.has(name))
      .map((name) => `the input schema has "${name}", which the canvas does not`),
    ...variables.flatMap(({ name, required, type }) => {
      const property = properties.get(name)
      if (property === undefined) {
        return required ? [`the canvas requires "${name}" (${type}), which the input schema does not have`] : []
      }
      const shape = property.shape()
      const { types } = shape
      return [
        ...(required && property.isRequired !== true
          ? [`"${name}" is required by the canvas and optional in the input schema`]
          : []),
        ...(type === "file" && types.length > 0 && !types.includes("object") && !types.includes("array")
          ? [`"${name}" is a file for the canvas and ${types.join(" or ")} in the input schema`]
          : []),
        ...(type === "text" && isFile(shape)
          ? [`"${name}" is text for the canvas and a file in the input schema`]
          : [])
      ]
    })
  ]
}

/** Whether a schema describes the form in which files are sent. */
const isFile = ({ properties }: Shape): boolean => properties?.has("file_url") === true

const compareOutput = ({ configuration }: Data.CanvasVersion, shape: Shape): ReadonlyArray<string> => {
  const structured = configuration?.structuredOutput
  if (structured?.enabled === true) {
    return structured.schema === undefined
      ? []
      : compareShapes("output", ofJson(structured.schema as JsonSchema), shape)
  }
  return shape.types.length === 0 || shape.types.includes("string")
    ? []
    : [`the canvas answers with text, and the output schema is of ${shape.types.join(" or ")}`]
}

/** The caller's schema must accept each output that the canvas may return. */
const compareShapes = (place: string, remote: Shape, local: Shape): ReadonlyArray<string> => {
  if (remote.types.length === 0 || local.types.length === 0) return []
  const isTaken = (type: string) => local.types.includes(type) || type === "integer" && local.types.includes("number")
  if (!remote.types.every(isTaken)) {
    return [
      `${place} is ${remote.types.join(" or ")} on the canvas and ${local.types.join(" or ")} in the output schema`
    ]
  }
  const { items, properties } = remote
  if (properties !== undefined && local.properties !== undefined) {
    return Array.from(local.properties).flatMap(([name, property]) =>
      compareProperties(`${place}.${name}`, properties.get(name), property)
    )
  }
  return items !== undefined && local.items !== undefined
    ? compareShapes(`${place}[]`, items(), local.items())
    : []
}

const compareProperties = (place: string, remote: Property | undefined, local: Property): ReadonlyArray<string> => {
  if (remote === undefined) {
    return local.isRequired === true
      ? [`${place} does not exist on the canvas, and the output schema requires it`]
      : []
  }
  const differences = compareShapes(place, remote.shape(), local.shape())
  return local.isRequired === true && remote.isRequired === false
    ? [`${place} may be absent on the canvas, and the output schema requires it`, ...differences]
    : differences
}
