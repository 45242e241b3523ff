/**
 * `npm run mutants -- --kinds`: removes one guard after the other, in a copy of the repository, and expects its tests to fail.
 */
import { readdirSync } from "node:fs"
import { readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { kept } from "../support/sample.ts"
import { copyRepository, execute } from "../simulation/mutants.ts"
import { controlName, type Place } from "./kind.ts"

interface Target {
  readonly testFile: string
  readonly place: Place
}

/** Every place of every kind, from the tables beside this file: `X.ts` is the table of `X.test.ts`. */
const targets = async (): Promise<ReadonlyArray<Target>> => {
  const folder = fileURLToPath(new URL(".", import.meta.url))
  const kinds = readdirSync(folder).filter((file) => file.endsWith(".test.ts"))
  const tables = await Promise.all(kinds.map(async (testFile) => {
    const { places } = await import(join(folder, testFile.replace(".test.ts", ".ts"))) as {
      readonly places: ReadonlyArray<Place>
    }
    return places.map((place) => ({ testFile: `test/kinds/${testFile}`, place }))
  }))
  return tables.flat()
}

export const main = async (
  options: { readonly only: string | undefined; readonly sample: string | undefined }
): Promise<boolean> => {
  const wanted = (await targets()).filter(({ place }) =>
    options.only === undefined || place.name.includes(options.only)
  )
  const chosen = options.sample === undefined ? wanted : kept(wanted, 6, options.sample)
  process.env["MUTANTS"] = "1"
  const started = performance.now()
  const copies = await Promise.all([copyRepository(), copyRepository()])
  const left = [...chosen]
  let survived = 0
  try {
    await Promise.all(copies.map(async (copy) => {
      for (let target = left.shift(); target !== undefined; target = left.shift()) {
        const { place, testFile } = target
        const how = await tryOut(copy, target)
        if (how === undefined) survived++
        console.log(
          `${how === undefined ? "SURVIVED" : "caught  "}  ${testFile}: ${place.name}${how ? `: ${how}` : ""}`
        )
      }
    }))
  } finally {
    await Promise.all(copies.map((copy) => rm(copy, { recursive: true, force: true })))
  }
  console.log(
    `${chosen.length} guards removed, ${chosen.length - survived} noticed, ${survived} survived, in ${
      Math.round((performance.now() - started) / 1000)
    } s`
  )
  return survived === 0 && chosen.length > 0
}

const tryOut = async (copy: string, { place, testFile }: Target): Promise<string | undefined> => {
  const { file, find, replace } = place.mutant
  const path = join(copy, file)
  const source = await readFile(path, "utf8")
  await writeFile(path, source.replace(find, () => replace))
  try {
    const { output, status } = await execute(copy, [
      "node_modules/vitest/vitest.mjs",
      "run",
      "--bail=1",
      "--reporter=tap-flat",
      testFile,
      "-t",
      escape(place.name)
    ])
    if (status === 0) return undefined
    if (status === undefined) return "did not end"
    const broken = /^not ok \d+ - (.*?)(?: # time.*)?$/m.exec(output)
    if (broken === null) throw new Error(`the tests could not be run:\n${output.slice(0, 4000)}`)
    if (broken[1]!.endsWith(controlName)) {
      console.log(`the mutant breaks its control too, so it shows nothing: ${place.name}`)
      return undefined
    }
    return broken[1]!.slice(-160)
  } finally {
    await writeFile(path, source)
  }
}

const escape = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")
