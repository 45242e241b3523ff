/** Waits in a process of its own whose event loop is held, and how late they were. */
import { fork } from "node:child_process"

export interface BusyTurns {
  readonly count: number
  /** How long the event loop is held at once, in milliseconds. */
  readonly turn: number
  readonly interval: number
  readonly timeout: number
}

/** In rests of the event loop after the first in which it was possible. */
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
