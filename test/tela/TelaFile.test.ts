import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Redacted, Stream } from "effect"
import { RunError, Tela } from "canvas-runs"
import { Fault, TelaEmulator } from "canvas-runs/testing"
import { failure, finish, success } from "../support/results.ts"
import { scripted } from "../support/tela.ts"
import { bytes } from "../support/bytes.ts"

const apiKey = "tela_planted_secret_0002"

const live = Layer.orDie(Tela.layer({ apiKey: Redacted.make(apiKey) })).pipe(
  Layer.provideMerge(TelaEmulator.layerTest()),
  Layer.provideMerge(NodeFileSystem.layer)
)

const execute = (variables: Tela.Variables) =>
  Effect.gen(function*() {
    const tela = yield* Tela.TelaClient
    const emulator = yield* TelaEmulator.TelaEmulator
    const exit = yield* finish(tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" }).execute(variables))
    return { exit, emulator, sent: (yield* emulator.runs).at(-1)?.request.variables }
  })

const onUpload = (fault: Fault.Fault) => fault.pipe(Fault.on("PUT", /./))

describe("files in variables", () => {
  it.effect("links are sent unchanged, with their options", () =>
    Effect.gen(function*() {
      const { emulator, exit, sent } = yield* execute({
        a: Tela.file("https://example.com/a.pdf", { range: [0, 3], parserType: "tela-pdf-parser" }),
        b: Tela.file(new URL("https://example.com/b.pdf")),
        c: Tela.file("data:text/plain;base64,YQ==")
      })
      success(exit)
      assert.deepStrictEqual(sent, {
        a: { file_url: "https://example.com/a.pdf", options: { range: [0, 3], parserType: "tela-pdf-parser" } },
        b: { file_url: "https://example.com/b.pdf" },
        c: { file_url: "data:text/plain;base64,YQ==" }
      })
      assert.strictEqual((yield* emulator.requests).length, 1)
    }).pipe(Effect.provide(live)))

  it.effect("bytes, Blobs, Files and streams are found at any depth and uploaded before the execution", () =>
    Effect.gen(function*() {
      const { emulator, exit, sent } = yield* execute({
        one: Tela.file(bytes("one"), { name: "one.txt" }),
        list: [Tela.file({ data: bytes("two"), filename: "two.csv" }), "text", {
          deep: [Tela.file({ data: Stream.make(bytes("th"), bytes("ree")), size: 5, filename: "three.pdf" })]
        }],
        keep: { snake_case: null, n: 1, yes: true }
      })
      success(exit)
      const files = yield* emulator.files
      assert.deepStrictEqual(
        files.map(({ bytes, contentType, name, via }) => [name, contentType, new TextDecoder().decode(bytes), via])
          .sort(),
        [["one.txt", "text/plain", "one", "v3"], ["three.pdf", "application/pdf", "three", "v3"], [
          "two.csv",
          "text/csv",
          "two",
          "v3"
        ]]
      )
      const vault = (name: string) => ({ file_url: `vault://${files.find((file) => file.name === name)!.id}` })
      assert.deepStrictEqual(sent, {
        one: vault("one.txt"),
        list: [vault("two.csv"), "text", { deep: [vault("three.pdf")] }],
        keep: { snake_case: null, n: 1, yes: true }
      })
      assert.strictEqual((yield* emulator.requests).at(-1)!.path, "/v2/chat/completions")
    }).pipe(Effect.provide(live)))

  it.effect("promise 11: no credential goes to the address that the bytes are sent to", () =>
    Effect.gen(function*() {
      const { emulator, exit } = yield* execute({ a: Tela.file(bytes("one")) })
      success(exit)
      const put = (yield* emulator.requests).find(({ method }) => method === "PUT")!
      assert.notInclude(JSON.stringify(put.headers), apiKey)
    }).pipe(Effect.provide(live)))

  it.effect("the same file is uploaded once, even if it is in several places", () =>
    Effect.gen(function*() {
      const file = Tela.file(bytes("one"))
      const { emulator, exit, sent } = yield* execute({ a: file, b: [file, { c: file }] })
      success(exit)
      assert.strictEqual((yield* emulator.files).length, 1)
      const reference = sent!["a"]
      assert.deepStrictEqual(sent, { a: reference, b: [reference, { c: reference }] })
    }).pipe(Effect.provide(live)))

  it.live("Blobs, Files and files on disk are sent as they are read", () =>
    Effect.scoped(Effect.gen(function*() {
      const tela = yield* Tela.TelaClient
      const emulator = yield* TelaEmulator.TelaEmulator
      const fs = yield* FileSystem.FileSystem
      const path = `${yield* fs.makeTempDirectoryScoped()}/paper.pdf`
      yield* fs.writeFileString(path, "%PDF-1.7")
      yield* tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" }).execute({
        blob: Tela.file(new Blob(["blob"], { type: "text/csv" })),
        file: Tela.file(new File(["file"], "notes.md")),
        path: yield* Tela.fileFromPath(path, { range: [0, 0] })
      })
      assert.deepStrictEqual(
        (yield* emulator.files).map((
          { bytes, contentType, name }
        ) => [name, contentType, new TextDecoder().decode(bytes)]).sort(),
        [["file-1.csv", "text/csv", "blob"], ["notes.md", "text/markdown", "file"], [
          "paper.pdf",
          "application/pdf",
          "%PDF-1.7"
        ]]
      )
    })).pipe(Effect.provide(live)))

  const circular: Record<string, unknown> = {}
  circular["self"] = { again: circular }
  for (
    const [name, variables, parameter] of [
      ["an empty file", { a: [Tela.file(new Uint8Array(0))] }, "variables.a[0]"],
      ["a path instead of a link", { a: Tela.file("./paper.pdf") }, "variables.a"],
      ["a link of another kind", { a: Tela.file("file:///etc/passwd") }, "variables.a"],
      [
        "a range that runs backwards",
        { a: { b: Tela.file("https://x.example/", { range: [3, 1] }) } },
        "variables.a.b"
      ],
      ["plain bytes", { a: { b: new Uint8Array(3) } }, "variables.a.b"],
      ["a plain Blob", { a: new Blob(["x"]) }, "variables.a"],
      ["variables that contain themselves", circular, "variables.self.again.self"]
    ] as const
  ) {
    it.effect(`are rejected with their place, before any request: ${name}`, () =>
      Effect.gen(function*() {
        const { emulator, exit } = yield* execute({ fine: Tela.file(bytes("fine")), ...variables })
        const error = failure(exit)
        assert.instanceOf(error, RunError.BadRequestError)
        assert.strictEqual(error.parameter, parameter)
        assert.isFalse(error.sent)
        assert.deepStrictEqual(yield* emulator.requests, [])
      }).pipe(Effect.provide(live)))
  }

  it.effect("an upload with a transient failure is repeated", () =>
    Effect.gen(function*() {
      const emulator = yield* TelaEmulator.TelaEmulator
      yield* emulator.fault(onUpload(Fault.status(503)), onUpload(Fault.drop))
      success((yield* execute({ a: Tela.file(bytes("one")) })).exit)
    }).pipe(Effect.provide(live)))

  it.effect("a failed upload names the variable, and nothing is executed", () =>
    Effect.gen(function*() {
      const emulator = yield* TelaEmulator.TelaEmulator
      yield* emulator.fault(onUpload(Fault.status(403)))
      const { exit } = yield* execute({ invoices: [{ scan: Tela.file(bytes("one"), { name: "scan.png" }) }] })
      const error = failure(exit)
      assert.instanceOf(error, RunError.FileInputError)
      assert.strictEqual(error.variable, "invoices[0].scan")
      assert.strictEqual(error.reason, "upload")
      assert.strictEqual(error.status, 403)
      assert.include(error.message, "invoices[0].scan")
      assert.deepStrictEqual(yield* emulator.runs, [])
    }).pipe(Effect.provide(live)))

  it.effect("a stream that breaks, or differs from its announced length, is a FileInputError that names the variable", () =>
    Effect.gen(function*() {
      for (
        const [data, reason] of [
          [Stream.fail(new Error("disk on fire")), "read"],
          [Stream.make(bytes("too long")), "size"]
        ] as const
      ) {
        const { emulator, exit } = yield* execute({ a: [Tela.file({ data, size: 3, filename: "a.txt" })] })
        const error = failure(exit)
        assert.instanceOf(error, RunError.FileInputError)
        assert.strictEqual(error.reason, reason)
        assert.strictEqual(error.variable, "a[0]")
        assert.deepStrictEqual(yield* emulator.runs, [])
      }
    }).pipe(Effect.provide(live)))

  it.effect("at most four files are uploaded at once", () =>
    Effect.gen(function*() {
      const emulator = yield* TelaEmulator.TelaEmulator
      yield* emulator.fault(onUpload(Fault.delay("10 seconds")).pipe(Fault.times(10)))
      success((yield* execute({ all: Array.from({ length: 10 }, (_, n) => Tela.file(bytes(`${n}`))) })).exit)
      const puts = (yield* emulator.requests).filter(({ method }) => method === "PUT").map(({ receivedAt }) =>
        receivedAt
      )
      assert.deepStrictEqual(puts, [0, 0, 0, 0, 10_000, 10_000, 10_000, 10_000, 20_000, 20_000])
    }).pipe(Effect.provide(live)))
})

