/**
 * One client in a process of its own: `CONTENDER ORIGIN`, or `length` or `no length` for the origin, to be answered in memory.
 * It does each batch that it is told to, and answers with the CPU time that a request took.
 */
import { cpuMicros } from "../measure.ts"
import { answered, type Contender, inMemory, make } from "./contenders.ts"

export interface Batch {
  readonly requests: number
  readonly atOnce: number
  /** Between two requests. Without, they follow one another. */
  readonly apartMillis?: number
}

/** CPU time of this process per request, in microseconds. */
export type Measured = number

const [contender, origin] = process.argv.slice(2) as [Contender, string]
const answersItself = origin === "length" || origin === "no length"
const requests = await make(contender, answersItself ? inMemory(origin) : { baseUrl: origin })

const run = async (batch: Batch): Promise<Measured> => {
  const answeredBefore = answered
  const before = cpuMicros()
  if (batch.apartMillis === undefined) await requests(batch.requests, batch.atOnce)
  else {
    for (let i = 0; i < batch.requests; i++) {
      if (i > 0) await new Promise((resolve) => setTimeout(resolve, batch.apartMillis))
      await requests(1, 1)
    }
  }
  const micros = (cpuMicros() - before) / batch.requests
  if (answersItself && answered - answeredBefore !== batch.requests) {
    throw new Error(`${contender} asked ${answered - answeredBefore} times in place of ${batch.requests}`)
  }
  return micros
}

process.on("message", (batch) => void run(batch as Batch).then((measured) => process.send!(measured)))
process.on("disconnect", () => process.exit())
