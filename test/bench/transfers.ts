/**
 * Transfers of a file of 1 GiB: their memory and throughput. Every transfer runs in a separate process, with the server in
 * another one. The uploaded file is sparse, so that the disk is not measured.
 */
import { fork } from "node:child_process"
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Benchmark, inChild, type Options, type Result, type Sample, sample, type Target } from "./measure.ts"
import type { Measured } from "./transfersChild.ts"
import { type Contender, isDownload } from "./transfersContenders.ts"

const form = "fetch of a form with openAsBlob"
const pipe = "node:http pipe"
const piped = "fetch piped to a file"

const uploads = [
  "Spine upload on fetch",
  "Spine upload on undici",
  "Tela upload on fetch",
  "Tela upload on undici"
] as const
const blobs = [
  "Spine upload of a Blob on fetch",
  "Spine upload of a Blob on undici",
  "Tela upload of a Blob on fetch",
  "Tela upload of a Blob on undici"
] as const
const downloads = ["download on fetch", "download on undici"] as const

/** Runs each contender once. The runs of the whole benchmark are the rounds, each with another order. */
const measure = async (
  contenders: ReadonlyArray<Contender>,
  size: number,
  { progress, run }: Options
): Promise<(contender: Contender) => { readonly speed: Sample; readonly memory: Sample }> => {
  const directory = mkdtempSync(join(tmpdir(), "canvas-runs-bench-"))
  const server = fork(new URL("transfersServer.ts", import.meta.url), [], {
    execArgv: ["--conditions=canvas-runs:source"]
  })
  try {
    const origin = await new Promise<string>((resolve, reject) => {
      server.once("message", (message) => resolve(String(message)))
      server.once("exit", (code) => reject(new Error(`the server ended with ${code}`)))
    })
    const source = join(directory, "source.pdf")
    writeFileSync(source, "")
    truncateSync(source, size)
    const measured = new Map<Contender, Measured>()
    for (let i = 0; i < contenders.length; i++) {
      const contender = contenders[(run + i) % contenders.length]!
      const path = isDownload(contender) ? join(directory, "target.zip") : source
      const one = await inChild<Measured>(
        new URL("transfersChild.ts", import.meta.url),
        [contender, origin, path, String(size)]
      )
      measured.set(contender, one)
      progress(
        `${contender}: ${megabytes(one.bytesPerSecond).toFixed(0)} MB/s, ${
          megabytes(one.peakBytes).toFixed(0)
        } MB over idle, ${one.cpuSeconds.toFixed(1)} s of CPU time`
      )
      if (path !== source) rmSync(path)
    }
    return (contender) => {
      const { bytesPerSecond, peakBytes } = measured.get(contender)!
      return { speed: sample([megabytes(bytesPerSecond)]), memory: sample([megabytes(peakBytes)]) }
    }
  } finally {
    server.kill()
    rmSync(directory, { recursive: true })
  }
}

const megabytes = (bytes: number): number => bytes / 1e6

export const benchmark: Benchmark = {
  name: "transfers",
  run: async (options) => {
    const { quick } = options
    const size = (quick ? 64 : 1024) * 2 ** 20
    const of = await measure([form, pipe, ...uploads, ...blobs, piped, ...downloads], size, options)
    const what = quick ? "64 MiB" : "1 GiB"
    const smallFile = quick ? { note: "64 MiB are too few for a memory ratio." } : undefined

    const memory = (ours: Contender, peer: Contender, atMost?: number): Result => ({
      measure: `${ours} of ${what}: peak memory over idle`,
      unit: "MB",
      ours: of(ours).memory,
      peers: { [peer]: of(peer).memory },
      targets: [...(quick || atMost === undefined ? [] : [{ peer, atMost }]), { atMost: 90 }],
      ...smallFile
    })
    const speed = (ours: Contender, peer: Contender, target: Target): Result => ({
      measure: `${ours} of ${what}: throughput`,
      unit: "MB/s",
      ours: of(ours).speed,
      peers: { [peer]: of(peer).speed },
      targets: [{ peer, ...target }]
    })
    return [
      ...[...uploads, ...blobs].map((ours) => memory(ours, form, 0.08)),
      ...uploads.map((ours) => speed(ours, pipe, { atLeast: ours.endsWith("fetch") ? 0.35 : 0.5 })),
      ...downloads.map((ours) => memory(ours, piped)),
      ...downloads.map((ours) => speed(ours, piped, { atLeast: 0.9 }))
    ]
  }
}
