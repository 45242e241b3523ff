/** The webhooks of the Spine emulator. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Hmac from "../../../internal/webhooks/hmac.ts"
import type { WebhookEndpoint, WebhookEvent } from "../../SpineScript.ts"
import * as Check from "../check.ts"
import type * as Provider from "../provider.ts"
import type { Downloads } from "./downloads.ts"
import * as Runs from "./runs.ts"

export interface Webhooks {
  /** Sends the event of a new run, and later the event of its end. */
  readonly created: (run: Runs.Run) => Effect.Effect<void>
  readonly ping: Effect.Effect<void>
  readonly setEndpoints: (...endpoints: ReadonlyArray<WebhookEndpoint>) => Effect.Effect<void>
}

export const make = (
  settings: {
    readonly endpoints: ReadonlyArray<WebhookEndpoint>
    /** W3. */
    readonly nestedWebhooks: boolean
    /** W5. */
    readonly partialWebhooks: boolean
  },
  { deliveries, ends, now, uuid }: Pick<
    Provider.Shared<unknown, unknown, Runs.Run, unknown>,
    "deliveries" | "ends" | "now" | "uuid"
  >,
  runs: Runs.Runs,
  downloads: Downloads
): Webhooks => {
  let endpoints = checked(settings.endpoints)

  const emit = Effect.fnUntraced(function*(
    type: WebhookEvent,
    subjectId: string | undefined,
    object: Readonly<Record<string, unknown>>
  ) {
    const created = Math.floor((yield* now) / 1000)
    const id = `evt_${uuid().replaceAll("-", "")}`
    const body = { id, type, created, livemode: false, api_version: "2026-04-01", data: { object } }
    // W2: the header repeats the body's id.
    const headers = { "user-agent": "Spine-Webhooks/1.0", "spine-event-id": id, "spine-event-type": type }
    for (const { events = ["*"], secret, url } of endpoints) {
      if (type !== "webhook.ping" && !events.includes(type) && !events.includes("*")) continue
      yield* deliveries.send({
        id,
        event: type,
        webhookId: undefined,
        subjectId,
        url,
        headers,
        body,
        sign: (text) => sign(secret, text)
      })
    }
  })

  // W4. The run has ended, even if the timeline lets polls report another status.
  const sendEnd = Effect.fnUntraced(function*(run: Runs.Run) {
    const { outcome: status } = run.timeline
    if (status === "partial" && !settings.partialWebhooks) return
    const { elapsedMillis: duration_ms } = Runs.stateOf(run, yield* now)
    const head = {
      run_id: run.id,
      ...(run.script.canvasIdAfter === "never" ? {} : { canvas_id: run.canvasId }),
      status,
      duration_ms
    }
    if (status === "failed") return yield* emit("run.failed", run.id, { ...head, errors: Runs.errorsOf(run, status) })
    const at = yield* now
    const result = yield* Runs.resultOf(run, (file) => downloads.linkTo(file, run.requested, at))
    yield* emit("run.completed", run.id, {
      ...head,
      ...(settings.nestedWebhooks ? { result, metadata: Runs.metadataOf(run) } : result),
      ...(status === "partial" ? { errors: Runs.errorsOf(run, status) } : {})
    })
  })

  return {
    created: Effect.fnUntraced(function*(run) {
      if (endpoints.length === 0) return
      yield* emit("run.started", run.id, {
        run_id: run.id,
        ...(run.script.canvasIdAfter === 0 ? { canvas_id: run.canvasId } : {}),
        status: "running"
      })
      yield* ends.onEnd(run, sendEnd(run))
    }),
    ping: Effect.suspend(() => emit("webhook.ping", undefined, {})),
    setEndpoints: (...next) =>
      Effect.flatMap(now, (now) => {
        // Runs that were created without an endpoint have no pending wait for their end.
        const unawaited = endpoints.length > 0 ? [] : Array.from(runs.all())
        endpoints = checked(next)
        return Effect.forEach(
          unawaited.filter((run) => !Runs.hasEnded(run, now)),
          (run) => ends.onEnd(run, sendEnd(run)),
          { discard: true }
        )
      })
  }
}

// W6: each attempt has its own timestamp. It is the program's time, because the receiver compares it with the program's time.
const sign = Effect.fnUntraced(function*(secret: string, text: string) {
  const timestamp = Math.floor((yield* Clock.currentTimeMillis) / 1000)
  const signature = yield* Hmac.sign(secret, [`${timestamp}.`, text])
  return { "spine-signature": `t=${timestamp},v1=${signature}` }
})

const checked = (endpoints: ReadonlyArray<WebhookEndpoint>): ReadonlyArray<WebhookEndpoint> => {
  for (const { secret, url } of endpoints) {
    Check.kind("url of an endpoint", url, (url) => typeof url === "string" && URL.canParse(url), "an absolute URL")
    Check.kind("secret of an endpoint", secret, (secret) => typeof secret === "string" && secret !== "", "text")
  }
  return endpoints
}
