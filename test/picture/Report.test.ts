import { assert, describe, it } from "@effect/vitest"
import { type History, Report } from "canvas-runs/picture"
import { RunRef, type Spine, type Tela } from "canvas-runs"
import { createHash } from "node:crypto"
import { style, styleHash } from "../../src/picture/internal/page.ts"
import { markdown } from "../../src/picture/internal/markdown.ts"
import * as Random from "../support/random.ts"
import * as Canvases from "./canvases.ts"

const run = (fields: Partial<Spine.PartialRun> = {}): Spine.Run => ({
  status: "partial",
  run_id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11",
  canvas_id: "c",
  duration_ms: 301_234,
  result: {
    final_output: "# Findings\n\nIt **works**.",
    artifacts: [
      {
        id: "a",
        type: "docx",
        name: "Market report.docx",
        download_url: "https://x.example/a?signature=secret",
        size_bytes: 20_480
      }
    ]
  },
  metadata: { template_used: "report", models_used: ["anthropic/claude-sonnet-4-6"], credits_consumed: 1234.5 },
  errors: [{ error: "image-block failed" }],
  ...fields
})

const tasks: Spine.TaskTree = {
  canvas_id: "c",
  completed: [],
  not_completed: [{
    task_id: "t",
    name: "Goal",
    task_type: "parent-task",
    status: "running",
    children: [{ task_id: "u", name: "web_search", task_type: "tool-call-task", status: "completed" }]
  }]
}

const execution = (fields: Partial<Tela.ExecutionSnapshot> = {}): Tela.ExecutionSnapshot => ({
  id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11",
  kind: "execution",
  status: "succeeded",
  providerStatus: "succeeded",
  output: "Twice a day",
  task: undefined,
  requestId: "req",
  raw: {},
  ...fields
})

/** The texts of the elements with this name. */
const textsOf = (html: string, tag: string): ReadonlyArray<string> =>
  Array.from(
    html.matchAll(new RegExp(`<${tag}(?: [^>]*)?>(.*?)</${tag}>`, "gs")),
    ([, text = ""]) => text.replaceAll(/<[^>]*>/g, "")
  )

const headings = (html: string) => textsOf(html, "h2")

