/** Creates a run once, under a key of the store. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import type { RunRef } from "../internal/ref.ts"
import { again } from "./again.ts"
import { Clients } from "./clients.ts"
import { Reported, UsageError } from "./errors.ts"
import type * as RunStore from "../RunStore.ts"
import { checkKey, type Named } from "./names.ts"
import { format } from "./refText.ts"
import { Output } from "./output.ts"
import { reportOne } from "./report.ts"
import { State } from "./state.ts"
import * as Stop from "./stop.ts"
import { sayResume } from "./waiting.ts"

/** The flags of a command that creates a run. */
export const flags = {
  key: Flag.String("key").pipe(
    Flag.withDescription("A name for this run. A key that has a run creates no other. The default is a new key"),
    Flag.optional
  ),
  detach: Flag.Boolean("detach").pipe(
    Flag.withDescription("Print the ref of the run, and do not wait"),
    Flag.withDefault(false)
  )
}

/** Creates the run of a key, unless it has one. The store has the intent before the request, and the ref after it. */
export const once = Effect.fnUntraced(function*<E, R>(
  given: Option.Option<string>,
  create: RunStore.Create<{ readonly ref: RunRef }, E, R>
) {
  const { isEmulated } = yield* Clients
  const store = yield* (yield* State).open
  const key = Option.isSome(given) ? given.value : isEmulated ? "emulated" : yield* newKey
  return yield* Effect.onInterrupt(
    onceWith(store, key, create),
    // A stop waits for the create. Then the store has its run
    () =>
      Effect.ignore(
        Effect.flatMap(store.get(key), (entry) =>
          entry !== undefined && "ref" in entry && entry.ref !== undefined
            ? sayResume([{ key, ref: entry.ref }])
            : Effect.void)
      )
  )
})

const onceWith = Effect.fnUntraced(function*<E, R>(
  store: RunStore.Service,
  key: string,
  create: RunStore.Create<{ readonly ref: RunRef }, E, R>
) {
  const { line, note } = yield* Output
  let isCreated = false
  const noted = (created: Effect.Effect<{ readonly ref: RunRef }, E, R>) =>
    Effect.tap(created, () => {
      isCreated = true
      return Effect.void
    })
  const noting = Effect.isEffect(create) ? noted(create) : (tag: string) => noted(create(tag))
  const ref = yield* Stop.whileCreating(store.runOnce(key, noting)).pipe(
    Effect.catchTag("CreateOutcomeUnknownError", (error) =>
      Effect.gen(function*() {
        const outcome = yield* reportOne(key, error)
        yield* note(`The store has it under the key ${key}. Find out with:\n  ${yield* again("reconcile", key)}`)
        return yield* new Reported({ outcome })
      }))
  )
  const named: Named = { key, ref }
  yield* note(
    isCreated
      ? `Created ${format(ref)} (key ${key})`
      : `The key ${key} has a run already: ${format(ref)}`
  )
  yield* line({ type: "created", key, ref }, "")
  return named
})

/** Prints the ref of a run that this command does not wait for. */
export const detached = ({ ref }: Named) =>
  Output.use(({ isJson, line }) => isJson ? Effect.void : line({ type: "created", ref }, format(ref)))

/** Checks the flags of a create before its request. */
export const check = Effect.fnUntraced(function*({ detach, key }: {
  readonly detach: boolean
  readonly key: Option.Option<string>
}) {
  if (Option.isSome(key)) yield* checkKey(key.value)
  if (detach && (yield* Clients).isEmulated) {
    return yield* new UsageError({
      message: "--detach and --emulator exclude each other: the emulator ends with the command. " +
        "Start \"canvas-runs emulator\", and give --base-url."
    })
  }
})

/** A key that sorts by time, such as `20261126-111500-4f9d`. */
const newKey = Effect.map(
  Clock.currentTimeMillis,
  (now) =>
    `${new Date(now).toISOString().slice(0, 19).replace(/[-:]/g, "").replace("T", "-")}-${
      globalThis.crypto.randomUUID().slice(0, 4)
    }`
)
