/** A part of the fault matrix. The whole matrix: `npm run faults`. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { expected, type Fault, faults } from "./matrix.ts"
import { aroundOperations, type Kind, kinds, type Operation, operations } from "./operations.ts"
import { isFull } from "../support/size.ts"
import { applies, type Cell } from "./run.ts"
import { cellsOf, mendedCells, redCells, runAll, totals } from "./suite.ts"

/** One operation of each kind and provider. Each fault is tried with one of each kind, and in full size with all of them. */
const representatives = new Set(
  kinds.flatMap((kind) =>
    ["spine", "tela"].flatMap((provider) =>
      operations.find((operation) => operation.kind === kind && operation.provider === provider) ?? []
    )
  )
)

/** The fault that is tried with all operations, and the faults of which each operation has one. */
const common = "reset after the request: accepted, the answer lost"
const others = ["silence", "401", "HTML with 200"]

/** Kinds of operation that both providers have. */
const shared = new Set(
  kinds.filter((kind) => [...representatives].filter((operation) => operation.kind === kind).length > 1)
)

/** Whether it is the turn of the operation's provider, which changes with each fault and kind. */
const isTurn = ({ kind, provider }: Operation, fault: Fault) =>
  isFull || !shared.has(kind) || ["spine", "tela"][(faults.indexOf(fault) + kinds.indexOf(kind)) % 2] === provider

const isShort = (operation: Operation, fault: Fault) =>
  representatives.has(operation) && isTurn(operation, fault) || common === fault.name ||
  (isFull ? others.includes(fault.name) : others[operations.indexOf(operation) % others.length] === fault.name)

/** One cell for each fault, with another kind of operation each time. */
const socketCells: ReadonlyArray<Cell> = faults.flatMap((fault, index) => {
  const turn = (kind: Kind) => (kinds.indexOf(kind) + index) % kinds.length
  // Only the undici client has proxies
  const transport = fault.on?.includes("fetch") === false ? "undici" as const : "fetch" as const
  const cells = operations.map((operation) => ({ operation, fault, transport }))
    .filter((cell) => representatives.has(cell.operation) && applies(cell))
    .sort((a, b) => turn(a.operation.kind) - turn(b.operation.kind))
  return cells.slice(0, 1)
})

/** Two cells for each fault, with other operations around the clients each time. */
const aroundCells: ReadonlyArray<Cell> = faults.flatMap((fault, index) => {
  const cells = aroundOperations.map((operation) => ({ operation, fault, transport: "memory" as const })).filter(
    applies
  )
  return [0, 1].flatMap((turn) => cells[(2 * index + turn) % cells.length] ?? [])
})

const check = (cells: ReadonlyArray<Cell>) =>
  Effect.map(runAll(cells), (outcomes) => {
    assert.deepStrictEqual(redCells(outcomes), [], totals(outcomes))
    assert.deepStrictEqual(mendedCells(outcomes), [], "remove these from knownDefects")
  })

describe("the fault matrix", () => {
  it("has an expectation for every operation under every fault, and for nothing else", () => {
    const names = new Set(operations.map(({ name }) => name))
    assert.strictEqual(names.size, operations.length)
    assert.strictEqual(new Set(faults.map(({ name }) => name)).size, faults.length)
    for (const fault of faults) {
      assert.strictEqual(fault.outcomes.trim().split(/\s+/).length, kinds.length, fault.name)
      for (const name of Object.keys(fault.except ?? {})) assert.isTrue(names.has(name), `${fault.name}: ${name}`)
      const isPartial = operations.some((operation) => expected(fault, operation) === undefined)
      assert.strictEqual(fault.why !== undefined, isPartial, `${fault.name} needs a reason for its gaps, if it has any`)
    }
  })

  it.live(
    "holds in memory for each kind of operation under each fault",
    () => check(cellsOf(["memory"], isShort)),
    300_000
  )

  it.live(
    "holds in memory for stores, webhooks, rate limits and repeated creates, each under several faults",
    () => check(aroundCells),
    300_000
  )

  it.live("holds on a socket for each fault", () => check(socketCells), 300_000)
})
