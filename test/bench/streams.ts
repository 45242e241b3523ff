/**
 * Streams: the time that an event takes from bytes to a typed part, beside the readers of others and beside `JSON.parse`,
 * and the memory that a long stream takes.
 */
import { type ChildProcess, fork } from "node:child_process"
import { type Benchmark, cpuMicros, inChild, interleave, type Options, type Result, sample } from "./measure.ts"
import * as Bodies from "./streamsBodies.ts"
import type { Measured } from "./streamsMemory.ts"
import * as Readers from "./streamsReaders.ts"

/**
 * CPU time per event of one reading, of the whole process. What was read must be what was sent. No collection is forced
 * before it: a full one drops the shapes of parsed objects, and with them the code that was compiled for them.
 */
const timed =
  (tokens: Bodies.Tokens, read: () => Readers.Read | Promise<Readers.Read>) => async (): Promise<number> => {
    globalThis.gc!()
    const before = cpuMicros()
    const { characters, events } = await read()
    const micros = cpuMicros() - before
    if (events !== tokens.events || characters !== tokens.characters) {
      throw new Error(`read ${events} events and ${characters} characters of ${tokens.events} and ${tokens.characters}`)
    }
    return micros / events
  }

/** A reading of the tokens, cut into pieces of the given size. */
const reading = (reader: Readers.Reader, tokens: Bodies.Tokens, size: number) => {
  const pieces = Bodies.cut(tokens.bytes, size)
  return timed(tokens, () => reader(() => Bodies.body(pieces)))
}

const speed = async ({ progress, quick }: Options): Promise<ReadonlyArray<Result>> => {
  const many = Bodies.tokens(quick ? 10_000 : 50_000)
  // The provider's own SDK needs most of a millisecond for each
  const few = Bodies.tokens(quick ? 50 : 300)
  const rounds = quick ? 2 : 7
  const results: Array<Result> = []
  for (const [name, size] of [["64 B", 64], ["1 KiB", 1024], ["16 KiB", 16_384], ["64 KiB", 65_536]] as const) {
    progress(`events in chunks of ${name}`)
    const contenders = {
      byArray: reading(Readers.byArray, many, size),
      byPart: reading(Readers.byPart, many, size),
      openai: reading(Readers.openai, many, size),
      eventsourceParser: reading(Readers.eventsourceParser, many, size),
      telaSdk: reading(Readers.telaSdk, few, size),
      byHand: reading(Readers.byHand, many, size),
      parse: timed(many, () => Readers.parseOnly(many.payloads))
    }
    await interleave(quick ? 1 : 2, contenders)
    const { byArray, byHand, byPart, eventsourceParser, openai, parse, telaSdk } = await interleave(rounds, contenders)
    const peers = {
      "openai": openai,
      "eventsource-parser stream": eventsourceParser,
      "@meistrari/tela-sdk-js": telaSdk,
      "reader loop by hand": byHand,
      "JSON.parse of the payloads": parse
    }
    const floor = sample(parse.values.map((value, round) => value / openai.values[round]!)).median
    results.push(
      {
        measure: `stream, CPU per event, chunks of ${name}, runForEachArray`,
        unit: "µs",
        ours: byArray,
        peers,
        targets: [
          ...size === 1024 ? [{ peer: "openai", atMost: 0.25 }] : [],
          ...size === 16_384
            ? [{ peer: "openai", atMost: 0.12 }, { peer: "JSON.parse of the payloads", atMost: 1.75 }]
            : [],
          { peer: "eventsource-parser stream", atMost: 0.9 }
        ],
        ...(size === 64 || size === 65_536 ? undefined : {
          note: `No reader can be below JSON.parse alone, which is ${floor.toPrecision(2)}× openai.`
        })
      },
      {
        measure: `stream, CPU per event, chunks of ${name}, runForEach`,
        unit: "µs",
        ours: byPart,
        peers,
        targets: [{ peer: "eventsource-parser stream", atMost: 0.9 }]
      }
    )
  }
  return results
}

