/** What downloads and uploads of files have in common: links, attempts, and causes of failures that keep links secret. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as Predicate from "effect/Predicate"
import * as FetchPlatform from "./fetchPlatform.ts"
import { parseRetryAfter } from "./api.ts"

export { isRefusedRedirect } from "./fetchPlatform.ts"

/**
 * Returns the address that a link names, or says what is wrong with it. A path, with a slash at its beginning or without, is one
 * of the API at `baseUrl`, below the path prefix that `baseUrl` may have.
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
 * messages and properties, and this one is a secret: the cause is made anew from messages and codes, without anything that
 * looks like an address or repeats a part of `link`.
 */
export const cleanCause = (cause: unknown, link: string): { readonly cause?: Error; readonly words: string } => {
  const said = describe(cause)
  if (said === undefined) return { words: "" }
  const text = partsOf(link).reduce((text, part) => text.replaceAll(part, "<link>"), said)
    .replaceAll(/[\w+.-]+:\/\/\S+|\S*\/\S*[?&=]\S*/g, "<link>")
  const advice = FetchPlatform.adviceFor(cause)
  return { cause: new Error(text), words: advice === undefined ? ` (${text})` : ` (${text}). ${advice}` }
}

const describe = (cause: unknown, depth = 0): string | undefined => {
  if (!(cause instanceof Error) || depth > 4) return undefined
  const code = Predicate.hasProperty(cause, "code") && typeof cause.code === "string" ? cause.code : undefined
  const own = (cause.message || (code ?? cause.name)).replaceAll(/\s+/g, " ")
  const inner = describe(cause.cause, depth + 1)
  return `${own}${code === undefined || own.includes(code) ? "" : `, ${code}`}${
    inner === undefined ? "" : `: ${inner}`
  }`
}

/** What must not be shown of a link. Short parts are no secrets, and could be words of a message. */
const partsOf = (link: string): ReadonlyArray<string> => {
  const url = URL.canParse(link) ? new URL(link) : undefined
  return [
    link,
    ...(url === undefined ? [] : [url.search, url.pathname, url.username, url.password, ...url.searchParams.values()])
  ]
    .filter((part) => part.length >= 6)
}

/** What decides about it in an error. */
interface Failure {
  readonly isRetryable: boolean
  readonly retryAfter?: Duration.Duration
}

/** What a status means, where it is not one of the file's server. */
export const wordsOf = (status: number): string =>
  status === 407
    ? `a proxy asks for credentials (407). ${FetchPlatform.proxyAdvice}`
    : `its server answered with ${status}`

/** What a refusal says about trying again, for the error. */
export const refusal = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<
  Failure & { readonly status: number }
> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    const { headers, status } = response
    const retryAfter = parseRetryAfter(headers, now)
    return {
      status,
      // 202 promises the file for later
      isRetryable: status >= 500 || status === 202 || status === 408 || status === 425 || status === 429,
      ...(retryAfter === undefined ? undefined : { retryAfter })
    }
  })

/**
 * Whether a response is a page of HTML, such as that of a proxy which answers in the server's place, by its content type or, where
 * that says nothing, by the first bytes of the body. The rest of the body is left unread.
 */
export const isPage = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<boolean> => {
  const { "content-length": length, "content-type": type = "" } = response.headers
  return /html/i.test(type) || length === "0" ||
      !/^(?:|text\/plain\b.*|application\/octet-stream\b.*)$/i.test(type.trim())
    ? Effect.as(FetchPlatform.discard(response), /html/i.test(type))
    : Stream.runHead(FetchPlatform.stream(response)).pipe(
      // The server has taken the file by its status, whatever becomes of the body
      Effect.timeoutOption(headTimeout),
      Effect.map((head) => Option.isSome(Option.filter(Option.flatten(head), beginsPage))),
      Effect.catch(() => Effect.succeed(false))
    )
}

/** How long the beginning of a body is waited for. */
const headTimeout = "2 seconds"

const beginsPage = (bytes: Uint8Array): boolean =>
  /^\s*<(?:!doctype html|html)\b/i.test(new TextDecoder().decode(bytes.subarray(0, 512)))

/** Whether a body failed because the platform could not read a Blob, such as one of a file that has changed. */
export const isUnreadableBlob = (cause: unknown, depth = 0): boolean =>
  cause instanceof Error && depth < 4 &&
  (cause.name === "NotReadableError" || isUnreadableBlob(cause.cause, depth + 1))

/** Repeats what failed for a passing reason, and no sooner than its server asks. */
export const retrying = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  options: { readonly retry: Schedule.Schedule<unknown, never>; readonly retryAfterCeiling: Duration.Duration },
  isFailure: (error: unknown) => error is Failure
): Effect.Effect<A, E, R> =>
  Effect.retry(self, {
    // The schedule sees only what `while` lets through
    schedule: Schedule.modifyDelay(options.retry as Schedule.Schedule<unknown>, ({ duration, input }) => {
      const { retryAfter } = input as Failure
      return Effect.succeed(
        retryAfter === undefined
          ? duration
          : Duration.max(duration, Duration.min(retryAfter, options.retryAfterCeiling))
      )
    }),
    while: (error) => isFailure(error) && error.isRetryable
  })
