/**
 * Small, valid files of the kinds that AI canvases produce: Word, Excel, PowerPoint, HTML and PNG.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Zip from "effect/encoding/Zip"
import * as Stream from "effect/Stream"
import { crc32 } from "./internal/crc32.ts"
import * as Check from "./internal/check.ts"
import * as Predicate from "effect/Predicate"

/**
 * The contents of a file.
 *
 * @category models
 * @since 0.1.0
 */
export interface Content {
  /** The title. */
  readonly title: string
  /** The text of each paragraph, sheet row or slide. */
  readonly paragraphs: ReadonlyArray<string>
}

/**
 * The media types of the files that this module makes, by their extension.
 *
 * @category constants
 * @since 0.1.0
 */
export const mediaTypes: { readonly [extension: string]: string } = {
  docx: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  pptx: "application/vnd.openxmlformats-officedocument.presentationml.presentation",
  html: "text/html; charset=utf-8",
  png: "image/png"
}

/**
 * Makes a Word document with a title and paragraphs.
 *
 * **Example** (The bytes of a document)
 *
 * ```ts
 * import { OfficeFiles } from "canvas-runs/testing"
 * import { Effect } from "effect"
 *
 * const bytes = Effect.runSync(OfficeFiles.docx({ title: "Report", paragraphs: ["All is well."] }))
 *
 * new TextDecoder().decode(bytes.subarray(0, 2)) // => "PK"
 * ```
 *
 * @see {@link html} for a page that a browser shows
 * @category constructors
 * @since 0.1.0
 */
export const docx = (content: Content): Effect.Effect<Uint8Array> => {
  check(content)
  return officePackage("word/document.xml", `${mediaTypes.docx}.main+xml`, [
    {
      path: "word/document.xml",
      content: `<w:document xmlns:w="${ns.word}"><w:body>${
        [
          `<w:p><w:pPr><w:outlineLvl w:val="0"/></w:pPr><w:r><w:rPr><w:b/><w:sz w:val="36"/></w:rPr><w:t xml:space="preserve">${
            escapeXml(content.title)
          }</w:t></w:r></w:p>`,
          ...content.paragraphs.map((text) =>
            `<w:p><w:r><w:t xml:space="preserve">${escapeXml(text)}</w:t></w:r></w:p>`
          )
        ].join("")
      }<w:sectPr><w:pgSz w:w="11906" w:h="16838"/></w:sectPr></w:body></w:document>`
    }
  ])
}

/**
 * Makes an Excel workbook with one sheet: the title in the first row, then one paragraph in each row.
 *
 * **Example** (The bytes of a workbook)
 *
 * ```ts
 * import { OfficeFiles } from "canvas-runs/testing"
 * import { Effect } from "effect"
 *
 * const bytes = Effect.runSync(OfficeFiles.xlsx({ title: "Tides", paragraphs: ["high", "low"] }))
 *
 * new TextDecoder().decode(bytes.subarray(0, 2)) // => "PK"
 * ```
 *
 * @see {@link docx} for a document that Word opens
 * @category constructors
 * @since 0.1.0
 */
export const xlsx = (content: Content): Effect.Effect<Uint8Array> => {
  check(content)
  return officePackage("xl/workbook.xml", `${mediaTypes.xlsx}.main+xml`, [
    {
      path: "xl/workbook.xml",
      content:
        `<workbook xmlns="${ns.sheet}" xmlns:r="${ns.relationships}"><sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>`,
      relationships: [{ type: "worksheet", target: "worksheets/sheet1.xml" }]
    },
    {
      path: "xl/worksheets/sheet1.xml",
      contentType: "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml",
      content: `<worksheet xmlns="${ns.sheet}"><sheetData>${
        [content.title, ...content.paragraphs].map((text, index) =>
          `<row r="${index + 1}"><c r="A${index + 1}" t="inlineStr"><is><t xml:space="preserve">${
            escapeXml(text)
          }</t></is></c><c r="B${index + 1}"><v>${index}</v></c></row>`
        ).join("")
      }</sheetData></worksheet>`
    }
  ])
}

