/** The command of the package: that its file needs nothing else, and how much CPU its start takes. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { run } from "./stage.ts"

const runs = 20

/** The calls whose CPU time has a budget. */
export const starts = ["--help", "--version", "run --help"] as const

/** Runs the command alone in an empty directory. It must print its version, and the output of a run of its emulator. */
export const checkCommand = async (directory: string): Promise<void> => {
  const { bin, version } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as {
    readonly bin: { readonly "canvas-runs": string }
    readonly version: string
  }
  await alone(join(directory, bin["canvas-runs"]), async (folder) => {
    const printed = await run("node", ["bin.cjs", "--version"], folder)
    if (printed !== `${version}\n`) throw new Error(`canvas-runs --version prints ${printed}`)
    const output = await run("node", ["bin.cjs", "run", "Tides", "--emulator"], folder)
    if (!output.startsWith("# Tides")) throw new Error(`canvas-runs run prints ${output}`)
  })
}

/** Measures the CPU time of each call, as a multiple of that of an empty program. */
export const measureStart = (directory: string): Promise<ReadonlyArray<readonly [call: string, ratio: number]>> =>
  alone(join(directory, "dist", "bin.cjs"), async (folder) => {
    const cpu = async (call: string) => {
      // `times` prints the user and the system time of the shell, and then of its children
      const loop = `i=0; while [ $i -lt ${runs} ]; do node ${call} >/dev/null; i=$((i+1)); done; times`
      const [, children = ""] = (await run("sh", ["-c", loop], folder)).split("\n")
      return [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce((sum, [, m, s]) => sum + Number(m) * 60 + Number(s), 0)
    }
    const ratios: Array<readonly [string, number]> = []
    for (const call of starts) {
      const empty = await cpu("-e 0")
      ratios.push([call, await cpu(`bin.cjs ${call}`) / empty])
    }
    return ratios
  })

const alone = async <A>(file: string, use: (folder: string) => Promise<A>): Promise<A> => {
  const folder = mkdtempSync(join(tmpdir(), "canvas-runs-command-"))
  try {
    copyFileSync(file, join(folder, "bin.cjs"))
    return await use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
