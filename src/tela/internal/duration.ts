/** Durations in Tela's form, such as `"5m"`, or in Effect's. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Polling from "../../Polling.ts"
import type { BadRequestError } from "../../RunError.ts"
import type { TelaDuration } from "../TelaExecution.ts"

/** Converts a duration in either form. */
export const duration = <D extends TelaDuration | undefined>(input: D): Duration.Input | Extract<D, undefined> => {
  const match = typeof input === "string" ? /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(input.trim()) : null
  return match === null ? input as Duration.Input : Number(match[1]) * unitMillis[match[2] as keyof typeof unitMillis]
}

const unitMillis = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Reads a duration that must be above zero. */
export const positive = (
  operation: string,
  parameter: string,
  input: TelaDuration
): Effect.Effect<Duration.Duration, BadRequestError> => Polling.positive(operation, parameter, duration(input))
