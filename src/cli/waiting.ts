/** The flags of a wait, and how it is stopped. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { again } from "./again.ts"
import { Clients } from "./clients.ts"
import type { Wait } from "./follow.ts"
import { type Named } from "./names.ts"
import { format } from "./refText.ts"
import { Output } from "./output.ts"
import { textFlag } from "./textFlag.ts"

/** A duration of Effect, such as `90 seconds`, or in short form, such as `90s`. */
export const duration = (name: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar("DURATION"),
    Flag.filterMap(parseDuration, () => "a duration such as \"90 seconds\", \"15m\" or \"2 hours\"")
  )

/** Reads a duration of a flag. */
export const parseDuration = (text: string): Option.Option<Duration.Duration> => {
  const [, amount, unit] = /^([\d.]+)\s*(ms|s|m|h|d)$/.exec(text.trim()) ?? []
  const input = unit === undefined ? text.trim() : `${amount} ${units[unit]}`
  return Option.filter(decode(input), (duration) => Duration.toMillis(duration) > 0)
}

const decode = Schema.decodeUnknownOption(Schema.DurationFromString)

const units: { readonly [unit: string]: string } = { ms: "millis", s: "seconds", m: "minutes", h: "hours", d: "days" }

/** The flags of a wait. */
export const flags = {
  timeout: duration("timeout").pipe(
    Flag.withDescription("How long to wait. The run continues after that. The default is 2 hours"),
    Flag.withDefault(Duration.hours(2))
  ),
  pollInterval: duration("poll-interval").pipe(
    Flag.withDescription("The time between polls. The default is 5 seconds for Spine, and 1 second for Tela"),
    Flag.optional
  )
}

/** The directory for the files of a run. */
export const download = textFlag("download").pipe(
  Flag.withMetavar("DIRECTORY"),
  Flag.withDescription("Download the files of the run into this directory"),
  Flag.optional
)

/** Reads the flags of a wait. */
export const waitOf = ({ pollInterval, timeout }: {
  readonly timeout: Duration.Duration
  readonly pollInterval: Option.Option<Duration.Duration>
}): Wait => ({ timeout, pollInterval: Option.getOrUndefined(pollInterval) })

/** Says how to continue if the wait for runs is interrupted. */
export const resumable = <A, E, R>(runs: ReadonlyArray<Named>, wait: Effect.Effect<A, E, R>) =>
  Effect.onInterrupt(wait, () => sayResume(runs))

/** Says that a wait stopped, and how to continue. */
export const sayResume = Effect.fnUntraced(function*(runs: ReadonlyArray<Named>) {
  const { isJson, line, note } = yield* Output
  if ((yield* Clients).isEmulated) return yield* note("\nStopped. The emulator ended, and the run with it.")
  const command = yield* again("wait", ...runs.map(({ ref }) => format(ref)))
  const continues = runs.length === 1 ? "The run continues" : "The runs continue"
  yield* note(`\nStopped waiting. ${continues}. Wait again with:\n  ${command}`)
  if (isJson) yield* Effect.ignore(line({ type: "resume", refs: runs.map(({ ref }) => ref), command }, ""))
})
