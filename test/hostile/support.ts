/** Providers with random responses, and the allowed results of a client: a value, or a typed failure. */
import { assert } from "@effect/vitest"
import { Cause, Effect, Exit, Option, Random as EffectRandom, Redacted, Schedule, Schema, Stream } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import { RunError, type Spine, Tela, type Webhooks } from "canvas-runs"
import * as SpineGraph from "canvas-runs/spine/SpineGraph"
import { Emulator, SpineEmulator, TelaEmulator, Timeline } from "canvas-runs/testing"
import type * as Random from "../support/random.ts"
import { clientsOn } from "../support/clients.ts"
import { answering } from "../support/http.ts"

/** The key of both clients. Responses may contain it. */
export const key = "sk_spine_planted_hostile_secret"
export const maxResponseBytes = 1024 * 1024

const Output = Schema.Struct({ total: Schema.Finite })

export interface Clients {
  readonly spine: Spine.Service
  readonly tela: Tela.Service
}

/** The ids and arguments of the calls. */
export interface Subjects {
  readonly run: string
  readonly canvas: string
  readonly task: string
  readonly artifact: Spine.Artifact
  readonly telaCanvas: string
  readonly version: string
  readonly application: string
  readonly execution: string
  readonly telaTask: string
  readonly file: string
}

/** One call of every endpoint, and of every function that uses several. */
export interface Endpoint {
  readonly name: string
  readonly call: (clients: Clients, subjects: Subjects) => Effect.Effect<unknown, unknown>
}

const endpoint = <E>(
  name: string,
  call: (clients: Clients, subjects: Subjects) => Effect.Effect<unknown, E> | Stream.Stream<unknown, E>
): Endpoint => ({
  name,
  call: (clients, subjects) => {
    const called = call(clients, subjects)
    return Effect.isEffect(called) ? called : Stream.runCollect(called)
  }
})

const canvas = ({ tela }: Clients, { telaCanvas: id }: Subjects) => tela.canvas.make({ id })
const validating = ({ tela }: Clients, { telaCanvas: id }: Subjects) => tela.canvas.make({ id, output: Output })

export const endpoints: ReadonlyArray<Endpoint> = [
  endpoint("Spine runs.create", ({ spine }) => spine.runs.create({ prompt: "x", files: [new Uint8Array([97])] })),
  endpoint("Spine runs.retrieve", ({ spine }, { run }) => spine.runs.retrieve(run)),
  endpoint(
    "Spine canvases.getDag",
    ({ spine }, { canvas }) => Effect.map(spine.canvases.getDag(canvas), SpineGraph.fromCanvas)
  ),
  endpoint("Spine canvases.getTasks", ({ spine }, { canvas }) => spine.canvases.getTasks(canvas)),
  endpoint("Spine canvases.getTask", ({ spine }, { canvas, task }) => spine.canvases.getTask(canvas, task)),
  endpoint("Spine artifacts.download", ({ spine }, { artifact, run }) => spine.artifacts.download(run, artifact)),
  endpoint("Tela canvas.get", ({ tela }, { telaCanvas: id }) => tela.canvas.get({ id })),
  endpoint("Tela canvas.get, of a version", ({ tela }, { version }) => tela.canvas.get({ versionId: version })),
  endpoint(
    "Tela canvas.get, of an application",
    ({ tela }, { application }) => tela.canvas.get({ applicationId: application })
  ),
  endpoint(
    "Tela canvas.get, with schemas",
    ({ tela }, { telaCanvas: id }) =>
      tela.canvas.get({ id, input: Schema.Struct({ a: Schema.String }), output: Output })
  ),
  endpoint("Tela execute, sync", (clients, subjects) => canvas(clients, subjects).execute({ a: "1" })),
  endpoint("Tela execute, sync, validated", (clients, subjects) => validating(clients, subjects).execute({ a: "1" })),
  endpoint(
    "Tela execute, async",
    (clients, subjects) => canvas(clients, subjects).execute({ a: "1" }, { async: true })
  ),
  endpoint(
    "Tela execute, of an application",
    ({ tela }, { application }) => tela.canvas.make({ applicationId: application }).execute({ a: "1" })
  ),
  endpoint(
    "Tela execute, with a file",
    (clients, subjects) => canvas(clients, subjects).execute({ a: Tela.file(new Uint8Array([97])) })
  ),
  endpoint("Tela stream", (clients, subjects) => canvas(clients, subjects).stream({ a: "1" })),
  endpoint("Tela stream, validated", (clients, subjects) => validating(clients, subjects).stream({ a: "1" })),
  endpoint("Tela getExecution", (clients, subjects) => canvas(clients, subjects).getExecution(subjects.execution)),
  endpoint(
    "Tela getExecution, of a task",
    (clients, subjects) => canvas(clients, subjects).getExecution(subjects.telaTask, { isTask: true })
  ),
  endpoint(
    "Tela tasks.create",
    ({ tela }, { application }) => tela.tasks.create(application, [{ name: "x", variables: { a: "1" } }])
  ),
  endpoint("Tela tasks.get", ({ tela }, { telaTask }) => tela.tasks.get(telaTask)),
  endpoint("Tela tasks.list", ({ tela }) => tela.tasks.list()),
  endpoint("Tela tasks.stream", ({ tela }) => Stream.take(tela.tasks.stream(), 500)),
  endpoint("Tela tasks.progress", ({ tela }) => tela.tasks.progress()),
  endpoint("Tela tasks.rename", ({ tela }, { telaTask }) => tela.tasks.rename(telaTask, "y")),
  endpoint(
    "Tela tasks.updateOutputContent",
    ({ tela }, { telaTask }) => tela.tasks.updateOutputContent(telaTask, (content) => ({ content }))
  ),
  endpoint("Tela tasks.getInputFiles", ({ tela }, { telaTask }) => tela.tasks.getInputFiles(telaTask)),
  endpoint("Tela tasks.getOutput", ({ tela }, { telaTask }) => tela.tasks.getOutput(telaTask)),
  endpoint("Tela completionRuns.list", ({ tela }) => tela.completionRuns.list()),
  endpoint("Tela completionRuns.stream", ({ tela }) => Stream.take(tela.completionRuns.stream(), 500)),
  endpoint("Tela versions.get", ({ tela }, { version }) => tela.versions.get(version)),
  endpoint("Tela versions.latest", ({ tela }, { telaCanvas }) => tela.versions.latest(telaCanvas)),
  endpoint("Tela versions.promoted", ({ tela }, { telaCanvas }) => tela.versions.promoted(telaCanvas)),
  endpoint("Tela versions.history", ({ tela }, { telaCanvas }) => tela.versions.history(telaCanvas)),
  endpoint("Tela environments.list", ({ tela }, { telaCanvas }) => tela.environments.list(telaCanvas)),
  endpoint(
    "Tela environments.resolve",
    ({ tela }, { telaCanvas }) => tela.environments.resolve(telaCanvas, "production")
  ),
  endpoint("Tela vault.resolve", ({ tela }, { file }) => tela.vault.resolve(file)),
  endpoint("Tela vault.download", ({ tela }, { file }) => tela.vault.download(file)),
  endpoint("Tela checkCredential", ({ tela }) => tela.checkCredential)
]

