/** Lists of the provider: their filters, one page, and the stream of all rows. */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import { attempt, quote } from "../../internal/describe.ts"
import type * as Http from "../../internal/http/call.ts"
import { checkId } from "../../internal/id.ts"
import * as Options from "../../internal/options.ts"
import { badRequest, type BadRequestError, InvalidResponseError, type RequestError } from "../../RunError.ts"
import type * as Page from "../TelaPage.ts"
import { get } from "./get.ts"

/** Checks the value of a filter, and returns its form in the query. An array becomes a parameter for each of its items. */
export type Filter = (
  operation: string,
  parameter: string,
  value: unknown
) => Effect.Effect<string | boolean | ReadonlyArray<string>, BadRequestError>

/** The filters of a list, in the order in which the query has them. */
export type Filters<Given> = { readonly [K in keyof Required<Given>]: Filter }

/** A list of the provider. */
export interface List<Given, A> {
  readonly api: Http.Api
  /** The name of the list's service in the client. */
  readonly service: string
  readonly path: string
  readonly filters: Filters<Given>
  readonly decode: (body: unknown) => ReturnType<Http.Call<Page.Page<A>>["decode"]>
  /** The name of the span of each page. */
  readonly span: string
  /** The most rows that a page can have. */
  readonly maxLimit?: number
}

/** Returns the method that reads one page. */
export const page = <Given extends object, A>(
  list: List<Given, A>,
  method: string
) =>
(filters?: Given & Page.PageParams) =>
  Effect.gen(function*() {
    const operation = `${list.service}.${method}`
    const given = yield* Options.copy(operation, "filters", filters, [...Object.keys(list.filters), "limit", "offset"])
    const { limit, offset } = given
    yield* checkRange(operation, { limit, offset }, list.maxLimit)
    return yield* request(list, operation, given, { limit, offset })
  })

/** Returns the methods that read one page and all rows. */
export const methods = <Given extends object, A extends { readonly id: string }>(list: List<Given, A>) => ({
  list: page(list, "list"),
  stream: (filters?: Given & Page.StreamPageParams) =>
    Stream.unwrap(Effect.gen(function*() {
      const operation = `${list.service}.stream`
      const given = yield* Options.copy(operation, "filters", filters, [...Object.keys(list.filters), "pageSize"])
      const { pageSize = defaultPageSize } = given
      yield* checkRange(operation, { pageSize }, list.maxLimit)
      return allRows(operation, pageSize, (range) => request(list, operation, given, range))
    }))
})

/** How many rows a page has when a stream requests it. */
const defaultPageSize = 50

/** Checks the filters, and requests a page. */
const request = <Given, A>(
  { api, decode, filters, path, span }: List<Given, A>,
  operation: string,
  given: Given,
  range: Page.PageParams
): Effect.Effect<Page.Page<A>, RequestError> =>
  Effect.gen(function*() {
    const query: Record<string, string | boolean | ReadonlyArray<string>> = {}
    for (const [name, filter] of Object.entries<Filter>(filters)) {
      const value: unknown = given[name as keyof Given]
      if (value === undefined) continue
      const written = yield* filter(operation, name, value)
      query[Array.isArray(written) ? `${name}[]` : name] = written
    }
    return yield* get(api, operation, path, decode, { span, urlParams: { ...query, ...range } })
  })

/**
 * All rows, page by page as they are requested, each once.
 *
 * The stream ends at the total. A page without new rows before it fails the stream: rows are missing, and the provider may ignore
 * the offset. If the provider sends no total, the stream ends with a page that is shorter than the one before. A short first
 * page may only mean that the provider returns fewer rows at once than requested.
 */
