/** Measures how long after a run's end its wait returns, by the clock of this machine, which the server shares. */
import { type Contender, make, type Transport } from "./contenders.ts"
import { runId } from "./run.ts"

export interface LatenessTask {
  readonly contender: Contender
  readonly transport: Transport
  readonly baseUrl: string
  readonly runs: number
  readonly interval: number
}

export interface Lateness {
  readonly p99: number
}

const { baseUrl, contender, interval, runs, transport }: LatenessTask = JSON.parse(process.argv[2]!)

// Runs end evenly over ten seconds, after all of them have been polled once; in an order that has nothing to do with the
// order in which they were started
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
process.send!({ p99: delays[Math.floor(delays.length * 0.99)]! } satisfies Lateness)
process.exit()
