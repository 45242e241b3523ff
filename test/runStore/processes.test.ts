/** Several processes that use one database. */
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { join } from "node:path"
import { postgres, temporaryDirectory } from "../support/databases.ts"
import { size } from "../support/size.ts"

const Addresses = Context.Service<{ readonly postgresql: string; readonly sqlite: string }>("test/Addresses")

const addresses = Layer.effect(
  Addresses,
  Effect.gen(function*() {
    const { newDatabase } = yield* postgres
    return { postgresql: yield* newDatabase, sqlite: join(yield* temporaryDirectory, "runs.db") }
  })
)

interface Report {
  readonly created: ReadonlyArray<string>
  readonly refs: ReadonlyArray<string>
}

/** Runs `count` processes that start their creates at the same moment. */
const processes = (count: number, ...args: ReadonlyArray<string>) =>
  Effect.promise(() => {
    const children = Array.from({ length: count }, () =>
      fork(fileURLToPath(new URL("process.ts", import.meta.url)), args, {
        execArgv: ["--conditions=canvas-runs:source", "--disable-warning=ExperimentalWarning"]
      }))
    let ready = 0
    return Promise.all(children.map((child) =>
      new Promise<Report>((resolve, reject) => {
        const created: Array<string> = []
        let refs: ReadonlyArray<string> = []
        child.on(
          "message",
          (message: "ready" | { readonly created: string } | { readonly refs: ReadonlyArray<string> }) => {
            if (message === "ready") {
              if (++ready === count) {
                for (const each of children) {
                  each.send("go")
                }
              }
            } else if ("created" in message) {
              created.push(message.created)
            } else refs = message.refs
          }
        )
        child.on(
          "exit",
          (code) =>
            code === 0 ? resolve({ created, refs }) : reject(new Error(`a process ended with ${code}`))
        )
      })
    ))
  })

layer(addresses, { timeout: 60_000 })("three processes that run the same keys at once on", (it) => {
  for (const storage of ["postgresql", "sqlite"] as const) {
    it.effect(`${storage} create each run once, and agree on its ref`, () =>
      Effect.gen(function*() {
        const { [storage]: address } = yield* Addresses
        const keys = size(40, 200)
        const reports = yield* processes(3, storage, address, `${keys}`)
        assert.strictEqual(reports.flatMap(({ created }) => created).length, keys)
        for (const { refs } of reports) assert.deepStrictEqual(refs, reports[0]!.refs)
        assert.strictEqual(new Set(reports[0]!.refs).size, keys)
      }))
  }
})
