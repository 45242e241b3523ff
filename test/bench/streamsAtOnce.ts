/** Reads streams that arrive in one chunk, again and again, and reports the CPU time per event. */
import { sample } from "./measure.ts"
import { body, tokens } from "./streamsBodies.ts"
import { byArray, byHand, timed } from "./streamsReaders.ts"

const [, , name, events, total] = process.argv as [string, string, string, string, string]

const sent = tokens(Number(events))
const read = timed(sent, () => (name === "byArray" ? byArray : byHand)(() => body([sent.bytes])))
const times: Array<number> = []
for (let done = 0; done < Number(total); done += sent.events) times.push(await read())
// The first third is the warm-up
process.send!(sample(times.slice(Math.ceil(times.length / 3))).median)
process.disconnect()
