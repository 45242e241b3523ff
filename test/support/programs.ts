/** Bundles programs that tests run as processes. Such a program starts in about 0.3 s of CPU time, and from its modules in about 1 s. */
import { Effect } from "effect"
import { build } from "esbuild"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const nodeModules = fileURLToPath(new URL("../../node_modules", import.meta.url))

/** Bundles that a test file removes at its end. */
export interface Programs {
  /** The path of the bundle of a program, by the name of its file. */
  readonly path: (name: string) => string
  /** The directory of what Node compiled (`NODE_COMPILE_CACHE`): a second process of a program starts faster. */
  readonly compiled: string
  readonly remove: () => void
}

/**
 * Bundles the programs into one directory, in which they share what they import. In the bundles `import.meta.dirname` is
 * `sourceDirectory`.
 */
export const bundle = async (files: ReadonlyArray<string>, sourceDirectory: string): Promise<Programs> => {
  const cache = join(nodeModules, ".cache")
  mkdirSync(cache, { recursive: true })
  // Below `node_modules`, so that an import of a computed name finds its package
  const outdir = mkdtempSync(join(cache, "canvas-runs-"))
  await build({
    entryPoints: [...files],
    outdir,
    outExtension: { ".js": ".mjs" },
    entryNames: "[name]",
    bundle: true,
    splitting: true,
    keepNames: true,
    platform: "node",
    target: "node24",
    format: "esm",
    conditions: ["canvas-runs:source"],
    define: { "import.meta.dirname": JSON.stringify(sourceDirectory) },
    banner: {
      js: `import { createRequire as requireOf } from "node:module"; const require = requireOf(import.meta.url)`
    },
    logLevel: "error"
  })
  return {
    path: (name) => join(outdir, `${basename(name, ".ts")}.mjs`),
    compiled: join(outdir, "compiled"),
    remove: () => rmSync(outdir, { recursive: true, force: true })
  }
}

/** The path of the bundle of one program, which is removed with the scope. */
export const bundled = (program: URL) =>
  Effect.gen(function*() {
    const file = fileURLToPath(program)
    const { path } = yield* Effect.acquireRelease(
      Effect.promise(() => bundle([file], dirname(file))),
      ({ remove }) => Effect.sync(remove)
    )
    return path(file)
  })
