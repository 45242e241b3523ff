/**
 * Writes one HTML page about a run: its state, times and costs, its errors, the graph and the timeline of its blocks, its output, its
 * files and its tasks.
 *
 * **Details**
 *
 * The page is one file for any browser, also without a network. It has no script, and its content security policy forbids scripts,
 * requests, forms and every style but its own. It is light or dark as the reader's system is, and prints well. Text of others is
 * escaped. Signed links are left out, because they expire and work for any holder.
 *
 * A page has less than 100 KiB. Output beyond 24 KiB is cut, and a canvas with more than some 100 blocks is drawn without names. What is left
 * out is counted in its place.
 *
 * @see {@link module:Picture} for the graph alone
 * @since 0.1.0
 */
import * as Predicate from "effect/Predicate"
import { need, readOrThrow } from "../internal/options.ts"
import type { RunRef } from "../internal/ref.ts"
import type { Canvas, Task, TaskTree } from "../spine/SpineCanvasSchema.ts"
import type { Run } from "../spine/SpineSchema.ts"
import type { ExecutionSnapshot } from "../tela/TelaExecution.ts"
import type { History } from "./History.ts"
import { formatMillis } from "./internal/duration.ts"
import { markdown } from "./internal/markdown.ts"
import { bytesOf, page, within } from "./internal/page.ts"
import * as Scene from "./internal/scene.ts"
import { isEnded, type State, stateOf } from "./internal/state.ts"
import * as Svg from "./internal/svg.ts"

/**
 * A file of a run on this computer.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReportFile {
  /** The name that is shown. */
  readonly name: string
  /** The path of the file, from the folder of the report, for a link to it. */
  readonly path: string
}

/**
 * Options for all reports.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReportOptions {
  /** The title of the page. The default is the name of the canvas, the first line of the prompt, or the id of the run. */
  readonly title?: string | undefined
  /** The prompt or the instruction of the run. */
  readonly prompt?: string | undefined
  /** The ref of the run, for its time of creation and the id of its request. */
  readonly ref?: RunRef | undefined
  /** Reasons of a failure that the snapshot does not have, such as the message of a `RunTimeoutError`. */
  readonly errors?: ReadonlyArray<string> | undefined
  /** The downloaded files. A file with the name of an artifact makes that artifact a link. */
  readonly files?: ReadonlyArray<ReportFile> | undefined
}

/**
 * Options for {@link spine}.
 *
 * @category models
 * @since 0.1.0
 */
export interface SpineReportOptions extends ReportOptions {
  /** The canvas of the run, for its graph and its blocks. */
  readonly canvas?: Canvas | undefined
  /** The tasks of the run. */
  readonly tasks?: TaskTree | undefined
  /** When the blocks started and ended, for the timeline. */
  readonly history?: History | undefined
}

/**
 * Writes the report of a Spine run, finished or not. A value that is not a snapshot of a run throws a `TypeError`.
 *
 * **Example** (A failed run)
 *
 * ```ts
 * import { Report } from "canvas-runs/picture"
 *
 * const html = Report.spine({ status: "failed", run_id: "42", errors: [{ error: "Agent <b>failed</b>" }] }, { prompt: "Tides" })
 *
 * console.log(html.includes("<title>Tides</title>")) // => true
 * console.log(html.includes("Agent &#60;b&#62;failed")) // => true
 * ```
 *
 * @see {@link tela} for executions of Tela
 * @category rendering
 * @since 0.1.0
 */
