/** The fields, where an optional one may also be `undefined`, which counts as left out. */
export type Loose<T> = { readonly [K in keyof T]: T[K] | ({} extends Pick<T, K> ? undefined : never) }
