/** A scene as the text of a Mermaid flowchart. */
import { type Box, detailOf, type Scene } from "./scene.ts"

export const mermaid = ({ boxes, edges, title }: Scene, direction: "right" | "down"): string => {
  const names = namesOf(boxes)
  const name = escapeTitle(title)
  return [
    `flowchart ${direction === "right" ? "LR" : "TD"}`,
    ...(name === "" ? [] : [`  accTitle: ${name}`]),
    ...boxes.map((box, index) =>
      `  ${names[index]}["${escape(box.name)}<br/>${escape(detailOf(box))}"]:::${box.state}`
    ),
    ...boxes.flatMap(({ isLoop }, index) => isLoop ? [`  ${names[index]} --> ${names[index]}`] : []),
    ...edges.map(([source, target]) => `  ${names[source]} --> ${names[target]}`),
    ...classes
  ].join("\n") + "\n"
}

/** Readable on a light and on a dark page, because each has a fill and a colour. */
const classes = [
  "  classDef waiting fill:#eef1f5,stroke:#8593a3,color:#3d4a59,stroke-dasharray:4 3",
  "  classDef running fill:#dbe9ff,stroke:#1d5fd1,color:#123c85,stroke-width:2px",
  "  classDef succeeded fill:#dcf5e3,stroke:#15803d,color:#0c4a23",
  "  classDef partial fill:#fdf0d2,stroke:#96600a,color:#5c3a04",
  "  classDef failed fill:#ffe3e6,stroke:#c81e3a,color:#80101f,stroke-width:2px"
]

/**
 * A name for each box, from the first characters of its id, so that the lines of a box stay the same when others come. Boxes with the
 * same beginning get a number.
 */
const namesOf = (boxes: ReadonlyArray<Box>): ReadonlyArray<string> => {
  const counts = new Map<string, number>()
  return boxes.map(({ id }) => {
    const name = `b_${id.slice(0, 13).replaceAll(/[^A-Za-z0-9]/g, "_")}`
    const count = (counts.get(name) ?? 0) + 1
    counts.set(name, count)
    return count === 1 ? name : `${name}__${count}`
  })
}

/**
 * Text inside quotes. Mermaid gives a meaning to most punctuation: quotes, directives such as `%%{init}%%`, Markdown, HTML. As codes of
 * characters they are text. It reads formulas (`$$`) and line breaks (`\n`) after it has decoded them, so those two get a space without
 * width.
 */
const escape = (text: string): string =>
  text.replaceAll(/\$(?=\$)|\\(?=n)/g, "$&\u200b").replaceAll(
    /[\u{21}-\u{2f}\u{3a}-\u{40}\u{5b}-\u{60}\u{7b}-\u{7e}]/gu,
    (character) => `#${character.codePointAt(0)};`
  )

/** A title is the rest of its line, and has no codes. */
const escapeTitle = (text: string): string => text.replaceAll(/[^\p{L}\p{M}\p{N} .,_-]+/gu, " ").trim()