/** Both clients on one transport, without retries. */
export const tryingOnce = (client: HttpClient.HttpClient, webhooks?: Webhooks.Service): Effect.Effect<Clients> =>
  clientsOn(client, { apiKey: Redacted.make(key), retry: Schedule.recurs(0), maxResponseBytes, webhooks })

/** Both clients on a transport with this response to each request. */
export const answered = (...answer: Parameters<typeof answering>): Effect.Effect<Clients> =>
  tryingOnce(answering(...answer).client)

// --- the allowed results ---

const classes = Object.values(RunError).filter((value): value is typeof RunError.BadRequestError =>
  typeof value === "function" && value.prototype instanceof Error
)

/** Asserts every promise about failures: a type, bounds, and no secret. */
export const check = (exit: Exit.Exit<unknown, unknown>, context: string): "value" | "failure" => {
  if (Exit.isSuccess(exit)) return "value"
  const error = Option.getOrElse(
    Cause.findErrorOption(exit.cause),
    () => assert.fail(`${context}: a defect: ${Cause.pretty(exit.cause).slice(0, 2000)}`)
  )
  assert.isTrue(classes.some((Class) => error instanceof Class), `${context}: ${String(error).slice(0, 500)}`)
  const { message } = error as Error
  assert.isAtMost(message.length, 10_000, `${context}: a message of ${message.length} characters`)
  for (
    const [place, value] of [["message", message], ["stack", (error as Error).stack], ...Object.entries(error as {})]
  ) {
    assert.notInclude(shown(value), key, `${context}: the key is in the error's ${place}`)
  }
  return "failure"
}

/** All parts of an error that may hold a secret: everything except values that are too deep to be printed. */
const shown = (error: unknown): string => {
  try {
    return JSON.stringify(error) ?? ""
  } catch {
    return ""
  }
}

// --- valid responses ---

/** The response of a provider. */
export interface Recorded {
  readonly status: number
  readonly contentType: string
  readonly text: string
}

/** The objects at the providers, and their responses to each call, in order. */
export interface Recordings {
  readonly subjects: Subjects
  readonly answers: ReadonlyMap<string, ReadonlyArray<Recorded>>
}

