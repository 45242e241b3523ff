import { Effect } from "effect"
import * as http from "node:http"
import type { AddressInfo } from "node:net"

/** Serves on a free port of the loopback interface until the scope closes. */
export const serve = (handler: http.RequestListener) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly origin: string; readonly server: http.Server }>((resume) => {
      const server = http.createServer(handler).listen(0, "127.0.0.1", () =>
        resume(Effect.succeed({ origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server })))
    }),
    ({ server }) =>
      Effect.callback<void>((resume) =>
        void server.close(() => resume(Effect.void)).closeAllConnections()
      )
  )

/** Reads the whole body of a request. A request that breaks off has none. */
export const onBody = (request: http.IncomingMessage, use: (body: Buffer) => void): void => {
  const chunks: Array<Buffer> = []
  request.on("data", (chunk: Buffer) => chunks.push(chunk)).on("end", () => use(Buffer.concat(chunks)))
}

export const json = (response: http.ServerResponse, value: unknown, status = 200): void =>
  void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value))
