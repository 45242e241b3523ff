/**
 * Schema building blocks for answers of a server that is allowed to change: fields it adds are kept, and a `null`
 * means the same as no field at all.
 */
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"

/** A struct whose unknown fields survive decoding and encoding, without an index signature that would hide typos. */
export const open = <const Fields extends Schema.Struct.Fields>(fields: Fields): Open<Fields> =>
  Schema.StructWithRest(Schema.Struct(fields), [Schema.Record(Schema.String, Schema.Unknown)]) as never

export interface Open<Fields extends Schema.Struct.Fields> extends
  Schema.Codec<
    Schema.Struct<Fields>["Type"],
    Schema.Struct<Fields>["Encoded"],
    Schema.Struct<Fields>["DecodingServices"],
    Schema.Struct<Fields>["EncodingServices"]
  >
{}

/** An optional field that is left out of the decoded value when the server sends `null`. */
export const absentable = <S extends Schema.Constraint>(
  schema: S
): Schema.decodeTo<Schema.optionalKey<Schema.toType<S>>, Schema.optionalKey<Schema.NullishOr<S>>> =>
  Schema.optionalKey(Schema.NullishOr(schema)).pipe(
    Schema.decodeTo(
      Schema.optionalKey(Schema.toType(schema)),
      {
        decode: SchemaGetter.transformOptional(Option.filter(Predicate.isNotNullish)),
        encode: SchemaGetter.passthrough()
      } as never
    )
  ) as never

/** A field that decodes to `fallback` when the server leaves it out or sends `null`. */
export const withFallback = <S extends Schema.Constraint>(
  schema: S,
  fallback: S["Type"]
): Schema.decodeTo<Schema.toType<S>, Schema.optionalKey<Schema.NullishOr<S>>> =>
  Schema.optionalKey(Schema.NullishOr(schema)).pipe(
    Schema.decodeTo(
      Schema.toType(schema),
      {
        decode: SchemaGetter.transformOptional((value: Option.Option<unknown>) =>
          Option.some(Option.isSome(value) && Predicate.isNotNullish(value.value) ? value.value : fallback)
        ),
        encode: SchemaGetter.passthrough()
      } as never
    )
  ) as never

/** One of the literals known today, or any other string: the set is the server's to extend. */
export const openLiterals = <const L extends ReadonlyArray<string>>(
  literals: L
): Schema.Codec<L[number] | (string & {}), string> =>
  Schema.Union([Schema.Literals(literals as never), Schema.StringForLiteralAutocomplete]) as never

/**
 * An open struct with other names on the wire: `names` maps wire names to ours. Decoding takes either spelling, encoding
 * writes the wire's, and no key that is not listed is touched.
 */
export const renamed = <const Fields extends Schema.Struct.Fields>(
  names: { readonly [wire: string]: keyof Fields & string },
  fields: Fields
): Schema.Codec<Schema.Struct<Fields>["Type"], { readonly [key: string]: unknown }> => {
  const toWire = Object.fromEntries(Object.entries(names).map(([wire, ours]) => [ours, wire]))
  const rename = (table: Readonly<Record<string, string>>) => (record: { readonly [key: string]: unknown }) => {
    const out: Record<string, unknown> = {}
    for (const key of Object.keys(record)) out[Object.hasOwn(table, key) ? table[key]! : key] = record[key]
    return out
  }
  return Schema.Record(Schema.String, Schema.Unknown).pipe(
    Schema.decodeTo(
      open(fields),
      { decode: SchemaGetter.transform(rename(names)), encode: SchemaGetter.transform(rename(toWire)) } as never
    )
  ) as never
}
