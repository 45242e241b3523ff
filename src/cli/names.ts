/**
 * How a run is named: by its ref, its id, its key in the store, or `@last`.
 */
import * as Arr from "effect/Array"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import type { RunRef } from "../internal/ref.ts"
import type * as RunStore from "../RunStore.ts"
import { CreateOutcomeUnknownError } from "../RunError.ts"
import { again } from "./again.ts"
import { UsageError } from "./errors.ts"
import { format, parse } from "./refText.ts"
import { State } from "./state.ts"

/** A run, and its key in the store if it has one. */
export interface Named {
  readonly key?: string
  readonly ref: RunRef
}

/** The name of the run that this machine created last. */
export const last = "@last"

/** The providers of runs, and the kind of their runs. */
const kinds = { spine: "run", tela: "execution" } as const

export const providers = ["spine", "tela"] as const

export type Provider = keyof typeof kinds

/** Fails for a key that could not name its run: a blank one, `@last` or a ref. */
export const checkKey = (key: string): Effect.Effect<void, UsageError> =>
  key.trim() === "" || key === last || Option.isSome(parse(key))
    ? Effect.fail(
      new UsageError({
        message: `${JSON.stringify(key)} cannot be a key, because it is blank, ${last} or a ref. ` +
          "Give another word, such as july."
      })
    )
    : Effect.void

/** The argument that names a run. */
export const argument = Argument.String("run").pipe(
  Argument.withDescription("The ref, the id or the key of a run, or @last")
)

/** One run or more. */
export const several = argument.pipe(Argument.variadic({ min: 1 }))

/** The flag that goes with an id. */
export const provider = Flag.Literals("provider", providers).pipe(
  Flag.withDescription("The provider of an id that the store does not know"),
  Flag.optional
)

/** Finds the run that a name means. A ref needs no store. An id that the store does not know needs its provider. */
export const resolve = Effect.fnUntraced(function*(name: string, provider: Option.Option<Provider>) {
  const ref = parse(name)
  if (Option.isSome(ref)) return { ref: ref.value } satisfies Named as Named
  if (name === last) {
    const entries = yield* (yield* (yield* State).open).list()
    // A line of a batch that the provider refused has an entry and no run
    const entry = entries.findLast(({ _tag }) => _tag !== "Refused")
    return entry === undefined
      ? yield* new UsageError({
        message: `${last} names no run: the store has none. Create a run first, or give a ref.`
      })
      : yield* named(entry)
  }
  const found = yield* lookUp(name).pipe(
    // An id with its provider needs no store
    Effect.catchTag("LocalError", (error) => Option.isSome(provider) ? Effect.undefined : Effect.fail(error))
  )
  if (found !== undefined) return yield* named(found)
  if (Option.isSome(provider)) {
    return { ref: { version: 1, provider: provider.value, kind: kinds[provider.value], id: name } } as Named
  }
  return yield* new UsageError({
    message: `${JSON.stringify(name)} is not a run of this store: neither a key nor the id of one. ` +
      `See "${yield* again("list")}", or give a ref such as spine:run:ID, or --provider with an id.`
  })
})

/** Finds the runs that names mean, each once. All names are checked. */
export const resolveAll = (names: ReadonlyArray<string>, provider: Option.Option<Provider>) =>
  Effect.map(
    Effect.forEach(names, (name) => resolve(name, provider)),
    Arr.dedupeWith((one, other) => format(one.ref) === format(other.ref))
  )

/** Finds the entry of a key, or the newest one with this id. */
const lookUp = Effect.fnUntraced(function*(name: string) {
  const store = yield* (yield* State).open
  const entry = yield* store.get(name)
  if (entry !== undefined) return entry
  const id = name.toLowerCase()
  return (yield* store.list()).findLast((entry) => "ref" in entry && entry.ref.id.toLowerCase() === id)
})

/** Finds the key under which the store has a run. */
export const keyOf = Effect.fnUntraced(function*({ key, ref }: Named) {
  if (key !== undefined) return key
  const name = format(ref).toLowerCase()
  const entries = yield* (yield* (yield* State).open).list({ provider: ref.provider })
  return entries.findLast((entry) => "ref" in entry && format(entry.ref).toLowerCase() === name)?.key
}, Effect.orElseSucceed(() => undefined))

/** Waits for a run, and then marks it in the store as finished, if the store has it. */
export const tracked = Effect.fnUntraced(function*<A, E, R>(run: Named, wait: Effect.Effect<A, E, R>) {
  const key = yield* keyOf(run)
  return key === undefined ? yield* wait : yield* (yield* (yield* State).open).track(key, wait)
})

const named = Effect.fnUntraced(function*(entry: RunStore.Entry) {
  const { key } = entry
  switch (entry._tag) {
    case "Created":
    case "Finished":
      return { key, ref: entry.ref } satisfies Named as Named
    case "Refused":
      return yield* new UsageError({
        message: `The key ${key} has no run, because the provider refused to create it. ` +
          `Use "${yield* again("forget", key)}", and create it again.`
      })
    case "Creating":
    case "Unknown":
      return yield* new CreateOutcomeUnknownError({
        operation: "RunStore.get",
        message: `It is not known whether the run of the key ${key} was created. Use "${yield* again(
          "reconcile",
          key
        )}", or look for it at the provider: then "${yield* again("attach", key, "REF")}" or "${yield* again(
          "forget",
          key
        )}".`,
        attempts: 0,
        elapsed: Duration.zero,
        cause: undefined
      })
  }
})
