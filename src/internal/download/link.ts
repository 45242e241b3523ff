/** Requests a link: follows redirects, and replaces a link that the server rejects with a fresh one. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Headers from "effect/http/Headers"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Body from "../http/body.ts"
import * as FetchPlatform from "../http/fetchPlatform.ts"
import { isRedirect } from "../http/redirects.ts"
import { causeOf, execute } from "../http/send.ts"
import * as Transfer from "../http/transfer.ts"
import * as Errors from "./errors.ts"
import type { ArtifactSource, Options } from "./source.ts"

/** A file, and the link to it that is valid now. */
export interface Linked<E, R> {
  readonly options: Options
  readonly source: ArtifactSource<E, R>
  link: string
}

/** Requests the file. If the server rejects the link, requests the file once more with a fresh link. */
export const request = <E, R>(file: Linked<E, R>, headers: Headers.Input) =>
  Effect.gen(function*() {
    const { options: { baseUrl, client, idleTimeout }, source } = file
    const get = Effect.suspend(() => {
      const url = Transfer.resolveLink(file.link, baseUrl)
      return typeof url === "string"
        ? Effect.fail(Errors.unavailable(source, url))
        : follow(source, client, url, headers)
    }).pipe(
      Effect.timeoutOrElse({
        duration: idleTimeout,
        orElse: () =>
          Effect.fail(
            Errors.unavailable(source, `its server gave no answer within ${Duration.format(idleTimeout)}`, {
              isRetryable: true
            })
          )
      }),
      // The link is a secret while it is valid, and a span of the client would show it
      FetchPlatform.calling(undefined)
    )
    const expired = (status: number, what: string) => Errors.make(source, "expired", what, { status })
    const first = yield* get
    if (!isRefusal(first.status)) return first
    yield* Body.discard(first)
    const link = yield* source.refresh
    if (link === undefined) {
      return yield* expired(first.status, "Its link is refused, and the run no longer lists it. The file is gone.")
    }
    file.link = link
    const second = yield* get
    if (!isRefusal(second.status)) return second
    yield* Body.discard(second)
    return yield* expired(
      second.status,
      `Its link was refused with ${first.status}, and a fresh one with ${second.status}. Ask the provider whether the file still exists.`
    )
  })

/** The statuses for an expired link: S3 has 400 or 403, GCS 400, Azure 403, others 401, 404 or 410. */
const isRefusal = (status: number): boolean =>
  status === 400 || status === 401 || status === 403 || status === 404 || status === 410

/** The largest number of redirects that are followed. */
const maxRedirects = 10

/** Sends the request, and follows redirects. An unread body would hold its connection until it is collected. */
const follow = (source: Errors.Named, client: Options["client"], link: URL, headers: Headers.Input) =>
  Effect.gen(function*() {
    const visited: Array<string> = []
    for (let url = link;;) {
      const { href } = url
      const request = HttpClientRequest.get(url, { headers })
      const response = yield* execute(client, request).pipe(
        // A browser hides the target of a redirect, so a second request lets the browser follow the redirects
        Effect.filterOrElse(
          ({ status }) => status !== 0,
          () => FetchPlatform.following(execute(client, request))
        ),
        Effect.mapError((error) => {
          const { cause, words } = Transfer.cleanCause(causeOf(error), href)
          return Errors.unavailable(source, `its server gave no answer${words}`, { isRetryable: true, cause })
        })
      )
      const { headers: { location }, status } = response
      if (!isRedirect(status)) return response
      yield* Body.discard(response)
      const wrong = (what: string) => Errors.unavailable(source, what, { status })
      if (location === undefined) return yield* wrong(`its server redirects with ${status}, without a location`)
      const target = Transfer.checkAddress("location", location, url)
      if (typeof target === "string") return yield* wrong(`its server redirects with ${status}, and ${target}`)
      if (visited.length === maxRedirects) {
        return yield* wrong(
          `it leads to more than ${maxRedirects} redirects${visited.includes(target.href) ? ", in a circle" : ""}`
        )
      }
      visited.push(href)
      url = target
    }
  })
