/**
 * Streams: the time per event from bytes to a typed part, beside other readers and beside `JSON.parse`, and the memory for a long
 * stream.
 */
import { type ChildProcess, fork } from "node:child_process"
import {
  type Benchmark,
  inChild,
  interleave,
  type Options,
  ratio,
  type Result,
  type Sample,
  sample
} from "./measure.ts"
import type { Measured } from "./streamsMemory.ts"
import type * as Readers from "./streamsReaders.ts"

/**
 * A warm process for each contender. In one process the garbage of one reader is collected during the reading of another, and the
 * engine compiles the code of web streams and of JSON for all of them together.
 */
const start = (reader: Readers.ReaderName | "parseOnly", events: number, size: number, form = "alike") => {
  const child = fork(new URL("streamsReading.ts", import.meta.url), [reader, String(events), String(size), form], {
    execArgv: ["--conditions=canvas-runs:source"],
    stdio: ["ignore", "inherit", "inherit", "ipc"]
  })
  const read = () =>
    new Promise<number>((resolve, reject) => {
      const fail = (code: number | null) => reject(new Error(`${reader} ended with ${code}`))
      child.once("exit", fail)
      child.once("message", (micros) => {
        child.off("exit", fail)
        resolve(Number(micros))
      })
      child.send("read")
    })
  return { read, stop: () => child.kill() }
}

/** One reading of each contender per round, after rounds in which the engine compiles them. */
const inTurns = async <K extends string>(
  children: Readonly<Record<K, ReturnType<typeof start>>>,
  rounds: number,
  first: number
): Promise<Record<K, Sample>> => {
  const entries = Object.entries<ReturnType<typeof start>>(children)
  const contenders = Object.fromEntries(entries.map(([name, { read }]) => [name, read])) as Record<
    K,
    () => Promise<number>
  >
  try {
    await interleave(12, contenders)
    return await interleave(rounds, contenders, first)
  } finally {
    for (const [, { stop }] of entries) stop()
  }
}

const speed = async (options: Options): Promise<ReadonlyArray<Result>> => {
  const { progress, quick, run } = options
  const many = 20_000
  // The provider's own SDK needs almost a millisecond for each event
  const few = quick ? 50 : 200
  const rounds = quick ? 3 : 6
  const results: Array<Result> = []
  for (const [name, size] of [["64 B", 64], ["1 KiB", 1024], ["16 KiB", 16_384], ["64 KiB", 65_536]] as const) {
    progress(`events in chunks of ${name}`)
    const children = {
      byArray: start("byArray", many, size),
      byPart: start("byPart", many, size),
      openai: start("openai", many, size),
      eventsourceParser: start("eventsourceParser", many, size),
      telaSdk: start("telaSdk", few, size),
      byHand: start("byHand", many, size),
      parse: start("parseOnly", many, size)
    }
    const { byArray, byHand, byPart, eventsourceParser, openai, parse, telaSdk } = await inTurns(children, rounds, run)
    const peers = {
      "openai": openai,
      "eventsource-parser stream": eventsourceParser,
      "@meistrari/tela-sdk-js": telaSdk,
      "reader loop by hand": byHand,
      "JSON.parse of the payloads": parse
    }
    const times = (one: Sample, other: Sample) => `${ratio(one, other).toFixed(2)}×`
    const overOpenai =
      `JSON.parse of the payloads alone is ${times(parse, openai)} openai, and a reader loop by hand without ` +
      `checks, limits and typed parts ${times(byHand, openai)}.`
    const overParser = "A chunk costs 2 µs: a read of the web stream, and a pull of Effect whose fiber waits for it."
    results.push(
      {
        measure: `stream, CPU per event, chunks of ${name}, runForEachArray`,
        unit: "µs",
        ours: byArray,
        peers,
        targets: [
          ...size === 1024 ? [{ peer: "openai", atMost: 0.25, reason: overOpenai }] : [],
          ...size === 16_384
            ? [
              { peer: "openai", atMost: 0.12, reason: overOpenai },
              { peer: "JSON.parse of the payloads", atMost: 1.25 }
            ]
            : [],
          { peer: "eventsource-parser stream", atMost: 0.9, reason: overParser }
        ],
        ...(size === 16_384 ? { mark: { chart: "event", bar: "canvas-runs, runForEachArray" } as const } : undefined)
      },
      {
        measure: `stream, CPU per event, chunks of ${name}, runForEach`,
        unit: "µs",
        ours: byPart,
        peers,
        targets: [{ peer: "eventsource-parser stream", atMost: 0.9, reason: overParser }],
        ...(size === 16_384 ? { mark: { chart: "event", bar: "canvas-runs, runForEach" } as const } : undefined)
      }
    )
  }
  return [...results, await varied(options)]
}

