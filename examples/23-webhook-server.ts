/**
 * A server that receives Spine's webhooks. A webhook ends a wait in the same process early: without webhooks, this wait would
 * poll once a minute.
 *
 * Run: `npm run example examples/23-webhook-server.ts`. The emulator sends its webhooks through a loopback socket. The real
 * service needs `SPINE_API_KEY`, `SPINE_WEBHOOK_SECRET` and a fixed `PORT`; enter the public address of the route in Spine's
 * developer portal first.
 */
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Config, Console, Duration, Effect, Layer, Redacted, Stream } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { createServer } from "node:http"
import { RunRef, Spine, Webhooks } from "canvas-runs"
import { Timeline } from "canvas-runs/testing"
import { live } from "./support/live.ts"

const path = "/webhooks/spine"

const secret = Config.withDefault(Config.Redacted("SPINE_WEBHOOK_SECRET"), Redacted.make("whsec_example"))

/** Verifies each webhook, answers at once, and makes the wait for its run poll. */
const route = Layer.unwrap(Effect.map(secret, (secret) =>
  Spine.layerWebhookRoute({
    path,
    secret,
    // Not called for a duplicate delivery
    onEvent: (event) => Console.log(`webhook: ${event.type}`)
  })))

// Port 0 is any free port
const server = HttpRouter.serve(route, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provideMerge(
    NodeHttpServer.layerConfig(
      createServer,
      Config.all({ host: Config.succeed("127.0.0.1"), port: Config.withDefault(Config.Port("PORT"), 0) })
    )
  )
)

const address = Effect.map(HttpServer.HttpServer, ({ address }) => `${HttpServer.formatAddress(address)}${path}`)

// In your program: Spine.layerFetch()
const client = Layer.unwrap(Effect.gen(function*() {
  return live({
    speed: 1,
    script: { timeline: Timeline.make({ duration: "2 seconds" }) },
    webhooks: { url: yield* address, secret: Redacted.value(yield* secret) }
  })
}))

const program = Effect.gen(function*() {
  yield* Console.log(`listening on ${yield* address}`)
  const spine = yield* Spine.SpineClient
  const created = yield* spine.runs.create({ prompt: "Compare three vector databases" })
  yield* Console.log(`created ${RunRef.format(created.ref)}`)

  yield* spine.runs.polls(created, { timeout: "2 hours" }).pipe(
    Stream.runForEach((poll) =>
      Console.log(
        `poll ${poll.poll} after ${Duration.toSeconds(poll.elapsed).toFixed(0)} s: ${
          poll._tag === "Snapshot" ? poll.snapshot.status : poll.error.message
        }`
      )
    )
  )
  yield* Console.log("without a webhook, poll 2 would have come after 60 s")
})

program.pipe(
  // One hub connects the route and the client
  Effect.provide(client.pipe(Layer.provideMerge(server), Layer.provide(Webhooks.layer))),
  NodeRuntime.runMain
)
