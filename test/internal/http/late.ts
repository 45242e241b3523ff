/**
 * A program that waits for late responses on Node's fetch, in a process where undici's timers are accelerated: its limit of 300 s
 * passes in a second. Prints the outcome of a plain fetch, and the outcomes of calls of the clients that started before it.
 */
import { Effect, Layer, Redacted, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Spine, Tela } from "canvas-runs"

/** The time between two checks of undici's timers, in milliseconds. */
const undiciTick = 499

const setRealTimeout = globalThis.setTimeout
globalThis.setTimeout = Object.assign(
  (run: (...args: Array<unknown>) => void, millis?: number, ...args: Array<unknown>) =>
    setRealTimeout(run, millis === undiciTick ? 1 : millis, ...args),
  setRealTimeout
)

const completion = {
  id: "crsv-1",
  object: "chat.completion",
  created: 1,
  choices: [{ message: { role: "assistant", content: "late" } }]
}

const created = { success: true, data: { run_id: "7d0f3c1e-5b7a-4c39-9d57-1d1b0c6f2a11", status: "queued" } }

const chunk = (content: string, finish_reason: string | null) =>
  `data: ${JSON.stringify({ id: "1", choices: [{ index: 0, delta: { role: null, content }, finish_reason }] })}\n\n`

/** The rest of each response, which is sent when the plain fetch has reached its limit. */
const held: Array<() => void> = []

/** Starts the response, with the headers and the first chunk if it is a stream, and delays the rest. */
const server = createServer((request, response) => {
  const parts: Array<Buffer> = []
  request.on("data", (part: Buffer) => parts.push(part)).on("end", () => {
    const isStream = Buffer.concat(parts).includes(`"stream":true`)
    if (isStream) response.writeHead(200, { "content-type": "text/event-stream" }).write(chunk("la", null))
    held.push(() =>
      isStream
        ? response.end(`${chunk("te", "stop")}data: [DONE]\n\n`)
        : response.writeHead(200, { "content-type": "application/json" }).end(
          JSON.stringify(request.url!.startsWith("/v1/run") ? created : completion)
        )
    )
    if (held.length === 3) void plainFetch().then(release)
  })
})

/** The outcome of a fetch without options that gets no response. */
let plain = ""
const plainFetch = () =>
  fetch(baseUrl()).then(
    () => plain = "an answer",
    (error: Error) => plain = String((error.cause as { readonly code?: string }).code)
  )

const release = () => {
  for (const answer of held) answer()
}

const baseUrl = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

const outcome = <E extends { readonly _tag: string; readonly message: string }>(effect: Effect.Effect<string, E>) =>
  Effect.catch(effect, (error) => Effect.succeed(`${error._tag}: ${error.message}`))

const calls = Effect.gen(function*() {
  const tela = yield* Tela.TelaClient
  const spine = yield* Spine.SpineClient
  const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
  return yield* Effect.all({
    sync: outcome(Effect.map(canvas.execute({}), ({ result }) => String(result))),
    stream: outcome(
      Effect.map(
        Stream.runCollect(canvas.stream({}, { idleTimeout: "1 hour" })),
        (parts) => parts.flatMap((part) => part._tag === "delta" ? [part.content] : []).join("")
      )
    ),
    upload: outcome(
      Effect.map(spine.runs.create({ prompt: "x", files: [new Uint8Array(10)] }), ({ ref }) => ref.id)
    )
  }, { concurrency: "unbounded" })
})

server.listen(0, "127.0.0.1", async () => {
  const client = { apiKey: Redacted.make("sk_spine_late"), baseUrl: baseUrl(), requestTimeout: "1 hour" } as const
  const layer = Layer.provide(Layer.merge(Tela.layer(client), Spine.layer(client)), FetchHttpClient.layer)
  const ended = await Effect.runPromise(Effect.provide(calls, layer))
  process.stdout.write(JSON.stringify({ plain, ...ended }))
  server.close()
  server.closeAllConnections()
})
