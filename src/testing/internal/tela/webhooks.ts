/** The webhooks of the Tela emulator: of single runs, and of subscriptions to the tasks of an app. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type { Exchange } from "../../Exchange.ts"
import { workspaceId } from "../../TelaScript.ts"
import { isSuccess } from "../deliveries.ts"
import { isObject, type JsonObject } from "../json.ts"
import type * as Provider from "../provider.ts"
import * as routing from "../routing.ts"
import type * as canvases from "./canvases.ts"
import * as lists from "./lists.ts"
import type { Task } from "./tasks.ts"
import * as responses from "./responses.ts"

interface Subscription {
  readonly id: string
  readonly applicationId: string
  readonly createdAt: number
  updatedAt: number
  name: string
  url: string
  events: ReadonlyArray<string>
  headers: Readonly<Record<string, string>>
  sensitiveHeaders: ReadonlyArray<string>
  isActive: boolean
}

export interface Webhooks {
  readonly routes: ReadonlyArray<routing.Route<responses.Access>>
  /** Calls the webhook of a single run. */
  readonly call: (call: {
    readonly url: string
    readonly headers: Readonly<Record<string, string>>
    readonly body: unknown
    readonly subjectId: string
  }) => Effect.Effect<void>
  /** Calls the active subscriptions to an event of a task. */
  readonly emit: (event: string, task: Task, shown: JsonObject) => Effect.Effect<void>
}

/** The pauses between the attempts of a webhook that fails, in milliseconds (assumption 13). */
export const pauses = (attempts: number): ReadonlyArray<number> =>
  Array.from({ length: Math.max(0, attempts - 1) }, (_, index) => 1000 * 2 ** index)

