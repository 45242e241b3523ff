/** One cheap run per provider and mode, which checks the assumptions of the providers' contracts. */
import { Context, Effect, FileSystem, Layer, Redacted, Ref, Result, Schema, Stream } from "effect"
import { FetchHttpClient, HttpBody, HttpClient, HttpClientRequest } from "effect/http"
import { Spine, Tela } from "canvas-runs"
import {
  type Assumption,
  type Seen,
  spineAssumptions,
  spineUncheckable,
  telaAssumptions,
  telaUncheckable,
  type Verdict
} from "./assumptions.ts"
import { Budget, type Exchange, paid, recorder } from "./recorder.ts"
import { pathOf, redact } from "./redact.ts"

export interface SpineAccount {
  readonly baseUrl: string
  readonly apiKey: Redacted.Redacted<string>
}

export interface TelaAccount extends SpineAccount {
  readonly canvasId: string
  readonly variables: unknown
  readonly applicationId?: string | undefined
}

export interface Options {
  readonly spine?: SpineAccount | undefined
  readonly tela?: TelaAccount | undefined
  readonly limitCredits: number
}

export interface Report {
  readonly verdicts: ReadonlyArray<{ readonly assumption: Assumption; readonly verdict: Verdict }>
  /** The marks that no run can check, with the reasons. */
  readonly uncheckable: ReadonlyArray<readonly [provider: string, marks: string, reason: string]>
  readonly exchanges: ReadonlyArray<Exchange>
  /** Calls of the client that failed. They deserve attention even if all assumptions hold. */
  readonly failures: ReadonlyArray<string>
  readonly skipped: ReadonlyArray<string>
  readonly spent: number
}

/** The assumed maximum cost of a step, in credits. Neither provider publishes a price per run. */
const cost = { spineRun: 50, spineProbe: 50, telaRun: 5 }

const missing = "00000000-0000-4000-8000-00000000dead"

/** Collects the results of the steps. */
interface Notes {
  readonly facts: Record<string, unknown>
  readonly failures: Array<string>
  readonly skipped: Array<string>
}

/** Runs a step. A failure is recorded, and the next step follows. */
const attempt = <A, E, R>(
  notes: Notes,
  name: string,
  step: Effect.Effect<A, E, R>
): Effect.Effect<A | undefined, never, R> =>
  Effect.map(Effect.result(step), (result) => {
    if (Result.isSuccess(result)) return result.success
    const error: unknown = result.failure
    notes.failures.push(`${name}: ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`)
    return undefined
  })

const paidAttempt = <A, E, R>(
  notes: Notes,
  name: string,
  expected: number,
  step: Effect.Effect<readonly [A, number | undefined], E, R>
) =>
  Effect.tap(attempt(notes, name, paid(expected, step)), (result) =>
    Effect.sync(() => {
      if (result === undefined) notes.skipped.push(`${name} (expected cost ${expected})`)
    }))

