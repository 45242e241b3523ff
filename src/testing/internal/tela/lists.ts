/** Lists: selects rows by a query, and returns a page of them. */
import * as Effect from "effect/Effect"
import type { Refusal } from "../routing.ts"
import * as responses from "./responses.ts"

/** The comma-separated or repeated values of a parameter, under its name or its name with `[]`. */
export const values = (query: URLSearchParams, name: string): ReadonlyArray<string> | undefined => {
  const found = [...query.getAll(name), ...query.getAll(`${name}[]`)].flatMap((value) => value.split(","))
    .filter((value) => value !== "")
  return found.length === 0 ? undefined : found
}

/** A moment in a query, in milliseconds. */
export const time = (query: URLSearchParams, name: string): Effect.Effect<number | undefined, Refusal> => {
  const value = query.get(name)
  if (value === null) return Effect.undefined
  const millis = new Date(value).getTime()
  return Number.isNaN(millis) ? responses.badRequest(`${name} must be a date`) : Effect.succeed(millis)
}

/** Whether a moment lies between `<name>Since` and `<name>Until` of a query. */
export const range = Effect.fnUntraced(function*(query: URLSearchParams, name: string) {
  const since = yield* time(query, `${name}Since`)
  const until = yield* time(query, `${name}Until`)
  return (millis: number | undefined): boolean =>
    (since === undefined || (millis !== undefined && millis >= since)) &&
    (until === undefined || (millis !== undefined && millis <= until))
})

/** The limit and the offset of a list, clamped. */
export const page = Effect.fnUntraced(function*(
  query: URLSearchParams,
  limits: { readonly initial: number; readonly max: number }
): Effect.fn.Return<{ readonly limit: number; readonly offset: number }, Refusal> {
  const read = (name: string, initial: number) => {
    const text = query.get(name)
    if (text === null) return Effect.succeed(initial)
    return /^-?\d{1,9}$/.test(text)
      ? Effect.succeed(Number(text))
      : responses.badRequest(`${name} must be a whole number`)
  }
  const limit = yield* read("limit", limits.initial)
  const offset = yield* read("offset", 0)
  return { limit: Math.min(limits.max, Math.max(1, limit)), offset: Math.max(0, offset) }
})

/** Assumption 15: a page of a list with its meta data, or without. */
export const envelope = <A>(
  all: ReadonlyArray<A>,
  { limit, offset }: { readonly limit: number; readonly offset: number },
  render: (item: A) => unknown,
  bare: boolean
): unknown => {
  const data = all.slice(offset, offset + limit).map(render)
  return bare ? data : {
    data,
    meta: {
      total: all.length,
      limit,
      offset,
      currentPage: Math.floor(offset / limit) + 1,
      totalPages: Math.ceil(all.length / limit)
    }
  }
}
