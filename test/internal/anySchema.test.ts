import { assert, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import { type JsonSchema, jsonSchema } from "../../src/internal/anySchema.ts"
import * as Tela from "../../src/tela/index.ts"

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

/** What the comparison with a canvas looks at, so many levels down. */
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

it("sees in an Effect Schema what its JSON Schema says, as far as a canvas is compared by it", () => {
  for (const [name, schema] of Object.entries(schemas)) {
    const { definitions, schema: root } = Schema.toJsonSchemaDocument(schema)
    const seen = Option.getOrThrow(jsonSchema(schema as never, "output"))
    assert.deepStrictEqual(
      view(seen.root, seen.definitions, 4),
      view(root as JsonSchema, definitions as Record<string, JsonSchema>, 4),
      name
    )
  }
})
