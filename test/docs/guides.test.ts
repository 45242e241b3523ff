/** The text of the guides. `docs.test.ts` runs their code blocks. */
import { assert, describe, it } from "@effect/vitest"
import { existsSync, globSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { spineAssumptions, telaAssumptions } from "../live/assumptions.ts"
import { Progress } from "canvas-runs/picture"
import { llms } from "./llms.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))
const read = (file: string) => readFileSync(root + file, "utf8")
const guides = globSync("docs/*.md", { cwd: root }).sort()

/** The anchor that GitHub makes from a heading. */
const anchorOf = (heading: string) =>
  heading.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").trim().replaceAll(" ", "-")
const anchorsOf = (file: string) => [...read(file).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) => anchorOf(heading!))

describe("the README", () => {
  it("shows the live view exactly as the demo draws it", () => {
    const [, picture] = /\n```\n(report  [\s\S]*?)\n```\n/.exec(read("README.md"))!
    const lines = picture!.split("\n")
    assert.isAtLeast(lines.length, 5)
    const runs = lines.map((line): Progress.Run => {
      const { completed, name, note, seconds, status, total } =
        /^(?<name>\w+) +[█░]+ +(?<status>\w+) +(?:(?<completed>\d+)\/(?<total>\d+) tasks)? +(?<seconds>[\d.]+) s(?:  (?<note>.+))?$/
          .exec(line)!.groups!
      return {
        name: name!,
        status: status!,
        progress: total === undefined ? undefined : { completed: Number(completed), total: Number(total) },
        unit: "tasks",
        startedAt: 0,
        endedAt: Number(seconds) * 1000,
        note
      }
    })
    assert.deepStrictEqual(lines, Progress.rows(runs, { columns: 120, now: 0 }))
  })
})

describe("the guides", () => {
  it("are all in the index", () => {
    const index = read("docs/README.md")
    assert.isAtLeast(guides.length, 10)
    for (const guide of guides) {
      if (guide !== "docs/README.md") assert.include(index, `](${guide.slice("docs/".length)})`)
    }
  })

  it("link to files and headings that exist", () => {
    const others = ["README.md", "AGENTS.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "llms.txt"]
    for (const guide of [...guides, ...others]) {
      for (const [, target] of read(guide).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
        const [path, anchor] = target!.split("#")
        const file = path === "" ? guide : guide.startsWith("docs/") ? `docs/${path}` : path!
        assert.isTrue(existsSync(root + file), `${guide} links to ${target}`)
        if (anchor !== undefined) assert.include(anchorsOf(file), anchor, `${guide} links to ${target}`)
      }
    }
  })

  it("link to each example, or the README does", () => {
    const texts = ["README.md", ...guides].map(read).join("\n")
    for (const example of globSync("examples/[0-9]*.ts", { cwd: root })) assert.include(texts, `${example})`)
  })

  it("are in llms.txt, which `npm run llms` writes", () => {
    const text = read("llms.txt")
    assert.strictEqual(text, llms())
    for (const guide of guides) if (guide !== "docs/README.md") assert.include(text, `](${guide})`)
  })

  it("quote the example of an own provider unchanged, in at most 80 lines", () => {
    const example = read("examples/28-own-provider.ts")
    assert.include(read("docs/providers.md"), `\`\`\`typescript\n${example}\`\`\``)
    assert.isAtMost(example.trimEnd().split("\n").length, 80)
  })

  describe("name each assumption about the providers", () => {
    const rows = (provider: "Spine" | "Tela") => {
      const [, section] = read("docs/assumptions.md").split(`\n## ${provider}\n`)
      return new Map(
        [...section!.split("\n## ")[0]!.matchAll(/^\| ([A-Z]?\d+) \|(.*)\| (yes|no) \|$/gm)].map(
          ([, mark, cells, live]) => [mark!, { cells: cells!, isLive: live === "yes" }]
        )
      )
    }
    const spine = rows("Spine")
    const tela = rows("Tela")
    const testing = globSync("src/testing/**/*.ts", { cwd: root }).map(read).join("\n")
    const comments = globSync("src/**/*.ts", { cwd: root }).flatMap((file) =>
      read(file).split("\n").flatMap((line) => /^\s*\/?\*+ .*|\/\/ .*/.exec(line) ?? [])
    ).join("\n")
    const cited = (pattern: RegExp) =>
      [...new Set([...comments.matchAll(pattern)].flatMap(([marks]) => marks.match(/[A-Z]?\d+/g)!))].sort()

    it("that the code cites, and no others", () => {
      // The storage service S3 is not a mark
      assert.deepStrictEqual(cited(/\b[RSABFLTWK]\d{1,2}\b(?! (?:and other stores|has))/g), [...spine.keys()].sort())
      assert.deepStrictEqual(cited(/\bassumptions? \d+(?: and \d+)?/gi), [...tela.keys()].sort())
    })

    it("and say which ones `npm run live` checks", () => {
      const live = (all: typeof spine) => [...all].flatMap(([mark, { isLive }]) => isLive ? [mark] : []).sort()
      const checked = (all: typeof spineAssumptions) =>
        all.flatMap(({ mark }) => /^[A-Z]?\d+$/.test(mark) ? [mark] : []).sort()
      assert.deepStrictEqual(live(spine), checked(spineAssumptions))
      assert.deepStrictEqual(live(tela), checked(telaAssumptions))
    })

    it("with switches of the emulators that exist", () => {
      const names = [...spine.values(), ...tela.values()].flatMap(({ cells }) =>
        [...cells.matchAll(/\((?:`\w+`(?:, )?)+/g)].flatMap(([names]) =>
          [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name!)
        )
      )
      assert.isAtLeast(names.length, 15)
      const unknown = names.filter((name) => !new RegExp(`\\b${name}\\b`).test(testing))
      assert.deepStrictEqual(unknown, [])
    })
  })
})
