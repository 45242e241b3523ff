/** A server that streams the given number of bytes as fast as the client reads them, and reports how many it sent. */
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

const total = Number(process.argv[2])
const encoder = new TextEncoder()

// A canvas with structured output: each chunk has all of the output so far, and no text
const event = (words: number) =>
  `data: {"id":"chatcmpl-9","choices":[{"index":0,"delta":{"content":null}}],"message":{"content":null,"structured_content":{"words":${
    String(words).padStart(3, "1")
  }}}}\n\n`
const block = encoder.encode(Array.from({ length: 400 }, (_, index) => event(100 + index)).join(""))
const end = encoder.encode("data: [DONE]\n\n")

let sent = 0

const stream = (response: ServerResponse) => {
  sent = 0
  const go = () => {
    while (sent < total) {
      sent += block.length
      if (!response.write(block)) return void response.once("drain", go)
    }
    response.end(end)
  }
  go()
}

const server = createServer((request, response) => {
  if (request.url === "/sent") return void response.end(String(sent))
  request.resume().once("end", () => {
    response.writeHead(200, { "content-type": "text/event-stream" })
    stream(response)
  })
})
server.listen(0, "127.0.0.1", () => process.send!(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
process.once("disconnect", () => process.exit())
