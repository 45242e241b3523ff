/** The states that a picture distinguishes, and the providers' words for them in runs, blocks and tasks. */

/** Each state has a colour. */
export type State = "waiting" | "running" | "succeeded" | "partial" | "failed"

const states: Readonly<Record<string, State>> = {
  idle: "waiting",
  pending: "waiting",
  queued: "waiting",
  waiting: "waiting",
  created: "waiting",
  succeeded: "succeeded",
  completed: "succeeded",
  done: "succeeded",
  partial: "partial",
  failed: "failed",
  error: "failed",
  cancelled: "failed",
  canceled: "failed"
}

/** Returns the state that a status means. A status that is not known counts as running, because it does not end a run. */
export const stateOf = (status: string): State => Object.hasOwn(states, status) ? states[status]! : "running"

/** Whether a run, a block or a task in this state has ended. */
export const isEnded = (state: State): boolean => state !== "waiting" && state !== "running"
