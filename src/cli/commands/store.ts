/** The commands about the store: list, attach, forget, purge and reconcile. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import type * as RunStore from "../../RunStore.ts"
import { again } from "../again.ts"
import * as Clients from "../clients.ts"
import { Reported, UsageError } from "../errors.ts"
import { together } from "../exitCode.ts"
import * as Names from "../names.ts"
import { type Line, Output } from "../output.ts"
import { format } from "../refText.ts"
import { reportOne } from "../report.ts"
import { State } from "../state.ts"
import * as Waiting from "../waiting.ts"

export const list = Command.make(
  "list",
  {
    state: Flag.Literals("state", ["Creating", "Unknown", "Created", "Finished", "Refused"]).pipe(
      Flag.withDescription("Only the entries in this state"),
      Flag.optional
    ),
    provider: Flag.Literals("provider", Names.providers).pipe(
      Flag.withDescription("Only the runs of this provider"),
      Flag.optional
    )
  },
  Effect.fnUntraced(function*({ provider, state }) {
    const { line, note } = yield* Output
    const { directory, open } = yield* State
    const entries = yield* (yield* open).list({
      state: Option.getOrUndefined(state),
      provider: Option.getOrUndefined(provider)
    })
    if (entries.length === 0) yield* note(`There is no such entry in the store ${yield* directory}.`)
    const width = Math.max(...entries.map(({ key }) => key.length))
    for (const entry of entries) {
      const { line: data, text } = entryLine(entry, width)
      yield* line(data, text)
    }
  })
).pipe(
  Command.withExamples([
    { command: "canvas-runs list --state Created", description: "The runs that no command has followed to the end" },
    {
      command: "canvas-runs list --json | jq -r 'select(.state == \"Unknown\").key'",
      description: "Keys to decide about"
    }
  ])
)

const key = Argument.String("key").pipe(Argument.withDescription("A key of the store"))

export const attach = Command.make(
  "attach",
  { key, run: Names.argument, provider: Names.provider },
  Effect.fnUntraced(function*({ key, provider, run }) {
    yield* Names.checkKey(key)
    const { ref } = yield* Names.resolve(run, provider)
    yield* (yield* (yield* State).open).attach(key, ref)
    yield* printEntry(key)
  })
).pipe(
  Command.withExamples([
    { command: "canvas-runs attach july spine:run:6f1c1d5e", description: "Keep a run of the developer portal" }
  ])
)

export const forget = Command.make(
  "forget",
  { keys: key.pipe(Argument.variadic({ min: 1 })) },
  Effect.fnUntraced(function*({ keys }) {
    const { line } = yield* Output
    const store = yield* (yield* State).open
    yield* Effect.forEach(keys, (key) => known(store, key))
    for (const key of keys) {
      yield* store.forget(key)
      yield* line({ type: "entry", key, state: "Forgotten" }, `Forgot ${key}`)
    }
  })
).pipe(
  Command.withExamples([
    { command: "canvas-runs forget july", description: "Free the key. The run continues at the provider" }
  ])
)

export const purge = Command.make(
  "purge",
  {
    olderThan: Waiting.duration("older-than").pipe(
      Flag.withDescription("The age of the entries to remove, from their end. The default is 30 days"),
      Flag.withDefault(Duration.days(30))
    )
  },
  Effect.fnUntraced(function*({ olderThan }) {
    const { line } = yield* Output
    const purged = yield* (yield* (yield* State).open).purge(olderThan)
    yield* line({ type: "summary", counts: { purged } }, `Removed ${purged} ${purged === 1 ? "entry" : "entries"}`)
  })
).pipe(
  Command.withExamples([
    { command: "canvas-runs purge --older-than 7d", description: "Forget what ended more than a week ago" }
  ])
)

export const reconcile = Command.make(
  "reconcile",
  {
    keys: key.pipe(
      Argument.withDescription("A key whose outcome is unknown. The default is all of them"),
      Argument.variadic()
    ),
    settlingTime: Waiting.duration("settling-time").pipe(
      Flag.withDescription(
        "How long after its intent a run may still appear at the provider. The default is 10 minutes"
      ),
      Flag.optional
    ),
    ...Clients.flags
  },
  Effect.fnUntraced(
    function*({ keys, settlingTime }) {
      const { note } = yield* Output
      const store = yield* (yield* State).open
      yield* Effect.forEach(keys, (key) => known(store, key))
      const unknown = keys.length > 0 ? keys : (yield* store.list({ state: "Unknown" })).map(({ key }) => key)
      if (unknown.length === 0) yield* note("No outcome is unknown.")
      const outcomes = yield* Effect.forEach(
        unknown,
        (key) => Effect.catch(reconcileOne(key, settlingTime), (error) => reportOne(key, error))
      )
      const outcome = together(outcomes)
      if (outcome !== "success") return yield* new Reported({ outcome })
    },
    (effect, options) => Effect.provide(effect, Clients.layer(options))
  )
).pipe(
  Command.withExamples([
    { command: "canvas-runs reconcile", description: "Look for all runs whose create has an unknown outcome" }
  ])
)

/** Looks for the run of a key by its tag, and says what is known now. */
const reconcileOne = Effect.fnUntraced(function*(key: string, settlingTime: Option.Option<Duration.Duration>) {
  const { note } = yield* Output
  const { tela } = yield* Clients.Clients
  const { findByTag, TelaClient } = yield* Effect.promise(() => import("../../tela/index.ts"))
  const entry = yield* (yield* (yield* State).open).reconcile(
    key,
    (tag) => Effect.flatMap(tela, (client) => Effect.provideService(findByTag(tag), TelaClient, client)),
    { settlingTime: Option.getOrUndefined(settlingTime) }
  )
  if (entry === undefined) {
    yield* note(`${key}: the provider has no such run. The key is free.`)
    return "success" as const
  }
  yield* printEntry(key)
  if (entry._tag !== "Unknown" && entry._tag !== "Creating") return "success" as const
  yield* note(
    entry.tag === undefined
      ? `${key}: Spine cannot list runs. Look in its developer portal, then use "${yield* again(
        "attach",
        key,
        "REF"
      )}" or ` +
        `"${yield* again("forget", key)}".`
      : `${key}: the provider has no such run yet. Try again later.`
  )
  return "unknownCreate" as const
})

/** Fails for a key that the store does not have. */
const known = (store: RunStore.Service, key: string) =>
  Effect.gen(function*() {
    if ((yield* store.get(key)) !== undefined) return
    return yield* new UsageError({
      message: `The store has no key ${JSON.stringify(key)}. See "${yield* again("list")}".`
    })
  })

const printEntry = Effect.fnUntraced(function*(key: string) {
  const { line } = yield* Output
  const entry = yield* (yield* (yield* State).open).get(key)
  if (entry === undefined) return
  const { line: data, text } = entryLine(entry)
  yield* line(data, text)
})

/** Describes an entry as data and as text. `width` is that of the keys. */
const entryLine = (entry: RunStore.Entry, width = 0): { readonly line: Line; readonly text: string } => {
  const { _tag: state, key } = entry
  const time = entry.intendedAt === undefined ? "" : new Date(entry.intendedAt).toISOString()
  return {
    line: {
      type: "entry",
      key,
      state,
      ...("ref" in entry ? { ref: entry.ref } : undefined),
      ...(entry.intendedAt === undefined ? undefined : { intendedAt: entry.intendedAt }),
      ...("finishedAt" in entry ? { finishedAt: entry.finishedAt } : undefined)
    },
    text: [key.padEnd(width), state.padEnd(8), time, "ref" in entry ? format(entry.ref) : ""].join("  ").trimEnd()
  }
}
