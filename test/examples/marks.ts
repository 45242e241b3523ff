/**
 * Loaded before an example. It adds a mark after each write, because a pipe may deliver several writes at once. It sends the
 * process the signal of Ctrl-C as soon as the text in `INTERRUPT_AT` has been written.
 */
import { mark } from "./mark.ts"

const write = process.stdout.write.bind(process.stdout)
let interruptAt = process.env["INTERRUPT_AT"]

process.stdout.write = ((chunk: string | Uint8Array, ...rest: ReadonlyArray<never>) => {
  const text = typeof chunk === "string" ? chunk : new TextDecoder().decode(chunk)
  // A second signal would end it at once
  if (interruptAt !== undefined && text.includes(interruptAt)) {
    interruptAt = undefined
    process.kill(process.pid, "SIGINT")
  }
  return write(`${text}${mark}`, ...rest)
}) as typeof write
