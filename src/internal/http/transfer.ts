/** Shared by downloads and uploads of files: links, statuses, and causes of failures that keep links secret. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Body from "./body.ts"
import * as Causes from "./causes.ts"
import { parseRetryAfter } from "./retry.ts"

/**
 * Returns the address that a link names, or the reason why the link is not valid. A link that is only a path
 * is resolved against `baseUrl`, including the path prefix of `baseUrl`, with or without a slash at its beginning.
 */
export const resolveLink = (link: string, baseUrl: URL | undefined): URL | string => {
  const text = link.trim()
  if (baseUrl === undefined || text === "" || /^(?:[?#]|[a-z][\w+.-]*:)/i.test(text)) return checkAddress("link", text)
  const rooted = text.startsWith("/") ? text : `/${text}`
  const prefix = baseUrl.pathname.replace(/\/$/, "")
  const isWhole = rooted.startsWith("//") || rooted.startsWith(`${prefix}/`)
  return checkAddress("link", isWhole ? rooted : prefix + rooted, baseUrl)
}

/** Resolves the address that the server gave as `what`, or says why no request can be sent to it. */
export const checkAddress = (what: "link" | "location", address: string, base?: URL): URL | string => {
  const url = URL.canParse(address, base) ? new URL(address, base) : undefined
  return url === undefined || !/^https?:/.test(url.protocol)
    ? `its ${what} is neither an http address nor a path`
    : url.username !== "" || url.password !== ""
    ? `its ${what} contains a user name or a password, which fetch refuses`
    : url
}

/**
 * Returns the `cause` field of an error about a link, and the words for it. Runtimes put the address of a request into their
 * messages and properties, and this address is a secret. So the cause is a new object of messages and codes, without any text
 * that looks like an address or repeats a part of `link`.
 */
export const cleanCause = (cause: unknown, link: string): { readonly cause?: Error; readonly words: string } => {
  const said = cause instanceof Error ? Causes.describe(cause, true) : undefined
  if (said === undefined) return { words: "" }
  const text = partsOf(link).reduce((text, part) => text.replaceAll(part, "<link>"), said)
    .replaceAll(/[\w+.-]+:\/\/\S+|\S*\/\S*[?&=]\S*/g, "<link>")
  const advice = Causes.adviceFor(cause)
  return { cause: new Error(text), words: advice === undefined ? ` (${text})` : ` (${text}). ${advice}` }
}

/** The parts of a link that must not be shown. Parts of less than 6 characters are not secrets, and could be words of a message. */
const partsOf = (link: string): ReadonlyArray<string> => {
  const url = URL.canParse(link) ? new URL(link) : undefined
  return [
    link,
    ...(url === undefined ? [] : [url.search, url.pathname, url.username, url.password, ...url.searchParams.values()])
  ]
    .filter((part) => part.length >= 6)
}

/** Describes the status of a response that is not a success. */
export const wordsOf = (status: number): string =>
  status === 407
    ? `a proxy asks for credentials (407). ${Causes.proxyAdvice}`
    : `its server answered with ${status}`

/** The fields of an error about a response that is not a success. */
export const refusal = ({ headers, status }: HttpClientResponse.HttpClientResponse) =>
  Effect.map(Clock.currentTimeMillis, (now) => ({
    status,
    // 202 promises the file for later
    isRetryable: status >= 500 || status === 202 || status === 408 || status === 425 || status === 429,
    retryAfter: parseRetryAfter(headers, now)
  }))

/**
 * Whether a response is a page of HTML, such as that of a proxy which answers in the server's place, by its content type or, where
 * that says nothing, by the first bytes of the body. The rest of the body is left unread.
 */
export const isPage = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<boolean> => {
  const { "content-length": length, "content-type": type = "" } = response.headers
  return /html/i.test(type) || length === "0" ||
      !/^(?:|text\/plain\b.*|application\/octet-stream\b.*)$/i.test(type.trim())
    ? Effect.as(Body.discard(response), /html/i.test(type))
    : Stream.runHead(Body.stream(response)).pipe(
      // The status says that the server has accepted the file, even if the body of its response fails
      Effect.timeoutOption(headTimeout),
      Effect.map((head) => Option.isSome(Option.filter(Option.flatten(head), beginsPage))),
      Effect.orElseSucceed(() => false)
    )
}

/** How long to wait for the beginning of a body. */
const headTimeout = "2 seconds"

const beginsPage = (bytes: Uint8Array): boolean =>
  /^\s*<(?:!doctype html|html)\b/i.test(new TextDecoder().decode(bytes.subarray(0, 512)))
