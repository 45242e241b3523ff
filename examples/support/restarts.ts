/** Runs an example as several processes, which share only a directory. */
import { Console, Effect, FileSystem } from "effect"
import { SpineEmulator, Timeline } from "canvas-runs/testing"
import * as SpineEmulatorServer from "canvas-runs/testing/SpineEmulatorServer"
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { isReal } from "./live.ts"

/** Starts the file with the arguments, prints its output, and kills it at the text `killAt`. Returns its exit code or signal. */
const start = (
  name: string,
  args: ReadonlyArray<string>,
  env: NodeJS.ProcessEnv,
  killAt?: string
): Effect.Effect<string> =>
  Effect.callback<string>((resume) => {
    // The condition with which the repository resolves "canvas-runs" to its sources
    const options = process.execArgv.filter((option) => option.startsWith("--conditions"))
    const child = spawn(process.execPath, [...options, ...args], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "inherit"]
    })
    createInterface(child.stdout).on("line", (line) => {
      console.log(`${name}: ${line}`)
      if (killAt !== undefined && line.includes(killAt)) child.kill("SIGKILL")
    })
    child.on("close", (code, signal) => resume(Effect.succeed(signal ?? `exit ${code}`)))
    return Effect.sync(() => child.kill())
  })

/**
 * Runs the file three times on one directory. The first process is killed as soon as it prints `killAt`. An emulator on a socket
 * outlives the processes, unless `SPINE_API_KEY` names the real service.
 */
export const threeTimes = (file: string, killAt: string) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const directory = yield* fs.makeTempDirectoryScoped()
    const processes = (env: NodeJS.ProcessEnv) =>
      Effect.gen(function*() {
        const first = yield* start("process 1", [file, directory], env, killAt)
        yield* Console.log(`process 1: killed by ${first}`)
        yield* start("process 2", [file, directory], env)
        yield* start("process 3", [file, directory], env)
      })
    if (yield* isReal) return yield* processes({})

    yield* Effect.gen(function*() {
      const { baseUrl } = yield* SpineEmulatorServer.SpineEmulatorServer
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* processes({ SPINE_API_KEY: "sk_spine_example", SPINE_BASE_URL: baseUrl })
      yield* Console.log(`the provider has ${(yield* emulator.runs).length} run`)
    }).pipe(
      Effect.provide(SpineEmulatorServer.layer({ script: { timeline: Timeline.make({ duration: "2 seconds" }) } }))
    )
  }).pipe(Effect.scoped)
