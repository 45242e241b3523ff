/** Every public operation of both clients, and the requests of each that meet the faults. */
import { Clock, type Duration, Effect, Exit, type FileSystem, type Layer, Option, Schema, Stream, Struct } from "effect"
import type { KeyValueStore } from "effect/persistence"
import { RunError, RunRef, RunStore, Spine, Tela, type Webhooks } from "canvas-runs"
import { fileBytes, ids, type Model, output, secrets } from "./provider.ts"
import { beats, encode, type Transport } from "./play.ts"

/** The kind of an operation, which decides its outcome under a fault. */
export const kinds = ["read", "create", "write", "wait", "download", "upload", "stream"] as const
export type Kind = typeof kinds[number]

/** The actions of the caller besides the call. */
export interface Caller {
  readonly filesOrigin: string
  /** Converts beats to a duration. */
  readonly beats: (count: number) => Duration.Duration
  /** Consumes a stream. */
  readonly consume: <A, E, R>(stream: Stream.Stream<A, E, R>) => Stream.Stream<A, E, R>
  /** The storage of run stores: in memory, or in files. */
  readonly storage: Readonly<Record<"memory" | "files", Layer.Layer<KeyValueStore.KeyValueStore>>>
  /** The hub for webhooks. */
  readonly hub: Webhooks.Service
}

/** The options of the client besides its times. */
export type Client = "webhooks" | "rate limit" | "repeated creates"

export type Env = Spine.SpineClient | Tela.TelaClient | FileSystem.FileSystem

export interface Operation {
  readonly name: string
  readonly provider: "spine" | "tela"
  readonly kind: Kind
  /** The requests that meet the fault, as in `"GET api /v1/run"`. */
  readonly target: RegExp
  /** How many requests go to the target's host before the first target. */
  readonly before: number
  /** How many requests that match `target` are not targets, because they come before the tested one. */
  readonly spared: number
  /** The kind of run that is polled, if any. */
  readonly model: Model | undefined
  readonly client: Client | undefined
  /** The operation whose exceptions apply to this one too. */
  readonly like: string | undefined
  /** The transports that it is tried on; all of them by default. */
  readonly on: ReadonlyArray<Transport> | undefined
  /** Runs the operation. Its result is the same each time, unless a fault loses or changes data. */
  readonly run: (caller: Caller) => Effect.Effect<unknown, unknown, Env>
}

type SpineCall = (spine: Spine.Service, caller: Caller) => Effect.Effect<unknown, unknown, FileSystem.FileSystem>
type TelaCall = (tela: Tela.Service, caller: Caller) => Effect.Effect<unknown, unknown, FileSystem.FileSystem>

interface More {
  readonly before?: number
  readonly spared?: number
  readonly model?: Model
  readonly client?: Client
  readonly like?: string
  readonly on?: ReadonlyArray<Transport>
}

const spine = (kind: Kind, name: string, target: RegExp, call: SpineCall, more: More = {}): Operation => ({
  name: `spine ${name}`,
  provider: "spine",
  kind,
  target,
  before: more.before ?? 0,
  spared: more.spared ?? 0,
  model: more.model ?? (kind === "wait" ? "spine run" : undefined),
  client: more.client,
  like: more.like,
  on: more.on,
  run: (caller) => Spine.SpineClient.use((client) => call(client, caller))
})

const tela = (kind: Kind, name: string, target: RegExp, call: TelaCall, more: More = {}): Operation => ({
  name: `tela ${name}`,
  provider: "tela",
  kind,
  target,
  before: more.before ?? 0,
  spared: more.spared ?? 0,
  model: more.model ?? (kind === "wait" ? "tela execution" : undefined),
  client: more.client,
  like: more.like,
  on: more.on,
  run: (caller) => Tela.TelaClient.use((client) => call(client, caller))
})

// --- Spine ---

const spineRef = Effect.map(
  Clock.currentTimeMillis,
  (createdAt) => RunRef.make({ provider: "spine", kind: "run", id: ids.run, createdAt })
)

const spineWait = ({ beats: time }: Caller) => ({
  pollInterval: time(beats.pollInterval),
  timeout: time(beats.waitTimeout),
  notFoundGrace: time(beats.notFoundGrace),
  retryAfterCeiling: time(beats.retryAfterCeiling),
  errorBudget: 1
})

