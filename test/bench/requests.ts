/**
 * The cost of a request: CPU time of the client over loopback and in memory, and the connections that polls use. Every client
 * runs in a separate process for all rounds, and makes a batch of requests in each.
 */
import { type ChildProcess, fork } from "node:child_process"
import {
  type Benchmark,
  interleave,
  type Options,
  ratio,
  type Result,
  type Sample,
  sample,
  type Target
} from "./measure.ts"
import type { Batch, Measured } from "./requests/child.ts"
import type { Contender } from "./requests/contenders.ts"

/** Waits for the next message of a process. Fails if the process exits before. */
const message = <A>(child: ChildProcess): Promise<A> =>
  new Promise((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`${child.spawnargs.slice(2).join(" ")} ended with ${code}`))
    child.once("exit", ended)
    child.once("message", (value) => {
      child.off("exit", ended)
      resolve(value as A)
    })
  })

const start = (module: string, args: ReadonlyArray<string>): ChildProcess =>
  fork(new URL(module, import.meta.url), args, {
    execArgv: ["--conditions=canvas-runs:source"],
    stdio: ["ignore", "inherit", "inherit", "ipc"]
  })

/** Starts a server. The returned function reads the counts since its last call. */
const withServer = async <A>(
  args: ReadonlyArray<string>,
  use: (
    origin: string,
    counts: () => Promise<{ readonly connections: number; readonly requests: number }>
  ) => Promise<A>
): Promise<A> => {
  const server = start("waiting/server.ts", args)
  try {
    const { port } = await message<{ readonly port: number }>(server)
    return await use(`http://127.0.0.1:${port}`, () => {
      server.send("counts")
      return message(server)
    })
  } finally {
    if (server.connected) server.disconnect()
  }
}

type Run = (contender: Contender, batch: Batch) => Promise<Measured>

/** Starts the clients, each in a separate process. */
const withClients = async <A>(
  contenders: ReadonlyArray<Contender>,
  origin: string,
  use: (run: Run) => Promise<A>
): Promise<A> => {
  const clients = new Map(contenders.map((contender) => [contender, start("requests/child.ts", [contender, origin])]))
  try {
    return await use((contender, batch) => {
      const client = clients.get(contender)!
      client.send(batch)
      return message(client)
    })
  } finally {
    for (const client of clients.values()) if (client.connected) client.disconnect()
  }
}

/** Warms every client up, and then runs the batch of each once per round. */
const rounds = async <C extends Contender>(
  contenders: ReadonlyArray<C>,
  run: Run,
  { batch, count, warmUp }: { readonly batch: (contender: C) => Batch; readonly count: number; readonly warmUp: number }
) => {
  for (const contender of contenders) {
    for (let i = 0; i < warmUp; i++) await run(contender, batch(contender))
  }
  return interleave(
    count,
    Object.fromEntries(contenders.map((contender) => [contender, () => run(contender, batch(contender))])) as Record<
      C,
      () => Promise<Measured>
    >
  )
}

const byHand = "fetch + AbortController"
const effectFetch = "Effect's HttpClient on fetch"
const effectUndici = "Effect's HttpClient on undici"

/** What a program on Effect costs at least: its client, and that with a Schema for the response. */
const floor = <E extends string, P extends string>(
  peers: Readonly<Record<E | P | `${E}, Schema`, Sample>>,
  effect: E,
  peer: P
): string => {
  const times = (name: E | `${E}, Schema`) => ratio(peers[name], peers[peer]).toFixed(2)
  return `${effect} alone takes ${times(effect)}, and ${times(`${effect}, Schema`)} with a Schema for the response.`
}

