/** Removes the contents of responses, so that their shapes may be kept in the repository. */

/** Members whose text is part of the contract: a closed set of words, and not the text of a person. */
const words = new Set(["status", "type", "role", "object", "finish_reason", "event"])

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Replaces every value by one of the same form: a UUID by a UUID, a link by a link, a number by a number. */
export const redact = (value: unknown, member = ""): unknown => {
  if (typeof value === "string") return redactText(value, member)
  if (typeof value === "number") return Number.isInteger(value) ? 1 : 1.5
  if (Array.isArray(value)) return distinct(value.map((item) => redact(item, member)))
  if (typeof value !== "object" || value === null) return value
  // Names outside the contract, such as those of variables, can be contents too
  return Object.fromEntries(
    Object.entries(value).map(([name, item], index) => [
      member === "variables" || !/^[a-z][\w$]*$/i.test(name) ? `member${index + 1}` : name,
      redact(item, name)
    ])
  )
}

const redactText = (text: string, member: string): string => {
  if (text === "") return ""
  if (words.has(member) && /^[a-z][a-z._-]{0,40}$/i.test(text)) return text
  if (uuid.test(text)) return "00000000-0000-4000-8000-000000000000"
  if (/^\d{4}-\d\d-\d\dT/.test(text)) return "2026-01-01T00:00:00.000Z"
  if (/^https?:/.test(text)) return "https://example.com/redacted"
  if (text.startsWith("vault://")) return "vault://00000000-0000-4000-8000-000000000000"
  if (text.startsWith("/")) {
    return text.split("?")[0]!.split("/").map((part) => uuid.test(part) ? "{id}" : part).join("/")
  }
  return "text"
}

/** Keeps one item of each form. */
const distinct = (items: ReadonlyArray<unknown>): ReadonlyArray<unknown> => {
  const seen = new Map(items.map((item) => [JSON.stringify(item), item]))
  return [...seen.values()].slice(0, 4)
}

/** The path of a request without its ids: the name of the fixture. */
export const pathOf = (url: URL): string =>
  url.pathname.split("/").map((part) => uuid.test(part) || /\d{4,}/.test(part) ? "{id}" : part).join("/")