const artifactOf = ({ filesOrigin }: Caller): Spine.Artifact => ({
  id: ids.artifact,
  type: "docx",
  name: "report.docx",
  download_url: `${filesOrigin}/artifacts/report.docx?signature=${secrets.link}`,
  size_bytes: fileBytes.length
})

const completedRun = (caller: Caller): Spine.CompletedRun => ({
  status: "completed",
  run_id: ids.run,
  canvas_id: ids.canvas,
  duration_ms: 1,
  result: { final_output: "", artifacts: [artifactOf(caller)] },
  metadata: { template_used: "auto", models_used: [], credits_consumed: 0 }
})

const ended = (run: Spine.CompletedRun | Spine.PartialRun) => run.result.final_output

/** A failed run is the last snapshot of a `watch`, not a failure of the stream. */
const lastStatus = <E, R>(stream: Stream.Stream<Spine.Run, E, R>) =>
  Effect.map(Stream.runCollect(stream), (runs) => runs.at(-1)?.status)

const sameBytes = (bytes: Uint8Array) =>
  Buffer.compare(bytes, fileBytes) === 0 ? "the whole file" : `${bytes.length} other bytes`

const collected = <E, R>(caller: Caller, stream: Stream.Stream<Uint8Array, E, R>) =>
  Effect.map(Stream.mkUint8Array(caller.consume(stream)), sameBytes)

const spinePolls = /^GET api \/v1\/run\//
const spineCreate = /^POST api \/v1\/run(?:\?|$)/
const spineFile = /^GET files \/artifacts\//

const spineOperations: ReadonlyArray<Operation> = [
  spine("read", "runs.retrieve", spinePolls, ({ runs }) => Effect.map(runs.retrieve(ids.run), (run) => run.run_id)),
  spine(
    "read",
    "canvases.getDag",
    /\/dag(?:\?|$)/,
    ({ canvases }) => Effect.map(canvases.getDag(ids.canvas), (canvas) => canvas.nodes.length)
  ),
  spine(
    "read",
    "canvases.getTasks",
    /\/tasks(?:\?|$)/,
    ({ canvases }) => Effect.map(canvases.getTasks(ids.canvas), (tree) => tree.completed.length)
  ),
  spine(
    "read",
    "canvases.getTask",
    /\/tasks\/./,
    ({ canvases }) => Effect.map(canvases.getTask(ids.canvas, ids.task), (task) => task.name)
  ),
  spine(
    "create",
    "runs.create",
    spineCreate,
    ({ runs }) => Effect.map(runs.create({ prompt: "Compare" }), (run) => run.run_id)
  ),
  spine("create", "runs.create with files", spineCreate, ({ runs }) =>
    Effect.map(
      runs.create({
        prompt: "Compare",
        files: [
          encode("a,b\n1,2\n"),
          {
            data: Stream.make(encode("# "), encode("Notes")),
            size: 7,
            filename: "notes.md"
          }
        ]
      }),
      (run) => run.run_id
    )),
  spine(
    "create",
    "runs.run: create",
    spineCreate,
    ({ runs }, caller) => Effect.map(runs.run({ prompt: "Compare" }, spineWait(caller)), ended)
  ),
  spine(
    "wait",
    "runs.run: wait",
    spinePolls,
    ({ runs }, caller) => Effect.map(runs.run({ prompt: "Compare" }, spineWait(caller)), ended),
    { before: 1 }
  ),
  spine(
    "wait",
    "runs.waitForCompletion",
    spinePolls,
    ({ runs }, caller) =>
      Effect.flatMap(spineRef, (ref) => Effect.map(runs.waitForCompletion(ref, spineWait(caller)), ended))
  ),
  spine(
    "wait",
    "runs.waitForCompletion by id",
    spinePolls,
    // Without the option a bare id has no grace period for a 404
    ({ runs }, caller) =>
      Effect.map(runs.waitForCompletion(ids.run, Struct.omit(spineWait(caller), ["notFoundGrace"])), ended)
  ),
  spine(
    "wait",
    "runs.waitForCompletion resolveOnFailure",
    spinePolls,
    ({ runs }, caller) =>
      Effect.flatMap(spineRef, (ref) =>
        Effect.map(
          runs.waitForCompletion(ref, { ...spineWait(caller), resolveOnFailure: true }),
          (run) => run.status
        ))
  ),
  spine(
    "wait",
    "runs.watch",
    spinePolls,
    ({ runs }, caller) =>
      Effect.flatMap(spineRef, (ref) => lastStatus(caller.consume(runs.watch(ref, spineWait(caller)))))
  ),
  spine("wait", "runs.polls", spinePolls, ({ runs }, caller) =>
    Effect.flatMap(spineRef, (ref) =>
      lastStatus(
        caller.consume(runs.polls(ref, spineWait(caller))).pipe(
          Stream.filter((poll) => poll._tag === "Snapshot"),
          Stream.map((poll) => poll.snapshot)
        )
      ))),
  spine("wait", "runs.share, two waiters", spinePolls, ({ runs }, caller) =>
    Effect.gen(function*() {
      const shared = yield* runs.share(yield* spineRef, spineWait(caller))
      const [run, status] = yield* Effect.all([shared.wait, lastStatus(shared.watch)], { concurrency: "unbounded" })
      return [ended(run), status]
    })),
  spine(
    "download",
    "artifacts.download",
    spineFile,
    ({ artifacts }, caller) => Effect.map(artifacts.download(ids.run, artifactOf(caller)), sameBytes)
  ),
  spine(
    "download",
    "artifacts.stream",
    spineFile,
    ({ artifacts }, caller) => collected(caller, artifacts.stream(ids.run, artifactOf(caller)))
  ),
  spine(
    "download",
    "artifacts.toFile",
    spineFile,
    ({ artifacts }, caller) => artifacts.toFile(ids.run, artifactOf(caller), { directory: "out" })
  ),
  spine(
    "download",
    "artifacts.toDirectory",
    spineFile,
    ({ artifacts }, caller) =>
      Effect.map(artifacts.toDirectory(completedRun(caller), "out"), (files) => files.map(({ path }) => path))
  )
]

