/** Removes keys and the signatures of links from text that came from outside. */
import { identity } from "effect/Function"
import * as Redacted from "effect/Redacted"
import { attempt } from "./describe.ts"
import * as RegularExpression from "effect/RegExp"

/** The text inside a `Redacted`. `undefined` for anything else, and for a `Redacted` that has been wiped. */
export const textOf = (secret: unknown): string | undefined =>
  attempt(() => {
    const value: unknown = Redacted.isRedacted(secret) ? Redacted.value(secret) : undefined
    return typeof value === "string" ? value : undefined
  })

/**
 * Makes a function that replaces the key in a text by `<redacted>`: the key itself, and its forms in JSON, in an address, in HTML
 * and in base64, which servers and proxies write when they echo a request.
 */
const scrubber = (secret: string): (text: string) => string => {
  // One pattern for all forms. Every piece of a stream is searched, and a search for each form takes 2 to 6 times as long
  const forms = new RegExp(formsOf(secret).map(RegularExpression.escape).join("|"), "g")
  const scrub = (text: string) => text.replace(forms, "<redacted>")
  // V8 compiles a pattern for the characters of the first text that it searches. One that has searched a request id first takes
  // 75 ns per event of a stream, and one that has searched an empty text 28 ns
  scrub("")
  return scrub
}

/** Removes a key and other secrets from text. */
export interface Cleaner {
  /** Removes the key. */
  readonly key: (text: string) => string
  /** Removes the key and the signatures of links from a text that an error quotes. */
  readonly text: (text: string) => string
  /** Removes the key from a successful response. */
  readonly answer: (text: string) => string
  /** Names the host of a redirect. */
  readonly host: (host: string) => string
}

/** The shortest key that is removed from a successful response. A shorter one, as in tests, could be a word of the response. */
const minKeyLength = 12

export const cleaner = (secret: string): Cleaner => {
  const scrub = scrubber(secret)
  return {
    key: scrub,
    text: (text) => hideLinks(scrub(text)),
    answer: secret.length < minKeyLength ? identity : scrub,
    // A host is lower case and has letters, digits and few other characters
    host: (host) => squeeze(host).includes(squeeze(secret)) ? "elsewhere" : `to ${host}`
  }
}

const squeeze = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9]/g, "")

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

/** The escapes that different libraries write for the two quotes. */
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

/**
 * Removes the query of every link, because any holder of a signed link can open it. Also removes the query of a path, and a
 * signature without a link. Recognises each in plain text and encoded in JSON, in another link or in HTML.
 */
export const hideLinks = (text: string): string =>
  /[?=]|%3f|\\u003f/i.test(text)
    // One pass over the words, so that the cost is linear in the length
    ? text.replaceAll(/[^\s"'<>]+/g, hideLink).replaceAll(loneSignature, "$1=<redacted>")
    : text

const hideLink = (word: string): string => {
  const at = word.search(/\?|%3f|\\u003f/i)
  if (at === -1 || !/\/|%2f/i.test(word.slice(0, at)) || !/=|%3d|\\u003d/i.test(word.slice(at))) return word
  return `${word.slice(0, at)}?<redacted>`
}

const loneSignature = /(signature|credential|security-token|token|sig)=(?!<redacted>)[^\s&"'<>]+/gi

/** {@link hideLinks} in all the texts of a JSON value. */
export const hideLinksIn = (value: unknown): unknown =>
  mapDeep(value, (part) => typeof part === "string" ? hideLinks(part) : part)

/** The depth to which an error keeps a value: `JSON.stringify` and others fail on many thousands of levels. */
const maxLevels = 500

/** Replaces values that are nested too deep for an error to be printed. */
export const cutDeep = (value: unknown): unknown => mapDeep(value, identity)

const isNode = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !ArrayBuffer.isView(value)

/**
 * Copies the objects and arrays of a value, each once, down to the depth that an error keeps. Returns the value itself if nothing
 * changes.
 */
const mapDeep = (value: unknown, map: (leaf: unknown) => unknown): unknown => {
  const copies = new Map<object, unknown>()
  let isChanged = false
  const copy = (value: unknown, depth: number): unknown => {
    if (!isNode(value) || depth > maxLevels) {
      const mapped = isNode(value) ? "<nested too deep>" : map(value)
      isChanged ||= !Object.is(mapped, value)
      return mapped
    }
    if (copies.has(value)) return copies.get(value)
    const members: object = Array.isArray(value) ? [] : {}
    copies.set(value, members)
    for (const [key, member] of Object.entries(value)) {
      // A member may have the name __proto__
      Object.defineProperty(members, key, {
        value: copy(member, depth + 1),
        configurable: true,
        enumerable: true,
        writable: true
      })
    }
    return members
  }
  const mapped = attempt(() => copy(value, 0))
  return isChanged && mapped !== undefined ? mapped : value
}
