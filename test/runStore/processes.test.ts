/** Several processes that use one database. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { fork } from "node:child_process"
import { addresses } from "../support/databases.ts"
import { bundled } from "../support/programs.ts"
import { size } from "../support/size.ts"

interface Report {
  readonly created: ReadonlyArray<string>
  readonly refs: ReadonlyArray<string>
}

/** Runs `count` processes that start their creates at the same moment. */
const processes = Effect.fnUntraced(function*(count: number, ...args: ReadonlyArray<string>) {
  const program = yield* bundled(new URL("process.ts", import.meta.url))
  return yield* Effect.promise(() => {
    const children = Array.from(
      { length: count },
      () => fork(program, args, { execArgv: ["--disable-warning=ExperimentalWarning"] })
    )
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
          (code) => code === 0 ? resolve({ created, refs }) : reject(new Error(`a process ended with ${code}`))
        )
      })
    ))
  })
})

const count = size(2, 3)

describe(`${count} processes that run the same keys at once on`, () => {
  for (const [storage, newAddress] of Object.entries(addresses)) {
    it.live(`${storage} create each run once, and agree on its ref`, () =>
      Effect.gen(function*() {
        const keys = size(20, 200)
        const reports = yield* processes(count, storage, yield* newAddress, `${keys}`)
        assert.strictEqual(reports.flatMap(({ created }) => created).length, keys)
        for (const { refs } of reports) assert.deepStrictEqual(refs, reports[0]!.refs)
        assert.strictEqual(new Set(reports[0]!.refs).size, keys)
      }))
  }
})