// --- Tela ---

const Output = Schema.Struct({ answer: Schema.String })

const canvasOf = (client: Tela.Service) => client.canvas.make({ id: ids.canvas, output: Output })
const textCanvasOf = (client: Tela.Service) => client.canvas.make({ id: ids.canvas, output: Schema.String })
const applicationOf = (client: Tela.Service) => client.canvas.make({ applicationId: ids.application, output: Output })

const telaWait = ({ beats: time }: Caller) => ({
  pollingInterval: time(beats.pollInterval),
  pollingTimeout: time(beats.waitTimeout),
  notFoundGrace: time(beats.notFoundGrace),
  errorBudget: 1
})

const telaRef = (kind: "execution" | "task") =>
  Effect.map(
    Clock.currentTimeMillis,
    (createdAt) => RunRef.make({ provider: "tela", kind, id: kind === "task" ? ids.task : ids.execution, createdAt })
  )

const executed = (client: Tela.Service, caller: Caller) =>
  canvasOf(client).execute({}, { async: true, ...telaWait(caller) })

const lookedUp = (client: Tela.Service, caller: Caller, kind: "execution" | "task") =>
  Effect.flatMap(telaRef(kind), (ref) => canvasOf(client).getExecution(ref, telaWait(caller)))

const withFile = { scan: Tela.file(encode("scanned"), { name: "scan.txt" }) }

const streamTimes = ({ beats: time }: Caller) => ({
  firstEventTimeout: time(beats.requestTimeout),
  idleTimeout: time(beats.requestTimeout)
})

const said = <E, R>(caller: Caller, parts: Stream.Stream<Tela.StreamPart<string>, E, R>) =>
  Effect.map(Stream.runCollect(caller.consume(parts)), (parts) => {
    const last = parts.at(-1)
    if (last === undefined || last._tag !== "final") return `no end after ${parts.length} parts`
    return last.result.length > 100 ? `${last.result.length} characters` : last.result
  })

const completions = /^POST api \/v2\/chat\/completions$/
const telaPolls = /^GET api \/v2\/chat\/completions\//
const taskPath = /^GET api \/task\/[^/]+-/
const taskPatch = /^PATCH api \/task\//
const vaultLink = /^GET api \/_services\/vault\//
const vaultFile = /^GET files \/vault\//
const announce = /^POST api \/v3\/files$/
const put = /^PUT files \//
const vault = `vault://${ids.file}`

