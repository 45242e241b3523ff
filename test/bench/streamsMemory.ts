/** Reads one long stream over loopback, stalls in the middle of it, and reports the memory used. */
import { Effect, Redacted, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { Tela } from "canvas-runs"

/** The results; memory is in bytes. */
export interface Measured {
  readonly events: number
  /** The peak memory of the process up to the middle of the stream, and overall. */
  readonly early: number
  readonly peak: number
  /** The bytes that the server sent during the stall. */
  readonly ahead: number
}

const [, , name, url, bytes] = process.argv as [string, string, string, string, string]

const peak = () => process.resourceUsage().maxRSS * 1024
const sent = async () => Number(await (await fetch(`${url}/sent`)).text())
const pause = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

let events = 0
let early = 0
let ahead = 0

/** Half-way: reads the memory of the first half, and stalls. */
const stall = async () => {
  early = peak()
  const before = await sent()
  await pause(3000)
  ahead = await sent() - before
}

const post = () => fetch(url, { method: "POST", body: "{}" })

const readers: Record<string, () => Promise<void>> = {
  ours: async () => {
    // Known from the first event: all events have the same length
    let half = Infinity
    await Tela.TelaClient.pipe(
      Effect.flatMap((tela) =>
        Stream.runForEachArray(
          tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" }).stream({}),
          (parts) =>
            Effect.suspend(() => {
              for (const part of parts) if (part._tag === "delta") events++
              const [first] = parts
              if (half === Infinity && first._tag === "delta") {
                half = Number(bytes) / 2 / `data: ${JSON.stringify(first.raw)}\n\n`.length
              }
              if (early > 0 || events < half) return Effect.void
              early = 1
              return Effect.promise(stall)
            })
        )
      ),
      Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_bench_key_0001"), baseUrl: url })),
      Effect.provide(FetchHttpClient.layer),
      Effect.runPromise
    )
  },
  byHand: async () => {
    const reader = (await post()).body!.getReader()
    const decoder = new TextDecoder()
    let rest = ""
    let read = 0
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      const text = rest + decoder.decode(value, { stream: true })
      let start = 0
      for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n", start)) {
        const data = text.slice(start + 6, end)
        start = end + 2
        if (data !== "[DONE]" && typeof JSON.parse(data) === "object") events++
      }
      rest = text.slice(start)
      read += value.length
      if (early === 0 && read >= Number(bytes) / 2) await stall()
    }
  }
}

await readers[name]!()
process.send!({ events, early, peak: peak(), ahead } satisfies Measured)
process.disconnect()
