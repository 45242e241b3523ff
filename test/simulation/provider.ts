/**
 * The simulated provider: an `HttpClient` in memory with the endpoints of Spine and Tela that a run needs, and with random
 * faults. It shares no code with the emulator of the test kit or with the client. Its decisions, their times and their effects
 * are the true history, which the oracle uses.
 */
import { Effect, Exit, Stream } from "effect"
import { HttpClient, HttpClientError, type HttpClientRequest, HttpClientResponse } from "effect/http"
import { mayDisturb, type Network, type Plan } from "./plan.ts"
import * as Random from "../support/random.ts"

/** The provider's action on one request. */
export type Reply =
  | {
    readonly _tag: "Answer"
    /** The time until the headers arrive, and the time of the body after that. */
    readonly after: number
    readonly bodyAfter: number
    readonly status: number
    readonly headers: Readonly<Record<string, string>>
    readonly body: string
    /** The connection breaks inside the body. */
    readonly breaks: boolean
    /** Whether the headers have the length of the body. */
    readonly hasLength: boolean
  }
  /** No response: the connection was never made, or it broke. */
  | { readonly _tag: "Broken"; readonly after: number; readonly isConnected: boolean }
  | { readonly _tag: "Silent" }

/** One request and its outcome. */
export interface Exchange {
  readonly number: number
  readonly at: number
  /** The process of the program that sent it. */
  readonly process: number
  readonly method: string
  readonly url: string
  /** The requested run. */
  readonly runId: string | undefined
  readonly isHome: boolean
  readonly hasCredential: boolean
  /** Whether any part of the request contains the secret. */
  readonly hasSecret: boolean
  /** What chance chose, in a word. */
  readonly kind: string
  readonly reply: Reply
  /** The run that it created. */
  readonly created: string | undefined
  readonly signal: AbortSignal
  end: { readonly at: number; readonly how: "answered" | "broken" | "aborted" } | undefined
}

export interface RunRecord {
  readonly id: string
  readonly createdAt: number
}

export interface Provider {
  readonly origin: string
  readonly exchanges: ReadonlyArray<Exchange>
  readonly runs: ReadonlyArray<RunRecord>
  /** The transport of one process. */
  readonly client: (process: number, network: Network) => HttpClient.HttpClient
}

/** The provider's clock. */
export interface Time {
  readonly now: () => number
  readonly sleep: (millis: number) => Effect.Effect<void>
}

/** The network of a request that chance does not disturb. */
const calm = {
  faultRate: 0,
  outage: undefined,
  createFaultRate: 0,
  retryAfterRate: 0,
  staleRate: 0,
  latency: 0
} satisfies Partial<Network>

/** No valid scenario comes near it; a client that polls without end is stopped here. */
export const maxExchanges = 2000

export const make = (plan: Plan, time: Time): Provider => {
  const origin = plan.api === "spine" ? "https://api.getspine.ai" : "https://api.tela.com"
  const draw = Random.make(plan.seed).fork(1)
  const words = plan.api === "spine" ? spineWords(plan) : telaWords(plan)
  const exchanges: Array<Exchange> = []
  const runs: Array<RunRecord> = []
  let polls = 0

  const decide = (method: string, url: URL, usual: Network): Pick<Exchange, "kind" | "reply" | "created"> => {
    const number = exchanges.length
    if (number >= maxExchanges) return { kind: "too many requests", reply: silent, created: undefined }
    const network = mayDisturb(plan.faults, `request ${number}`) ? usual : { ...usual, ...calm }
    // The fate of a request does not depend on that of others, so that it stays when others are taken away
    const context: Context = { plan, draw: draw.fork(number), network, now: time.now(), url }
    if (method === "POST") {
      const { creates, kind, make } = drawCreate(context, words)
      const run = creates ? { id: runId(plan.seed, runs.length), createdAt: time.now() } : undefined
      if (run !== undefined) runs.push(run)
      return { kind, reply: make(run ?? { id: runId(plan.seed, 99), createdAt: time.now() }), created: run?.id }
    }
    const run = runs.find(({ id }) => url.pathname.endsWith(id))
    return { ...drawPoll(context, words, run, polls++), created: undefined }
  }

  const client = (process: number, network: Network) =>
    HttpClient.make((request, url, signal) =>
      Effect.suspend(() => {
        const said = JSON.stringify(request.headers) + url.href
        const exchange: Exchange = {
          number: exchanges.length,
          at: time.now(),
          process,
          method: request.method,
          url: url.href,
          runId: /\/([^/]+)$/.exec(url.pathname)?.[1],
          isHome: url.origin === origin,
          hasCredential: request.headers[words.credential.header] === words.credential.prefix + plan.secret,
          hasSecret: said.includes(plan.secret) || said.includes(JSON.stringify(plan.secret).slice(1, -1)),
          ...decide(request.method, url, network),
          signal,
          end: undefined
        }
        exchanges.push(exchange)
        return act(request, exchange, time, plan, network)
      })
    )

  return { origin, exchanges, runs, client }
}