const telaOperations: ReadonlyArray<Operation> = [
  tela(
    "read",
    "canvas.get",
    /promoted-version(?:\?|$)/,
    ({ canvas }) => Effect.map(canvas.get({ id: ids.canvas }), (canvas) => canvas.versionId)
  ),
  tela(
    "read",
    "canvas.get of an application",
    /prompt-application/,
    ({ canvas }) => Effect.map(canvas.get({ applicationId: ids.application }), (canvas) => canvas.versionId)
  ),
  tela(
    "read",
    "canvas.getExecution",
    telaPolls,
    (client, caller) => Effect.map(lookedUp(client, caller, "execution"), (execution) => execution.id)
  ),
  tela(
    "read",
    "execute with a file: announce",
    announce,
    (client) => Effect.map(canvasOf(client).execute(withFile), ({ result }) => result)
  ),
  tela("read", "tasks.get", taskPath, ({ tasks }) => Effect.map(tasks.get(ids.task), (task) => task.name)),
  tela(
    "read",
    "tasks.list",
    /^GET api \/task(?:\?|$)/,
    ({ tasks }) => Effect.map(tasks.list(), ({ data }) => data.length)
  ),
  tela(
    "read",
    "tasks.stream",
    /^GET api \/task(?:\?|$)/,
    ({ tasks }, caller) => Effect.map(Stream.runCollect(caller.consume(tasks.stream())), (rows) => rows.length)
  ),
  tela(
    "read",
    "tasks.progress",
    /\/task\/progress/,
    ({ tasks }) => Effect.map(tasks.progress(), ({ data }) => data.length)
  ),
  tela(
    "read",
    "tasks.getInputFiles",
    taskPath,
    ({ tasks }) => Effect.map(tasks.getInputFiles(ids.task), (files) => files.length)
  ),
  tela("read", "tasks.getOutput", taskPath, ({ tasks }) => Effect.map(tasks.getOutput(ids.task), ({ _tag }) => _tag)),
  tela(
    "read",
    "tasks.update",
    taskPatch,
    ({ tasks }) => Effect.map(tasks.update(ids.task, { tags: ["a"] }), (task) => task.name)
  ),
  tela("read", "tasks.approve", taskPatch, ({ tasks }) => Effect.map(tasks.approve(ids.task), (task) => task.status)),
  tela("read", "tasks.rename", taskPatch, ({ tasks }) => Effect.map(tasks.rename(ids.task, "b"), (task) => task.name)),
  tela(
    "read",
    "tasks.updateOutputContent: read",
    taskPath,
    ({ tasks }) => Effect.map(tasks.updateOutputContent(ids.task, () => output), (task) => task.status)
  ),
  tela(
    "read",
    "completionRuns.list",
    /\/v1\/completion-run/,
    ({ completionRuns }) => Effect.map(completionRuns.list(), ({ data }) => data.length)
  ),
  tela(
    "read",
    "completionRuns.stream",
    /\/v1\/completion-run/,
    ({ completionRuns }, caller) =>
      Effect.map(Stream.runCollect(caller.consume(completionRuns.stream())), (rows) => rows.length)
  ),
  tela(
    "read",
    "versions.get",
    /\/prompt-version\//,
    ({ versions }) => Effect.map(versions.get(ids.version), ({ id }) => id)
  ),
  tela(
    "read",
    "versions.latest",
    /latest-version(?:\?|$)/,
    ({ versions }) => Effect.map(versions.latest(ids.canvas), ({ id }) => id)
  ),
  tela(
    "read",
    "versions.promoted",
    /promoted-version(?:\?|$)/,
    ({ versions }) => Effect.map(versions.promoted(ids.canvas), ({ id }) => id)
  ),
  tela(
    "read",
    "versions.history",
    /history/,
    ({ versions }) => Effect.map(versions.history(ids.canvas), ({ data }) => data.length)
  ),
  tela(
    "read",
    "environments.list",
    /\/environment\?/,
    ({ environments }) => Effect.map(environments.list(ids.canvas), (rows) => rows.length)
  ),
  tela(
    "read",
    "environments.resolve",
    /\/environment\/version/,
    ({ environments }) => Effect.map(environments.resolve(ids.canvas, "production"), ({ id }) => id)
  ),
  tela(
    "read",
    "vault.resolve",
    vaultLink,
    ({ vault: { resolve } }) => Effect.map(resolve(vault), ({ metadata }) => metadata?.size)
  ),
  tela("read", "vault.download: link", vaultLink, ({ vault: { download } }) => Effect.map(download(vault), sameBytes)),
  tela("read", "checkCredential", /\/api-key(?:\?|$)/, ({ checkCredential }) => checkCredential),
  tela("create", "execute sync", completions, (client, { beats: time }) =>
    Effect.map(
      canvasOf(client).execute({}, { timeout: time(beats.requestTimeout) }),
      ({ result }) => result
    )),
  tela(
    "create",
    "execute async",
    completions,
    (client, caller) => Effect.map(executed(client, caller), ({ id }) => id)
  ),
  tela(
    "create",
    "execute a task",
    completions,
    (client, caller) => Effect.map(applicationOf(client).execute({}, telaWait(caller)), ({ id }) => id)
  ),
  tela("create", "tasks.create", /^POST api \/task$/, ({ tasks }) =>
    Effect.map(
      tasks.create(ids.application, [{ name: "Invoice 17", variables: {} }]),
      (tasks) => tasks.length
    )),
  tela(
    "write",
    "tasks.setOutputContent",
    taskPatch,
    ({ tasks }) => Effect.map(tasks.setOutputContent(ids.task, output), (task) => task.status)
  ),
  tela(
    "write",
    "tasks.patchOutputContent",
    taskPatch,
    ({ tasks }) => Effect.map(tasks.patchOutputContent(ids.task, output), (task) => task.status)
  ),
  tela(
    "write",
    "tasks.patchOutputField",
    taskPatch,
    ({ tasks }) => Effect.map(tasks.patchOutputField(ids.task, "answer", "b"), (task) => task.status)
  ),
  tela(
    "write",
    "tasks.updateOutputContent: write",
    taskPatch,
    ({ tasks }) => Effect.map(tasks.updateOutputContent(ids.task, () => output), (task) => task.status),
    { before: 1 }
  ),
  tela(
    "wait",
    "execute async: result",
    telaPolls,
    (client, caller) => Effect.flatMap(executed(client, caller), ({ result }) => result),
    { before: 1 }
  ),
  tela("wait", "execute a task: result", taskPath, (client, caller) =>
    Effect.flatMap(
      applicationOf(client).execute({}, telaWait(caller)),
      ({ result }) => result
    ), { before: 1, model: "tela task" }),
  tela("wait", "execution.rawResult", telaPolls, (client, caller) =>
    Effect.map(
      Effect.flatMap(executed(client, caller), ({ rawResult }) => rawResult),
      (raw) => (raw as { readonly status: string }).status
    ), { before: 1 }),
  tela(
    "wait",
    "execution.watch",
    telaPolls,
    (client, caller) =>
      Effect.flatMap(
        executed(client, caller),
        ({ watch }) => Effect.map(Stream.runCollect(caller.consume(watch)), (all) => all.at(-1)?.status)
      ),
    { before: 1 }
  ),
  tela("wait", "execution.events", telaPolls, (client, caller) =>
    Effect.gen(function*() {
      const { events } = yield* executed(client, caller)
      const last = (yield* Stream.runCollect(caller.consume(events))).at(-1)
      return last?._tag === "error" ? yield* last.error : last?._tag
    }), { before: 1 }),
  tela(
    "wait",
    "canvas.getExecution: result",
    telaPolls,
    (client, caller) => Effect.flatMap(lookedUp(client, caller, "execution"), ({ result }) => result),
    { before: 1, spared: 1 }
  ),
  tela(
    "wait",
    "canvas.getExecution of a task: result",
    taskPath,
    (client, caller) => Effect.flatMap(lookedUp(client, caller, "task"), ({ result }) => result),
    {
      before: 1,
      spared: 1,
      model: "tela task"
    }
  ),
  tela("download", "vault.download", vaultFile, ({ vault: { download } }) => Effect.map(download(vault), sameBytes)),
  tela("download", "vault.stream", vaultFile, ({ vault: { stream } }, caller) => collected(caller, stream(vault))),
  tela("download", "vault.toFile", vaultFile, ({ vault: { toFile } }) => toFile(vault, { directory: "out" })),
  tela(
    "upload",
    "execute with a file",
    put,
    (client) => Effect.map(canvasOf(client).execute(withFile), ({ result }) => result)
  ),
  tela("upload", "tasks.create with a file", put, ({ tasks }) =>
    Effect.map(
      tasks.create(ids.application, [{ name: "Invoice 17", variables: withFile }]),
      (tasks) => tasks.length
    )),
  tela(
    "stream",
    "canvas.stream",
    completions,
    (client, caller) => said(caller, textCanvasOf(client).stream({}, streamTimes(caller)))
  ),
  tela(
    "stream",
    "execute stream",
    completions,
    (client, caller) =>
      Effect.flatMap(
        textCanvasOf(client).execute({}, { stream: true, ...streamTimes(caller) }),
        ({ result }) => said(caller, result)
      )
  )
]

