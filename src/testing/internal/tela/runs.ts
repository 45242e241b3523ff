/** The runs of the Tela emulator: their states over time, and their JSON. */
import * as Duration from "effect/Duration"
import type { Exchange } from "../../Exchange.ts"
import type * as TelaScript from "../../TelaScript.ts"
import { workspaceId } from "../../TelaScript.ts"
import * as Timeline from "../../Timeline.ts"
import { isObject, type JsonObject } from "../json.ts"
import type * as canvases from "./canvases.ts"
import { defaultOutput } from "./output.ts"
import * as responses from "./responses.ts"

export type Phase = "created" | "running" | "succeeded" | "failed"

export interface State {
  readonly phase: Phase
  /** The phase, or the status that the timeline sets instead. */
  readonly status: string
  /** The time of the last transition. */
  readonly updatedAt: number
  readonly endedAt: number | undefined
}

/** A file that the variables or the messages refer to, in the form in which the run shows it. */
export interface InputFile {
  readonly name: string
  readonly used_at: "variables" | "messages"
  readonly parsed_content: string
  readonly url: string
  readonly type: "image" | "file"
}

export interface Step {
  readonly id: string
  readonly name: string
  readonly actionId: string
  readonly input: unknown
  readonly output: unknown
}

export interface Run {
  readonly id: string
  readonly request: TelaScript.RunRequest
  readonly canvas: canvases.Canvas
  readonly version: canvases.Version
  readonly applicationId: string | null
  /** The members of the request that `raw_input` repeats. */
  readonly echo: JsonObject
  readonly files: ReadonlyArray<InputFile>
  readonly forward: Readonly<Record<string, string>>
  readonly createdAt: number
  readonly script: TelaScript.Script
  readonly timeline: Timeline.Timeline
  readonly speed: number
  readonly createdMillis: number
  readonly output: unknown
  readonly failure: { readonly code: string; readonly message: string } | undefined
  readonly steps: ReadonlyArray<Step>
  polls: number
  /** The phase at the last poll, for a run that advances with each poll. */
  seen: { readonly phase: Phase; readonly at: number }
}

const immediate = Timeline.make({ duration: 0 })
const defaultTimeline = Timeline.make({ duration: "5 seconds" })

export const make = (options: {
  readonly id: string
  readonly exchange: Exchange
  readonly request: TelaScript.RunRequest
  readonly canvas: canvases.Canvas
  readonly version: canvases.Version
  readonly echo: JsonObject
  readonly files: ReadonlyArray<InputFile>
  readonly script: TelaScript.Script
  readonly speed: number
}): Run => {
  const { canvas, exchange, request, script } = options
  const atOnce = request.mode === "sync" || request.mode === "stream"
  const timeline = script.timeline ?? (atOnce ? immediate : defaultTimeline)
  const fails = script.failure !== undefined || timeline.outcome === "failed"
  const output = script.output === undefined
    ? defaultOutput(request, schemaOf(request, canvas))
    : typeof script.output === "function"
    ? script.output(request)
    : script.output
  return {
    id: options.id,
    request,
    canvas,
    version: options.version,
    applicationId: request.application_id === undefined ? null : canvas.applicationId,
    echo: options.echo,
    files: options.files,
    forward: forwarded(exchange.request.headers),
    createdAt: exchange.now,
    script,
    timeline,
    speed: options.speed,
    createdMillis: Duration.toMillis(script.createdFor ?? "1 second"),
    output,
    failure: fails
      ? {
        code: script.failure?.code ?? "EXECUTION_FAILED",
        message: script.failure?.message ?? timeline.errors[0] ?? "The execution failed"
      }
      : undefined,
    steps: canvas.isWorkflow
      ? [
        { id: exchange.uuid(), name: "Read", actionId: exchange.uuid(), input: request.variables, output: "Read." },
        {
          id: exchange.uuid(),
          name: "Answer",
          actionId: exchange.uuid(),
          input: "Read.",
          output: fails ? null : output
        }
      ]
      : [],
    polls: 0,
    seen: { phase: "created", at: exchange.now }
  }
}

/** The schema that an output has to conform to: the request's own, or the canvas's. */
export const schemaOf = (
  request: Pick<TelaScript.RunRequest, "override">,
  canvas: canvases.Canvas
): JsonObject | undefined => {
  const own = request.override?.["structured_output"]
  if (!isObject(own)) return canvas.structuredOutput
  if (own["enabled"] !== true) return undefined
  return isObject(own["schema"]) ? own["schema"] : canvas.structuredOutput
}

/** `x-tela-forward-authorization: Bearer x` becomes `authorization: Bearer x` on the webhooks of the run. */
export const forwarded = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => {
      const found = /^x-tela-forward-(.+)$/.exec(name)
      return found === null ? [] : [[found[1]!, value]]
    })
  )

// --- states over time ---

const ending = (run: Run): Phase => run.failure === undefined ? "succeeded" : "failed"

