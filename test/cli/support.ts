/**
 * Runs the command: as a process of the bundled file, as users have it, or in this process, which is faster.
 */
import { NodeServices } from "@effect/platform-node"
import { assert } from "@effect/vitest"
import { ConfigProvider, Effect, Schema, Sink, Stdio, Stream } from "effect"
import { createHash } from "node:crypto"
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { afterAll } from "vitest"
import { CombinedEmulatorServer } from "canvas-runs/testing/CombinedEmulatorServer"
import { exitCodes, type Outcome } from "../../src/cli/exitCode.ts"
import { main } from "../../src/cli/main.ts"
import { Line } from "../../src/cli/output.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** A directory that is removed after the tests of the file. */
export const directory = (): string => {
  const path = mkdtempSync(join(tmpdir(), "canvas-runs-cli-"))
  afterAll(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** The environment of a command: of this process only the path, and a separate home. */
export type Environment = Readonly<Record<string, string>>

/** What a command left behind. */
export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Reads the lines of a command with `--json`. Each must fit the schema of the output. */
export const linesOf = ({ stdout }: Pick<Ended, "stdout">): ReadonlyArray<Line> => {
  assert.isTrue(stdout === "" || stdout.endsWith("\n"), `the last line is cut: ${JSON.stringify(stdout.slice(-80))}`)
  return stdout.split("\n").slice(0, -1).map((line) => decodeLine(JSON.parse(line)))
}

const decodeLine = Schema.decodeUnknownSync(Line, { onExcessProperty: "error" })

// -- processes --------------------------------------------------------------------------------------------------------

/** A command that runs. */
export interface Running {
  readonly child: ChildProcess
  /** Waits for text on standard error, and returns all of it so far. */
  readonly told: (pattern: RegExp) => Promise<string>
  /** Waits for text on standard output, and returns all of it so far. */
  readonly printed: (pattern: RegExp) => Promise<string>
  readonly ended: Promise<Ended>
}

/**
 * Bundles the command, as `npm run build` does, and returns the path of the file. The bundle of an unchanged `src` is used again, also
 * by other test files.
 */
export const bundle = async (): Promise<string> => {
  const hash = createHash("sha256")
  for (const name of readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" }).toSorted()) {
    if (name.endsWith(".ts")) hash.update(name).update(readFileSync(join(root, "src", name)))
  }
  hash.update(readFileSync(join(root, ".ci", "bundle.mjs")))
  const cache = join(root, "node_modules", ".cache")
  mkdirSync(cache, { recursive: true })
  const file = join(cache, `canvas-runs-${hash.digest("hex").slice(0, 16)}.cjs`)
  if (existsSync(file)) return file
  const made = `${file}.${process.pid}`
  await promisify(execFile)("npm", ["run", "--silent", "build:bin", "--", made], { cwd: root })
  renameSync(made, file)
  return file
}

/** How long the tests may wait for {@link bundle} on a busy machine, in milliseconds. */
export const bundleTimeout = 120_000

/** Starts the bundled command. */
export const start = (file: string, args: ReadonlyArray<string>, options: {
  readonly env: Environment
  readonly stdin?: string | undefined
  readonly node?: string | undefined
  readonly cwd?: string | undefined
}): Running => {
  const child = spawn(options.node ?? process.execPath, [file, ...args], {
    env: options.env,
    cwd: options.cwd,
    stdio: [options.stdin === undefined ? "ignore" : "pipe", "pipe", "pipe"]
  })
  if (options.stdin !== undefined) child.stdin!.end(options.stdin)
  const text = { stdout: "", stderr: "" }
  const checks = new Set<() => void>()
  for (const name of ["stdout", "stderr"] as const) {
    child[name]!.setEncoding("utf8").on("data", (chunk: string) => {
      text[name] += chunk
      for (const check of checks) check()
    })
  }
  const until = (name: "stdout" | "stderr", pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const check = () => {
        if (!pattern.test(text[name])) return
        checks.delete(check)
        resolve(text[name])
      }
      checks.add(check)
      check()
      child.once("close", () => reject(new Error(`ended without ${pattern}: ${JSON.stringify(text)}`)))
    })
  return {
    child,
    told: (pattern) => until("stderr", pattern),
    printed: (pattern) => until("stdout", pattern),
    ended: new Promise((resolve) => child.once("close", (code) => resolve({ code, ...text })))
  }
}

/** A home for commands, and their environment. */
export const home = (more: Environment = {}): Environment => {
  const state = join(directory(), "state")
  mkdirSync(state)
  return { PATH: process.env["PATH"] ?? "", HOME: state, XDG_STATE_HOME: state, ...more }
}

// -- in this process --------------------------------------------------------------------------------------------------

/** Runs the command in this process. */
export const call = (
  args: ReadonlyArray<string>,
  options: { readonly env: Environment; readonly stdin?: string | undefined }
): Effect.Effect<Ended & { readonly outcome: Outcome }> =>
  Effect.gen(function*() {
    const text = { stdout: "", stderr: "" }
    const sink = (name: "stdout" | "stderr") => () =>
      Sink.forEach((chunk: string | Uint8Array) => Effect.sync(() => text[name] += String(chunk)))
    const outcome = yield* main(args).pipe(
      Effect.provide([
        Stdio.layerTest({
          args: Effect.succeed(args),
          stdout: sink("stdout"),
          stderr: sink("stderr"),
          stdin: Stream.encodeText(Stream.make(options.stdin ?? ""))
        }),
        ConfigProvider.layer(ConfigProvider.fromEnv({ env: { ...options.env } }))
      ]),
      Effect.provide(NodeServices.layer)
    )
    return { outcome, code: exitCodes[outcome].code, ...text }
  })

/** A server with both emulators, whose runs take `duration` times less than usual, and the environment of its clients. */
export const served = CombinedEmulatorServer.use(({ baseUrl }) =>
  Effect.sync(() =>
    home({
      SPINE_API_KEY: "sk_spine_test",
      SPINE_BASE_URL: baseUrl,
      TELA_API_KEY: "tela_test",
      TELA_BASE_URL: baseUrl
    })
  )
)
