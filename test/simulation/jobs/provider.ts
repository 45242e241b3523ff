/**
 * The provider of the jobs: runs, executions in all modes, uploads and artifacts, in memory. It keeps a ledger for the oracle:
 * the effect of each request, and the conclusion that its response allows.
 */
import { Effect, Exit, Stream } from "effect"
import { HttpClient, HttpClientError, type HttpClientRequest, HttpClientResponse } from "effect/http"
import { mayDisturb } from "../plan.ts"
import * as Simulated from "../provider.ts"
import * as Random from "../../support/random.ts"
import type { Job, Network, Plan } from "./plan.ts"

/** The meaning of a response to a client that receives it completely. */
export type Verdict =
  /** The run was created. */
  | { readonly _tag: "Accepted"; readonly id: string }
  /** The run has not ended. */
  | { readonly _tag: "Pending" }
  /** The run has succeeded, with this output. */
  | { readonly _tag: "Done"; readonly output: unknown; readonly isValid: boolean }
  /** The run has failed, with the provider's reasons. */
  | { readonly _tag: "Failed" }
  /** The provider did not accept the request: there is no run. */
  | { readonly _tag: "Refused"; readonly error: string; readonly wasConnected: boolean }
  /** It leaves the outcome of the request unknown. */
  | { readonly _tag: "Unclear"; readonly error: string }
  /** A stream that stops before its end. */
  | { readonly _tag: "Interrupted" }
  /** A file. */
  | { readonly _tag: "Transferred" }

export interface Exchange {
  readonly number: number
  readonly at: number
  readonly process: number
  readonly kind: "create" | "poll" | "announce" | "upload" | "download"
  readonly job: string | undefined
  /** The requested run. */
  readonly runId: string | undefined
  readonly isHome: boolean
  readonly hasCredential: boolean
  readonly hasSecret: boolean
  /** The name of the drawn outcome. */
  readonly play: string
  /** The run that it created. */
  readonly created: string | undefined
  readonly verdict: Verdict
  readonly reply: Simulated.Reply
  end: { readonly at: number; readonly how: "answered" | "broken" | "aborted" } | undefined
}

export interface RunRecord {
  readonly id: string
  readonly job: Job
  readonly createdAt: number
  /** The process whose request created it. */
  readonly process: number
}

export interface Provider {
  readonly origin: string
  readonly exchanges: ReadonlyArray<Exchange>
  readonly runs: ReadonlyArray<RunRecord>
  readonly client: (process: number, isAlive: () => boolean) => HttpClient.HttpClient
}

/** The output of a run: text that no other run has. */
export const outputOf = (run: RunRecord): unknown =>
  run.job.mode === "run" ? `the answer of ${run.id}` : valid(`the answer of ${run.id}`)

const valid = (answer: string) => ({ answer, score: 1 })
const invalid = { answer: 7 }

export const fileBytes = encode("0123456789abcdef".repeat(16))

/** The network of a request that chance does not disturb. */
const calm = {
  createFaultRate: 0,
  pollFaultRate: 0,
  transferFaultRate: 0,
  latency: 0
} satisfies Partial<Network>

/** The maximum number of requests. No valid scenario reaches it. */
export const maxExchanges = 5000

interface Play {
  readonly play: string
  readonly reply: Simulated.Reply
  readonly verdict: Verdict
  readonly created?: string
  /** A body in pieces, for a stream or a file. */
  readonly pieces?: Pieces
}

interface Pieces {
  readonly parts: ReadonlyArray<{ readonly after: number; readonly bytes: Uint8Array }>
  readonly ending: "close" | "break" | "silence"
}

interface Context {
  readonly plan: Plan
  readonly draw: Random.Draw
  readonly now: number
  /** Whether the response echoes the API key. */
  readonly echoes: boolean
}

