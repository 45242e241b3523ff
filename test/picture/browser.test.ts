/**
 * Pictures and reports in Chromium: no name runs, makes a request or becomes an element.
 *
 * The tests need a Chromium on the PATH, and are skipped without one. `npm run test:long` fails without it.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Picture, Report } from "canvas-runs/picture"
import type { Spine } from "canvas-runs"
import { isFull, size } from "../support/size.ts"
import * as Random from "../support/random.ts"
import * as Browser from "./browser.ts"
import * as Canvases from "./canvases.ts"

const run = (name: string): Spine.Run => ({
  status: "partial",
  run_id: name,
  canvas_id: name,
  duration_ms: 1000,
  result: {
    final_output: "",
    artifacts: [{ id: "a", type: name, name, download_url: "https://x.example", size_bytes: 5 }]
  },
  metadata: { template_used: name, models_used: [name], credits_consumed: 1 },
  errors: [{ error: name }]
})

/** How many elements there are by name, and the marks that attacks left. */
const look = `(() => {
  const elements = {}
  for (const element of document.querySelectorAll("*")) {
    const name = element.localName + Array.from(element.attributes, ({ name }) => " " + name).sort().join("")
    elements[name] = (elements[name] ?? 0) + 1
  }
  return { elements, marks: Object.keys(window).filter((name) => name.startsWith("hit")), styles: document.styleSheets.length }
})()`

interface Look {
  readonly elements: Readonly<Record<string, number>>
  readonly marks: ReadonlyArray<string>
  readonly styles: number
}

/** The same canvas with harmless texts. */
const harmless = (canvas: Spine.Canvas): Spine.Canvas => ({
  ...canvas,
  canvas_name: "Canvas",
  nodes: canvas.nodes.map(({ id, status }) => ({ id, name: "Block", type: "web-block", status }))
})

