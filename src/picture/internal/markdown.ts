/**
 * The part of Markdown that reports use, as HTML: headings, lists, tables, code, emphasis. Everything is escaped first, so that the text of
 * others can only become these elements. Links and images stay text: a report makes no requests.
 */
import { escape } from "./svg.ts"

/** The blocks of a Markdown text, each as HTML. */
export const markdown = (text: string): ReadonlyArray<string> => {
  const blocks: Array<string> = []
  let paragraph: Array<string> = []
  let list: { readonly tag: string; readonly items: Array<string> } | undefined
  let code: { readonly fence: string; readonly lines: Array<string> } | undefined
  let table: Array<string> = []
  const flush = () => {
    if (table.length > 0) blocks.push(tableOf(table))
    table = []
    if (paragraph.length > 0) blocks.push(`<p>${paragraph.map(inline).join("<br>")}</p>`)
    if (list !== undefined) {
      blocks.push(`<${list.tag}>${list.items.map((item) => `<li>${inline(item)}</li>`).join("")}</${list.tag}>`)
    }
    paragraph = []
    list = undefined
  }
  const closeCode = () => {
    if (code !== undefined) blocks.push(`<pre><code>${escape(code.lines.join("\n"))}</code></pre>`)
    code = undefined
  }
  for (const line of text.split(/\r\n?|\n/)) {
    if (code !== undefined) {
      // At least as many of the same characters, and nothing after them
      const close = /^ {0,3}(`+|~+)\s*$/.exec(line)?.[1] ?? ""
      if (close.startsWith(code.fence)) closeCode()
      else code.lines.push(line)
      continue
    }
    const fence = /^ {0,3}(`{3,}(?=[^`]*$)|~{3,})/.exec(line)?.[1]
    if (fence !== undefined) {
      flush()
      code = { fence, lines: [] }
      continue
    }
    if (/^\s*\|.*\|\s*$/.test(line)) {
      if (table.length === 0) flush()
      table.push(line)
      continue
    }
    if (table.length > 0) flush()
    const heading = /^ {0,3}(#{1,6})\s+(.*)$/.exec(line)
    const item = /^\s*(?:[-*+]|(\d{1,9})[.)])\s+(.*)$/.exec(line)
    if (heading !== null) {
      flush()
      const tag = heading[1]!.length < 3 ? "h3" : "h4"
      blocks.push(`<${tag}>${inline(heading[2]!)}</${tag}>`)
    } else if (item !== null) {
      const tag = item[1] === undefined ? "ul" : "ol"
      if (list?.tag !== tag) flush()
      list ??= { tag, items: [] }
      list.items.push(item[2]!)
    } else if (line.trim() === "") {
      flush()
    } else if (list !== undefined && /^\s/.test(line)) {
      list.items.push(`${list.items.pop()!} ${line.trim()}`)
    } else {
      if (list !== undefined) flush()
      paragraph.push(line)
    }
  }
  closeCode()
  flush()
  return blocks
}

/** The second line of a table separates its head. Without it, all lines are rows. */
const tableOf = (lines: ReadonlyArray<string>): string => {
  const hasHead = /^[\s|:-]*-[\s|:-]*$/.test(lines[1] ?? "")
  const row = (line: string, tag: string) =>
    `<tr>${line.trim().slice(1, -1).split("|").map((cell) => `<${tag}>${inline(cell.trim())}</${tag}>`).join("")}</tr>`
  return `<table>${
    lines.filter((_, index) => !hasHead || index !== 1).map((line, index) =>
      row(line, hasHead && index === 0 ? "th" : "td")
    ).join("")
  }</table>`
}

const inline = (text: string): string =>
  escape(text)
    .replaceAll(/`([^`]{1,500})`/g, "<code>$1</code>")
    .replaceAll(/\*\*([^*]{1,500})\*\*/g, "<strong>$1</strong>")
    .replaceAll(/(?<![\w*])\*([^*\s](?:[^*]{0,500}[^*\s])?)\*(?![\w*])/g, "<em>$1</em>")
