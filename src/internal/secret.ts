/** Takes a key out of text that came from outside. */

/**
 * Makes a function that replaces the key in a text by `<redacted>`: as it is, and as servers and proxies write it when they
 * echo a request in JSON, in an address, in HTML or in base64.
 */
export const scrubber = (secret: string): (text: string) => string => {
  const forms = formsOf(secret)
  return (text) =>
    forms.some((form) => text.includes(form))
      ? forms.reduce((text, form) => text.replaceAll(form, "<redacted>"), text)
      : text
}

/** The shortest key that is looked for in base64. Parts of a shorter one could be in any text. */
const minBase64 = 9

/** Each form once, the longest first, since a form may contain another one. */
const formsOf = (secret: string): ReadonlyArray<string> => {
  const inJson = (text: string) => JSON.stringify(text).slice(1, -1)
  const inUrl = encodeURIComponent(secret)
  const inUrlWithAll = inUrl.replaceAll(/[!'()*~._-]/g, hex)
  const forms = [
    secret,
    inJson(secret),
    inJson(inJson(secret)),
    inUrl,
    inUrl.replaceAll(/%../g, (code) => code.toLowerCase()),
    inUrlWithAll,
    inUrl.replaceAll(/[!'()*]/g, hex),
    ...htmlQuotes.map(([double, single]) => inHtml(secret, double, single)),
    ...(secret.length < minBase64 ? [] : [0, 1, 2].flatMap((offset) => inBase64(secret, offset)))
  ]
  return [...new Set(forms)].sort((a, b) => b.length - a.length)
}

const hex = (char: string): string => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`

/** How different libraries write the two quotes. */
const htmlQuotes = [["&quot;", "&#39;"], ["&#34;", "&#x27;"], ["&quot;", "&apos;"], ["\"", "'"]] as const

const inHtml = (text: string, double: string, single: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("\"", double)
    .replaceAll("'", single)

/** The characters of base64 that depend on the key alone when `offset` bytes (modulo 3) are in front of it. */
const inBase64 = (secret: string, offset: number): ReadonlyArray<string> => {
  const whole = btoa("\0".repeat(offset) + secret)
  const own = whole.slice(Math.ceil(offset * 8 / 6), Math.floor((offset + secret.length) * 8 / 6))
  return [own, own.replaceAll("+", "-").replaceAll("/", "_"), encodeURIComponent(own)]
}
