/**
 * The entry of the bundled command `canvas-runs`, which is one file.
 *
 * It loads nothing for `--help` and `--version`, whose texts are ready, and for other calls only the chunks that they use.
 */

/** The texts that calls print, by their arguments. */
declare const bundledTexts: { readonly [args: string]: string }

/** The code of the chunks, by the names with which they require each other. `process.ts` is the first. */
declare const bundledChunks: { readonly [name: string]: string }

const loaded: { [name: string]: { readonly exports: unknown } } = {}

/** Requires a chunk, or a module of Node. */
const load = (name: string): unknown => {
  const code = bundledChunks[name]
  if (code === undefined) return require(name)
  if (loaded[name] === undefined) {
    const chunk = loaded[name] = { exports: {} }
    // oxlint-disable-next-line no-new-func -- code of this file
    const run = new Function("require", "module", "exports", "__filename", `${code}\n//# sourceURL=canvas-runs/${name}`)
    run(load, chunk, chunk.exports, __filename)
  }
  return loaded[name]!.exports
}

const hasColors = process.stdout.isTTY || "FORCE_COLOR" in process.env
const text = hasColors ? undefined : bundledTexts[process.argv.slice(2).join(" ")]

if (text === undefined) load("./process.js")
else {
  process.stdout.on("error", () => process.exit(141))
  process.stdout.write(text)
}
