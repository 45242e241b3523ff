/**
 * A server in a separate process with the endpoints of both providers for uploads and downloads. It does no other work:
 * `POST /v1/run`, `POST /v3/files`, `PUT /put`, `POST /v2/chat/completions`, `GET /artifact/BYTES`, and `GET /received`, which
 * returns the number of bytes of the last uploaded file. It sends its origin when it listens.
 */
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { block } from "./transfersFile.ts"

let received = 0

/** Reads a body to its end. */
const count = async (request: IncomingMessage): Promise<number> => {
  let bytes = 0
  request.on("data", (chunk: Buffer) => bytes += chunk.length)
  await new Promise((resolve, reject) => request.on("end", resolve).on("error", reject))
  return bytes
}

const server = createServer((request, response) => {
  const json = (body: unknown) =>
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body))
  const [, artifact, size] = /^(\/artifact)\/(\d+)$/.exec(request.url!) ?? []
  if (artifact !== undefined) {
    let left = Number(size)
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": left })
    const fill = () => {
      while (left > 0) {
        const piece = left < block.length ? block.subarray(0, left) : block
        left -= piece.length
        if (!response.write(piece)) return void response.once("drain", fill)
      }
      response.end()
    }
    return fill()
  }
  count(request).then((bytes) => {
    switch (`${request.method} ${request.url}`) {
      case "POST /v1/run":
        received = bytes
        return json({
          success: true,
          data: { run_id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11", status: "running", poll_url: "" }
        })
      case "POST /v3/files":
        return json({ id: "0d3b8a3e", uploadUrl: `http://${request.headers.host}/put` })
      case "PUT /put":
        received = bytes
        return response.writeHead(200).end()
      case "POST /v2/chat/completions":
        return json({ id: "0d3b8a3e", choices: [{ message: { role: "assistant", content: "done" } }] })
      case "GET /received":
        return json({ received })
      default:
        return response.writeHead(404).end()
    }
  }, () => response.destroy())
}).listen(0, "127.0.0.1", () => process.send!(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
process.on("disconnect", () => process.exit())