export const make = (plan: Plan, time: Simulated.Time, onRun: (run: RunRecord) => void): Provider => {
  const origin = plan.api === "spine" ? "https://api.getspine.ai" : "https://api.tela.com"
  const draw = Random.make(plan.seed).fork(12)
  const exchanges: Array<Exchange> = []
  const runs: Array<RunRecord> = []
  const credential = plan.api === "spine"
    ? { header: "x-api-key", value: plan.secret }
    : { header: "authorization", value: `Bearer ${plan.secret}` }

  const startRunOf = (process: number) => (job: Job): RunRecord => {
    const id = `${runPrefix(plan)}${String(runs.length).padStart(12, "0")}`
    const run = { id, job, createdAt: time.now(), process }
    runs.push(run)
    onRun(run)
    return run
  }

  const client = (process: number, isAlive: () => boolean) =>
    HttpClient.make((request, url) =>
      Effect.gen(function*() {
        if (!isAlive()) return yield* Effect.never
        const isHome = url.origin === origin
        const body = yield* sent(request)
        const route = `${request.method} ${isHome ? "" : "files"}${url.pathname}`
        const kind = kindOf(route)
        const runId = /\/([^/]+)$/.exec(url.pathname)?.[1]
        const run = runs.find(({ id }) => id === runId)
        const job = run?.job ?? plan.jobs.find(({ key }) => `${body} ${url.href}`.includes(key))
        const said = JSON.stringify(request.headers) + url.href
        const number = exchanges.length
        const context: Context = {
          plan: mayDisturb(plan.faults, `request ${number}`)
            ? plan
            : { ...plan, network: { ...plan.network, ...calm } },
          draw: draw.fork(number),
          now: time.now(),
          echoes: isHome && plan.network.echoes
        }
        const { pieces, ...play } = number >= maxExchanges
          ? { play: "too many requests", reply: silent, verdict: unclear("RequestTimeoutError"), pieces: undefined }
          : playOf(context, kind, job, run, startRunOf(process))
        const exchange: Exchange = {
          number,
          at: time.now(),
          process,
          kind,
          job: job?.key,
          runId: kind === "poll" || kind === "download" ? runId : undefined,
          isHome,
          hasCredential: request.headers[credential.header] === credential.value,
          hasSecret: said.includes(plan.secret),
          created: undefined,
          ...play,
          end: undefined
        }
        exchanges.push(exchange)
        const answered = pieces === undefined
          // Only the provider knows the key, and can echo it
          ? Simulated.act(request, exchange, time, plan, { echoes: isHome && plan.network.echoes })
          : inPieces(request, exchange, time, pieces)
        return yield* answered
      })
    )

  return { origin, exchanges, runs, client }
}

const runPrefix = ({ seed }: Plan): string => `${seed.toString(16).padStart(8, "0").slice(-8)}-0000-4000-9000-`

const kindOf = (route: string): Exchange["kind"] =>
  route.startsWith("PUT")
    ? "upload"
    : route.startsWith("GET files")
    ? "download"
    : route === "POST /v3/files"
    ? "announce"
    : route.startsWith("POST")
    ? "create"
    : "poll"

/** The body of a request, as a server receives it. */
const sent = ({ body }: HttpClientRequest.HttpClientRequest): Effect.Effect<string> =>
  body._tag === "Uint8Array"
    ? Effect.succeed(new TextDecoder().decode(body.body))
    : body._tag === "Stream"
    ? Effect.orDie(Stream.mkString(Stream.decodeText(body.stream)))
    : Effect.succeed("")

const playOf = (
  context: Context,
  kind: Exchange["kind"],
  job: Job | undefined,
  run: RunRecord | undefined,
  startRun: (job: Job) => RunRecord
): Play => {
  switch (kind) {
    case "create":
      return job === undefined ? refusal(context, 400) : playCreate(context, job, startRun)
    case "poll":
      return run === undefined ? refusal(context, 404) : playPoll(context, run)
    case "announce":
      return playTransfer(context, () =>
        answer(context, 200, {
          id: "e4d5f6a7-b8c9-4d0e-9f1a-3b4c5d6e7f80",
          uploadUrl: `https://files.example/uploads/${job?.key}?signature=s`
        }))
    case "upload":
      return playTransfer(context, () => answer(context, 200, ""))
    case "download":
      return playDownload(context)
  }
}

// --- faults of any request ---

const silent: Simulated.Reply = { _tag: "Silent" }

const unclear = (error: string): Verdict => ({ _tag: "Unclear", error })

