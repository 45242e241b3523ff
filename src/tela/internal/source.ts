/** The source of an execution, or a task, of Tela: how its state is requested, decoded and classified. */
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as Http from "../../internal/http/call.ts"
import { isId } from "../../internal/id.ts"
import type * as RunRef from "../../internal/ref.ts"
import { runFailed } from "../../internal/runFailed.ts"
import type { RunFailedError } from "../../RunError.ts"
import type * as RunSource from "../../RunSource.ts"
import type * as Webhooks from "../../internal/webhooks/hub.ts"
import { type ExecutionSnapshot, type ExecutionStatus, provider } from "../TelaExecution.ts"
import * as Data from "../TelaSchema.ts"
import { errorIn } from "./endMark.ts"
import { about, isAbout } from "./ref.ts"

/** The source of an execution, or of a task, for the kernel. */
export interface Source extends RunSource.RunSource<ExecutionSnapshot, ExecutionSnapshot, ExecutionSnapshot> {}

/** Describes an execution, or a task, to the kernel. */
export const source = (
  api: Http.Api,
  ref: RunRef.RunRef,
  webhooks?: Webhooks.Service,
  /** The id in its webhook. The webhook of a task has the id of the run that does the work of the task. */
  announcedId: string = ref.id
): Source => ({
  ref,
  // Tela does not sign its webhooks, so a webhook proves nothing about the execution
  pushed: webhooks === undefined ? undefined : (after) => webhooks.ended(provider, announcedId, after),
  // Each poll makes its request, so that a sleeping wait does not hold one
  retrieve: Effect.suspend(() => retrieve(api, ref)),
  classify,
  status: statusOf,
  unchanged,
  longest: api.longest,
  server: api.server
})

/** Requests the state once. Without an operation, it is one of the polls of a wait. */
export const retrieve = (api: Http.Api, ref: RunRef.RunRef, operation?: string) => {
  const kind = ref.kind === "task" ? "task" : "execution"
  const answer = api.call({
    operation: operation ?? "execution.poll",
    request: HttpClientRequest.get(kind === "task" ? `/task/${ref.id}` : `/v2/chat/completions/${ref.id}`),
    decode: about(ref, decodeWhole(kind)),
    isStale: (body) => isAbout(ref, body) && hasNoOutput(kind, body),
    ref,
    isPoll: operation === undefined
  })
  return Effect.map(answer, (answer) => ({ ...answer, value: { ...answer.value, requestId: answer.requestId } }))
}

const classify: Source["classify"] = (run) =>
  run.status === "succeeded"
    ? { _tag: "Succeeded", run }
    : run.status === "failed"
    ? { _tag: "Failed", run, errors: failureOf(run.raw) }
    : { _tag: "Pending" }

const statusOf: Source["status"] = ({ providerStatus }) => providerStatus

const unchanged: Source["unchanged"] = (previous, next) =>
  previous.providerStatus === next.providerStatus && Equal.equals(previous.output, next.output)

/** The reasons in the response of a failed execution. Where the provider puts them is not documented, so likely places are read. */
export const failureOf = (raw: unknown): ReadonlyArray<string> =>
  [field(raw, "raw_output"), field(raw, "rawOutput"), raw]
    .map((place) => errorIn({ error: field(place, "error"), errors: field(place, "errors") }) ?? [])
    .find((words) => words.length > 0) ?? []

/** The error for an execution, or a task, that failed. `raw` is the provider's response. */
export const executionFailed = (
  ref: RunRef.RunRef,
  raw: unknown,
  requestId: string | undefined,
  errors = failureOf(raw)
): RunFailedError => runFailed(ref, { errors, run: raw }, requestId, "The provider's response is in this error's run.")

/** Reads a member of an unknown value. */
export const field = (value: unknown, key: string): unknown =>
  Predicate.hasProperty(value, key) ? value[key] : undefined

const decodeRun = Schema.decodeUnknownEffect(Data.CompletionRun)
const decodeWorkflow = Schema.decodeUnknownEffect(Data.WorkflowRun)
const decodeWireTask = Schema.decodeUnknownEffect(Data.Task)

type StatusTable = { readonly [status: string]: ExecutionStatus }

const runStatus: StatusTable = { created: "created", running: "running", succeeded: "succeeded", failed: "failed" }

const workflowStatus: StatusTable = { running: "running", completed: "succeeded", failed: "failed" }

/** The output of a task exists from `validating` on, which is when a person reviews it. */
const taskStatus: StatusTable = {
  created: "created",
  running: "running",
  validating: "succeeded",
  completed: "succeeded",
  failed: "failed",
  cancelled: "failed"
}

/** A response that reports an error is a failure, although its status is a success. */
const statusIn = (table: StatusTable, status: string, body: unknown): ExecutionStatus => {
  const said = Object.hasOwn(table, status) ? table[status]! : "unknown"
  return said === "succeeded" && errorIn(body) !== undefined ? "failed" : said
}

