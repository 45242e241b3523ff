import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import { type HttpBody } from "effect/http"
import * as Multipart from "../../../src/spine/internal/multipart.ts"

/** The body as a server reads it, with the platform's parser. */
const parse = (body: HttpBody.HttpBody): Effect.Effect<FormData> =>
  Effect.gen(function*() {
    if (body._tag === "Empty") return yield* Effect.die("empty body")
    const bytes = body._tag === "Stream"
      ? yield* Effect.orDie(Stream.mkUint8Array(body.stream))
      : body._tag === "Uint8Array"
      ? body.body
      : body._tag === "Raw"
      ? yield* Effect.promise(async () => new Uint8Array(await (body.body as Blob).arrayBuffer()))
      : yield* Effect.die("unexpected body")
    assert.strictEqual(body.contentLength, bytes.length, "the announced length is the actual one")
    return yield* Effect.promise(() =>
      new Response(bytes as BodyInit, { headers: { "content-type": body.contentType! } }).formData()
    )
  })

const encode = (parts: ReadonlyArray<Multipart.Part>) =>
  Multipart.body(parts, { filename: undefined, error: undefined })

const file = (
  data: Uint8Array | Blob | Stream.Stream<Uint8Array, never>,
  size: number,
  filename = "a.bin"
): Multipart.Part => ({
  name: "files",
  file: { filename, contentType: "application/octet-stream", size, data }
})

/** UTF-8 has no lone surrogates. */
const wellFormed = (text: string) =>
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(new TextEncoder().encode(text))

const read = (value: unknown) => Effect.promise(async () => new Uint8Array(await (value as File).arrayBuffer()))

describe("multipart bodies", () => {
  it.effect.prop(
    "a form is read back unchanged",
    [
      Schema.Array(Schema.Struct({ name: Schema.Literals(["prompt", "blocks"]), value: Schema.String })),
      Schema.Array(Schema.Uint8Array)
    ],
    ([fields, files]) =>
      Effect.gen(function*() {
        const texts = fields.map(({ name, value }) => ({ name, value: wellFormed(value) }))
        const form = yield* parse(yield* encode([...texts, ...files.map((data) => file(data, data.length))]))
        for (const name of ["prompt", "blocks"]) {
          assert.deepStrictEqual(
            form.getAll(name),
            texts.filter((field) => field.name === name).map(({ value }) => value)
          )
        }
        const received = form.getAll("files")
        assert.strictEqual(received.length, files.length)
        for (const [index, data] of files.entries()) {
          assert.deepStrictEqual(yield* read(received[index]), new Uint8Array(data))
        }
      })
  )

  it.effect("file names with quotes, umlauts and percent signs arrive unchanged", () =>
    Effect.gen(function*() {
      for (const name of ["über uns.txt", "100%.txt", "日本語.pdf", "a;b=c.txt"]) {
        const form = yield* parse(yield* encode([file(new Uint8Array(1), 1, name)]))
        assert.strictEqual((form.get("files") as File).name, name)
      }
      const form = yield* parse(yield* encode([file(new Uint8Array(1), 1, "say \"hi\".txt")]))
      assert.include(["say \"hi\".txt", "say %22hi%22.txt"], (form.get("files") as File).name)
    }))

  it.effect("a form of small bytes is one piece, of large ones a Blob, and of a stream a stream", () =>
    Effect.gen(function*() {
      const small = yield* encode([file(new Uint8Array(1000), 1000)])
      assert.strictEqual(small._tag, "Uint8Array")
      const large = yield* encode([file(new Uint8Array(1_000_000), 1_000_000)])
      assert.strictEqual(large._tag, "Raw")
      assert.strictEqual((yield* read((yield* parse(large)).get("files"))).length, 1_000_000)
      const blob = yield* encode([file(new Blob(["abc"]), 3)])
      assert.strictEqual(blob._tag, "Raw")
      const stream = yield* encode([
        file(Stream.make(new Uint8Array([1]), new Uint8Array([2])), 2),
        file(new Blob(["abc"]), 3)
      ])
      assert.strictEqual(stream._tag, "Stream")
      const form = yield* parse(stream)
      assert.deepStrictEqual(
        yield* Effect.forEach(form.getAll("files"), read),
        [new Uint8Array([1, 2]), new TextEncoder().encode("abc")]
      )
    }))

  it.effect("two bodies have different boundaries", () =>
    Effect.gen(function*() {
      const types = yield* Effect.forEach(Array.from({ length: 100 }), () =>
        Effect.map(encode([]), (body) => body._tag === "Uint8Array" ? body.contentType : ""))
      assert.strictEqual(new Set(types).size, 100)
    }))
})
