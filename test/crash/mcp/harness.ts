/**
 * Kills the MCP server at random points, and compares the tasks that it answered with the runs at the providers.
 *
 * The server is `canvas-runs mcp` as a process over stdio. Its client starts runs with keys, gets tasks, and polls them. When the server
 * is killed, the client starts another one on the same store, repeats the calls that had no answer, and polls the tasks that it knows.
 * An operator decides about the creates that were under way: Spine cannot list runs.
 */
import { Data, Effect, FileSystem, Layer } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { NodeSqlite } from "canvas-runs/node"
import { RunRef } from "canvas-runs"
import * as RunStore from "canvas-runs/RunStore"
import { Fault, SpineEmulator, TelaEmulator, Timeline } from "canvas-runs/testing"
import * as CombinedEmulatorServer from "canvas-runs/testing/CombinedEmulatorServer"
import { requestOf } from "../../ai/client.ts"
import { bundled } from "../../support/programs.ts"
import * as Random from "../../support/random.ts"

export interface Options {
  readonly kills: number
  readonly seed: number
  readonly onKill?: ((kills: number) => void) | undefined
}

export interface Report {
  readonly kills: number
  /** The tasks that the servers answered. */
  readonly tasks: number
  /** The runs at the providers. */
  readonly runs: number
  /** Tasks that a later server did not know, or whose result was not that of their run. */
  readonly lost: ReadonlyArray<string>
  /** Keys with more than one run. */
  readonly doubled: ReadonlyArray<string>
  /** The creates that were under way when their server was killed, and about which the operator decided. */
  readonly decided: number
}

export class ServerFailed extends Data.TaggedError("ServerFailed")<{ readonly message: string }> {}

const keysPerWave = 6
const canvasId = "11111111-1111-4111-8111-111111111111"

/** A server, and the answers to its requests. */
interface Server {
  readonly child: ChildProcess
  /** Sends a request. The answer is `undefined` if the server ends before it. */
  readonly ask: (method: string, params: object) => Promise<Answer | undefined>
  /** Whether the server was killed, once it has ended. */
  readonly ended: Promise<boolean>
}

interface Answer {
  readonly error?: { readonly code: number; readonly message: string }
  // oxlint-disable-next-line typescript/no-explicit-any -- JSON of the server under test
  readonly result?: any
}

const start = (program: string, home: string, baseUrl: string, onAnswer: () => void): Server => {
  const child = spawn(process.execPath, [program, "mcp"], {
    stdio: ["pipe", "pipe", "pipe"],
    env: {
      ...process.env,
      XDG_STATE_HOME: home,
      SPINE_API_KEY: "sk_spine_test",
      TELA_API_KEY: "tela_test",
      SPINE_BASE_URL: baseUrl,
      TELA_BASE_URL: baseUrl
    }
  })
  const waiting = new Map<number, (answer: Answer | undefined) => void>()
  let rest = ""
  let errors = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => errors += text)
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n")
    rest = lines.pop()!
    for (const line of lines) {
      const answer = JSON.parse(line) as Answer & { readonly id: number }
      waiting.get(answer.id)?.(answer)
      waiting.delete(answer.id)
      onAnswer()
    }
  })
  // The server may have been killed
  child.stdin.on("error", () => {})
  const ended = new Promise<boolean>((resolve, reject) => {
    child.once("close", (code, signal) => {
      for (const resume of waiting.values()) resume(undefined)
      if (signal === "SIGKILL" || code === 0) resolve(signal === "SIGKILL")
      else reject(new ServerFailed({ message: `The server ended with ${code ?? signal}: ${errors}` }))
    })
  })
  return {
    child,
    ended,
    ask: (method, params) =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve(undefined)
        const request = requestOf(method, params, true)
        waiting.set(request.id, resolve)
        child.stdin.write(`${JSON.stringify(request)}\n`)
      })
  }
}

