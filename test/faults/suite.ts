/** Lists the cells, and runs many of them. */
import { Effect } from "effect"
import { type Fault, faults } from "./matrix.ts"
import { type Operation, operations } from "./operations.ts"
import { applies, type Cell, type Outcome, type Problem, runCell } from "./run.ts"
import type { Transport } from "./play.ts"

/** The cells that apply, of the selected operations and faults. */
export const cellsOf = (
  transports: ReadonlyArray<Transport>,
  isWanted: (operation: Operation, fault: Fault, transport: Transport) => boolean = () => true
): ReadonlyArray<Cell> =>
  transports.flatMap((transport) =>
    operations.flatMap((operation) =>
      faults.flatMap((fault): ReadonlyArray<Cell> => {
        const cell = { operation, fault, transport }
        return isWanted(operation, fault, transport) && applies(cell) ? [cell] : []
      })
    )
  )

/** How many cells on sockets are run at once: most of their time is silence. */
const concurrency = 12

export const runAll = (
  cells: ReadonlyArray<Cell>,
  onProgress: (done: number) => void = () => {}
): Effect.Effect<ReadonlyArray<Outcome>> => {
  let done = 0
  const each = (cell: Cell) => Effect.tap(runCell(cell), () => Effect.sync(() => onProgress(++done)))
  const isSlow = ({ fault, transport }: Cell) => transport !== "memory" && fault?.isSlow === true
  return Effect.gen(function*() {
    const memory = yield* Effect.forEach(cells.filter(({ transport }) => transport === "memory"), each)
    const socket = yield* Effect.forEach(
      cells.filter((cell) => cell.transport !== "memory" && !isSlow(cell)),
      each,
      { concurrency }
    )
    // Expensive cells run last, so that no other cell runs out of time
    const slow = yield* Effect.forEach(cells.filter(isSlow), each, { concurrency: 4 })
    // A machine that stalls for longer than the client's timeouts changes how often a request is sent. So a cell with an
    // unexpected outcome is run once more, alone and with longer timeouts.
    const again = yield* Effect.forEach(
      [...socket, ...slow],
      (outcome) =>
        outcome.known === undefined && outcome.problems.length > 0 &&
          outcome.problems.every(({ problem }) => problem === "unexpected")
          ? Effect.map(runCell({ ...outcome.cell, isSlowed: true }), (second) => ({ ...second, isSecond: true }))
          : Effect.succeed(outcome)
    )
    return [...memory, ...again]
  })
}

/** All problems, with their names in the totals. */
const problems: ReadonlyArray<readonly [Problem, string]> = [
  ["defect", "defects"],
  ["hang", "hangs"],
  ["leak", "leaks"],
  ["untyped", "untyped"],
  ["secret", "secrets shown"],
  ["unexpected", "unexpected"]
]

export const totals = (outcomes: ReadonlyArray<Outcome>): string => {
  const counted = problems.map(([problem, name]) =>
    `${outcomes.filter((outcome) => outcome.problems.some((one) => one.problem === problem)).length} ${name}`
  )
  const good = outcomes.filter(({ problems }) => problems.length === 0).length
  const second = outcomes.filter(({ isSecond }) => isSecond === true).length
  return `${outcomes.length} cells: ${good} as expected, ${counted.join(", ")}` +
    (second === 0 ? "" : ` (${second} on a stalled machine, run once more)`)
}

/** Red cells that are not in `knownDefects`. */
export const redCells = (outcomes: ReadonlyArray<Outcome>): ReadonlyArray<string> =>
  outcomes.filter(({ known, problems }) => problems.length > 0 && known === undefined).map(describe)

/** Cells of `knownDefects` that are not red. */
export const mendedCells = (outcomes: ReadonlyArray<Outcome>): ReadonlyArray<string> =>
  outcomes.filter(({ known, problems }) => problems.length === 0 && known !== undefined).map(describe)

const describe = ({ actual, cell, expected, problems }: Outcome): string =>
  `${cell.operation.name}, ${cell.fault?.name}, ${cell.transport}: ${actual}, expected ${expected}. ` +
  problems.map(({ detail, problem }) => `${problem}: ${detail.slice(0, 300)}`).join("; ")
