/**
 * The global dispatchers: one of Node's `fetch`, and one of the package `undici`. `setGlobalDispatcher` of the package replaces both,
 * and setting the old one again does not restore that of Node.
 */
const scope = globalThis as unknown as Record<symbol, unknown>
const keys = ["undici.globalDispatcher.1", "undici.globalDispatcher.2"].map((name) => Symbol.for(name))

/** Returns a function that restores the dispatchers of now. */
export const keepDispatchers = (): () => void => {
  const before = keys.map((key) => scope[key])
  return () => keys.forEach((key, index) => void (scope[key] = before[index]))
}