/** Whether a response has the form of a workflow's run: it has steps (assumption 11). */
export const isWorkflow = (body: unknown): boolean => Array.isArray(field(body, "steps"))

/** Decodes the response to a creation or to a poll, and the body of a webhook. */
export const decodeExecution = (body: unknown): Effect.Effect<ExecutionSnapshot, Schema.SchemaError> =>
  isWorkflow(body)
    ? Effect.map(decodeWorkflow(body), (run) =>
      snapshotOf("execution", run, workflowStatus, run.steps.at(-1)?.output, body))
    : Effect.map(decodeRun(body), (run) =>
      snapshotOf("execution", run, runStatus, run.outputContent?.content, body))

const taskSnapshot = (task: Data.Task): ExecutionSnapshot => ({
  ...snapshotOf("task", task, taskStatus, outputIn(task.outputContent), task.raw),
  task
})

/** The output of a task: its content, or the output of a workflow's last step. `undefined` where it has neither. */
export const outputIn = (output: unknown): unknown => {
  const content = field(output, "content")
  const steps = field(output, "steps")
  return content === undefined && Array.isArray(steps) ? field(steps.at(-1), "output") : content
}

/**
 * Decodes the state, and fails where it is a success without an output (promise 9). An output of `null` counts as present, and
 * the caller's schema decides whether it fits.
 */
export const decodeWhole =
  (kind: ExecutionSnapshot["kind"]) => (body: unknown): Effect.Effect<ExecutionSnapshot, Schema.SchemaError> =>
    Effect.andThen(
      hasNoOutput(kind, body) ? noOutput(body) : Effect.void,
      kind === "task" ? Effect.map(decodeWireTask(body), taskSnapshot) : decodeExecution(body)
    )

/** Whether a response is a success without an output, which may be stored later. */
const hasNoOutput = (kind: ExecutionSnapshot["kind"], body: unknown): boolean => {
  const table = kind === "task" ? taskStatus : isWorkflow(body) ? workflowStatus : runStatus
  const status = field(body, "status")
  return typeof status === "string" && statusIn(table, status, body) === "succeeded" &&
    outputIn(isWorkflow(body) ? body : field(body, "output_content") ?? field(body, "outputContent")) === undefined
}

const noOutput = (body: unknown) =>
  Schema.decodeUnknownEffect(
    Schema.Unknown.check(Schema.makeFilter(() =>
      `the status is ${JSON.stringify(field(body, "status"))}, and ${
        isWorkflow(body) ? "the output of the last step" : "the content of the output"
      } is missing`
    ))
  )(body)

const snapshotOf = (
  kind: ExecutionSnapshot["kind"],
  { id, status }: { readonly id: string; readonly status: string },
  table: StatusTable,
  output: unknown,
  body: unknown
): ExecutionSnapshot => ({
  id,
  kind,
  status: statusIn(table, status, body),
  providerStatus: status,
  output,
  task: undefined,
  requestId: undefined,
  raw: body
})

/**
 * Decodes the response to a creation: the execution or the task, or a list of one. Its id is enough to follow it. If any other
 * field is missing or not as documented, or if there is a success without output, its status is assumed to be `created` until the
 * first poll. A response that reports an error, or that is a completion, names no execution.
 */
export const decodeCreated =
  (kind: ExecutionSnapshot["kind"]) => (body: unknown): Effect.Effect<ExecutionSnapshot, Schema.SchemaError> => {
    const created: unknown = Array.isArray(body) && body.length === 1 ? body[0] : body
    const decoded: Effect.Effect<ExecutionSnapshot, Schema.SchemaError> = kind === "task"
      ? Effect.map(decodeCreatedTask(created), taskSnapshot)
      : Effect.catch(decodeExecution(created), (error) =>
        isAccepted(created)
          ? Effect.succeed(snapshotOf(kind, { id: created.id, status: "created" }, runStatus, undefined, created))
          : Effect.fail(error))
    return Effect.map(
      decoded,
      (snapshot) => hasNoOutput(kind, created) ? { ...snapshot, status: "created" } : snapshot
    )
  }

/** Decodes one task of the response to a creation, by the rules of `decodeCreated`. */
export const decodeCreatedTask = (body: unknown): Effect.Effect<Data.Task, Schema.SchemaError> =>
  Effect.catch(decodeWireTask(body), (error) =>
    isAccepted(body)
      ? Effect.map(
        decodeWireTask({ ...body, status: "created", outputContent: null }),
        (task) => ({ ...task, raw: body })
      )
      : Effect.fail(error))

/** Whether a response names what was created, and reports no error. */
const isAccepted = (body: unknown): body is { readonly id: string } =>
  isId(field(body, "id")) && errorIn(body) === undefined && !Array.isArray(field(body, "choices"))
