/**
 * Schemas of the caller: Effect Schemas, Standard Schemas, or a plain object of either, behind one interface.
 *
 * A schema is code of the caller that reads data of the server. If it throws or returns anything unexpected, the result is a text
 * about the value that does not fit, and never a defect.
 */
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { StandardSchemaV1 } from "effect/StandardSchema"
import type { Simplify } from "effect/Types"
import { attempt, messageOf } from "../../internal/describe.ts"

/** An Effect Schema that needs no services, or any implementation of Standard Schema, such as a Zod schema. */
export type Single = Schema.Codec<any, any> | StandardSchemaV1<any, any> // oxlint-disable-line typescript/no-explicit-any -- schemas of any type

/** A plain object of schemas, which is treated as a struct with these fields. */
export interface Fields {
  readonly [field: string]: Single
}

/** A schema, or a plain object of schemas. */
export type AnySchema = Single | Fields

/** The value that a caller gives to a schema for input. */
export type InputOf<S> = S extends Schema.Constraint ? S["Type"]
  : S extends StandardSchemaV1<infer I, unknown> ? I
  : S extends Fields ? Simplify<EffectFields<S> & Optional<{ readonly [K in StandardKeys<S>]: InputOf<S[K]> }>>
  : never

/** The value that a schema for output gives to the caller. */
export type OutputOf<S> = S extends Schema.Constraint ? S["Type"]
  : S extends StandardSchemaV1<unknown, infer O> ? O
  : S extends Fields ? Simplify<EffectFields<S> & Optional<{ readonly [K in StandardKeys<S>]: OutputOf<S[K]> }>>
  : never

type EffectFields<S> = Schema.Struct.Type<
  { readonly [K in keyof S as S[K] extends Schema.Constraint ? K : never]: Extract<S[K], Schema.Constraint> }
>

type StandardKeys<S> = { [K in keyof S]: S[K] extends Schema.Constraint ? never : K }[keyof S]

/** Fields that may be `undefined` may be absent. */
type Optional<T> =
  & { readonly [K in keyof T as undefined extends T[K] ? never : K]: T[K] }
  & { readonly [K in keyof T as undefined extends T[K] ? K : never]?: T[K] }

/** The fault of a value that was given as a schema, or `undefined`. */
export const faultOf = (schema: unknown): string | undefined =>
  Option.getOrElse(readFault(schema), () => "an object that cannot be read")

const readFault = Option.liftThrowable((schema: unknown): string | undefined => {
  if (isSingle(schema)) return undefined
  if (typeof schema === "function") return "a function"
  if (schema === null || typeof schema !== "object") return JSON.stringify(schema) ?? typeof schema
  if (Array.isArray(schema)) return "an array"
  const fields = Object.entries(schema)
  if (fields.length === 0) return "an object without fields"
  const other = fields.find(([, field]) => !isSingle(field))
  return other === undefined ?
    undefined :
    `an object whose ${JSON.stringify(other[0])} is not a schema${
      "type" in schema || "$schema" in schema || "properties" in schema ? " (a JSON Schema cannot be used here)" : ""
    }`
})

/** Whether this is a plain object of schemas. */
export const isFields = (schema: AnySchema): schema is Fields => !isSingle(schema)

const isSingle = (schema: unknown): schema is Single => Schema.isSchema(schema) || isStandard(schema)

const isStandard = (schema: unknown): schema is StandardSchemaV1 =>
  Predicate.hasProperty(schema, "~standard") && Predicate.hasProperty(schema["~standard"], "validate") &&
  typeof schema["~standard"].validate === "function"

type Convert = (value: unknown) => Effect.Effect<unknown, string>

/** Converts a caller's value to the value that is sent, or describes the part that does not fit. */
export const encode = (schema: AnySchema): Convert => convert(schema, Schema.encodeUnknownEffect)

/** Converts a received value to the caller's value, or describes the part that does not fit. */
export const decode = (schema: AnySchema): Convert => convert(schema, Schema.decodeUnknownEffect)

