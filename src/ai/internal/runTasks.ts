/**
 * Runs as MCP tasks. A task is an entry of the `RunStore` under an id that cannot be guessed. Its state is what the provider reports
 * about the run. Any process on the same store can answer for it, and a process that is killed loses nothing.
 */
import { InternalError } from "effect/ai/McpSchema"
import * as Cache from "effect/Cache"
import * as Clock from "effect/Clock"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { Service as BudgetService } from "../../Budget.ts"
import * as Adaptive from "../../internal/polling/adaptive.ts"
import { runOf, type RunRef } from "../../internal/ref.ts"
import type { Progress } from "../../RunSource.ts"
import type * as RunStore from "../../RunStore.ts"
import { type Observed, type Observer, type ToolCause, toolError } from "./provider.ts"
import type { DetailedTask, Task, Tasks } from "./tasksProtocol.ts"

/** How long a task stays usable at least: from now on while its run has not ended, and from its end afterwards. */
const retentionMillis = Duration.toMillis(Duration.hours(24))

/** The time after which a run that the provider does not find is gone, and not merely new. */
const graceMillis = 30_000

/** A second poll of the same task within this time makes no request. */
const freshMillis = 1_000

/** How many tasks a process remembers, to see when their progress changed. Any other task is only polled once more. */
const remembered = 1_000

const idForm = /^mcp-[A-Za-z0-9_-]{32}$/

/** Makes the id of a task, with 192 random bits. It is also the key of its entry. */
export const newId: Effect.Effect<string> = SecureRandom.SecureRandom.use(({ randomBytes }) => randomBytes(24)).pipe(
  Effect.map((bytes) => `mcp-${Base64Url.encode(bytes)}`),
  Effect.provide(SecureRandom.layerWebCrypto)
)

/** The key of the mark that a task was cancelled. */
const cancelKey = (taskId: string): string => `${taskId}:cancelled`

const untilNextPoll = Adaptive.make({ pastDurations: [], targetLatency: 2_500, min: 1_000, max: 60_000 })

/** The fields that every state of a task has. `changedAt` is when the progress last changed. */
const fieldsOf = (
  taskId: string,
  ref: RunRef,
  times: {
    readonly now: number
    readonly createdAt: number
    readonly changedAt: number
    readonly endedAt?: number | undefined
  },
  progress?: Progress
) => {
  const { changedAt, createdAt, endedAt, now } = times
  const age = Duration.millis(Math.max(0, now - createdAt))
  const fields = {
    taskId,
    createdAt: new Date(createdAt).toISOString(),
    lastUpdatedAt: new Date(endedAt ?? changedAt).toISOString(),
    ttlMs: Math.max(0, Math.floor((endedAt ?? now) - createdAt)) + retentionMillis
  }
  if (endedAt !== undefined) return fields
  const { estimatedDurationMs } = ref
  const millis = untilNextPoll({
    ref,
    snapshot: undefined,
    progress,
    sinceProgress: Duration.millis(Math.max(0, now - changedAt)),
    polls: 1,
    failures: 0,
    elapsed: age,
    age,
    estimate: estimatedDurationMs === undefined ? undefined : Duration.millis(estimatedDurationMs),
    remaining: Duration.infinity
  })
  return { ...fields, pollIntervalMs: Math.ceil(millis) }
}

/** The task of a run that was stored just now. */
export const created = (taskId: string, ref: RunRef): Effect.Effect<Task> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    const createdAt = ref.createdAt ?? now
    return {
      ...fieldsOf(taskId, ref, { now, createdAt, changedAt: createdAt }),
      status: "working",
      statusMessage: `The run ${ref.id} was started.`
    }
  })

/** Marks the entries of a run that has ended as finished, and stores its cost. A failure is logged, because the result counts more. */
export const ended = (
  store: RunStore.Service,
  budget: BudgetService | undefined,
  ref: RunRef,
  credits: number | undefined
): Effect.Effect<void> =>
  Effect.gen(function*() {
    const entries = yield* store.list({ state: "Created", provider: ref.provider })
    const keys = entries.flatMap((entry) => "ref" in entry && runOf(entry.ref) === runOf(ref) ? [entry.key] : [])
    if (keys.length > 0 && budget !== undefined) yield* budget.settle(ref, credits)
    yield* Effect.forEach(keys, (key) => store.complete(key))
  }).pipe(Effect.catch((error) => Effect.logWarning(`canvas-runs: ${error.message}`)))

type Entry = Extract<RunStore.Entry, { readonly ref: RunRef }>

/** What the last poll of a run said. */
type Polled = Exclude<Observed, { readonly _tag: "Pending" }> | {
  readonly _tag: "Pending"
  readonly progress: Progress | undefined
  /** Why the state is not known at the moment. */
  readonly note?: string
}

interface Change {
  readonly progress: Progress | undefined
  readonly at: number
}

