import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Schema, Stream } from "effect"
import { FileInput, RunError } from "canvas-runs"
import { bytes } from "./support/bytes.ts"

const normalize = (input: FileInput.FileInput, index = 1) => FileInput.normalize("test", input, index)

const described = (input: FileInput.FileInput, index?: number) =>
  Effect.map(normalize(input, index), ({ contentType, filename, size }) => [filename, contentType, size] as const)

const read = (data: FileInput.UploadFile["data"]): Effect.Effect<Uint8Array, RunError.FileInputError> =>
  data instanceof Uint8Array
    ? Effect.succeed(data)
    : data instanceof Blob
    ? Effect.promise(async () => new Uint8Array(await data.arrayBuffer()))
    : Stream.mkUint8Array(data)

describe("names and content types", () => {
  it.effect("a name and a type of the caller have priority over those of the file", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* described({
          data: new Blob(["x"], { type: "text/html" }),
          filename: "a.pdf",
          contentType: "text/x-mine; charset=utf-8"
        }),
        ["a.pdf", "text/x-mine; charset=utf-8", 1]
      )
      assert.deepStrictEqual(yield* described({ data: new Blob(["x"], { type: "text/html" }), filename: "a.pdf" }), [
        "a.pdf",
        "text/html",
        1
      ])
    }))

  it.effect("a File keeps its name, and gets a type by its extension if it has none", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* described(new File(["x"], "Table.XLSX")), [
        "Table.XLSX",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        1
      ])
    }))

  const sniffed: ReadonlyArray<readonly [string, Uint8Array, extension: string]> = [
    ["image/png", new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), ".png"],
    ["image/jpeg", new Uint8Array([0xff, 0xd8, 0xff, 0xe0]), ".jpg"],
    ["image/gif", bytes("GIF89a"), ".gif"],
    ["image/webp", bytes("RIFF0000WEBPVP8 "), ".webp"],
    ["application/pdf", bytes("%PDF-1.7"), ".pdf"],
    ["application/zip", bytes("PK\u0003\u0004"), ".zip"],
    ["image/svg+xml", bytes("<svg xmlns=\"…\">"), ".svg"],
    ["text/plain", bytes("Grüße aus dem Text"), ".txt"],
    ["application/octet-stream", new Uint8Array([0, 1, 2, 255]), ""]
  ]
  for (const [type, data, extension] of sniffed) {
    it.effect(`the first bytes identify ${type}, which gives the extension of a file without a name`, () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* described(data, 3), [`file-3${extension}`, type, data.length])
        assert.deepStrictEqual(yield* described(new Blob([data as BlobPart]), 3), [
          `file-3${extension}`,
          type,
          data.length
        ])
        assert.deepStrictEqual(yield* described({ data: data.slice().buffer, filename: "unknown.ending" }), [
          "unknown.ending",
          type,
          data.length
        ])
      }))
  }

  it.effect("a stream is not read to find its type", () =>
    Effect.gen(function*() {
      const data = Stream.die("it was read")
      assert.deepStrictEqual(yield* described({ data, size: 3, filename: "a.csv" }), ["a.csv", "text/csv", 3])
      assert.deepStrictEqual(yield* described({ data, size: 3, filename: "a" }), ["a", "application/octet-stream", 3])
    }))

  it.effect("bytes that end within a character are still recognised as text", () =>
    Effect.gen(function*() {
      const [, type] = yield* described(bytes("a" + "é".repeat(400)))
      assert.strictEqual(type, "text/plain")
    }))

  for (
    const [name, expected] of [
      ["../../etc/passwd", "passwd"],
      ["C:\\Users\\me\\notes.md", "notes.md"],
      ["a\r\nX-Evil: 1.txt", "aX-Evil: 1.txt"],
      ["über \"uns\".txt", "über \"uns\".txt"],
      ["/", "file-1.txt"],
      ["\u0000", "file-1.txt"],
      [`${"x".repeat(400)}.txt`, `${"x".repeat(196)}.txt`]
    ] as const
  ) {
    it.effect(`${JSON.stringify(name).slice(0, 40)} is sent as ${JSON.stringify(expected).slice(0, 40)}`, () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* normalize({ data: bytes("x"), filename: name })).filename, expected)
      }))
  }

  it.effect.prop(
    "a name is sent without characters that could end a header, and a type only if it is a media type",
    [Schema.String, Schema.String],
    ([filename, contentType]) =>
      Effect.gen(function*() {
        const result = yield* Effect.result(normalize({ data: bytes("x"), filename, contentType }))
        if (result._tag === "Success") {
          // oxlint-disable-next-line no-control-regex -- the test looks for control characters
          assert.notMatch(result.success.filename, /[\u0000-\u001f\u007f/\\]/)
          assert.isAbove(result.success.filename.length, 0)
          assert.match(result.success.contentType, /^[^\s/]+\/[^\r\n/]+$/)
        } else {
          assert.strictEqual(result.failure._tag, "BadRequestError")
        }
      })
  )
})

describe("fromPath", () => {
  it.effect("reads a file of any size while it is sent", () =>
    Effect.scoped(Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const path = `${yield* fs.makeTempDirectoryScoped()}/data.json`
      const content = bytes(JSON.stringify({ text: "x".repeat(1_000_000) }))
      yield* fs.writeFile(path, content)
      const file = yield* FileInput.fromPath(path)
      const upload = yield* normalize(file)
      assert.deepStrictEqual([upload.filename, upload.contentType, upload.size], [
        "data.json",
        "application/json",
        content.length
      ])
      assert.deepStrictEqual(yield* read(upload.data), content)
    })).pipe(Effect.provide(NodeFileSystem.layer)))

  it.effect("names a file that does not exist, and a path that is not a file", () =>
    Effect.gen(function*() {
      const missing = yield* Effect.flip(FileInput.fromPath("/nowhere/paper.pdf"))
      assert.instanceOf(missing, RunError.FileInputError)
      assert.strictEqual(missing.reason, "read")
      assert.include(missing.message, "paper.pdf")
      const folder = yield* Effect.flip(FileInput.fromPath("/tmp", { filename: "x" }))
      assert.include(folder.message, "directory")
      const slash = yield* Effect.flip(FileInput.fromPath("/tmp/"))
      assert.include(slash.message, "/tmp/ could not be read (/tmp/ is not a file but a directory)")
    }).pipe(Effect.provide(NodeFileSystem.layer)))

  it.effect("names a value that is not a path", () =>
    Effect.gen(function*() {
      for (
        const [path, says] of [
          ["", "its path is \"\"; it must be text"],
          [undefined, "its path is undefined; it must be text"],
          [new URL("file:///a.txt"), "its path is an object; it must be text"],
          [new Uint8Array(1), "its path is an object; it must be text"]
        ] as const
      ) {
        const error = yield* Effect.flip(FileInput.fromPath(path as string))
        assert.instanceOf(error, RunError.FileInputError)
        assert.include(error.message, `the file could not be read (${says} that is not empty)`)
      }
    }).pipe(Effect.provide(NodeFileSystem.layer)))
})
