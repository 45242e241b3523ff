/**
 * The classes of this library's errors, and how to recognise their instances. Unlike `Schema.TaggedError`, these classes accept
 * any fields: `Schema.TaggedError` throws if a field does not fit, and then a defect would replace the failure that the error
 * reports.
 */
import type * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Formatter from "effect/Formatter"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as RunRef from "./ref.ts"
import { attempt, memberOf, messageOf } from "./describe.ts"
import type { Loose } from "./loose.ts"
import { cutDeep, hideLinks, hideLinksIn } from "./secret.ts"

const TypeId = "~canvas-runs/RunError"

/** The class of an error, which takes `undefined` for an optional field. */
export interface ErrorClass<Self, Tag extends string, Fields extends Schema.Struct.Fields, Members>
  extends Schema.Class<Self, Schema.TaggedStruct<Tag, Fields>, Cause.YieldableError & Members>
{
  new(
    fields: Loose<Schema.TaggedStruct<Tag, Fields>["~type.make.in"]>
  ): Schema.TaggedStruct<Tag, Fields>["Type"] & Cause.YieldableError & Members
}

/** Makes {@link TaggedError} whose instances have these members too. */
const errorClass =
  <const Members extends object>(members: Members) =>
  <Self>() =>
  <const Tag extends string, const Fields extends Schema.Struct.Fields>(
    tag: Tag,
    fields: Fields
  ): ErrorClass<Self, Tag, Fields, Members> => {
    const Base = Schema.TaggedError<Cause.YieldableError>()(tag, fields) as unknown as new(
      fields: unknown,
      options: unknown
    ) => object
    class Class extends Base {
      constructor(input: unknown, options: unknown) {
        super(fitting(fields, input), options)
        Object.assign(this, members)
      }
    }
    // On the prototype, so that it is neither printed nor compared; a string, so that all loaded copies of the package share it
    Object.defineProperty(Class.prototype, TypeId, { value: TypeId })
    return Class as never
  }

/**
 * Makes the class of an error: `Schema.TaggedError` whose instances {@link isOurs} recognises, as a program may define errors
 * with the same tags. Constructing an error never fails: an optional field that does not fit is left out, and a required one is
 * replaced by the nearest valid value.
 *
 * The message is short and holds no signature of a link, also where it quotes other texts. All fields can be printed.
 */
export const TaggedError = /*#__PURE__*/ errorClass({})

/** {@link TaggedError} for an error after which trying again does not help. */
export const PermanentError = /*#__PURE__*/ errorClass({
  /** Whether trying again can help: for this error it cannot. */
  isRetryable: false
})

/** {@link TaggedError} for an error after which trying again can help. */
export const TransientError = /*#__PURE__*/ errorClass({
  /** Whether trying again can help: for this error it can. */
  isRetryable: true
})

/** Whether an error was made by this library, by any loaded copy of it. */
export const isRunError = (error: unknown): boolean => Predicate.hasProperty(error, TypeId)

/** Whether an error has one of these tags and was made by this library, by any loaded copy of it. */
export const isOurs = <const Tag extends string>(
  error: unknown,
  ...tags: ReadonlyArray<Tag>
): error is { readonly _tag: Tag } =>
  isRunError(error) && Predicate.hasProperty(error, "_tag") && tags.includes(error._tag as Tag)

const fitting = (fields: Schema.Struct.Fields, input: unknown): Record<string, unknown> => {
  const out: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(fields)) {
    const value = memberOf(input, name)
    const isOptional = field.ast.context?.isOptional === true
    if (attempt(() => Schema.is(field as Schema.Codec<unknown>)(value)) === true) {
      // A required field whose schema accepts any value may be absent
      if (value !== undefined || !isOptional) out[name] = shown(name, value)
    } else if (name === "ref") {
      const ref = RunRef.read(value) ?? (isOptional ? undefined : RunRef.nearest(value))
      if (ref !== undefined) out[name] = ref
    } else if (!isOptional) {
      out[name] = name === "reason"
        ? (field as Schema.Literals<[string]>).literals[0]
        : field.ast._tag === "Number"
        ? 0
        : shown(name, (substitutes[name] ?? messageOf)(value))
    }
  }
  return out
}

/** A field as the error shows it. */
const shown = (name: string, value: unknown): unknown => (show[name] ?? identity)(value as never)

/** The length of the longest message. Each part that a message quotes is far shorter. */
const maxMessage = 3000

const showText = (text: string): string => {
  const hidden = hideLinks(text)
  // Advice stands at the end of a message
  return hidden.length <= maxMessage ? hidden : `${hidden.slice(0, maxMessage - 500)} […] ${hidden.slice(-480)}`
}

/** How a field is shown, by its name. The snapshots and the output of a run belong to the caller, and keep their links. */
const show: Readonly<Record<string, (value: never) => unknown>> = {
  message: showText,
  providerMessage: showText,
  issue: showText,
  errors: (errors: ReadonlyArray<string>) => errors.map(hideLinks),
  body: hideLinksIn,
  run: cutDeep,
  output: cutDeep,
  lastSnapshot: cutDeep,
  received: cutDeep
}

/**
 * The value that replaces a required field that does not fit, by the name of the field. A number is replaced by zero, and a text by
 * {@link messageOf} of the value.
 */
const substitutes: Readonly<Record<string, (value: unknown) => unknown>> = {
  errors: (value) => attempt(() => Array.from(value as Iterable<unknown>, messageOf)) ?? [],
  refs: () => [],
  history: () => [],
  elapsed: () => Duration.zero,
  received: () => ({ message: "", structured: undefined, chunks: 0 }),
  // The cautious values: the request may have been sent, and a repetition does not help
  sent: () => true,
  reached: () => true,
  isRetryable: () => false
}

/** A schema of any value. `encode` may throw: then the message of the value is written. */
const total = (decode: (json: Schema.Json) => unknown, encode: (value: unknown) => Schema.Json) =>
  Schema.Json.pipe(Schema.decodeTo(Schema.Unknown, {
    decode: SchemaGetter.transform(decode),
    encode: SchemaGetter.transform((value: unknown) =>
      Option.getOrElse(Option.liftThrowable(encode)(value), () => messageOf(value))
    )
  }))

/** Any value. Its JSON has every part of the value that can be written: cycles are left out, and a BigInt is a text. */
export const Anything: Schema.Unknown = /*#__PURE__*/ total(
  (json) => json,
  (value) => value === undefined ? null : JSON.parse(Formatter.formatJson(value))
) as never

/** A schema of any value whose JSON is written and read by a codec, which is made when it is first needed. */
const totalBy = (codec: () => Schema.Codec<unknown, Schema.Json>): Schema.Defect =>
  total((json) => Schema.decodeSync(codec())(json), (value) => Schema.encodeSync(codec())(value)) as never

/** `Schema.Defect()`, which dies on a value that cannot be inspected. */
export const Defect: Schema.Defect = /*#__PURE__*/ totalBy(Schema.Defect)

/** {@link Defect}, where errors of these classes keep their class in JSON. */
export const DefectOr = (errors: Schema.Codec<unknown, unknown>): Schema.Defect =>
  totalBy(() => Schema.toCodecJson(Schema.Union([errors, Defect])))