const refused = (error: string, wasConnected = true): Verdict => ({ _tag: "Refused", error, wasConnected })

const latency = ({ draw, plan: { network } }: Context): number =>
  network.latency === 0 || draw.chance(0.2) ? 0 : draw.int(0, network.latency) + 0.5

const answer = (context: Context, status: number, body: unknown): Simulated.Reply & { readonly _tag: "Answer" } => ({
  _tag: "Answer",
  after: latency(context),
  bodyAfter: context.draw.chance(0.2) ? latency(context) : 0,
  status,
  headers: {
    "content-type": "application/json",
    "x-request-id": `req-${context.draw.int(0, 1e9)}${context.echoes ? context.plan.secret : ""}`
  },
  body: typeof body === "string" ? body : JSON.stringify(body),
  breaks: false,
  hasLength: context.draw.chance(0.5)
})

/** Statuses which mean that nothing was done, with the client's errors for them. */
const refusals: Readonly<Record<number, string>> = {
  400: "BadRequestError",
  401: "AuthenticationError",
  402: "UsageLimitError",
  403: "PermissionDeniedError",
  404: "NotFoundError",
  409: "ConflictError",
  422: "BadRequestError",
  425: "ServerError",
  429: "RateLimitError",
  501: "ServerError"
}

/** Statuses which leave open what was done. */
const open: Readonly<Record<number, string>> = {
  302: "InvalidResponseError",
  408: "RequestTimeoutError",
  500: "ServerError",
  502: "ServerError",
  503: "ServerError",
  504: "ServerError"
}

const errorBody = ({ echoes, plan: { secret } }: Context) => {
  const error = echoes ? `no: ${secret}` : "no"
  return { success: false, error, message: error }
}

const refusal = (context: Context, status: number): Play => ({
  play: String(status),
  reply: answer(context, status, errorBody(context)),
  verdict: refused(refusals[status]!)
})

/** The faults that any request can meet. They leave its outcome unknown, or prove that nothing was done. */
const playFault = (context: Context): Play => {
  const { draw } = context
  const play = draw.weighted<string>([
    [5, "refused"],
    [4, "reset"],
    [3, "silent"],
    [2, "html"],
    [2, "redirect away"],
    [5, "open"],
    [5, "closed"]
  ])
  switch (play) {
    case "refused":
      return {
        play,
        reply: { _tag: "Broken", after: latency(context), isConnected: false },
        verdict: refused("TransportError", false)
      }
    case "reset":
      return {
        play,
        reply: { _tag: "Broken", after: latency(context), isConnected: true },
        verdict: unclear("TransportError")
      }
    case "silent":
      return { play, reply: silent, verdict: unclear("RequestTimeoutError") }
    case "html": {
      const reply = answer(context, 200, "<html>Log in</html>")
      return {
        play,
        reply: { ...reply, headers: { ...reply.headers, "content-type": "text/html" } },
        verdict: unclear("InvalidResponseError")
      }
    }
    case "redirect away": {
      const reply = answer(context, 302, {})
      return {
        play,
        reply: { ...reply, headers: { ...reply.headers, location: "https://evil.example/steal" } },
        verdict: unclear("InvalidResponseError")
      }
    }
    case "open": {
      const status = draw.pick([408, 500, 502, 503, 504])
      return {
        play: String(status),
        reply: answer(context, status, errorBody(context)),
        verdict: unclear(open[status]!)
      }
    }
    default:
      return refusal(context, draw.pick([400, 401, 402, 403, 409, 422, 425, 429, 501]))
  }
}

// --- creates ---

const playCreate = (context: Context, job: Job, startRun: (job: Job) => RunRecord): Play => {
  const { draw, plan: { network } } = context
  const isFaulty = draw.chance(network.createFaultRate)
  // A request with an unknown outcome may have been carried out
  const carriedOut = (play: Play): Play =>
    play.verdict._tag === "Unclear" && draw.chance(0.5)
      ? { ...play, play: `${play.play}, and a run exists`, created: startRun(job).id }
      : play
  if (isFaulty && draw.chance(0.6)) return carriedOut(playFault(context))
  const run = startRun(job)
  const made: Play = job.mode === "sync"
    ? playSync(context, run, isFaulty)
    : job.mode === "stream"
    ? playStream(context, run, isFaulty)
    : playAccepted(context, run, isFaulty)
  return { ...made, created: run.id }
}

