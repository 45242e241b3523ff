/** The files of the package: whether each import and each link finds its file, and each source map the place that it names. */
import { existsSync, readFileSync } from "node:fs"
import { SourceMap, type SourceMapPayload } from "node:module"
import { dirname, join, posix } from "node:path"
import { filesOf } from "./stage.ts"

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

/** The specifiers that a compiled file names, outside its comments. */
export const importsOf = (code: string): ReadonlyArray<string> =>
  [...code.replaceAll(/\/\*[\s\S]*?\*\//g, "").matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"([^"\n]+)"/g)].map(([, name]) =>
    name!
  )

/** Where a file declares its exports: the names, with their line and column. */
const exportsOf = (
  code: string
): ReadonlyArray<{ readonly name: string; readonly line: number; readonly column: number }> =>
  code.split("\n").flatMap((text, line) => {
    const found = /^export (?:declare )?(?:const|class|interface|type|function\*?) ([\w$]+)/d.exec(text)
    return found === null ? [] : [{ name: found[1]!, line, column: found.indices![1]![0] }]
  })

/** The faults of the package, in sentences. */
export const faultsOf = (directory: string): ReadonlyArray<string> => {
  const faults: Array<string> = []
  const files = new Set(filesOf(directory))
  const manifest = JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as Manifest
  const packages = [...Object.keys(manifest.dependencies ?? {}), ...Object.keys(manifest.peerDependencies ?? {})]
  const wanted = [
    "AGENTS.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "docs/README.md",
    "examples/01-first-run.ts",
    "llms.txt",
    "package.json"
  ]
  for (const name of wanted) if (!files.has(name)) faults.push(`${name} is not in the package`)
  for (const name of files) {
    if (
      !wanted.includes(name) &&
      !/^dist\/(?:bin\.cjs|.*\.(?:js|d\.ts)(?:\.map)?)$|^(?:src|examples)\/.*\.ts$|^docs\/[\w-]+\.md$|^docs\/(?:charts|pictures)\/[\w-]+\.svg$/
        .test(name)
    ) {
      faults.push(`${name} is in the package, but matches no known kind of file`)
    }
  }
  for (const file of files) {
    if (!/\.md$|^llms\.txt$/.test(file)) continue
    for (const [, target] of readFileSync(join(directory, file), "utf8").matchAll(/\]\((?!https?:)([^)#\s]+)/g)) {
      const path = posix.join(posix.dirname(file), target!)
      if (!existsSync(join(directory, path))) faults.push(`${file} links to ${target}, which is not in the package`)
    }
  }

  let mapped = 0
  for (const file of files) {
    if (!/^dist\/.*(?:\.js|\.d\.ts)$/.test(file)) continue
    const code = readFileSync(join(directory, file), "utf8")

    for (const specifier of importsOf(code)) {
      if (specifier.startsWith(".")) {
        const target = posix.join(posix.dirname(file), specifier)
        // A declaration file may name the source that it declares; the compiler finds its declarations
        const found = file.endsWith(".d.ts") ? target.replace(/\.(?:ts|js)$/, ".d.ts") : target
        if (!files.has(found)) faults.push(`${file} imports ${specifier}, which is not in the package`)
      } else if (!specifier.startsWith("node:") && !packages.some((name) => `${specifier}/`.startsWith(`${name}/`))) {
        faults.push(`${file} imports ${specifier}, which is not a dependency`)
      }
    }

    const name = /\n\/\/# sourceMappingURL=(.+)\s*$/.exec(code)?.[1]
    if (name === undefined || !files.has(posix.join(posix.dirname(file), name))) {
      faults.push(`${file} has no map`)
      continue
    }
    const payload = JSON.parse(readFileSync(join(directory, dirname(file), name), "utf8")) as SourceMapPayload
    const absent = payload.sources.filter((source) => !existsSync(join(directory, dirname(file), source)))
    if (absent.length > 0) {
      faults.push(`${file} is mapped to ${absent.join(", ")}, which does not exist`)
      continue
    }
    const map = new SourceMap(payload)
    for (const { column, line, name: exported } of exportsOf(code)) {
      const origin = map.findEntry(line, column)
      if (!("originalSource" in origin)) {
        faults.push(`the map of ${file} has no source of ${exported}`)
        continue
      }
      const source = readFileSync(join(directory, dirname(file), origin.originalSource), "utf8").split("\n")
      const at = source[origin.originalLine]?.slice(origin.originalColumn) ?? ""
      if (new RegExp(`^${exported.replaceAll("$", "\\$")}\\b`).test(at)) mapped++
      else faults.push(`the map of ${file} puts ${exported} at "${at.slice(0, 30)}"`)
    }
  }
  if (mapped === 0) faults.push("no map was checked")
  return faults
}
