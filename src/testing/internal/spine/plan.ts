/** The blocks and tasks of a run of the Spine emulator, planned and at one moment of its timeline. Pure functions only. */
import type * as SpineSchema from "../../../spine/SpineSchema.ts"
import type * as Timeline from "../../Timeline.ts"

type BlockType = SpineSchema.BlockType
type Template = SpineSchema.Template

/** The blocks that a template's agents make, in order; an emulated `auto` is a little of everything. */
const templateBlocks: { readonly [T in Template]: ReadonlyArray<BlockType> } = {
  auto: ["prompt-block", "web-research-block", "table-block", "image-block", "document-block"],
  deep_research: [
    "prompt-block",
    "table-block",
    "web-block",
    "web-research-block",
    "yt-block",
    "text-block",
    "memo-block"
  ],
  report: ["prompt-block", "table-block", "web-block", "yt-block", "text-block", "document-block"],
  slides: ["prompt-block", "table-block", "web-block", "yt-block", "text-block", "presentation-block"],
  memo: ["prompt-block", "web-block", "yt-block", "text-block", "memo-block"],
  excel: ["prompt-block", "table-block", "web-block", "yt-block", "text-block", "excel-block"],
  app: ["prompt-block", "text-block", "app-block"],
  landing_page: ["prompt-block", "web-block", "image-block", "yt-block", "text-block", "landing-page-block"]
}

/** The file that a block of some type becomes. */
export const fileTypes: { readonly [T in BlockType]?: string } = {
  "memo-block": "docx",
  "document-block": "docx",
  "excel-block": "xlsx",
  "image-block": "png",
  "presentation-block": "pptx",
  "app-block": "html",
  "prototype-block": "html",
  "landing-page-block": "html"
}

const blockTypeOfFile: { readonly [type: string]: BlockType } = {
  docx: "document-block",
  xlsx: "excel-block",
  png: "image-block",
  pptx: "presentation-block",
  html: "app-block"
}

/** A block that the run will make, or that an upload has made. */
export interface PlannedBlock {
  readonly id: string
  readonly name: string
  readonly type: BlockType
  readonly uploaded: boolean
}

export interface PlannedTask {
  readonly id: string
  readonly name: string
  readonly type: "parent-task" | "persona-task" | "tool-call-task"
  readonly children: ReadonlyArray<PlannedTask>
}

export interface Plan {
  readonly uploads: ReadonlyArray<PlannedBlock>
  readonly blocks: ReadonlyArray<PlannedBlock>
  readonly tasks: ReadonlyArray<PlannedTask>
}

export const make = (options: {
  readonly template: Template
  readonly blocks: ReadonlyArray<BlockType> | undefined
  readonly uploads: ReadonlyArray<{ readonly name: string; readonly isImage: boolean }>
  /** The types of scripted files. They replace the blocks that would make files. */
  readonly files: ReadonlyArray<string> | undefined
  readonly tasks: number
  readonly uuid: () => string
}): Plan => {
  const { files, uuid } = options
  const planned = options.blocks ?? templateBlocks[options.template]
  const types = files === undefined
    ? planned
    : [
      ...planned.filter((type) => fileTypes[type] === undefined),
      ...files.map((type) => blockTypeOfFile[type] ?? "file-block")
    ]
  return {
    uploads: options.uploads.map(({ isImage, name }) => ({
      id: uuid(),
      name,
      type: isImage ? "image-block" : "file-block",
      uploaded: true
    })),
    blocks: types.map((type, index) => ({ id: uuid(), name: `${title(type)} ${index + 1}`, type, uploaded: false })),
    tasks: Array.from({ length: options.tasks }, (_, index): PlannedTask => ({
      id: uuid(),
      name: `Goal ${index + 1}`,
      type: "parent-task",
      children: ["Researcher", "Writer"].map((persona): PlannedTask => ({
        id: uuid(),
        name: `${persona} for goal ${index + 1}`,
        type: "persona-task",
        children: (persona === "Researcher" ? ["web_search", "read_page"] : ["write_block", "review_block"]).map(
          (tool): PlannedTask => ({ id: uuid(), name: tool, type: "tool-call-task", children: [] })
        )
      }))
    }))
  }
}