describe("Report.spine", () => {
  it("has everything about a run", () => {
    const canvas = Canvases.make(4, [[0, 1], [1, 2], [1, 3]])
    const html = Report.spine(run(), {
      canvas,
      tasks,
      history: Canvases.historyOf(canvas),
      prompt: "Compare three databases",
      ref: RunRef.make({ provider: "spine", kind: "run", id: "6f", createdAt: 1_795_688_100_000, requestId: "req_1" }),
      files: [{ name: "Market report.docx", path: "out/Market report.docx" }],
      errors: ["The wait timed out"]
    })
    assert.deepStrictEqual(headings(html), ["2 errors", "Graph", "Timeline", "Output", "Files", "Tasks", "Prompt"])
    assert.deepStrictEqual(textsOf(html, "dd"), [
      "5 min 01 s",
      "2 of 4",
      "1 of 1",
      "1,234.5 credits ($1.23)",
      "report",
      "anthropic/claude-sonnet-4-6"
    ])
    assert.deepStrictEqual(textsOf(html, "li").slice(0, 2), ["image-block failed", "The wait timed out"])
    assert.include(html, "<title>Vector databases</title>")
    assert.include(html, "Created 2026-11-26 10:15:00 UTC")
    assert.include(html, "href=\"out/Market%20report.docx\"")
    assert.include(html, "20.5 kB")
    assert.include(html, "It <strong>works</strong>.")
    assert.include(html, "req_1")
    assert.notInclude(html, "secret")
    assert.strictEqual(
      html,
      Report.spine(run(), {
        canvas,
        tasks,
        history: Canvases.historyOf(canvas),
        prompt: "Compare three databases",
        ref: RunRef.make({
          provider: "spine",
          kind: "run",
          id: "6f",
          createdAt: 1_795_688_100_000,
          requestId: "req_1"
        }),
        files: [{ name: "Market report.docx", path: "out/Market report.docx" }],
        errors: ["The wait timed out"]
      })
    )
  })

  it("leaves out what is not known", () => {
    const running: Spine.Run = {
      status: "running",
      run_id: "42",
      progress: { tasks_completed: 2, tasks_total: 5, elapsed_ms: 61_000 }
    }
    assert.deepStrictEqual(textsOf(Report.spine(running), "dd"), ["1 min 01 s", "2 of 5"])
    assert.deepStrictEqual(headings(Report.spine(running)), [])
    assert.include(Report.spine(running), "<title>Run 42</title>")
    assert.include(Report.spine({ status: "unknown", provider_status: "paused", run_id: "42" }), ">paused</span>")
    const empty = Report.spine(running, {
      canvas: Canvases.make(0, []),
      tasks: { canvas_id: "c", completed: [], not_completed: [] }
    })
    assert.deepStrictEqual(headings(empty), ["Graph"])
    assert.include(empty, "There are no blocks yet.")
    assert.deepStrictEqual(headings(Report.spine(running, { canvas: Canvases.make(2, []) })), ["Graph", "Blocks"])
  })

  it("numbers have commas, and no errors of floating point", () => {
    const costOf = (credits_consumed: number) =>
      textsOf(Report.spine(run({ metadata: { template_used: "", models_used: [], credits_consumed } })), "dd")[1]
    assert.deepStrictEqual([1, 0.1 + 0.2, 1_234_500].map(costOf), [
      "1 credit ($0.001)",
      "0.3 credits ($0.000)",
      "1,234,500 credits ($1,234.50)"
    ])
    const dollarsOf = (cost: number) =>
      textsOf(Report.tela(execution({ raw: { outputContent: { information: { cost } } } })), "dd")[0]
    assert.deepStrictEqual([0.1 + 0.2, 0.0000012, 1234.5].map(dollarsOf), ["$0.3", "$0.000001", "$1,234.5"])
  })

  it("counts what is left out, one or more", () => {
    const pageOf = (count: number) =>
      Report.spine(run({ errors: Canvases.range(count).map(() => ({ error: "x".repeat(500) })) }))
    const shown = 12
    assert.match(pageOf(shown), /<h2>12 errors/)
    assert.notInclude(pageOf(shown), "more error")
    assert.include(pageOf(shown + 1), "… and 1 more error<")
    assert.include(pageOf(shown + 2), "… and 2 more errors<")
  })

  it("blocks are in the order of their times, and then of the graph", () => {
    const canvas = Canvases.make(4, [[3, 1], [1, 2], [2, 0]])
    const names = (history?: History.History) =>
      textsOf(Report.spine(run({ errors: [] }), { canvas, history }), "tr").flatMap((row) =>
        /^Block \d/.exec(row) ?? []
      )
    assert.deepStrictEqual(names(), ["Block 3", "Block 1", "Block 2", "Block 0"])
    const blocks = [{ id: Canvases.idOf(0), startedAt: 5, endedAt: 9 }, { id: Canvases.idOf(1), endedAt: 3 }]
    assert.deepStrictEqual(names({ since: 0, at: 10, blocks }), ["Block 1", "Block 0", "Block 3", "Block 2"])
  })

  it("the style is the one whose hash the page allows, and nothing else is allowed", () => {
    assert.strictEqual(styleHash, `sha256-${createHash("sha256").update(style).digest("base64")}`)
    const html = Report.spine(run())
    assert.include(html, `content="default-src 'none'; style-src '${styleHash}'; base-uri 'none'; form-action 'none'"`)
    assert.strictEqual(html.split("<style>")[1]?.split("</style>")[0], style)
    assert.notMatch(html, /<script|<link|<img|<iframe|<object| style=| on\w+=|url\(|@import/i)
  })

  it("a page has less than 100 KiB, for runs of every size", () => {
    const draw = Random.make(13)
    const long = Canvases.attacks(120, draw).map((text) => `${text.slice(0, 300)} 数据库 `.repeat(20))
    for (const count of [0, 40, 90, 150, 500, 5000]) {
      for (const shape of ["rounds", "random"]) {
        const canvas = Canvases.make(count, Canvases.shapes[shape]!(count, draw))
        const named = Canvases.change(canvas, ({ name }, index) => ({ name: count > 500 ? name : long[index % 120]! }))
        const html = Report.spine(
          run({
            result: {
              final_output: long.map((text, index) => `${index % 2 === 0 ? "- " : "\n\n"}${text}`).join("\n"),
              artifacts: long.map((name, index) => ({
                id: String(index),
                type: name,
                name,
                download_url: "https://x.example",
                size_bytes: index
              }))
            },
            errors: long.map((error) => ({ error }))
          }),
          {
            canvas: named,
            history: Canvases.historyOf(named),
            prompt: long.join("\n"),
            files: long.map((name) => ({ name, path: name })),
            tasks: {
              canvas_id: "c",
              completed: long.map((name, index) => ({
                task_id: String(index),
                name,
                task_type: "x",
                status: name,
                children: long.map((name) => ({ task_id: "x", name, task_type: "x", status: name }))
              })),
              not_completed: []
            }
          }
        )
        assert.isBelow(Buffer.byteLength(html), 100 * 1024, `${count} ${shape}`)
        if (count === 5000) assert.match(html, /… and \d+ more blocks/)
        assert.deepStrictEqual(headings(html).filter((title) => title === "Output" || title === "Tasks"), [
          "Output",
          "Tasks"
        ])
      }
    }
  })

  it("a large canvas is drawn without names, and what failed is listed first", () => {
    const canvas = Canvases.make(400, Canvases.shapes["rounds"]!(400, Random.make(3)))
    const html = Report.spine(run(), {
      canvas: Canvases.change(canvas, (_, index) => ({ status: index === 399 ? "error" : "completed" }))
    })
    assert.strictEqual(html.split("v20h-20z").length - 1, 400)
    assert.match(html, /<path class="tile failed" d="M\d+ \d+h20v20h-20z"\/>/)
    assert.strictEqual(textsOf(html, "td")[0], "Block 399")
  })

  it("tasks nested without end are cut", () => {
    const deep = Canvases.range(3000).reduce<Spine.Task>(
      (task, index) => ({
        task_id: String(index),
        name: `Task ${index}`,
        task_type: "x",
        status: "running",
        children: [task]
      }),
      { task_id: "x", name: "Leaf", task_type: "x", status: "running" }
    )
    const html = Report.spine(run(), { tasks: { canvas_id: "c", completed: [], not_completed: [deep] } })
    assert.isBelow(html.split("<details").length, 10)
  })

  it("a path of a file cannot be another kind of link", () => {
    const html = Report.spine(run(), {
      files: [
        { name: "a", path: "javascript:alert(1)" },
        { name: "b", path: "C:\\out\\r & d.docx" },
        { name: "c", path: "//evil.example/\ud800?x#y" }
      ]
    })
    assert.deepStrictEqual(Array.from(html.matchAll(/href="([^"]*)"/g), ([, href]) => href), [
      "javascript%3Aalert(1)",
      "C%3A/out/r%20%26%20d.docx",
      "//evil.example/%EF%BF%BD%3Fx%23y"
    ])
  })
})

