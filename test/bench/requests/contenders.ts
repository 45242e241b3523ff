/** The clients that are compared. Each requests the same run again and again, and checks each response. */
import { createHttpPoller, type OperationState } from "@azure/core-lro"
import { createFalClient } from "@fal-ai/client"
import { createTelaClient } from "@meistrari/tela-sdk-js"
import { NodeHttp } from "canvas-runs/node"
import * as Spine from "canvas-runs/spine"
import { Effect, Layer, ManagedRuntime, Redacted, Schema } from "effect"
import type { HttpClient } from "effect/http"
import OpenAI from "openai"
import Replicate from "replicate"
import { Agent, request } from "undici"
import { getJson, layerFetch, layerUndici } from "../effectClient.ts"
import { answer, runId } from "../waiting/run.ts"

/** Makes `requests` requests, `concurrency` of them at once. */
export type Requests = (count: number, atOnce: number) => Promise<void>

/** The target of the requests: a server, or a function that makes a `Response` in memory. */
export type To =
  | { readonly baseUrl: string }
  | { readonly baseUrl: string; readonly fetch: typeof fetch }

export const id = runId(7)

const body = answer(id)

/** How many requests the function below has answered. */
export let answered = 0

/** A `fetch` that answers at once, with or without a `content-length`. */
export const inMemory = (length: "length" | "no length"): To => {
  const headers: Record<string, string> = {
    "content-type": "application/json",
    ...length === "length" ? { "content-length": String(body.length) } : undefined
  }
  return {
    baseUrl: "http://spine.invalid",
    fetch: async (input) => {
      const url = typeof input === "string" ? input : input instanceof URL ? input.href : input.url
      if (!url.includes(id)) throw new Error(`not a request for the run: ${url}`)
      answered++
      return new Response(body, { headers })
    }
  }
}

/** The fields that every client must find in the response. */
interface Told {
  readonly run_id: unknown
  readonly status: unknown
}

const check = ({ run_id, status }: Told): void => {
  if (run_id !== id || status !== "running") throw new Error(`not the answer: ${run_id} is ${status}`)
}

