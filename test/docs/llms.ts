/**
 * `npm run llms`: writes `llms.txt`, the index of the documentation for language models (llmstxt.org), from the README, the guides and the
 * module documentation.
 */
import { globSync, readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../", import.meta.url))
const read = (file: string) => readFileSync(root + file, "utf8")

/** The first paragraph of a module's documentation, on one line. */
const summaryOf = (file: string): string => {
  const [, comment] = /^\/\*\*([\s\S]*?)\*\//.exec(read(file)) ?? []
  if (comment === undefined) throw new Error(`${file} does not begin with module documentation`)
  const [paragraph] = comment.split("\n").map((line) => line.replace(/^\s*\* ?/, "")).join("\n").trim().split("\n\n")
  return paragraph!.replaceAll(/\s+/g, " ").replaceAll(/\{@link ([^}]+)\}/g, "`$1`")
}

/** The paragraph after the title of the README. */
const introduction = () => read("README.md").split("\n\n")[1]!.replaceAll(/\s+/g, " ")

const guides = () =>
  [...read("docs/README.md").matchAll(/^\| \[(.+?)\]\((\S+)\) \| (.+) \|$/gm)].map(([, title, file, questions]) =>
    `- [${title}](docs/${file}): ${questions}`
  )

/** The modules of these folders. */
const modules = (...patterns: ReadonlyArray<string>) =>
  patterns.flatMap((pattern) => globSync(pattern, { cwd: root }).toSorted())
    .filter((file) => !file.endsWith("/index.ts"))
    .map((file) => `- [${file.slice("src/".length, -".ts".length)}](${file}): ${summaryOf(file)}`)

/** The expected content of `llms.txt`. */
export const llms = (): string =>
  [
    "# canvas-runs",
    `> ${introduction()}`,
    "[AGENTS.md](AGENTS.md) has the rules for coding agents, [README.md](README.md) recipes, and [examples](examples) whole programs. " +
    "It needs Effect 4.1 (`npm install canvas-runs effect`).",
    "## Guides",
    guides().join("\n"),
    "## Modules of the kernel",
    modules("src/*.ts").join("\n"),
    "## Modules of Spine, Tela and Node",
    modules("src/spine/*.ts", "src/tela/*.ts", "src/node/*.ts").join("\n"),
    "## Modules of tools for agents",
    modules("src/ai/*.ts").join("\n"),
    "## Modules of pictures",
    modules("src/picture/*.ts").join("\n"),
    "## Modules of the test kit",
    modules("src/testing/*.ts").join("\n"),
    "## Optional",
    "- [Changelog](CHANGELOG.md): what changed, and which versions are supported\n" +
    "- [Contributing](CONTRIBUTING.md): commands, layout, how to add a provider or an error"
  ].join("\n\n") + "\n"

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(`${root}llms.txt`, llms())
  console.log("wrote llms.txt")
}
