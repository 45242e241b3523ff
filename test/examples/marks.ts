/** Loaded before an example: ends each write with a mark, because what a pipe delivers at once may have been written bit by bit. */
import { mark } from "./mark.ts"

const write = process.stdout.write.bind(process.stdout)
process.stdout.write =
  ((chunk: string | Uint8Array, ...rest: ReadonlyArray<never>) =>
    write(`${typeof chunk === "string" ? chunk : new TextDecoder().decode(chunk)}${mark}`, ...rest)) as typeof write
