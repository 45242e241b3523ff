/** A real Redis for tests, if `redis-server` is installed (Debian: `apt-get install redis-server`). */
import { NodeRedis } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { RateLimiter } from "effect/persistence"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { join } from "node:path"
import { temporaryDirectory } from "./databases.ts"

/** Whether this machine has a `redis-server`. */
export const hasRedis = spawnSync("redis-server", ["--version"]).status === 0

const launch = (socket: string): Promise<ChildProcess> =>
  new Promise((resolve, reject) => {
    const server = spawn("redis-server", ["--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no"], {
      stdio: ["ignore", "pipe", "ignore"]
    })
    let log = ""
    server.once("error", reject)
    server.once("exit", (code) => reject(new Error(`redis-server ended with ${code}: ${log}`)))
    server.stdout.on("data", (chunk) => {
      log += chunk
      if (log.includes("eady to accept connections")) resolve(server)
    })
  })

const end = (server: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (server.exitCode !== null || server.signalCode !== null) return resolve()
    server.once("exit", () => resolve())
    server.kill("SIGKILL")
  })

/** Starts a server, which ends with the scope, or earlier with `stop`. */
export const redis = Effect.gen(function*() {
  const socket = join(yield* temporaryDirectory, "redis")
  const server = yield* Effect.acquireRelease(
    Effect.promise(() => launch(socket)),
    (server) => Effect.promise(() => end(server))
  )
  return { socket, stop: Effect.promise(() => end(server)) }
})

/** The limiter of a process, with its own connection, as docs/many-runs.md has it. */
export const redisLimiter = (socket: string) =>
  RateLimiter.layer.pipe(
    Layer.provide(RateLimiter.layerStoreRedis()),
    Layer.provide(
      NodeRedis.layer({
        socket: { path: socket, tls: false },
        disableOfflineQueue: true,
        commandOptions: { timeout: 1000 }
      })
    ),
    Layer.fresh,
    Layer.orDie
  )