export const spine = (run: Run, options?: SpineReportOptions): string => {
  need("run", run, isRun, "a snapshot of a run, as runs.retrieve returns it")
  const given = readOptions(options, [...reportOptions, "canvas", "tasks", "history"])
  const { canvas, history, tasks } = given
  const status = run.status === "unknown" ? run.provider_status : run.status
  const scene = canvas === undefined ? undefined : Scene.read(canvas, history)
  const counted = tasks === undefined ? undefined : Scene.countTasks(tasks)
  const millis = "duration_ms" in run ? run.duration_ms : run.status === "running" ? run.progress.elapsed_ms : undefined
  const metadata = "metadata" in run ? run.metadata : undefined
  const result = "result" in run ? run.result : undefined
  const credits = metadata?.credits_consumed
  return write({
    ...given,
    state: run.status === "unknown" ? "running" : stateOf(run.status),
    status,
    id: run.run_id,
    fallbackTitle: scene?.title ?? "",
    facts: [
      ["Duration", millis === undefined ? "" : formatMillis(millis)],
      [
        "Blocks",
        scene === undefined || scene.boxes.length === 0
          ? ""
          : shareOf(scene.boxes.filter(({ state }) => isEnded(state)).length, scene.boxes.length)
      ],
      [
        "Tasks",
        counted !== undefined && counted.total > 0
          ? shareOf(counted.ended, counted.total)
          : run.status === "running" && run.progress.tasks_total > 0
          ? shareOf(run.progress.tasks_completed, run.progress.tasks_total)
          : ""
      ],
      // 1,000 credits cost 1 US dollar
      [
        "Cost",
        credits === undefined
          ? ""
          : `${numberOf(credits)} ${credits === 1 ? "credit" : "credits"} ($${
            grouped((credits / 1000).toFixed(credits < 100 ? 3 : 2))
          })`
      ],
      ["Template", metadata?.template_used ?? ""],
      ["Models", metadata?.models_used.join(", ") ?? ""]
    ],
    reasons: "errors" in run ? run.errors.map(({ error }) => error) : [],
    scene,
    history,
    tasks,
    output: result?.final_output ?? "",
    artifacts: (result?.artifacts ?? []).map(({ name, size_bytes, type }) => ({ name, type, bytes: size_bytes }))
  })
}

/**
 * Writes the report of a Tela execution or task, finished or not: it has no blocks, and so no graph. A value that is not a snapshot of
 * an execution throws a `TypeError`.
 *
 * **Details**
 *
 * The snapshot is what `execution.watch` emits. Cost and tokens are those of the provider's answer, if it has them.
 * The duration is the time from `createdAt` to `updatedAt`.
 *
 * **Example** (An execution that succeeded)
 *
 * ```ts
 * import { Report } from "canvas-runs/picture"
 *
 * const html = Report.tela({
 *   id: "42",
 *   kind: "execution",
 *   status: "succeeded",
 *   providerStatus: "succeeded",
 *   output: { answer: "Twice a day" },
 *   task: undefined,
 *   requestId: undefined,
 *   raw: {
 *     createdAt: "2026-11-26T10:00:00.000Z",
 *     updatedAt: "2026-11-26T10:00:01.500Z",
 *     outputContent: { information: { input_tokens: 20, output_tokens: 5 } }
 *   }
 * }, { title: "Tides" })
 *
 * console.log(html.includes("Twice a day"), html.includes("1.5 s")) // => true true
 * ```
 *
 * @see {@link spine} for runs of Spine
 * @category rendering
 * @since 0.1.0
 */
export const tela = (execution: ExecutionSnapshot, options?: ReportOptions): string => {
  need("execution", execution, isExecution, "a snapshot of an execution, as execution.watch emits it")
  need("execution.output", execution.output, isJson, "a value that JSON can hold")
  const given = readOptions(options, reportOptions)
  const content = member(execution.raw, "outputContent", "output_content")
  const information = member(content, "information")
  const tokens = (name: string, title: string): Fact => {
    const count = member(information, name)
    return [title, typeof count === "number" ? numberOf(count) : ""]
  }
  const cost = member(information, "cost")
  const files = member(member(execution.raw, "inputContent", "input_content"), "files")
  const { output } = execution
  return write({
    ...given,
    state: stateOf(execution.status),
    status: execution.providerStatus,
    id: execution.id,
    fallbackTitle: execution.task?.name ?? "",
    facts: [
      // The provider's answer also has `information.duration`, whose unit is not documented
      ["Duration", elapsedOf(execution.raw)],
      ["Cost", typeof cost === "number" ? `$${numberOf(cost)}` : ""],
      tokens("input_tokens", "Input tokens"),
      tokens("output_tokens", "Output tokens"),
      ["Task", execution.task?.reference === undefined ? "" : `#${execution.task.reference}`]
    ],
    reasons: [],
    scene: undefined,
    history: undefined,
    tasks: undefined,
    output: output === undefined || output === null
      ? ""
      : typeof output === "string"
      ? output
      : `\`\`\`\n${toJson(output)}\n\`\`\``,
    artifacts: (Array.isArray(files) ? files : []).map((file) => ({
      name: member(file, "name"),
      type: member(file, "type"),
      bytes: undefined
    }))
  })
}

