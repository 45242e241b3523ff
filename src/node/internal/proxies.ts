/** The proxies that requests are sent through. */
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as nodeProcess from "node:process"
import { quote } from "../../internal/describe.ts"
import type { Fault } from "../../internal/options.ts"

/** Proxies by the protocol of a request, and the hosts that are called directly, as `NO_PROXY` has them. */
interface Proxies {
  readonly httpProxy: string
  readonly httpsProxy: string
  readonly noProxy: string
}

/** The part of the process that the proxies depend on. */
interface Process {
  readonly env: { readonly [name: string]: string | undefined }
  readonly execArgv: ReadonlyArray<string>
}

/**
 * Returns the proxies of the option, or those of the environment if the option allows that; `undefined` for none. A proxy that is
 * not an address is a fault.
 */
export const proxiesOf = (
  option: unknown,
  { env, execArgv }: Process = nodeProcess
): Result.Result<Proxies | undefined, Fault> => {
  // The lower case is older, and a request to a web server cannot set it (CGI sets `HTTP_PROXY` from a header)
  const variable = (name: string) => env[name.toLowerCase()] ?? env[name] ?? ""
  const asksForProxies = env["NODE_USE_ENV_PROXY"] === "1" ||
    [...execArgv, ...(env["NODE_OPTIONS"] ?? "").split(" ")].includes("--use-env-proxy")
  const choice = option === undefined ? asksForProxies ? "environment" : false : option
  if (choice === false) return Result.succeed(undefined)
  return Result.gen(function*() {
    const proxyIn = (name: string) => choice === "environment" ? checkProxy(name, variable(name)) : checkOption(choice)
    return {
      httpProxy: yield* proxyIn("HTTP_PROXY"),
      httpsProxy: yield* proxyIn("HTTPS_PROXY"),
      noProxy: variable("NO_PROXY")
    }
  })
}

/** A single word is most likely a misspelled "environment", and would be the name of a host. */
const checkOption = (proxy: unknown): Result.Result<string, Fault> =>
  typeof proxy !== "string" && !(proxy instanceof URL) || typeof proxy === "string" && /^[a-z]*$/i.test(proxy)
    ? Result.fail({
      option: "proxy",
      message: `proxy is ${
        quote(proxy)
      }; it must be "environment", false, or the address of a proxy like http://proxy.example:3128.`
    })
    : checkProxy("proxy", String(proxy))

/** Variables often name a host and a port alone. The message leaves out the value, which may hold a password. */
const checkProxy = (option: string, value: string): Result.Result<string, Fault> => {
  if (value === "") return Result.succeed("")
  const address = value.includes("://") ? value : `http://${value}`
  const fault = faultIn(address)
  return fault === undefined ? Result.succeed(address) : Result.fail({
    option,
    message: `${option} ${fault}; it must be an address like http://user:password@proxy.example:3128.`
  })
}

const faultIn = (address: string): string | undefined => {
  if (!URL.canParse(address)) return "is not the address of a proxy"
  const { hash, password, pathname, protocol, search, username } = new URL(address)
  return !/^https?:$/.test(protocol)
    ? "is not the address of a proxy"
    : pathname !== "/" || search !== "" || hash !== ""
    ? "has more than the host and port of a proxy"
    : [username, password].some((text) => Option.isNone(decode(text)))
    ? "has a name or a password with a % that begins no code: write %25"
    : undefined
}

const decode = Option.liftThrowable(decodeURIComponent)

/** Whether a host is this machine, which no proxy can reach. */
export const isLoopback = (hostname: string): boolean => /^(?:localhost\.?|127(?:\.\d+){3}|\[::1\])$/.test(hostname)
