/** The error of an HTTP client and the chain of its causes: their text, and advice for the reader of the message. */
import type * as HttpClientError from "effect/http/HttpClientError"
import * as Predicate from "effect/Predicate"
import { oneLine } from "../describe.ts"

/** An error and its causes, from the outside in: at most five, because a cause may be its own cause. */
const chainOf = (cause: unknown, depth = 0): ReadonlyArray<unknown> =>
  depth > 4 || cause === undefined || cause === null
    ? []
    : [cause, ...chainOf(Predicate.hasProperty(cause, "cause") ? cause.cause : undefined, depth + 1)]

const ownCode = (part: unknown): string | undefined =>
  Predicate.hasProperty(part, "code") && typeof part.code === "string" ? part.code : undefined

/** The first code in an error and its causes. */
export const codeOf = (cause: unknown): string | undefined => chainOf(cause).map(ownCode).find(Predicate.isNotUndefined)

/** The messages of an error and its causes, each once, on one line. */
export const describe = (cause: unknown, withCodes = false): string | undefined => {
  const texts = new Set<string>()
  for (const part of chainOf(cause)) {
    if (typeof part === "string") texts.add(part)
    if (!(part instanceof Error)) break
    const code = ownCode(part)
    const text = oneLine(part.message || (code ?? part.name))
    texts.add(!withCodes || code === undefined || text.includes(code) ? text : `${text}, ${code}`)
  }
  return texts.size === 0 ? undefined : Array.from(texts).join(": ")
}

/**
 * Whether fetch failed because of a redirect that it was told not to follow. The messages are those of Node, Bun and Deno: the
 * standard defines none.
 */
export const isRefusedRedirect = ({ reason }: HttpClientError.HttpClientError): boolean =>
  chainOf(reason.cause).some((part) =>
    part instanceof Error && /unexpected ?redirect|redirect mode/i.test(part.message)
  )

/** Whether a body failed because the platform could not read a Blob, such as one of a file that has changed. */
export const isUnreadableBlob = (cause: unknown): boolean =>
  chainOf(cause).some((part) => part instanceof Error && part.name === "NotReadableError")

/** Advice for a failure of the transport, by its code. */
const adviceByCode = (code: unknown): string | undefined => {
  switch (code) {
    case "UND_ERR_HEADERS_TIMEOUT":
    case "UND_ERR_BODY_TIMEOUT":
      return "Your dispatcher has this limit, 300 s by default. Set its headersTimeout and bodyTimeout to 0, use NodeHttp.layer " +
        "of canvas-runs/node, or start long executions with async: true"
    case "CERT_UNTRUSTED":
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
      return "The server's certificate is not trusted. If your own gateway or proxy has it, trust its authority: connect: { ca } of " +
        "NodeHttp.layer, or NODE_EXTRA_CA_CERTS for fetch"
    case "CERT_HAS_EXPIRED":
    case "CERT_NOT_YET_VALID":
      return "The server's certificate is not valid at this time. Check the clock of this machine. If your own gateway or " +
        "proxy has it, renew it; otherwise try again when the provider has renewed it"
    case "ERR_TLS_CERT_ALTNAME_INVALID":
    case "HOSTNAME_MISMATCH":
      return "The server's certificate is for another host. Check the base URL. If your own gateway or proxy has it, give " +
        "connect: { ca, servername } to NodeHttp.layer, or renew it for this host"
    default:
      return undefined
  }
}

/** Advice for a proxy that asks for credentials. */
export const proxyAdvice =
  "Put the proxy's credentials into its address, http://user:password@host:port, in the option proxy of NodeHttp.layer, or " +
  "HTTPS_PROXY"

/** Returns advice for a request without a response, if an error or one of its causes is known. */
export const adviceFor = (cause: unknown): string | undefined => {
  for (const part of chainOf(cause)) {
    const { code, message } = part as Readonly<Record<string, unknown>>
    const advice = adviceByCode(code)
    if (advice !== undefined) return advice
    // undici, for plain requests and for tunnels
    const status = typeof message === "string"
      ? /^Proxy (?:Authentication Required|response) \((\d+)\)/.exec(message)?.[1]
      : undefined
    if (status === "407") return proxyAdvice
    if (status !== undefined) {
      return `The proxy answered with ${status} and made no connection to the server. Let it reach that host, name the host in ` +
        "NO_PROXY, or use another proxy in the option proxy of NodeHttp.layer, or HTTPS_PROXY"
    }
  }
  return undefined
}
