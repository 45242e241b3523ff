/**
 * The services of the process that the command uses. It starts no process and asks nothing, so these are fewer than `NodeServices`
 * has, and load faster.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as NodeStdio from "@effect/platform-node/NodeStdio"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import * as Terminal from "effect/Terminal"
import type { Environment } from "effect/cli/Command"

/** Standard output as a terminal, which asks nothing. Its size is 0 if it is none. Standard error as a terminal is in `terminal.ts`. */
const terminal = Terminal.make({
  columns: Effect.sync(() => process.stdout.columns ?? 0),
  rows: Effect.sync(() => process.stdout.rows ?? 0),
  size: Effect.die("the command does not ask for the size"),
  readInput: Effect.die("the command reads no keys"),
  readLine: Effect.die("the command reads no lines"),
  display: () => Effect.die("the command asks nothing")
})

export const layer: Layer.Layer<Environment> = Layer.mergeAll(
  NodeFileSystem.layer,
  NodePath.layer,
  NodeStdio.layer,
  Layer.succeed(Terminal.Terminal, terminal),
  Layer.succeed(
    ChildProcessSpawner.ChildProcessSpawner,
    ChildProcessSpawner.make(() => Effect.die("the command starts no process"))
  )
)
