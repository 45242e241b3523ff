/** A process that runs many keys at once on a shared store: `STORAGE ADDRESS KEYS`. It writes one line for each run it creates. */
import { Effect, Layer } from "effect"
import { RunRef, RunStore } from "canvas-runs"
import { clients } from "../support/databases.ts"

const [storage, address, keys] = process.argv.slice(2) as [keyof typeof clients, string, string]

const main = Effect.gen(function*() {
  const store = yield* RunStore.RunStore
  yield* Effect.promise(() =>
    new Promise<void>((resolve) => {
      process.once("message", () => resolve())
      process.send!("ready")
    })
  )
  const refs = yield* Effect.forEach(
    Array.from({ length: Number(keys) }, (_, index) => `key-${index}`),
    (key) =>
      store.runOnce(
        key,
        Effect.sync(() => {
          const id = `${key}/${process.pid}`
          process.send!({ created: id })
          return { ref: RunRef.make({ provider: "test", kind: "run", id }) }
        })
      ),
    { concurrency: "unbounded" }
  )
  process.send!({ refs: refs.map(({ id }) => id) })
}).pipe(Effect.provide(Layer.orDie(Layer.provide(RunStore.layerSql(), clients[storage](address)))))

await Effect.runPromise(main)
process.disconnect()
