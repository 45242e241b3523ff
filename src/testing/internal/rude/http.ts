/** Rudeness in requests and responses, for every provider. `tela/rudeStream.ts` has the rudeness of event streams. */
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Headers from "effect/http/Headers"
import * as HttpBody from "effect/http/HttpBody"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Stream from "effect/Stream"
import type * as Rude from "../../Rude.ts"
import { gzip } from "../gzip.ts"
import { bodyStream, breakAfter, withBody } from "../responseBody.ts"
import { type Has, type Members, reshape, shapeOf } from "./json.ts"

/** The facts about a provider that rudeness depends on. */
export interface Profile {
  readonly members: Members
  readonly isPoll: (request: Target) => boolean
  readonly isCreate: (request: Target) => boolean
  /** Whether the JSON at that path may have odd members, as the JSON of a run may. */
  readonly hasOddMembers: (path: string) => boolean
  /** Adds the oddities that only this provider's JSON can have. */
  readonly adjust: (body: unknown, context: Adjusting) => unknown
}

export interface Target {
  readonly method: string
  readonly path: string
}

export interface Adjusting extends Target {
  readonly has: Has
  readonly shape: ReturnType<typeof shapeOf>
  /** Whether an open status is to be replaced by {@link unknownStatus}. */
  readonly unknownStatus: boolean
}

export const noProfile: Profile = {
  members: { essential: new Set(), opaque: new Set() },
  isPoll: () => false,
  isCreate: () => false,
  hasOddMembers: () => false,
  adjust: identity
}

/** The words of a text as a set, for the members of a {@link Profile}. */
export const words = (text: string): ReadonlySet<string> => new Set(text.split(" "))

/** The status that `unknownStatuses` names. */
export const unknownStatus = "queued_for_review"

type Response = HttpServerResponse.HttpServerResponse

/** A received request, and the change to its response. */
export interface Received {
  readonly request: HttpServerRequest.HttpServerRequest
  readonly respond: <E, R>(handled: Effect.Effect<Response, E, R>) => Effect.Effect<Response, E, R>
}

export const hasOf = (selected: Rude.Rude): Has => {
  const set = new Set(selected)
  return (name) => set.has(name)
}

/** Returns the function to call with each request as it arrives. `notFound` is the provider's 404. */
export const make = (selected: Rude.Rude, profile: Profile, notFound: () => Response) => {
  const has = hasOf(selected)
  /** How often each run was polled. */
  const polls = new Map<string, number>()
  /** The files, by their ETags, whose download has broken once. */
  const broken = new Set<string>()

  const json = (response: Response, target: Target, poll: number): Response => {
    const isSuccess = response.status >= 200 && response.status < 300
    if (response.body._tag !== "Uint8Array" || !/\bjson\b/.test(response.body.contentType)) return response
    const body: unknown = JSON.parse(new TextDecoder().decode(response.body.body))
    const shape = shapeOf(has, target.path)
    const odd = isSuccess && profile.hasOddMembers(target.path)
      ? profile.adjust(reshape(body, profile.members, shape, has("unknownFields")), {
        ...target,
        has,
        shape,
        unknownStatus: has("unknownStatuses") && poll % 2 === 0
      })
      : body
    const blank = has("jsonWhitespace") ? "\r\n \n" : ""
    return HttpServerResponse.text(`${has("byteOrderMark") ? bom : ""}${blank}${JSON.stringify(odd)}${blank}`, {
      status: isSuccess && has("otherSuccessStatus") && profile.isCreate(target)
        ? target.path.length % 2 === 0 ? 201 : 202
        : response.status,
      headers: Headers.remove(response.headers, "content-length"),
      contentType: response.body.contentType
    })
  }

  /** A file without ranges, or one that breaks. */
  const file = (response: Response): Response => {
    const { etag = "" } = response.headers
    if (has("brokenDownloadsWithoutRanges")) {
      const whole = HttpServerResponse.removeHeader(response, "accept-ranges")
      if (broken.has(etag)) return whole
      broken.add(etag)
      return brokenAfter(whole, Math.ceil(lengthOf(response) / 2))
    }
    return has("brokenDownloads") && response.headers["content-encoding"] === undefined
      ? brokenAfter(response, Math.ceil(totalOf(response) / 2))
      : response
  }

  return (request: HttpServerRequest.HttpServerRequest, url: URL): Received => {
    const target: Target = { method: request.method, path: url.pathname }
    const isPoll = profile.isPoll(target)
    const poll = isPoll ? (polls.get(target.path) ?? 0) + 1 : 0
    if (isPoll) polls.set(target.path, poll)

    const respond = (response: Response): Response => {
      const isFile = response.headers["accept-ranges"] !== undefined
      let result = isFile ? response : json(response, target, poll)
      const type = result.headers["content-type"] ?? ""
      const isEvents = type.startsWith("text/event-stream")
      if (isEvents && has("byteOrderMark")) {
        result = withBody(result, Stream.concat(Stream.succeed(encoder.encode(bom)), bodyStream(result)))
      }
      if (has("gzip") && isZippable(request, result)) {
        result = HttpServerResponse.setHeaders(withBody(result, gzip(bodyStream(result))), {
          "content-encoding": "gzip",
          vary: "accept-encoding"
        })
      }
      if (isFile) result = file(result)
      if (has("noContentLength") && result.body._tag !== "Empty") result = withBody(result, bodyStream(result))
      if (has("slow") && result.body._tag !== "Empty") {
        const late = Stream.concat(Stream.fromEffectDrain(Effect.sleep(pause)), bodyStream(result))
        result = withBody(result, late, result.headers["content-length"])
      }
      if (has("oddContentType") && type !== "") {
        result = HttpServerResponse.setHeader(result, "content-type", `${type.toUpperCase()};  Profile="x;y"`)
      }
      if (has("noContentType") && !isFile && result.body._tag !== "Empty") result = withoutType(result)
      return has("oddRetryAfter") && result.headers["retry-after"] === undefined
        ? HttpServerResponse.setHeader(result, "retry-after", oddRetryAfters[poll % oddRetryAfters.length]!)
        : result
    }

    const isRedirected = has("redirects") && request.method === "GET" && !isPoll && !url.searchParams.has(moved)
    return {
      request: has("brokenDownloadsWithoutRanges")
        ? request.modify({ headers: Headers.remove(request.headers, "range") })
        : request,
      respond: (handled) => {
        const response = isRedirected
          ? Effect.succeed(redirect(url))
          : has("notFoundAtFirst") && poll === 1
          ? Effect.sync(() => respond(notFound()))
          : Effect.map(handled, respond)
        return has("slow") ? Effect.andThen(Effect.sleep(pause), response) : response
      }
    }
  }
}