/** Performs the action, and records its end. */
export const act = (
  request: HttpClientRequest.HttpClientRequest,
  exchange: Pick<Exchange, "number" | "reply" | "end">,
  time: Time,
  plan: Pick<Plan, "secret">,
  network: Pick<Network, "echoes">
): Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError> => {
  const { reply } = exchange
  const finish = (how: "answered" | "broken") => {
    exchange.end = { at: time.now(), how }
  }
  const noteAbort = <A, E>(self: Effect.Effect<A, E>) =>
    Effect.onExit(self, (exit) =>
      Effect.sync(() => {
        if (Exit.hasInterrupts(exit)) exchange.end = { at: time.now(), how: "aborted" }
      }))
  const secret = network.echoes ? plan.secret : ""
  const where = exchange.number % 2 === 0 ? "outer" : "inner"

  switch (reply._tag) {
    case "Silent":
      return noteAbort(Effect.never)
    case "Broken":
      return noteAbort(Effect.andThen(
        time.sleep(reply.after),
        Effect.suspend(() => {
          finish("broken")
          return Effect.fail(
            new HttpClientError.HttpClientError({
              reason: new HttpClientError.TransportError({
                request,
                cause: brokenCause(reply.isConnected, secret, where)
              })
            })
          )
        })
      ))
    case "Answer":
      return noteAbort(Effect.map(time.sleep(reply.after), () => {
        const { bodyAfter, breaks, headers, status } = reply
        const lengths = reply.hasLength ? { "content-length": String(encode(reply.body).length) } : undefined
        const response = HttpClientResponse.fromWeb(
          request,
          new Response(null, { status, headers: { ...headers, ...lengths } })
        )
        const isFollowed = status >= 300 && status < 400
        // A client may read the body of a redirect or not
        if (isFollowed) finish("answered")
        const body = noteAbort(Effect.andThen(
          time.sleep(bodyAfter),
          Effect.suspend(() => {
            finish(breaks ? "broken" : "answered")
            return breaks
              ? Effect.fail(
                new HttpClientError.HttpClientError({
                  reason: new HttpClientError.DecodeError({
                    request,
                    response,
                    cause: brokenCause(true, secret, where)
                  })
                })
              )
              : Effect.succeed(reply.body)
          })
        ))
        // Like `fromWeb` with a reader of its `Response`, but without promises, for which the clock does not wait
        return Object.defineProperties(response, {
          "~effect/http/HttpClientResponse/WebSource": { value: () => undefined },
          text: { value: body },
          stream: { value: Stream.map(Stream.filter(Stream.fromEffect(body), (text) => text !== ""), encode) }
        })
      }))
  }
}

const encoder = new TextEncoder()

const encode = (text: string): Uint8Array => encoder.encode(text)

/** The error of Node's fetch: an error within an error, the inner one with the code. Both may contain secrets. */
const brokenCause = (isConnected: boolean, secret: string, where: "inner" | "outer"): Error => {
  const code = isConnected ? "ECONNRESET" : "ECONNREFUSED"
  const says = (text: string, isHere: boolean) => isHere && secret !== "" ? `${text} with ${secret}` : text
  const inner = new Error(says(`${isConnected ? "read" : "connect"} ${code}`, where === "inner"))
  return new TypeError(says("fetch failed", where === "outer"), { cause: Object.assign(inner, { code }) })
}

interface Context {
  readonly plan: Plan
  readonly draw: Random.Draw
  readonly network: Network
  readonly now: number
  readonly url: URL
}

/** The differences between the providers. */
interface Words {
  readonly credential: { readonly header: string; readonly prefix: string }
  readonly created: (run: RunRecord) => unknown
  readonly snapshot: (run: RunRecord, now: number) => unknown
  /** A response that claims success without its required fields. */
  readonly hollow: (id: string) => unknown
  readonly error: (message: string) => unknown
}

const runId = (seed: number, index: number): string =>
  `${seed.toString(16).padStart(8, "0").slice(-8)}-0000-4000-8000-${index.toString(16).padStart(12, "0")}`

