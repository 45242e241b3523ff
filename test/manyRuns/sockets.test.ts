/** The number of sockets that hundreds of waits open. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, Stream } from "effect"
import { FetchHttpClient, type HttpClient } from "effect/http"
import * as http from "node:http"
import { type RunError, Spine } from "canvas-runs"
import { NodeHttp } from "canvas-runs/node"
import { runId } from "./support.ts"
import { listen, sendJson } from "../support/servers.ts"
import { completedRun, runningRun } from "../support/spine.ts"

const runs = Array.from({ length: 300 }, (_, index) => runId(index))

/** Answers once this many requests wait for a response, until the last polls arrive. Every run is terminal at its second poll. */
const serving = (atOnce: number) =>
  Effect.gen(function*() {
    let open = 0
    let most = 0
    let left = 2 * runs.length
    let held: Array<() => void> = []
    const polls = new Map<string, number>()
    const server = http.createServer((request, response) => {
      const id = request.url!.slice(request.url!.lastIndexOf("/") + 1)
      polls.set(id, (polls.get(id) ?? 0) + 1)
      left--
      held.push(() => sendJson(response, polls.get(id) === 1 ? runningRun(id) : completedRun(id)))
      if (held.length < atOnce && left > runs.length - atOnce) return
      const answers = held
      held = []
      for (const answer of answers) answer()
    })
    server.on("connection", (socket) => {
      most = Math.max(most, ++open)
      socket.on("close", () => open--)
    })
    const { port } = yield* listen(server)
    return { baseUrl: `http://127.0.0.1:${port}`, most: () => most }
  })

const each = (spine: Spine.Service) =>
  Effect.forEach(runs, (run) => spine.runs.waitForCompletion(run, { pollInterval: "1 millis" }), {
    concurrency: "unbounded"
  })

const together = (spine: Spine.Service) =>
  Stream.runCollect(spine.runs.completions(runs, { pollInterval: "1 millis", concurrency: 8 }))

/** The most sockets that were open at one moment. */
const socketsOf = <E>(options: {
  readonly client: Layer.Layer<HttpClient.HttpClient, RunError.ConfigError>
  readonly atOnce: number
  readonly wait: (spine: Spine.Service) => Effect.Effect<ReadonlyArray<unknown>, E>
}) =>
  Effect.gen(function*() {
    const { baseUrl, most } = yield* serving(options.atOnce)
    const layer = Spine.layer({ apiKey: Redacted.make("sk_spine_socket"), baseUrl }).pipe(Layer.provide(options.client))
    const ended = yield* Effect.provide(Effect.flatMap(Spine.SpineClient.use(Effect.succeed), options.wait), layer)
    assert.strictEqual(ended.length, runs.length)
    return most()
  }).pipe(Effect.scoped)

describe("the sockets of three hundred waits", () => {
  it.live("are one for each wait with fetch, which has no limit", () =>
    Effect.gen(function*() {
      assert.isAtLeast(yield* socketsOf({ client: FetchHttpClient.layer, atOnce: runs.length, wait: each }), 300)
    }))

  it.live("are at most the connections of the Node layer", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* socketsOf({ client: NodeHttp.layer({ connections: 8 }), atOnce: 8, wait: each }), 8)
    }))

  it.live("are at most the polls that completions may have under way", () =>
    Effect.gen(function*() {
      for (const client of [NodeHttp.layer(), FetchHttpClient.layer]) {
        const most = yield* socketsOf({ client, atOnce: 8, wait: together })
        assert.isAtLeast(most, 8)
        // A socket may be opened before the client knows that another is free
        assert.isAtMost(most, 16)
      }
    }))
})