// --- Stores, webhooks and limits around the clients ---

const memory: ReadonlyArray<Transport> = ["memory"]
const memoryAndFetch: ReadonlyArray<Transport> = ["memory", "fetch"]

const key = "report-2026-07"

const errorOf = (exit: Exit.Exit<unknown, unknown>): unknown => Option.getOrUndefined(Exit.findErrorOption(exit))

/** Runs the effect, and fails if the store's entry does not match the exit. */
const accounted = <A, E, R>(
  store: RunStore.Service,
  effect: Effect.Effect<A, E, R>,
  expected: (exit: Exit.Exit<A, E>) => RunStore.Entry["_tag"] | undefined
) =>
  Effect.onExit(effect, (exit) =>
    Effect.map(Effect.orDie(store.get(key)), (entry) => {
      const tag = expected(exit)
      if (entry?._tag !== tag) throw new Error(`The store has ${entry?._tag} instead of ${tag} after ${String(exit)}`)
    }))

/** Makes a run under a key. Only a create that certainly made no run leaves the key free. */
const once = <A extends { readonly ref: RunRef.RunRef }, E, R>(
  store: RunStore.Service,
  create: Effect.Effect<A, E, R>
) =>
  accounted(store, store.runOnce(key, create), (exit) =>
    Exit.isSuccess(exit)
      ? "Created"
      : Exit.hasInterrupts(exit) || errorOf(exit) instanceof RunError.CreateOutcomeUnknownError
      ? "Unknown"
      : undefined)

