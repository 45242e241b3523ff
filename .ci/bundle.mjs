/**
 * Bundles the command into one file: `node --conditions=canvas-runs:source .ci/bundle.mjs [FILE]`.
 *
 * Node spends most of the start of a command on code that it does not use: it parses all of a file, and loads each module of Node that
 * the file imports. The chunks of the bundle are therefore texts in the file, which Node compiles when they are first required, and the
 * texts of `--help` and `--version` need no chunk at all.
 */
import { build, transform } from "esbuild"
import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { basename, dirname } from "node:path"
import { readyTexts } from "../src/cli/readyTexts.ts"

const file = process.argv[2] ?? "dist/bin.cjs"
const options = { minify: true, platform: "node", target: "node20.3", logLevel: "warning" }

const { outputFiles } = await build({
  ...options,
  entryPoints: ["src/cli/process.ts"],
  outdir: "chunks",
  bundle: true,
  splitting: true,
  format: "esm",
  write: false
})

const chunks = {}
for (const { path, text } of outputFiles) {
  // An `import()` becomes a `require`, which the loader in `bin.ts` answers
  const { code } = await transform(text, {
    ...options,
    format: "cjs",
    supported: { "dynamic-import": false },
    logOverride: { "empty-import-meta": "silent" }
  })
  chunks[`./${basename(path)}`] = code
}

const { outputFiles: [entry] } = await build({
  ...options,
  entryPoints: ["src/cli/bin.ts"],
  bundle: true,
  format: "cjs",
  write: false,
  banner: { js: "#!/usr/bin/env node" },
  define: { bundledTexts: JSON.stringify(await readyTexts()), bundledChunks: JSON.stringify(chunks) }
})
mkdirSync(dirname(file), { recursive: true })
writeFileSync(file, entry.contents)
chmodSync(file, 0o755)
