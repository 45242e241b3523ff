/**
 * The bytes that canvas-runs adds to a program that uses Effect already: the bundle with it less the bundle without it, minified
 * and gzipped. The measurement uses the packed package, in its published form.
 */
import { build, type Metafile } from "esbuild"
import { cpSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { rolldown } from "rolldown"
import { root } from "./stage.ts"

interface Bundle {
  readonly min: number
  readonly gzip: number
  /** The bytes of each module that are in the bundle, by its path. */
  readonly modules: ReadonlyMap<string, number>
}

/** The bytes that a program adds, and their modules. */
export interface Added {
  readonly bundler: Bundler
  readonly program: Program
  readonly min: number
  readonly gzip: number
  /** Minified bytes by module, the largest first. */
  readonly modules: ReadonlyArray<readonly [module: string, bytes: number]>
}

export type Bundler = "esbuild" | "rolldown"

const moduleName = (path: string): string =>
  // Rolldown puts a NUL before the names of its helper modules
  path.replaceAll("\0", "").replaceAll("\\", "/").replace(/^.*\/node_modules\//, "").replace(
    /^.*\/programs\//,
    "programs/"
  )

const sizes = (code: Uint8Array, modules: Iterable<readonly [string, number]>): Bundle => ({
  min: code.byteLength,
  gzip: gzipSync(code, { level: 9 }).byteLength,
  modules: new Map([...modules].map(([path, bytes]) => [moduleName(path), bytes]))
})

const bundlers: Record<Bundler, (entry: string) => Promise<Bundle>> = {
  esbuild: async (entry) => {
    const { metafile, outputFiles } = await build({
      entryPoints: [entry],
      bundle: true,
      minify: true,
      format: "esm",
      target: "es2022",
      platform: "browser",
      legalComments: "none",
      write: false,
      metafile: true,
      outdir: "out"
    })
    const [output] = Object.values((metafile satisfies Metafile).outputs)
    return sizes(
      outputFiles[0]!.contents,
      Object.entries(output!.inputs).map(([path, { bytesInOutput }]) => [path, bytesInOutput] as const)
    )
  },
  rolldown: async (entry) => {
    const bundle = await rolldown({ input: entry, platform: "browser", logLevel: "warn" })
    const { output } = await bundle.generate({ format: "esm", minify: true, codeSplitting: false })
    await bundle.close()
    if (output.length !== 1) throw new Error(`rolldown made ${output.length} files of ${entry}`)
    const [{ code, modules }] = output
    return sizes(
      Buffer.from(code),
      Object.entries(modules).map(([path, { renderedLength }]) => [path, renderedLength] as const)
    )
  }
}

/** The added programs, each measured separately. */
export const programs = ["spine", "tela", "picture", "report"] as const

export type Program = (typeof programs)[number]

/** Modules that a program pays for only if it imports them. The key of the hub's service is in `internal/webhooks/hub.js`. */
export const onlyIfImported =
  /^canvas-runs\/dist\/(?:.*Webhook.*|(?:Batch|Budget|RunStore|tela\/TelaTags)\.js|internal\/(?:(?:budget|runStore)\/.*|webhooks\/(?:proof|route|hmac)\.js)|(?:testing|node|ai|picture|workflow)\/.*)$/

export const measureSizes = async (project: string): Promise<ReadonlyArray<Added>> => {
  const directory = join(project, "programs")
  mkdirSync(directory, { recursive: true })
  cpSync(join(root, "test/packaging/programs"), directory, { recursive: true })
  const entry = (names: ReadonlyArray<string>): string => {
    const file = join(directory, `entry-${names.join("-")}.ts`)
    writeFileSync(
      file,
      [
        `import * as Effect from "effect/Effect"`,
        ...names.map((name) => `import { program as ${name} } from "./${name}.ts"`),
        `Effect.runPromise(Effect.all([${names.join(", ")}]))`
      ].join("\n")
    )
    return file
  }
  const measured: Array<Added> = []
  for (const bundler of ["esbuild", "rolldown"] as const) {
    const before = await bundlers[bundler](entry(["app"]))
    for (const program of programs) {
      const after = await bundlers[bundler](entry(["app", program]))
      measured.push({
        bundler,
        program,
        min: after.min - before.min,
        gzip: after.gzip - before.gzip,
        modules: [...after.modules]
          .map(([module, bytes]) => [module, bytes - (before.modules.get(module) ?? 0)] as const)
          .filter(([, bytes]) => bytes !== 0)
          .toSorted(([, a], [, b]) => b - a)
      })
    }
  }
  return measured
}
