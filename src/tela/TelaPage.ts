/**
 * Pages of lists.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { sideField } from "../internal/responseSchema.ts"

/**
 * One page of a list. The provider shows pages as `{ data, meta }` in one place and as bare arrays in another (assumption 15), so
 * both decode.
 *
 * @category models
 * @since 0.1.0
 */
export interface Page<A> {
  /** The rows, in the order of the provider. */
  readonly data: ReadonlyArray<A>
  /** How many rows the list has, if the provider reports it. */
  readonly total: number | undefined
}

const PageMeta = Schema.Struct({ total: sideField(Schema.Finite) })

/**
 * Makes a decoder for a {@link Page} from the schema of its rows. `meta` or `metadata` may have the total. A body of another form
 * is a `SchemaError`.
 *
 * **Example** (Both forms of a page)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Tela } from "canvas-runs"
 *
 * const decode = Tela.decodePage(Schema.Struct({ id: Schema.String }))
 *
 * const withTotal = await Effect.runPromise(decode({ data: [{ id: "a" }], meta: { total: 7 } }))
 * const bare = await Effect.runPromise(decode([{ id: "a" }]))
 *
 * withTotal.total // => 7
 * bare.data // => [{ id: "a" }]
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export const decodePage = <A>(
  item: Schema.Codec<A, unknown>
): (body: unknown) => Effect.Effect<Page<A>, Schema.SchemaError> => {
  const decodeArray = Schema.decodeUnknownEffect(Schema.Array(item))
  const decodeEnvelope = Schema.decodeUnknownEffect(Schema.Struct({
    data: Schema.Array(item),
    meta: sideField(PageMeta),
    metadata: sideField(PageMeta)
  }))
  return (body) =>
    Array.isArray(body)
      ? Effect.map(decodeArray(body), (data) => ({ data, total: undefined }))
      : Effect.map(decodeEnvelope(body), ({ data, meta, metadata }) => ({ data, total: (meta ?? metadata)?.total }))
}

/**
 * The page of a list to read. A number that is not whole, or out of range, is a `BadRequestError` before any request.
 *
 * @see {@link StreamPageParams} for all pages
 * @category models
 * @since 0.1.0
 */
export interface PageParams {
  /** The maximum number of rows of the page, 1 or more. The default and the maximum are those of the list. */
  readonly limit?: number | undefined
  /**
   * How many rows of the list to skip.
   *
   * @default 0
   */
  readonly offset?: number | undefined
}

/**
 * The pages in which a stream reads a list.
 *
 * @see {@link PageParams} for one page
 * @category models
 * @since 0.1.0
 */
export interface StreamPageParams {
  /**
   * How many rows a request reads, 1 or more. The maximum is that of the list.
   *
   * @default 50
   */
  readonly pageSize?: number | undefined
}
