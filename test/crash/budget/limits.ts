/** The budget of the processes. */
import { size } from "../../support/size.ts"

export const estimate = 10
/** The fibers of each process. */
export const fibers = 100
export const processes = 2
export const kills = size(2, 8)
/** The number of runs after which a process is killed, at most. */
export const runsBeforeKill = 50
/** More than killed processes can have spent and reserved, also if the kill comes late. */
export const limit = kills * (fibers + runsBeforeKill) * estimate + 4000
/** How long a create may take: much longer than the statements of all fibers on a busy machine, and short for creates that hang. */
export const createTimeouts = { spend: "5 minutes", hang: "3 seconds" } as const

export type Mode = keyof typeof createTimeouts
