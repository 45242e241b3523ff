/** The same fields, where an optional field may also be `undefined`. That counts as left out. */
export type Loose<T> = { readonly [K in keyof T]: T[K] | ({} extends Pick<T, K> ? undefined : never) }
