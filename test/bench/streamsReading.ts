/** Reads a stream of tokens with one reader each time that the parent asks for it, and reports the CPU time per event. */
import { body, cut, tokens } from "./streamsBodies.ts"
import { parseOnly, type ReaderName, readers, timed } from "./streamsReaders.ts"

const [, , name, events, size, form] = process.argv as [
  string,
  string,
  ReaderName | "parseOnly",
  string,
  string,
  string
]

const sent = tokens(Number(events), form === "varied")
const pieces = cut(sent.bytes, Number(size))
const read = timed(
  sent,
  () => name === "parseOnly" ? parseOnly(sent.payloads) : readers[name](() => body(pieces))
)

process.on("message", () => void read().then((micros) => process.send!(micros)))
process.once("disconnect", () => process.exit())
