/** Loads Node's `fetch` before any test file: the package `undici` replaces its dispatcher if the package is loaded first. */
await fetch("data:,loaded")
