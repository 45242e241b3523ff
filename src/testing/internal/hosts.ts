/**
 * Accepts or rejects the `Host` header of a request to a server on this machine. By DNS rebinding, a page of another origin can
 * make its own host name resolve to 127.0.0.1, and then read every response. Such requests have that host name, so they are
 * rejected.
 */
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"

const loopback = new Set(["localhost", "127.0.0.1", "[::1]"])

/** Whether a server that listens on `listening` accepts that host. */
export const isAllowed = (
  header: string | undefined,
  options: { readonly listening: string; readonly allowed: ReadonlyArray<string> }
): boolean => {
  if (header === undefined || !URL.canParse(`http://${header}`)) return false
  const { hostname } = new URL(`http://${header}`)
  return loopback.has(hostname) || hostname === bracketed(options.listening.toLowerCase()) ||
    options.allowed.some((allowed) => allowed === "*" || bracketed(allowed.toLowerCase()) === hostname) ||
    // A server that listens on all addresses accepts any address as the host. Only a name can be rebound.
    wildcards.has(options.listening) && isAddress(hostname)
}

/** Answers 421 to requests for other hosts. */
export const guard = <E, R>(
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>,
  options: { readonly listening: string; readonly allowed: ReadonlyArray<string> }
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | HttpServerRequest.HttpServerRequest> =>
  Effect.flatMap(
    HttpServerRequest.HttpServerRequest,
    ({ headers: { host } }) =>
      isAllowed(host, options) ? app : Effect.succeed(HttpServerResponse.text(
        `The emulator was called as ${
          JSON.stringify(host ?? "")
        }, and it answers to localhost, 127.0.0.1 and [::1] only. To call it by another name, list the name in the option ` +
          "allowedHosts of the server, or start it with --allow-host NAME.\n",
        { status: 421 }
      ))
  )

// ---------------------------------------------------------------------------------------------------------------------

const wildcards = new Set(["0.0.0.0", "::", "[::]"])

const isAddress = (hostname: string): boolean => hostname.startsWith("[") || /^\d+\.\d+\.\d+\.\d+$/.test(hostname)

const bracketed = (host: string): string => host.includes(":") && !host.startsWith("[") ? `[${host}]` : host
