/** Which proxies requests are sent through. */
import * as nodeProcess from "node:process"

/** Proxies by the protocol of a request, and the hosts that are called directly, as `NO_PROXY` has them. */
export interface Proxies {
  readonly httpProxy: string
  readonly httpsProxy: string
  readonly noProxy: string
}

/** The part of the process that decides. */
interface Process {
  readonly env: { readonly [name: string]: string | undefined }
  readonly execArgv: ReadonlyArray<string>
}

/**
 * Returns the proxies that an option asks for, or the environment where it leaves that open; `undefined` for none. A proxy that
 * is no address throws a `RangeError`.
 */
export const proxiesOf = (
  option: string | URL | false | undefined,
  { env, execArgv }: Process = nodeProcess
): Proxies | undefined => {
  // The lower case is the older one, and the one that a web server cannot be made to set by a request
  const variable = (name: string) => env[name.toLowerCase()] ?? env[name] ?? ""
  const asksForProxies = env["NODE_USE_ENV_PROXY"] === "1" ||
    [...execArgv, ...(env["NODE_OPTIONS"] ?? "").split(" ")].includes("--use-env-proxy")
  const choice = option ?? (asksForProxies ? "environment" : false)
  if (choice === false) return undefined
  const noProxy = variable("NO_PROXY")
  if (choice !== "environment") {
    const proxy = checkProxy("proxy", String(choice))
    return { httpProxy: proxy, httpsProxy: proxy, noProxy }
  }
  const [http, https] = [variable("HTTP_PROXY"), variable("HTTPS_PROXY")]
  return {
    httpProxy: http === "" ? "" : checkProxy("HTTP_PROXY", http),
    httpsProxy: https === "" ? "" : checkProxy("HTTPS_PROXY", https),
    noProxy
  }
}

/** Variables often name a host and a port alone. The message leaves out the value, which may hold a password. */
const checkProxy = (name: string, value: string): string => {
  const address = value.includes("://") ? value : `http://${value}`
  if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) {
    throw new RangeError(`${name} is not the address of a proxy; it must be one like http://proxy.example:3128.`)
  }
  return address
}

/** Whether a host is this machine, which no proxy can reach. */
export const isLoopback = (hostname: string): boolean => /^(?:localhost\.?|127(?:\.\d+){3}|\[::1\])$/.test(hostname)
