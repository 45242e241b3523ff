/** Reads JSON for the emulators. */
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"

export type JsonObject = Readonly<Record<string, unknown>>

export const isObject = (value: unknown): value is JsonObject => Predicate.isObject(value)

/** The value of a JSON text, or `undefined` if the text is not JSON. */
export const parseJson = (text: string): unknown => Option.getOrUndefined(parse(text))

const parse = Option.liftThrowable((text: string): unknown => JSON.parse(text))
