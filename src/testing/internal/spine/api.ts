/** The routes of the Spine emulator. */
import * as Effect from "effect/Effect"
import * as Emulator from "../../Emulator.ts"
import type { CreateRequest, Script, WebhookEndpoint } from "../../SpineScript.ts"
import type * as Provider from "../provider.ts"
import * as routing from "../routing.ts"
import * as rudeDeliveries from "../rude/deliveries.ts"
import type { ArtifactFile } from "./artifacts.ts"
import * as canvases from "./canvases.ts"
import * as CreateRequests from "./createRequest.ts"
import * as Downloads from "./downloads.ts"
import * as Runs from "./runs.ts"
import * as Webhooks from "./webhooks.ts"
import * as responses from "./responses.ts"

export interface Settings {
  readonly artifactLifetimeMillis: number
  readonly limits: Emulator.FormLimits
  readonly acceptAnyFileType: boolean
  readonly speed: number
  readonly endpoints: ReadonlyArray<WebhookEndpoint>
  readonly nestedWebhooks: boolean
  readonly partialWebhooks: boolean
}

export type Shared = Provider.Shared<CreateRequest, Script, Runs.Run, ArtifactFile>

export interface Api {
  readonly serve: routing.Serve
  readonly runs: Runs.Runs
  readonly webhooks: Webhooks.Webhooks
}

export const make = (settings: Settings, shared: Shared): Api => {
  const { has, keys, newId, scripts } = shared
  const runs = Runs.makeRuns()
  const downloads = Downloads.make(shared.links, settings.artifactLifetimeMillis)
  const webhooks = Webhooks.make(settings, shared, runs, downloads)
  const checkId = (name: string, id: string) => has("oddIds") ? Effect.void : responses.checkUuid(name, id)

  const createRun: routing.Handler = Effect.fnUntraced(function*(exchange, _, apiKey) {
    const request = yield* CreateRequests.read(exchange, settings.limits, settings.acceptAnyFileType)
    const script = scripts.of(request)
    const run = yield* Runs.make({ exchange, apiKey, request, script, speed: settings.speed, newId })
    runs.add(run)
    yield* webhooks.created(run)
    yield* rudeDeliveries.beforeAnswer(has)
    return responses.ok(Runs.shownAtFirst(run))
  })

  const getRun: routing.Handler<"id"> = Effect.fnUntraced(function*({ now, request }, { id }, apiKey) {
    yield* checkId("run_id", id)
    const run = yield* runs.find("run", id, apiKey)
    return responses.ok(
      yield* Runs.poll(run, now, (file) => downloads.linkTo(file, Emulator.originOf(request), now))
    )
  })

  return {
    runs,
    webhooks,
    // R7: the order of the checks is the route, the key, the ids in the path, the body, and last the existence of the run, the
    // canvas or the task.
    serve: routing.make<responses.Access>({
      routes: [
        ...routing.routes("key", { "POST /v1/run": createRun, "GET /v1/run/:id": getRun }),
        ...canvases.makeRoutes({ runs, downloads, checkId }),
        ...downloads.routes
      ],
      emptyParameters: true,
      authenticate: ({ now, request }, access) => {
        if (access === "signature") return Effect.succeed("")
        const key = request.headers["x-api-key"] ?? ""
        if (key === "") return responses.refuse(401, "X-API-KEY header required")
        return keys.accepts(key, now) ? Effect.succeed(key) : responses.refuse(401, "Invalid API key")
      },
      // R10
      notFound: () => responses.refuse(404, "Not found"),
      notAllowed: (allow) => responses.refuse(405, "Method not allowed", { allow })
    })
  }
}