describe.skipIf(Browser.command === undefined && !isFull)("in Chromium", () => {
  let page: Browser.Page
  let close: () => Promise<void>
  beforeAll(async () => {
    ;({ close, page } = await Browser.launch())
  }, 120_000)
  afterAll(() => close())

  it(
    `${
      size("100", "1,000")
    } attacks by names change no element of a picture or a report, run nothing and request nothing`,
    async () => {
      const draw = Random.make(20_261_126)
      const names = Canvases.attacks(1000, draw)
      const chunk = 50
      // The known ones, and some mixtures, in the short size
      for (let from = 0; from < (size(100, 1000)); from += chunk) {
        const some = names.slice(from, from + chunk)
        const canvas = Canvases.attackedCanvas(some, draw)
        const history = Canvases.historyOf(canvas)
        const open = async (content: string, extension: "html" | "svg") => {
          const { messages, requests } = await page.open(content, extension)
          assert.deepStrictEqual(requests, [])
          assert.deepStrictEqual(messages, [])
          const seen = await page.evaluate<Look>(look)
          assert.deepStrictEqual(seen.marks, [])
          return seen
        }
        const svg = await open(Picture.svg(canvas, { history }), "svg")
        assert.deepStrictEqual(svg, await open(Picture.svg(harmless(canvas), { history }), "svg"))
        assert.strictEqual(svg.elements["svg class height width x y"], some.length)
        // In a page without a policy, as a program may embed it
        const embedded = (canvas: Spine.Canvas) => `<!doctype html><title>x</title>${Picture.svg(canvas, { history })}`
        assert.deepStrictEqual(await open(embedded(canvas), "html"), await open(embedded(harmless(canvas)), "html"))

        const report = (canvas: Spine.Canvas, name: string) =>
          Report.spine(run(name), {
            canvas,
            history,
            prompt: `${name} prompt`,
            title: name,
            errors: [name],
            files: [{ name, path: name }],
            tasks: {
              canvas_id: "c",
              completed: canvas.nodes.slice(0, 9).map((node) => ({
                task_id: "t",
                name: node.name,
                task_type: node.type,
                status: "completed"
              })),
              not_completed: []
            }
          })
        // A name that is not empty, so that all parts of the page are there
        const hostile = await open(report(canvas, `${some[0]}!`), "html")
        assert.deepStrictEqual(hostile, await open(report(harmless(canvas), "Name!"), "html"))
        assert.strictEqual(hostile.styles, 1)

        const tela = (name: string) =>
          Report.tela({
            id: name,
            kind: "task",
            status: "failed",
            providerStatus: name,
            output: undefined,
            task: { id: name, status: "failed", name, tags: [], raw: {} },
            requestId: name,
            raw: { inputContent: { files: [{ name, type: name }] } }
          }, { errors: [name], prompt: `${name} prompt` })
        assert.deepStrictEqual(await open(tela(`${some[1]}!`), "html"), await open(tela("Name!"), "html"))
      }
    },
    300_000
  )

  it("output of others becomes only the elements of Markdown", async () => {
    const attacks = Canvases.attacks(200, Random.make(3))
    const { messages, requests } = await page.open(
      Report.spine({
        ...run("Tides"),
        result: { final_output: attacks.map((text) => `# ${text}\n- ${text}\n\n${text}\n`).join("\n"), artifacts: [] }
      } as Spine.Run),
      "html"
    )
    assert.deepStrictEqual([messages, requests], [[], []])
    const names = await page.evaluate<ReadonlyArray<string>>(
      `Array.from(new Set(Array.from(document.querySelectorAll(".text *"), (element) => element.localName + element.attributes.length)))`
    )
    for (const name of names) {
      assert.include([
        "p0",
        "h30",
        "h40",
        "ul0",
        "ol0",
        "li0",
        "pre0",
        "code0",
        "strong0",
        "em0",
        "br0",
        "table0",
        "tbody0",
        "tr0",
        "th0",
        "td0"
      ], name)
    }
    assert.deepStrictEqual(await page.evaluate(`Object.keys(window).filter((name) => name.startsWith("hit"))`), [])
  }, 120_000)

  it(
    "the policy of a report stops what an escape that is missing would let through",
    async () => {
      const attack =
        "<script>window.hit=1</script><img src=x onerror=\"window.hit=2\"><style>p{color:red}</style><p style=\"color:red\">x</p>" +
        "<form action=\"https://x.example\"></form>"
      const html = Report.spine(run("Tides"))
      const broken = await page.open(html.replace("<main>", `<main>${attack}`), "html")
      assert.isAbove(broken.messages.length, 2)
      assert.deepStrictEqual(broken.requests, [])
      assert.isNull(await page.evaluate("window.hit ?? null"))
      // Without the policy the same attack works, so this test can fail
      const open = await page.open(
        html.replace("<main>", `<main>${attack}`).replace(/<meta http-equiv[^>]*>/, ""),
        "html"
      )
      assert.isAbove(open.requests.length, 0)
      assert.isNumber(await page.evaluate("window.hit"))
    },
    120_000
  )

  it(
    "no text leaves its box, the page does not scroll sideways, and the contrast holds in both themes",
    async () => {
      const names = [
        "Short",
        "A name that is much too long for its box, and goes on",
        "数据库的比较与分析报告以及更多的文字",
        "مرحبا بالعالم في هذا التقرير الطويل",
        "W".repeat(80),
        "👩‍👩‍👧‍👦🏳️‍🌈".repeat(9)
      ]
      const canvas = Canvases.make(24, Canvases.shapes["rounds"]!(24, Random.make(2)))
      const named = Canvases.change(canvas, (_, index) => ({ name: names[index % names.length]! }))
      const html = Report.spine(run("x".repeat(300)), { canvas: named, history: Canvases.historyOf(canvas) })
      for (const [width, dark] of [[1200, false], [360, true]] as const) {
        await page.open(html, "html")
        await page.screenshot({ width, dark })
        const { outside, sideways } = await page.evaluate<
          { readonly outside: ReadonlyArray<string>; readonly sideways: number }
        >(`({
          outside: Array.from(document.querySelectorAll(".box text"), (text) => [text.textContent, text.getBBox().x + text.getBBox().width])
            .filter(([, right]) => right > 206).map(([text]) => text),
          sideways: document.documentElement.scrollWidth - innerWidth
        })`)
        assert.deepStrictEqual(outside, [])
        assert.isAtMost(sideways, 0)
      }
    },
    120_000
  )

  it("a report is a tree that a screen reader can read", async () => {
    const canvas = Canvases.make(4, [[0, 1]])
    await page.open(Report.spine(run("Tides"), { canvas, history: Canvases.historyOf(canvas) }), "html")
    assert.deepStrictEqual(
      await page.evaluate(`({
          language: document.documentElement.lang,
          headings: Array.from(document.querySelectorAll("h1, h2"), (heading) => heading.localName).join(" "),
          picture: document.querySelector("svg.canvas-runs").getAttribute("role") + ": " + document.querySelector("svg.canvas-runs > title").textContent,
          columns: Array.from(document.querySelectorAll("th"), (cell) => cell.scope).every((scope) => scope === "col"),
          hidden: Array.from(document.querySelectorAll(".bar"), (bar) => bar.getAttribute("aria-hidden")).every((hidden) => hidden === "true")
        })`),
      {
        language: "en",
        headings: "h1 h2 h2 h2 h2",
        picture: "img: Graph of blocks",
        columns: true,
        hidden: true
      }
    )
  }, 120_000)
})

it.skipIf(Browser.command !== undefined)("is skipped: there is no Chromium on the PATH", () => {
  console.warn("test/picture/browser.test.ts: no Chromium on the PATH, so the pictures were not opened in a browser.")
})