describe("variables that are not an object of variables", () => {
  const file = Tela.file("https://example.com/a.pdf")
  class Written {
    readonly n = 1
    toJSON(): unknown {
      return "n"
    }
  }
  class Token {
    readonly #value = 1
    value(): number {
      return this.#value
    }
  }
  const notVariables: ReadonlyArray<readonly [name: string, variables: object]> = [
    ["a file", file],
    ["an Effect", Effect.succeed({ a: 1 })],
    ["a stream", Stream.make({ a: 1 })],
    ["a Redacted", Redacted.make({ a: 1 })],
    ["bytes", bytes("a")],
    ["a URL, which is written as text", new URL("https://example.com")],
    ["an object that is written as text", new Written()],
    ["an object that is written as nothing", { toJSON: () => undefined }],
    ["a boxed text", Object("text")],
    ["a Map", new Map([["a", 1]])],
    ["an Error", new Error("a")],
    ["an instance without own members", new Token()]
  ]
  for (const [name, variables] of notVariables) {
    it.effect(`${name} is rejected before any request, also in a task`, () =>
      Effect.gen(function*() {
        const { emulator, exit } = yield* execute(variables as Tela.Variables)
        const tela = yield* Tela.TelaClient
        const task = yield* Effect.flip(
          tela.tasks.create("app", [{ name: "A", variables: { a: 1 } }, { name: "B", variables }])
        )
        for (const [error, parameter] of [[failure(exit), "variables"], [task, "tasks[1].variables"]] as const) {
          assert.instanceOf(error, RunError.BadRequestError)
          assert.deepInclude(error, { parameter, sent: false })
        }
        assert.deepStrictEqual(yield* emulator.requests, [])
      }).pipe(Effect.provide(live)))
  }

  it.effect("a Redacted is rejected at any place, and its value is in no message", () =>
    Effect.gen(function*() {
      const secret = Redacted.make("planted-secret-7", { label: "token" })
      const values: ReadonlyArray<readonly [object, string]> = [
        [{ a: secret }, "variables.a"],
        [{ list: [1, { deep: [secret] }] }, "variables.list[1].deep[0]"],
        [{ made: { toJSON: () => ({ inner: secret }) } }, "variables.made.inner"]
      ]
      for (const [variables, parameter] of values) {
        const { emulator, exit } = yield* execute(variables as Tela.Variables)
        const error = failure(exit)
        assert.deepInclude(error, { _tag: "BadRequestError", parameter })
        assert.match(error.message, /is a Redacted.*Redacted\.value/)
        assert.notInclude(String(error), "planted-secret-7")
        assert.deepStrictEqual(yield* emulator.requests, [])
      }
    }).pipe(Effect.provide(live)))

  it.effect("an instance is sent as its members, and a toJSON that returns undefined omits its member", () =>
    Effect.gen(function*() {
      class Invoice {
        readonly total = 4
        readonly due = new Date(0)
        readonly draft = { toJSON: () => undefined }
      }
      const { exit, sent } = yield* execute(new Invoice() as unknown as Tela.Variables)
      success(exit)
      assert.deepStrictEqual(sent, { total: 4, due: "1970-01-01T00:00:00.000Z" })
    }).pipe(Effect.provide(live)))
})

describe("ids of uploads", () => {
  for (const id of ["a/../b?x", "../b", "a b", "a%2fb", "..", ""]) {
    it.effect(`the id ${JSON.stringify(id)} does not become a reference`, () =>
      Effect.gen(function*() {
        const tela = yield* Tela.TelaClient
        const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
        const error = yield* Effect.flip(canvas.execute({ a: Tela.file(bytes("a"), { name: "a.txt" }) }))
        assert.strictEqual(error._tag, "InvalidResponseError")
        assert.include(error.message, "an id that fits into a path")
      }).pipe(Effect.provide(scripted(({ pathname }) => {
        assert.strictEqual(pathname, "/v3/files")
        return { id, uploadUrl: "https://files.example/put" }
      }))))
  }
})
