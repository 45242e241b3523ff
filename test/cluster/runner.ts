/** A runner of the cluster. Its argument is its options, as JSON. It kills itself at the point that the options name. */
import { Effect, Layer, Logger, Redacted } from "effect"
import { HttpClient, type HttpClientRequest } from "effect/http"
import { Statement } from "effect/sql"
import { RunStore, Spine, Tela } from "canvas-runs"
import { NodeHttp } from "canvas-runs/node"
import { DurableRun, SpineWorkflow, TelaWorkflow, Waits } from "canvas-runs/workflow"
import { canvasId, cluster, type Point, Report, type RunnerOptions } from "./workflow.ts"

const options = JSON.parse(process.argv[2]!) as RunnerOptions

let passed = 0

/** The creates whose claim is written and whose ref is not. */
let open = 0

/**
 * Kills this process with `SIGKILL` when it has passed the point often enough. A pass while another create is under way does not
 * count, so that the outcome of at most one create is unknown.
 */
const pass = (point: Point, own: 0 | 1): void => {
  if (options.death?.point === point && open === own && ++passed === options.death.nth) {
    process.send!(point)
    process.kill(process.pid, "SIGKILL")
  }
}

const isCreate = ({ method }: HttpClientRequest.HttpClientRequest) => method === "POST"

const http = Layer.effect(
  HttpClient.HttpClient,
  Effect.map(
    HttpClient.HttpClient,
    (client) =>
      HttpClient.transform(client, (response, request) =>
        Effect.gen(function*() {
          if (!isCreate(request)) {
            pass("poll", 0)
            return yield* response
          }
          // The provider takes 60 ms for its response
          const timer = setTimeout(() => pass("request to response", 1), 30)
          const received = yield* Effect.ensuring(response, Effect.sync(() => clearTimeout(timer)))
          pass("response to outcome", 1)
          return received
        }))
  )
).pipe(Layer.provide(NodeHttp.layer()))

/** A store that calls `pass` around the claim and the outcome. */
const store = Layer.effect(
  RunStore.RunStore,
  Effect.map(RunStore.RunStore, (store) => {
    const runOnce: RunStore.Service["runOnce"] = (key, create, given) =>
      Effect.suspend(() => {
        let own: 0 | 1 = 0
        const claimed = (tag: string) =>
          Effect.suspend(() => {
            open++
            own = 1
            pass("claim to request", own)
            return typeof create === "function" ? create(tag) : create
          })
        return store.runOnce(key, typeof create === "function" ? claimed : claimed(""), given).pipe(
          Effect.tap(() => Effect.sync(() => pass("outcome to reply", own))),
          Effect.ensuring(Effect.sync(() => {
            open -= own
          }))
        )
      })
    return { ...store, runOnce }
  })
).pipe(Layer.provide(
  options.claims ? RunStore.layerSql({ createTimeout: options.createTimeout }) : RunStore.layerMemory
))

/** The claim of a key is the first statement that inserts its entry. */
const transformer: Statement.Transformer = (statement) =>
  Effect.sync(() => {
    if (/^\s*insert into "canvas_runs"/i.test(statement.compile()[0])) pass("before the claim", 0)
    return statement
  })

const waits = { pollInterval: "500 millis", refreshInterval: "1 second" } as const
const client = { baseUrl: options.baseUrl, requestTimeout: "5 seconds" } as const

const spine = Report.toLayer(Effect.fn(function*({ topic }) {
  const { runs } = yield* Spine.SpineClient
  const run = yield* DurableRun.run("report", runs.create({ prompt: topic }), {
    provider: SpineWorkflow.provider,
    timeout: "10 minutes"
  })
  return run.result.final_output ?? ""
})).pipe(
  Layer.provide(Waits.layerSql({ providers: [SpineWorkflow.provider], ...waits })),
  Layer.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_cluster"), ...client }))
)

const tela = Report.toLayer(Effect.fn(function*({ topic }) {
  const canvas = (yield* Tela.TelaClient).canvas.make({ id: canvasId })
  const execution = yield* DurableRun.run(
    "report",
    (tag) => canvas.execute({ topic }, { async: true, tags: [tag] }),
    // Longer than the emulator takes for the request of a killed runner
    { provider: TelaWorkflow.provider, timeout: "10 minutes", lookup: Tela.findByTag, settlingTime: "20 seconds" }
  )
  return (execution.output as { readonly result: string }).result
})).pipe(
  Layer.provide(Waits.layerSql({ providers: [TelaWorkflow.provider], ...waits })),
  Layer.provide(Tela.layer({ apiKey: Redacted.make("tela_cluster"), ...client }))
)

const main = (options.provider === "spine" ? spine : tela).pipe(
  Layer.provide(store),
  Layer.provide(http),
  Layer.provide(cluster({ ...options, clientOnly: false })),
  Layer.provide(Logger.layer([])),
  Layer.orDie
)

// The tests have ended
process.on("disconnect", () => process.exit())
Effect.runFork(Effect.provideService(Layer.launch(main), Statement.CurrentTransformer, transformer)).addObserver(
  (exit) => {
    process.stderr.write(`${JSON.stringify(exit)}\n`)
    process.exit(1)
  }
)
