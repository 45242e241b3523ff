/** Fields in which an optional one may be `undefined`, for what takes that as left out. */
export type Loose<T> = { readonly [K in keyof T]: T[K] | ({} extends Pick<T, K> ? undefined : never) }
