/** Runs waits in a separate process whose event loop is blocked, and returns their delays. */
import { Effect } from "effect"
import { fork } from "node:child_process"
import { bundled } from "../support/programs.ts"

export interface BusyTurns {
  readonly count: number
  /** How long the event loop is blocked at a time, in milliseconds. */
  readonly turn: number
  readonly interval: number
  readonly timeout: number
}

/** The largest delays, as a number of pauses after the first possible one. */
export interface Delays {
  readonly polls: number
  readonly latestPoll: number
  readonly timeouts: number
  readonly latestTimeout: number
}

export const run = (turns: BusyTurns): Promise<Delays> =>
  bundled(new URL("busyChild.ts", import.meta.url)).pipe(
    Effect.flatMap((file) => Effect.promise(() => runOn(file, turns))),
    Effect.scoped,
    Effect.runPromise
  )

const runOn = (file: string, turns: BusyTurns): Promise<Delays> =>
  new Promise((resolve, reject) => {
    const child = fork(file, { execArgv: [] })
    let delays: Delays | undefined
    child.once("message", (message) => delays = message as Delays)
    child.once("error", reject)
    child.once("exit", (code) =>
      delays === undefined ? reject(new Error(`the busy process ended with ${code}`)) : resolve(delays))
    child.send(turns)
  })
