/**
 * Proof that no byte of a request was written to a connection to the provider. Only with this proof is a create repeated, or a key
 * of the run store freed, so the lists hold only errors that cannot occur after the first byte. That excludes `UND_ERR_DESTROYED`
 * (also for requests in flight), `UND_ERR_SOCKET`, `ECONNRESET`, `EPIPE`, and the codes of OpenSSL for wrong records and alerts.
 */
import * as Predicate from "effect/Predicate"

/** The error objects of connections that were never established, handshakes and proxy tunnels included. */
const connectErrors = new WeakSet<object>()

let isWatching = false

/**
 * Starts to collect the errors of connections that fail. undici, on which Node's fetch is built, publishes each on a channel of
 * `node:diagnostics_channel`, and fails the waiting requests with the same object. Other runtimes have no such channel.
 */
export const watchConnections = (): void => {
  if (isWatching) return
  isWatching = true
  const { process } = globalThis as { readonly process?: { readonly getBuiltinModule?: (id: string) => unknown } }
  const channels = process?.getBuiltinModule?.("node:diagnostics_channel") as
    | { readonly subscribe?: (name: string, listener: (message: unknown) => void) => void }
    | undefined
  channels?.subscribe?.("undici:client:connectError", (message) => {
    if (Predicate.hasProperty(message, "error") && Predicate.isObject(message.error)) connectErrors.add(message.error)
  })
}

/** Codes that exist only before a connection is established, by Node, undici and Bun. */
const connectCodes: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EAI_NODATA",
  "EAI_NONAME",
  "UND_ERR_CONNECT_TIMEOUT",
  // undici throws it for a new request; requests in flight run to their end
  "UND_ERR_CLOSED",
  "ConnectionRefused",
  // Verdicts on the server's certificate, which Node reaches before it writes
  "CERT_CHAIN_TOO_LONG",
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "CERT_REJECTED",
  "CERT_REVOKED",
  "CERT_SIGNATURE_FAILURE",
  "CERT_UNTRUSTED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "HOSTNAME_MISMATCH",
  "INVALID_CA",
  "INVALID_PURPOSE",
  "PATH_LENGTH_EXCEEDED",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE"
])

/** Messages of such errors without a code. */
const connectMessages: ReadonlyArray<RegExp> = [
  // A port that fetch does not call: Node, Deno
  /bad port$/,
  /^Fetch failed: Requests to port \d+ are blocked/,
  // Deno's fetch; its other kinds are SendRequest and the like
  /client error \(Connect\)/,
  // undici, when a proxy wants a password before it forwards a plain request
  /^Proxy Authentication Required \(407\)$/,
  // Node's tls, when the other side hangs up in the handshake
  /^Client network socket disconnected before secure TLS connection was established$/,
  // A server that refuses an HTTP/2 stream has not processed it (RFC 9113, section 8.7)
  /NGHTTP2_REFUSED_STREAM/,
  // undici, for streams that a server did not process before it shut down (RFC 9113, section 6.8)
  /^HTTP\/2: "GOAWAY" frame received with code \d+$/
]

/** Whether the cause of a transport error proves that the request was never sent. */
export const neverSent = (cause: unknown, depth = 0): boolean => {
  if (depth > 4 || !Predicate.isObject(cause)) return false
  if (connectErrors.has(cause)) return true
  const { cause: inner, code, errors, message, syscall } = cause as Readonly<Record<string, unknown>>
  // One for each address of the host
  if (Array.isArray(errors)) return errors.length > 0 && errors.every((error) => neverSent(error, depth + 1))
  if (syscall === "connect" || typeof code === "string" && connectCodes.has(code)) return true
  if (typeof message === "string" && connectMessages.some((words) => words.test(message))) return true
  // An error with a code says what happened; its cause may be older
  return typeof code !== "string" && neverSent(inner, depth + 1)
}
