/**
 * Loaded before an example. It ends each write with a mark, because what a pipe delivers at once may have been written bit by bit,
 * and sends the process what Ctrl-C sends as soon as the text in `INTERRUPT_AT` has been written.
 */
import { mark } from "./mark.ts"

const write = process.stdout.write.bind(process.stdout)
let interruptAt = process.env["INTERRUPT_AT"]

process.stdout.write = ((chunk: string | Uint8Array, ...rest: ReadonlyArray<never>) => {
  const text = typeof chunk === "string" ? chunk : new TextDecoder().decode(chunk)
  // A second time would end it at once
  if (interruptAt !== undefined && text.includes(interruptAt)) {
    interruptAt = undefined
    process.kill(process.pid, "SIGINT")
  }
  return write(`${text}${mark}`, ...rest)
}) as typeof write
