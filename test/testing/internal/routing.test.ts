import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Emulator from "../../../src/testing/Emulator.ts"
import * as routing from "../../../src/testing/internal/routing.ts"

const refuse = (status: number, text: string, headers?: Record<string, string>) =>
  new routing.Refusal({ response: HttpServerResponse.text(text, { status, headers }) })

const echo = (name: string) => (_exchange: Emulator.Exchange, parameters: object, apiKey: string) =>
  Effect.sync(() => HttpServerResponse.text(`${name} ${JSON.stringify(parameters)} ${apiKey}`))

const routes = [
  ...routing.routes("key", {
    "GET /run/latest": echo("latest"),
    "GET /run/:id": echo("one"),
    "PATCH /run/:id": echo("change"),
    "POST /run": echo("create"),
    "DELETE /run/:id": () => refuse(409, "running")
  }),
  ...routing.routes("none", {
    "GET /file/:id/:name": echo("file"),
    "GET /run/:id": echo("never reached")
  })
]

const served = Effect.fnUntraced(function*(
  method: string,
  path: string,
  options: { readonly key?: string; readonly emptyParameters?: boolean } = {}
) {
  const emulator = yield* Emulator.make(
    { origins: [], requestIdHeader: "x-id", errorBody: () => null },
    routing.make<"key" | "none">({
      routes,
      emptyParameters: options.emptyParameters ?? false,
      authenticate: ({ request }, access) => {
        const key = request.headers["key"]
        return access === "none" ? Effect.succeed("") : key === undefined ? refuse(401, "no key") : Effect.succeed(key)
      },
      notFound: () => refuse(404, "nothing"),
      notAllowed: (allow) => refuse(405, "method", { allow })
    })
  )
  const { dispose, handler } = Emulator.toWebHandler(emulator)
  const headers = { key: options.key ?? "k" }
  return yield* Effect.promise(async () => {
    const response = await handler(
      new Request(`http://x${path}`, { method, headers: options.key === "" ? {} : headers })
    )
    const text = await response.text()
    await dispose()
    return [response.status, text, response.headers.get("allow")]
  })
})

const answers = (expected: ReadonlyArray<unknown>, ...request: Parameters<typeof served>) =>
  Effect.map(served(...request), (actual) => assert.deepStrictEqual(actual, [...expected]))

describe("routing", () => {
  it.effect("gives a handler the parameters of its path, still encoded, and the API key", () =>
    Effect.gen(function*() {
      yield* answers([200, `one {"id":"a%2Fb%20c"} k`, null], "GET", "/run/a%2Fb%20c?id=other")
      yield* answers([200, `file {"id":"1","name":"constructor"} `, null], "GET", "/file/1/constructor")
      yield* answers([200, "create {} k", null], "POST", "/run")
    }))

  it.effect("serves by the first route that fits the path and the method", () =>
    Effect.gen(function*() {
      yield* answers([200, "latest {} k", null], "GET", "/run/latest")
      yield* answers([200, `change {"id":"latest"} k`, null], "PATCH", "/run/latest")
    }))

  it.effect("rejects a path first, then a method, then an API key, then in the handler", () =>
    Effect.gen(function*() {
      yield* answers([404, "nothing", null], "GET", "/runs", { key: "" })
      yield* answers([405, "method", "GET, PATCH, DELETE"], "PUT", "/run/1", { key: "" })
      yield* answers([405, "method", "POST"], "GET", "/run", { key: "" })
      yield* answers([401, "no key", null], "DELETE", "/run/1", { key: "" })
      yield* answers([409, "running", null], "DELETE", "/run/1")
    }))

  it.effect("answers HEAD and OPTIONS only if a route has them", () =>
    Effect.gen(function*() {
      yield* answers([405, "", "POST"], "HEAD", "/run")
      yield* answers([405, "method", "GET"], "OPTIONS", "/file/1/a")
    }))

  it.effect("allows an empty parameter only if the table does", () =>
    Effect.gen(function*() {
      yield* answers([404, "nothing", null], "GET", "/run/")
      yield* answers([404, "nothing", null], "GET", "/file//a")
      yield* answers([200, `one {"id":""} k`, null], "GET", "/run/", { emptyParameters: true })
      yield* answers([200, `file {"id":"","name":"a"} `, null], "GET", "/file//a", { emptyParameters: true })
      yield* answers([404, "nothing", null], "GET", "/run/1/", { emptyParameters: true })
      yield* answers([404, "nothing", null], "GET", "//run/1", { emptyParameters: true })
    }))
})
