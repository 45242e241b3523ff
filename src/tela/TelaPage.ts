/**
 * Pages of lists.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { sideField } from "../internal/responseSchema.ts"

/**
 * One page of a list. The provider shows pages as `{ data, meta }` in one place and as bare arrays in another, so either
 * decodes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Page<A> {
  readonly data: ReadonlyArray<A>
  /** How many rows the list has, if the provider reports it. */
  readonly total: number | undefined
}

const PageMeta = Schema.Struct({ total: sideField(Schema.Finite) })

/**
 * Makes a decoder for {@link Page}.
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
 * Which page of a list to read.
 *
 * @category models
 * @since 0.1.0
 */
export interface PageParams {
  /** The most rows of the page. The default is the provider's. */
  readonly limit?: number | undefined
  /**
   * How many rows of the list to skip.
   *
   * @default 0
   */
  readonly offset?: number | undefined
}

/**
 * How a stream reads a list.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamPageParams {
  /**
   * How many rows a request reads.
   *
   * @default 50
   */
  readonly pageSize?: number | undefined
}