/** Makes a run under a key twice. The second call must not make another run. */
const onlyOnce = <A extends { readonly ref: RunRef.RunRef }, E, R>(
  storage: Layer.Layer<KeyValueStore.KeyValueStore>,
  create: Effect.Effect<A, E, R>
) =>
  Effect.gen(function*() {
    const store = yield* RunStore.make
    const ref = yield* once(store, create)
    const again = yield* store.runOnce(key, Effect.die("a second run was made"))
    return [ref.id, again.id]
  }).pipe(Effect.provide(storage))

/** Makes a run under a key and waits for it. It is finished only when its terminal state is known, success or failure. */
const tracked = <A extends { readonly ref: RunRef.RunRef }, B, E, E2, R, R2>(
  storage: Layer.Layer<KeyValueStore.KeyValueStore>,
  create: Effect.Effect<A, E, R>,
  wait: (ref: RunRef.RunRef) => Effect.Effect<B, E2, R2>
) =>
  Effect.gen(function*() {
    const store = yield* RunStore.make
    const ref = yield* once(store, create)
    return yield* accounted(store, store.track(key, wait(ref)), (exit) => {
      const error = errorOf(exit)
      const isEnd = error instanceof RunError.RunFailedError || error instanceof RunError.InvalidOutputError
      return Exit.isSuccess(exit) || isEnd ? "Finished" : "Created"
    })
  }).pipe(Effect.provide(storage))

/** Longer than the time left after two polls: with this interval a wait ends in time only through webhooks. */
const rarely = ({ beats: time }: Caller) => time(beats.waitTimeout / 2.5)

/** Waits while webhooks about the end of the run arrive: before the first poll, during polls and between them. */
const whilePushed = <A, E, R>(
  { beats: time, hub }: Caller,
  provider: "spine" | "tela",
  runId: string,
  wait: Effect.Effect<A, E, R>
) => {
  const push = (number: number) => hub.deliver({ provider, runId, eventId: `${number}`, isTerminal: true })
  const pushes = Effect.forEach(
    Array.from({ length: 60 }, (_, index) => index + 1),
    (number) => Effect.delay(push(number), time(number % 3 + 0.25)),
    { discard: true }
  )
  return Effect.andThen(push(0), Effect.raceFirst(wait, Effect.andThen(pushes, Effect.never)))
}