/** The statuses with which the first link of a file is rejected, by rudeness. */
const linkStatuses = [["expiredLinks400", 400], ["expiredLinks401", 401], ["expiredLinks403", 403]] as const

/**
 * Returns the response to a request for a link to a file, if the link is rejected. The first link of a file that is used counts
 * as expired from then on. The number of links made before does not matter, because it depends on the number of polls.
 */
export const makeLinks = (has: Has): (fileId: string, link: string) => Response | undefined => {
  const firstUsed = new Map<string, { readonly link: string; readonly status: number }>()
  const statuses = linkStatuses.flatMap(([name, status]) => has(name) ? [status] : [])
  return (fileId, link) => {
    const status = statuses[firstUsed.size % statuses.length]
    if (status !== undefined && !firstUsed.has(fileId)) firstUsed.set(fileId, { link, status })
    const first = firstUsed.get(fileId)
    return first?.link === link ? expired(first.status) : undefined
  }
}

/** The response of an object store to an expired link. */
const expired = (status: number): Response =>
  HttpServerResponse.text(
    `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${
      status === 400 ? "ExpiredToken" : "AccessDenied"
    }</Code><Message>Request has expired</Message></Error>`,
    { status, contentType: "application/xml" }
  )

/** The link without scheme and host. */
export const relative = (link: string): string => {
  const url = new URL(link)
  return `${url.pathname}${url.search}`
}

// ---------------------------------------------------------------------------------------------------------------------

const encoder = new TextEncoder()

const bom = "\uFEFF"

/** The milliseconds of `slow`. */
const pause = 10

const oddRetryAfters = ["soon", "-1", "Thu, 99 Foo 2026", "0x10", "1e400"]

/** The query parameter that marks a URL as the target of a redirect. */
const moved = "moved"

const redirect = (url: URL): Response => {
  const target = new URL(url)
  target.searchParams.set(moved, "1")
  return HttpServerResponse.empty({ status: 307, headers: { location: `${target.pathname}${target.search}` } })
}

const isZippable = (request: HttpServerRequest.HttpServerRequest, response: Response): boolean =>
  /\bgzip\b/.test(request.headers["accept-encoding"] ?? "") && request.headers["range"] === undefined &&
  response.body._tag !== "Empty" && response.status !== 416

/** The type of a body appears in the headers of the response, so the body must have no type either. */
const withoutType = (response: Response): Response => {
  const length = response.headers["content-length"]
  const body = HttpBody.stream(bodyStream(response), "", length === undefined ? undefined : Number(length))
  return HttpServerResponse.removeHeader(HttpServerResponse.setBody(response, body), "content-type")
}

const lengthOf = (response: Response): number => Number(response.headers["content-length"] ?? 2)

/** The length of the whole file. */
const totalOf = (response: Response): number =>
  Number(/\/(\d+)$/.exec(response.headers["content-range"] ?? "")?.[1] ?? lengthOf(response))

const brokenAfter = (response: Response, bytes: number): Response =>
  lengthOf(response) <= bytes ? response : breakAfter(response, bytes, response.headers["content-length"])