describe("Report.tela", () => {
  it("has output, duration, costs, tokens and files", () => {
    const html = Report.tela(
      execution({
        output: { summary: "Twice <a> day" },
        raw: {
          inputContent: {
            files: [{ name: "tides.pdf", url: "https://x.example/tides?signature=secret", type: "file" }]
          },
          createdAt: "2026-11-26T10:00:00.000Z",
          updatedAt: "2026-11-26T10:00:01.500Z",
          outputContent: { information: { duration: 9, cost: 0.0123, input_tokens: 12_000, output_tokens: 5 } }
        }
      }),
      { title: "Tides" }
    )
    assert.deepStrictEqual(headings(html), ["Output", "Files"])
    assert.deepStrictEqual(textsOf(html, "dd"), ["1.5 s", "$0.0123", "12,000", "5"])
    assert.include(html, "&#34;summary&#34;: &#34;Twice &#60;a&#62; day&#34;")
    assert.include(html, "tides.pdf")
    assert.notInclude(html, "secret")
  })

  it("takes the duration from the times of the run, because the unit of the provider's own is not documented", () => {
    const raw = { created_at: "2026-11-26T10:00:00Z", updated_at: "2026-11-26T10:01:05Z" }
    assert.deepStrictEqual(textsOf(Report.tela(execution({ raw })), "dd"), ["1 min 05 s"])
    for (const raw of [null, undefined, "x", 5, [], { outputContent: 5 }, { createdAt: "x", updatedAt: {} }]) {
      assert.deepStrictEqual(textsOf(Report.tela(execution({ raw })), "dd"), [])
    }
  })

  it("shows why it failed", () => {
    const html = Report.tela(execution({ status: "failed", providerStatus: "failed", output: undefined }), {
      errors: ["no credits"]
    })
    assert.deepStrictEqual(headings(html), ["1 error"])
    assert.include(html, "class=\"pill failed\"")
  })
})