/** Breaks a good response, so that it tells nothing about the run. */
const broken = (context: Context, reply: Simulated.Reply & { readonly _tag: "Answer" }): Play => {
  const { draw } = context
  const play = draw.pick(["reset in body", "truncated"])
  return play === "truncated"
    ? {
      play,
      reply: { ...reply, body: reply.body.slice(0, draw.int(1, reply.body.length - 1)) },
      verdict: unclear("InvalidResponseError")
    }
    : { play, reply: { ...reply, breaks: true }, verdict: unclear("TransportError") }
}

const playAccepted = (context: Context, run: RunRecord, isFaulty: boolean): Play => {
  const { api } = context.plan
  const { id } = run
  const reply = answer(
    context,
    context.draw.pick([200, 201]),
    api === "spine" ? { success: true, data: { run_id: id, status: "running" } } : { id, status: "created" }
  )
  if (!isFaulty) return { play: "accepted", reply, verdict: { _tag: "Accepted", id } }
  return context.draw.chance(0.7)
    ? broken(context, reply)
    : {
      play: "accepted without an id",
      reply: answer(context, 200, { success: true, data: { status: "running" }, status: "created" }),
      verdict: unclear("InvalidResponseError")
    }
}

/** The output of an execution with an immediate response. */
const outputNow = (run: RunRecord): { readonly output: unknown; readonly isValid: boolean } =>
  run.job.truth.isOutputValid ? { output: outputOf(run), isValid: true } : { output: invalid, isValid: false }

const playSync = (context: Context, run: RunRecord, isFaulty: boolean): Play => {
  const { draw } = context
  const { isValid, output } = outputNow(run)
  const chat = (reason: unknown, content: unknown) =>
    answer(context, 200, {
      id: run.id,
      object: "chat.completion",
      choices: [{
        index: 0,
        message: { role: "assistant", content },
        ...(reason === undefined ? undefined : { finish_reason: reason })
      }]
    })
  const done: Verdict = { _tag: "Done", output, isValid }
  if (!isFaulty) {
    if (run.job.truth.outcome === "failed") {
      const reply = draw.chance(0.5)
        ? chat("error", "")
        : answer(context, 200, { id: run.id, error: { message: "out of luck" } })
      return { play: "sync: failed", reply, verdict: { _tag: "Failed" } }
    }
    return {
      play: "sync: done",
      reply: chat(draw.pick(["stop", "STOP", "length", undefined, null, ""]), output),
      verdict: done
    }
  }
  switch (draw.pick(["broken", "broken", "other form", "no choice"])) {
    case "other form":
      return {
        play: "sync: the answer of an asynchronous execution",
        reply: answer(context, 200, { id: run.id, status: draw.pick(["created", "running"]) }),
        verdict: unclear("InvalidResponseError")
      }
    case "no choice":
      return {
        play: "sync: no choice",
        reply: answer(context, 200, { id: run.id, object: "chat.completion", choices: [] }),
        verdict: unclear("InvalidResponseError")
      }
    default:
      return broken(context, chat("stop", output))
  }
}

