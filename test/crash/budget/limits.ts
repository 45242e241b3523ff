/** The budget of the processes. */
import { size } from "../../support/size.ts"

export const estimate = 10
/** The number of fibers of each process. */
export const fibers = size(10, 100)
export const processes = 2
export const kills = size(1, 8)
/** The maximum number of runs after which a process is killed. It stops creating runs then, even if the kill comes late. */
export const runsBeforeKill = size(20, 50)
/** A limit that the killed processes cannot reach. Every process may have made its runs when the last kill happens. */
export const limit = (kills + processes - 1) * (fibers + runsBeforeKill) * estimate + size(500, 4000)