const promises = (get: () => Promise<Told>): Requests => async (count, atOnce) => {
  let left = count
  const worker = async () => {
    while (left-- > 0) check(await get())
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

const effects = <E>(get: () => Effect.Effect<Told, E>): Requests => (count, atOnce) => {
  let left = count
  const worker = Effect.gen(function*() {
    while (left-- > 0) check(yield* get())
  })
  return Effect.runPromise(
    Effect.forEach(Array.from({ length: atOnce }), () => worker, { concurrency: atOnce, discard: true })
  )
}

const headers = { "x-api-key": "sk_spine_benchmark_0001", accept: "application/json" }
const apiKey = headers["x-api-key"]

const fetchOf = (to: To): typeof fetch => "fetch" in to ? to.fetch : fetch

/** The result of the SDKs of other providers: the response unchanged. */
const dataOf = (answer: unknown): Told => (answer as { readonly data: Told }).data

const spine = (to: To, transport: "fetch" | "undici"): Promise<Spine.SpineClient["Service"]> =>
  ManagedRuntime.make(
    Spine.layer({ apiKey: Redacted.make(apiKey), baseUrl: to.baseUrl }).pipe(
      Layer.provide(
        transport === "undici" ? NodeHttp.layer() : layerFetch(fetchOf(to))
      )
    )
  ).runPromise(Effect.service(Spine.SpineClient))

/** Effect's own client: the base of the library, without its additions. */
const effectClient = async (
  http: Layer.Layer<HttpClient.HttpClient>,
  to: To,
  read: (data: unknown) => Effect.Effect<Told, unknown>
): Promise<Requests> => {
  const get = await getJson(http, headers)
  return effects(() => Effect.flatMap(get(`${to.baseUrl}/v1/run/${id}`), (json) => read(dataOf(json))))
}

const takeData = (data: unknown): Effect.Effect<Told> => Effect.succeed(data as Told)

/** Decodes the response, as a program does that does not trust it. */
const decodeData = Schema.decodeUnknownEffect(Spine.Run)

/** The loop that a user writes by hand around `fetch`. */
const byHand = (to: To) => {
  const fetch = fetchOf(to)
  return async (url: string): Promise<Told> => {
    const controller = new AbortController()
    const response = await fetch(url, { headers, signal: controller.signal })
    if (!response.ok) throw new Error(`status ${response.status}`)
    return dataOf(await response.json())
  }
}

/** The poller of an operation, whose requests a user writes by hand. */
const azure = async (to: To): Promise<Requests> => {
  interface State extends OperationState<unknown> {
    last?: Told
  }
  const url = `${to.baseUrl}/v1/run/${id}`
  const fetch = fetchOf(to)
  const poller = createHttpPoller<unknown, State>({
    sendInitialRequest: async () => ({
      flatResponse: {},
      rawResponse: {
        statusCode: 202,
        headers: { "operation-location": url },
        request: { method: "POST", url: `${to.baseUrl}/v1/run` }
      }
    }),
    sendPollRequest: async (path) => {
      const controller = new AbortController()
      const response = await fetch(path, { headers, signal: controller.signal })
      const told = dataOf(await response.json())
      return {
        flatResponse: told,
        rawResponse: {
          statusCode: response.status,
          headers: Object.fromEntries(response.headers),
          body: told,
          request: { method: "GET", url: path }
        }
      }
    }
  }, {
    updateState: (state, { flatResponse }) => {
      state.last = flatResponse as Told
    }
  })
  await poller.submitted()
  return promises(async () => {
    const { last, status } = await poller.poll()
    return { run_id: last?.run_id, status }
  })
}

const makers = {
  "canvas-runs on fetch": async (to) => {
    const { runs } = await spine(to, "fetch")
    return effects(() => runs.retrieve(id))
  },
  "canvas-runs on fetch, runPromise for each": async (to) => {
    const { runs } = await spine(to, "fetch")
    return promises(() => Effect.runPromise(runs.retrieve(id)))
  },
  "Effect's HttpClient on fetch": (to) => effectClient(layerFetch(fetchOf(to)), to, takeData),
  "Effect's HttpClient on fetch, Schema": (to) => effectClient(layerFetch(fetchOf(to)), to, decodeData),
  "Effect's HttpClient on undici": (to) => effectClient(layerUndici, to, takeData),
  "Effect's HttpClient on undici, Schema": (to) => effectClient(layerUndici, to, decodeData),
  "canvas-runs on undici": async (to) => {
    const { runs } = await spine(to, "undici")
    return effects(() => runs.retrieve(id))
  },
  "fetch + AbortController": async (to) => {
    const get = byHand(to)
    return promises(() => get(`${to.baseUrl}/v1/run/${id}`))
  },
  "undici.request": async (to) => {
    const dispatcher = new Agent({ keepAliveTimeout: 120_000, connections: 64 })
    return promises(async () => {
      const { signal } = new AbortController()
      const { body, statusCode } = await request(`${to.baseUrl}/v1/run/${id}`, { dispatcher, headers, signal })
      if (statusCode !== 200) throw new Error(`status ${statusCode}`)
      return dataOf(await body.json())
    })
  },
  openai: async (to) => {
    const client = new OpenAI({ apiKey, baseURL: `${to.baseUrl}/v1`, fetch: fetchOf(to) })
    return promises(async () => dataOf(await client.responses.retrieve(id)))
  },
  "@meistrari/tela-sdk-js": async (to) => {
    // It uses the global fetch
    globalThis.fetch = fetchOf(to)
    const client = createTelaClient({ apiKey, baseURL: to.baseUrl })
    return promises(async () => {
      const { data } = await client.get<unknown, { data: { runId: unknown; status: unknown } }>(`/v1/run/${id}`)
      return { run_id: data.runId, status: data.status }
    })
  },
  replicate: async (to) => {
    const client = new Replicate({ auth: apiKey, baseUrl: `${to.baseUrl}/v1`, fetch: fetchOf(to) })
    return promises(async () => dataOf(await client.predictions.get(id)))
  },
  "@fal-ai/client": async (to) => {
    const client = createFalClient({ credentials: apiKey, fetch: fetchOf(to) })
    return promises(async () => dataOf(await client.queue.status("owner/app", { requestId: id })))
  },
  "@azure/core-lro around fetch": azure
} satisfies Record<string, (to: To) => Promise<Requests>>

export type Contender = keyof typeof makers

export const make = (contender: Contender, to: To): Promise<Requests> => makers[contender](to)
