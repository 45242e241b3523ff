import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as TelaEmulator from "../../../../src/testing/TelaEmulator.ts"
import * as tela from "../../tela.ts"

const { dated, emulated, json, refusal, send } = tela
const control = TelaEmulator.TelaEmulator
const unknown = "99999999-9999-4999-8999-999999999999"
const encoder = new TextEncoder()

const announce = (fileName = "report.txt") => json("POST", "/v3/files", { body: { fileName }, headers: dated })

const put = (url: string, text: string, options: tela.SendOptions = {}) =>
  send("PUT", url, { authorization: null, bytes: encoder.encode(text), ...options })

const run = (variables: tela.Json) => tela.run({ async: true, variables })

const runRefusal = (variables: tela.Json) =>
  refusal("POST", tela.completions, { body: { canvas_id: tela.canvasId, variables } })

describe("uploads, current", () => {
  it.effect("accept a name, then bytes at a URL of another origin, and give a file to run with", () =>
    Effect.gen(function*() {
      const { id, uploadUrl } = yield* announce()
      assert.isTrue(uploadUrl.startsWith(`${TelaEmulator.defaultFileOrigin}/_files/`))
      const uploaded = yield* put(uploadUrl, "Hello")
      assert.strictEqual(uploaded.status, 200)
      assert.match(uploaded.headers["etag"] ?? "", /^"[0-9a-f]+-5"$/)
      const body = yield* run({ doc: { file_url: `vault://${id}`, options: { range: [0, 1] } } })
      assert.deepStrictEqual(body.input_content.files, [{
        name: "report.txt",
        used_at: "variables",
        parsed_content: "Hello",
        url: `vault://${id}`,
        type: "file"
      }])
      const [file] = yield* (yield* control).files
      assert.deepStrictEqual([file?.name, file?.via, file?.contentType], ["report.txt", "v3", "text/plain"])
      assert.deepStrictEqual(file?.bytes, encoder.encode("Hello"))
      const shown = yield* json("GET", `/v3/files/${id}`, { headers: dated })
      assert.deepStrictEqual([shown.fileName, shown.mimeType, shown.size], ["report.txt", "text/plain", 5])
      const bytes = yield* Effect.flatMap(HttpClient.get(shown.downloadUrl), (response) => response.text)
      assert.strictEqual(bytes, "Hello")
    }).pipe(emulated()))

  it.effect("rule 6: require x-compatibility-date, and assumption 26: name it in the error", () =>
    Effect.gen(function*() {
      const expected = [400, "MISSING_COMPATIBILITY_DATE", "The header x-compatibility-date is required"]
      assert.deepStrictEqual(yield* refusal("POST", "/v3/files", { body: { fileName: "x" } }), expected)
      assert.deepStrictEqual(yield* refusal("GET", `/v3/files/${unknown}`), expected)
      for (const date of ["today", "2025-13-01", "2025-1-1"]) {
        const headers = { "x-compatibility-date": date }
        const [status] = yield* refusal("POST", "/v3/files", { body: { fileName: "x" }, headers })
        assert.strictEqual(status, 400)
      }
      assert.strictEqual((yield* send("GET", "/task", { headers: dated })).status, 200)
    }).pipe(emulated()))

  it.effect("reject a file without a name, and a file that was not announced", () =>
    Effect.gen(function*() {
      for (const body of [{}, { fileName: " " }, { fileName: 7 }, { filename: "x" }]) {
        const [status] = yield* refusal("POST", "/v3/files", { body, headers: dated })
        assert.strictEqual(status, 400)
      }
      assert.deepStrictEqual(
        yield* refusal("GET", `/v3/files/${unknown}`, { headers: dated }),
        [404, "NOT_FOUND", `File not found: ${unknown}`]
      )
    }).pipe(emulated()))
})

