/**
 * The package in the form that users get: built, packed, and unpacked into an empty project beside its peers. Everything happens
 * in a temporary directory, so that nothing depends on an older `dist`, and no other process reads an incomplete one.
 */
import { execFile } from "node:child_process"
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join, relative, sep } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

export const root = fileURLToPath(new URL("../..", import.meta.url))

const exec = promisify(execFile)

/** Runs a program of a dev dependency, and returns its output. A failure has the output too. */
export const run = async (program: string, args: ReadonlyArray<string>, cwd: string): Promise<string> => {
  const local = join(root, "node_modules", ".bin", program)
  try {
    const { stdout } = await exec(existsSync(local) ? local : program, args, { cwd, maxBuffer: 1 << 26 })
    return stdout
  } catch (error) {
    const { stderr, stdout } = error as { readonly stdout?: string; readonly stderr?: string }
    throw new Error(`${program} ${args.join(" ")} failed:\n${stdout ?? ""}${stderr ?? String(error)}`, { cause: error })
  }
}

export interface Stage {
  /** The tarball. */
  readonly tarball: string
  /** An empty project that has the package and its peers. */
  readonly project: string
  /** The package in the project. */
  readonly directory: string
  readonly remove: () => void
}

export const stage = async (): Promise<Stage> => {
  const temporary = mkdtempSync(join(tmpdir(), "canvas-runs-package-"))
  const remove = () => rmSync(temporary, { recursive: true, force: true })
  try {
    const source = join(temporary, "source")
    const { files } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      readonly files: ReadonlyArray<string>
    }
    const shipped = files.filter((name) => name !== "dist" && !name.startsWith("!"))
    for (const name of [...shipped, "README.md", "package.json", "tsconfig.json"]) {
      cpSync(join(root, name), join(source, name), { recursive: true })
    }
    symlinkSync(join(root, "node_modules"), join(source, "node_modules"), "junction")
    await run("tsc", ["-p", "src"], source)
    const bundling = ["--conditions=canvas-runs:source", ".ci/bundle.mjs", join(source, "dist", "bin.cjs")]
    await run(process.execPath, bundling, root)
    await run(
      "npm",
      ["pack", "--ignore-scripts", "--offline", "--loglevel=error", "--pack-destination", temporary],
      source
    )
    const tarball = join(temporary, readdirSync(temporary).find((name) => name.endsWith(".tgz"))!)

    const project = join(temporary, "project")
    const directory = join(project, "node_modules", "canvas-runs")
    mkdirSync(directory, { recursive: true })
    await run("tar", ["-xzf", tarball, "--strip-components=1", "-C", directory], temporary)
    for (const name of ["effect", "@effect", "@types", "vitest", "zod"]) {
      symlinkSync(join(root, "node_modules", name), join(project, "node_modules", name), "junction")
    }
    writeFileSync(join(project, "package.json"), JSON.stringify({ name: "project", private: true, type: "module" }))
    return { tarball, project, directory, remove }
  } catch (error) {
    remove()
    throw error
  }
}

/** Every file of a directory, or of a folder in it, by its path from the directory, with slashes. */
export const filesOf = (directory: string, folder = "."): ReadonlyArray<string> =>
  readdirSync(join(directory, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .toSorted()

type Target = string | null | { readonly [condition: string]: Target }

/** A pattern of `exports` or of its targets, cut at the star. */
const halves = (pattern: string): readonly [string, string] => {
  const star = pattern.indexOf("*")
  return star < 0 ? [pattern, ""] : [pattern.slice(0, star), pattern.slice(star + 1)]
}

const matches = (pattern: string, name: string): boolean => {
  const [start, end] = halves(pattern)
  return pattern.includes("*")
    ? name.length > start.length + end.length && name.startsWith(start) && name.endsWith(end)
    : name === pattern
}

/**
 * The entry points of the package, and their declarations: those that `exports` names, and each module that a pattern matches.
 */
export const entryPointsOf = (directory: string): ReadonlyMap<string, string> => {
  const { exports } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as {
    readonly exports: Readonly<Record<string, Target>>
  }
  const declarations = filesOf(directory, "dist").filter((file) => file.endsWith(".d.ts")).map((file) => `./${file}`)
  // Like Node: first an exact name, then the pattern with the longest prefix
  const patterns = Object.keys(exports).toSorted((a, b) =>
    Number(a.includes("*")) - Number(b.includes("*")) || halves(b)[0].length - halves(a)[0].length ||
    b.length - a.length
  )
  const entries: Array<readonly [string, string]> = []
  for (const [pattern, target] of Object.entries(exports)) {
    if (typeof target !== "object" || target === null) continue
    const { types } = target
    if (typeof types !== "string") throw new Error(`exports ${pattern} has no types`)
    if (!pattern.includes("*")) {
      entries.push([pattern, types])
      continue
    }
    const [start, end] = halves(types)
    for (const file of declarations) {
      if (!matches(types, file)) continue
      const name = pattern.replace("*", file.slice(start.length, file.length - end.length))
      if (patterns.find((other) => matches(other, name)) === pattern) entries.push([name, file])
    }
  }
  return new Map(entries.toSorted(([a], [b]) => a < b ? -1 : 1))
}