type Codec = (schema: Schema.Codec<unknown>) => (value: unknown) => Effect.Effect<unknown, Schema.SchemaError>

const convert = (schema: AnySchema, codec: Codec): Convert => (value) =>
  Effect.suspend(() =>
    isFields(schema)
      ? convertFields(schema, codec, value)
      : Schema.isSchema(schema)
      ? Effect.mapError(codec(schema as Schema.Codec<unknown>)(value), describeError)
      : validate(schema as StandardSchemaV1, value)
  ).pipe(Effect.catchDefect((defect) => Effect.fail(`the schema threw: ${messageOf(defect)}`)))

/** Standard Schemas cannot be fields of an Effect Schema, so each of them converts its own field. */
const convertFields = (fields: Fields, codec: Codec, value: unknown): Effect.Effect<unknown, string> => {
  const { standard, struct } = partition(fields)
  if (standard.length === 0) return convert(struct, codec)(value)
  if (!Predicate.isObject(value)) return Effect.fail("it is not an object")
  const record = value as Readonly<Record<string, unknown>>
  const conversions = standard.map(([name, schema]) =>
    Effect.mapBoth(convert(schema, codec)(record[name]), {
      onFailure: (issue) => `${JSON.stringify(name)}: ${issue}`,
      onSuccess: (field): unknown => field === undefined && !Object.hasOwn(record, name) ? {} : { [name]: field }
    })
  )
  if (standard.length < Object.keys(fields).length) conversions.unshift(convert(struct, codec)(record))
  return Effect.flatMap(Effect.partition(conversions, identity), ([parts, issues]) =>
    issues.length > 0
      ? Effect.fail(issues.join("; "))
      : Effect.succeed(Object.assign({}, ...parts) as unknown))
}

/** Separates the fields into a struct of the Effect Schemas, and the Standard Schemas. */
export const partition = (fields: Fields) => {
  const entries = Object.entries(fields)
  return {
    struct: Schema.Struct(
      Object.fromEntries(entries.filter((entry): entry is [string, Schema.Codec<unknown>] => Schema.isSchema(entry[1])))
    ),
    standard: entries.filter((entry): entry is [string, StandardSchemaV1] => !Schema.isSchema(entry[1]))
  }
}

/** Whether a field with this schema may be absent. */
export const takesUndefined = (schema: StandardSchemaV1): boolean =>
  attempt(() => Result.isSuccess(judge(schema["~standard"].validate(undefined)))) === true

const describeError = (error: Schema.SchemaError): string => error.message.replaceAll(/\s*\n\s*/g, " ")

const validate = (schema: StandardSchemaV1, value: unknown): Effect.Effect<unknown, string> => {
  const result: unknown = schema["~standard"].validate(value)
  // A promise of another realm, or any other object with a `then`, is not an instance of this Promise
  return Predicate.isPromiseLike(result)
    ? Effect.flatMap(
      Effect.promise(() => Promise.resolve(result)),
      (result) => Effect.suspend(() => Effect.fromResult(judge(result)))
    )
    : Effect.fromResult(judge(result))
}

/** A schema has to return `value` or `issues`: a result with neither is not a success. */
const judge = (result: unknown): Result.Result<unknown, string> =>
  !Predicate.hasProperty(result, "issues") || Predicate.isNullish(result.issues)
    ? Predicate.hasProperty(result, "value") && !Predicate.isPromiseLike(result)
      ? Result.succeed(result.value)
      : Result.fail("the schema returned neither a value nor issues")
    : Result.fail(
      Array.isArray(result.issues) && result.issues.length > 0
        ? result.issues.map(describeIssue).join("; ")
        : "the schema gave no reason"
    )

const describeIssue = (issue: unknown): string => messageOf(issue) + (attempt(() => pathOf(issue)) ?? "")

const pathOf = (issue: unknown): string => {
  const path = (issue as StandardSchemaV1.Issue).path ?? []
  return path.length === 0
    ? ""
    : ` at ${
      path.map((segment) => JSON.stringify(String(typeof segment === "object" ? segment.key : segment))).join(".")
    }`
}
