/**
 * `npm run pictures`: writes the pictures of the documentation into `docs/pictures`. A test checks that they are up to date.
 */
import { History, Picture, Report } from "canvas-runs/picture"
import { RunRef, type Spine } from "canvas-runs"
import { mkdirSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { style } from "../../src/picture/internal/page.ts"
import { styles } from "../../src/picture/internal/svg.ts"

const second = 1000
const start = Date.parse("2026-11-26T10:15:00Z")

/** The blocks of a run, and when each starts and ends, in seconds after the start of the run. */
const blocks: ReadonlyArray<
  readonly [id: string, name: string, type: string, from: number, to: number, status?: string]
> = [
  ["a-brief", "Brief", "prompt-block", 2, 14],
  ["b-interviews", "Interviews.pdf", "file-block", 0, 1],
  ["c-vendors", "Vendor sites", "web-research-block", 14, 95],
  ["d-prices", "Price lists", "web-block", 14, 61],
  ["e-talks", "Conference talks", "yt-block", 14, 40, "error"],
  ["f-features", "Feature table", "table-block", 95, 160],
  ["g-voices", "What users say", "text-block", 40, 132],
  ["h-charts", "Charts", "image-block", 160, 214],
  ["i-report", "Market report", "document-block", 214, 330],
  ["j-slides", "Slides for the board", "presentation-block", 330, 402]
]

const edges: ReadonlyArray<readonly [source: string, target: string]> = [
  ["a-brief", "c-vendors"],
  ["a-brief", "d-prices"],
  ["a-brief", "e-talks"],
  ["b-interviews", "g-voices"],
  ["c-vendors", "f-features"],
  ["d-prices", "f-features"],
  ["e-talks", "g-voices"],
  ["f-features", "h-charts"],
  ["f-features", "i-report"],
  ["g-voices", "i-report"],
  ["h-charts", "i-report"],
  ["i-report", "j-slides"]
]

/** The canvas at a time after the start: blocks appear when their inputs run. */
const canvasAt = (seconds: number): Spine.Canvas => {
  const known = blocks.filter(([, , , from]) => from <= seconds + 60)
  return {
    canvas_id: "c",
    canvas_name: "Vector databases in 2026",
    nodes: known.map(([id, name, type, from, to, status = "completed"]) => ({
      id,
      name,
      type,
      status: seconds < from ? "idle" : seconds < to ? "running" : status
    })),
    edges: edges.filter((edge) => edge.every((id) => known.some(([known]) => known === id)))
      .map(([source_id, target_id]) => ({ source_id, target_id }))
  }
}

const historyAt = (seconds: number): History.History =>
  Array.from({ length: seconds + 1 }, (_, second) => second).reduce<History.History | undefined>(
    (history, at) => History.observe(history, canvasAt(at), start + at * second),
    undefined
  )!

const tasksAt = (seconds: number): Spine.TaskTree => {
  const goals = ["Sources", "Comparison", "Report", "Slides"].map((name, index): Spine.Task => {
    const status = (from: number, to: number) => seconds < from ? "pending" : seconds < to ? "running" : "completed"
    const from = 100 * index
    return {
      task_id: name,
      name,
      task_type: "parent-task",
      status: status(from, from + 100),
      children: ["Researcher", "Writer", "Reviewer"].map((child, place) => ({
        task_id: name + child,
        name: child,
        task_type: "persona-task",
        status: status(from + 33 * place, from + 33 * (place + 1))
      }))
    }
  })
  return {
    canvas_id: "c",
    completed: goals.filter(({ status }) => status === "completed"),
    not_completed: goals.filter(({ status }) => status !== "completed")
  }
}

const run: Spine.Run = {
  status: "partial",
  run_id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11",
  canvas_id: "c",
  duration_ms: 402 * second,
  result: {
    final_output: "## Findings\n\nThree vector databases were compared on **price**, **speed** and *support*.\n\n" +
      "| database | 10 M vectors, per month | p95 |\n| --- | --- | --- |\n| Qdrant | $310 | 9 ms |\n| Weaviate | $420 | 14 ms |\n| pgvector | $180 | 31 ms |\n\n" +
      "- `pgvector` needs no new service.\n- Qdrant answers fastest.\n",
    artifacts: [
      {
        id: "i-report",
        type: "docx",
        name: "Market report.docx",
        download_url: "https://x.example",
        size_bytes: 48_210
      },
      {
        id: "j-slides",
        type: "pptx",
        name: "Slides for the board.pptx",
        download_url: "https://x.example",
        size_bytes: 1_204_800
      }
    ]
  },
  metadata: { template_used: "report", models_used: ["anthropic/claude-sonnet-4-6"], credits_consumed: 412 },
  errors: [{ error: "yt-block: the video has no transcript" }]
}

const themes = ["light", "dark"] as const

/** A page as a picture. The parts of its style that ask for the reader's theme are decided. */
const pageAsSvg = (html: string, theme: (typeof themes)[number], height: number): string => {
  const [, body] = /<body>\n([^]*)<\/body>/.exec(html)!
  const query = /@media\(prefers-color-scheme:dark\)\{(:root\{[^}]*\})\}/
  const decided = theme === "light" ? style.replace(query, "") : style.replace(query, "$1")
  const css = decided.replace(styles.auto, styles[theme])
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1120 ${height}" width="1120" height="${height}" role="img">`,
    `<title>A report of a run, ${theme}</title>`,
    `<style>${css.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}main{padding-top:24px;padding-bottom:24px}</style>`,
    `<foreignObject width="1120" height="${height}">`,
    // XML wants every element closed, and every attribute with a value
    `<body xmlns="http://www.w3.org/1999/xhtml">${
      body!.replaceAll("<br>", "<br/>").replaceAll(
        "<svg class=\"bar",
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"bar"
      ).replaceAll("<details open>", "<details open=\"\">")
    }</body>`,
    `</foreignObject>`,
    `</svg>`,
    ""
  ].join("\n")
}

/** The texts that the guide shows. */
export const texts = (): ReadonlyArray<string> => [
  Picture.mermaid(canvasAt(120), { history: historyAt(120) }),
  Picture.rows(canvasAt(120), { history: historyAt(120) }).map((row) => `${row}\n`).join("")
]

/** The pictures by the name of their file. */
export const pictures = (): Readonly<Record<string, string>> => {
  const report = Report.spine(run, {
    canvas: canvasAt(402),
    history: historyAt(402),
    tasks: tasksAt(402),
    prompt: "Compare three vector databases for a team of five people.\nUse the prices of 2026.",
    ref: RunRef.make({ provider: "spine", kind: "run", id: run.run_id, createdAt: start, requestId: "req_7f31" }),
    files: [{ name: "Market report.docx", path: "files/Market report.docx" }]
  })
  const files: Record<string, string> = {}
  for (const theme of themes) {
    files[`start-${theme}.svg`] = Picture.svg(canvasAt(20), { history: historyAt(20), tasks: tasksAt(20), theme })
    files[`running-${theme}.svg`] = Picture.svg(canvasAt(120), { history: historyAt(120), tasks: tasksAt(120), theme })
    files[`report-${theme}.svg`] = pageAsSvg(report, theme, 1600)
  }
  return files
}

export const directory = fileURLToPath(new URL("../../docs/pictures/", import.meta.url))

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  mkdirSync(directory, { recursive: true })
  for (const [name, text] of Object.entries(pictures())) writeFileSync(directory + name, text)
  console.log(`${Object.keys(pictures()).length} pictures in docs/pictures`)
}
