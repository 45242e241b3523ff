/** The links to the files of runs, and the downloads behind them. */
import * as Effect from "effect/Effect"
import * as fileResponse from "../fileResponse.ts"
import type * as Links from "../links.ts"
import * as routing from "../routing.ts"
import type { ArtifactFile } from "./artifacts.ts"
import * as responses from "./responses.ts"

export interface Downloads {
  /** Signs a new link each time a file is shown (A1). `requested` is the origin that the request was sent to. */
  readonly linkTo: (file: ArtifactFile, requested: string, now: number) => string
  readonly routes: ReadonlyArray<routing.Route<responses.Access>>
}

export const make = (links: Links.Links<ArtifactFile>, lifetimeMillis: number): Downloads => {
  const download: routing.Handler<"id"> = Effect.fnUntraced(function*({ now, request, url }, { id }) {
    if (request.headers["x-api-key"] !== undefined) {
      return yield* responses.badRequest("A signed URL must not be sent an X-API-KEY")
    }
    const signature = url.searchParams.get("signature") ?? ""
    const link = links.find(signature)
    if (link === undefined || link.target.id !== id || url.searchParams.get("expires") !== String(link.expiresAt)) {
      return yield* responses.refuse(403, "Invalid signature")
    }
    if (now >= link.expiresAt) return yield* responses.refuse(403, "The URL has expired")
    const { target: file } = link
    return links.expiredEarly(id, signature) ??
      fileResponse.respond(request.headers, { ...file, etag: `"${file.id}-${file.size.toString(16)}"` })
  })

  return {
    linkTo: (file, requested, now) => {
      const { expiresAt, token } = links.add(file, now, lifetimeMillis)
      const name = encodeURIComponent(file.name)
      return `${links.originFor(requested)}/_artifacts/${file.id}/${name}?expires=${expiresAt}&signature=${token}`
    },
    routes: routing.routes("signature", { "GET /_artifacts/:id/:name": download })
  }
}
