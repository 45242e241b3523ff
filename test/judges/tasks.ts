/** The tasks of the judge's tools: in memory, because those tools are no runs. The wire is that of `canvas-runs mcp`. */
import { Clock, Effect } from "effect"
import { McpRequestContext } from "effect/ai/McpSchema"
import { CurrentCall, type DetailedTask, extension, type Tasks } from "../../src/ai/internal/tasksProtocol.ts"

type Ending = { readonly result: Record<string, unknown> } | { readonly error: Record<string, unknown> }

interface Kept {
  readonly createdAt: number
  changedAt: number
  /** The requests that the client has not answered. */
  readonly inputs: Map<string, unknown>
  readonly answers: Record<string, unknown>
  /** The end of the task, from this time on. */
  readonly ending: (answers: Record<string, unknown>) => Ending
  readonly endsAt: number
  isCancelled: boolean
}

const kept = new Map<string, Kept>()

/** Whether the caller of the current tool accepts a task. */
export const acceptsTask = Effect.map(
  McpRequestContext,
  ({ clientCapabilities: { extensions } }) => extensions?.[extension] !== undefined
)

/** Answers the current call with a task that ends after `seconds`, when all of `inputs` are answered. */
export const answerWithTask = Effect.fnUntraced(function*(options: {
  readonly seconds: number
  readonly inputs?: Record<string, unknown>
  readonly ending: Kept["ending"]
}) {
  const now = yield* Clock.currentTimeMillis
  const taskId = crypto.randomUUID()
  kept.set(taskId, {
    createdAt: now,
    changedAt: now,
    inputs: new Map(Object.entries(options.inputs ?? {})),
    answers: {},
    ending: options.ending,
    endsAt: now + options.seconds * 1000,
    isCancelled: false
  })
  const call = yield* CurrentCall
  call?.answerWith({ ...fieldsOf(taskId, kept.get(taskId)!), status: "working" })
})

const fieldsOf = (taskId: string, { changedAt, createdAt }: Kept) => ({
  taskId,
  createdAt: new Date(createdAt).toISOString(),
  lastUpdatedAt: new Date(changedAt).toISOString(),
  ttlMs: 600_000,
  pollIntervalMs: 200
})

const stateOf = (taskId: string, task: Kept, now: number): DetailedTask => {
  const fields = fieldsOf(taskId, task)
  if (task.isCancelled) return { ...fields, status: "cancelled" }
  if (task.inputs.size > 0) {
    return { ...fields, status: "input_required", inputRequests: Object.fromEntries(task.inputs) }
  }
  if (now < task.endsAt) return { ...fields, status: "working" }
  const ending = task.ending(task.answers)
  return "result" in ending ? { ...fields, status: "completed", ...ending } : { ...fields, status: "failed", ...ending }
}

const change = (taskId: string, how: (task: Kept, now: number) => void) =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    const task = kept.get(taskId)
    if (task === undefined) return undefined
    how(task, now)
    task.changedAt = now
    return true as const
  })

export const tasks: Tasks = {
  get: (taskId) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const task = kept.get(taskId)
      return task === undefined ? undefined : stateOf(taskId, task, now)
    }),
  update: (taskId, inputResponses) =>
    change(taskId, (task) => {
      for (const [key, answer] of Object.entries(inputResponses)) {
        if (task.inputs.delete(key)) task.answers[key] = answer
      }
    }),
  cancel: (taskId) =>
    change(taskId, (task, now) => {
      const { status } = stateOf(taskId, task, now)
      if (status === "working" || status === "input_required") task.isCancelled = true
    })
}
