/** The canvases of the Spine emulator: the blocks and tasks of a run at one moment. */
import * as Effect from "effect/Effect"
import type * as SpineSchema from "../../../spine/SpineSchema.ts"
import * as Emulator from "../../Emulator.ts"
import * as routing from "../routing.ts"
import { titleOf } from "./artifacts.ts"
import type { Downloads } from "./downloads.ts"
import * as Plan from "./plan.ts"
import * as Runs from "./runs.ts"
import * as responses from "./responses.ts"

export const makeRoutes = (options: {
  readonly runs: Runs.Runs
  readonly downloads: Downloads
  readonly checkId: (name: string, id: string) => Effect.Effect<void, routing.Refusal>
}): ReadonlyArray<routing.Route<responses.Access>> => {
  const find = (id: string, apiKey: string) =>
    Effect.andThen(options.checkId("canvas_id", id), options.runs.find("canvas", id, apiKey))

  const getDag: routing.Handler<"id"> = Effect.fnUntraced(function*({ now, request }, { id }, apiKey) {
    const run = yield* find(id, apiKey)
    const blocks = Plan.visibleBlocks(run.plan, Runs.stateOf(run, now))
    const artifacts = Runs.hasEnded(run, now) ? yield* run.artifacts : []
    return responses.ok({
      canvas_id: run.canvasId,
      canvas_name: titleOf(run.request),
      nodes: blocks.map((block) => {
        const file = artifacts.find((file) => file.id === block.id)
        const isCompleted = block.status === "completed"
        // B2, B3: null and [] where nothing applies. B4: an upload is a block from the start, without content.
        return {
          id: block.id,
          name: block.name,
          type: block.type,
          status: block.status,
          content: block.uploaded || !isCompleted || file !== undefined
            ? null
            : `## ${block.name}\n\nWhat this block found about: ${run.request.prompt}`,
          url: file !== undefined
            ? options.downloads.linkTo(file, Emulator.originOf(request), now)
            : linkTypes.has(block.type) && isCompleted
            ? `https://example.com/${block.id}`
            : null,
          sources: researchTypes.has(block.type) && isCompleted
            ? [1, 2].map((n) => ({ title: `Source ${n}`, url: `https://example.com/${block.id}/${n}` }))
            : []
        }
      }),
      edges: Plan.edges(blocks)
    })
  })

  const getTasks: routing.Handler<"id"> = Effect.fnUntraced(function*({ now }, { id }, apiKey) {
    const run = yield* find(id, apiKey)
    const tasks = Plan.visibleTasks(run.plan, Runs.stateOf(run, now))
    // B5: the status of a root decides for all its descendants. B7: before the first block both lists are empty.
    return responses.ok({
      canvas_id: run.canvasId,
      completed: tasks.filter((task) => task.status === "completed"),
      not_completed: tasks.filter((task) => task.status !== "completed")
    })
  })

  const getTask: routing.Handler<"id" | "taskId"> = Effect.fnUntraced(function*({ now }, { id, taskId }, apiKey) {
    yield* options.checkId("canvas_id", id)
    yield* responses.checkUuid("task_id", taskId)
    const run = yield* options.runs.find("canvas", id, apiKey)
    const task = Plan.findTask(Plan.visibleTasks(run.plan, Runs.stateOf(run, now)), taskId.toLowerCase())
    if (task === undefined) return yield* responses.notFound("Task", taskId)
    // B6: the children, without their children.
    return responses.ok({ ...task, children: task.children.map(Plan.withoutChildren) })
  })

  return routing.routes("key", {
    "GET /v1/canvas/:id/dag": getDag,
    "GET /v1/canvas/:id/tasks": getTasks,
    "GET /v1/canvas/:id/tasks/:taskId": getTask
  })
}

const researchTypes: ReadonlySet<SpineSchema.BlockType> = new Set([
  "web-block",
  "web-research-block",
  "deep-research-block"
])
const linkTypes: ReadonlySet<SpineSchema.BlockType> = new Set(["web-block", "yt-block"])