describe("the Markdown of a report", () => {
  it("becomes headings, lists, tables, code and emphasis", () => {
    assert.deepStrictEqual(
      markdown(
        "# One\ntext `a<b` **bold** *it*\n- x\n  more\n- y\n\n3. z\n### Two\n```js\n**no**\n```\n|a|b|\n|---|:-:|\n| 1 < 2 | `x` |\nsnake_case * 2 * 3"
      ),
      [
        "<h3>One</h3>",
        "<p>text <code>a&#60;b</code> <strong>bold</strong> <em>it</em></p>",
        "<ul><li>x more</li><li>y</li></ul>",
        "<ol><li>z</li></ol>",
        "<h4>Two</h4>",
        "<pre><code>**no**</code></pre>",
        "<table><tr><th>a</th><th>b</th></tr><tr><td>1 &#60; 2</td><td><code>x</code></td></tr></table>",
        "<p>snake_case * 2 * 3</p>"
      ]
    )
  })

  it("code ends at a fence like the one that opened it, or at the end of the text", () => {
    assert.deepStrictEqual(markdown("````md\n```js\n**no**\n```\n````\n**yes**"), [
      "<pre><code>```js\n**no**\n```</code></pre>",
      "<p><strong>yes</strong></p>"
    ])
    assert.deepStrictEqual(markdown("```\n~~~\n```js\n# no"), ["<pre><code>~~~\n```js\n# no</code></pre>"])
    assert.deepStrictEqual(markdown("~~~~ `js`\na\n~~~\n~~~~~ \nb"), ["<pre><code>a\n~~~</code></pre>", "<p>b</p>"])
    // A line with its code between fences is a paragraph
    assert.match(markdown("```a```\n# One").join(""), /<h3>One<\/h3>$/)
  })

  it("knows no other element", () => {
    const draw = Random.make(5)
    for (const text of Canvases.attacks(300, draw)) {
      const html = markdown(`${text}\n# ${text}\n- ${text}\n|${text}|${text}|\n\`\`\`\n${text}`).join("")
      assert.notMatch(html.replaceAll(/<\/?(?:p|h3|h4|ul|ol|li|pre|code|strong|em|br|table|tr|th|td)>/g, ""), /[<>]/)
    }
  })
})