const playStream = (context: Context, run: RunRecord, isFaulty: boolean): Play => {
  const { draw, plan: { client } } = context
  const { isValid, output } = outputNow(run)
  const text = JSON.stringify(output)
  const cut = [draw.int(1, text.length - 1), draw.int(1, text.length - 1)].sort((a, b) => a - b)
  const deltas = [text.slice(0, cut[0]), text.slice(cut[0], cut[1]), text.slice(cut[1])].filter((part) => part !== "")
  const odd = draw.pick([undefined, null, ""])
  const chunk = (content: string, reason: unknown = odd) =>
    event(JSON.stringify({
      id: run.id,
      choices: [{ index: 0, delta: { content }, ...(reason === undefined ? undefined : { finish_reason: reason }) }]
    }))
  const whole = deltas.map((delta) => chunk(delta))
  const done: Verdict = { _tag: "Done", output, isValid }
  const open = (play: string, events: ReadonlyArray<string>, ending: Pieces["ending"], verdict: Verdict): Play => {
    // Shorter than the timeout of the client
    const pause = Math.floor(client.requestTimeout / 8)
    return {
      play: `stream: ${play}`,
      reply: { ...answer(context, 200, ""), headers: { "content-type": "text/event-stream" } },
      verdict,
      pieces: {
        ending,
        parts: events.map((text, index) => ({
          after: index === 0 || draw.chance(0.5) ? 0 : draw.int(0, pause) + 0.5,
          bytes: encode(text)
        }))
      }
    }
  }
  const mark = event("[DONE]")
  if (!isFaulty) {
    if (run.job.truth.outcome === "failed") {
      return draw.chance(0.5)
        ? open("an error event", [...whole.slice(0, 1), `event: error\n${event("{\"message\":\"no\"}")}`], "close", {
          _tag: "Failed"
        })
        : open("an end that is an error", [...whole, chunk("", "error"), mark], "close", { _tag: "Failed" })
    }
    const end = chunk("", draw.pick(["stop", "LENGTH", "content_filter"]))
    return draw.pick([
      () => open("reason and mark", [...whole, end, mark], "close", done),
      () => open("mark only", [...whole, mark], "close", done),
      () => open("reason, then a break", [...whole, end], "break", done),
      () => open("reason, then silence", [...whole, end], "silence", done)
    ])()
  }
  const stopped: Verdict = { _tag: "Interrupted" }
  const some = whole.slice(0, draw.int(0, whole.length))
  return draw.pick([
    () => open("a break before the end", some, "break", stopped),
    () => open("closed before the end", whole, "close", stopped),
    () => open("silence before the end", some, "silence", stopped),
    () => open("the mark alone", [mark], "close", stopped),
    () => open("closed after half an event", [...whole, "data: {\"choices\":[{\"del"], "close", stopped),
    () => open("another form", [event(JSON.stringify({ id: run.id, status: "created" }))], "close", stopped)
  ])()
}

const event = (data: string): string => `data: ${data}\n\n`

// --- polls ---

const playPoll = (context: Context, run: RunRecord): Play => {
  const { draw, now, plan } = context
  const { api, network } = plan
  if (draw.chance(network.pollFaultRate)) {
    const other: RunRecord = { ...run, id: `${run.id.slice(0, -4)}ffff` }
    switch (draw.pick(["fault", "fault", "fault", "broken", "another run", "hollow"])) {
      case "another run":
        return {
          play: "another run's end",
          reply: answer(context, 200, ended(api, other)),
          verdict: refused("InvalidResponseError")
        }
      case "hollow":
        return {
          play: "a terminal state without its required fields",
          reply: answer(
            context,
            200,
            api === "spine"
              ? { success: true, data: { status: "completed", run_id: run.id } }
              : { status: "succeeded", output_content: { content: outputOf(run) } }
          ),
          verdict: refused("InvalidResponseError")
        }
      case "broken":
        return broken(context, answer(context, 200, ended(api, run)))
      default:
        return playFault(context)
    }
  }
  if (now - run.createdAt < run.job.truth.duration) {
    const status = draw.chance(0.15) ? draw.pick(["PAUSED", "completed?", "__proto__"]) : "running"
    return {
      play: "pending",
      reply: answer(
        context,
        200,
        api === "spine" ? { success: true, data: { run_id: run.id, status } } : { id: run.id, status }
      ),
      verdict: { _tag: "Pending" }
    }
  }
  const { isValid, output } = outputNow(run)
  return {
    play: `ended: ${run.job.truth.outcome}`,
    reply: answer(context, 200, ended(api, run)),
    verdict: run.job.truth.outcome === "failed" ? { _tag: "Failed" } : { _tag: "Done", output, isValid }
  }
}

