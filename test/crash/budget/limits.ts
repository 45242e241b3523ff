/** The constants of the budget test. */
import { size } from "../../support/size.ts"

export const estimate = 10
/** The number of fibers of each process. */
export const fibers = 100
export const processes = 2
export const kills = size(2, 8)
/** The maximum number of runs after which a process is killed. */
export const runsBeforeKill = 50
/** A limit that the killed processes cannot reach, even if the kill comes late. */
export const limit = kills * (fibers + runsBeforeKill) * estimate + 4000
/** The timeout of a create: much longer than the statements of all fibers on a busy machine, and short enough for creates that hang. */
export const createTimeouts = { spend: "5 minutes", hang: "3 seconds" } as const

export type Mode = keyof typeof createTimeouts