const spineSteps = (account: SpineAccount, notes: Notes) =>
  Effect.gen(function*() {
    const http = yield* HttpClient.HttpClient
    const spine = yield* Spine.SpineClient
    const send = (mark: string, request: HttpClientRequest.HttpClientRequest, key = Redacted.value(account.apiKey)) =>
      attempt(
        notes,
        mark,
        http.execute(
          HttpClientRequest.prependUrl(request, account.baseUrl).pipe(
            HttpClientRequest.setHeaders({ "x-api-key": key, "x-probe": mark })
          )
        ).pipe(Effect.flatMap((response) => response.text))
      )
    yield* send("R7", HttpClientRequest.get("/v1/run/not-a-uuid"), "no-such-key")
    yield* send("R9", HttpClientRequest.get("/v1/run/not-a-uuid"))
    yield* send("R8", HttpClientRequest.get(`/v1/canvas/${missing}/dag`))
    yield* send("R10", HttpClientRequest.get("/v1/nothing-here"))

    yield* paidAttempt(
      notes,
      "spine run",
      cost.spineRun,
      Effect.gen(function*() {
        const created = yield* spine.runs.create({
          prompt: "Write a memo with the single word: tide. Use no tools.",
          blocks: ["memo-block"]
        })
        const run = yield* spine.runs.waitForCompletion(created, { timeout: "2 hours", resolveOnFailure: true })
        const canvas = run.canvas_id
        if (canvas !== undefined) {
          yield* attempt(notes, "spine dag", spine.canvases.getDag(canvas))
          const tree = yield* attempt(notes, "spine tasks", spine.canvases.getTasks(canvas))
          const [task] = Object.values(tree ?? {}).filter(Array.isArray).flat() as ReadonlyArray<
            { readonly id?: string }
          >
          if (task?.id !== undefined) yield* attempt(notes, "spine task", spine.canvases.getTask(canvas, task.id))
        }
        if (run.status !== "failed") {
          const files = yield* Effect.forEach(
            run.result.artifacts,
            (artifact) =>
              Effect.map(Effect.result(spine.artifacts.download(run, artifact)), (result) => ({ artifact, result }))
          )
          if (files.length > 0) {
            notes.facts["artifacts downloaded"] = files.every(({ artifact, result }) =>
              URL.canParse(artifact.download_url) && Result.isSuccess(result)
            )
            notes.facts["artifact sizes agree"] = files.every(({ artifact, result }) =>
              Result.isSuccess(result) && result.success.length === artifact.size_bytes
            )
          }
        }
        return [run, run.status === "failed" ? undefined : run.metadata?.credits_consumed] as const
      })
    )

    // Requests that should be rejected. If that assumption is wrong they start runs, so they come last, and their cost counts as
    // if they did
    const form = (fields: Record<string, string>) => {
      const data = new FormData()
      for (const [name, value] of Object.entries(fields)) data.append(name, value)
      return HttpClientRequest.post("/v1/run", { body: HttpBody.formData(data) })
    }
    const probes = [
      ["R2", form({ prompt: " " })],
      ["R3", HttpClientRequest.post("/v1/run", { body: HttpBody.jsonUnsafe({ prompt: "Answer with: tide." }) })],
      ["R4", form({ prompt: "Answer with: tide.", template: "no-such-template", blocks: "[\"text-block\"]" })]
    ] as const
    for (const [mark, request] of probes) {
      // A rejected request costs nothing
      yield* paidAttempt(
        notes,
        mark,
        cost.spineProbe,
        Effect.map(send(mark, request), (text) => [text ?? "", 0] as const)
      )
    }
  })

const telaSteps = (account: TelaAccount, notes: Notes) =>
  Effect.gen(function*() {
    const http = yield* HttpClient.HttpClient
    const tela = yield* Tela.TelaClient
    yield* attempt(
      notes,
      "26",
      http.execute(
        HttpClientRequest.prependUrl(
          HttpClientRequest.post("/v3/files", { body: HttpBody.jsonUnsafe({ fileName: "probe.txt" }) }),
          account.baseUrl
        ).pipe(
          HttpClientRequest.setHeaders({ authorization: `Bearer ${Redacted.value(account.apiKey)}`, "x-probe": "26" })
        )
      ).pipe(Effect.flatMap((response) => response.text))
    )
    yield* attempt(notes, "tela lists", tela.completionRuns.list({ limit: 1 }))
    const canvas = tela.canvas.make({ id: account.canvasId })
    const variables = account.variables as Record<string, unknown>
    const run = (name: string, step: Effect.Effect<unknown, unknown>) =>
      paidAttempt(notes, name, cost.telaRun, Effect.map(step, () => ["done", undefined] as const))
    yield* run("tela sync", canvas.execute(variables))
    yield* run(
      "tela async",
      Effect.flatMap(
        canvas.execute(variables, { async: true, tags: ["canvas-runs-live"], pollingTimeout: "30m" }),
        ({ result }) => result
      )
    )
    yield* run("tela stream", Stream.runDrain(canvas.stream(variables)))
    if (account.applicationId !== undefined) {
      const workstation = tela.canvas.make({ applicationId: account.applicationId })
      yield* run(
        "tela task",
        Effect.flatMap(workstation.execute(variables, { pollingTimeout: "30m" }), ({ result }) => result)
      )
    }
  })

