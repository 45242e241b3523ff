/** The routes of the Tela emulator, and the start of a run, which completions and tasks share. */
import * as Effect from "effect/Effect"
import type * as TelaScript from "../../TelaScript.ts"
import { user, workspaceId } from "../../TelaScript.ts"
import type * as Provider from "../provider.ts"
import * as routing from "../routing.ts"
import * as rudeDeliveries from "../rude/deliveries.ts"
import * as Scripts from "../scripts.ts"
import * as canvases from "./canvases.ts"
import * as canvasRoutes from "./canvasRoutes.ts"
import * as completions from "./completions.ts"
import * as files from "./files.ts"
import * as runs from "./runs.ts"
import * as streams from "./stream.ts"
import * as tasks from "./tasks.ts"
import * as vault from "./vault.ts"
import * as webhooks from "./webhooks.ts"
import * as responses from "./responses.ts"

export interface Settings extends canvases.Options, completions.Options, files.Settings, Omit<tasks.Options, "newId"> {
  readonly speed: number
}

export type Shared = Provider.Shared<TelaScript.RunRequest, TelaScript.Script, runs.Run, files.Grant>

export interface Api {
  readonly serve: routing.Serve
  readonly canvases: canvases.Canvases
  readonly runs: () => Iterable<runs.Run>
  readonly streams: () => Iterable<{ readonly run: runs.Run; readonly progress: streams.Progress }>
  readonly tasks: tasks.Tasks
  readonly files: () => Iterable<files.StoredFile>
  /** Sends an event of a task to the subscribers of its app. */
  readonly emit: (event: string, task: tasks.Task) => Effect.Effect<void>
}

export const make = (settings: Settings, shared: Shared): Api => {
  const { ends, has, keys, newId, now, scripts } = shared
  const allRuns = new Map<string, runs.Run>()
  const allStreams: Array<{ readonly run: runs.Run; readonly progress: streams.Progress }> = []
  const known = canvases.make(settings)
  const stored = files.make(settings, shared.links)
  const hooks = webhooks.make(settings, shared, known)

  const callWebhook = (run: runs.Run): Effect.Effect<void> => {
    const url = run.request.webhook_url
    if (url === undefined) return Effect.void
    return Effect.flatMap(
      now,
      (now) =>
        hooks.call({ url, headers: run.forward, body: runs.shown(run, runs.stateOf(run, now)), subjectId: run.id })
    )
  }

  const emit = (event: string, task: tasks.Task): Effect.Effect<void> =>
    Effect.flatMap(now, (now) => hooks.emit(event, task, allTasks.shown(task, now)))

  const start: completions.Context["start"] = Effect.fnUntraced(
    function*(exchange, request, echo, { canvas, version }) {
      const inputs = yield* stored.inputs(request)
      const run = runs.make({
        id: newId("run"),
        exchange,
        request,
        canvas,
        version,
        echo,
        files: inputs,
        script: scripts.of(request, { output: canvas.output }, Scripts.resolve(canvas.script ?? {}, request)),
        speed: settings.speed
      })
      allRuns.set(run.id, run)
      if (request.mode === "async" && request.webhook_url !== undefined) yield* ends.onEnd(run, callWebhook(run))
      yield* rudeDeliveries.beforeAnswer(has)
      return run
    }
  )

  const allTasks = tasks.make({ ...settings, newId: () => newId("task") }, {
    canvases: known,
    start,
    ends,
    mimeTypeOf: stored.mimeTypeOf,
    started: (task) => {
      const { run } = task
      return run === undefined ? Effect.void : ends.onEnd(
        run,
        Effect.andThen(callWebhook(run), emit(run.failure === undefined ? "task.completed" : "task.failed", task))
      )
    },
    approved: (task) => emit("task.approved", task)
  })

  return {
    canvases: known,
    runs: () => allRuns.values(),
    streams: () => allStreams,
    tasks: allTasks,
    files: stored.all,
    emit,
    serve: routing.make<responses.Access>({
      routes: [
        ...routing.routes("bearer", {
          "GET /api-key": () => Effect.succeed(responses.ok({ workspaceId, role: "member", email: user }))
        }),
        ...completions.make(settings, {
          canvases: known,
          runs: allRuns,
          start,
          createTask: allTasks.create,
          ends,
          respond: (run) => {
            const progress: streams.Progress = { state: "open", pieces: 0 }
            allStreams.push({ run, progress })
            return streams.respond(run, { progress, has })
          }
        }),
        ...canvasRoutes.make(known, settings.bareLists),
        ...stored.routes,
        ...vault.make(stored),
        ...allTasks.routes,
        ...hooks.routes
      ],
      emptyParameters: false,
      authenticate: ({ now, request }, access) => {
        if (access === "token") return Effect.succeed("")
        const key = responses.apiKey(request.headers, access)
        if (key.trim() === "") return responses.refuse(401, "UNAUTHORIZED", "An API key is required")
        return keys.accepts(key, now)
          ? Effect.succeed(key)
          : responses.refuse(401, "UNAUTHORIZED", "The API key is invalid")
      },
      notFound: () => responses.refuse(404, "NOT_FOUND", "There is nothing here"),
      notAllowed: (allow) => responses.refuse(405, "METHOD_NOT_ALLOWED", "Method not allowed", { allow })
    })
  }
}
