import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Redacted } from "effect"
import { HttpClient } from "effect/http"
import { Spine } from "canvas-runs"
import * as FileName from "../../../src/internal/files/fileName.ts"
import { makeStore } from "../../support/fileStore.ts"

describe("E2: names of files", () => {
  for (
    const name of [
      "COM¹.txt",
      "com².tar.gz",
      "LPT³",
      "con .txt",
      "CONIN$",
      "conout$.log",
      "CLOCK$",
      "clock$ .txt",
      "nul",
      "Aux.x",
      "COM0"
    ]
  ) {
    it(`E2: ${JSON.stringify(name)} is a Windows device, and is renamed`, () => {
      const safe = FileName.writable(name, "artifact")
      assert.strictEqual(safe, `_${name}`)
      assert.strictEqual(FileName.writable(safe, "artifact"), safe)
    })
  }

  for (const name of ["console.txt", "com10.txt", "contract.pdf", "CONIN.txt", "COM⁴.txt"]) {
    it(`E2: ${JSON.stringify(name)} is not a Windows device`, () =>
      assert.strictEqual(FileName.writable(name, "artifact"), name))
  }

  for (
    const [what, names] of [
      ["composed and decomposed characters", ["R\u00e9sum\u00e9.pdf", "Re\u0301sume\u0301.pdf"]],
      ["sharp s", ["Straße.docx", "STRASSE.docx", "strasse.docx"]],
      ["a ligature", ["of\ufb01ce.txt", "OFFICE.txt"]],
      ["a final sigma", ["ΟΔΟΣ.txt", "οδος.txt", "οδοσ.txt"]],
      ["the Kelvin sign", ["\u212a.txt", "k.txt"]],
      ["another folder", ["a/x.txt", "b\\x.txt", "X.TXT"]],
      ["a number that is taken", ["x.txt", "x-2.txt", "x.txt", "x-2.txt", "x.txt"]],
      ["a name of a device", ["con.txt", "_con.txt", "CON.txt"]],
      ["no name", ["", "..", "artifact"]],
      ["long names", Array.from({ length: 5 }, () => `${"é".repeat(150)}.pdf`)],
      ["a long extension", Array.from({ length: 25 }, () => `a.${"x".repeat(198)}`)],
      ["a long extension of wide characters", Array.from({ length: 25 }, () => `a.${"報".repeat(18)}`)],
      ["long names with another beginning", Array.from({ length: 20 }, (_, n) => `${n % 10}${"x".repeat(199)}`)]
    ] as const
  ) {
    it(`E2: names that are equal because of ${what} are made distinct`, () => {
      const made = FileName.distinct(names, "artifact")
      const keys = made.map((name) => name.normalize("NFD").toUpperCase().toLowerCase().normalize("NFD"))
      assert.strictEqual(new Set(keys).size, names.length, made.join(", "))
      for (const name of made) {
        assert.strictEqual(FileName.writable(name, "artifact"), name)
        assert.isAtMost(Buffer.byteLength(name), 200)
      }
    })
  }

  it("E2: different names stay unchanged", () => {
    const names = ["a.txt", "b.txt", "a.pdf", "ä.txt", "a"]
    assert.deepStrictEqual(FileName.distinct(names, "artifact"), names)
  })
})

describe("C11: many equal names", () => {
  const artifacts = Array.from({ length: 50 }, (_, n): Spine.Artifact => ({
    id: String(n),
    type: "txt",
    name: "report.txt",
    download_url: `https://files.example/${n}`,
    size_bytes: 1
  }))

  it("C11: 20,000 of them take linear time", () => {
    for (const name of ["report.txt", `${"x".repeat(300)}.txt`]) {
      const made = FileName.distinct(Array<string>(20_000).fill(name), "artifact")
      assert.strictEqual(new Set(made).size, 20_000)
    }
    const pairs = Array.from({ length: 10_000 }, (_, n) => `${n % 5000}-${"x".repeat(197)}`)
    assert.strictEqual(new Set(FileName.distinct(pairs, "artifact")).size, 10_000)
  }, 20_000)

  it.live("C11: toDirectory does nothing before it runs", () =>
    Effect.scoped(Effect.gen(function*() {
      let reads = 0
      const run = {
        run_id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11",
        result: {
          get artifacts() {
            reads++
            return artifacts
          }
        }
      } as unknown as Spine.CompletedRun
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped()
      const spine = yield* Spine.SpineClient
      const write = spine.artifacts.toDirectory(run, directory)
      assert.strictEqual(reads, 0)
      yield* write
      assert.strictEqual((yield* fs.readDirectory(directory)).length, 50)
    })).pipe(
      Effect.provide(Layer.orDie(Spine.layer({ apiKey: Redacted.make("sk_planted") }))),
      Effect.provideService(HttpClient.HttpClient, makeStore(() => ({ body: "x" })).client),
      Effect.provide(NodeFileSystem.layer)
    ))
})