/** 64 at once, to a server. */
const loopback = ({ progress, quick }: Options): Promise<ReadonlyArray<Result>> => {
  const contenders = [
    "canvas-runs on fetch",
    "canvas-runs on undici",
    byHand,
    effectFetch,
    `${effectFetch}, Schema`,
    "undici.request",
    effectUndici,
    `${effectUndici}, Schema`
  ] as const
  // Compilation continues long after the first thousand requests, and short batches run under the same conditions
  const size = { count: quick ? 3 : 11, warmUp: quick ? 1 : 12 }
  const batch = { requests: quick ? 500 : 1500, atOnce: 64 }
  return withServer([], (origin, counts) =>
    withClients(contenders, origin, async (run) => {
      progress(`64 at once over loopback, ${size.count} rounds of ${batch.requests}`)
      const measured = await rounds(contenders, run, { ...size, batch: () => batch })
      const asked = (size.count + size.warmUp) * batch.requests * contenders.length
      const { requests } = await counts()
      if (requests !== asked) throw new Error(`the server received ${requests} requests of ${asked}`)
      const { "canvas-runs on fetch": _fetch, "canvas-runs on undici": _undici, ...peers } = measured
      const row = (contender: typeof contenders[number], targets: ReadonlyArray<Target>): Result => ({
        measure: `CPU per request over loopback, 64 at once, ${contender}`,
        unit: "µs",
        ours: measured[contender],
        peers,
        targets
      })
      return [
        row("canvas-runs on fetch", [{ peer: byHand, atMost: 1.45, reason: floor(peers, effectFetch, byHand) }]),
        row("canvas-runs on undici", [
          { peer: byHand, atMost: 0.85 },
          { peer: "undici.request", atMost: 1.8, reason: floor(peers, effectUndici, "undici.request") }
        ])
      ]
    }))
}

/** One after another, to a function that makes a `Response`. */
const memory = (length: "length" | "no length", { progress, quick }: Options): Promise<Result> => {
  const peers = [
    "canvas-runs on fetch, runPromise for each",
    "openai",
    "@meistrari/tela-sdk-js",
    "replicate",
    "@fal-ai/client",
    "@azure/core-lro around fetch",
    effectFetch,
    `${effectFetch}, Schema`,
    byHand
  ] as const
  const contenders = ["canvas-runs on fetch", ...peers] as const
  const size = { count: quick ? 3 : 5, warmUp: quick ? 1 : 4 }
  const requests = quick ? 1000 : 4000
  return withClients(contenders, length, async (run) => {
    const label = length === "length" ? "an answer with content-length" : "an answer without content-length"
    progress(`in memory, ${label}, ${size.count} rounds`)
    const { "canvas-runs on fetch": ours, ...others } = await rounds(contenders, run, {
      ...size,
      // The same time as the others, with fewer requests
      batch: (contender) => ({
        requests: contender === "@meistrari/tela-sdk-js" ? requests / 40 : requests,
        atOnce: 1
      })
    })
    return {
      measure: `CPU per request in memory, ${label}`,
      unit: "µs",
      ours,
      peers: others,
      targets: [
        { peer: "openai", atMost: 0.6 },
        { peer: "@meistrari/tela-sdk-js", atMost: 0.02 },
        {
          peer: effectFetch,
          atMost: 1.2,
          reason: `With a Schema for the response, that client takes ${
            ratio(others[`${effectFetch}, Schema`], others[effectFetch]).toFixed(2)
          } times as long.`
        }
      ],
      ...(length === "length" ? { mark: { chart: "request", bar: "canvas-runs on fetch" } as const } : undefined)
    }
  })
}

/** Each client polls a separate server, all at the same time. */
const connections = async ({ progress, quick }: Options): Promise<Result> => {
  const batch = { requests: quick ? 3 : 4, atOnce: 1, apartMillis: 5000 }
  progress(`${batch.requests} polls 5 s apart`)
  const used = (contender: Contender) =>
    withServer(["no-hint"], (origin, counts) =>
      withClients([contender], origin, async (run) => {
        await run(contender, batch)
        const { connections, requests } = await counts()
        if (requests !== batch.requests) throw new Error(`${contender} made ${requests} polls of ${batch.requests}`)
        return sample([connections])
      }))
  const [undici, fetch, raw] = await Promise.all([
    used("canvas-runs on undici"),
    used("canvas-runs on fetch"),
    used(byHand)
  ])
  return {
    measure: `connections of ${batch.requests} polls 5 s apart to a server that gives no keep-alive hint, on undici`,
    unit: "connections",
    ours: undici,
    peers: { "canvas-runs on fetch": fetch, [byHand]: raw },
    targets: [{ atMost: 1 }]
  }
}

export const benchmark: Benchmark = {
  name: "requests",
  run: async (options) => [
    ...await loopback(options),
    await memory("length", options),
    await memory("no length", options)
  ],
  exact: async (options) => [await connections(options)]
}
