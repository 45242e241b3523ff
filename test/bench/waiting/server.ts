/**
 * A provider that uses almost no CPU time, in a separate process: `GET /v1/run/ID` says that the run is running, until it ends.
 * The last eight digits of a run's id are the time of its end, in milliseconds after `POST /start`. A run with all nines never
 * ends.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { answer, endOf } from "./run.ts"

// Without a hint the server does not announce how long it keeps connections, and keeps them
const sendsHint = process.argv[2] !== "no-hint"
let started = Infinity
let connections = 0
let requests = 0

const server = createServer((request, response) => {
  if (request.method === "POST") {
    started = Date.now()
    response.end()
    return
  }
  if (request.url === "/polls") {
    response.end(JSON.stringify({ polls: requests }))
    return
  }
  requests++
  const id = request.url!.slice(-36)
  const endedAt = started + endOf(id)
  response.setHeader("content-type", "application/json")
  response.end(answer(id, Date.now() >= endedAt ? endedAt : undefined))
})
server.keepAliveTimeout = sendsHint ? 65_000 : 0
server.on("connection", () => connections++)
server.listen(0, "127.0.0.1", () => process.send!({ port: (server.address() as AddressInfo).port }))
process.on("message", () => {
  process.send!({ connections, requests })
  connections = requests = 0
})
process.on("disconnect", () => process.exit())
