/**
 * Runs the fault matrix and prints it.
 *
 *     node --conditions=canvas-runs:source test/faults/faults.ts [--only TEXT] [--memory | --socket] [--sample SEED]
 *
 * `--only` selects operations and faults by a part of their name, and `--sample` runs 300 cells that the seed draws. It exits
 * with 1 if any cell is red.
 */
import { Effect } from "effect"
import { parseArgs } from "node:util"
import { kept } from "../support/sample.ts"
import { type Fault, faults, legend } from "./matrix.ts"
import { type Operation, operations } from "./operations.ts"
import { type Outcome } from "./run.ts"
import { cellsOf, mendedCells, runAll, totals } from "./suite.ts"
import type { Transport } from "./play.ts"

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    memory: { type: "boolean" },
    socket: { type: "boolean" },
    sample: { type: "string" }
  }
})

const paint = (code: number) => (text: string) => process.stdout.isTTY ? `\u001b[${code}m${text}\u001b[0m` : text
const red = (text: string) => process.stdout.isTTY ? `\u001b[41;97m${text}\u001b[0m` : `!${text.slice(1)}`
const dim = paint(2)
const bold = paint(1)

const isWanted = (operation: Operation, fault: Fault): boolean =>
  values.only === undefined || `${operation.name}\n${fault.name}`.includes(values.only)

const transports: ReadonlyArray<Transport> = [
  ...(values.socket === true ? [] : ["memory"] as const),
  ...(values.memory === true ? [] : ["fetch", "undici"] as const)
]

const width = 4

/** One table for each transport: a line for each operation, a column for each fault. */
const printTable = (transport: Transport, outcomes: ReadonlyArray<Outcome>) => {
  const mine = outcomes.filter(({ cell }) => cell.transport === transport)
  const columns = faults.filter((fault) => mine.some(({ cell }) => cell.fault === fault))
  const rows = operations.filter((operation) => mine.some(({ cell }) => cell.operation === operation))
  console.log(bold(`\n${titles[transport]}: ${rows.length} operations, ${columns.length} faults\n`))
  const label = Math.max(0, ...rows.map(({ name }) => name.length)) + 1
  // As many columns at once as fit into a line
  const perBlock = Math.max(10, Math.floor(((process.stdout.columns ?? 240) - label) / (width + 1)))
  for (let start = 0; start < columns.length; start += perBlock) {
    const block = columns.slice(start, start + perBlock)
    console.log(dim("".padEnd(label) + block.map((fault) => numberOf(fault).padEnd(width)).join(" ")))
    for (const operation of rows) {
      const cells = block.map((fault) => {
        const outcome = mine.find(({ cell }) => cell.operation === operation && cell.fault === fault)
        if (outcome === undefined) return dim("·".padEnd(width))
        return outcome.problems.length > 0 ? red(` ${outcome.actual}`.padEnd(width)) : outcome.actual.padEnd(width)
      })
      console.log(operation.name.padEnd(label) + cells.join(" "))
    }
    console.log("")
  }
}

const titles: Readonly<Record<Transport, string>> = {
  memory: "In memory, on the TestClock",
  fetch: "On a loopback socket, through fetch",
  undici: "On a loopback socket, through undici"
}

const numberOf = (fault: Fault): string => `f${faults.indexOf(fault) + 1}`

const started = Date.now()
const wanted = cellsOf(transports, isWanted)
const cells = values.sample === undefined ? wanted : kept(wanted, 300, values.sample)
const outcomes = await Effect.runPromise(runAll(cells, (done) => {
  if (process.stdout.isTTY) process.stdout.write(`\r${done} of ${cells.length} cells`)
  else if (done % 50 === 0) console.log(`${done} of ${cells.length} cells`)
}))
if (process.stdout.isTTY) process.stdout.write("\r".padEnd(40) + "\r")

for (const transport of transports) printTable(transport, outcomes)

console.log(bold("Faults"))
for (const fault of faults.filter((fault) => outcomes.some(({ cell }) => cell.fault === fault))) {
  console.log(`${numberOf(fault).padStart(5)}  ${fault.name}${fault.why === undefined ? "" : dim(` (· ${fault.why})`)}`)
}
console.log(bold("\nOutcomes"), dim("(the number is how many requests reached the server)"))
for (const [code, meaning] of Object.entries(legend)) console.log(`   ${code}  ${meaning}`)

const wrong = outcomes.filter(({ problems }) => problems.length > 0)
if (wrong.length > 0) console.log(bold("\nRed cells"))
for (const { actual, cell, expected, known, problems } of wrong) {
  console.log(`\n${bold(cell.operation.name)}, ${cell.fault?.name}, ${cell.transport}: ${actual}, expected ${expected}`)
  if (known !== undefined) console.log(`   known: ${known}`)
  for (const { detail, problem } of problems) console.log(`   ${problem}: ${detail.slice(0, 600)}`)
}

for (const mended of mendedCells(outcomes)) console.log(`\nIn knownDefects, and not red any more: ${mended}`)

const possible = operations.length * faults.length * transports.length
if (values.only === undefined && values.sample === undefined) {
  console.log(dim(`\n${possible - cells.length} of ${possible} do not apply`))
}
console.log(`\n${totals(outcomes)}, in ${Math.round((Date.now() - started) / 1000)} s`)
process.exitCode = wrong.length > 0 ? 1 : 0
