/** Runs waits in a separate process whose event loop is blocked, and returns their delays. */
import { fork } from "node:child_process"

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
  new Promise((resolve, reject) => {
    const child = fork(new URL("busyChild.ts", import.meta.url), { execArgv: ["--conditions=canvas-runs:source"] })
    let delays: Delays | undefined
    child.once("message", (message) => delays = message as Delays)
    child.once("error", reject)
    child.once("exit", (code) =>
      delays === undefined ? reject(new Error(`the busy process ended with ${code}`)) : resolve(delays))
    child.send(turns)
  })
