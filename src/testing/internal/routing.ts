/** The routing table of an emulator, and the router that looks requests up in it. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Scope from "effect/Scope"
import type { Exchange } from "../Exchange.ts"

/** A request that is rejected, with the response that says why. */
export class Refusal extends Data.TaggedError("Refusal")<{
  readonly response: HttpServerResponse.HttpServerResponse
}> {}

/** Answers a request. The parameters of the path are still percent-encoded. */
export type Handler<Parameter extends string = never> = (
  exchange: Exchange,
  parameters: { readonly [P in Parameter]: string },
  apiKey: string
) => Effect.Effect<HttpServerResponse.HttpServerResponse, Refusal, Scope.Scope>

export interface Route<Access> {
  readonly method: string
  readonly path: ReadonlyArray<string>
  /** How a request proves who sent it. */
  readonly access: Access
  readonly handle: Handler<string>
}

type ParameterOf<Path extends string> = Path extends `${string}:${infer Rest}`
  ? Rest extends `${infer Name}/${infer After}` ? Name | ParameterOf<`/${After}`> : Rest
  : never

/** `routes("bearer", { "GET /task/:id": handler })` */
export const routes = <Access extends string, Place extends string>(
  access: Access,
  handlers: { readonly [P in Place]: Handler<ParameterOf<P>> }
): ReadonlyArray<Route<Access>> =>
  Object.entries<Handler<string>>(handlers).map(([place, handle]) => {
    const [method, path] = place.split(" ") as [string, string]
    return { method, path: path.split("/").slice(1), access, handle }
  })

export interface Table<Access> {
  /** The first route that fits a request serves it, so fixed names go before parameters. */
  readonly routes: ReadonlyArray<Route<Access>>
  /** Whether a parameter may be empty, as in `/v1/run/`. If it may not, no route fits such a path. */
  readonly emptyParameters: boolean
  /** Returns the API key of a request, or `""` where the access needs none. */
  readonly authenticate: (exchange: Exchange, access: Access) => Effect.Effect<string, Refusal>
  readonly notFound: () => Refusal
  /** Rejects a method. `allow` lists the methods that the path has. */
  readonly notAllowed: (allow: string) => Refusal
}

export type Serve = (exchange: Exchange) => Effect.Effect<HttpServerResponse.HttpServerResponse, never, Scope.Scope>

/** Serves requests by a table: first the path, then the method, then the API key, then the handler. */
export const make = <Access>(table: Table<Access>): Serve => (exchange) =>
  Effect.gen(function*() {
    const path = exchange.url.pathname.split("/").slice(1)
    const allowed = new Set<string>()
    for (const route of table.routes) {
      const parameters = parametersOf(route.path, path, table.emptyParameters)
      if (parameters === undefined) continue
      if (route.method === exchange.request.method) {
        return yield* route.handle(exchange, parameters, yield* table.authenticate(exchange, route.access))
      }
      allowed.add(route.method)
    }
    return yield* allowed.size === 0 ? table.notFound() : table.notAllowed([...allowed].join(", "))
  }).pipe(Effect.catchTag("Refusal", ({ response }) => Effect.succeed(response)))

/** The parameters of a path, or `undefined` if the path is not of that pattern. */
const parametersOf = (
  pattern: ReadonlyArray<string>,
  path: ReadonlyArray<string>,
  emptyParameters: boolean
): Record<string, string> | undefined => {
  if (path.length !== pattern.length) return undefined
  const parameters: Record<string, string> = {}
  for (const [index, name] of pattern.entries()) {
    const part = path[index]!
    if (name.startsWith(":") && (emptyParameters || part !== "")) parameters[name.slice(1)] = part
    else if (name !== part) return undefined
  }
  return parameters
}
