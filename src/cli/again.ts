/** Command lines that continue what a call began. They repeat the flags of the call that choose the provider and the store. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/** The flags of this call that choose the provider and the store, by their names. */
export class Given extends Context.Reference<ReadonlyMap<string, string>>("canvas-runs/cli/Given", {
  defaultValue: () => new Map()
}) {}

/** Reads these flags from the arguments. */
export const givenIn = (args: ReadonlyArray<string>): ReadonlyMap<string, string> =>
  new Map(
    ["--store", "--base-url", "--api-key-file"].flatMap((flag): ReadonlyArray<[string, string]> =>
      Option.match(valueOf(args, flag), { onNone: () => [], onSome: (value) => [[flag, value]] })
    )
  )

/** The value of a flag that is needed before the arguments are parsed. */
export const valueOf = (args: ReadonlyArray<string>, flag: string): Option.Option<string> => {
  const index = args.findIndex((arg) => arg === flag || arg.startsWith(`${flag}=`))
  const arg = args[index]
  return Option.fromUndefinedOr(arg === flag ? args[index + 1] : arg?.slice(flag.length + 1))
}

/** Writes a line for a shell, such as `canvas-runs wait spine:run:6f1c1d5e --store runs`. */
export const again = (command: string, ...words: ReadonlyArray<string>): Effect.Effect<string> =>
  Effect.map(Given, (given) =>
    [
      "canvas-runs",
      command,
      ...words.map(quoted),
      ...Array.from(given).flatMap(([flag, value]) =>
        flag === "--store" || !ofStore.has(command) ? [flag, quoted(value)] : []
      )
    ].join(" "))

/** The commands that ask no provider. */
const ofStore: ReadonlySet<string> = new Set(["attach", "forget", "list"])

/** Quotes a word for a shell, if it needs quotes. */
const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
