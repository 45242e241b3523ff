/** The policy by which an execution is polled. */
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import { whileWebhooksAreExpected } from "../../internal/pace.ts"
import * as Polling from "../../Polling.ts"
import type { BadRequestError } from "../../RunError.ts"
import type * as RunSource from "../../RunSource.ts"
import type { ExecutionSnapshot, PollParams } from "../TelaExecution.ts"
import { duration } from "./duration.ts"

/** Checks the parameters, and makes the policy. Polls are rarer where a webhook is expected. */
export const makePolicy = (
  operation: string,
  params: PollParams,
  isWebhookExpected: boolean
): Effect.Effect<RunSource.Policy<ExecutionSnapshot>, BadRequestError> =>
  Polling.makePolicy<ExecutionSnapshot>(operation, {
    timeout: duration(params.pollingTimeout),
    errorBudget: params.errorBudget,
    notFoundGrace: duration(params.notFoundGrace),
    retryAfterCeiling: duration(params.retryAfterCeiling),
    ...(params.schedule === undefined
      ? { pollInterval: duration(params.pollingInterval) }
      : { schedule: params.schedule, pollInterval: params.pollingInterval as undefined })
  }, isWebhookExpected ? defaultsWithWebhooks : defaults)

const names = { pollInterval: "pollingInterval", timeout: "pollingTimeout" }
const defaults = { pollInterval: 1000, timeout: Duration.minutes(1), names }
const defaultsWithWebhooks = { ...defaults, pollInterval: whileWebhooksAreExpected }