/** Runs all steps that the accounts and the limit allow, and judges the assumptions by the exchanges. */
export const check = (options: Options): Effect.Effect<Report> =>
  Effect.gen(function*() {
    const spent = yield* Ref.make(0)
    const budget = Context.make(Budget, { limit: options.limitCredits, spent })
    const notes: Notes = { facts: {}, failures: [], skipped: [] }
    const exchanges: Array<Exchange> = []
    const verdicts: Array<Report["verdicts"][number]> = []
    const uncheckable: Array<Report["uncheckable"][number]> = []

    const run = Effect.fnUntraced(function*<E>(
      baseUrl: string,
      steps: Effect.Effect<void, E, Budget | HttpClient.HttpClient | Spine.SpineClient | Tela.TelaClient>,
      client: Layer.Layer<Spine.SpineClient | Tela.TelaClient, unknown, HttpClient.HttpClient>,
      assumptions: ReadonlyArray<Assumption>
    ) {
      const recording = recorder(baseUrl)
      const transport = FetchHttpClient.layer.pipe(
        Layer.provide(Layer.succeed(FetchHttpClient.Fetch, recording.fetch))
      )
      yield* attempt(
        notes,
        "client",
        Effect.provide(
          Effect.provideContext(steps, budget as Context.Context<never>) as Effect.Effect<
            void,
            E,
            HttpClient.HttpClient
          >,
          Layer.provideMerge(client, transport) as Layer.Layer<HttpClient.HttpClient, unknown>
        )
      )
      const seen: Seen = { exchanges: yield* recording.exchanges, facts: notes.facts }
      exchanges.push(...seen.exchanges)
      for (const assumption of assumptions) verdicts.push({ assumption, verdict: assumption.judge(seen) })
    })

    if (options.spine !== undefined) {
      const { apiKey, baseUrl } = options.spine
      yield* run(
        baseUrl,
        spineSteps(options.spine, notes) as never,
        Spine.layer({ apiKey, baseUrl }) as never,
        spineAssumptions
      )
      for (const [marks, reason] of Object.entries(spineUncheckable)) uncheckable.push(["spine", marks, reason])
    }
    if (options.tela !== undefined) {
      const { apiKey, baseUrl } = options.tela
      yield* run(
        baseUrl,
        telaSteps(options.tela, notes) as never,
        Tela.layer({ apiKey, baseUrl }) as never,
        telaAssumptions
      )
      for (const [marks, reason] of Object.entries(telaUncheckable)) uncheckable.push(["tela", marks, reason])
    }
    return { verdicts, uncheckable, exchanges, spent: yield* Ref.get(spent), ...notes }
  })

/** The fixtures: one redacted response per method, path and status. */
export const fixtures = (exchanges: ReadonlyArray<Exchange>): ReadonlyMap<string, unknown> => {
  const found = new Map<string, unknown>()
  for (const { body, headers, method, status, url } of exchanges) {
    if (body === "" || /event-stream/.test(headers["content-type"] ?? "")) continue
    const path = pathOf(url).replaceAll(/[{}]/g, "").slice(1).replaceAll("/", "-")
    const parsed = Result.try(() => JSON.parse(body) as unknown)
    if (Result.isFailure(parsed)) continue
    const state = stateOf(parsed.success)
    found.set(`${method.toLowerCase()}-${path}-${status}${state === undefined ? "" : `-${state}`}.json`, {
      method,
      path: pathOf(url),
      status,
      headers: Object.keys(headers).sort(),
      body: redact(parsed.success)
    })
  }
  return found
}

const Stateful = Schema.Struct({ status: Schema.String })

/** The status of a run, so that each state has a separate fixture. */
const stateOf = (body: unknown): string | undefined => {
  const read = Schema.decodeUnknownResult(Schema.Union([Schema.Struct({ data: Stateful }), Stateful]))(body)
  if (Result.isFailure(read)) return undefined
  const status = "data" in read.success ? read.success.data.status : read.success.status
  return /^[a-z_]{1,20}$/.test(status) ? status : undefined
}

/** Writes the fixtures into a folder. */
export const save = (exchanges: ReadonlyArray<Exchange>, directory: string) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    yield* fs.makeDirectory(directory, { recursive: true })
    const all = fixtures(exchanges)
    for (const [name, fixture] of all) {
      yield* fs.writeFileString(`${directory}/${name}`, `${JSON.stringify(fixture, null, 2)}\n`)
    }
    return all.size
  })

/** The report as lines of text. */
export const format = (report: Report): string =>
  [
    ...report.verdicts.map(({ assumption: { assumption, mark, provider }, verdict: { held, saw } }) =>
      `${
        (held === undefined ? "not seen" : held ? "held" : "DIFFERS").padEnd(9)
      } ${provider} ${mark}: ${assumption} (${saw})`
    ),
    ...report.uncheckable.map(([provider, marks, reason]) => `unchecked ${provider} ${marks}: ${reason}`),
    ...report.skipped.map((step) => `skipped   ${step}: over the limit, or failed`),
    ...report.failures.map((failure) => `FAILED    ${failure}`),
    `${report.spent} credits spent, as far as known`
  ].join("\n")
