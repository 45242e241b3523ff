/** The program on a runtime with a command line: `command.js program|nodeOnly URL EXPECTED`. */
import type { Expected } from "./nodeOnly.ts"

const [module, baseUrl, expected] = process.argv.slice(2) as [string, string, string]

const results = module === "program"
  ? await (await import("./program.ts")).run(baseUrl)
  : await (await import("./nodeOnly.ts")).run(JSON.parse(expected) as Expected, baseUrl)

console.log(JSON.stringify(results))
