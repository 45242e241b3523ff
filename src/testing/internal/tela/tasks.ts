/** The tasks of the Tela emulator: runs that belong to an app and that people review. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type { Exchange } from "../../Exchange.ts"
import type * as TelaScript from "../../TelaScript.ts"
import { user, workspaceId } from "../../TelaScript.ts"
import * as Timeline from "../../Timeline.ts"
import type * as Ends from "../ends.ts"
import { isObject, type JsonObject } from "../json.ts"
import * as routing from "../routing.ts"
import type * as canvases from "./canvases.ts"
import type * as completions from "./completions.ts"
import * as edits from "./edits.ts"
import type * as fileRefs from "./fileRefs.ts"
import * as lists from "./lists.ts"
import * as runs from "./runs.ts"
import * as taskRequests from "./taskRequest.ts"
import * as responses from "./responses.ts"

export interface Task {
  readonly id: string
  readonly reference: number
  readonly canvas: canvases.Canvas
  readonly version: canvases.Version
  readonly request: TelaScript.RunRequest
  readonly echo: JsonObject
  readonly inputContent: JsonObject | undefined
  readonly createdAt: number
  name: string
  tags: ReadonlyArray<string>
  metadata: JsonObject | null
  /** `undefined` if the task was created with an output. */
  run: runs.Run | undefined
  /** The output that the task was created with, or the edited output of the run. */
  outputContent: JsonObject | undefined
  originalOutputContent: JsonObject | undefined
  approvedAt: number | undefined
  /** The time of the last change by a person. */
  touchedAt: number
}

export interface Options {
  readonly bareLists: boolean
  /** Assumption 8. */
  readonly autoComplete: boolean
  readonly newId: () => string
}

export interface Context {
  readonly canvases: canvases.Canvases
  readonly start: completions.Context["start"]
  readonly mimeTypeOf: (ref: fileRefs.FileRef) => string | undefined
  readonly ends: Ends.Ends<runs.Run>
  /** Called for each task whose run starts. */
  readonly started: (task: Task) => Effect.Effect<void>
  readonly approved: (task: Task) => Effect.Effect<void>
}

export interface Tasks {
  readonly routes: ReadonlyArray<routing.Route<responses.Access>>
  readonly all: () => Iterable<Task>
  readonly create: completions.Context["createTask"]
  /** Revokes an approval, and returns the task if it was approved. */
  readonly revokeApproval: (id: string, now: number) => Task | undefined
  readonly status: (task: Task, now: number) => string
  readonly shown: (task: Task, now: number) => Record<string, unknown>
}

type Found = { readonly canvas: canvases.Canvas; readonly version: canvases.Version }

