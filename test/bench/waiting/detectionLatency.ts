/** Measures how long after a run's end its wait returns, by the clock of this machine. The server uses the same clock. */
import { type Contender, make, type Transport } from "./contenders.ts"
import { runId } from "./run.ts"

export interface LatencyTask {
  readonly contender: Contender
  readonly transport: Transport
  readonly baseUrl: string
  readonly runs: number
  readonly interval: number
}

export interface DetectionLatency {
  readonly p99: number
}

const { baseUrl, contender, interval, runs, transport }: LatencyTask = JSON.parse(process.argv[2]!)

// Runs end evenly over ten seconds, after all of them have been polled once, in an order that is unrelated to the order of their
// starts
const ids = Array.from({ length: runs }, (_, i) => runId(i, 7000 + Math.floor(((i * 7919) % runs) / runs * 10_000)))
const start = await make(contender, transport, baseUrl, interval)
await fetch(`${baseUrl}/start`, { method: "POST" })
const delays: Array<number> = []
await new Promise<void>((resolve, reject) => {
  start(ids, interval, (endedAt) => {
    delays.push(Date.now() - Number(endedAt))
    if (delays.length === runs) resolve()
  }).catch(reject)
})
delays.sort((a, b) => a - b)
process.send!({ p99: delays[Math.floor(delays.length * 0.99)]! } satisfies DetectionLatency)
process.exit()