/** Makes every call on the emulators, and records the responses. */
export const recordings: Effect.Effect<Recordings> = Effect.gen(function*() {
  const atOnce = Timeline.make({ duration: 0 })
  const spineEmulator = yield* SpineEmulator.make({ script: { timeline: atOnce } })
  const telaEmulator = yield* TelaEmulator.make({ script: { timeline: atOnce, output: { total: 1 } } })
  const emulators = [spineEmulator, telaEmulator].map((emulator) =>
    [emulator.origins, Emulator.toHttpClient(emulator)] as const
  )
  let recorded: Array<Recorded> = []
  const http = HttpClient.make((request, url) =>
    Effect.gen(function*() {
      const [, emulator] = emulators.find(([origins]) => origins.includes(url.origin))!
      const response = yield* emulator.execute(request)
      const text = yield* response.text
      const contentType = response.headers["content-type"] ?? ""
      recorded.push({ status: response.status, contentType, text })
      return HttpClientResponse.fromWeb(
        request,
        new Response(text, { status: response.status, headers: { ...response.headers } })
      )
    })
  )
  const clients = yield* tryingOnce(http)
  const { spine, tela } = clients
  const { run_id: run } = yield* spine.runs.create({ prompt: "x", blocks: ["image-block", "web-research-block"] })
  yield* spine.runs.retrieve(run)
  const completed = yield* spine.runs.retrieve(run)
  if (completed.status !== "completed") return assert.fail("the run has not completed")
  const tree = yield* spine.canvases.getTasks(completed.canvas_id)
  const made = yield* telaEmulator.canvas({
    variables: [{ name: "a" }],
    structuredOutput: { type: "object", properties: { total: { type: "number" } }, required: ["total"] }
  })
  const execution = yield* tela.canvas.make({ id: made.id }).execute(
    { a: Tela.file(new TextEncoder().encode("abc")) },
    { async: true }
  )
  const [task] = yield* tela.tasks.create(made.applicationId, [
    { name: "x", variables: { a: "1" }, outputContent: { total: 2 } }
  ])
  const [file] = yield* telaEmulator.files
  const subjects: Subjects = {
    run,
    canvas: completed.canvas_id,
    task: tree.completed[0]!.task_id,
    artifact: completed.result.artifacts[0]!,
    telaCanvas: made.id,
    version: made.versionIds[0]!,
    application: made.applicationId,
    execution: execution.id,
    telaTask: task.id,
    file: `vault://${file!.id}`
  }
  const answers = new Map<string, ReadonlyArray<Recorded>>()
  for (const { call, name } of endpoints) {
    recorded = []
    const exit = yield* Effect.exit(call(clients, subjects))
    // The bytes of a download are not text, and decoding would damage them
    if (Exit.isFailure(exit) && !name.endsWith("download")) return assert.fail(`${name}: ${Cause.pretty(exit.cause)}`)
    answers.set(name, recorded)
  }
  return { subjects, answers }
}).pipe(Effect.scoped, Effect.orDie, EffectRandom.withSeed("hostile"))

// --- random values ---

const keys = ["__proto__", "constructor", "toString", "id", "status", "data", "success", "error", "a", "", "\u0000"]
const texts = [
  "",
  "x",
  "completed",
  "running",
  "succeeded",
  "\ud800",
  "\u0000",
  "ü🙂",
  "é".repeat(300),
  key
]

/** Any JSON value. */
export const anyJson = (draw: Random.Draw, depth = 3): unknown => {
  const kind = draw.int(0, depth <= 0 ? 4 : 6)
  switch (kind) {
    case 0:
      return null
    case 1:
      return draw.chance(0.5)
    case 2:
      return draw.pick([0, -1, 1, 0.5, 1e308, -1e308, Number.MAX_SAFE_INTEGER, 1e21])
    case 3:
    case 4:
      return draw.pick(texts)
    case 5:
      return Array.from({ length: draw.int(0, 4) }, () => anyJson(draw, depth - 1))
    default:
      return Object.fromEntries(
        Array.from({ length: draw.int(0, 4) }, () => [draw.pick(keys), anyJson(draw, depth - 1)])
      )
  }
}

const places = (value: unknown, path: ReadonlyArray<string> = []): ReadonlyArray<ReadonlyArray<string>> =>
  typeof value !== "object" || value === null ? [path] : [
    path,
    ...Object.entries(value).flatMap(([key, inner]) => places(inner, [...path, key]))
  ]

const changeAt = (value: unknown, path: ReadonlyArray<string>, change: (value: unknown) => unknown): unknown => {
  const [key, ...rest] = path
  if (key === undefined) return change(value)
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => {
      const changed = String(index) === key ? changeAt(item, rest, change) : item
      return changed === absent ? [] : [changed]
    })
  }
  return Object.fromEntries(
    Object.entries(value as object).flatMap(([name, item]) => {
      const changed = name === key ? changeAt(item, rest, change) : item
      return changed === absent ? [] : [[name, changed]]
    })
  )
}

const absent = Symbol("absent")

/** A value with a part removed, replaced, wrapped, duplicated or changed to another type. */
export const mutate = (draw: Random.Draw, value: unknown): unknown => {
  let mutated = value
  for (let times = draw.int(1, 3); times > 0; times--) {
    const path = draw.pick(places(mutated))
    const next = changeAt(mutated, path, (old) => {
      switch (draw.int(0, 7)) {
        case 0:
          return absent
        case 1:
          return [old]
        case 2:
          return { [draw.pick(keys)]: old }
        case 3:
          return String(old)
        case 4:
          return Array.from({ length: draw.int(0, 20) }, () => old)
        case 5:
          return null
        default:
          return anyJson(draw, 2)
      }
    })
    mutated = next === absent ? null : next
  }
  return mutated
}
