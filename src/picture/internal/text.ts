/**
 * Text for a terminal: its width in columns, and its safety.
 *
 * Terminals disagree about the width of joined emoji, of flags and of some scripts. Each code point therefore counts with its largest
 * width, so that a row never wraps: at worst, a column of the row is not aligned.
 */

const ESC = "\u001b"

/** A change of colour or weight, the only control sequence that a row may have. */
const sgr = new RegExp(`${ESC}\\[[\\d;:]*m`, "g")

/** Code points that take no column: marks above and below others, and invisible ones. */
const zeroWidth = /^[\p{Mn}\p{Me}\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]$/u

/** Code points that may take two columns: East Asian wide ones, and emoji. */
const wide =
  /^[\u{1100}-\u{115f}\u{231a}-\u{231b}\u{2329}-\u{232a}\u{2e80}-\u{303e}\u{3040}-\u{a4cf}\u{a960}-\u{a97c}\u{ac00}-\u{d7a3}\u{f900}-\u{faff}\u{fe10}-\u{fe19}\u{fe30}-\u{fe6f}\u{ff01}-\u{ff60}\u{ffe0}-\u{ffe6}\u{16fe0}-\u{1b2ff}\u{1d300}-\u{1d376}\u{1f000}-\u{1faff}\u{20000}-\u{3fffd}\p{Emoji_Presentation}]$/u

const asciiOnly = /^[\u{20}-\u{7e}]*$/u

const widthOf = (character: string): number =>
  asciiOnly.test(character) ? 1 : zeroWidth.test(character) ? 0 : wide.test(character) ? 2 : 1

/** Returns how many columns a text takes at most. Changes of colour take none. */
export const width = (text: string): number => {
  if (asciiOnly.test(text)) return text.length
  let columns = 0
  for (const character of text.replaceAll(sgr, "")) columns += widthOf(character)
  return columns
}

/**
 * Makes a text of others, such as the name of a block, safe for a row: one line, without control characters, without characters
 * that reverse or join others, and with at most two marks on a letter.
 */
export const clean = (text: string): string =>
  asciiOnly.test(text) ? text : text
    .replaceAll(/\p{Cs}/gu, "\ufffd")
    .replaceAll(/[^\S ]+/g, " ")
    .replaceAll(/[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\p{Emoji_Modifier}]/gu, "")
    .replaceAll(/(\p{M}{2})\p{M}+/gu, "$1")

/** Cuts a clean text to `columns`, with an ellipsis as its last character. */
export const cut = (text: string, columns: number): string => {
  if (width(text) <= columns) return text
  let kept = ""
  let used = 1
  for (const character of text) {
    used += widthOf(character)
    if (used > columns) break
    kept += character
  }
  return columns < 1 ? "" : `${kept}…`
}

/** Cuts and pads a clean text to exactly `columns`. */
export const fit = (text: string, columns: number, side: "left" | "right" = "left"): string => {
  const short = cut(text, columns)
  const space = " ".repeat(Math.max(0, columns - width(short)))
  return side === "left" ? short + space : space + short
}

/** Makes a row of a view safe: cut to `columns`, and without any control sequence but changes of colour. */
export const row = (text: string, columns: number): string => {
  if (asciiOnly.test(text)) return cut(text, columns)
  const colors = text.match(sgr) ?? []
  let room = columns
  const parts = text.split(sgr).map((part, index) => {
    const whole = clean(part)
    const short = room > 0 ? cut(whole, room) : ""
    // Nothing follows an ellipsis
    room = short === whole ? room - width(short) : 0
    return short + (colors[index] ?? "")
  })
  return parts.join("")
}

/** Makes text for the lines above a view safe: line ends and changes of colour stay. */
export const lines = (text: string): ReadonlyArray<string> =>
  text.split(/\r?\n/).map((line) => row(line.replaceAll("\t", "  "), Infinity))

const colors = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39]
} as const

/** Colours a text. */
export const paint = (color: keyof typeof colors, text: string): string =>
  text === "" ? "" : `${ESC}[${colors[color][0]}m${text}${ESC}[${colors[color][1]}m`

/** Moves the cursor of a terminal, and erases. */
export const cursor = {
  hide: `${ESC}[?25l`,
  show: `${ESC}[?25h`,
  eraseBelow: `${ESC}[J`,
  up: (rows: number): string => rows === 0 ? "" : `${ESC}[${rows}A`
} as const

const eraseRight = `${ESC}[K`
const lastColumn = `${ESC}[999G`
const wrapOn = `${ESC}[?7h`
const wrapOff = `${ESC}[?7l`

/**
 * Joins rows to one line of the terminal, which the terminal breaks after each row: a space in the last column makes it wrap the next
 * one. Within a row nothing wraps, so that there are as many rows as given, also if the terminal is narrower than expected. The space
 * before an erasure is for empty rows: to erase from the first column on would end the line.
 */
export const oneLine = (rows: ReadonlyArray<string>): string =>
  wrapOff + rows.join(` ${eraseRight}${lastColumn}${wrapOn}  \r${wrapOff}`) + ` ${cursor.eraseBelow}${wrapOn}`