export const crash = (options: Options) =>
  Effect.gen(function*() {
    const draw = Random.make(options.seed)
    const fs = yield* FileSystem.FileSystem
    const { baseUrl } = yield* CombinedEmulatorServer.CombinedEmulatorServer
    const spine = yield* SpineEmulator.SpineEmulator
    const tela = yield* TelaEmulator.TelaEmulator
    const home = yield* fs.makeTempDirectoryScoped({ prefix: "crash-mcp-" })
    const filename = `${home}/canvas-runs/runs.db`
    const program = yield* bundled(new URL("../../../src/cli/process.ts", import.meta.url))
    const tally = { kills: 0, tasks: 0, decided: 0 }
    const lost = new Set<string>()
    const doubled = new Set<string>()

    const timeline = (key: string) => ({
      timeline: Timeline.make({ duration: (key.length * 37 + key.charCodeAt(4)) % 400 })
    })
    let onCreate = () => {}
    yield* spine.script(({ prompt }) => {
      onCreate()
      return timeline(prompt)
    })
    yield* tela.script(({ variables }) => {
      onCreate()
      return timeline(String(variables["key"]))
    })

    // Responses are late, so that servers are killed between the create and its response
    const late = (path: string) =>
      Array.from({ length: options.kills * 10 }, () => Fault.answerLate(draw.int(0, 40)).pipe(Fault.on("POST", path)))
    yield* spine.fault(...late("/v1/run"))
    yield* tela.fault(...late("/v2/chat/completions"))

    const runsOf = (key: string) =>
      Effect.gen(function*() {
        const ofSpine = (yield* spine.runs).filter(({ request }) => request.prompt === key)
        const ofTela = (yield* tela.runs).filter(({ request }) => request.variables["key"] === key)
        return [
          ...ofSpine.map(({ id }) => RunRef.make({ provider: "spine", kind: "run", id })),
          ...ofTela.map(({ id }) => RunRef.make({ provider: "tela", kind: "execution", id }))
        ]
      })

    const inStore = <A, E>(use: (store: RunStore.Service) => Effect.Effect<A, E>) =>
      Effect.provide(
        Effect.flatMap(RunStore.RunStore, use),
        Layer.provide(RunStore.layerSql(), NodeSqlite.layer({ filename }))
      )

    /** Decides about the creates that were under way when their server was killed. */
    const decide = (keys: ReadonlyArray<string>) =>
      inStore((store) =>
        Effect.forEach(keys, (key) =>
          Effect.gen(function*() {
            const entry = `agent:${providerOf(key)}:${key}`
            const state = (yield* store.get(entry))?._tag
            if (state !== "Unknown" && state !== "Creating") return
            tally.decided++
            const [run] = yield* runsOf(key)
            yield* run === undefined ? store.forget(entry) : store.attach(entry, run)
          }))
      )

    const wave = Effect.fnUntraced(function*(number: number) {
      const keys = Array.from(
        { length: keysPerWave },
        (_, index) => `key ${index % 2 === 0 ? "spine" : "tela"} ${number}.${index}`
      )
      const tasks = new Map<string, Set<string>>(keys.map((key) => [key, new Set()]))
      const done = new Set<string>()

      /** Starts the run of a key, and polls its tasks until all have ended. */
      const work = async (server: Server, key: string) => {
        const ids = tasks.get(key)!
        if (ids.size === 0) {
          const args = providerOf(key) === "spine"
            ? { name: "spine_start", arguments: { prompt: key, key } }
            : { name: "tela_execute", arguments: { canvas_id: canvasId, variables: { key }, key } }
          const answer = await server.ask("tools/call", args)
          if (answer === undefined) return
          const taskId: string | undefined = answer.result?.taskId
          if (taskId === undefined) throw new ServerFailed({ message: `${key}: ${JSON.stringify(answer)}` })
          ids.add(taskId)
          tally.tasks++
        }
        for (const taskId of ids) {
          for (;;) {
            const answer = await server.ask("tasks/get", { taskId })
            if (answer === undefined) return
            const { error, result } = answer
            if (error !== undefined) lost.add(`${key}: ${error.message}`)
            else if (result.status === "completed" && !JSON.stringify(result.result).includes(key)) {
              lost.add(`${key}: ${JSON.stringify(result)}`)
            }
            if (error !== undefined || result.status !== "working") break
            // A client waits for pollIntervalMs; this one is in a hurry
            await new Promise((resolve) => setTimeout(resolve, 50))
          }
        }
        done.add(key)
      }

      while (done.size < keys.length) {
        // At the start of the server, after some answers, or while a provider creates a run
        const plan = tally.kills < options.kills
          ? draw.weighted([[1, "start"], [4, "answer"], [3, "create"]])
          : undefined
        const [count, millis] = [draw.int(1, 8), draw.int(0, plan === "start" ? 1000 : 30)]
        let seen = 0
        const saw = (event: typeof plan) => {
          if (plan === event && ++seen === count) setTimeout(() => server.child.kill("SIGKILL"), millis)
        }
        const server: Server = start(program, home, baseUrl, () => saw("answer"))
        onCreate = () => saw("create")
        if (plan === "start") setTimeout(() => server.child.kill("SIGKILL"), millis)
        const working = Promise.all(keys.filter((key) => !done.has(key)).map((key) => work(server, key)))
        const isKilled = yield* Effect.tryPromise({
          try: async () => {
            await working
            // All is done before the kill was due
            if (done.size === keys.length) server.child.stdin!.end()
            return await server.ended
          },
          catch: (cause) => cause instanceof ServerFailed ? cause : new ServerFailed({ message: String(cause) })
        }).pipe(Effect.ensuring(Effect.sync(() => server.child.kill("SIGKILL"))))
        if (!isKilled) continue
        tally.kills++
        options.onKill?.(tally.kills)
        // A server that was killed early has created neither the store nor its folder
        if (yield* fs.exists(filename)) yield* decide(keys.filter((key) => tasks.get(key)!.size === 0))
      }
      for (const key of keys) if ((yield* runsOf(key)).length !== 1) doubled.add(key)
    })

    for (let number = 1; tally.kills < options.kills; number++) yield* wave(number)
    const runs = (yield* spine.runs).length + (yield* tela.runs).length
    return { ...tally, runs, lost: [...lost], doubled: [...doubled] } satisfies Report as Report
  }).pipe(Effect.scoped, Effect.provide(CombinedEmulatorServer.layer()))

const providerOf = (key: string): string => key.split(" ")[1]!

export const isGood = ({ doubled, lost }: Report): boolean => lost.length === 0 && doubled.length === 0

export const summary = ({ decided, doubled, kills, lost, runs, tasks }: Report): string =>
  `kills ${kills}, tasks ${tasks}, runs ${runs}, tasks lost ${lost.length}, runs doubled ${doubled.length}, ` +
  `creates decided by the operator ${decided}`
