/** Files as arguments of both clients: rejected values, sent bytes, and failures of uploads. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import * as fs from "node:fs"
import { runInNewContext } from "node:vm"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { FileInput, RunError, RunStore, Spine, Tela } from "canvas-runs"
import { onBody, sendJson, serve } from "../support/servers.ts"
import { clients } from "../support/clients.ts"
import { answering, json } from "../support/http.ts"
import { bytes } from "../support/bytes.ts"
import { acceptedRun } from "../support/spine.ts"
import { transports } from "../support/transports.ts"

const runId = "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"

/** Both providers, which accept every request, with the received requests. */
const provider = Effect.gen(function*() {
  const received: Array<{ readonly path: string; readonly body: Buffer }> = []
  const { baseUrl } = yield* serve((request, response) => {
    onBody(request, (body) => {
      received.push({ path: request.url!, body })
      sendJson(
        response,
        request.url === "/v1/run"
          ? acceptedRun(runId)
          : request.url === "/v3/files"
          ? { id: `file-${received.length}`, uploadUrl: `${baseUrl}/store` }
          : { id: runId, status: "created" }
      )
    })
  })
  return { received, baseUrl }
})

const create = (files: unknown) =>
  Effect.flatMap(Spine.SpineClient, (spine) => spine.runs.create({ prompt: "x", files: files as [] }))

const execute = (variables: unknown) =>
  Effect.flatMap(
    Tela.TelaClient,
    (tela) => tela.canvas.make({ id: runId }).execute(variables as Tela.Variables, { async: true })
  )

const refusal = (error: unknown): RunError.BadRequestError => {
  assert.instanceOf(error, RunError.BadRequestError)
  assert.isFalse(error.sent)
  return error
}

const fileError = (error: unknown): RunError.FileInputError => {
  assert.instanceOf(error, RunError.FileInputError)
  return error
}