const allRows = <A extends { readonly id: string }, R>(
  operation: string,
  limit: number,
  page: (range: Required<Page.PageParams>) => Effect.Effect<Page.Page<A>, RequestError, R>
): Stream.Stream<A, RequestError, R> =>
  Stream.suspend(() => {
    const seen = new Set<string>()
    return Stream.paginate({ offset: 0, length: 0, total: 0 }, (last) =>
      Effect.flatMap(page({ limit, offset: last.offset }), ({ data, total }) => {
        const news = data.filter(({ id }) =>
          !seen.has(id) && seen.add(id)
        )
        const offset = last.offset + data.length
        const isLast = total === undefined ? news.length === 0 || data.length < last.length : offset >= total
        // Rows that were added since the last page shift known rows into this one, and make the total grow
        const hasGrown = total !== undefined && total > last.total && data.length > 0
        if (total !== undefined && news.length === 0 && seen.size < total && !hasGrown) {
          return Effect.fail(
            new InvalidResponseError({
              operation,
              message:
                `The page of ${operation} at offset ${last.offset} has no new rows, but the list has ${total} by its total, ` +
                `and ${seen.size} were read. Read the list again, or ask the provider why.`,
              attempts: 1,
              elapsed: Duration.zero,
              isRetryable: false,
              body: { data, total }
            })
          )
        }
        return Effect.succeed([
          news,
          isLast ? Option.none() : Option.some({
            offset,
            length: data.length,
            total: news.length === 0 ? last.total : total ?? 0
          })
        ])
      }))
  })

/** Checks the limit and the offset. */
export const checkRange = (
  operation: string,
  given: { readonly [parameter: string]: number | undefined },
  maxLimit = Number.MAX_SAFE_INTEGER
): Effect.Effect<void, BadRequestError> =>
  Effect.forEach(Object.entries(given), ([parameter, value]) => {
    const [min, max] = parameter === "offset" ? [0, Number.MAX_SAFE_INTEGER] : [1, maxLimit]
    return Options.checkKind(
      operation,
      parameter,
      value,
      (value) => Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max,
      `a whole number ${max === Number.MAX_SAFE_INTEGER ? `that is ${min} or more` : `between ${min} and ${max}`}`
    )
  }, { discard: true })

const kind = <A extends string | boolean | ReadonlyArray<string>>(
  isKind: (value: unknown) => value is A,
  expected: string
): Filter =>
(operation, parameter, value) => Effect.as(Options.checkKind(operation, parameter, value, isKind, expected), value as A)

/** The kind of value that {@link isTexts} checks. */
export const textsOnly = "an array in which each item is text"

/** Whether a value is an array of texts. */
export const isTexts = (value: unknown): value is ReadonlyArray<string> =>
  Array.isArray(value) && value.every(Predicate.isString)

/** An id. */
export const id: Filter = checkId

/** Text, sent unchanged. */
export const text = kind(Predicate.isString, "text")

/** An array of texts, each sent as a separate parameter. */
export const texts = kind(isTexts, textsOnly)

/** `true` or `false`. */
export const flag = kind(Predicate.isBoolean, "true or false")

/** A moment, sent in ISO 8601. */
export const moment: Filter = (operation, parameter, value) => {
  const iso = isoOf(value)
  const expected = "a date, such as \"2026-01-31T00:00:00Z\""
  return Effect.as(Options.checkKind(operation, parameter, value, () => iso !== undefined, expected), iso!)
}

const isoOf = (value: unknown): string | undefined =>
  attempt(() => Option.getOrUndefined(Option.map(DateTime.make(value as DateTime.DateTime.Input), DateTime.formatIso)))

/** A list in one parameter, separated by commas. No item may contain a comma. */
export const list: Filter = (operation, parameter, values) => {
  const wrong = (message: string) =>
    Effect.fail(badRequest({ operation, parameter, message: `${parameter} ${message}` }))
  return Options.reading(operation, parameter, () => {
    if (!Array.isArray(values)) return wrong(`is ${quote(values)}; it must be ${textsOnly}.`)
    const items: ReadonlyArray<unknown> = Array.from(values)
    const odd = items.findIndex((item) => typeof item !== "string" || item === "" || item.includes(","))
    return odd === -1
      ? Effect.succeed(items.join(","))
      : wrong(`has ${quote(items[odd])}; each item must be text that is not empty and has no comma.`)
  })
}
