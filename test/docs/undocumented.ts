/** What `docstrings.ts` has to find, each beside something like it that is documented. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"

export interface Options {
  readonly bare: number
  /** Documented. */
  readonly nested: { readonly bare: number }
  /** @default 1 */
  readonly onlyTags: number
  readonly _tag: "Options"
}

/** Documented. */
export const Fields = Schema.Struct({
  bare: Schema.String,
  /** Documented. */
  nested: Schema.Struct({ bare: Schema.String }),
  // An editor shows no docstring for a key of a record
  ...Struct.Record(["hidden"], Schema.String)
})

/** @category models */
export interface Fields extends Schema.Schema.Type<typeof Fields> {}

/** Documented, and an error. */
export class Failure extends Schema.TaggedError<Failure>()("Failure", { message: Schema.String }) {
  get bare(): number {
    return 1
  }
}

/** Documented. */
export interface Service {
  /** Documented. */
  readonly method: (options: { readonly bare: number }) => Effect.Effect<Given>
  /** Documented. */
  readonly overloaded: {
    (): void
    /**
     * Documented.
     *
     * ```ts
     * overloaded(1) // => undefined
     * ```
     */
    (bare: number): void
  }
  /** Documented. */
  readonly group: Group
}

/** Documented. */
export interface Group {
  /** Documented. */
  readonly method: () => void
}

/** Documented, and what a program gets from a method. */
interface Given {
  /** Documented. */
  readonly method: () => void
}

/** Documented. */
export interface Callbacks {
  /** Documented, and written by the caller. */
  readonly callback: () => void
}

/** Documented. */
export class Tag extends Context.Service<Tag, Service>()("test/Tag") {}

/** Documented. */
export const run = (callbacks: Callbacks): void => callbacks.callback()

/**
 * Documented, and the example asserts nothing.
 *
 * ```ts
 * silent()
 * ```
 *
 * ```typescript
 * silent() // => undefined
 * ```
 */
export const silent = (): void => {}

/** Documented. */
export const effect: Effect.Effect<void> = Effect.void

/** Documented. */
export const constant = 1

/**
 * Documented.
 *
 * ```ts
 * overload(1) // => undefined
 * ```
 */
export function overload(bare: number): void
export function overload(bare: string): void
export function overload(): void {}

/** @internal */
export const internal = (): void => {}
