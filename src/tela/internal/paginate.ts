/** Lists that come page by page: what asks for a page, and the stream of all that is in them. */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { quote } from "../../internal/describe.ts"
import { checkId } from "../../internal/id.ts"
import * as Options from "../../internal/options.ts"
import { type BadRequestError, refused, type RequestError } from "../../RunError.ts"
import type * as Page from "../TelaPage.ts"

/** Which part of a list a page is. */
export interface Range {
  readonly limit: number
  readonly offset: number
}

/** The methods that read a list, with their parameters checked. `name` is that of the service in the client. */
export const lists = <Filters extends object, A extends { readonly id: string }>(
  name: string,
  filterNames: ReadonlyArray<keyof Filters & string>,
  page: (operation: string, filters: Filters, range: Page.PageParams) => Effect.Effect<Page.Page<A>, RequestError>,
  maxLimit?: number
): {
  readonly list: (filters?: Filters & Page.PageParams) => Effect.Effect<Page.Page<A>, RequestError>
  readonly stream: (filters?: Filters & Page.StreamPageParams) => Stream.Stream<A, RequestError>
} => ({
  list: (filters) =>
    Effect.gen(function*() {
      const operation = `${name}.list`
      const given = yield* Options.copy(operation, "filters", filters, [...filterNames, "limit", "offset"])
      const { limit, offset } = given
      yield* checkRange(operation, { limit, offset }, maxLimit)
      return yield* page(operation, given, { limit, offset })
    }),
  stream: (filters) =>
    Stream.unwrap(Effect.gen(function*() {
      const operation = `${name}.stream`
      const given = yield* Options.copy(operation, "filters", filters, [...filterNames, "pageSize"])
      const { pageSize = defaultPageSize } = given
      yield* checkRange(operation, { pageSize }, maxLimit)
      return stream(pageSize, (range) => page(operation, given, range))
    }))
})

/** How many rows a page has when a stream asks for it. */
const defaultPageSize = 50

/**
 * All rows, page by page as they are asked for, each once.
 *
 * It ends at the total. Where the provider tells none, it ends with a page shorter than the one before: that a first page
 * is short may only mean that fewer rows are served at once than were asked for.
 */
const stream = <A extends { readonly id: string }, E, R>(
  limit: number,
  page: (range: Range) => Effect.Effect<Page.Page<A>, E, R>
): Stream.Stream<A, E, R> =>
  Stream.suspend(() => {
    const seen = new Set<string>()
    // What was added since the last page shifts rows that were seen into this one, and makes the total grow. A page
    // without news while the total stays shows that the provider ignores the offset.
    return Stream.paginate({ offset: 0, length: 0, total: 0 }, (last) =>
      Effect.map(page({ limit, offset: last.offset }), ({ data, total }) => {
        const news = data.filter(({ id }) =>
          !seen.has(id) && seen.add(id)
        )
        const offset = last.offset + data.length
        const isLast = data.length === 0 || (total === undefined
          ? news.length === 0 || data.length < last.length
          : offset >= total || news.length === 0 && total <= last.total)
        return [
          news,
          isLast ? Option.none() : Option.some({
            offset,
            length: data.length,
            total: news.length === 0 ? last.total : total ?? 0
          })
        ]
      }))
  })

/** Checks how many rows are asked for, and from where. */
export const checkRange = (
  operation: string,
  given: { readonly [parameter: string]: number | undefined },
  maxLimit = Number.MAX_SAFE_INTEGER
): Effect.Effect<void, BadRequestError> =>
  Effect.forEach(Object.entries(given), ([parameter, value]) => {
    const [min, max] = parameter === "offset" ? [0, Number.MAX_SAFE_INTEGER] : [1, maxLimit]
    return value === undefined || Number.isSafeInteger(value) && value >= min && value <= max
      ? Effect.void
      : Effect.fail(refused({
        operation,
        parameter,
        message: `${parameter} is ${quote(value)}; it must be a whole number ${
          max === Number.MAX_SAFE_INTEGER ? `from ${min}` : `between ${min} and ${max}`
        }.`
      }))
  }, { discard: true })

/** Checks what is passed on as it is. */
export const checkKinds = (
  operation: string,
  isKind: (value: unknown) => boolean,
  expected: string,
  given: { readonly [parameter: string]: unknown }
): Effect.Effect<void, BadRequestError> =>
  Effect.forEach(
    Object.entries(given),
    ([parameter, value]) => Options.checkKind(operation, parameter, value, isKind, expected),
    { discard: true }
  )

/** Checks moments, and writes them as the wire has them. */
export const checkMoments = (
  operation: string,
  given: { readonly [parameter: string]: DateTime.DateTime.Input | undefined }
): Effect.Effect<Record<string, string>, BadRequestError> =>
  Effect.gen(function*() {
    const moments: Record<string, string> = {}
    for (const [parameter, value] of Object.entries(given)) {
      if (value === undefined) continue
      const moment = Option.flatten(readMoment(value))
      if (Option.isNone(moment)) {
        return yield* refused({ operation, parameter, message: `${parameter} is ${quote(value)}, which is no date.` })
      }
      moments[parameter] = DateTime.formatIso(moment.value)
    }
    return moments
  })

const readMoment = Option.liftThrowable((value: DateTime.DateTime.Input) => DateTime.make(value))

/** Writes a list into one parameter, separated by commas, which nothing in it may have. */
export const checkList = (
  operation: string,
  parameter: string,
  values: ReadonlyArray<string> | undefined
): Effect.Effect<string | undefined, BadRequestError> => {
  if (values === undefined) return Effect.succeed(undefined)
  const wrong = (message: string) => Effect.fail(refused({ operation, parameter, message: `${parameter} ${message}` }))
  return Options.reading(operation, parameter, () => {
    if (!Array.isArray(values)) return wrong(`is ${quote(values)}; it must be an array of texts.`)
    const items: ReadonlyArray<unknown> = Array.from(values)
    const odd = items.findIndex((item) => typeof item !== "string" || item === "" || item.includes(","))
    return odd === -1
      ? Effect.succeed(items.join(","))
      : wrong(`has ${quote(items[odd])}; each item must be text that is not empty and has no comma.`)
  })
}

/** Checks ids by which a list is filtered. */
export const checkIds = (
  operation: string,
  ids: { readonly [parameter: string]: string | undefined }
): Effect.Effect<void, BadRequestError> =>
  Effect.forEach(
    Object.entries(ids),
    ([parameter, id]) => id === undefined ? Effect.void : checkId(operation, parameter, id),
    { discard: true }
  )
