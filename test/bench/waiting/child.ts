/**
 * Measures one way to wait, in a process of its own: `CONTENDER TRANSPORT BASE_URL COUNT SECONDS`. It starts the waits spread
 * over one interval, so that polls are spread, too, takes the heap that each one holds between polls, and then the CPU time
 * that each poll takes while nothing else happens.
 */
import { cpuMicros, heapUsed } from "../measure.ts"
import { type Contender, interval, make, polls, type Transport } from "./contenders.ts"
import { runId } from "./run.ts"

export interface Measured {
  readonly heapPerRun: number
  readonly cpuPerPoll: number
  readonly polls: number
}

const [contender, transport, baseUrl, count, seconds] = process.argv.slice(2) as [
  Contender,
  Transport,
  string,
  string,
  string
]
const runs = Number(count)
const sleep = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

const start = await make(contender, transport, baseUrl)
const unexpected = () => {
  throw new Error("a run that never ends has ended")
}

// Code and connections are warm before anything is counted
const warmUp = await start(Array.from({ length: 200 }, (_, i) => runId(i)), 500, unexpected)
await sleep(interval * 1.5)

// Round trip, so that they are flat strings, as ids from a server are
const ids: ReadonlyArray<string> = JSON.parse(JSON.stringify(Array.from({ length: runs }, (_, i) => runId(i))))
const before = await heapUsed()
const handles = await start(ids, interval, unexpected)
await sleep(interval * 1.2)
const heapPerRun = (await heapUsed() - before) / runs

const pollsBefore = await polls(transport, baseUrl)
const cpuBefore = cpuMicros()
await sleep(Number(seconds) * 1000)
const made = await polls(transport, baseUrl) - pollsBefore
const cpuPerPoll = (cpuMicros() - cpuBefore) / made
process.send!({ heapPerRun, cpuPerPoll, polls: made } satisfies Measured)
// What can cancel the waits is part of what they cost
process.exit(warmUp === handles ? 1 : 0)
