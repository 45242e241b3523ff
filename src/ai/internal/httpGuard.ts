/**
 * Guards an HTTP endpoint on loopback: only requests to a local host name, from a local origin, with the token. No web page can use the
 * server through the browser of its user.
 */
import * as Digest from "effect/crypto/Digest"
import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import { MaxBodySize } from "effect/http/HttpIncomingMessage"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as ByteSize from "effect/ByteSize"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import { maxMessage } from "./stdioGuard.ts"

export interface Options {
  /** The host names that requests may name, in lower case. */
  readonly hosts: ReadonlyArray<string>
  readonly token: Redacted.Redacted<string> | undefined
}

/** Whether a request can name this host: without a port, and in the form that a URL gives it. */
export const isHost = (host: unknown): boolean =>
  Predicate.isString(host) && URL.canParse(`http://${host}`) && new URL(`http://${host}`).hostname === host

/** Whether a header can carry this token: visible ASCII, and spaces between. */
export const isToken = (token: unknown): boolean => Predicate.isString(token) && /^[!-~](?:[ -~]*[!-~])?$/.test(token)

/** The names of this machine. */
export const localHosts = ["localhost", "127.0.0.1", "[::1]"]

/** The middleware for the route of the server. */
export const make = ({ hosts, token }: Options) =>
  HttpRouter.middleware<{ handles: never }>()((app) =>
    Effect.gen(function*() {
      const request = yield* HttpServerRequest.HttpServerRequest
      const { authorization, host, origin } = request.headers
      /** Whether this is the origin of a local page: a scheme, a host and a port, and nothing else. */
      const isLocal = (url: string) =>
        URL.canParse(url) && !/[\\/?#@]/.test(url.replace(/^\w+:\/\//, "")) && hosts.includes(new URL(url).hostname)
      if (host === undefined || !isLocal(`http://${host}`)) {
        return refusal(403, `This server accepts requests to ${hosts.join(", ")}. Use one of these names in its URL.`)
      }
      if (origin !== undefined && !isLocal(origin)) {
        return refusal(
          403,
          "This server accepts requests only from web pages of the hosts that it serves. The Origin header names another host."
        )
      }
      if (token !== undefined && !(yield* isSame(authorization ?? "", `Bearer ${Redacted.value(token)}`))) {
        return HttpServerResponse.setHeader(
          refusal(401, "Send the token of this server in the header Authorization: Bearer TOKEN."),
          "www-authenticate",
          "Bearer"
        )
      }
      // The origin was checked here, and `effect/ai` knows no ports of local pages
      const checked = request.modify({ headers: Headers.remove(request.headers, "origin") })
      const answer = Effect.gen(function*() {
        // Without this check `effect/ai` would answer that the body is not JSON. A chunked body has no length, so the limit bounds its reading
        if (Number(request.headers["content-length"]) > maxMessage || (yield* isTooLong(checked))) {
          return refusal(413, `The message is longer than ${maxMessage} bytes. Send less text, or shorter files.`)
        }
        return yield* app
      })
      return yield* answer.pipe(
        Effect.provideService(HttpServerRequest.HttpServerRequest, checked),
        Effect.provideService(MaxBodySize, ByteSize.fromInputUnsafe(maxMessage))
      )
    })
  )

/** Reads the body, which the request keeps for the server. Node's requests stop reading at the limit, those of the web do not. */
const isTooLong = (request: HttpServerRequest.HttpServerRequest) =>
  Effect.match(request.text, {
    onSuccess: (text) => text.length > maxMessage,
    onFailure: ({ reason }) => reason._tag === "RequestParseError" && reason.reason === "BodyTooLarge"
  })

const refusal = (status: number, message: string) => HttpServerResponse.jsonUnsafe({ error: message }, { status })

/** Compares digests, because the time of a text comparison reveals where the texts differ. */
const isSame = (a: string, b: string) =>
  Digest.Digest.use((digest) =>
    Effect.all([a, b].map((text) => digest.digestHex(Digest.sha256, new TextEncoder().encode(text))))
  ).pipe(Effect.map(([a, b]) => a === b), Effect.provide(Digest.layerWebCrypto))
