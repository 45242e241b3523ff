/**
 * One client in a separate process. Its arguments are `CONTENDER ORIGIN`, where the origin `length` or `no length` means
 * responses in memory. It makes each batch that it is sent, and replies with the CPU time per request.
 */
import { cpuMicros } from "../measure.ts"
import { answered, type Contender, inMemory, make } from "./contenders.ts"

export interface Batch {
  readonly requests: number
  readonly atOnce: number
  /** The pause between two requests. Without it there is none. */
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
    throw new Error(`${contender} sent ${answered - answeredBefore} requests instead of ${batch.requests}`)
  }
  return micros
}

process.on("message", (batch) => void run(batch as Batch).then((measured) => process.send!(measured)))
process.on("disconnect", () => process.exit())
