/** The message of `canvas-runs/node` on a platform where it cannot work. */
export const message = (here: string): string =>
  `canvas-runs/node needs Node 22.19 or newer, or Deno; ${here}. Use fetch: FetchHttpClient.layer of effect/http, which ` +
  "Spine.layerFetch and Tela.layerFetch bring along."

/** The oldest Node that has the features that undici requires. undici is loaded when it is first used. */
const oldest = [22, 19] as const

/** Throws on a Node that is too old, before undici fails with a message that does not name the reason. */
export const checkNode = (version: string | undefined): void => {
  const [major = 0, minor = 0] = (version ?? "0").split(".").map(Number)
  if (major < oldest[0] || major === oldest[0] && minor < oldest[1]) {
    throw new Error(message(version === undefined ? "this is no Node" : `this is Node ${version}`))
  }
}
