/** The files that variables refer to, at any depth. */
import * as Predicate from "effect/Predicate"
import { isObject } from "../json.ts"

export interface FileRef {
  readonly url: string
  readonly name: string
  readonly mimeType: string | undefined
}

/** Every object with a `file_url`, in order. */
export const inValue = (value: unknown): ReadonlyArray<FileRef> => {
  if (Array.isArray(value)) return value.flatMap(inValue)
  if (!isObject(value)) return []
  const url = value["file_url"]
  if (!Predicate.isString(url)) return Object.values(value).flatMap(inValue)
  const mimeType = value["mime_type"]
  return [{
    url,
    name: Predicate.isString(value["file_name"]) ? value["file_name"] : nameOf(url),
    mimeType: Predicate.isString(mimeType) ? mimeType : /^data:([^;,]+)/.exec(url)?.[1]
  }]
}

/** The images of messages, which are parts of their contents. */
export const inMessages = (messages: ReadonlyArray<{ readonly content: unknown }>): ReadonlyArray<FileRef> =>
  messages.flatMap(({ content }) => Array.isArray(content) ? content : []).flatMap((part: unknown) => {
    const image = isObject(part) ? part["image_url"] : undefined
    const url = isObject(image) ? image["url"] : undefined
    return Predicate.isString(url) ? [{ url, name: nameOf(url), mimeType: "image/*" }] : []
  })

const nameOf = (url: string): string =>
  url.startsWith("data:") ? "inline" : url.split(/[?#]/, 1)[0]!.split("/").findLast((part) => part !== "") ?? url

/** The first mistake in a value that looks like a file. */
export const problem = (value: unknown): string | undefined => {
  if (Array.isArray(value)) return firstProblem(value)
  if (!isObject(value)) return undefined
  if (!("file_url" in value)) return firstProblem(Object.values(value))
  const { file_url: url, options } = value
  if (!Predicate.isString(url)) return "file_url must be a string"
  if (!isFileUrl(url)) return "file_url must be an http(s) URL, a data: URL in base64 or vault://<file id>"
  return options === undefined || options === null || isObject(options)
    ? undefined
    : "options of a file must be an object"
}

const firstProblem = (values: ReadonlyArray<unknown>): string | undefined => {
  for (const value of values) {
    const found = problem(value)
    if (found !== undefined) return found
  }
  return undefined
}

const isFileUrl = (url: string): boolean =>
  (/^https?:\/\//i.test(url) && URL.canParse(url)) ||
  /^data:[^;,]*(;[^;,]+)*;base64,[a-z0-9+/]*={0,2}$/i.test(url) ||
  /^vault:\/\/([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{64})$/i.test(url)
