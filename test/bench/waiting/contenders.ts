/** The ways to wait that are compared. Each waits for one run, and can be cancelled. */
import { NodeHttp } from "canvas-runs/node"
import * as Spine from "canvas-runs/spine"
import { Cause, Effect, Exit, Layer, ManagedRuntime, Redacted, Result, Schedule, Stream } from "effect"
import { FetchHttpClient, HttpClient, HttpClientResponse } from "effect/http"
import { Agent, request } from "undici"
import { getJson, layerFetch, layerUndici } from "../effectClient.ts"
import { answer } from "./run.ts"

export type Transport = "memory" | "fetch" | "undici"

/** Starts to wait for a run, and returns a function that cancels the wait. */
type Wait = (id: string, ended: (output: string) => void) => object

/** The body of a response whose status has been checked. */
type Get = (url: string, signal: AbortSignal) => Promise<unknown>

const headers = { "x-api-key": "sk_spine_benchmark_0001", accept: "application/json" }

const get = (transport: Transport): Get => {
  const checked = async (response: Response): Promise<unknown> => {
    if (!response.ok) throw new Error(`status ${response.status}`)
    return response.json()
  }
  switch (transport) {
    case "memory":
      return async (url) => checked(memoryResponse(url))
    case "fetch":
      return async (url, signal) => checked(await fetch(url, { headers, signal }))
    case "undici": {
      const dispatcher = new Agent({ keepAliveTimeout: 120_000, connections: 64 })
      return async (url, signal) => {
        const { body, statusCode } = await request(url, { dispatcher, headers, signal })
        if (statusCode !== 200) throw new Error(`status ${statusCode}`)
        return body.json()
      }
    }
  }
}

let made = 0

const memoryResponse = (url: string): Response => {
  made++
  return new Response(answer(url.slice(-36)), { headers: { "content-type": "application/json" } })
}

const sleep = (millis: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", abort)
      resolve()
    }, millis)
    signal.addEventListener("abort", abort, { once: true })
  })

/** The loop that a user writes by hand around fetch, cancelled by an `AbortController`. */
const promiseLoop = (transport: Transport, baseUrl: string, interval: number): Wait => {
  const retrieve = get(transport)
  const wait = async (id: string, signal: AbortSignal): Promise<string> => {
    while (true) {
      const { data } = await retrieve(`${baseUrl}/v1/run/${id}`, signal) as {
        data: { status: string; result: { final_output: string } }
      }
      if (data.status === "completed") return data.result.final_output
      await sleep(interval, signal)
    }
  }
  return (id, ended) => {
    const controller = new AbortController()
    void wait(id, controller.signal).then(ended)
    return controller
  }
}

const memoryClient = HttpClient.make((request) =>
  Effect.succeed(HttpClientResponse.fromWeb(request, memoryResponse(request.url)))
)

/** The client of this library. */
const client = (transport: Transport, baseUrl: string): Promise<Spine.SpineClient["Service"]> => {
  const http = transport === "memory"
    ? Layer.succeed(HttpClient.HttpClient, memoryClient)
    : transport === "fetch"
    ? FetchHttpClient.layer
    : NodeHttp.layer()
  const apiKey = Redacted.make(headers["x-api-key"])
  return ManagedRuntime.make(Layer.provide(Spine.layer({ apiKey, baseUrl }), http)).runPromise(
    Effect.service(Spine.SpineClient)
  )
}

/** `waitForCompletion`, with an interval or with a schedule of the user. */
const single = (spine: Spine.SpineClient["Service"], options: Spine.WaitOptions): Wait => (id, ended) => {
  const fiber = Effect.runFork(spine.runs.waitForCompletion(id, options))
  fiber.addObserver((exit) => {
    if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
    ended(exit.value.result.final_output)
  })
  return fiber
}

/** All of them in one stream. */
const together =
  (spine: Spine.SpineClient["Service"], options: Spine.WaitOptions): Start => (ids, spreadMillis, ended) => {
    const started = performance.now()
    // The number of ids whose waits have to start by now
    const due = Effect.sync(() => Math.ceil((performance.now() - started) / spreadMillis * ids.length))
    let given = 0
    const arriving = Stream.fromEffectSchedule(due, Schedule.spaced("5 millis")).pipe(
      Stream.map((due) => ids.slice(given, given = Math.min(due, ids.length))),
      Stream.takeUntil(() => given === ids.length),
      Stream.flattenIterable
    )
    const fiber = Effect.runFork(
      Stream.runForEach(
        spine.runs.completions(arriving, options),
        ({ result }) => Effect.sync(() => ended(Result.getOrThrow(result).result.final_output))
      )
    )
    return new Promise((resolve) => setTimeout(() => resolve(fiber), spreadMillis))
  }

/** A loop of Effect's own client: what a program on Effect costs at least, without a timeout, retries or a schema. */
const effectLoop = async (transport: Transport, baseUrl: string, interval: number): Promise<Wait> => {
  const get = await getJson(transport === "undici" ? layerUndici : layerFetch(fetch), headers)
  const wait = (id: string): Effect.Effect<string, unknown> =>
    Effect.flatMap(get(`${baseUrl}/v1/run/${id}`), (json) => {
      const { data } = json as { data: { status: string; result: { final_output: string } } }
      return data.status === "completed"
        ? Effect.succeed(data.result.final_output)
        : Effect.andThen(Effect.sleep(interval), wait(id))
    })
  return (id, ended) => {
    const fiber = Effect.runFork(wait(id))
    fiber.addObserver((exit) => {
      if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
      ended(exit.value)
    })
    return fiber
  }
}

export const contenders = ["promise loop", "Effect loop", "wait", "wait, own schedule", "completions"] as const

export type Contender = typeof contenders[number]

/**
 * Starts all of these waits, evenly spread over some time. When all have started, resolves with the functions that cancel them.
 */
export type Start = (
  ids: ReadonlyArray<string>,
  spreadMillis: number,
  ended: (output: string) => void
) => Promise<unknown>

const oneByOne = (wait: Wait): Start => async (ids, spreadMillis, ended) => {
  const handles: Array<object> = []
  const started = performance.now()
  for (let i = 0; i < ids.length;) {
    const due = Math.min(ids.length, Math.ceil((performance.now() - started) / spreadMillis * ids.length))
    for (; i < due; i++) handles.push(wait(ids[i]!, ended))
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return handles
}

export const make = async (
  contender: Contender,
  transport: Transport,
  baseUrl: string,
  interval: number
): Promise<Start> => {
  if (contender === "promise loop") return oneByOne(promiseLoop(transport, baseUrl, interval))
  if (contender === "Effect loop") return oneByOne(await effectLoop(transport, baseUrl, interval))
  const spine = await client(transport, baseUrl)
  const timeout = "1 day"
  switch (contender) {
    case "wait":
      return oneByOne(single(spine, { pollInterval: interval, timeout }))
    case "wait, own schedule":
      return oneByOne(single(spine, { schedule: Schedule.jittered(Schedule.spaced(interval)), timeout }))
    case "completions":
      return together(spine, { pollInterval: interval, timeout })
  }
}

/** How many polls were made so far. */
export const polls = async (transport: Transport, baseUrl: string): Promise<number> =>
  transport === "memory" ? made : (await (await fetch(`${baseUrl}/polls`)).json() as { polls: number }).polls
