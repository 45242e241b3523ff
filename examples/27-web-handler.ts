/**
 * A handler for a web server: `POST /reports` starts a run and streams its progress as server-sent events. If the client
 * disconnects, the wait stops at once, and the run continues. `GET /reports/:id` shows it.
 *
 * `handler` is a function from `Request` to `Response`, the form that Bun, Deno, Workers and Next.js accept. An aborted `signal`
 * of the request interrupts the route.
 *
 * Run: `npm run example examples/27-web-handler.ts`. With `SPINE_API_KEY` set, it starts two real runs.
 */
import { Console, Effect, Layer, Schema, Stream } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Spine } from "canvas-runs"
import { live } from "./support/live.ts"

const ReportRequest = Schema.Struct({ topic: Schema.NonEmptyString })

/** The fields of a run that the client gets. */
const view = (run: Spine.Run) =>
  run.status === "running"
    ? { id: run.run_id, status: run.status, done: run.progress.tasks_completed, of: run.progress.tasks_total }
    : { id: run.run_id, status: run.status }

const routes = HttpRouter.use(Effect.fnUntraced(function*(router) {
  const spine = yield* Spine.SpineClient

  yield* router.add(
    "POST",
    "/reports",
    Effect.gen(function*() {
      const { topic } = yield* HttpServerRequest.schemaBodyJson(ReportRequest)
      const created = yield* spine.runs.create({ prompt: `Write a report on ${topic}`, template: "report" })
      const events = spine.runs.watch(created, { pollInterval: "15 seconds", timeout: "2 hours" }).pipe(
        Stream.map((run) => `data: ${JSON.stringify(view(run))}\n\n`),
        // A snapshot can differ from the last one in fields that the view does not have
        Stream.changes,
        Stream.ensuring(Console.log("  (the wait has ended)")),
        Stream.encodeText
      )
      return HttpServerResponse.stream(events, { contentType: "text/event-stream" })
    }).pipe(
      Effect.catchTag("SchemaError", ({ message }) => Effect.succeed(HttpServerResponse.text(message, { status: 400 })))
    )
  )
  yield* router.add(
    "GET",
    "/reports/:id",
    Effect.gen(function*() {
      const { id } = yield* HttpRouter.schemaPathParams(Schema.Struct({ id: Schema.String }))
      return HttpServerResponse.jsonUnsafe(view(yield* spine.runs.retrieve(id)))
    })
  )
}))

// In your program: Spine.layerFetch(), and `export default { fetch: handler }`
const app = Layer.provideMerge(routes, live({ runs: 2 }))
const { dispose, handler } = HttpRouter.toWebHandler(app, { disableLogger: true })

const post = (body: unknown, signal: AbortSignal = new AbortController().signal) =>
  handler(
    new Request("http://localhost/reports", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal
    })
  )

const bad = await post({ topic: "" })
console.log(`no topic: ${bad.status}, ${await bad.text()}`)

console.log("a client that stays")
const response = await post({ topic: "tides" })
for await (const text of response.body!.pipeThrough(new TextDecoderStream())) console.log(`  ${text.trim()}`)

console.log("a client that leaves")
const controller = new AbortController()
const broken = await post({ topic: "harbours" }, controller.signal)
const reader = broken.body!.pipeThrough(new TextDecoderStream()).getReader()
const { value = "" } = await reader.read()
console.log(`  ${value.trim()}`)
controller.abort()
await reader.closed.catch(() => {})

const { id } = JSON.parse(value.slice("data: ".length))
const found = await handler(new Request(`http://localhost/reports/${id}`))
console.log(`  the run continues: ${await found.text()}`)
await dispose()
