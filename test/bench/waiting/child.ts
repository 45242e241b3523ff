/**
 * Measures one way to wait, in a separate process. It starts the waits over some time, so that their polls are spread. Then it
 * measures either the heap of each sleeping wait, or the CPU time per poll while nothing else runs.
 */
import { cpuMicros, heapUsed } from "../measure.ts"
import { type Contender, make, polls, type Transport } from "./contenders.ts"
import { runId } from "./run.ts"

export interface Task {
  readonly contender: Contender
  readonly transport: Transport
  readonly baseUrl: string
  readonly runs: number
  readonly interval: number
  readonly spread: number
  /** How long to count polls and their CPU time; 0 for the heap instead. */
  readonly seconds: number
}

export interface Measured {
  readonly heapPerRun: number
  readonly cpuPerPoll: number
  readonly polls: number
}

const { baseUrl, contender, interval, runs, seconds, spread, transport }: Task = JSON.parse(process.argv[2]!)
const sleep = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))
const unexpected = () => {
  throw new Error("a run that never ends has ended")
}
// A round trip through a buffer makes them flat strings, like ids from a server
const ids = (count: number): ReadonlyArray<string> =>
  JSON.parse(JSON.stringify(Array.from({ length: count }, (_, i) => runId(i))))

const start = await make(contender, transport, baseUrl, interval)

// Code and connections are warm before the measurement. Code that is compiled once is not part of the heap of a run, so the heap
// measurement warms up with more runs. For CPU time, these few continue to poll beside the others.
const warmUp = seconds === 0 ? await start(ids(5000), 4000, unexpected) : await start(ids(500), 2000, unexpected)
await sleep(1000)

// The garbage collections that are forced to measure the heap drop compiled code. With them in front, a poll among 4,000 waits took twice
// the CPU time of a promise loop instead of 1.4 times, and no program forces them
const heap = () => seconds === 0 ? heapUsed() : 0
const targets = ids(runs)
const before = await heap()
const pollsBefore = await polls(transport, baseUrl)
const handles = await start(targets, spread, unexpected)
// A busy machine takes longer than the half second of an idle one
let firstPolls = 0
for (let tries = 0; firstPolls < runs; tries++) {
  if (tries === 60) throw new Error(`${firstPolls} polls for ${runs} runs: the machine is too slow to measure`)
  await sleep(500)
  firstPolls = await polls(transport, baseUrl) - pollsBefore
}
const heapPerRun = (await heap() - before) / runs

let cpuPerPoll = 0
let made = 0
if (seconds > 0) {
  await sleep(interval)
  const from = await polls(transport, baseUrl)
  const cpuBefore = cpuMicros()
  await sleep(seconds * 1000)
  made = await polls(transport, baseUrl) - from
  cpuPerPoll = (cpuMicros() - cpuBefore) / made
  // With fewer, a process without a pause would be measured
  if (made < 0.5 * runs * seconds * 1000 / interval) throw new Error(`${made} polls in ${seconds} s are too few`)
}
process.send!({ heapPerRun, cpuPerPoll, polls: made } satisfies Measured)
// The functions that cancel the waits are part of their cost
process.exit(warmUp === handles ? 1 : 0)
