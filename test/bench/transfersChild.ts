/**
 * Runs one transfer of one contender: `CONTENDER ORIGIN PATH SIZE`. Reports its time, and the peak of this process's resident
 * memory above its idle state.
 */
import { openSync, readSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { type Contender, contenders, isDownload, sizeOf } from "./transfersContenders.ts"
import { block, isBlock } from "./transfersFile.ts"

export interface Measured {
  readonly bytesPerSecond: number
  readonly peakBytes: number
  readonly cpuSeconds: number
}

const [contender, origin, path, sizeText] = process.argv.slice(2) as [Contender, string, string, string]
const size = Number(sizeText)
const transfer = contenders[contender](origin)

/** Fails if the received bytes differ from the sent ones. */
const check = async (path: string, size: number): Promise<void> => {
  if (isDownload(contender)) {
    if (sizeOf(path) !== size) throw new Error(`${contender}: ${sizeOf(path)} bytes arrived, not ${size}`)
    const file = openSync(path, "r")
    const piece = new Uint8Array(4096)
    for (const offset of [0, Math.floor(size / 3), Math.max(0, size - piece.length)]) {
      const read = readSync(file, piece, 0, piece.length, offset)
      if (!isBlock(piece.subarray(0, read), offset)) throw new Error(`${contender}: wrong bytes at ${offset}`)
    }
    return
  }
  const { received } = await (await fetch(`${origin}/received`)).json() as { readonly received: number }
  // A form has bytes before and after the file
  if (received < size || received > size + 2000) throw new Error(`${contender}: ${received} bytes arrived, not ${size}`)
}

// Loads the code and makes the connection before the measurement. The extension determines the media type
const small = join(dirname(path), `small-${basename(path)}`)
if (!isDownload(contender)) {
  writeFileSync(small, "")
  truncateSync(small, block.length)
}
await transfer(small, block.length)
await check(small, block.length)
rmSync(small)

for (let i = 0; i < 4; i++) {
  globalThis.gc!()
  await new Promise((resolve) => setTimeout(resolve, 20))
}
const idle = process.memoryUsage.rss()
let peak = idle
const watch = setInterval(() => peak = Math.max(peak, process.memoryUsage.rss()), 10)
const cpu = process.cpuUsage()
const started = performance.now()
await transfer(path, size)
const seconds = (performance.now() - started) / 1000
const { system, user } = process.cpuUsage(cpu)
clearInterval(watch)
await check(path, size)
process.send!(
  {
    bytesPerSecond: size / seconds,
    peakBytes: Math.max(peak, process.memoryUsage.rss()) - idle,
    cpuSeconds: (system + user) / 1e6
  } satisfies Measured
)
process.exit()