const title = (type: BlockType): string =>
  type.replace(/-block$/, "").split("-").map((word) => word[0]!.toUpperCase() + word.slice(1)).join(" ")

/**
 * The block that fails in a run that ends `failed` or `partial`. In a partial run it is the last one without a file, so that the run
 * has files.
 */
export const failedBlock = (plan: Plan, outcome: Timeline.State["phase"]): PlannedBlock | undefined =>
  outcome === "failed"
    ? plan.blocks.at(-1)
    : outcome === "partial"
    ? plan.blocks.findLast((block) => fileTypes[block.type] === undefined) ?? plan.blocks.at(-1)
    : undefined

export interface VisibleBlock extends PlannedBlock {
  readonly status: "idle" | "running" | "completed" | "error"
}

const withStatus = (block: PlannedBlock, status: VisibleBlock["status"]): VisibleBlock => ({ ...block, status })

/**
 * The blocks that exist so far, with their status. The block after the running one is known too, because the plan reaches ahead.
 */
export const visibleBlocks = (plan: Plan, state: Timeline.State): ReadonlyArray<VisibleBlock> => {
  const uploads = plan.uploads.map((block) => withStatus(block, "completed"))
  if (state.endedAtMillis !== undefined) {
    const failed = failedBlock(plan, state.phase)
    return [...uploads, ...plan.blocks.map((block) => withStatus(block, block === failed ? "error" : "completed"))]
  }
  if (state.elapsedMillis === 0) return uploads
  const done = Math.min(plan.blocks.length - 1, Math.floor(plan.blocks.length * fraction(state)))
  return [
    ...uploads,
    ...plan.blocks.slice(0, done + 2).map((block, index) =>
      withStatus(block, index < done ? "completed" : index === done ? "running" : "idle")
    )
  ]
}

const fraction = ({ progress }: Timeline.State): number =>
  progress.total > 0 ? Math.min(1, Math.max(0, progress.completed / progress.total)) : 0

/** Uploads feed the first block, and every block feeds the next. */
export const edges = (blocks: ReadonlyArray<PlannedBlock>): ReadonlyArray<{ source_id: string; target_id: string }> => {
  const made = blocks.filter((block) => !block.uploaded)
  const first = made[0]
  return [
    ...(first === undefined
      ? []
      : blocks.filter((block) => block.uploaded).map((block) => ({ source_id: block.id, target_id: first.id }))),
    ...made.slice(1).map((block, index) => ({ source_id: made[index]!.id, target_id: block.id }))
  ]
}

type TaskStatus = "pending" | "running" | "completed" | "failed"

export interface WireTask {
  readonly task_id: string
  readonly name: string
  readonly task_type: string
  readonly status: TaskStatus
  readonly children: ReadonlyArray<WireTask>
}

/** The goals known so far: the completed ones, the running one and the next. */
export const visibleTasks = (plan: Plan, state: Timeline.State): ReadonlyArray<WireTask> => {
  if (state.endedAtMillis !== undefined) {
    const failed = state.phase === "completed" ? undefined : plan.tasks.at(-1)
    return plan.tasks.map((task) => renderTask(task, task === failed ? "failed" : "completed"))
  }
  if (state.elapsedMillis === 0) return []
  const done = Math.min(plan.tasks.length - 1, Math.floor(plan.tasks.length * fraction(state)))
  return plan.tasks.slice(0, done + 2).map((task, index) =>
    renderTask(task, index < done ? "completed" : index === done ? "running" : "pending")
  )
}

// The last child of a task has the status of the task; all children before it are completed.
const renderTask = (task: PlannedTask, status: TaskStatus): WireTask => ({
  task_id: task.id,
  name: task.name,
  task_type: task.type,
  status,
  children: task.children.map((child) =>
    renderTask(
      child,
      status === "pending" || status === "completed" || child === task.children.at(-1) ? status : "completed"
    )
  )
})

/** A task without its descendants. */
export const withoutChildren = (task: WireTask): WireTask => ({ ...task, children: [] })

export const findTask = (tasks: ReadonlyArray<WireTask>, id: string): WireTask | undefined => {
  for (const task of tasks) {
    const found = task.task_id === id ? task : findTask(task.children, id)
    if (found !== undefined) return found
  }
  return undefined
}
