/** Tools for measuring, and the form of the results. */
import { fork } from "node:child_process"

/** The values of the repetitions of one contender. */
export interface Sample {
  readonly median: number
  readonly min: number
  readonly max: number
  readonly values: ReadonlyArray<number>
}

/** A bound on the ratio to a peer of the same run, or on the value itself if there is no peer. */
export interface Target {
  readonly peer?: string
  readonly atMost?: number
  readonly atLeast?: number
  /** Why the target is missed, in one sentence with its figure. The report shows it only if the target is missed. */
  readonly reason?: string | undefined
}

/** Where a row is drawn. `charts.ts` has the titles of the charts. */
export type Mark =
  /** A bar beside the bars of its peers. */
  | { readonly chart: "poll" | "request" | "event" | "wait"; readonly bar: string }
  /** A point of a curve: the polls of a series and of each peer at this detection latency, in seconds. */
  | { readonly chart: "polls"; readonly panel: string; readonly series: string; readonly latency: number }

/** One row of the report, as one run measured it. */
export interface Result {
  /** A description of the measured value. */
  readonly measure: string
  readonly unit: string
  readonly ours: Sample
  readonly peers: Readonly<Record<string, Sample>>
  readonly targets: ReadonlyArray<Target>
  /** Background that a reader needs for the row, such as a theoretical bound. */
  readonly note?: string
  readonly mark?: Mark
}

export interface Benchmark {
  /** The name for `--only`. */
  readonly name: string
  /** Measures what varies between runs. It is called once per run, each time in a new process. */
  readonly run?: (options: Options) => Promise<ReadonlyArray<Result>>
  /** Measures what is the same in every run, such as the size of a bundle or a simulation with seeds. It is called once. */
  readonly exact?: (options: Options) => Promise<ReadonlyArray<Result>>
}

export interface Options {
  /** The number of the run, from 0. Contenders that are measured once per run take turns in another order in each run. */
  readonly run: number
  /** Fewer and shorter repetitions: a check that it works, with figures too rough to quote. */
  readonly quick: boolean
  /** How many workflows wait at once, in the benchmark of durable runs. */
  readonly parked: number
  /** Prints the progress. */
  readonly progress: (text: string) => void
}

export const sample = (values: ReadonlyArray<number>): Sample => {
  if (values.length === 0) throw new Error("a sample without values")
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return {
    median: sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2,
    min: sorted[0]!,
    max: sorted.at(-1)!,
    values
  }
}

/**
 * Runs every contender once per round, in a different order each round. So a drift in the machine's speed affects all contenders
 * alike. `first` is the place of the contender that begins.
 */
export const interleave = async <K extends string>(
  rounds: number,
  contenders: Readonly<Record<K, () => number | Promise<number>>>,
  first = 0
): Promise<Record<K, Sample>> => {
  const names = Object.keys(contenders) as Array<K>
  const values = new Map<K, Array<number>>(names.map((name) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(first + round + i) % names.length]!
      values.get(name)!.push(await contenders[name]())
    }
  }
  return Object.fromEntries(names.map((name) => [name, sample(values.get(name)!)])) as Record<K, Sample>
}

/**
 * The ratio of ours to a peer: the median of the ratios of all rounds, because the conditions within a round are the same for
 * both.
 */
export const ratio = (ours: Sample, peer: Sample): number =>
  ours.values.length === peer.values.length
    ? sample(ours.values.map((value, round) => value / peer.values[round]!)).median
    : ours.median / peer.median

/**
 * Runs a module in a separate Node process, and returns the message that it sends with `process.send`. A process that exits
 * without sending a message is an error.
 */
export const inChild = <A>(
  module: URL,
  args: ReadonlyArray<string>,
  options?: { readonly nodeFlags?: ReadonlyArray<string>; readonly env?: Readonly<Record<string, string>> }
): Promise<A> =>
  new Promise((resolve, reject) => {
    const child = fork(module, args, {
      execArgv: ["--conditions=canvas-runs:source", "--expose-gc", ...options?.nodeFlags ?? []],
      env: { ...process.env, ...options?.env },
      stdio: ["ignore", "inherit", "inherit", "ipc"]
    })
    let answer: { readonly value: A } | undefined
    child.on("message", (value) => {
      answer = { value: value as A }
    })
    child.on("error", reject)
    child.on("exit", (code) =>
      answer === undefined
        ? reject(new Error(`${module.pathname} ${args.join(" ")} ended with ${code} and no answer`))
        : resolve(answer.value))
  })

/** Heap in use after garbage collection, in bytes. Needs `--expose-gc`. */
export const heapUsed = async (): Promise<number> => {
  for (let i = 0; i < 8; i++) {
    globalThis.gc!()
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return process.memoryUsage().heapUsed
}

/** CPU time of this process so far, user and system, in microseconds. */
export const cpuMicros = (): number => {
  const { system, user } = process.cpuUsage()
  return user + system
}