const silent: Reply = { _tag: "Silent" }

const home = "home"
const away = [
  "https://evil.example/steal",
  "http://api.getspine.ai/v1/run",
  "//evil.example/x",
  "https://api.getspine.ai:8443/"
]

/** The response to a poll. */
const drawPoll = (
  context: Context,
  words: Words,
  run: RunRecord | undefined,
  index: number
): Pick<Exchange, "kind" | "reply"> => {
  const { draw, network, now, plan } = context
  if (run === undefined) return { kind: "404", reply: failed(context, words, 404) }
  const { outage } = network
  const passing = outage !== undefined && index >= outage.from && index < outage.to
  if (!passing && now - run.createdAt < plan.truth.lag) return { kind: "404 (lag)", reply: failed(context, words, 404) }
  // A redirected request is often redirected again
  if (network.faultRate > 0 && context.url.searchParams.has("hop") && draw.chance(0.6)) {
    return { kind: "redirect within the origin, again", reply: redirect(context, home) }
  }
  if (passing || draw.chance(network.faultRate)) {
    const kind = draw.weighted<string>([
      [3, "500"],
      [3, "502"],
      [3, "503"],
      [4, "429"],
      [2, "408"],
      [1, "425"],
      [3, "refused"],
      [3, "reset"],
      [2, "reset in body"],
      [3, "silent"],
      [2, "html"],
      [2, "truncated"],
      [1, "empty"],
      [passing ? 0 : 5, "redirect within the origin"],
      ...(passing ? [] : fatalPolls)
    ])
    return { kind, reply: pollFault(context, words, run, kind) }
  }
  const isStale = draw.chance(network.staleRate)
  const seenAt = isStale ? Math.max(run.createdAt, now - draw.int(1, 30_000)) : now
  return {
    kind: isStale ? "stale" : "answer",
    reply: answer(context, 200, blurted(context, words.snapshot(run, seenAt)))
  }
}

const fatalPolls: ReadonlyArray<readonly [number, string]> = [
  [0.5, "400"],
  [0.5, "401"],
  [0.3, "402"],
  [0.5, "403"],
  [0.5, "404"],
  [0.3, "409"],
  [0.3, "422"],
  [1.2, "redirect away"],
  [0.6, "hollow success"],
  [0.4, "refusal with 200"]
]

const pollFault = (context: Context, words: Words, run: RunRecord, kind: string): Reply => {
  const { now } = context
  switch (kind) {
    case "refused":
      return broken(context, false)
    case "reset":
      return broken(context, true)
    case "reset in body":
      return { ...answer(context, 200, words.snapshot(run, now)), breaks: true }
    case "silent":
      return silent
    case "html":
      return html(context)
    case "truncated": {
      const whole = answer(context, 200, words.snapshot(run, now))
      return { ...whole, body: whole.body.slice(0, context.draw.int(1, whole.body.length - 1)) }
    }
    case "empty":
      return { ...answer(context, 200, {}), body: "" }
    case "redirect within the origin":
      return redirect(context, home)
    case "redirect away":
      return redirect(context, context.draw.pick(away))
    case "hollow success":
      return answer(context, 200, words.hollow(run.id))
    case "refusal with 200":
      return answer(context, 200, words.error("no such luck"))
    default:
      return failed(context, words, Number(kind))
  }
}

/** The response to a create, and whether it makes a run. */
const drawCreate = (
  context: Context,
  words: Words
): { readonly kind: string; readonly creates: boolean; readonly make: (run: RunRecord) => Reply } => {
  const { draw, network } = context
  const accepted = (run: RunRecord) => answer(context, draw.pick([200, 201]), words.created(run))
  if (!draw.chance(network.createFaultRate)) return { kind: "accepted", creates: true, make: accepted }
  const either = draw.chance(0.5)
  const kind = draw.weighted<string>([
    [6, "refused"],
    [4, "reset"],
    [2, "reset in body"],
    [3, "silent"],
    [3, "500"],
    [2, "503"],
    [1, "408"],
    [1, "425"],
    [2, "html"],
    [2, "truncated"],
    [1, "hollow success"],
    [1, "redirect away"],
    [1, "redirect within the origin"],
    [2, "429"],
    [1, "400"],
    [1, "401"],
    [1, "402"],
    [1, "403"],
    [1, "409"],
    [1, "422"]
  ])
  const surely = ["reset in body", "truncated", "hollow success"].includes(kind)
  const never = /^(refused|4(?!08|25)\d\d)$/.test(kind)
  const creates = surely || !never && either
  return {
    kind: `create: ${kind}${creates ? ", and a run exists" : ""}`,
    creates,
    make: (run) => {
      switch (kind) {
        case "reset in body":
          return { ...accepted(run), breaks: true }
        case "truncated": {
          const whole = accepted(run)
          return { ...whole, body: whole.body.slice(0, draw.int(1, whole.body.length - 1)) }
        }
        case "hollow success":
          return answer(context, 200, { success: true, data: { status: "running" }, status: "running" })
        default:
          return creates ? processed(pollFault(context, words, run, kind)) : pollFault(context, words, run, kind)
      }
    }
  }
}

