/** The public functions, by the names that programs use. */
import { readFileSync } from "node:fs"
import { Effect, Schema, Stream } from "effect"
import * as root from "canvas-runs"
import * as testing from "canvas-runs/testing"
import type { World } from "./world.ts"

const snapshot = new URL("../packaging/exports.snapshot.txt", import.meta.url)

/** The names that each entry point exports, from the snapshot of the exports. */
const exported = (): ReadonlyArray<readonly [entryPoint: string, names: ReadonlyArray<string>]> =>
  readFileSync(snapshot, "utf8").split(/^\/\/ /m).slice(1).map((section) => {
    const [entryPoint = "", ...lines] = section.split("\n")
    return [entryPoint, lines.flatMap((line) => /^const (\w+)/.exec(line)?.[1] ?? [])]
  })

const isFunction = (value: unknown): value is Function =>
  typeof value === "function" && !Schema.isSchema(value) && !/^class\b/.test(Function.prototype.toString.call(value))

/** The exported functions. A function that several modules export has its name in the barrel. */
const exportedFunctions = async (): Promise<ReadonlyMap<Function, string>> => {
  const found = new Map<Function, string>()
  for (const [namespace, members] of [...Object.entries(root), ...Object.entries(testing)]) {
    for (const [name, value] of Object.entries(members)) nameOnce(found, value, `${namespace}.${name}`)
  }
  const listed = new Set<unknown>()
  for (const [entryPoint, names] of exported()) {
    const module = await import(entryPoint) as Record<string, unknown>
    const last = entryPoint.slice(entryPoint.lastIndexOf("/") + 1)
    for (const name of names) {
      listed.add(module[name])
      nameOnce(found, module[name], `${last}.${name}`)
    }
  }
  // Exports that only other modules of this package use are not in the declarations
  return new Map([...found].filter(([value]) => listed.has(value)))
}

const nameOnce = (found: Map<Function, string>, value: unknown, name: string) => {
  if (isFunction(value) && !found.has(value)) found.set(value, name)
}

/** The methods of a service or of a handle, by their paths. */
const methodsOf = (path: string, value: unknown): ReadonlyArray<string> =>
  isFunction(value)
    ? [path]
    : typeof value === "object" && value !== null && !Effect.isEffect(value) && !Stream.isStream(value)
    ? Object.entries(value).flatMap(([name, member]) => methodsOf(`${path}.${name}`, member))
    : []

/** All public functions: those that the entry points export, and the methods of the values that these functions return. */
export const functionNames = async (
  { budget, canvas, hub, spine, spineEmulator, store, tela, telaEmulator, waits, workstation }: World
): Promise<ReadonlyArray<string>> => [
  ...(await exportedFunctions()).values(),
  ...Object.entries({ spine, tela, canvas, workstation, store, budget, hub, spineEmulator, telaEmulator, waits })
    .flatMap((
      [name, value]
    ) => methodsOf(name, value))
]