/** The call is the second one, and has to wait for its slot. After it, slots must be free again. */
const limited = <A, E, R, B, E2, R2>(call: Effect.Effect<A, E, R>, other: Effect.Effect<B, E2, R2>) =>
  Effect.gen(function*() {
    const [, exit] = yield* Effect.all([other, Effect.exit(call)], { concurrency: "unbounded" })
    yield* other
    return yield* exit
  })

/** Stores of runs, webhooks, rate limits and repeated creates. */
export const aroundOperations: ReadonlyArray<Operation> = [
  spine(
    "create",
    "runs.create, in a store in memory",
    spineCreate,
    ({ runs }, { storage }) => onlyOnce(storage.memory, runs.create({ prompt: "Compare" })),
    { on: memory }
  ),
  spine(
    "create",
    "runs.create, in a store of files",
    spineCreate,
    ({ runs }, { storage }) => onlyOnce(storage.files, runs.create({ prompt: "Compare" })),
    { on: memoryAndFetch }
  ),
  tela(
    "create",
    "execute async, in a store of files",
    completions,
    (client, caller) => onlyOnce(caller.storage.files, executed(client, caller)),
    { on: memory }
  ),
  spine(
    "wait",
    "runs.waitForCompletion, in a store in memory",
    spinePolls,
    ({ runs }, caller) =>
      tracked(
        caller.storage.memory,
        runs.create({ prompt: "Compare" }),
        (ref) => Effect.map(runs.waitForCompletion(ref, spineWait(caller)), ended)
      ),
    { before: 1, on: memory }
  ),
  tela(
    "wait",
    "execute async: result, in a store of files",
    telaPolls,
    (client, caller) =>
      Effect.suspend(() => {
        let wait: Effect.Effect<unknown, unknown> = Effect.never
        const create = Effect.tap(executed(client, caller), ({ result }) => Effect.sync(() => wait = result))
        return tracked(caller.storage.files, create, () => wait)
      }),
    { before: 1, like: "tela execute async: result", on: memoryAndFetch }
  ),
  spine(
    "wait",
    "runs.waitForCompletion, with webhooks",
    spinePolls,
    ({ runs }, caller) =>
      Effect.flatMap(
        spineRef,
        (ref) =>
          whilePushed(caller, "spine", ids.run, Effect.map(runs.waitForCompletion(ref, spineWait(caller)), ended))
      ),
    { client: "webhooks", on: memoryAndFetch }
  ),
  tela(
    "wait",
    "execute async: result, with webhooks",
    telaPolls,
    (client, caller) =>
      Effect.flatMap(
        canvasOf(client).execute({}, { async: true, ...telaWait(caller), pollingInterval: rarely(caller) }),
        ({ result }) => whilePushed(caller, "tela", ids.execution, result)
      ),
    { before: 1, client: "webhooks", like: "tela execute async: result", on: memory }
  ),
  spine(
    "read",
    "canvases.getTask, under a rate limit",
    /\/tasks\/./,
    ({ canvases }) =>
      limited(
        Effect.map(canvases.getTask(ids.canvas, ids.task), (task) => task.name),
        canvases.getDag(ids.canvas)
      ),
    { before: 1, client: "rate limit", on: memory }
  ),
  spine(
    "create",
    "runs.create, under a rate limit",
    spineCreate,
    ({ canvases, runs }) =>
      limited(
        Effect.map(runs.create({ prompt: "Compare" }), (run) => run.run_id),
        canvases.getDag(ids.canvas)
      ),
    { before: 1, client: "rate limit", on: memory }
  ),
  tela(
    "wait",
    "execute async: result, under a rate limit",
    telaPolls,
    (client, caller) =>
      limited(Effect.flatMap(executed(client, caller), ({ result }) => result), client.versions.get(ids.version)),
    { before: 2, client: "rate limit", like: "tela execute async: result", on: memory }
  ),
  spine(
    "create",
    "runs.create, repeated",
    spineCreate,
    ({ runs }) => Effect.map(runs.create({ prompt: "Compare" }), (run) => run.run_id),
    { client: "repeated creates" }
  ),
  tela(
    "create",
    "execute async, repeated",
    completions,
    (client, caller) => Effect.map(executed(client, caller), ({ id }) => id),
    { client: "repeated creates", on: memory }
  )
]

export const operations: ReadonlyArray<Operation> = [...spineOperations, ...telaOperations, ...aroundOperations]