/** The tasks of these providers, in a store. */
export const make = Effect.fnUntraced(function*(
  store: RunStore.Service,
  budget: BudgetService | undefined,
  providers: ReadonlyArray<Observer>
) {
  /** The last progress of each task, and when it changed, as this process saw it. */
  const changes = new Map<string, Change>()

  const changeOf = (taskId: string, progress: Progress | undefined, createdAt: number, now: number): Change => {
    const before = changes.get(taskId)
    if (before !== undefined && JSON.stringify(before.progress) === JSON.stringify(progress)) return before
    const at = before === undefined && (progress?.completed ?? 0) === 0 ? createdAt : now
    const change = { progress, at }
    changes.set(taskId, change)
    const [oldest] = changes.keys()
    if (changes.size > remembered && oldest !== undefined) changes.delete(oldest)
    return change
  }

  const poll = Effect.fnUntraced(function*(key: string): Effect.fn.Return<Polled, InternalError> {
    const ref = JSON.parse(key) as RunRef
    const provider = providers.find(({ name }) => name === ref.provider)
    if (provider === undefined) {
      return yield* new InternalError({
        message:
          `The run ${ref.id} is one of ${ref.provider}, and this server has no API key for it. Restart the server with that key.`
      })
    }
    const observed = yield* Effect.result(provider.observe(ref))
    if (Result.isSuccess(observed)) {
      const polled = observed.success
      if (polled._tag !== "Pending") {
        yield* ended(store, budget, ref, polled._tag === "Ended" ? polled.credits : undefined)
      }
      return polled
    }
    const error = observed.failure
    const isMissing = error._tag === "NotFoundError"
    const isNew = (yield* Clock.currentTimeMillis) - (ref.createdAt ?? 0) < graceMillis
    if (error.isRetryable === true || isMissing && isNew) {
      return { _tag: "Pending", progress: undefined, note: `The last request failed: ${error.message}` }
    }
    if (isMissing) return { _tag: "Failed", error: toolError(error, ref.id) }
    return yield* new InternalError({ message: error.message })
  })

  const polls = yield* Cache.makeWith(poll, {
    capacity: remembered,
    timeToLive: (exit) => Exit.isSuccess(exit) && exit.value._tag === "Pending" ? freshMillis : freshMillis * 10
  })

  const entryOf = (taskId: string): Effect.Effect<Entry | undefined, InternalError> =>
    idForm.test(taskId)
      ? Effect.map(ask(store.get(taskId)), (entry) => entry !== undefined && "ref" in entry ? entry : undefined)
      : Effect.succeed(undefined)

  const get = Effect.fnUntraced(function*(taskId: string): Effect.fn.Return<DetailedTask | undefined, InternalError> {
    const entry = yield* entryOf(taskId)
    if (entry === undefined) return undefined
    const { ref } = entry
    const createdAt = ref.createdAt ?? entry.intendedAt
    const mark = yield* ask(store.get(cancelKey(taskId)))
    const now = yield* Clock.currentTimeMillis
    if (mark?._tag === "Refused") {
      return {
        ...fieldsOf(taskId, ref, { now, createdAt, changedAt: mark.finishedAt, endedAt: mark.finishedAt }),
        status: "cancelled",
        statusMessage:
          `The server stopped waiting. It did not cancel the run ${ref.id}: the provider has no call for that. The run ` +
          `continues and is billed, and ${ref.provider}_result returns its output.`
      }
    }
    const observed = yield* Cache.get(polls, JSON.stringify(ref))
    if (observed._tag === "Pending") {
      const { note } = observed
      // A poll that failed says nothing about the progress
      const { at, progress } = note === undefined
        ? changeOf(taskId, observed.progress, createdAt, now)
        : changes.get(taskId) ?? { at: createdAt, progress: undefined }
      return {
        ...fieldsOf(taskId, ref, { now, createdAt, changedAt: at }, progress),
        status: "working",
        statusMessage: statusMessage(ref, now - createdAt, progress, note)
      }
    }
    const endedAt = entry._tag === "Finished" ? entry.finishedAt : now
    return {
      ...fieldsOf(taskId, ref, { now, createdAt, changedAt: endedAt, endedAt }),
      status: "completed",
      statusMessage: observed._tag === "Ended" ? observed.report.message : observed.error.message,
      result: observed._tag === "Ended" ? resultOf(observed.report, false) : resultOf({ ...observed.error }, true)
    }
  })

  const cancel = Effect.fnUntraced(function*(taskId: string) {
    const entry = yield* entryOf(taskId)
    if (entry === undefined) return undefined
    const observed = yield* Effect.exit(Cache.get(polls, JSON.stringify(entry.ref)))
    const hasEnded = Exit.isSuccess(observed) && observed.value._tag !== "Pending"
    const key = cancelKey(taskId)
    if (!hasEnded && (yield* ask(store.get(key))) === undefined) yield* ask(store.refuse(key))
    return true as const
  })

  const tasks: Tasks = {
    get,
    cancel,
    // A run never asks its client for anything, so there is nothing to answer
    update: (taskId) => Effect.map(entryOf(taskId), (entry) => entry === undefined ? undefined : true as const)
  }
  return tasks
})

/** The result of the tool, as the answer to a call without a task has it. */
const resultOf = (value: object, isError: boolean) => {
  const text = JSON.stringify(value)
  return {
    content: [{ type: "text", text }],
    isError,
    ...(isError ? undefined : { structuredContent: JSON.parse(text) as unknown })
  }
}

const statusMessage = (ref: RunRef, age: number, progress: Progress | undefined, note: string | undefined): string => {
  const minutes = (millis: number) => millis < 60_000 ? "less than 1 min" : `${Math.round(millis / 60_000)} min`
  const { estimatedDurationMs } = ref
  return [
    `The run ${ref.id} continues`,
    ...(progress === undefined || progress.total === 0
      ? []
      : [`${progress.completed} of ${progress.total} tasks are done`]),
    `it is ${minutes(age)} old`,
    ...(estimatedDurationMs === undefined ? [] : [`the provider expected ${minutes(estimatedDurationMs)}`])
  ].join(", ") + (note === undefined ? "." : `. ${note}`)
}

/** A failure of the store is an error of JSON-RPC, which says what to do. */
const ask = <A>(self: Effect.Effect<A, ToolCause>): Effect.Effect<A, InternalError> =>
  Effect.mapError(self, ({ message }) => new InternalError({ message }))