/** Copies the options, and throws for one that cannot be used. */
const readOptions = <O extends ReportOptions>(options: O | undefined, known: ReadonlyArray<string>): O => {
  const given = readOrThrow(options, known) as O
  for (const name of ["title", "prompt"] as const) need(name, given[name] ?? "", Predicate.isString, "text")
  need("ref", given.ref ?? {}, Predicate.isObject, "a RunRef")
  need("errors", given.errors ?? [], isTexts, "a list of texts")
  need("files", given.files ?? [], isFiles, "a list of objects with a text name and a text path")
  return given
}

const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(Predicate.isString)

const isFiles = (value: unknown): boolean =>
  Array.isArray(value) && value.every(({ name, path }) => Predicate.isString(name) && Predicate.isString(path))

const reportOptions = ["title", "prompt", "ref", "errors", "files"] as const

/** Reading a part of a value that is not an object throws, which {@link need} treats as `false`. */
const isRun = (value: unknown): boolean => {
  const run = value as Run
  return isTexts([run.run_id, run.status]) && (run.status !== "running" || Predicate.isObject(run.progress))
}

const isExecution = (value: unknown): boolean => {
  const { id, providerStatus, status } = value as ExecutionSnapshot
  return isTexts([id, providerStatus, status])
}

/** Whether `JSON.stringify` does not throw, as it does for a cycle and for a bigint. */
const isJson = (value: unknown): boolean => Predicate.isString(toJson(value))

type Fact = readonly [name: string, value: string]

/** A file as the provider lists it. Its fields are not decoded everywhere. */
interface Listed {
  readonly name: unknown
  readonly type: unknown
  readonly bytes: number | undefined
}

interface Content extends ReportOptions {
  readonly state: State
  readonly status: string
  readonly id: string
  readonly fallbackTitle: string
  readonly facts: ReadonlyArray<Fact>
  readonly reasons: ReadonlyArray<string>
  readonly scene: Scene.Scene | undefined
  readonly history: History | undefined
  readonly tasks: TaskTree | undefined
  readonly output: string
  readonly artifacts: ReadonlyArray<Listed>
}

/** The bytes of a page, and of its largest parts. The style and the frame take some 10 KiB, and the graph and the timeline get the rest. */
const budget = {
  page: 100 * 1024,
  output: 24 * 1024,
  tasks: 8 * 1024,
  errors: 6 * 1024,
  files: 8 * 1024,
  prompt: 4 * 1024,
  frame: 14 * 1024
}

const write = (content: Content): string => {
  const prompt = textOf(content.prompt)
  const title = Scene.lineOf(content.title) || Scene.lineOf(content.fallbackTitle) ||
    Scene.lineOf(prompt.split("\n", 1)[0], 120) || `Run ${Scene.lineOf(content.id)}`
  const errors = errorsOf(content)
  const output = outputOf(content.output)
  const tasks = tasksOf(content.tasks)
  const files = filesOf(content)
  const asked = promptOf(prompt, title)
  const left = budget.page - budget.frame - bytesOf(errors + output + tasks + files + asked)
  const graph = content.scene === undefined ? "" : graphOf(content.scene, left * 0.62)
  const blocks = content.scene === undefined ? "" : blocksOf(content.scene, content.history, left - bytesOf(graph))
  const body = [headOf(title, content), errors, graph, blocks, output, files, tasks, asked, footOf(content)]
  return page({ title, body: body.filter((part) => part !== "").join("\n") })
}