/** A provider that has processed a request does not answer with a status that says the opposite. */
const processed = (reply: Reply): Reply =>
  reply._tag === "Answer"
    ? { ...reply, status: ({ 307: 302, 308: 301, 425: 503 } as Record<number, number>)[reply.status] ?? reply.status }
    : reply

const latency = ({ draw, network }: Context): number =>
  network.latency === 0 || draw.chance(0.2) ? 0 : draw.int(0, network.latency * (draw.chance(0.06) ? 20 : 1)) + 0.5

const answer = (context: Context, status: number, body: unknown): Reply & { readonly _tag: "Answer" } => {
  const { draw, network, now, plan } = context
  const echo = (chance: number) => network.echoes && draw.chance(chance) ? plan.secret : ""
  return {
    _tag: "Answer",
    after: latency(context),
    bodyAfter: draw.chance(0.2) ? latency(context) : 0,
    status,
    headers: {
      "content-type": `application/json${echo(0.1)}`,
      ...(draw.chance(0.9)
        ? { "x-request-id": `req-${plan.seed}-${draw.int(0, 1e9)}${echo(0.15)}` }
        : undefined),
      ...(draw.chance(network.retryAfterRate) ? drawRetryAfter(draw, now) : undefined),
      ...(network.echoes && draw.chance(0.3) ? { "x-echo": `you sent ${plan.secret}` } : undefined)
    },
    body: JSON.stringify(body),
    breaks: false,
    hasLength: draw.chance(0.5)
  }
}

const failed = (context: Context, words: Words, status: number): Reply => {
  const { draw, network, plan } = context
  const reply = answer(context, status, words.error(network.echoes ? `no: ${plan.secret}, not ${plan.secret}` : "no"))
  const shape = draw.int(0, 3)
  return shape === 0
    ? { ...reply, headers: { ...reply.headers, "content-type": "text/plain" }, body: `no ${echoed(context)}` }
    : shape === 1
    ? { ...reply, body: "" }
    : reply
}

const html = (context: Context): Reply => {
  const reply = answer(context, 200, "")
  return {
    ...reply,
    headers: { ...reply.headers, "content-type": "text/html" },
    body: `<!DOCTYPE html><title>Sign in</title>${echoed(context)}`
  }
}

const redirect = (context: Context, target: string): Reply => {
  const { draw, url } = context
  const reply = answer(context, draw.pick([301, 302, 303, 307, 308]), {})
  const location = target === home
    ? draw.pick([`${url.pathname}?hop=${draw.int(1, 99)}`, `${url.origin}${url.pathname}`])
    : echoed(context) === ""
    ? target
    : draw.pick(
      [
        // The host twice, because few runs are redirected away by a provider that repeats the key
        `https://${echoed(context).replaceAll(/[^\w.-]/g, "")}.evil.example/`,
        `${target}?key=${encodeURIComponent(echoed(context))}`,
        `https://${echoed(context).replaceAll(/[^\w.-]/g, "")}.evil.example/`,
        `http://[${echoed(context)}`
      ]
    )
  return { ...reply, headers: { ...reply.headers, location } }
}

const broken = (context: Context, isConnected: boolean): Reply => ({
  _tag: "Broken",
  after: latency(context),
  isConnected
})

const echoed = ({ network, plan }: Context): string => network.echoes ? plan.secret : ""

/** The responses of a run that echo the key: in the reasons of its failure, and as its status. */
const blurted = (context: Context, body: unknown): unknown => {
  const { draw, network, plan } = context
  return network.echoes && draw.chance(0.3)
    ? JSON.parse(
      JSON.stringify(body, (key, value: unknown) =>
        (key === "error" || key === "message") && typeof value === "string"
          ? `${value} for ${plan.secret}`
          : key === "status" && value === plan.truth.strange?.status
          ? `${String(value)}-${plan.secret}`
          : value)
    )
    : body
}

