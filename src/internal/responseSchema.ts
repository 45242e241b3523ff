/**
 * Building blocks for the schemas of responses. The server may change: fields that it adds are kept, and `null` counts as an absent
 * field.
 */
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as SchemaParser from "effect/SchemaParser"
import * as Struct from "effect/Struct"

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

/** A field that may be absent or `null`, and decodes to the result of `decode`. */
const nullish = (
  schema: Schema.Constraint,
  to: Schema.Constraint,
  decode: (value: Option.Option<unknown>) => Option.Option<unknown>
): never =>
  Schema.optionalKey(Schema.NullishOr(schema)).pipe(
    Schema.decodeTo(to, {
      decode: SchemaGetter.transformOptional((value) => decode(Option.filter(value, Predicate.isNotNullish))),
      encode: SchemaGetter.passthrough()
    } as never)
  ) as never

/** An optional field that is left out of the decoded value when the server sends `null`. Any other value has to decode. */
export const absentable = <S extends Schema.Constraint>(
  schema: S
): Schema.decodeTo<Schema.optionalKey<Schema.toType<S>>, Schema.optionalKey<Schema.NullishOr<S>>> =>
  nullish(schema, Schema.optionalKey(Schema.toType(schema)), identity)

/** A field that decodes to `fallback` when the server leaves it out or sends `null`. */
export const withFallback = <S extends Schema.Constraint>(
  schema: S,
  fallback: S["Type"]
): Schema.decodeTo<Schema.toType<S>, Schema.optionalKey<Schema.NullishOr<S>>> =>
  nullish(schema, Schema.toType(schema), (value) => Option.orElseSome(value, () => fallback))

/**
 * An optional field that the client does not act on: it is left out of the decoded value when the server sends `null`, or a
 * value that does not decode. A response that is paid for stays readable when such a field is odd.
 */
export const sideField = <S extends Schema.Constraint>(schema: S): ReturnType<typeof absentable<S>> =>
  lenient(schema, Schema.optionalKey(Schema.toType(schema)), Option.none)

/** A field that the client does not act on, which decodes to `fallback` when it is absent, `null`, or does not decode. */
export const sideFieldOr = <S extends Schema.Constraint>(
  schema: S,
  fallback: S["Type"]
): ReturnType<typeof withFallback<S>> => lenient(schema, Schema.toType(schema), () => Option.some(fallback))

/**
 * A field of any value that decodes to `otherwise` when it is absent, `null`, or does not decode. One parser decides all three: a
 * union of schemas that does the same takes 2 to 3 times as long, and every poll decodes several such fields.
 */
const lenient = (schema: Schema.Constraint, to: Schema.Constraint, otherwise: () => Option.Option<unknown>): never => {
  const decode = Schema.decodeUnknownOption(schema as Schema.Codec<unknown>)
  const encode = SchemaParser.encodeUnknownEffect(schema as Schema.Codec<unknown>)
  return Schema.optionalKey(Schema.Unknown).pipe(
    Schema.decodeTo(to, {
      decode: SchemaGetter.transformOptional((given) =>
        Option.orElse(Option.flatMap(Option.filter(given, Predicate.isNotNullish), decode), otherwise)
      ),
      encode: SchemaGetter.transformEffect(encode)
    } as never)
  ) as never
}

/** A count, such as a number of bytes. */
export const Count: Schema.Int = /*#__PURE__*/ Schema.Int.check(/*#__PURE__*/ Schema.isGreaterThanOrEqualTo(0))

/** The times of a record. Fields in `Struct.Record` would show no documentation. */
export const times = {
  /** When it was created, in ISO 8601. */
  createdAt: /*#__PURE__*/ sideField(Schema.String),
  /** When it was changed last, in ISO 8601. */
  updatedAt: /*#__PURE__*/ sideField(Schema.String)
}

/** One of the literals known today, or any other string: the set is the server's to extend. */
export const openLiterals = <const L extends ReadonlyArray<string>>(
  literals: L
): Schema.Codec<L[number] | (string & {}), string> =>
  Schema.Union([Schema.Literals(literals as never), Schema.StringForLiteralAutocomplete]) as never

/**
 * An open struct whose fields have other names in the response: `names` maps the response's names to ours. Decoding accepts
 * either name, encoding writes the response's name, and keys that are not listed stay unchanged.
 */
export const renamed = <const Fields extends Schema.Struct.Fields>(
  names: { readonly [theirs: string]: keyof Fields & string },
  fields: Fields
): Schema.Codec<Schema.Struct<Fields>["Type"], { readonly [key: string]: unknown }> => {
  const toTheirs = Object.fromEntries(Object.entries(names).map(([theirs, ours]) => [ours, theirs]))
  // Not by assignment: a key may be `__proto__`
  const rename = (table: Readonly<Record<string, string>>) => (record: { readonly [key: string]: unknown }) =>
    Object.fromEntries(
      Object.entries(record).map(([key, value]) => [Object.hasOwn(table, key) ? table[key]! : key, value])
    )
  return Schema.Record(Schema.String, Schema.Unknown).pipe(
    Schema.decodeTo(
      open(fields),
      { decode: SchemaGetter.transform(rename(names)), encode: SchemaGetter.transform(rename(toTheirs)) } as never
    )
  ) as never
}

/**
 * Adds the JSON that the server sent to the decoded value, as `raw`. A field that does not decode is absent from the decoded
 * value and readable in `raw`. `raw` is not encoded. The schema has to be open: `raw` passes through it as an unknown field.
 */
export const withRaw = <A extends object, I>(schema: Schema.Codec<A, I>): Schema.Codec<A & Raw, I> =>
  Schema.Unknown.pipe(
    Schema.decodeTo(
      schema,
      {
        decode: SchemaGetter.transform((raw: unknown) => Predicate.isObject(raw) ? { ...raw, raw } : raw),
        encode: SchemaGetter.transform((encoded: object & Raw) => Struct.omit(encoded, ["raw"]))
      } as never
    )
  ) as never

/** The field that {@link withRaw} adds. */
export interface Raw {
  /** The JSON that the server sent, unchanged. Absent only in a value that was not decoded from a response. */
  readonly raw?: unknown
}