describe("presigned URLs", () => {
  it.effect("rule 10: reject a request with a credential", () =>
    Effect.gen(function*() {
      const { id, uploadUrl } = yield* announce()
      const leaks: ReadonlyArray<readonly [tela.SendOptions, string]> = [
        [{ authorization: `Bearer ${tela.key}` }, "authorization"],
        [{ headers: { "x-data-token": "x" } }, "x-data-token"]
      ]
      for (const [options, name] of leaks) {
        assert.deepStrictEqual(
          yield* tela.raw(put(uploadUrl, "x", options)),
          tela.errorResponse(400, "BAD_REQUEST", `A presigned URL must not be sent ${name}`)
        )
      }
      assert.isUndefined((yield* (yield* control).files)[0]?.bytes)
      yield* put(uploadUrl, "x")
      const { downloadUrl } = yield* json("GET", `/v3/files/${id}`, { headers: dated })
      const [status] = yield* refusal("GET", downloadUrl)
      assert.strictEqual(status, 400)
    }).pipe(emulated()))

  it.effect("rule 10: are rejected after their expiry, and so are unknown links", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      const first = yield* announce()
      yield* TestClock.adjust("10 minutes")
      const second = yield* announce()
      const expected = tela.errorResponse(403, "FORBIDDEN", "The URL is invalid or has expired")
      assert.deepStrictEqual(yield* tela.raw(put(first.uploadUrl, "x")), expected)
      assert.strictEqual((yield* put(second.uploadUrl, "x")).status, 200)
      yield* emulator.expireFiles
      assert.deepStrictEqual(yield* tela.raw(put(second.uploadUrl, "x")), expected)
      const made = `${TelaEmulator.defaultFileOrigin}/_files/uploads/abc`
      assert.deepStrictEqual(yield* tela.raw(put(made, "x")), expected)
      const download = second.uploadUrl.replace("/uploads/", "/downloads/")
      assert.deepStrictEqual(yield* tela.raw(send("GET", download, { authorization: null })), expected)
    }).pipe(emulated({ fileLifetime: "10 minutes" })))

  it.effect("accept streamed bytes up to a size", () =>
    Effect.gen(function*() {
      const http = yield* HttpClient.HttpClient
      let sent = 0
      const upload = Effect.fnUntraced(function*(chunks: number) {
        const { uploadUrl } = yield* announce()
        const body = Stream.fromIterable(Array.from({ length: chunks }, () => new Uint8Array(100))).pipe(
          Stream.rechunk(1),
          Stream.tap(() => Effect.sync(() => sent++))
        )
        return yield* http.execute(HttpClientRequest.bodyStream(HttpClientRequest.put(uploadUrl), body))
      })
      assert.strictEqual((yield* upload(10)).status, 200)
      sent = 0
      const large = yield* upload(10_000)
      assert.deepStrictEqual(yield* tela.raw(Effect.succeed(large)), {
        status: 413,
        body: { code: "PAYLOAD_TOO_LARGE", message: "The body is too large", status: 413, name: "Error" }
      })
      assert.isTrue(sent < 20)
      const { uploadUrl } = yield* announce()
      assert.strictEqual((yield* put(uploadUrl, "x".repeat(1001))).status, 413)
      assert.deepStrictEqual((yield* (yield* control).files).map((file) => file.bytes?.length), [
        1000,
        undefined,
        undefined
      ])
    }).pipe(emulated({ fileSize: 1000, requireContentLength: false })))

  it.effect("D2: require a content-length, as object stores do", () =>
    Effect.gen(function*() {
      const http = yield* HttpClient.HttpClient
      const { uploadUrl } = yield* announce()
      const body = Stream.succeed(encoder.encode("x"))
      const chunked = yield* http.execute(HttpClientRequest.bodyStream(HttpClientRequest.put(uploadUrl), body))
      assert.strictEqual(chunked.status, 411)
      const announced = HttpClientRequest.setHeader(HttpClientRequest.put(uploadUrl), "transfer-encoding", "chunked")
      assert.strictEqual((yield* http.execute(HttpClientRequest.bodyStream(announced, body))).status, 501)
      assert.strictEqual((yield* put(uploadUrl, "x")).status, 200)
    }).pipe(emulated()))

  it.effect("point to the configured origin", () =>
    Effect.gen(function*() {
      const { uploadUrl } = yield* announce()
      assert.isTrue(uploadUrl.startsWith("https://bucket.test/_files/"))
      assert.strictEqual((yield* put(uploadUrl, "x")).status, 200)
    }).pipe(emulated({ fileOrigin: "https://bucket.test" })))
})