/** `Retry-After` in every valid form, and in invalid forms. */
const drawRetryAfter = (draw: Random.Draw, now: number): Readonly<Record<string, string>> => {
  const date = (millis: number) => ({ "retry-after": new Date(now + millis).toUTCString() })
  return draw.weighted<() => Readonly<Record<string, string>>>([
    [4, () => ({ "retry-after": String(draw.int(0, 10)) })],
    [3, () => ({ "retry-after": String(draw.int(10, 120)) })],
    [1, () => ({ "retry-after": " 7 " })],
    [2, () => ({ "retry-after": draw.pick(["86400", "999999999999", "9".repeat(25)]) })],
    [2, () => ({ "retry-after-ms": String(draw.int(0, 9000)) })],
    [1, () => ({ "retry-after-ms": "soon", "retry-after": "3" })],
    [1, () => ({ "retry-after-ms": "2500", "retry-after": "99" })],
    [2, () => date(draw.int(1, 90) * 1000)],
    [1, () => date(-draw.int(1, 90) * 1000)],
    [3, () => ({ "retry-after": draw.pick(["soon", "-5", "1.5", "1e3", "0x10", "NaN", "Infinity", "9".repeat(400)]) })]
  ])()
}

const spineWords = ({ truth }: Plan): Words => ({
  credential: { header: "x-api-key", prefix: "" },
  created: ({ id }) => ({
    success: true,
    data: {
      run_id: id,
      status: "running",
      poll_url: `/v1/run/${id}`,
      ...(truth.estimate === undefined ? undefined : { estimated_duration_ms: truth.estimate })
    }
  }),
  snapshot: (run, now) => {
    const age = now - run.createdAt
    const base = {
      run_id: run.id,
      ...(age >= truth.canvasAfter || age >= truth.duration ? { canvas_id: `canvas-${run.id}` } : undefined)
    }
    const { result, metadata, duration_ms, errors } = spineEnd(truth)
    if (age < truth.duration) {
      return {
        success: true,
        data: truth.strange !== undefined && age >= truth.strange.from && age < truth.strange.to
          ? { ...base, status: truth.strange.status }
          : {
            ...base,
            status: "running",
            progress: {
              tasks_completed: truth.duration === Infinity ? 0 : Math.floor(truth.tasks * age / truth.duration),
              tasks_total: truth.tasks,
              elapsed_ms: Math.floor(age)
            }
          }
      }
    }
    return {
      success: true,
      data: truth.outcome === "completed"
        ? { ...base, status: "completed", duration_ms, result, metadata }
        : truth.outcome === "partial"
        ? { ...base, status: "partial", duration_ms, result, metadata, errors }
        : { ...base, status: "failed", duration_ms, errors }
    }
  },
  hollow: (id) => ({ success: true, data: { status: "completed", run_id: id } }),
  error: (error) => ({ success: false, error })
})

const spineEnd = (truth: Plan["truth"]) => ({
  duration_ms: truth.duration,
  result: { final_output: `the answer after ${truth.duration} ms`, artifacts: [] },
  metadata: { template_used: "auto", models_used: ["a/b"], credits_consumed: truth.tasks },
  errors: truth.errors.map((error) => ({ error }))
})

const telaWords = ({ truth }: Plan): Words => ({
  credential: { header: "authorization", prefix: "Bearer " },
  created: (run) => truth.duration === 0 ? telaSnapshot(truth, run, run.createdAt) : { id: run.id, status: "created" },
  snapshot: (run, now) => telaSnapshot(truth, run, now),
  hollow: () => ({ status: "succeeded", output_content: { content: { answer: "x", score: 1 } } }),
  error: (message) => ({ message, code: "nope" })
})

const telaSnapshot = (truth: Plan["truth"], { createdAt, id }: RunRecord, now: number): unknown => {
  const age = now - createdAt
  if (age < truth.duration) {
    const { strange } = truth
    const isStrange = strange !== undefined && age >= strange.from && age < strange.to
    return { id, status: isStrange ? strange.status : age < truth.canvasAfter ? "created" : "running" }
  }
  return truth.outcome === "failed"
    ? { id, status: "failed", raw_output: truth.errors.length === 0 ? null : { error: { message: truth.errors[0] } } }
    : {
      id,
      status: "succeeded",
      output_content: {
        role: "assistant",
        content: truth.isOutputValid ? { answer: `after ${truth.duration} ms`, score: truth.tasks } : { answer: 7 }
      }
    }
}
