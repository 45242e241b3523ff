/** The parts of `RunRef` that the errors of this library are built on. */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import { attempt, memberOf, quote } from "./describe.ts"
import type { Loose } from "./loose.ts"

/** A field without which a run can still be waited for: a stored value that does not fit decodes as absent. */
const side = <S extends Schema.Codec<unknown>>(schema: S): Schema.optionalKey<S> =>
  Schema.optionalKey(Schema.Unknown).pipe(Schema.decodeTo(
    Schema.optionalKey(schema),
    {
      decode: SchemaGetter.transformOptional(Option.filter(Schema.is(schema))),
      encode: SchemaGetter.passthrough()
    } as never
  )) as never

/**
 * The schema of a {@link RunRef}. The encoded form is the ref itself, so `JSON.stringify(ref)` loses nothing.
 *
 * **Details**
 *
 * `version` guards stored refs: a ref written by a later version of this library does not decode here. An optional field whose
 * value does not fit, such as a `createdAt` of `null`, decodes as absent.
 *
 * @see {@link module:RunRef.parse} for reading one back from JSON, with an error that names the fault
 * @category schemas
 * @since 0.1.0
 */
export const RunRef = Schema.Struct({
  /** The version of this format. */
  version: Schema.Literal(1),
  /** The provider, such as `"spine"`. */
  provider: Schema.NonEmptyString,
  /** The provider's word for this kind of run, such as `"run"`, `"execution"` or `"task"`. */
  kind: Schema.NonEmptyString,
  /** The provider's id of the run. */
  id: Schema.NonEmptyString,
  /** When the run was created, in Unix milliseconds; absent if only the id of the run is known. */
  createdAt: side(Schema.Finite),
  /** The provider's id of the request that created the run, for its support. */
  requestId: side(Schema.String),
  /** How long the provider expected the run to take, in milliseconds. */
  estimatedDurationMs: side(Schema.Finite),
  /**
   * What the run was made from: the template or the blocks of a Spine run, the canvas, version or application of a Tela execution. Runs
   * that are made from the same take similar times. Absent if only the id of the run is known.
   */
  template: side(Schema.NonEmptyString)
})

/**
 * @category models
 * @since 0.1.0
 */
export interface RunRef extends Schema.Schema.Type<typeof RunRef> {}

/**
 * Makes a ref.
 *
 * **When to use**
 *
 * The clients make refs. Use this to name a run by hand, for example one that you found at the provider.
 *
 * **Details**
 *
 * An optional field that does not fit, such as a `createdAt` of `NaN` or a `requestId` of `undefined`, is left out.
 *
 * **Example** (Naming a run by hand)
 *
 * ```ts
 * import { RunRef } from "canvas-runs"
 *
 * const ref = RunRef.make({ provider: "spine", kind: "run", id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11" })
 *
 * console.log(RunRef.format(ref)) // => "spine run 6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (fields: Loose<Omit<RunRef, "version">>): RunRef => {
  const ref = { version: 1, ...fields } as RunRef
  return read(ref) ?? ref
}

/**
 * Reads a ref that a caller or a store gave, or returns `undefined` if it names no run. A valid ref is returned without a copy: a
 * program may wait for very many, and holds each once.
 *
 * @internal
 */
export const read = (value: unknown): RunRef | undefined =>
  attempt(() => isRef(value) && isData(value) ? value : Option.getOrUndefined(decode(value)))

/** Whether every field is a plain value. A getter could throw, or return another value at the next read. */
const isData = (value: object): boolean =>
  Object.keys(RunRef.fields).every((key) => {
    const descriptor = Object.getOwnPropertyDescriptor(value, key)
    return descriptor === undefined ? !(key in value) : "value" in descriptor
  })
const isRef = Schema.is(RunRef)
const decode = Schema.decodeUnknownOption(RunRef)

/**
 * Describes, for a message, a value that should be a ref and is not, or is a ref of another provider.
 *
 * @internal
 */
export const describe = (value: unknown): string => {
  const part = (key: string) => quote(memberOf(value, key))
  return memberOf(value, "provider") !== undefined
    ? `a ref with provider ${part("provider")}, kind ${part("kind")}, id ${part("id")} and version ${part("version")}`
    : quote(value)
}

/**
 * The ref for an error about a value that is not a ref. It has the fields of the value that are text.
 *
 * @internal
 */
export const nearest = (value: unknown): RunRef => {
  const text = (key: string) => {
    const part = memberOf(value, key)
    return typeof part === "string" && part !== "" ? part : "unknown"
  }
  const id = typeof value === "string" && value !== "" ? value : text("id")
  return { version: 1, provider: text("provider"), kind: text("kind"), id }
}

/**
 * Returns the provider, kind and id of a run as one text, as messages have it.
 *
 * **Example** (A line for a log)
 *
 * ```ts
 * import { RunRef } from "canvas-runs"
 *
 * const ref = RunRef.make({ provider: "tela", kind: "execution", id: "0b8f6c1e-5d0a-4c57-8a0e-6f3d1d1f9a20" })
 *
 * RunRef.format(ref) // => "tela execution 0b8f6c1e-5d0a-4c57-8a0e-6f3d1d1f9a20"
 * ```
 *
 * @see {@link module:RunRef.parse} for reading a ref; `JSON.stringify` writes it
 * @category formatting
 * @since 0.1.0
 */
export const format = (ref: RunRef): string => {
  const { id, kind, provider } = nearest(ref)
  return `${provider} ${kind} ${id}`
}

/** The identity of a run, as text. The ids of runs may be UUIDs, whose case means nothing. */
export const runOf = ({ id, kind, provider }: RunRef): string => JSON.stringify([provider, kind, id.toLowerCase()])