describe("uploads, older", () => {
  it.effect("accept no body, and give one URL to upload to and one to run with", () =>
    Effect.gen(function*() {
      const body = yield* json("POST", "/v2/file", { headers: { "content-type": "application/json" } })
      assert.deepStrictEqual(Object.keys(body), ["upload_url", "download_url"])
      const variables = { doc: { file_url: body.download_url } }
      assert.deepStrictEqual((yield* runRefusal(variables))[0], 404)
      yield* put(body.upload_url, "Hello")
      assert.strictEqual((yield* run(variables)).input_content.files[0].parsed_content, "Hello")
      const download = yield* send("GET", body.download_url, { authorization: null })
      assert.strictEqual(yield* download.text, "Hello")
      assert.strictEqual(download.headers["content-type"], "text/plain")
    }).pipe(emulated()))
})

describe("files in variables", () => {
  it.effect("section 7.2: must be announced and uploaded before they are used", () =>
    Effect.gen(function*() {
      const { id } = yield* announce()
      assert.deepStrictEqual(
        yield* runRefusal({ doc: { file_url: `vault://${unknown}` } }),
        [404, "NOT_FOUND", `File not found: vault://${unknown}`]
      )
      assert.deepStrictEqual(
        yield* runRefusal({ doc: { file_url: `vault://${id}` } }),
        [404, "NOT_FOUND", `Bytes of file not found: vault://${id}`]
      )
      assert.strictEqual((yield* runRefusal({ doc: { file_url: `vault://${"a".repeat(64)}` } }))[0], 404)
      assert.deepStrictEqual(yield* (yield* control).runs, [])
    }).pipe(emulated()))

  it.effect("assumption 23: are found alone, in arrays, under files, and at any depth", () =>
    Effect.gen(function*() {
      const file = (name: string) => ({ file_url: `https://x.y/${name}` })
      const body = yield* run({
        a: file("a.pdf"),
        b: [file("b.pdf"), { ...file("c"), mime_type: "image/png" }],
        c: { files: [{ ...file("d"), file_name: "d.pdf" }] },
        d: { deep: [{ er: file("e.pdf") }] },
        e: { file_url: "data:image/png;base64,iVBORw0KGgo=" },
        f: "https://x.y/not-a-file.pdf"
      })
      assert.deepStrictEqual(body.input_content.files.map(({ name, type }: tela.Json) => [name, type]), [
        ["a.pdf", "file"],
        ["b.pdf", "file"],
        ["c", "image"],
        ["d.pdf", "file"],
        ["e.pdf", "file"],
        ["inline", "image"]
      ])
      assert.strictEqual(body.input_content.files[0].parsed_content, "Content of a.pdf")
    }).pipe(emulated()))
})

describe("files in messages", () => {
  it.effect("are the images in the parts of their contents", () =>
    Effect.gen(function*() {
      const image = (url: string) => [
        { role: "user", content: [{ type: "text", text: "Describe it." }, { type: "image_url", image_url: { url } }] }
      ]
      const run = yield* tela.run({ async: true, messages: image("https://x.y/cat") })
      assert.deepStrictEqual(run.input_content.files, [{
        name: "cat",
        used_at: "messages",
        parsed_content: "Content of cat",
        url: "https://x.y/cat",
        type: "image"
      }])
      const body = { canvas_id: tela.canvasId, messages: image(`vault://${unknown}`) }
      assert.strictEqual((yield* refusal("POST", tela.completions, { body }))[0], 404)
    }).pipe(emulated()))
})

