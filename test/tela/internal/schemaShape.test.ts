import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { z } from "zod"
import * as Tela from "../../../src/tela/index.ts"
import { type JsonSchema, type Shape, shapeOf } from "../../../src/tela/internal/schemaShape.ts"

interface Tree {
  readonly name: string
  readonly children: ReadonlyArray<Tree>
}
const Tree = Schema.Struct({
  name: Schema.String,
  children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
})

const schemas = {
  string: Schema.String,
  nonEmpty: Schema.NonEmptyString,
  finite: Schema.Finite,
  int: Schema.Int,
  positive: Schema.Int.check(Schema.isGreaterThan(0)),
  boolean: Schema.Boolean,
  null: Schema.Null,
  unknown: Schema.Unknown,
  literal: Schema.Literal("a"),
  literals: Schema.Literals(["a", "b"]),
  mixed: Schema.Literals(["a", 1, true]),
  enum: Schema.Enum({ Red: "red", Blue: "blue" }),
  template: Schema.TemplateLiteral(["a", Schema.Int]),
  date: Schema.DateTimeUtcFromString,
  instant: Schema.Date,
  bigint: Schema.BigInt,
  fromString: Schema.FiniteFromString,
  nullable: Schema.NullOr(Schema.String),
  union: Schema.Union([Schema.Finite, Schema.Struct({ a: Schema.String })]),
  array: Schema.Array(Schema.Int),
  tuple: Schema.Tuple([Schema.String, Schema.Finite]),
  record: Schema.Record(Schema.String, Schema.Finite),
  empty: Schema.Struct({}),
  object: Schema.ObjectKeyword,
  struct: Schema.Struct({ a: Schema.String, b: Schema.optionalKey(Schema.Int), c: Schema.optional(Schema.Boolean) }),
  defaulted: Schema.Struct({ a: Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed("a"))) }),
  renamed: Schema.Struct({ aB: Schema.String }).pipe(Schema.encodeKeys({ aB: "a_b" })),
  open: Schema.StructWithRest(Schema.Struct({ a: Schema.String }), [Schema.Record(Schema.String, Schema.Unknown)]),
  class: class extends Schema.Class<{ readonly a: string }>("Named")({ a: Schema.String }) {},
  named: Schema.Struct({ a: Schema.String }).annotate({ identifier: "Named" }),
  tree: Tree,
  file: Tela.FileSchema,
  files: Schema.Struct({ documents: Schema.Array(Tela.FileSchema) })
}

/** The parts of a JSON Schema that the comparison with a canvas reads, down to a number of levels. */
const view = (
  schema: JsonSchema | undefined,
  definitions: { readonly [name: string]: JsonSchema },
  depth: number
): unknown => {
  if (schema === undefined || depth === 0) return undefined
  if (schema.$ref !== undefined) return view(definitions[schema.$ref.replace("#/$defs/", "")], definitions, depth)
  const values = schema.enum ?? (schema.const === undefined ? undefined : [schema.const])
  const members = schema.anyOf ?? schema.oneOf
  const typesOf = (schema: JsonSchema): ReadonlyArray<string> => {
    const seen = view(schema, definitions, 1) as { readonly types: ReadonlyArray<string> }
    return seen.types
  }
  return {
    types: [
      ...new Set(
        schema.type !== undefined
          ? [schema.type].flat()
          : values !== undefined
          ? values.map((value) => typeof value)
          : members?.flatMap(typesOf) ?? []
      )
    ].toSorted(),
    required: [...schema.required ?? []].toSorted(),
    properties: Object.fromEntries(
      Object.entries(schema.properties ?? {}).map(([name, property]) => [name, view(property, definitions, depth - 1)])
    ),
    items: typeof schema.items === "object" ? view(schema.items, definitions, depth - 1) : undefined
  }
}

/** The same parts of a shape. */
const look = (shape: Shape, depth: number): unknown => {
  if (depth === 0) return undefined
  const properties = Array.from(shape.properties ?? [])
  return {
    types: shape.types.toSorted(),
    required: properties.flatMap(([name, { isRequired }]) => isRequired === true ? [name] : []).toSorted(),
    properties: Object.fromEntries(properties.map(([name, { shape }]) => [name, look(shape(), depth - 1)])),
    items: shape.items === undefined ? undefined : look(shape.items(), depth - 1)
  }
}

it("compares an Effect Schema like its JSON Schema", () => {
  for (const [name, schema] of Object.entries(schemas)) {
    const { definitions, schema: root } = Schema.toJsonSchemaDocument(schema)
    assert.deepStrictEqual(
      look(shapeOf(schema as never, "output"), 4),
      view(root as JsonSchema, definitions as Record<string, JsonSchema>, 4),
      name
    )
  }
})

it("a plain object of schemas has a shape with its fields, where those that may be undefined are not required", () => {
  const { properties, types } = shapeOf({
    date: Schema.DateFromString,
    total: z.number(),
    note: z.string().optional(),
    when: z.date()
  }, "output")
  assert.deepStrictEqual(types, ["object"])
  assert.deepStrictEqual(
    Array.from(properties!, ([name, { isRequired, shape }]) => [name, shape().types, isRequired]),
    [
      ["date", ["string"], true],
      ["total", ["number"], true],
      ["note", ["string"], false],
      ["when", [], true]
    ]
  )
})

it("a plain object of schemas: reads a field whose schema has definitions, and accepts any value for one without a JSON Schema", () => {
  const tree: z.ZodType = z.lazy(() => z.object({ children: z.array(tree) }))
  const unknown = { "~standard": { version: 1, vendor: "own", validate: (value: unknown) => ({ value }) } } as const
  const { properties } = shapeOf({ tree: z.object({ tree }), unknown }, "input")
  assert.deepStrictEqual(look(properties!.get("unknown")!.shape(), 3), look({ types: [] }, 3))
  const children = properties!.get("tree")!.shape().properties!.get("tree")!.shape().properties!.get("children")!
  assert.deepStrictEqual(children.shape().types, ["array"])
  assert.isTrue(children.shape().items!().properties!.has("children"))
})