const headOf = (title: string, { facts, ref, state, status }: Content): string => {
  const created = ref?.createdAt === undefined ? "" : dateOf(ref.createdAt)
  const shown = facts.flatMap(([name, value]) => {
    const line = Scene.lineOf(value)
    const kind = line.length > 17 ? "wide" : "fact"
    return line === "" ? [] : [`<div class="${kind}"><dt>${name}</dt><dd>${Svg.escape(line)}</dd></div>`]
  })
  return `<header>
<span class="pill ${state}">${Svg.escape(Scene.lineOf(status) || state)}</span>
<h1><bdi>${Svg.escape(title)}</bdi></h1>
${created === "" ? "" : `<p class="soft">Created ${created}</p>`}
${shown.length === 0 ? "" : `<dl class="facts">${shown.join("")}</dl>`}
</header>`
}

const section = (title: string, html: string, kind = ""): string =>
  `<section${kind === "" ? "" : ` class="${kind}"`}>\n<h2>${title}</h2>\n${html}\n</section>`

const errorsOf = ({ errors = [], reasons }: Content): string => {
  const texts = [...reasons, ...errors].map((text) => textOf(text).trim()).filter((text) => text !== "")
  if (texts.length === 0) return ""
  const items = within(
    texts,
    (text) => `<li>${Svg.escape(shorten(text, 600))}</li>`,
    budget.errors,
    (left) => `<li class="soft">… and ${Svg.count(left, "more error")}</li>`
  )
  return section(Svg.count(texts.length, "error"), `<ul>${items}</ul>`, "alarm")
}

const graphOf = (scene: Scene.Scene, bytes: number): string => {
  if (scene.boxes.length === 0) return section("Graph", `<p class="soft">There are no blocks yet.</p>`)
  const header = { title: "", detail: "", share: undefined }
  const drawing = (isSmall: boolean) => {
    const { length } = Svg.arrange(scene.boxes.length, scene.edges, "right", isSmall)
    const direction = length > 1040 && Svg.arrange(scene.boxes.length, scene.edges, "down", isSmall).breadth <= 1040
      ? "down"
      : "right"
    return Svg.svg(scene, direction, header, undefined, isSmall)
  }
  // A box is at least 300 bytes of SVG, and a small one 40
  const candidates = [false, true].filter((isSmall) => scene.boxes.length * (isSmall ? 40 : 300) < bytes)
  const svg = candidates.map(drawing).find((svg) => bytesOf(svg) <= bytes)
  return section(
    "Graph",
    svg === undefined
      ? `<p class="soft">${scene.boxes.length} blocks are too many to draw in this page.</p>`
      : `<div class="scroll" tabindex="0" role="region" aria-label="Graph of the blocks">${svg}</div>`
  )
}

const blocksOf = ({ boxes, edges }: Scene.Scene, history: History | undefined, bytes: number): string => {
  if (boxes.length === 0) return ""
  const from = history === undefined ? 0 : history.since
  const span = history === undefined ? 0 : Math.max(1, history.at - from)
  const isTimed = history !== undefined && boxes.some(({ times }) => times?.startedAt !== undefined)
  const percent = (millis: number) => Math.round(Math.min(1, Math.max(0, millis / span)) * 1000) / 10
  const bar = ({ state, times }: Scene.Box) => {
    if (times?.startedAt === undefined) return ""
    const start = percent(times.startedAt - from)
    const end = percent((isEnded(state) ? times.endedAt ?? history!.at : history!.at) - from)
    return `<svg class="bar ${state}" width="100%" height="8" aria-hidden="true"><rect class="track" width="100%" height="8"/>` +
      `<rect x="${start}%" width="${Math.max(0.6, end - start).toFixed(1)}%" height="8" rx="3"/></svg>`
  }
  const timeOf = ({ times }: Scene.Box) => times?.startedAt ?? times?.endedAt ?? Number.MAX_SAFE_INTEGER
  const places = Svg.arrange(boxes.length, edges, "right", true).boxes
  // What needs attention comes first if there is no room for all
  const isWhole = bytes > boxes.length * 450
  const sorted = boxes.map((box, index) => ({ box, place: places[index]! }))
    .sort((a, b) =>
      (isWhole ? timeOf(a.box) - timeOf(b.box) : ranks[a.box.state] - ranks[b.box.state]) ||
      a.place[0] - b.place[0] || a.place[1] - b.place[1]
    ).map(({ box }) => box)
  const row = (box: Scene.Box) =>
    `<tr><td><bdi>${Svg.escape(Scene.lineOf(box.name, 120))}</bdi></td>` +
    `<td class="type soft">${Svg.escape(Scene.lineOf(box.type, 24))}</td>` +
    `<td class="state ${box.state}">${Svg.escape(Scene.lineOf(box.status, 24))}</td>` +
    (isTimed ? `<td class="time">${bar(box)}</td><td class="number">${box.duration}</td>` : "") + "</tr>"
  const columns: ReadonlyArray<Column> = [["Block"], ["Type", "type"], ["State"], ...(isTimed ? timeColumns : [])]
  return section(isTimed ? "Timeline" : "Blocks", table(columns, sorted, row, bytes - 1000, "more block"), "long")
}

