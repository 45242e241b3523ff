/**
 * Moves one file of 1 GiB with every kind of transfer of the library, and fails above 250 MB of memory, about three times the
 * usual value. `--mebibytes N` sets the size, and `--only TEXT` selects transfers by a part of their name.
 */
import { fork } from "node:child_process"
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { inChild } from "../bench/measure.ts"
import type { Measured } from "../bench/transfersChild.ts"
import { type Contender, contenders, isDownload } from "../bench/transfersContenders.ts"

const { values } = parseArgs({ options: { mebibytes: { type: "string", default: "1024" }, only: { type: "string" } } })

const limit = 250e6
const size = Number(values.mebibytes) * 2 ** 20

const ours = (Object.keys(contenders) as Array<Contender>).filter((name) =>
  /^(Spine|Tela|download)/.test(name) && (values.only === undefined || name.includes(values.only))
)

const directory = mkdtempSync(join(tmpdir(), "canvas-runs-transfers-"))
const server = fork(new URL("../bench/transfersServer.ts", import.meta.url), {
  execArgv: ["--conditions=canvas-runs:source"]
})
const failures: Array<string> = []
let most = 0
try {
  const origin = await new Promise<string>((resolve, reject) => {
    server.once("message", (message) => resolve(String(message)))
    server.once("exit", (code) => reject(new Error(`the server ended with ${code}`)))
  })
  const source = join(directory, "source.pdf")
  // A sparse file, which takes no space on the disk
  writeFileSync(source, "")
  truncateSync(source, size)
  for (const name of ours) {
    const path = isDownload(name) ? join(directory, "target.bin") : source
    const { bytesPerSecond, peakBytes } = await inChild<Measured>(
      new URL("../bench/transfersChild.ts", import.meta.url),
      [name, origin, path, String(size)]
    )
    if (path !== source) rmSync(path)
    most = Math.max(most, peakBytes)
    const line = `${name}: ${(peakBytes / 1e6).toFixed(0)} MB over idle, ${(bytesPerSecond / 1e6).toFixed(0)} MB/s`
    console.log(line)
    if (peakBytes > limit) failures.push(line)
  }
} finally {
  server.kill()
  rmSync(directory, { recursive: true })
}
for (const failure of failures) console.log(`FAILED: ${failure}; the limit is ${limit / 1e6} MB`)
console.log(
  `${ours.length} transfers of ${values.mebibytes} MiB, at most ${(most / 1e6).toFixed(0)} MB over idle, ` +
    `${failures.length} over the limit`
)
process.exitCode = failures.length > 0 || ours.length === 0 ? 1 : 0