/** The response of a poll at the end. */
export const ended = (api: Plan["api"], run: RunRecord): Readonly<Record<string, unknown>> => {
  const { id, job: { hasArtifact, truth } } = run
  if (api === "tela") {
    return truth.outcome === "failed"
      ? { id, status: "failed", raw_output: { error: { message: "out of luck" } } }
      : { id, status: "succeeded", output_content: { role: "assistant", content: outputNow(run).output } }
  }
  if (truth.outcome === "failed") {
    return { success: true, data: { run_id: id, status: "failed", duration_ms: 1, errors: [{ error: "out of luck" }] } }
  }
  return {
    success: true,
    data: {
      run_id: id,
      status: truth.outcome,
      duration_ms: 1,
      result: { final_output: outputOf(run), artifacts: hasArtifact ? [artifactOf(run)] : [] },
      metadata: { template_used: "auto", models_used: [], credits_consumed: 1 },
      ...(truth.outcome === "partial" ? { errors: [{ error: "one block failed" }] } : undefined)
    }
  }
}

export const artifactOf = ({ id }: RunRecord) => ({
  id: `artifact-${id}`,
  type: "docx",
  name: "report.docx",
  download_url: `https://files.example/artifacts/${id}?signature=s`,
  size_bytes: fileBytes.length
})

// --- files ---

const playTransfer = (context: Context, good: () => Simulated.Reply): Play =>
  context.draw.chance(context.plan.network.transferFaultRate)
    ? playFault(context)
    : { play: "transferred", reply: good(), verdict: { _tag: "Transferred" } }

const playDownload = (context: Context): Play => {
  const { draw, plan: { network } } = context
  const file = (play: string, bytes: Uint8Array, ending: Pieces["ending"], verdict: Verdict): Play => ({
    play: `download: ${play}`,
    reply: { ...answer(context, 200, ""), headers: { "content-type": "application/octet-stream" } },
    verdict,
    pieces: {
      ending,
      parts: [bytes.subarray(0, 100), bytes.subarray(100)].filter(({ length }) => length > 0)
        .map((bytes) => ({ after: latency(context), bytes }))
    }
  })
  if (!draw.chance(network.transferFaultRate)) return file("whole", fileBytes, "close", { _tag: "Transferred" })
  const some = fileBytes.subarray(0, draw.int(0, fileBytes.length - 1))
  return draw.pick([
    () => playFault(context),
    () => file("closed too soon", some, "close", unclear("ArtifactError")),
    () => file("broken off", some, "break", unclear("ArtifactError")),
    () => file("silent", some, "silence", unclear("ArtifactError"))
  ])()
}

/** Sends the headers of a response, then its body piece by piece. */
const inPieces = (
  request: HttpClientRequest.HttpClientRequest,
  exchange: Exchange,
  time: Simulated.Time,
  { ending, parts }: Pieces
): Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError> => {
  const { reply } = exchange
  const finish = (how: "answered" | "broken" | "aborted") => {
    exchange.end ??= { at: time.now(), how }
  }
  const { after, headers, status } = reply as Simulated.Reply & { readonly _tag: "Answer" }
  return Effect.map(time.sleep(after), () => {
    const response = HttpClientResponse.fromWeb(request, new Response(null, { status, headers: { ...headers } }))
    const broke = () =>
      new HttpClientError.HttpClientError({
        reason: new HttpClientError.DecodeError({ request, response, cause: new TypeError("terminated") })
      })
    const pieces = Stream.mapEffect(
      Stream.rechunk(Stream.fromIterable(parts), 1),
      ({ after, bytes }) => Effect.as(time.sleep(after), bytes)
    )
    const body = Stream.concat(
      pieces,
      Stream.suspend(() => {
        // A silent response has no end to record
        if (ending === "silence") return Stream.never
        finish(ending === "close" ? "answered" : "broken")
        return ending === "close" ? Stream.empty : Stream.fail(broke())
      })
    ).pipe(Stream.onExit(() => Effect.sync(() => finish("aborted"))))
    return Object.defineProperties(response, {
      "~effect/http/HttpClientResponse/WebSource": { value: () => undefined },
      text: { value: Stream.mkString(Stream.decodeText(body)) },
      arrayBuffer: { value: Effect.map(Stream.mkUint8Array(body), ({ buffer }) => buffer) },
      stream: { value: body }
    })
  }).pipe(Effect.onExit((exit) =>
    Effect.sync(() => {
      if (Exit.isFailure(exit)) finish("aborted")
    })
  ))
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
