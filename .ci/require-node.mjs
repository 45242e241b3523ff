// Runs before every script: an older Node fails later, with errors that do not name the reason.
const major = Number(process.versions.node.split(".")[0])
if (major < 22) {
  process.stderr.write(
    `canvas-runs is developed on Node 24, and this is Node ${process.versions.node}.\n` +
      "Run `npm ci` with install scripts allowed: it brings Node 24 as a dev dependency, which `npm run` then uses.\n"
  )
  process.exit(1)
}
