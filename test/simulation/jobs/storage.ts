/**
 * A storage that outlives the processes that write to it. Writes take time, may fail before or after they take effect, and if a
 * process is killed they are complete, absent, or partial.
 */
import { Effect, Layer } from "effect"
import { KeyValueStore } from "effect/persistence"
import { mayDisturb } from "../plan.ts"
import type { Time } from "../provider.ts"
import type * as Random from "../../support/random.ts"
import type { Plan } from "./plan.ts"

export interface Storage {
  /** The storage of one process. It reports the start of each write. */
  readonly layer: (
    process: { storageFaults: number },
    isAlive: () => boolean,
    onWrite: () => void
  ) => Layer.Layer<KeyValueStore.KeyValueStore>
  /** Without faults, for reading the storage afterwards. */
  readonly sound: Layer.Layer<KeyValueStore.KeyValueStore>
  /** Decides the fate of the writes that are under way. */
  readonly kill: () => void
  /** How many writes there were. */
  readonly writes: () => number
}

export const make = ({ faults, store }: Plan, draw: Random.Draw, time: Time): Storage => {
  const entries = new Map<string, string>()
  /** The writes under way, by key, with the share of the text that has been written. */
  const pending = new Map<string, (share: number) => void>()
  let writes = 0

  const layer = (
    isAlive: () => boolean,
    faultRate: number,
    latency: (draw: Random.Draw) => number,
    onFault: () => void,
    onWrite: () => void
  ) => {
    const failed = (method: string, key: string) =>
      Effect.fail(new KeyValueStore.KeyValueStoreError({ method, key, message: "the storage fails" }))
    /** A killed process reads and writes nothing. */
    const whileAlive = <A, E>(effect: Effect.Effect<A, E>) => Effect.suspend(() => isAlive() ? effect : Effect.never)
    const change = (method: string, key: string, apply: (share: number) => void) =>
      Effect.suspend(() => {
        pending.set(key, apply)
        onWrite()
        const own = draw.fork(writes + 1)
        const fails = mayDisturb(faults, `write ${writes++}`) && own.chance(faultRate)
        const hasEffect = !fails || own.chance(0.5)
        if (fails) onFault()
        return Effect.andThen(
          time.sleep(latency(own)),
          whileAlive(Effect.suspend(() => {
            pending.delete(key)
            if (hasEffect) apply(1)
            return fails ? failed(method, key) : Effect.void
          }))
        )
      })
    return Layer.succeed(
      KeyValueStore.KeyValueStore,
      KeyValueStore.makeStringOnly({
        get: (key) => whileAlive(Effect.sync(() => entries.get(key))),
        set: (key, value) =>
          whileAlive(change("set", key, (share) => {
            if (share > 0) entries.set(key, value.slice(0, Math.ceil(value.length * share)))
          })),
        remove: (key) =>
          whileAlive(change("remove", key, (share) => {
            if (share > 0.5) entries.delete(key)
          })),
        clear: Effect.sync(() => entries.clear()),
        size: Effect.sync(() => entries.size),
        keys: whileAlive(Effect.sync(() => Array.from(entries.keys())))
      })
    )
  }

  return {
    layer: (process, isAlive, onWrite) =>
      layer(
        isAlive,
        store?.faultRate ?? 0,
        (draw) => draw.chance(0.5) ? 0 : draw.int(0, 4) + 0.5,
        () => {
          process.storageFaults++
        },
        onWrite
      ),
    sound: layer(() => true, 0, () => 0, () => {}, () => {}),
    kill: () => {
      for (const apply of pending.values()) apply(draw.pick([0, 1, draw.next()]))
      pending.clear()
    },
    writes: () => writes
  }
}
