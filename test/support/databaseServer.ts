/** One PostgreSQL for all files of a run of Vitest. It starts when a test asks for it, and ends with the run. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

export default async () => {
  let server: Promise<{ readonly url: string; readonly end: () => Promise<void> }> | undefined
  const start = async () => {
    // Most runs of a single file need neither
    const [{ Effect, Exit, Scope }, postgres] = await Promise.all([
      import("effect"),
      import("../../examples/support/postgres.ts")
    ])
    const scope = Scope.makeUnsafe()
    const { url } = await Effect.runPromise(Scope.provide(postgres.start, scope))
    return { url, end: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
  }
  const listener = createServer((_, response) => {
    server ??= start()
    server.then(({ url }) => response.end(url), (error) => response.writeHead(500).end(String(error)))
  })
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve))
  // The processes of the tests inherit it
  process.env["CANVAS_RUNS_TEST_POSTGRES"] = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`
  return async () => {
    listener.close()
    await (await server)?.end()
  }
}