describe("the vault", () => {
  const vault = "/_services/vault/files"
  const bare = { authorization: tela.key }

  it.effect("rule 5: accepts the bare key as well as a bearer", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* send("POST", vault, { ...bare, body: {} })).status, 200)
      assert.strictEqual((yield* send("POST", vault, { body: {} })).status, 200)
      assert.strictEqual((yield* send("POST", vault, { body: {}, authorization: null })).status, 401)
      assert.strictEqual((yield* send("POST", vault, { body: {}, authorization: "Bearer" })).status, 401)
    }).pipe(emulated()))

  it.effect("section 7.4: creates, describes, renews, serves, renames and deletes a file", () =>
    Effect.gen(function*() {
      const created = yield* json("POST", vault, { ...bare, body: { fileName: "a.txt", mimeType: "text/markdown" } })
      const { id } = created
      assert.deepStrictEqual(Object.keys(created), ["id", "uploadUrl", "expiresAt", "metadata"])
      assert.strictEqual(created.expiresAt, "1970-01-01T01:00:00.000Z")
      assert.strictEqual((yield* refusal("GET", `${vault}/${id}`, bare))[0], 404)
      const renewed = yield* json("PUT", `${vault}/${id}?expiresIn=60`, bare)
      assert.deepStrictEqual([renewed.id, renewed.expiresAt], [id, "1970-01-01T00:01:00.000Z"])
      yield* put(renewed.uploadUrl, "Hello")
      const metadata = yield* json("GET", `${vault}/${id}/metadata`, bare)
      assert.deepStrictEqual(
        [metadata.originalFileName, metadata.size, metadata.uploadedAt, metadata.parentId],
        ["a.txt", 5, "1970-01-01T00:00:00.000Z", null]
      )
      const handed = yield* json("GET", `${vault}/${id}`, bare)
      assert.strictEqual(yield* Effect.flatMap(HttpClient.get(handed.url), (response) => response.text), "Hello")
      const renamed = yield* json("PATCH", `${vault}/${id}`, { ...bare, body: { fileName: "b.txt" } })
      assert.strictEqual(renamed.originalFileName, "b.txt")
      assert.strictEqual((yield* send("DELETE", `${vault}/${id}`, bare)).status, 204)
      assert.strictEqual((yield* refusal("GET", `${vault}/${id}/metadata`, bare))[0], 404)
      assert.strictEqual((yield* runRefusal({ doc: { file_url: `vault://${id}` } }))[0], 404)
    }).pipe(emulated()))

  it.effect("names a file by its SHA-256 if that is given", () =>
    Effect.gen(function*() {
      const sha256sum = "ab".repeat(32)
      const { id, uploadUrl } = yield* json("POST", vault, { ...bare, body: { sha256sum } })
      assert.strictEqual(id, sha256sum)
      yield* put(uploadUrl, "x")
      assert.strictEqual((yield* run({ doc: { file_url: `vault://${id}` } })).status, "created")
      assert.strictEqual((yield* refusal("POST", vault, { ...bare, body: { sha256sum: "x" } }))[0], 400)
    }).pipe(emulated()))

  it.effect("creates several at once, and lists the children of one", () =>
    Effect.gen(function*() {
      const parent = yield* json("POST", vault, { ...bare, body: { fileName: "parent" } })
      const body = ["a", "b", "c"].map((fileName) => ({ fileName, parentId: parent.id }))
      const created = (yield* json("POST", `${vault}/bulk`, { ...bare, body })) as ReadonlyArray<tela.Json>
      assert.strictEqual(created.length, 3)
      yield* send("DELETE", `${vault}/${created[0]!["id"]}`, bare)
      const names = (query: string) =>
        Effect.map(json("GET", `${vault}/${parent.id}/children${query}`, bare), ({ files }) =>
          files.map((file: tela.Json) => file.originalFileName))
      assert.deepStrictEqual(yield* names(""), ["b", "c"])
      assert.deepStrictEqual(yield* names("?includeDeleted=true&limit=2"), ["a", "b"])
      assert.deepStrictEqual(yield* names("?offset=1"), ["c"])
    }).pipe(emulated()))

  it.effect("rejects malformed and unknown references", () =>
    Effect.gen(function*() {
      const answer = (body: unknown, path = "") => refusal("POST", `${vault}${path}`, { ...bare, body })
      assert.strictEqual((yield* answer({ size: "x" }))[0], 400)
      assert.strictEqual((yield* answer({ parentId: unknown }))[0], 404)
      assert.strictEqual((yield* answer([]))[0], 400)
      assert.strictEqual((yield* answer({}, "/bulk"))[0], 400)
      assert.strictEqual((yield* answer([7], "/bulk"))[0], 400)
      const { id } = yield* json("POST", vault, bare)
      assert.strictEqual((yield* refusal("PUT", `${vault}/${id}?expiresIn=0`, bare))[0], 400)
      assert.strictEqual((yield* refusal("PATCH", `${vault}/${id}`, { ...bare, body: { mimeType: 7 } }))[0], 400)
    }).pipe(emulated()))
})
