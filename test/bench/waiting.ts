/** The cost of a wait: its heap, the CPU time of its polls, and its detection latency. */
import { fork } from "node:child_process"
import { once } from "node:events"
import {
  type Benchmark,
  inChild,
  interleave,
  type Options,
  ratio,
  type Result,
  type Sample,
  sample,
  type Target
} from "./measure.ts"
import type { Measured, Task } from "./waiting/child.ts"
import type { Contender, Transport } from "./waiting/contenders.ts"
import type { DetectionLatency, LatencyTask } from "./waiting/detectionLatency.ts"

const child = new URL("waiting/child.ts", import.meta.url)
const detectionLatency = new URL("waiting/detectionLatency.ts", import.meta.url)

const withServer = async <A>(use: (baseUrl: string) => Promise<A>): Promise<A> => {
  const server = fork(new URL("waiting/server.ts", import.meta.url), { execArgv: ["--conditions=canvas-runs:source"] })
  try {
    const [{ port }] = await once(server, "message") as [{ port: number }]
    return await use(`http://127.0.0.1:${port}`)
  } finally {
    server.kill()
  }
}

/** Measures all contenders at the same time, because the heap of a process does not depend on others. */
const atOnce = async <K extends string>(
  contenders: Readonly<Record<K, () => Promise<Measured>>>
): Promise<Record<K, Sample>> => {
  const names = Object.keys(contenders) as Array<K>
  const heaps = await Promise.all(names.map((name) => contenders[name]()))
  return Object.fromEntries(names.map((name, i) => [name, sample([heaps[i]!.heapPerRun])])) as Record<K, Sample>
}

const heap = async (runs: number, { progress }: Options): Promise<ReadonlyArray<Result>> => {
  progress(`heap of ${runs} waits`)
  const measure = (contender: Contender) => () =>
    inChild<Measured>(child, [
      JSON.stringify(
        {
          contender,
          transport: "memory",
          baseUrl: "http://127.0.0.1:1",
          runs,
          interval: 300_000,
          spread: runs / 2.5,
          seconds: 0
        } satisfies Task
      )
    ])
  const measured = await atOnce({
    loop: measure("promise loop"),
    wait: measure("wait"),
    own: measure("wait, own schedule"),
    together: measure("completions")
  })
  const peers = { "promise loop with setTimeout": measured.loop }
  const row = (measure: string, bar: string, ours: Sample, atMost: number, note?: string): Result => ({
    measure: `heap ${measure}, ${runs} asleep`,
    unit: "B per run",
    ours,
    peers,
    targets: [{ peer: "promise loop with setTimeout", atMost }],
    ...(note === undefined ? undefined : { note }),
    ...(runs === 10_000 ? { mark: { chart: "wait", bar: `canvas-runs, ${bar}` } as const } : undefined)
  })
  return [
    row(
      "per wait",
      "one wait each",
      measured.wait,
      0.8,
      "In the last minutes before its timeout a wait also keeps its last snapshot, about 0.2 KB."
    ),
    row("per wait, user's own Schedule", "own Schedule", measured.own, 2),
    row("per run awaited together", "awaited together", measured.together, 0.16)
  ]
}

const cpu = (runs: number, { progress, quick, run }: Options): Promise<ReadonlyArray<Result>> =>
  withServer(async (baseUrl) => {
    progress(`CPU per poll of ${runs} waits`)
    const measure = (contender: Contender, transport: Transport) => async () => {
      const { cpuPerPoll } = await inChild<Measured>(child, [
        JSON.stringify(
          { contender, transport, baseUrl, runs, interval: 5000, spread: 5000, seconds: quick ? 4 : 5 } satisfies Task
        )
      ])
      return cpuPerPoll
    }
    const measured = await interleave(1, {
      loop: measure("promise loop", "fetch"),
      undiciLoop: measure("promise loop", "undici"),
      effect: measure("Effect loop", "fetch"),
      effectUndici: measure("Effect loop", "undici"),
      wait: measure("wait", "fetch"),
      undici: measure("wait", "undici"),
      together: measure("completions", "undici")
    }, run)
    const peers = {
      "promise loop on fetch": measured.loop,
      "promise loop on undici": measured.undiciLoop,
      "loop of Effect's HttpClient on fetch": measured.effect,
      "loop of Effect's HttpClient on undici": measured.effectUndici
    }
    const floor = (effect: Sample, loop: Sample) =>
      `A bare loop of Effect's HttpClient, without a timeout, retries and a Schema, takes ${
        ratio(effect, loop).toFixed(2)
      }.`
    const row = (name: string, ours: Sample, targets: ReadonlyArray<Target> = []): Result => ({
      measure: `CPU per poll over loopback, ${runs} waiting, ${name}`,
      unit: "µs",
      ours,
      peers,
      targets,
      ...(runs === 10_000 ? { mark: { chart: "poll", bar: `canvas-runs, ${name}` } as const } : undefined)
    })
    return [
      row("fetch layer", measured.wait, [{
        peer: "promise loop on fetch",
        atMost: runs >= 10_000 ? 1.1 : 0.95,
        reason: floor(measured.effect, measured.loop)
      }]),
      row("undici layer", measured.undici, [
        { peer: "promise loop on fetch", atMost: 0.6, reason: floor(measured.effectUndici, measured.loop) },
        {
          peer: "promise loop on undici",
          atMost: runs >= 10_000 ? 1.4 : 1,
          reason: floor(measured.effectUndici, measured.undiciLoop)
        }
      ]),
      row("undici layer, awaited together", measured.together)
    ]
  })

const late = (runs: number, { progress, run }: Options): Promise<ReadonlyArray<Result>> =>
  withServer(async (baseUrl) => {
    progress(`detection latency of ${runs} waits`)
    const measure = (contender: Contender, transport: Transport) => async () => {
      const { p99 } = await inChild<DetectionLatency>(detectionLatency, [
        JSON.stringify({ contender, transport, baseUrl, runs, interval: 5000 } satisfies LatencyTask)
      ])
      return p99
    }
    const measured = await interleave(1, {
      loop: measure("promise loop", "fetch"),
      wait: measure("wait", "fetch"),
      undici: measure("wait", "undici")
    }, run)
    const peers = { "promise loop on fetch": measured.loop }
    return [["fetch", measured.wait], ["undici", measured.undici]].map(([name, ours]) => ({
      measure: `time from a run's end to its wait returning, p99 of ${runs}, ${name as string} layer`,
      unit: "ms",
      ours: ours as Sample,
      peers,
      targets: [{
        peer: "promise loop on fetch",
        atMost: 1,
        reason: "Both poll every 5 s, so both notice an end up to 5 s late. They differ by some milliseconds."
      }]
    }))
  })

export const benchmark: Benchmark = {
  name: "waiting",
  run: async (options) => [
    ...(await Promise.all((options.quick ? [10_000] : [10_000, 100_000]).map((runs) => heap(runs, options)))).flat(),
    ...await cpu(1000, options),
    ...await cpu(options.quick ? 4000 : 10_000, options),
    ...await late(options.quick ? 2000 : 10_000, options)
  ]
}
