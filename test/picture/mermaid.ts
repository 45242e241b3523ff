/**
 * Gives the Mermaid text of canvases of every shape, and of 1,000 attacks by names, to Mermaid itself, in Chromium. Mermaid is
 * downloaded from the registry, because it is too large for a dependency.
 *
 *     node --conditions=canvas-runs:source test/picture/mermaid.ts [--shot FILE]
 */
import { Picture } from "canvas-runs/picture"
import { execFile } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs, promisify } from "node:util"
import * as Random from "../support/random.ts"
import * as Browser from "./browser.ts"
import * as Canvases from "./canvases.ts"

/** What GitHub draws with, and the latest. */
const versions = ["11.12.1", "12.3.0"]

const { values: flags } = parseArgs({ options: { shot: { type: "string" } } })

/** Downloads Mermaid, and returns its script for browsers. */
const download = async (version: string): Promise<string> => {
  const directory = mkdtempSync(join(tmpdir(), "canvas-runs-mermaid-"))
  try {
    await promisify(execFile)("npm", ["pack", `mermaid@${version}`, "--silent", "--pack-destination", directory])
    await promisify(execFile)("tar", ["xzf", join(directory, `mermaid-${version}.tgz`), "-C", directory])
    return readFileSync(join(directory, "package/dist/mermaid.min.js"), "utf8")
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Draws a text, and returns the names of its boxes, or the reason why there is no drawing. */
const draw = (text: string) => `
  mermaid.render("drawing", ${JSON.stringify(text)}).then(({ svg }) => {
    document.querySelector("#place").innerHTML = svg
    return {
      texts: Array.from(document.querySelectorAll(".node"), (node) => node.textContent.trim()),
      edges: document.querySelectorAll(".edgePaths path").length,
      odd: document.querySelectorAll("#place script, #place a, #place img, #place iframe, #place input").length,
      marks: Object.keys(window).filter((name) => name.startsWith("hit"))
    }
  }, (error) => ({ error: String(error) }))`

interface Drawn {
  readonly error?: string
  readonly texts: ReadonlyArray<string>
  readonly edges: number
  readonly odd: number
  readonly marks: ReadonlyArray<string>
}

const check = async (version: string): Promise<ReadonlyArray<string>> => {
  const mermaid = await download(version)
  const { close, page } = await Browser.launch()
  let boxes = 0
  const faults: Array<string> = []
  try {
    const { messages } = await page.open(
      `<!doctype html><meta charset="utf-8"><title>mermaid</title><body><div id="place"></div><script>${
        mermaid.replaceAll("</script", "<\\/script")
      }</script><script>mermaid.initialize({ startOnLoad: false, securityLevel: "strict", maxTextSize: 1e6, maxEdges: 1e4 })</script>`,
      "html"
    )
    if (messages.length > 0) throw new Error(messages.join("\n"))
    const look = async (name: string, canvas: Parameters<typeof Picture.mermaid>[0]) => {
      const { edges, error, marks, odd, texts } = await page.evaluate<Drawn>(draw(Picture.mermaid(canvas)))
      if (error !== undefined) return void faults.push(`${name}: ${error}`)
      boxes += texts.length
      if (texts.length !== canvas.nodes.length) faults.push(`${name}: ${texts.length} of ${canvas.nodes.length} boxes`)
      if (odd > 0 || marks.length > 0) faults.push(`${name}: ${odd} elements that are no text, marks ${marks.join()}`)
      if (texts.some((text) => /Unsupported markdown/.test(text))) faults.push(`${name}: a name was read as Markdown`)
      return { edges, texts }
    }
    for (const [shape, edgesOf] of Object.entries(Canvases.shapes)) {
      for (const count of [0, 1, 2, 30]) {
        const canvas = Canvases.make(count, count === 0 ? [] : edgesOf(count, Random.make(count)))
        const drawn = await look(`${shape} ${count}`, canvas)
        const edges = Picture.mermaid(canvas).split(" --> ").length - 1
        // An edge of a box to itself has several parts
        if (drawn !== undefined && (shape === "none" ? drawn.edges > 0 : drawn.edges < edges)) {
          faults.push(`${shape} ${count}: ${drawn.edges} of ${edges} edges`)
        }
      }
    }
    const plain = [
      "1. First",
      "- item",
      "* a",
      "# x",
      "a_b_c",
      "C++ & C#",
      "50 % of {x}",
      "\"quoted\"",
      "`code`",
      "end",
      "a;b",
      "x #35; y",
      "<br/>",
      "\\n"
    ]
    const named = Canvases.change(
      Canvases.make(plain.length, []),
      (_, index) => ({ name: plain[index]!, type: "web-block", status: "idle" })
    )
    const shown = await look("plain names", named)
    shown?.texts.forEach((text, index) => {
      if (!text.replaceAll("\u200b", "").startsWith(plain[index]!)) {
        faults.push(`${JSON.stringify(plain[index])} is shown as ${JSON.stringify(text)}`)
      }
    })
    if (flags.shot !== undefined) {
      await look("picture", Canvases.make(12, Canvases.shapes["rounds"]!(12, Random.make(1))))
      writeFileSync(flags.shot, await page.screenshot({ width: 1400, height: 500 }))
    }
    const random = Random.make(20_261_126)
    const attacks = Canvases.attacks(1000, random)
    for (let from = 0; from < attacks.length; from += 40) {
      await look(`attacks from ${from}`, Canvases.attackedCanvas(attacks.slice(from, from + 40), random))
      console.log(`Mermaid ${version}: ${Math.min(attacks.length, from + 40)} of ${attacks.length} attacks`)
    }
  } finally {
    await close()
  }
  for (const fault of faults) console.error(fault)
  console.log(`Mermaid ${version} drew ${boxes} boxes, ${faults.length} faults`)
  return faults
}

const found: Array<string> = []
for (const version of versions) found.push(...await check(version))
console.log(`${versions.length} versions of Mermaid, ${found.length} faults`)
if (found.length > 0) process.exitCode = 1