describe("B8: a file that cannot be read, in a create", () => {
  const broken = new Error("disk on fire")
  const failingAfter = (chunks: number): FileInput.FileInput => ({
    data: Stream.concat(
      Stream.fromArray(Array.from({ length: chunks }, () => new Uint8Array(1000))),
      Stream.fail(broken)
    ),
    size: 5000,
    filename: "a.bin"
  })
  const readable = (chunks: number, size: number): FileInput.FileInput => {
    let left = chunks
    return {
      data: new ReadableStream({
        pull: (controller) => left-- > 0 ? controller.enqueue(new Uint8Array(1000)) : controller.error(broken)
      }, { highWaterMark: 0 }),
      size,
      filename: "web.bin"
    }
  }
  const dying: FileInput.FileInput = { data: Stream.die(broken), size: 3, filename: "dying.bin" }
  const text = { data: Stream.make("text"), size: 4, filename: "text.bin" }

  for (const [name, client] of transports) {
    for (
      const [what, file] of [
        ["a stream that fails at once", failingAfter(0)],
        ["a web stream that fails at its first chunk", readable(0, 5000)],
        ["a stream that dies", dying],
        ["a stream of text", text]
      ] as const
    ) {
      it.live(`B8: ${what} is a FileInputError, and nothing is sent through ${name}`, () =>
        Effect.scoped(Effect.gen(function*() {
          const { baseUrl, received } = yield* provider
          const error = fileError(
            yield* Effect.flip(create([bytes("fine"), file])).pipe(
              Effect.provide(Layer.provide(clients({ baseUrl }), client))
            )
          )
          assert.deepStrictEqual([error.reason, error.reached, error.isRetryable], ["read", false, false])
          assert.deepStrictEqual(received, [])
        })))
    }

    for (
      const [what, make] of [["a stream", () => failingAfter(2)], ["a web stream", () => readable(2, 5000)]] as const
    ) {
      it.live(`B8: ${what} that fails later is a FileInputError that reached the provider, sent once, through ${name}`, () =>
        Effect.scoped(Effect.gen(function*() {
          let begun = 0
          const { baseUrl } = yield* serve((request) => {
            begun++
            request.on("error", () => {}).resume()
          })
          const outcome = yield* Effect.gen(function*() {
            const store = yield* RunStore.RunStore
            const once = store.runOnce("key", Effect.suspend(() => create([make()])))
            return [yield* Effect.flip(once), yield* Effect.flip(once)]
          }).pipe(
            Effect.provide(RunStore.layerMemory),
            Effect.provide(Layer.provide(clients({ baseUrl }), client))
          )
          // The length was announced, so the provider cannot have accepted the request, and the key is free
          for (const error of outcome) {
            assert.deepStrictEqual([fileError(error).reached, fileError(error).reason], [true, "read"])
          }
          assert.isAtMost(begun, 2)
        })))
    }
  }

  it.live("B8: a file on disk that changed after it was opened as a Blob is a FileInputError", () =>
    Effect.scoped(Effect.gen(function*() {
      const { baseUrl, received } = yield* provider
      const directory = fs.mkdtempSync(join(tmpdir(), "canvas-runs-blob-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => fs.rmSync(directory, { recursive: true })))
      const path = join(directory, "a.bin")
      fs.writeFileSync(path, Buffer.alloc(500_000))
      const blob = yield* Effect.promise(() => fs.openAsBlob(path, { type: "application/pdf" }))
      fs.writeFileSync(path, "shorter")
      const error = fileError(
        yield* Effect.flip(create([blob])).pipe(
          Effect.provide(Layer.provide(clients({ baseUrl }), FetchHttpClient.layer))
        )
      )
      assert.deepStrictEqual([error.reason, error.reached], ["read", false])
      assert.deepStrictEqual(received, [])
    })))
})

describe("E8: values of the type of a file", () => {
  const on = <A, E>(use: Effect.Effect<A, E, Spine.SpineClient | Tela.TelaClient>) =>
    Effect.scoped(Effect.gen(function*() {
      const { baseUrl, received } = yield* provider
      const exit = yield* Effect.result(
        Effect.provide(use, Layer.provide(clients({ baseUrl }), FetchHttpClient.layer))
      )
      return { received, error: exit._tag === "Failure" ? exit.failure : undefined }
    }))

  for (
    const [what, files, hint] of [
      ["a path", ["a.txt"], "FileInput.fromPath"],
      ["text as data", [{ data: "text", filename: "a.txt" }], "TextEncoder"],
      ["an Effect", [FileInput.fromPath("a.txt")], "yield* FileInput.fromPath"],
      ["a promise", [Promise.resolve(bytes("a"))], "Await"],
      ["a stream without a size", [{ data: Stream.make(bytes("a")), filename: "a" }], "unknown size"],
      ["a web stream alone", [new ReadableStream()], "unknown size"],
      ["null", [null], "FileInput.fromPath"],
      ["text for the list", "a.txt", "an array"],
      ["bytes for the list", bytes("a"), "an array"],
      ["an object for the list", { data: bytes("a"), filename: "a" }, "an array"]
    ] as const
  ) {
    it.live(`E8: ${what} is rejected with a hint, and nothing is sent`, () =>
      Effect.gen(function*() {
        const { error, received } = yield* on(create(files))
        assert.include(refusal(error).message, hint)
        assert.deepStrictEqual(received, [])
      }))
  }

  class ForeignFile {
    readonly name = "foreign.txt"
    readonly type = "text/plain"
    readonly size = 7
    get [Symbol.toStringTag]() {
      return "File"
    }
    stream() {
      return new Blob(["foreign"]).stream()
    }
  }
  const foreign = (code: string): unknown => runInNewContext(code)
  for (
    const [what, file] of [
      ["bytes", foreign("new Uint8Array([102, 111, 114, 101, 105, 103, 110])")],
      ["a buffer", { data: foreign("new Uint8Array([102, 111, 114, 101, 105, 103, 110]).buffer"), filename: "a.txt" }],
      ["a view", {
        data: foreign("new DataView(new Uint8Array([0, 102, 111, 114, 101, 105, 103, 110]).buffer, 1)"),
        filename: "a"
      }],
      ["shared memory", {
        data: foreign(
          "const b = new SharedArrayBuffer(7); new Uint8Array(b).set([102, 111, 114, 101, 105, 103, 110]); b"
        ),
        filename: "a"
      }],
      ["a File", new ForeignFile()]
    ] as const
  ) {
    it.live(`E8: ${what} of another realm is sent`, () =>
      Effect.gen(function*() {
        const { error, received } = yield* on(create([file]))
        assert.isUndefined(error)
        assert.include(received[0]!.body.toString(), "\r\n\r\nforeign\r\n")
        const tela = yield* on(execute({ a: Tela.file(file as FileInput.FileInput) }))
        assert.isUndefined(tela.error)
        assert.strictEqual(tela.received.find(({ path }) => path === "/store")!.body.toString(), "foreign")
      }))
  }

  it.live("E8: bytes whose buffer was transferred away are empty", () =>
    Effect.gen(function*() {
      const gone = bytes("gone")
      structuredClone(gone, { transfer: [gone.buffer] })
      for (const file of [gone, { data: gone.buffer, filename: "a" }]) {
        assert.include(refusal((yield* on(create([file]))).error).message, "empty")
      }
    }))
})

describe("E1: variables that JSON cannot represent", () => {
  const file = () => Tela.file(bytes("scan"), { name: "scan.txt" })
  const sent = (variables: unknown) =>
    Effect.scoped(Effect.gen(function*() {
      const { baseUrl, received } = yield* provider
      const result = yield* Effect.result(
        Effect.provide(execute(variables), Layer.provide(clients({ baseUrl }), FetchHttpClient.layer))
      )
      const request = received.find(({ path }) => path === "/v2/chat/completions")
      return {
        error: result._tag === "Failure" ? result.failure : undefined,
        received,
        variables: request === undefined
          ? undefined
          : (JSON.parse(request.body.toString()) as { readonly variables: unknown }).variables
      }
    }))

  class Invoice {
    readonly scan = file()
    readonly total = 3
  }
  for (
    const [what, variables, expected] of [
      ["toJSON returns", { invoice: { toJSON: () => ({ scan: file() }) } }, { invoice: { scan: "file" } }],
      ["toJSON is", { invoice: { toJSON: file } }, { invoice: "file" }],
      ["a class instance holds", { invoice: new Invoice() }, { invoice: { scan: "file", total: 3 } }],
      ["a list without a prototype holds", { list: [Object.assign(Object.create(null), { a: file() })] }, {
        list: [{ a: "file" }]
      }]
    ] as const
  ) {
    it.live(`E1: a file that ${what} is uploaded`, () =>
      Effect.gen(function*() {
        const { received, variables: found } = yield* sent(variables)
        const text = JSON.stringify(found).replaceAll(/\{"file_url":"vault:\/\/file-\d+"\}/g, "\"file\"")
        assert.deepStrictEqual(JSON.parse(text), expected)
        assert.strictEqual(received.find(({ path }) => path === "/store")!.body.toString(), "scan")
      }))
  }

  it.live("E1: a Date and a URL are sent as text, and boxed values as their primitives", () =>
    Effect.gen(function*() {
      const { variables } = yield* sent({
        at: new Date(0),
        url: new URL("https://x.example/"),
        boxed: [Object(1), Object("a"), Object(false)],
        absent: undefined,
        ["__proto__"]: "own"
      })
      assert.strictEqual(
        JSON.stringify(variables),
        `{"at":"1970-01-01T00:00:00.000Z","url":"https://x.example/","boxed":[1,"a",false],"__proto__":"own"}`
      )
    }))

  const shared = Array.from({ length: 30 }).reduce<unknown>((inner) => [inner, inner], 1)
  const throwing = {
    get deep() {
      throw new Error("getter")
    }
  }
  for (
    const [what, variables, parameter] of [
      ["an ArrayBuffer", { a: { b: new ArrayBuffer(3) } }, "variables.a.b"],
      ["a Blob-like object", { a: [new Blob(["x"])] }, "variables.a[0]"],
      ["a ReadableStream", { a: new ReadableStream() }, "variables.a"],
      ["an Effect stream", { a: Stream.make(1) }, "variables.a"],
      ["an Effect", { a: Effect.succeed(1) }, "variables.a"],
      ["NaN", { a: [0, NaN] }, "variables.a[1]"],
      ["Infinity", { a: { b: -Infinity } }, "variables.a.b"],
      ["a boxed NaN", { a: Object(NaN) }, "variables.a"],
      ["a bigint", { a: { b: [1n] } }, "variables.a.b[0]"],
      ["an invalid Date", { a: new Date(NaN) }, "variables.a"],
      ["a Map", { a: new Map([[1, 2]]) }, "variables.a"],
      ["a Set", { a: [new Set([1])] }, "variables.a[0]"],
      ["a promise", { a: Promise.resolve(1) }, "variables.a"],
      ["a function", { a: () => 1 }, "variables.a"],
      ["a symbol", { a: Symbol("x") }, "variables.a"],
      ["undefined in a list", { a: [undefined] }, "variables.a[0]"],
      ["a hole in a list", { a: Object.assign([], { length: 2 ** 31 }) }, "variables.a[0]"],
      ["a getter that throws", { a: throwing }, "variables.a.deep"],
      ["toJSON that throws", { a: { toJSON: () => assert.fail("no") } }, "variables.a"],
      ["toJSON with a value that is not JSON", { a: { toJSON: () => ({ b: NaN }) } }, "variables.a.b"],
      ["an object that holds itself twice at each of 30 levels", { a: shared }, undefined]
    ] as const
  ) {
    it.live(`E1: ${what} is rejected with its path, and nothing is sent`, () =>
      Effect.gen(function*() {
        const { error, received } = yield* sent({ fine: file(), ...variables })
        const { parameter: found } = refusal(error)
        if (parameter === undefined) assert.match(found!, /^variables\.a/)
        else assert.strictEqual(found, parameter)
        assert.deepStrictEqual(received, [])
      }))
  }
})

describe("C4: deep variables", () => {
  const nested = (depth: number, wrap: (inner: unknown) => unknown): unknown => {
    let value: unknown = 1
    for (let level = 0; level < depth; level++) value = wrap(value)
    return value
  }
  const on = (variables: unknown) =>
    Effect.scoped(Effect.gen(function*() {
      const { baseUrl, received } = yield* provider
      return {
        result: yield* Effect.result(
          Effect.provide(execute(variables), Layer.provide(clients({ baseUrl }), FetchHttpClient.layer))
        ),
        received
      }
    }))
  for (
    const [what, variables] of [
      ["4,000 lists", { v: nested(4000, (inner) => [inner]) }],
      ["20,000 objects", { v: nested(20_000, (inner) => ({ inner })) }],
      ["100,000 objects with toJSON", { v: nested(100_000, (inner) => ({ toJSON: () => [inner] })) }],
      ["501 lists", { v: nested(500, (inner) => [inner]) }]
    ] as const
  ) {
    it.live(`C4: ${what} are a BadRequestError, and nothing is sent`, () =>
      Effect.gen(function*() {
        const { received, result } = yield* on(variables)
        assert.include(refusal(result._tag === "Failure" ? result.failure : undefined).message, "500 levels")
        assert.deepStrictEqual(received, [])
      }))
  }

  it.live("C4: 499 lists, and one object in 10,000 places 400 levels deep, are sent", () =>
    Effect.gen(function*() {
      const deep = nested(400, (inner) => ({ inner }))
      const { received, result } = yield* on({ v: nested(499, (inner) => [inner]), w: Array(100).fill(deep) })
      assert.strictEqual(result._tag, "Success")
      assert.strictEqual(received.length, 1)
    }))
})

describe("C8: the brand of a file", () => {
  it.live("C8: cannot come from JSON, and is shared by every copy of the package", () =>
    Effect.scoped(Effect.gen(function*() {
      const { baseUrl, received } = yield* provider
      const brands = Reflect.ownKeys(Tela.file("https://x.example/")).filter((name) => typeof name === "symbol")
      assert.deepStrictEqual(brands, [Symbol.for("canvas-runs/tela/TelaFile")])
      const hostile = JSON.parse(
        `{"a":{"~canvas-runs/tela/TelaFile":"~canvas-runs/tela/TelaFile"},"b":{"Symbol(canvas-runs/tela/TelaFile)":1}}`
      )
      yield* execute(hostile).pipe(Effect.provide(Layer.provide(clients({ baseUrl }), FetchHttpClient.layer)))
      assert.deepStrictEqual(JSON.parse(received[0]!.body.toString()).variables, hostile)
      assert.isFalse(Tela.isTelaFile({ [brands[0]!]: true }))
    })))
})

describe("E5: an upload that is rejected", () => {
  const answered = (status: number, body: BodyInit = "", contentType = "text/html") =>
    Effect.gen(function*() {
      const { layer } = answering(({ request, url }) =>
        url.pathname === "/v3/files"
          ? json({ id: "1", uploadUrl: "https://store.example/planted?signature=planted-signature" })
          : request.method !== "PUT"
          ? json({ code: "X", message: "it was uploaded" }, 400)
          : new Response(body, { status, headers: body === "" ? {} : { "content-type": contentType } })
      )
      return yield* Effect.flip(
        execute({ scan: Tela.file({ data: Stream.make(bytes("x")), size: 1, filename: "a.txt" }) })
      ).pipe(
        Effect.provide(Layer.provide(clients(), layer))
      )
    })
  const refusedWith = (...given: Parameters<typeof answered>) => Effect.map(answered(...given), fileError)

  it.live("E5: advises in its message to try again only if isRetryable is true", () =>
    Effect.gen(function*() {
      for (
        const status of [400, 401, 402, 403, 404, 405, 408, 409, 410, 411, 413, 415, 425, 429, 500, 501, 502, 503, 504]
      ) {
        const { isRetryable, message, status: found } = yield* refusedWith(status)
        assert.strictEqual(found, status)
        assert.strictEqual(/try again/i.test(message), isRetryable, message)
        assert.notInclude(message, "planted")
      }
      assert.include((yield* refusedWith(403)).message, "execute again")
      assert.include((yield* refusedWith(411)).message, "content-length")
      assert.include((yield* refusedWith(413)).message, "larger")
    }))

  it.live("a page of HTML does not confirm an upload", () =>
    Effect.gen(function*() {
      const error = yield* refusedWith(200, "<title>Sign in</title>")
      assert.include(error.message, "HTML")
      assert.isTrue(error.isRetryable)
    }))

  for (
    const [body, type] of [
      ["<!DOCTYPE html><title>Sign in</title>", "application/octet-stream"],
      ["\ufeff\r\n<html lang=\"en\"><body>", "text/plain; charset=utf-8"],
      ["<!doctype HTML>", ""]
    ] as const
  ) {
    it.live(`a page of HTML with the content type "${type}" does not confirm an upload`, () =>
      Effect.gen(function*() {
        const error = yield* refusedWith(200, body, type)
        assert.include(error.message, "HTML")
        assert.isTrue(error.isRetryable)
      }))
  }

  for (
    const [what, body] of [
      ["an element of another name", "<htmlish>"],
      ["text that mentions a page", "not a <html>"],
      ["XML", "<?xml version=\"1.0\"?><ok/>"],
      ["a body that breaks", new ReadableStream({ start: (controller) => controller.error(new Error("broken")) })]
    ] as const
  ) {
    it.live(`${what} confirms an upload`, () =>
      Effect.gen(function*() {
        const error = yield* answered(200, body, "text/plain")
        assert.strictEqual(error._tag, "BadRequestError")
        assert.include(error.message, "it was uploaded")
      }))
  }

  for (
    const link of ["ftp://store.example/a", "https://planted:planted-password@store.example/a", "?planted-signature"]
  ) {
    it.live(`E6: an upload address of the form ${link.split(":")[0]} is rejected without showing it`, () =>
      Effect.gen(function*() {
        const { layer } = answering(() => json({ id: "1", uploadUrl: link }))
        const error = fileError(
          yield* Effect.flip(execute({ a: Tela.file(bytes("x")) })).pipe(
            Effect.provide(Layer.provide(clients(), layer))
          )
        )
        assert.isFalse(error.isRetryable)
        assert.notInclude(JSON.stringify(error), "planted")
      }))
  }

  it.live("E6: no error of an upload shows its address", () =>
    Effect.gen(function*() {
      const address = "https://store.example/planted-path?signature=planted-signature"
      for (
        const message of [`error sending request for url (${address})`, "GET /planted-path?signature=planted-signature"]
      ) {
        const { layer } = answering(({ url }) =>
          url.pathname === "/v3/files"
            ? json({ id: "1", uploadUrl: address })
            : Object.assign(new Error(message), { path: address })
        )
        const error = fileError(
          yield* Effect.flip(
            execute({ a: Tela.file({ data: Stream.make(bytes("x")), size: 1, filename: "a.txt" }) })
          ).pipe(
            Effect.provide(Layer.provide(clients(), layer))
          )
        )
        const shown = [
          error.message,
          error.stack,
          JSON.stringify(error),
          JSON.stringify(Object.getOwnPropertyDescriptors(error.cause))
        ]
        for (const text of shown) assert.notMatch(String(text), /planted/)
      }
    }))
})

describe("F17: files outside the documented limits of a provider", () => {
  const video = { data: bytes("x"), filename: "a.webm" }
  const huge = { data: Stream.make(bytes("x")), size: 6 * 1024 ** 4, filename: "a.pdf" }
  for (
    const [what, refused, use] of [
      [
        "a file without content type and extension is left to the provider",
        false,
        () => create([{ data: new Uint8Array([0, 1]), filename: "report.2024" }])
      ],
      ["a program for Spine", true, () => create([{ data: new Uint8Array([0, 1]), filename: "x.exe" }])],
      [
        "a stream of an undocumented extension for Tela",
        true,
        () => execute({ a: Tela.file({ data: Stream.make(bytes("x")), size: 1, filename: "x.7z" }) })
      ],
      [
        "a content type for Spine that is not documented",
        true,
        () => create([new Blob(["x"], { type: "application/x-msdownload" })])
      ],
      [
        "a PDF with an odd extension, by its first bytes, is sent to Tela",
        false,
        () => execute({ a: Tela.file({ data: bytes("%PDF-1.7"), filename: "a.final" }) })
      ],
      [
        "a file with an odd extension and a documented content type is sent to Spine",
        false,
        () => create([{ data: Stream.make(bytes("x")), size: 1, filename: "a.log", contentType: "text/plain" }])
      ],
      ["a video for Spine", true, () => create([video])],
      ["a page of HTML for Spine", true, () => create([new Blob(["<p>"], { type: "text/html" })])],
      ["a table for Spine is sent", false, () => create([new File(["x"], "a.XLSX")])],
      ["a video in WebM for Tela", true, () => execute({ a: Tela.file(video) })],
      ["an animation for Tela", true, () => execute({ a: [Tela.file(bytes("GIF89a"))] })],
      ["more than 5 TiB for Tela", true, () => execute({ a: Tela.file(huge) })],
      ["Markdown for Tela is sent", false, () => execute({ a: Tela.file(new File(["# x"], "a.md")) })]
    ] as const
  ) {
    it.live(`F17: ${what}${refused ? " is rejected before a request, unless the check is skipped" : ""}`, () =>
      Effect.scoped(Effect.gen(function*() {
        const { baseUrl, received } = yield* provider
        const outcome = (skipFileValidation: boolean) =>
          Effect.result(
            Effect.provide(
              use() as Effect.Effect<unknown, unknown, Spine.SpineClient | Tela.TelaClient>,
              Layer.provide(clients({ baseUrl, skipFileValidation }), FetchHttpClient.layer)
            )
          )
        const result = yield* outcome(false)
        if (!refused) return assert.strictEqual(result._tag, "Success")
        assert.include(
          refusal(result._tag === "Failure" ? result.failure : undefined).message,
          "skipFileValidation"
        )
        assert.deepStrictEqual(received, [])
        const skipped = yield* outcome(true)
        if (use.toString().includes("huge")) return
        assert.strictEqual(skipped._tag, "Success")
      })))
  }
})

describe("E7: the boundary of a form", () => {
  it.live("E7: cannot be guessed from a seeded Random", () =>
    Effect.scoped(Effect.gen(function*() {
      const { baseUrl, received } = yield* provider
      for (let n = 0; n < 2; n++) {
        yield* create([bytes("a")]).pipe(
          Effect.provide(Layer.provide(clients({ baseUrl }), FetchHttpClient.layer))
        )
      }
      const boundaries = received.map(({ body }) => body.toString().split("\r\n")[0]!)
      assert.strictEqual(new Set(boundaries).size, 2)
      for (const boundary of boundaries) assert.match(boundary, /^--canvas-runs-[0-9a-f]{32}$/)
    })))
})
