/** The timeout of an execution, and how it is polled. Durations are in Tela's form, such as `"5m"`, or in Effect's. */
import * as Duration from "effect/Duration"
import * as Options from "../../internal/options.ts"
import * as WebhookHub from "../../internal/webhooks/hub.ts"
import * as Polling from "../../Polling.ts"
import type { PollSchedule } from "../../RunSource.ts"
import type { ExecutionSnapshot, PollParams, TelaDuration } from "../TelaExecution.ts"

/** Converts a duration in either form. */
export const duration = <D extends TelaDuration | undefined>(input: D): Duration.Input | Extract<D, undefined> => {
  const match = typeof input === "string" ? /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(input.trim()) : null
  return match === null ? input as Duration.Input : Number(match[1]) * unitMillis[match[2] as keyof typeof unitMillis]
}

const unitMillis = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Reads a duration that must be above zero. */
export const positive = (operation: string, parameter: string, input: TelaDuration) =>
  Options.positive(operation, parameter, duration(input))

/** Checks the parameters, and makes the policy. Polls are less frequent if a webhook is expected. */
export const makePolicy = (
  operation: string,
  params: PollParams,
  isWebhookExpected: boolean,
  polling: PollSchedule | undefined
) =>
  Polling.makePolicy<ExecutionSnapshot>(
    operation,
    {
      timeout: duration(params.pollingTimeout),
      errorBudget: params.errorBudget,
      notFoundGrace: duration(params.notFoundGrace),
      retryAfterCeiling: duration(params.retryAfterCeiling),
      ...(params.schedule === undefined
        ? { pollInterval: duration(params.pollingInterval) }
        : { schedule: params.schedule, pollInterval: params.pollingInterval as undefined })
    },
    { ...(isWebhookExpected ? defaultsWithWebhooks : defaults), schedule: polling }
  )

const names = { pollInterval: "pollingInterval", timeout: "pollingTimeout" }
const defaults = { pollInterval: 1000, timeout: Duration.minutes(1), names }
const defaultsWithWebhooks = { ...defaults, pollInterval: WebhookHub.pollInterval }