/** The title of a column, and the class of its cells. */
type Column = readonly [title: string, kind?: string]

const timeColumns: ReadonlyArray<Column> = [["Timeline", "time"], ["Duration", "number"]]

const table = <A>(
  columns: ReadonlyArray<Column>,
  items: ReadonlyArray<A>,
  row: (item: A) => string,
  bytes: number,
  noun: string
): string => {
  const head = columns.map(([title, kind]) =>
    `<th scope="col"${kind === undefined ? "" : ` class="${kind}"`}>${title}</th>`
  )
  const rest = (left: number) =>
    `<tr><td class="soft" colspan="${columns.length}">… and ${Svg.count(left, noun)}</td></tr>`
  return `<table>\n<thead><tr>${head.join("")}</tr></thead>\n<tbody>\n${
    within(items, row, bytes, rest)
  }\n</tbody>\n</table>`
}

const ranks: Readonly<Record<State, number>> = { failed: 0, partial: 1, running: 2, succeeded: 3, waiting: 4 }

const outputOf = (text: string): string => {
  const clean = textOf(text)
  // A character takes at most 5 bytes, so the shortest part fits
  for (const length of [24, 12, 6, 3]) {
    const part = wellFormed(clean.slice(0, length * 1024))
    const html = markdown(part).join("\n")
    if (html === "") return ""
    if (bytesOf(html) > budget.output) continue
    const rest = clean.length > part.length
      ? `\n<p class="soft">… The output has ${numberOf(clean.length)} characters.</p>`
      : ""
    return section("Output", `<div class="text" dir="auto">\n${html}\n</div>${rest}`, "long")
  }
  return ""
}

const filesOf = ({ artifacts, files = [] }: Content): string => {
  const paths = new Map(files.map(({ name, path }) => [name, path]))
  const listed = [
    ...artifacts,
    ...files.flatMap(({ name }) =>
      artifacts.some((artifact) => artifact.name === name) ? [] : [{ name, type: "", bytes: undefined }]
    )
  ]
  if (listed.length === 0) return ""
  const row = ({ bytes, name, type }: Listed) => {
    const text = `<bdi>${Svg.escape(Scene.lineOf(name, 120) || "unnamed")}</bdi>`
    const path = typeof name === "string" ? paths.get(name) : undefined
    const link = path === undefined ? text : `<a href="${Svg.escape(hrefOf(path))}">${text}</a>`
    return `<tr><td>${link}</td><td class="type soft">${Svg.escape(Scene.lineOf(type, 24))}</td>` +
      `<td class="number">${bytes === undefined ? "" : sizeOf(bytes)}</td></tr>`
  }
  return section(
    "Files",
    table([["Name"], ["Type", "type"], ["Size", "number"]], listed, row, budget.files, "more file")
  )
}

/** A path as a link. No part of it can be a scheme, such as `javascript:`. */
const hrefOf = (path: string): string =>
  path.replaceAll("\\", "/").split("/").map((part) => encodeURIComponent(wellFormed(part))).join("/")

