/** The runs of the Spine emulator: their states over time, and their JSON. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Emulator from "../../Emulator.ts"
import { type CreateRequest, failingPrompt, partialPrompt, type Script } from "../../SpineScript.ts"
import * as Timeline from "../../Timeline.ts"
import type * as routing from "../routing.ts"
import * as Artifacts from "./artifacts.ts"
import * as CreateRequests from "./createRequest.ts"
import * as Plan from "./plan.ts"
import * as responses from "./responses.ts"

export interface Run {
  readonly id: string
  readonly canvasId: string
  readonly apiKey: string
  readonly request: CreateRequest
  /** The origin that the request was sent to. */
  readonly requested: string
  readonly createdAt: number
  readonly script: Script
  readonly timeline: Timeline.Timeline
  readonly speed: number
  readonly plan: Plan.Plan
  readonly artifacts: Effect.Effect<ReadonlyArray<Artifacts.ArtifactFile>>
  polls: number
}

const defaultTimeline = Timeline.make()

export const make = Effect.fnUntraced(function*(options: {
  readonly exchange: Emulator.Exchange
  readonly apiKey: string
  readonly request: CreateRequest
  readonly script: Script
  readonly speed: number
  readonly newId: (kind: string) => string
}): Effect.fn.Return<Run> {
  const { exchange, newId, request, script } = options
  const timeline = withReservedOutcome(request.prompt, script.timeline ?? defaultTimeline)
  const plan = Plan.make({
    template: request.template ?? "auto",
    blocks: request.blocks,
    uploads: request.files.map((file) => ({
      name: file.name,
      isImage: CreateRequests.kindOf(file) === "image"
    })),
    files: script.artifacts?.map(Artifacts.typeOf),
    tasks: timeline.tasks,
    uuid: exchange.uuid
  })
  return {
    id: newId("run"),
    canvasId: newId("cnv"),
    apiKey: options.apiKey,
    request,
    requested: Emulator.originOf(exchange.request),
    createdAt: exchange.now,
    script,
    timeline,
    speed: options.speed,
    plan,
    artifacts: yield* Effect.cached(Artifacts.make(plan, timeline, request, script.artifacts)),
    polls: 0
  }
})

/** The timeline with the outcome that the prompt selects, if the prompt begins with a reserved text. */
const withReservedOutcome = (prompt: string, timeline: Timeline.Timeline): Timeline.Timeline => {
  const text = prompt.trim()
  for (const [outcome, reserved] of [["failed", failingPrompt], ["partial", partialPrompt]] as const) {
    if (!text.startsWith(reserved)) continue
    const words = text.slice(reserved.length).trim()
    return { ...timeline, outcome, errors: words === "" ? timeline.errors : [words] }
  }
  return timeline
}

// --- states over time ---

export const stateOf = (run: Run, now: number): Timeline.State =>
  Timeline.at(run.timeline, Math.floor((now - run.createdAt) * run.speed))

export const hasEnded = (run: Run, now: number): boolean => stateOf(run, now).endedAtMillis !== undefined

export const endsAt = (run: Run): number => run.createdAt + Math.ceil(run.timeline.durationMillis / run.speed)

// --- JSON ---

/** Makes the link to a file of a result. */
export type LinkTo = (file: Artifacts.ArtifactFile) => string

export const resultOf = (run: Run, linkTo: LinkTo) =>
  Effect.map(run.artifacts, (artifacts) => ({
    final_output: run.script.finalOutput ?? defaultOutput(run.request, artifacts),
    artifacts: artifacts.map((file) => ({
      id: file.id,
      type: file.type,
      name: file.name,
      download_url: linkTo(file),
      size_bytes: file.size
    }))
  }))

export const metadataOf = ({ request, script }: Run) => ({
  // S4: the template sent, even if blocks won over it.
  template_used: request.template ?? "auto",
  models_used: script.models ?? ["anthropic/claude-sonnet-4-6"],
  credits_consumed: script.credits ?? 45
})

export const errorsOf = ({ plan, timeline }: Run, status: string) =>
  (timeline.errors.length > 0 ? timeline.errors : [
    status === "partial" ? `${Plan.failedBlock(plan, "partial")?.type ?? "block"} failed` : "Agent execution failed"
  ]).map((error) => ({ error }))

const defaultOutput = (request: CreateRequest, artifacts: ReadonlyArray<Artifacts.ArtifactFile>): string =>
  [
    `# ${Artifacts.titleOf(request)}`,
    `The emulator was asked: ${request.prompt}`,
    ...(request.agent_instructions === undefined ? [] : [`It was told: ${request.agent_instructions}`]),
    ...(artifacts.length === 0 ? [] : [`## Files\n\n${artifacts.map((file) => `- ${file.name}`).join("\n")}`])
  ].join("\n\n")

/** The answer to a creation. */
export const shownAtFirst = (run: Run) => ({
  run_id: run.id,
  status: "running",
  poll_url: `/v1/run/${run.id}`,
  estimated_duration_ms: Duration.toMillis(run.script.estimatedDuration ?? "15 minutes")
})

/** Counts a poll, and returns its answer. */
export const poll = Effect.fnUntraced(function*(run: Run, now: number, linkTo: LinkTo) {
  const state = stateOf(run, now)
  const after = run.script.canvasIdAfter ?? 1
  const status = state.status ?? state.phase
  const ended = status === "completed" || status === "partial" || status === "failed"
  const known = after !== "never" && (ended || run.polls >= after)
  run.polls++
  const head = { run_id: run.id, status, ...(known ? { canvas_id: run.canvasId } : {}) }
  // S2, S3, S7: a field that does not apply is left out.
  if (status === "failed") return { ...head, errors: errorsOf(run, status) }
  if (!ended) {
    return {
      ...head,
      progress: {
        tasks_completed: state.progress.completed,
        tasks_total: state.progress.total,
        elapsed_ms: state.elapsedMillis
      }
    }
  }
  return {
    ...head,
    duration_ms: state.elapsedMillis,
    result: yield* resultOf(run, linkTo),
    metadata: metadataOf(run),
    ...(status === "partial" ? { errors: errorsOf(run, status) } : {})
  }
})

// --- the collection ---

export interface Runs {
  readonly all: () => Iterable<Run>
  readonly add: (run: Run) => void
  /** Finds a run of that API key. For every other key the run does not exist. */
  readonly find: (by: "run" | "canvas", id: string, apiKey: string) => Effect.Effect<Run, routing.Refusal>
}

export const makeRuns = (): Runs => {
  const byId = { run: new Map<string, Run>(), canvas: new Map<string, Run>() }
  return {
    all: () => byId.run.values(),
    add: (run) => {
      byId.run.set(run.id, run)
      byId.canvas.set(run.canvasId, run)
    },
    find: (by, id, apiKey) => {
      const run = byId[by].get(id.toLowerCase())
      return run !== undefined && run.apiKey === apiKey
        ? Effect.succeed(run)
        : responses.notFound(by === "run" ? "Run" : "Canvas", id)
    }
  }
}
