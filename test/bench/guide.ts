/** The table of figures in the costs guide, with the spread of the first ratio. It is written from the saved results, so that the guide says what was measured. */
import { digits, spreadOf } from "./report.ts"
import type { Section } from "./results.ts"

interface Entry {
  /** What the reader gets. */
  readonly what: string
  /** The row of the results. */
  readonly measure: string
  readonly peers?: ReadonlyArray<string>
}

const loop = "promise loop with setTimeout"
const loops = ["promise loop on fetch", "promise loop on undici"]
const readers = ["openai", "eventsource-parser stream"]
const sdks = ["openai", "@meistrari/tela-sdk-js"]

export const entries: ReadonlyArray<Entry> = [
  { what: "memory of a wait", measure: "heap per wait, 10000 asleep", peers: [loop] },
  {
    what: "memory of a wait with your own `Schedule`",
    measure: "heap per wait, user's own Schedule, 10000 asleep",
    peers: [loop]
  },
  { what: "memory of a run in `completions`", measure: "heap per run awaited together, 10000 asleep", peers: [loop] },
  ...[1000, 10_000].flatMap((runs) =>
    ["fetch", "undici"].map((layer) => ({
      what: `CPU time of a poll, ${runs.toLocaleString("en")} runs waiting, on ${layer}`,
      measure: `CPU per poll over loopback, ${runs} waiting, ${layer} layer`,
      peers: loops
    }))
  ),
  ...["fetch", "undici"].map((client) => ({
    what: `CPU time of a request over loopback, 64 at once, on ${client}`,
    measure: `CPU per request over loopback, 64 at once, canvas-runs on ${client}`,
    peers: ["fetch + AbortController"]
  })),
  {
    what: "CPU time of a request whose response is in memory",
    measure: "CPU per request in memory, an answer with content-length",
    peers: sdks
  },
  ...["64 B", "16 KiB"].map((size) => ({
    what: `CPU time of a streamed event of 100 bytes, in chunks of ${size}`,
    measure: `stream, CPU per event, chunks of ${size}, runForEachArray`,
    peers: readers
  })),
  {
    what: "the same, where events differ in more than their text",
    measure: "stream, CPU per event, chunks of 16 KiB, each event with its own time, runForEachArray",
    peers: ["eventsource-parser stream"]
  },
  {
    what: "memory of the process that reads a stream of 3 GiB",
    measure: "stream of 3 GiB with a stalling consumer, peak memory of the process",
    peers: ["raw reader loop"]
  },
  {
    what: "memory of an upload of 1 GiB",
    measure: "Spine upload on fetch of 1 GiB: peak memory over idle",
    peers: ["fetch of a form with openAsBlob"]
  },
  {
    what: "memory of a download of 1 GiB",
    measure: "download on fetch of 1 GiB: peak memory over idle",
    peers: ["fetch piped to a file"]
  },
  ...["spine", "tela"].map((program) => ({
    what: `size added to a program that uses Effect's Schema, Stream and HTTP client, with ${
      program === "spine" ? "Spine" : "Tela"
    }`,
    measure: `size that a ${program} program adds to one with Effect's Schema, Stream and HttpClient (esbuild)`
  })),
  ...["SQLite", "PostgreSQL"].flatMap((database) => [
    {
      what: `statements of a [durable run](durable.md) from create to end, with ${database}`,
      measure: `statements per run from create to end, ${database}`
    },
    {
      what: `storage of a finished durable run with an output of 4 KiB, with ${database}`,
      measure: `storage of a finished run with an output of 4096 bytes, ${database}`
    }
  ])
]

const table = (sections: ReadonlyArray<Section>): string => {
  const rows = new Map(sections.flatMap(({ rows }) => rows.map((row) => [row.measure, row] as const)))
  return [
    "| what | cost | compared with | spread |",
    "| --- | --- | --- | --- |",
    ...entries.flatMap(({ measure, peers = [], what }) => {
      const row = rows.get(measure)
      if (row === undefined) return []
      const compared = peers.map((peer) => `${digits(row.peers[peer]?.ratio.value ?? NaN)}× ${peer}`)
      const judged = row.peers[peers[0] ?? ""]?.ratio ?? row.ours
      return [`| ${what} | ${digits(row.ours.value)} ${row.unit} | ${compared.join(", ")} | ${spreadOf(row, judged)} |`]
    })
  ].join("\n")
}

const [start, end] = ["<!-- from test/bench/results.json -->", "<!-- end -->"]

/** The guide with its table drawn from the results. */
export const withTable = (guide: string, sections: ReadonlyArray<Section>): string => {
  const [before, rest = ""] = guide.split(`${start}\n`)
  const [, after] = rest.split(`${end}\n`)
  if (after === undefined) throw new Error(`the costs guide has no part from "${start}" to "${end}"`)
  return `${before}${start}\n\n${table(sections)}\n\n${end}\n${after}`
}