const tasksOf = (tree: TaskTree | undefined): string => {
  const roots = tree === undefined ? [] : [...tree.completed, ...tree.not_completed]
  if (roots.length === 0) return ""
  const list = listOf(roots, 0, { bytes: budget.tasks })
  return section("Tasks", `<div class="tree">${list}</div>`, "long")
}

/** The depth of tasks that is shown. The provider has three levels. */
const maxDepth = 5

const listOf = (tasks: ReadonlyArray<Task>, depth: number, room: { bytes: number }): string => {
  const items: Array<string> = []
  for (const [index, task] of tasks.entries()) {
    if (room.bytes < 0 || depth > maxDepth) {
      items.push(`<li class="soft">… and ${Svg.count(tasks.length - index, "more task")}</li>`)
      break
    }
    const state = stateOf(task.status)
    const text = `<bdi>${Svg.escape(Scene.lineOf(task.name, 120) || "unnamed")}</bdi> ` +
      `<span class="state ${state}">${Svg.escape(Scene.lineOf(task.status, 24))}</span>`
    room.bytes -= bytesOf(text) + 20
    const isOpen = !isEnded(state) || state === "failed"
    items.push(
      task.children === undefined || task.children.length === 0
        ? `<li>${text}</li>`
        : `<li><details${isOpen ? " open" : ""}><summary>${text}</summary>${
          listOf(task.children, depth + 1, room)
        }</details></li>`
    )
  }
  return `<ul>${items.join("")}</ul>`
}

const promptOf = (prompt: string, title: string): string =>
  prompt.trim() === "" || prompt.trim() === title
    ? ""
    : section("Prompt", `<pre dir="auto">${Svg.escape(shorten(prompt.trim(), budget.prompt / 4))}</pre>`)

const footOf = ({ id, ref }: Content): string =>
  `<footer><p>Run <code>${Svg.escape(Scene.lineOf(id))}</code>${
    ref?.requestId === undefined ? "" : `, request <code>${Svg.escape(Scene.lineOf(ref.requestId))}</code>`
  }</p></footer>`

/** Text of others, on several lines. Control characters and characters that reverse text are left out. */
const textOf = (value: unknown): string =>
  typeof value === "string"
    ? wellFormed(value).replaceAll(
      /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu,
      (character) => /[\n\t]/.test(character) ? character : ""
    )
    : ""

/** A text without half a character, which a text that was cut can have. */
const wellFormed = (text: string): string => text.replaceAll(/\p{Cs}/gu, "\ufffd")

const shorten = (text: string, length: number): string =>
  text.length <= length ? text : `${wellFormed(text.slice(0, length))}… (${numberOf(text.length)} characters)`

const shareOf = (done: number, total: number): string => `${numberOf(done)} of ${numberOf(total)}`

/** A number to six decimals, because sums of decimal fractions have errors such as 0.30000000000000004. */
const numberOf = (value: number): string => grouped(String(Number(value.toFixed(6))))

/** Digits with commas between thousands, the same on every machine. */
const grouped = (digits: string): string => {
  const [whole = "", fraction] = digits.split(".")
  return whole.replaceAll(/\B(?=(\d{3})+(?!\d))/g, ",") + (fraction === undefined ? "" : `.${fraction}`)
}

const sizeOf = (bytes: number): string =>
  bytes < 1000
    ? `${bytes} B`
    : bytes < 999_950
    ? `${(bytes / 1000).toFixed(1)} kB`
    : `${(bytes / 1_000_000).toFixed(1)} MB`

const dateOf = (millis: number): string =>
  Math.abs(millis) <= 8.64e15 ? new Date(millis).toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC") : ""

const elapsedOf = (raw: unknown): string => {
  const at = (camel: string, snake: string) => Date.parse(String(member(raw, camel, snake)))
  const millis = at("updatedAt", "updated_at") - at("createdAt", "created_at")
  return Number.isNaN(millis) || millis < 0 ? "" : formatMillis(millis)
}

const member = (value: unknown, ...names: ReadonlyArray<string>): unknown => {
  for (const name of names) if (Predicate.hasProperty(value, name)) return value[name]
  return undefined
}

const toJson = (value: unknown): string => JSON.stringify(value, undefined, 2) ?? ""