export const make = (options: Options, context: Context): Tasks => {
  const tasks = new Map<string, Task>()

  const status = (task: Task, now: number): string => {
    if (task.approvedAt !== undefined) return "completed"
    if (task.run === undefined) return "validating"
    const { phase, status } = runs.stateOf(task.run, now)
    if (status !== phase) return status
    if (phase === "failed") return "failed"
    return phase === "succeeded" ? options.autoComplete ? "completed" : "validating" : "running"
  }

  const produced = (task: Task, now: number): JsonObject | null => {
    if (task.run === undefined) return null
    const output = runs.outputContent(task.run, runs.stateOf(task.run, now))
    return output === null ? null : { role: output["role"], content: output["content"] }
  }

  const outputContent = (task: Task, now: number) => task.outputContent ?? produced(task, now)

  const updatedAt = (task: Task, now: number): number =>
    Math.max(
      task.touchedAt,
      task.run === undefined ? task.createdAt : runs.stateOf(task.run, now).updatedAt
    )

  const withoutContent = (task: Task, now: number) => ({
    id: task.id,
    reference: task.reference,
    name: task.name,
    status: status(task, now),
    createdBy: user,
    approvedBy: task.approvedAt === undefined ? null : user,
    approvedAt: responses.isoOrNull(task.approvedAt),
    completionRunId: task.run === undefined || task.canvas.isWorkflow ? null : task.run.id,
    workflowRunId: task.run === undefined || !task.canvas.isWorkflow ? null : task.run.id,
    sourceType: "prompt",
    agentId: null,
    agentRef: null,
    agentSessionId: null,
    promptVersionId: task.version.id,
    promptApplicationId: task.canvas.applicationId,
    workspaceId: workspaceId,
    metadata: task.metadata,
    tags: task.tags,
    ...(task.request.label === undefined ? {} : { label: task.request.label }),
    createdAt: responses.iso(task.createdAt),
    updatedAt: responses.iso(updatedAt(task, now))
  })

  const shown = (task: Task, now: number) => ({
    ...withoutContent(task, now),
    rawInput: task.echo,
    inputContent: task.inputContent ?? (task.run === undefined ? null : runs.inputContent(task.run)),
    outputContent: outputContent(task, now),
    originalOutputContent: task.originalOutputContent ?? produced(task, now)
  })

  // A task is running at first, even if its run has zero duration.
  const justCreated = (task: Task): Record<string, unknown> => {
    const row = shown(task, task.createdAt)
    return task.run === undefined || !runs.isOver(runs.stateOf(task.run, task.createdAt).phase)
      ? row
      : { ...row, status: "running", outputContent: null, originalOutputContent: null }
  }

  // --- creation ---

  const add = Effect.fnUntraced(function*(
    exchange: Exchange,
    given: taskRequests.NewTask,
    found: Found
  ): Effect.fn.Return<Task, routing.Refusal> {
    const { outputContent, request } = given
    const run = outputContent === undefined
      ? yield* context.start(exchange, request, given.echo, found)
      : undefined
    const reference = tasks.size + 1
    const task: Task = {
      ...found,
      id: options.newId(),
      reference,
      request,
      echo: given.echo,
      inputContent: given.inputContent,
      createdAt: exchange.now,
      name: given.name ?? request.label ?? `Task ${reference}`,
      tags: request.tags,
      metadata: given.metadata ?? null,
      run,
      outputContent,
      originalOutputContent: outputContent,
      approvedAt: given.approvedAt,
      touchedAt: exchange.now
    }
    tasks.set(task.id, task)
    if (run !== undefined) yield* context.started(task)
    return task
  })

  const target = Effect.fnUntraced(function*(exchange: Exchange, request: TelaScript.RunRequest) {
    const found = yield* context.canvases.resolve({ application_id: request.application_id }, exchange)
    yield* taskRequests.checkVariables(request, found.canvas, context.mimeTypeOf)
    return found
  })

  // Assumption 6: the task itself, not an array with it.
  const create: Tasks["create"] = Effect.fnUntraced(function*(exchange, request, echo) {
    const found = yield* target(exchange, request)
    const task = yield* add(exchange, { request, echo: taskRequests.withFileLists(echo) }, found)
    return responses.ok(justCreated(task))
  })

  const createMany: routing.Handler = Effect.fnUntraced(function*(exchange) {
    const body = yield* responses.readJson(exchange)
    const items: ReadonlyArray<unknown> = Array.isArray(body) ? body : [body]
    if (items.length < 1 || items.length > 100) {
      return yield* responses.badRequest("1 to 100 tasks can be created at once")
    }
    const given = yield* Effect.forEach(items, taskRequests.parse)
    if (new Set(given.map(({ request }) => request.application_id?.toLowerCase())).size > 1) {
      return yield* responses.badRequest("The tasks must share one promptApplicationId")
    }
    // All tasks are created, or none.
    const checked = yield* Effect.forEach(
      given,
      (item) => Effect.map(target(exchange, item.request), (found) => ({ item, found }))
    )
    const created = yield* Effect.forEach(checked, ({ found, item }) => add(exchange, item, found))
    return responses.ok(created.map(justCreated))
  })

  // --- reading ---

  const find = (id: string): Effect.Effect<Task, routing.Refusal> => {
    const task = tasks.get(id.toLowerCase())
    return task === undefined ? responses.notFound("Task", id) : Effect.succeed(task)
  }

  const retrieve: routing.Handler<"id"> = Effect.fnUntraced(function*(exchange, { id }) {
    const task = yield* find(id)
    if (task.run !== undefined) {
      runs.poll(task.run, exchange.now)
      yield* context.ends.check(task.run)
    }
    return responses.ok({
      ...shown(task, exchange.now),
      ...(exchange.url.searchParams.get("includeAnalytics") === "true"
        ? { analytics: { edits: editedFields(task).length, duration: updatedAt(task, exchange.now) - task.createdAt } }
        : {})
    })
  })

  const list: routing.Handler = Effect.fnUntraced(function*(exchange) {
    const { now, url: { searchParams: query } } = exchange
    const page = yield* lists.page(query, { initial: 20, max: 100 })
    const created = yield* lists.range(query, "createdAt")
    const updated = yield* lists.range(query, "updatedAt")
    const approved = yield* lists.range(query, "approvedAt")
    const since = yield* lists.time(query, "since")
    const until = yield* lists.time(query, "until")
    const orderBy = query.get("orderBy") ?? "createdAt"
    const order = query.get("order") ?? "desc"
    const keyOf = sortKeys.get(orderBy)
    if (keyOf === undefined) {
      return yield* responses.badRequest(`orderBy must be one of ${Array.from(sortKeys.keys()).join(", ")}`)
    }
    if (order !== "asc" && order !== "desc") return yield* responses.badRequest("order must be asc or desc")

    const name = query.get("taskName")?.toLowerCase()
    const among = (parameter: string, value: string | undefined) => {
      const values = lists.values(query, parameter)
      return values === undefined || (value !== undefined && values.includes(value))
    }
    const tags = lists.values(query, "tags")
    const found = Array.from(tasks.values(), (task) => ({ task, row: withoutContent(task, now) }))
      .filter(({ row, task }) =>
        among("ids", task.id) && among("status", row.status) &&
        (name === undefined || task.name.toLowerCase().includes(name)) &&
        (tags === undefined || tags.some((tag) => task.tags.includes(tag))) &&
        among("promptApplicationId", row.promptApplicationId) && among("promptVersionId", row.promptVersionId) &&
        among("completionRunId", row.completionRunId ?? undefined) && among("createdBy", row.createdBy) &&
        among("approvedBy", row.approvedBy ?? undefined) && created(task.createdAt) &&
        updated(updatedAt(task, now)) && approved(task.approvedAt) &&
        (since === undefined || (task.approvedAt !== undefined && task.approvedAt >= since)) &&
        (until === undefined || (task.approvedAt !== undefined && task.approvedAt <= until))
      )
      .sort((a, b) => {
        const [left, right] = [keyOf(a.row), keyOf(b.row)]
        const ascending = left < right ? -1 : left > right ? 1 : a.task.reference - b.task.reference
        return order === "asc" ? ascending : -ascending
      })
    const light = query.get("excludeInputOutputColumns") === "true"
    return responses.ok(
      lists.envelope(found, page, ({ row, task }) => light ? row : shown(task, now), options.bareLists)
    )
  })

  const progress: routing.Handler = Effect.fnUntraced(function*({ now, url: { searchParams: query } }) {
    const page = yield* lists.page(query, { initial: 20, max: 100 })
    const application = query.get("promptApplicationId")?.toLowerCase()
    const version = query.get("promptApplicationVersionId")?.toLowerCase()
    const found = Array.from(tasks.values()).filter((task) =>
      (application === undefined || task.canvas.applicationId.toLowerCase() === application) &&
      (version === undefined || task.version.id.toLowerCase() === version)
    )
    return responses.ok({
      data: found.slice(page.offset, page.offset + page.limit).map((task) => {
        const { completed, total } = task.run === undefined
          ? { completed: 1, total: 1 }
          : Timeline.at(task.run.timeline, runs.elapsedMillis(task.run, now)).progress
        return {
          taskId: task.id,
          promptApplicationId: task.canvas.applicationId,
          status: status(task, now),
          progress: {
            currentStep: completed,
            percentage: total === 0 ? 100 : Math.round(100 * completed / total),
            totalSteps: total
          },
          currentStepInfo: null
        }
      }),
      metadata: { total: found.length, ...page }
    })
  })

  // --- changing ---

  const updateFailed = (message: string) => responses.refuse(400, "UPDATE_FAILED", message)

  const update: routing.Handler<"id"> = Effect.fnUntraced(function*(exchange, { id }) {
    const { now } = exchange
    const task = yield* find(id)
    const body = yield* responses.readObject(exchange)
    const wrong = responses.wrongMember(body, { name: "string", tags: "strings", outputContent: "object" })
    if (wrong !== undefined) return yield* responses.badRequest(wrong)
    const { name, outputContent: patch, status: wanted, tags } = body
    if (wanted !== undefined && wanted !== "completed") {
      return yield* responses.badRequest(`status must be "completed", which approves the task`)
    }
    const current = status(task, now)
    if (current !== "validating" && current !== "completed" && current !== "failed") {
      return yield* updateFailed(`A task that is ${current} cannot be changed`)
    }
    if (wanted !== undefined && current === "failed") return yield* updateFailed("A failed task cannot be approved")
    if (Predicate.isString(name)) task.name = name
    if (tags !== undefined) task.tags = tags as ReadonlyArray<string>
    if (isObject(patch)) {
      const before = outputContent(task, now)
      const { changes, value } = edits.merge(before, patch, [])
      task.originalOutputContent ??= before ?? undefined
      task.outputContent = { role: "assistant", ...value as JsonObject }
      task.metadata = {
        ...task.metadata,
        editedFields: [
          ...editedFields(task),
          ...changes.map(({ path, previousValue }) => ({
            path,
            author: user,
            editedAt: responses.iso(now),
            previousValue
          }))
        ]
      }
    }
    task.touchedAt = now
    if (wanted !== undefined && task.approvedAt === undefined) {
      task.approvedAt = now
      yield* context.approved(task)
    }
    return responses.ok(shown(task, now))
  })

  // Assumption 28.
  const rerun: routing.Handler<"id"> = Effect.fnUntraced(function*(exchange, { id }) {
    const task = yield* find(id)
    const current = status(task, exchange.now)
    if (current !== "failed" && current !== "validating") {
      return yield* responses.badRequest(`A task that is ${current} cannot be run again`)
    }
    task.run = yield* context.start(exchange, task.request, task.echo, task)
    task.outputContent = undefined
    task.originalOutputContent = undefined
    task.touchedAt = exchange.now
    yield* context.started(task)
    return responses.ok(shown(task, exchange.now))
  })

  return {
    routes: routing.routes("bearer", {
      "POST /task": createMany,
      "GET /task": list,
      "GET /task/progress": progress,
      // Assumption 7
      "GET /task/:id": retrieve,
      "PATCH /task/:id": update,
      "POST /task/:id/rerun": rerun
    }),
    all: () => tasks.values(),
    create,
    revokeApproval: (id, now) => {
      const task = tasks.get(id.toLowerCase())
      if (task?.approvedAt === undefined) return undefined
      task.approvedAt = undefined
      task.touchedAt = now
      return task
    },
    status,
    shown
  }
}

type Row = { readonly [name: string]: unknown }

const sortKeys: ReadonlyMap<string, (row: Row) => string | number> = new Map<string, (row: Row) => string | number>([
  ...["createdAt", "updatedAt", "approvedAt", "name", "status"].map((name) =>
    [name, (row: Row) => String(row[name] ?? "")] as const
  ),
  ["reference", (row: Row) => Number(row["reference"])]
])

const editedFields = (task: Task): ReadonlyArray<unknown> => {
  const fields = task.metadata?.["editedFields"]
  return Array.isArray(fields) ? fields : []
}
