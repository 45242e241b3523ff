/** The durable value that a workflow awaits, and its errors. */
import * as Schema from "effect/Schema"
import * as DurableDeferred from "effect/workflow/DurableDeferred"
import { BudgetError, BudgetExceededError } from "../../Budget.ts"
import { DuplicateRunsError, RunStoreError } from "../../internal/runStore/entries.ts"
import { CreateError, InvalidOutputError, OnCreatedError, WaitError, WaitStoppedError } from "../../RunError.ts"
import type { Provider } from "./provider.ts"

/**
 * The schema of the errors of a durable run: those of creating, of waiting, of the store, and of a `Budget`. Use it as the `error` of a workflow.
 *
 * @category schemas
 * @since 0.1.0
 */
export const DurableRunError = Schema.Union([
  CreateError,
  WaitError,
  OnCreatedError,
  WaitStoppedError,
  InvalidOutputError,
  RunStoreError,
  DuplicateRunsError,
  BudgetExceededError,
  BudgetError
])

/** The durable value of the wait with this name. */
export const deferredOf = <A, R>({ success }: Provider<A, R>, name: string) =>
  DurableDeferred.make(`canvas-runs/wait/${name}`, { success, error: WaitError })