export const make = (
  { bareLists }: { readonly bareLists: boolean },
  { deliveries: { all, send, sendOnce }, now, uuid }: Pick<
    Provider.Shared<unknown, unknown, unknown, unknown>,
    "deliveries" | "now" | "uuid"
  >,
  apps: canvases.Canvases
): Webhooks => {
  const subscriptions = new Map<string, Subscription>()

  const payload = (event: string, now: number, task: JsonObject) => {
    const input = task["inputContent"]
    const files = isObject(input) && Array.isArray(input["files"]) ? input["files"].filter(isObject) : []
    return {
      id: uuid(),
      event,
      timestamp: responses.iso(now),
      task: {
        id: task["id"],
        title: task["name"],
        description: "",
        // Assumption 9: the actual status, which may differ from the name of the event.
        status: task["status"],
        reference: task["reference"]
      },
      inputContent: {
        files: files.map((file) => ({ filename: file["name"], content: file["parsed_content"], type: file["type"] }))
      },
      outputContent: task["outputContent"]
    }
  }

  const emit: Webhooks["emit"] = Effect.fnUntraced(function*(event, task, shown) {
    const at = yield* now
    for (const subscription of subscriptions.values()) {
      if (
        !subscription.isActive || subscription.applicationId !== task.canvas.applicationId ||
        !subscription.events.includes(event)
      ) continue
      yield* send({
        id: uuid(),
        event,
        webhookId: subscription.id,
        subjectId: task.id,
        url: subscription.url,
        headers: { ...subscription.headers, ...task.run?.forward },
        body: payload(event, at, shown)
      })
    }
  })

  // --- subscriptions ---

  const shown = (subscription: Subscription) => ({
    id: subscription.id,
    promptApplicationId: subscription.applicationId,
    workspaceId: workspaceId,
    name: subscription.name,
    url: subscription.url,
    method: "POST",
    events: subscription.events,
    headers: Object.fromEntries(
      Object.entries(subscription.headers).map((
        [name, value]
      ) => [name, subscription.sensitiveHeaders.includes(name) ? "***" : value])
    ),
    sensitiveHeaders: subscription.sensitiveHeaders,
    isActive: subscription.isActive,
    createdAt: responses.iso(subscription.createdAt),
    updatedAt: responses.iso(subscription.updatedAt)
  })

  const find = (id: string): Effect.Effect<Subscription, routing.Refusal> => {
    const subscription = subscriptions.get(id.toLowerCase())
    return subscription === undefined ? responses.notFound("Webhook", id) : Effect.succeed(subscription)
  }

  const read = Effect.fnUntraced(function*(exchange: Exchange) {
    const body = yield* responses.readObject(exchange)
    const { events, headers, url } = body
    const wrong = responses.wrongMember(body, {
      name: "string",
      url: "string",
      events: "strings",
      headers: "object",
      sensitiveHeaders: "strings",
      isActive: "boolean"
    })
    if (wrong !== undefined) return yield* responses.badRequest(wrong)
    if (Predicate.isString(url) && !(/^https?:\/\//i.test(url) && URL.canParse(url))) {
      return yield* responses.badRequest("url must be an http(s) URL")
    }
    if (Array.isArray(events) && events.length === 0) return yield* responses.badRequest("events must not be empty")
    if (isObject(headers) && !Object.values(headers).every(Predicate.isString)) {
      return yield* responses.badRequest("headers must be texts")
    }
    const given = (name: string) => body[name] !== undefined
    return {
      ...(given("name") ? { name: body["name"] as string } : {}),
      ...(given("url") ? { url: url as string } : {}),
      ...(given("events") ? { events: events as ReadonlyArray<string> } : {}),
      ...(given("headers") ? { headers: headers as Record<string, string> } : {}),
      ...(given("sensitiveHeaders") ? { sensitiveHeaders: body["sensitiveHeaders"] as ReadonlyArray<string> } : {}),
      ...(given("isActive") ? { isActive: body["isActive"] as boolean } : {})
    }
  })

  const subscribe: routing.Handler<"id"> = Effect.fnUntraced(function*(exchange, { id }) {
    const { canvas } = yield* apps.resolve({ application_id: id }, exchange)
    const given = yield* read(exchange)
    const { events, name, url } = given
    if (name === undefined || url === undefined || events === undefined) {
      return yield* responses.badRequest("name, url and events are required")
    }
    const subscription: Subscription = {
      id: exchange.uuid(),
      applicationId: canvas.applicationId,
      createdAt: exchange.now,
      updatedAt: exchange.now,
      headers: {},
      sensitiveHeaders: [],
      isActive: true,
      ...given,
      name,
      url,
      events
    }
    subscriptions.set(subscription.id, subscription)
    return responses.ok(shown(subscription))
  })

  const change: routing.Handler<"id"> = Effect.fnUntraced(function*(exchange, { id }) {
    const subscription = yield* find(id)
    Object.assign(subscription, yield* read(exchange), { updatedAt: exchange.now })
    return responses.ok(shown(subscription))
  })

  const test: routing.Handler<"id"> = Effect.fnUntraced(function*(exchange, { id }) {
    const subscription = yield* find(id)
    const { eventType, mockData } = yield* responses.readObject(exchange)
    if (!Predicate.isString(eventType)) return yield* responses.badRequest("eventType is required")
    const mock = isObject(mockData) && isObject(mockData["task"]) ? mockData["task"] : {}
    const { headers, url } = subscription
    const statusCode = yield* sendOnce({
      url,
      headers,
      body: payload(eventType, exchange.now, {
        id: exchange.uuid(),
        name: "Test task",
        status: "validating",
        reference: 1,
        outputContent: { role: "assistant", content: "Test" },
        ...mock
      })
    })
    return responses.ok({ success: isSuccess(statusCode), statusCode: statusCode ?? null })
  })

  const history: routing.Handler<"id"> = Effect.fnUntraced(function*(exchange, { id }) {
    const subscription = yield* find(id)
    const page = yield* lists.page(exchange.url.searchParams, { initial: 20, max: 100 })
    // Assumption 14.
    return responses.ok(lists.envelope(
      (yield* all).filter((delivery) => delivery.webhookId === subscription.id).toReversed(),
      page,
      (delivery) => ({
        id: delivery.id,
        event: delivery.event,
        status: delivery.status,
        statusCode: delivery.statusCode ?? null,
        attempts: delivery.attempts,
        createdAt: responses.iso(delivery.createdAt)
      }),
      bareLists
    ))
  })

  return {
    routes: routing.routes("bearer", {
      "POST /prompt-application/:id/webhooks": subscribe,
      "GET /webhook/:id": (_exchange, { id }) => Effect.map(find(id), (found) => responses.ok(shown(found))),
      "PATCH /webhook/:id": change,
      "POST /webhook/:id/test": test,
      "GET /webhook/:id/deliveries": history
    }),
    call: (call) => send({ ...call, id: uuid(), event: "run", webhookId: undefined }),
    emit
  }
}