/** Events that differ in more than their text, so that each is parsed. */
const varied = async ({ progress, quick, run }: Options): Promise<Result> => {
  progress("events that differ in more than their text")
  const child = (reader: Readers.ReaderName | "parseOnly") => start(reader, 20_000, 16_384, "varied")
  const { byArray, byHand, eventsourceParser, parse } = await inTurns(
    {
      byArray: child("byArray"),
      eventsourceParser: child("eventsourceParser"),
      byHand: child("byHand"),
      parse: child("parseOnly")
    },
    quick ? 3 : 6,
    run
  )
  return {
    measure: "stream, CPU per event, chunks of 16 KiB, each event with its own time, runForEachArray",
    unit: "µs",
    ours: byArray,
    peers: {
      "eventsource-parser stream": eventsourceParser,
      "reader loop by hand": byHand,
      "JSON.parse of the payloads": parse
    },
    targets: [{ peer: "eventsource-parser stream", atMost: 1.1 }]
  }
}

/**
 * Many events at once: ten times as many events should take ten times as long. Each number of events has separate processes, so
 * that small streams do not pay for the garbage of large ones.
 */
const linear = async ({ progress, quick, run }: Options): Promise<Result> => {
  progress("100,000 events in one chunk")
  const child = (reader: string, events: number) => () =>
    inChild<number>(new URL("streamsAtOnce.ts", import.meta.url), [
      reader,
      String(events),
      quick ? "500000" : "1000000"
    ])
  const { byHand, less, more } = await interleave(1, {
    less: child("byArray", 10_000),
    more: child("byArray", 100_000),
    byHand: child("byHand", 100_000)
  }, run)
  return {
    measure: "stream, CPU per event, 100,000 events in one chunk",
    unit: "µs",
    ours: more,
    peers: { "10,000 events in one chunk": less, "reader loop by hand": byHand },
    targets: [{ peer: "10,000 events in one chunk", atMost: 1.3 }],
    note:
      "Linear time is a ratio of 1 per event. What exceeds it is garbage collection of the young generation, which copies " +
      "what is alive: the text so far, and the events of one piece. A piece is cut at 64 KiB for this reason. Before that the " +
      "ratio was 1.8 with Node's defaults, and 1.1 with --max-semi-space-size=2, where 10,000 events do not fit either. On a " +
      "machine with 15 runnable processes on 2 cores, single runs reach 1.7."
  }
}

const memoryModule = new URL("streamsMemory.ts", import.meta.url)

/** The server of {@link memory}, in a separate process. */
const serve = (bytes: number): Promise<{ readonly url: string; readonly server: ChildProcess }> =>
  new Promise((resolve, reject) => {
    const server = fork(new URL("streamsServer.ts", import.meta.url), [String(bytes)], {
      execArgv: [],
      stdio: ["ignore", "inherit", "inherit", "ipc"]
    })
    server.once("message", (url) => resolve({ url: String(url), server }))
    server.once("exit", (code) => reject(new Error(`the server ended with ${code}`)))
  })

/**
 * The peak memory of a process that reads a long stream and stalls in the middle of it: with Node's defaults, and with the
 * engine's young generation limited to 16 MiB. Without the limit the young generation may double once during so long a stream.
 * That adds about 100 MiB, and does not depend on the reader.
 */
const memory = async ({ progress, quick }: Options): Promise<ReadonlyArray<Result>> => {
  const bytes = quick ? 128 * 2 ** 20 : 3 * 2 ** 30
  const size = quick ? "128 MiB" : "3 GiB"
  const { server, url } = await serve(bytes)
  const read = (reader: string, nodeFlags: ReadonlyArray<string>) => {
    progress(`a stream of ${size}: ${reader} ${nodeFlags.join(" ")}`)
    return inChild<Measured>(memoryModule, [reader, url, String(bytes)], { nodeFlags })
  }
  const results: Array<Result> = []
  try {
    for (const [how, flags] of [["", []], [", young generation of 16 MiB", ["--max-semi-space-size=16"]]] as const) {
      const ours = await read("ours", flags)
      const byHand = await read("byHand", flags)
      if (ours.events !== byHand.events) throw new Error(`read ${ours.events} events, and by hand ${byHand.events}`)
      const mebibytes = (value: number) => sample([value / 2 ** 20])
      const ahead = (ours.ahead / 2 ** 20).toFixed(1)
      results.push({
        measure: `stream of ${size} with a stalling consumer${how}, peak memory of the process`,
        unit: "MiB",
        ours: mebibytes(ours.peak),
        peers: { "raw reader loop": mebibytes(byHand.peak), "ours, first half": mebibytes(ours.early) },
        targets: [{ peer: "raw reader loop", atMost: 1.25 }, {
          peer: "ours, first half",
          atMost: 1.1,
          reason:
            "V8 may double its young generation once during so long a stream, with any reader. With a limit for it, the ratio is 1."
        }],
        note: `While the consumer stalled for 3 s in the middle, the server sent ${ahead} MiB. Each event has the ` +
          "whole structured output so far, so a reader keeps no earlier event. Of text, a reader keeps every character."
      })
    }
    return results
  } finally {
    server.removeAllListeners("exit")
    server.kill()
  }
}

export const benchmark: Benchmark = {
  name: "streams",
  run: async (options) => [...await speed(options), await linear(options), ...await memory(options)]
}