/**
 * Makes a PowerPoint deck with a title slide and one slide for each paragraph.
 *
 * **Example** (The bytes of a deck)
 *
 * ```ts
 * import { OfficeFiles } from "canvas-runs/testing"
 * import { Effect } from "effect"
 *
 * const bytes = Effect.runSync(OfficeFiles.pptx({ title: "Tides", paragraphs: ["high", "low"] }))
 *
 * new TextDecoder().decode(bytes.subarray(0, 2)) // => "PK"
 * ```
 *
 * @see {@link docx} for a document that Word opens
 * @category constructors
 * @since 0.1.0
 */
export const pptx = (content: Content): Effect.Effect<Uint8Array> => {
  check(content)
  const slides = [content.title, ...content.paragraphs]
  return officePackage("ppt/presentation.xml", `${mediaTypes.pptx}.main+xml`, [
    {
      path: "ppt/presentation.xml",
      content:
        `<p:presentation ${slideNamespaces}><p:sldMasterIdLst><p:sldMasterId id="2147483648" r:id="rId1"/></p:sldMasterIdLst><p:sldIdLst>${
          slides.map((_, index) => `<p:sldId id="${256 + index}" r:id="rId${index + 3}"/>`).join("")
        }</p:sldIdLst><p:sldSz cx="12192000" cy="6858000"/><p:notesSz cx="6858000" cy="9144000"/></p:presentation>`,
      relationships: [
        { type: "slideMaster", target: "slideMasters/slideMaster1.xml" },
        { type: "theme", target: "theme/theme1.xml" },
        ...slides.map((_, index) => ({ type: "slide", target: `slides/slide${index + 1}.xml` }))
      ]
    },
    {
      path: "ppt/slideMasters/slideMaster1.xml",
      contentType: "application/vnd.openxmlformats-officedocument.presentationml.slideMaster+xml",
      content:
        `<p:sldMaster ${slideNamespaces}><p:cSld><p:bg><p:bgPr><a:solidFill><a:schemeClr val="bg1"/></a:solidFill>` +
        `<a:effectLst/></p:bgPr></p:bg>${shapeTree("")}</p:cSld>` +
        `<p:clrMap bg1="lt1" tx1="dk1" bg2="lt2" tx2="dk2" accent1="accent1" accent2="accent2" accent3="accent3" ` +
        `accent4="accent4" accent5="accent5" accent6="accent6" hlink="hlink" folHlink="folHlink"/>` +
        `<p:sldLayoutIdLst><p:sldLayoutId id="2147483649" r:id="rId1"/></p:sldLayoutIdLst></p:sldMaster>`,
      relationships: [
        { type: "slideLayout", target: "../slideLayouts/slideLayout1.xml" },
        { type: "theme", target: "../theme/theme1.xml" }
      ]
    },
    {
      path: "ppt/slideLayouts/slideLayout1.xml",
      contentType: "application/vnd.openxmlformats-officedocument.presentationml.slideLayout+xml",
      content: `<p:sldLayout ${slideNamespaces} type="titleOnly"><p:cSld name="Title Only">${
        shapeTree("")
      }</p:cSld><p:clrMapOvr><a:masterClrMapping/></p:clrMapOvr></p:sldLayout>`,
      relationships: [{ type: "slideMaster", target: "../slideMasters/slideMaster1.xml" }]
    },
    {
      path: "ppt/theme/theme1.xml",
      contentType: "application/vnd.openxmlformats-officedocument.theme+xml",
      content: theme
    },
    ...slides.map((text, index) => ({
      path: `ppt/slides/slide${index + 1}.xml`,
      contentType: "application/vnd.openxmlformats-officedocument.presentationml.slide+xml",
      content: `<p:sld ${slideNamespaces}><p:cSld>${
        shapeTree(
          `<p:sp><p:nvSpPr><p:cNvPr id="2" name="Text"/><p:cNvSpPr txBox="1"/><p:nvPr/></p:nvSpPr><p:spPr><a:xfrm>` +
            `<a:off x="838200" y="838200"/><a:ext cx="10515600" cy="4572000"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/>` +
            `</a:prstGeom></p:spPr><p:txBody><a:bodyPr/><a:lstStyle/><a:p><a:r><a:rPr lang="en-US" sz="${
              index === 0 ? 4400 : 2400
            }"/><a:t>${escapeXml(text)}</a:t></a:r></a:p></p:txBody></p:sp>`
        )
      }</p:cSld><p:clrMapOvr><a:masterClrMapping/></p:clrMapOvr></p:sld>`,
      relationships: [{ type: "slideLayout", target: "../slideLayouts/slideLayout1.xml" }]
    }))
  ])
}

/**
 * Makes a web page with a title and paragraphs.
 *
 * **Example** (The text of a page)
 *
 * ```ts
 * import { OfficeFiles } from "canvas-runs/testing"
 *
 * const page = new TextDecoder().decode(OfficeFiles.html({ title: "Q & A", paragraphs: ["All is well."] }))
 *
 * page.includes("<h1>Q &amp; A</h1>") // => true
 * ```
 *
 * @see {@link docx} for a document that Word opens
 * @category constructors
 * @since 0.1.0
 */
export const html = (content: Content): Uint8Array => {
  check(content)
  return encoder.encode(
    `<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>${escapeXml(content.title)}</title>\n` +
      `</head>\n<body>\n<h1>${escapeXml(content.title)}</h1>\n${
        content.paragraphs.map((text) => `<p>${escapeXml(text)}</p>\n`).join("")
      }</body>\n</html>\n`
  )
}

/**
 * Makes a square picture of one colour.
 *
 * **Example** (A red square)
 *
 * ```ts
 * import { OfficeFiles } from "canvas-runs/testing"
 *
 * const bytes = OfficeFiles.png({ size: 16, color: [255, 0, 0] })
 *
 * new TextDecoder("latin1").decode(bytes.subarray(1, 4)) // => "PNG"
 * ```
 *
 * @see {@link html} for a page that a browser shows
 * @category constructors
 * @since 0.1.0
 */
export const png = (options: {
  /** The length of a side in pixels, at most 1,000. */
  readonly size: number
  /** The colour in RGB, each from 0 to 255. */
  readonly color: readonly [red: number, green: number, blue: number]
}): Uint8Array => {
  Check.kind("options", options, isPicture, "an object such as { size: 100, color: [255, 0, 0] }")
  const size = Math.max(1, Math.min(1000, Math.floor(options.size)))
  const row = 1 + size * 3
  const pixels = new Uint8Array(row * size)
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) pixels.set(options.color, y * row + 1 + x * 3)
  }
  const header = new Uint8Array(13)
  const view = new DataView(header.buffer)
  view.setUint32(0, size)
  view.setUint32(4, size)
  // 8 bits for each of red, green and blue
  header.set([8, 2], 8)
  return concat([
    new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    pngChunk("IHDR", header),
    pngChunk("IDAT", zlibStored(pixels)),
    pngChunk("IEND", new Uint8Array(0))
  ])
}

// ---------------------------------------------------------------------------------------------------------------------

const encoder = new TextEncoder()

const ns = {
  word: "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
  sheet: "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
  slide: "http://schemas.openxmlformats.org/presentationml/2006/main",
  drawing: "http://schemas.openxmlformats.org/drawingml/2006/main",
  relationships: "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
}

const slideNamespaces = `xmlns:a="${ns.drawing}" xmlns:r="${ns.relationships}" xmlns:p="${ns.slide}"`

const shapeTree = (shapes: string) =>
  `<p:spTree><p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>${shapes}</p:spTree>`

const solid = `<a:solidFill><a:schemeClr val="phClr"/></a:solidFill>`
const line = `<a:ln w="6350">${solid}<a:prstDash val="solid"/></a:ln>`
const font = `<a:latin typeface="Calibri"/><a:ea typeface=""/><a:cs typeface=""/>`
const effect = `<a:effectStyle><a:effectLst/></a:effectStyle>`

const theme = `<a:theme xmlns:a="${ns.drawing}" name="Plain"><a:themeElements><a:clrScheme name="Plain">${
  [
    ["dk1", "000000"],
    ["lt1", "FFFFFF"],
    ["dk2", "1F2937"],
    ["lt2", "F3F4F6"],
    ["accent1", "2563EB"],
    ["accent2", "DB2777"],
    ["accent3", "16A34A"],
    ["accent4", "D97706"],
    ["accent5", "7C3AED"],
    ["accent6", "0891B2"],
    ["hlink", "1D4ED8"],
    ["folHlink", "6D28D9"]
  ].map(([name, value]) => `<a:${name}><a:srgbClr val="${value}"/></a:${name}>`).join("")
}</a:clrScheme><a:fontScheme name="Plain"><a:majorFont>${font}</a:majorFont><a:minorFont>${font}</a:minorFont></a:fontScheme>` +
  `<a:fmtScheme name="Plain"><a:fillStyleLst>${solid.repeat(3)}</a:fillStyleLst><a:lnStyleLst>${
    line.repeat(3)
  }</a:lnStyleLst>` +
  `<a:effectStyleLst>${effect.repeat(3)}</a:effectStyleLst><a:bgFillStyleLst>${
    solid.repeat(3)
  }</a:bgFillStyleLst></a:fmtScheme>` +
  `</a:themeElements></a:theme>`

interface Part {
  readonly path: string
  readonly content: string
  readonly contentType?: string
  readonly relationships?: ReadonlyArray<{ readonly type: string; readonly target: string }>
}

const xml = (content: string) => `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n${content}`

const relationships = (entries: ReadonlyArray<{ readonly type: string; readonly target: string }>) =>
  xml(
    `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">${
      entries.map(({ target, type }, index) =>
        `<Relationship Id="rId${index + 1}" Type="${ns.relationships}/${type}" Target="${target}"/>`
      ).join("")
    }</Relationships>`
  )

// Stored and not deflated, because `CompressionStream` returns promises
const officePackage = (main: string, mainType: string, parts: ReadonlyArray<Part>): Effect.Effect<Uint8Array> =>
  Stream.fromIterable([
    {
      path: "[Content_Types].xml",
      content: xml(
        `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
          `<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
          `<Default Extension="xml" ContentType="application/xml"/>${
            parts.map(({ contentType, path }) =>
              `<Override PartName="/${path}" ContentType="${path === main ? mainType : contentType}"/>`
            ).join("")
          }</Types>`
      )
    },
    { path: "_rels/.rels", content: relationships([{ type: "officeDocument", target: main }]) },
    ...parts.flatMap((part) => [
      { path: part.path, content: xml(part.content) },
      ...(part.relationships === undefined
        ? []
        : [{
          path: part.path.replace(/([^/]+)$/, "_rels/$1.rels"),
          content: relationships(part.relationships)
        }])
    ])
  ]).pipe(
    Stream.map(({ content, path }) => Zip.file(path, content, { method: "Store" })),
    Stream.pipeThroughChannel(Zip.encode()),
    Stream.mkUint8Array,
    Effect.orDie
  )

// XML cannot have most control characters, not even escaped
const escapeXml = (text: string): string =>
  // oxlint-disable-next-line no-control-regex
  text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd")
    .replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("\"", "&quot;")

const concat = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => {
  const bytes = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0))
  chunks.reduce((offset, chunk) => {
    bytes.set(chunk, offset)
    return offset + chunk.length
  }, 0)
  return bytes
}

const pngChunk = (type: string, data: Uint8Array): Uint8Array => {
  const body = concat([encoder.encode(type), data])
  const frame = new Uint8Array(8 + body.length)
  const view = new DataView(frame.buffer)
  view.setUint32(0, data.length)
  frame.set(body, 4)
  view.setUint32(4 + body.length, crc32(body))
  return frame
}

const zlibStored = (bytes: Uint8Array): Uint8Array => {
  const chunks: Array<Uint8Array> = [new Uint8Array([0x78, 0x01])]
  for (let start = 0; start < bytes.length; start += 0xffff) {
    const block = bytes.subarray(start, start + 0xffff)
    const header = new Uint8Array(5)
    const view = new DataView(header.buffer)
    header[0] = start + block.length === bytes.length ? 1 : 0
    view.setUint16(1, block.length, true)
    view.setUint16(3, ~block.length & 0xffff, true)
    chunks.push(header, block)
  }
  let a = 1
  let b = 0
  for (const byte of bytes) {
    a = (a + byte) % 65521
    b = (b + a) % 65521
  }
  const checksum = new Uint8Array(4)
  new DataView(checksum.buffer).setUint32(0, ((b << 16) | a) >>> 0)
  return concat([...chunks, checksum])
}

const check = (content: Content): Content =>
  Check.kind("content", content, isContent, "an object such as { title: \"Report\", paragraphs: [\"First\"] }")

const isContent = (value: unknown): boolean => {
  const { paragraphs, title } = value as Content
  return Predicate.isString(title) && Array.isArray(paragraphs) && paragraphs.every(Predicate.isString)
}

const isPicture = (value: unknown): boolean => {
  const { color, size } = value as Parameters<typeof png>[0]
  return Number.isFinite(size) && Array.isArray(color) && color.length === 3 && color.every(Predicate.isNumber)
}
