import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { inflateSync } from "node:zlib"
import * as OfficeFiles from "../../src/testing/OfficeFiles.ts"
import { unzip } from "./spine.ts"

const content = { title: `Fish & <Chips> "now"`, paragraphs: ["One", "Two ✓ 漢字", "Bad \u0001 control"] }

/** Every part must have a content type, and every relationship must name a part. */
const assertPackage = (parts: ReadonlyMap<string, string>) => {
  const types = parts.get("[Content_Types].xml") ?? ""
  const rels = [...parts.keys()].filter((path) => path.endsWith(".rels"))
  assert.include(rels, "_rels/.rels")
  for (const path of parts.keys()) {
    if (path === "[Content_Types].xml" || path.endsWith(".rels")) continue
    assert.include(types, `PartName="/${path}"`)
  }
  assert.notInclude(types, "undefined")
  const targets = new Set<string>()
  for (const path of rels) {
    const base = path.replace(/_rels\/[^/]*$/, "")
    const ids = [...parts.get(path)!.matchAll(/Id="([^"]+)"/g)].map((match) => match[1])
    assert.strictEqual(new Set(ids).size, ids.length)
    for (const [, target] of parts.get(path)!.matchAll(/Target="([^"]+)"/g)) {
      const resolved = new URL(target!, `file:///${base}`).pathname.slice(1)
      assert.isTrue(parts.has(resolved), `${path} leads to ${resolved}`)
      targets.add(resolved)
    }
    // Every reference to a relationship by id finds it.
    const owner = path.replace("_rels/", "").replace(/\.rels$/, "")
    for (const [, id] of (parts.get(owner) ?? "").matchAll(/r:id="([^"]+)"/g)) assert.include(ids, id)
  }
  for (const path of parts.keys()) {
    if (path === "[Content_Types].xml" || path.endsWith(".rels")) continue
    assert.isTrue(targets.has(path), `${path} is reachable`)
  }
  for (const [path, xml] of parts) {
    assert.isTrue(xml.startsWith(`<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<`), path)
    assertBalanced(xml)
  }
}

const assertBalanced = (xml: string) => {
  const open: Array<string> = []
  for (const [, close, name, , empty] of xml.matchAll(/<(\/?)([\w:]+)((?:\s+[\w:]+="[^"<]*")*)\s*(\/?)>/g)) {
    if (close === "/") assert.strictEqual(open.pop(), name)
    else if (empty !== "/") open.push(name!)
  }
  assert.deepStrictEqual(open, [])
}

describe("OfficeFiles", () => {
  it.effect("writes a Word document whose parts are all typed, related and well formed", () =>
    Effect.gen(function*() {
      const parts = yield* unzip(yield* OfficeFiles.docx(content))
      assertPackage(parts)
      const document = parts.get("word/document.xml")!
      assert.include(document, "Fish &amp; &lt;Chips&gt; &quot;now&quot;")
      assert.include(document, "Two ✓ 漢字")
      assert.include(document, "Bad \ufffd control")
    }))

  it.effect("writes an Excel workbook with a row per paragraph", () =>
    Effect.gen(function*() {
      const parts = yield* unzip(yield* OfficeFiles.xlsx(content))
      assertPackage(parts)
      assert.strictEqual(parts.get("xl/worksheets/sheet1.xml")!.match(/<row /g)?.length, 4)
    }))

  it.effect("writes a PowerPoint deck with a master, a layout, a theme and a slide per paragraph", () =>
    Effect.gen(function*() {
      const parts = yield* unzip(yield* OfficeFiles.pptx(content))
      assertPackage(parts)
      assert.isTrue(parts.has("ppt/slideMasters/slideMaster1.xml"))
      assert.isTrue(parts.has("ppt/slideLayouts/slideLayout1.xml"))
      assert.isTrue(parts.has("ppt/theme/theme1.xml"))
      assert.strictEqual([...parts.keys()].filter((path) => /slides\/slide\d+\.xml$/.test(path)).length, 4)
    }))

  it("is written synchronously, so that it can be made under the TestClock", () => {
    assert.isAbove(Effect.runSync(OfficeFiles.docx(content)).length, 500)
    assert.isAbove(Effect.runSync(OfficeFiles.xlsx(content)).length, 500)
    assert.isAbove(Effect.runSync(OfficeFiles.pptx(content)).length, 500)
  })

  it("escapes the text of a web page", () => {
    const page = new TextDecoder().decode(OfficeFiles.html(content))
    assert.isTrue(page.startsWith("<!doctype html>"))
    assert.include(page, "<h1>Fish &amp; &lt;Chips&gt; &quot;now&quot;</h1>")
  })

  it("writes a picture that inflates to its pixels, in more than one block when it is large", () => {
    for (const size of [1, 8, 200]) {
      const bytes = OfficeFiles.png({ size, color: [1, 2, 3] })
      assert.deepStrictEqual([...bytes.subarray(0, 8)], [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
      const view = new DataView(bytes.buffer, bytes.byteOffset)
      assert.deepStrictEqual([view.getUint32(16), view.getUint32(20)], [size, size])
      const length = view.getUint32(33)
      const pixels = inflateSync(bytes.subarray(41, 41 + length))
      assert.strictEqual(pixels.length, size * (1 + size * 3))
      assert.deepStrictEqual([...pixels.subarray(0, 4)], [0, 1, 2, 3])
    }
  })
})