/** Many events at once: ten times as many should cost ten times as much. */
const linear = async ({ progress, quick }: Options): Promise<Result> => {
  progress("100,000 events in one chunk")
  const [less, more] = [Bodies.tokens(10_000), Bodies.tokens(100_000)]
  const small = reading(Readers.byArray, less, less.bytes.length)
  const contenders = {
    // As many events in all, so that neither is over before the engine has warmed to it
    less: async () => {
      let sum = 0
      for (let i = 0; i < 10; i++) sum += await small()
      return sum / 10
    },
    more: reading(Readers.byArray, more, more.bytes.length),
    byHand: reading(Readers.byHand, more, more.bytes.length)
  }
  await interleave(1, contenders)
  const samples = await interleave(quick ? 2 : 7, contenders)
  return {
    measure: "stream, CPU per event, 100,000 events in one chunk",
    unit: "µs",
    ours: samples.more,
    peers: { "10,000 events in one chunk": samples.less, "reader loop by hand": samples.byHand },
    targets: [{ peer: "10,000 events in one chunk", atMost: 1.3 }],
    note: "Linear time is a ratio of 1 per event."
  }
}

const memoryModule = new URL("streamsMemory.ts", import.meta.url)

/** The server of {@link memory}, in a process of its own. */
const serve = (bytes: number): Promise<{ readonly url: string; readonly server: ChildProcess }> =>
  new Promise((resolve, reject) => {
    const server = fork(new URL("streamsServer.ts", import.meta.url), [String(bytes)], {
      execArgv: [],
      stdio: ["ignore", "inherit", "inherit", "ipc"]
    })
    server.once("message", (url) => resolve({ url: String(url), server }))
    server.once("exit", (code) => reject(new Error(`the server ended with ${code}`)))
  })

/** The most memory that a process takes which reads a long stream, and stalls in the middle of it. */
const memory = async ({ progress, quick }: Options): Promise<ReadonlyArray<Result>> => {
  const bytes = quick ? 128 * 2 ** 20 : 3 * 2 ** 30
  const size = quick ? "128 MiB" : "3 GiB"
  const { server, url } = await serve(bytes)
  try {
    const runs: Record<string, Array<Measured>> = { ours: [], byHand: [], bytesOnly: [] }
    for (let round = 0; round < (quick ? 1 : 2); round++) {
      for (const [name, taken] of Object.entries(runs)) {
        progress(`a stream of ${size}: ${name}, ${round + 1}`)
        taken.push(await inChild<Measured>(memoryModule, [name, url, String(bytes)]))
      }
    }
    const events = new Set(
      Object.entries(runs).flatMap(([name, taken]) => name === "bytesOnly" ? [] : taken.map(({ events }) => events))
    )
    if (events.size !== 1) throw new Error(`they read different numbers of events: ${[...events].join(", ")}`)
    const peaks = (name: string) => sample(runs[name]!.map(({ peak }) => peak / 2 ** 20))
    const early = sample(runs["ours"]!.map(({ early }) => early / 2 ** 20))
    const stalled = Math.max(...runs["ours"]!.map(({ ahead }) => ahead)) / 2 ** 20
    const note =
      `Of a consumer that stalls for 3 s in the middle the server got rid of ${stalled.toFixed(1)} MiB meanwhile. ` +
      "Each event brings the whole structured output so far, so that nothing has to be kept; of text every character is."
    return [
      {
        measure: `stream of ${size} with a stalling consumer, peak memory of the process`,
        unit: "MiB",
        ours: peaks("ours"),
        peers: { "raw reader loop": peaks("byHand"), "reader that only counts bytes": peaks("bytesOnly") },
        targets: [{ peer: "raw reader loop", atMost: 1.25 }],
        note
      },
      {
        measure: `stream of ${size}, peak memory at its end, against that of its first half`,
        unit: "MiB",
        ours: peaks("ours"),
        peers: { "first half": early },
        targets: [{ peer: "first half", atMost: 1.1 }]
      }
    ]
  } finally {
    server.removeAllListeners("exit")
    server.kill()
  }
}

export const benchmark: Benchmark = {
  name: "streams",
  run: async (options) => [...await speed(options), await linear(options), ...await memory(options)]
}