/** The state of a run at a time. */
export const stateOf = (run: Run, now: number): State => {
  if (movesWithPolls(run)) {
    const { at, phase } = run.seen
    return { phase, status: phase, updatedAt: at, endedAt: isOver(phase) ? at : undefined }
  }
  const elapsed = elapsedMillis(run, now)
  const { createdMillis, timeline } = run
  const { endedAtMillis, status } = Timeline.at(timeline, elapsed)
  const phase = endedAtMillis !== undefined ? ending(run) : elapsed < createdMillis ? "created" : "running"
  const moves = [
    0,
    createdMillis,
    timeline.durationMillis,
    ...timeline.statuses.flatMap(({ fromMillis, toMillis }) => [fromMillis, toMillis])
  ].filter((at) => at <= elapsed && at <= timeline.durationMillis)
  const moment = (millis: number) => run.createdAt + Math.ceil(millis / run.speed)
  return {
    phase,
    status: status ?? phase,
    updatedAt: moment(Math.max(...moves)),
    endedAt: endedAtMillis === undefined ? undefined : moment(endedAtMillis)
  }
}

/** The state in the response to the creation: `created`, even for a run of zero duration. */
export const firstState = (run: Run): State => {
  const state = stateOf(run, run.createdAt)
  return isOver(state.phase)
    ? { phase: "created", status: "created", updatedAt: run.createdAt, endedAt: undefined }
    : state
}

/** The age of a run on its own timeline, in milliseconds. */
export const elapsedMillis = (run: Run, now: number): number =>
  // Rounding of the product must not lose a millisecond.
  Math.floor((now - run.createdAt) * run.speed + 1e-6)

/** The time at which a run ends without any request: `Infinity` for a run that advances with each poll. */
export const endsAt = (run: Run): number =>
  movesWithPolls(run) ? Infinity : run.createdAt + Math.ceil(run.timeline.durationMillis / run.speed)

const movesWithPolls = ({ request, script }: Run): boolean =>
  script.polls !== undefined && (request.mode === "async" || request.mode === "task")

/** Counts a poll, and advances a run that advances with each poll (rule 7). */
export const poll = (run: Run, now: number): void => {
  const created = run.script.polls?.created ?? 1
  const running = run.script.polls?.running ?? 1
  const phase = run.polls < created ? "created" : run.polls < created + running ? "running" : ending(run)
  run.polls++
  if (phase !== run.seen.phase) run.seen = { phase, at: now }
}

export const hasEnded = (run: Run, now: number): boolean => isOver(stateOf(run, now).phase)

export const isOver = (phase: Phase): boolean => phase === "succeeded" || phase === "failed"

// --- JSON ---

/** The output of a run that has succeeded. */
export const outputContent = (run: Run, state: State): JsonObject | null =>
  state.status !== "succeeded" ? null : {
    role: "assistant",
    content: run.output,
    tool_calls: [],
    information: {
      duration: ((state.endedAt ?? state.updatedAt) - run.createdAt) / 1000,
      cost: 0.01,
      input_tokens: 100,
      output_tokens: 20
    },
    has_structured_output: schemaOf(run.request, run.canvas) !== undefined
  }

export const inputContent = (run: Run) => ({
  variables: run.request.variables,
  messages: run.request.messages,
  files: run.files
})

/** Section 3.4. */
export const shown = (run: Run, state: State) => ({
  id: run.id,
  status: state.status,
  input_content: inputContent(run),
  output_content: outputContent(run, state),
  raw_input: run.echo,
  // Assumption 2.
  raw_output: state.status === "succeeded"
    ? { content: run.output }
    : state.status === "failed"
    ? { error: run.failure ?? { code: "EXECUTION_FAILED", message: "The execution failed" } }
    : null,
  compatibility_date: "2025-07-23T00:00:00.000Z",
  prompt_version_id: run.version.id,
  prompt_application_id: run.applicationId,
  workspace_id: workspaceId,
  created_at: responses.iso(run.createdAt),
  updated_at: responses.iso(state.updatedAt),
  deleted_at: null,
  // Assumption 21.
  ...(run.request.tags.length > 0 ? { tags: run.request.tags } : {}),
  ...(run.request.label === undefined ? {} : { label: run.request.label })
})

/** The same in camel case, the form of the list of runs, and perhaps of a single run (assumption 1). */
export const shownInCamelCase = (run: Run, state: State): Record<string, unknown> => {
  const snake = shown(run, state)
  const { output_content: output } = snake
  return {
    ...responses.camelKeys(snake),
    inputContent: { ...snake.input_content, files: run.files.map((file) => responses.camelKeys({ ...file })) },
    outputContent: output === null ? null : {
      ...responses.camelKeys(output),
      information: responses.camelKeys(output["information"] as JsonObject)
    },
    rawInput: responses.camelKeys(run.echo)
  }
}

/** Section 3.3, for a workflow that has ended. */
export const shownWorkflow = (run: Run, state: State) => ({
  id: run.id,
  promptVersionId: run.version.id,
  status: state.phase === "failed" ? "failed" : isOver(state.phase) ? "completed" : "running",
  startedAt: responses.iso(run.createdAt),
  completedAt: responses.iso(state.endedAt ?? state.updatedAt),
  steps: run.steps
})

/** Section 3.2. */
export const shownCompletion = (run: Run) => ({
  id: completionId(run),
  object: "chat.completion",
  created: Math.floor(run.createdAt / 1000),
  choices: [{ message: { role: "assistant", content: textOrObject(run.output) } }]
})

/** The id in the response of a synchronous or streamed run: `crsv-` and eleven characters. */
export const completionId = (run: Run): string =>
  `crsv-${
    BigInt(`0x${run.id.replace(/^[a-z]+_/, "").replaceAll(/[-.]/g, "")}`).toString(36).padStart(11, "0").slice(-11)
  }`

const textOrObject = (output: unknown): unknown =>
  typeof output === "object" && output !== null ? output : String(output)
