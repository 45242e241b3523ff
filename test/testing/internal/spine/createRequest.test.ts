import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as SpineSchema from "../../../../src/spine/SpineSchema.ts"
import * as SpineEmulator from "../../../../src/testing/SpineEmulator.ts"
import * as spine from "../../spine.ts"

const { emulated, file, other, part, prompt, raw, refusal, succeeded, uuid } = spine
const control = SpineEmulator.SpineEmulator

describe("POST /v1/run", () => {
  it.effect("R1: answers 200 with an id, the status running, a relative poll_url and an estimate", () =>
    Effect.gen(function*() {
      const response = yield* spine.create([prompt])
      assert.strictEqual(response.status, 200)
      assert.strictEqual(response.headers["content-type"], "application/json")
      const { data, success } = (yield* response.json) as { success: boolean; data: Record<string, unknown> }
      assert.isTrue(success)
      assert.match(String(data["run_id"]), uuid)
      assert.deepStrictEqual(data, {
        run_id: data["run_id"],
        status: "running",
        poll_url: `/v1/run/${data["run_id"]}`,
        estimated_duration_ms: 900_000
      })
    }).pipe(emulated()))

  it.effect("K3: estimates the duration of the script", () =>
    Effect.gen(function*() {
      const run = yield* spine.created()
      assert.strictEqual(run.estimated_duration_ms, 120_000)
    }).pipe(emulated({ script: { estimatedDuration: "2 minutes" } })))

  it.effect("rejects a request without a key, with a blank one, and with one of another form", () =>
    Effect.gen(function*() {
      const http = yield* HttpClient.HttpClient
      assert.deepStrictEqual(
        yield* raw(http.post(`${spine.origin}/v1/run`)),
        refusal(401, "X-API-KEY header required")
      )
      assert.deepStrictEqual(yield* raw(spine.create([prompt], "")), refusal(401, "X-API-KEY header required"))
      assert.deepStrictEqual(yield* raw(spine.create([prompt], "sk_spine_")), refusal(401, "Invalid API key"))
      assert.deepStrictEqual(yield* raw(spine.create([prompt], "sk_other_1")), refusal(401, "Invalid API key"))
    }).pipe(emulated()))

  it.effect("accepts only configured keys, if there are any", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* spine.create([prompt], "secret")).status, 200)
      assert.strictEqual((yield* spine.create([prompt])).status, 401)
    }).pipe(emulated({ apiKeys: ["secret"] })))

  it.effect("K1: rejects a revoked key at once, or when the provider's cache has expired", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      yield* emulator.revokeKey("sk_spine_a")
      yield* emulator.revokeKey("sk_spine_b", { after: "5 minutes" })
      assert.deepStrictEqual(yield* raw(spine.create([prompt], "sk_spine_a")), refusal(401, "Invalid API key"))
      assert.strictEqual((yield* spine.create([prompt], "sk_spine_b")).status, 200)
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual((yield* spine.create([prompt], "sk_spine_b")).status, 401)
    }).pipe(emulated()))

  it.effect("R2: rejects a prompt that is missing or blank", () =>
    Effect.gen(function*() {
      const expected = refusal(400, "Missing required field: prompt")
      assert.deepStrictEqual(yield* raw(spine.create([part("template", "memo")])), expected)
      assert.deepStrictEqual(yield* raw(spine.create([part("prompt", " \n")])), expected)
      assert.deepStrictEqual(yield* (yield* control).runs, [])
    }).pipe(emulated()))

  it.effect("R3: rejects a body that is not a form, or a broken one", () =>
    Effect.gen(function*() {
      const expected = refusal(400, "Content-Type must be multipart/form-data")
      assert.deepStrictEqual(yield* raw(spine.post(HttpBody.jsonUnsafe({ prompt: "x" }))), expected)
      assert.deepStrictEqual(yield* raw(spine.post(HttpBody.empty)), expected)
      assert.deepStrictEqual(yield* raw(spine.post(HttpBody.text("x", "multipart/form-data"))), expected)
      const broken = refusal(400, "Malformed multipart body")
      const whole = spine.multipart([prompt])
      const cut = HttpBody.uint8Array(whole.subarray(0, whole.length - 8), spine.multipartType)
      assert.deepStrictEqual(yield* raw(spine.post(cut)), broken)
      assert.deepStrictEqual(yield* raw(spine.post(HttpBody.text("", spine.multipartType))), broken)
    }).pipe(emulated()))

  it.effect("rejects an unknown template, and lists the known ones", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* raw(spine.create([prompt, part("template", "poem")])),
        refusal(
          400,
          "Invalid template: poem. Valid templates: app, auto, deep_research, excel, landing_page, memo, report, slides"
        )
      )
    }).pipe(emulated()))

  it.effect("R6: rejects unknown block types, in the order sent, and lists the known ones", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* raw(spine.create([prompt, part("blocks", `["zig-block","text-block","a-block",7]`)])),
        refusal(
          400,
          "Invalid block types: zig-block, a-block, 7. Valid block types: app-block, deep-research-block, " +
            "document-block, excel-block, file-block, image-block, landing-page-block, list-block, memo-block, " +
            "presentation-block, prompt-block, prototype-block, table-block, text-block, web-block, " +
            "web-research-block, yt-block"
        )
      )
    }).pipe(emulated()))

  it.effect("R5: rejects blocks that are not JSON, not an array, or empty", () =>
    Effect.gen(function*() {
      const notArray = refusal(400, "Invalid blocks: must be a JSON array of block types")
      for (const blocks of ["[", "", "text-block", `"text-block"`, "{}", "null"]) {
        assert.deepStrictEqual(yield* raw(spine.create([prompt, part("blocks", blocks)])), notArray)
      }
      assert.deepStrictEqual(
        yield* raw(spine.create([prompt, part("blocks", "[]")])),
        refusal(400, "Invalid blocks: must not be empty")
      )
    }).pipe(emulated()))

  it.effect("R4: checks the template even if blocks override it", () =>
    Effect.gen(function*() {
      const blocks = part("blocks", `["text-block"]`)
      assert.strictEqual((yield* spine.create([prompt, blocks, part("template", "poem")])).status, 400)
      const run = yield* succeeded({}, blocks, part("template", "report"))
      assert.strictEqual(run.metadata.template_used, "report")
      assert.deepStrictEqual(run.result.artifacts, [])
    }).pipe(emulated()))

  it.effect("accepts every template and every block type", () =>
    Effect.gen(function*() {
      for (const template of SpineSchema.Template.literals) yield* spine.created(part("template", template))
      yield* spine.created(part("blocks", JSON.stringify(SpineSchema.BlockType.literals)))
      assert.strictEqual((yield* (yield* control).runs).length, SpineSchema.Template.literals.length + 1)
    }).pipe(emulated()))

  it.effect("R7: checks the key first, then the ids in the path, the body, and last whether the resource exists", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* spine.get("/v1/run/nonsense", "bad")).status, 401)
      assert.strictEqual((yield* spine.get("/v1/run/nonsense")).status, 400)
      assert.strictEqual((yield* spine.get(`/v1/run/${other}`)).status, 404)
      assert.strictEqual((yield* spine.get(`/v1/canvas/${other}/tasks/nonsense`)).status, 400)
      assert.strictEqual((yield* spine.create([], "bad")).status, 401)
    }).pipe(emulated()))

  it.effect("K2: accepts a webhook_url of any shape, and instructions", () =>
    Effect.gen(function*() {
      yield* spine.created(part("webhook_url", "not a url"), part("agent_instructions", "Be brief."))
      const [run] = yield* (yield* control).runs
      assert.strictEqual(run?.request.webhook_url, "not a url")
      assert.strictEqual(run?.request.agent_instructions, "Be brief.")
    }).pipe(emulated()))

  it.effect("rejects a field that is sent twice", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* raw(spine.create([prompt, prompt])), refusal(400, "Repeated field: prompt"))
    }).pipe(emulated()))

  it.effect("answers with a unique x-request-id", () =>
    Effect.gen(function*() {
      const ids = [yield* spine.create([prompt]), yield* spine.create([]), yield* spine.get("/nowhere")].map(
        (response) => response.headers["x-request-id"]
      )
      assert.strictEqual(new Set(ids).size, 3)
      const requests = yield* (yield* control).requests
      assert.deepStrictEqual(ids, requests.map((request) => request.id))
    }).pipe(emulated()))
})

describe("uploads", () => {
  it.effect("keeps every file with its name, type and bytes, a JSON file too", () =>
    Effect.gen(function*() {
      yield* spine.created(file("a.md", "# a", "text/markdown"), file("b.json", `{"b":1}`, "application/json"))
      const [run] = yield* (yield* control).runs
      assert.deepStrictEqual(
        run?.request.files.map(({ bytes, contentType, field, name, size }) => [
          field,
          name,
          contentType,
          size,
          new TextDecoder().decode(bytes)
        ]),
        [["files", "a.md", "text/markdown", 3, "# a"], ["files", "b.json", "application/json", 7, `{"b":1}`]]
      )
    }).pipe(emulated()))

  it.effect("accepts every type that is documented", () =>
    Effect.gen(function*() {
      const extensions = "png jpg jpeg gif webp svg pdf docx xlsx csv txt md yaml yml json zip PNG".split(" ")
      yield* spine.created(...extensions.map((extension) => file(`a.${extension}`)))
    }).pipe(emulated()))

  it.effect("F2: rejects undocumented types, unless it is configured to accept them", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* raw(spine.create([prompt, file("deck.pptx")])),
        refusal(400, "Unsupported file type: deck.pptx")
      )
      yield* spine.created(file("deck.pptx")).pipe(emulated({ acceptAnyFileType: true }))
    }).pipe(emulated()))

  it.effect("F4: decides by the extension, and by the media type only without one", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* spine.create([prompt, file("a.exe", "x", "image/png")])).status, 400)
      assert.strictEqual((yield* spine.create([prompt, file("a.csv", "x", "application/x-thing")])).status, 200)
      assert.strictEqual((yield* spine.create([prompt, file("image", "x", "image/png")])).status, 200)
      assert.strictEqual((yield* spine.create([prompt, file("a", "x")])).status, 400)
    }).pipe(emulated()))

  it.effect("F1: rejects a file, a total and a number of files over the limit", () =>
    Effect.gen(function*() {
      const fits = new Uint8Array(1000)
      assert.strictEqual((yield* spine.create([prompt, file("a.txt", fits)])).status, 200)
      assert.deepStrictEqual(
        yield* raw(spine.create([prompt, file("a.txt", new Uint8Array(1001))])),
        refusal(413, "File too large")
      )
      assert.deepStrictEqual(
        yield* raw(spine.create([prompt, file("a.txt", fits), file("b.txt", fits), file("c.txt")])),
        refusal(413, "Files too large in total")
      )
      assert.deepStrictEqual(
        yield* raw(spine.create([prompt, ...[1, 2, 3, 4].map((n) => file(`${n}.txt`))])),
        refusal(400, "Too many files")
      )
    }).pipe(emulated({ limits: { fileSize: 1000, totalSize: 2000, files: 3 } })))

  it.effect("F1: stops reading an endless upload at the limit", () =>
    Effect.gen(function*() {
      const [head] = [spine.multipart([prompt, file("a.txt", "")])]
      let sent = 0
      const endless = Stream.concat(
        Stream.succeed(head!.subarray(0, head!.length - 9)),
        Stream.forever(Stream.sync(() => {
          sent++
          return new Uint8Array(1_000_000)
        }))
      )
      const response = yield* raw(spine.post(HttpBody.stream(endless, spine.multipartType)))
      assert.deepStrictEqual(response, refusal(413, "File too large"))
      assert.isBelow(sent, 40)
    }).pipe(emulated()))

  it.effect("rejects a file in another field, and files without a file name", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* raw(spine.create([prompt, { ...file("a.txt"), name: "file" }])),
        refusal(400, "Unexpected file field: file")
      )
      assert.strictEqual((yield* spine.create([prompt, part("files", "text")])).status, 400)
    }).pipe(emulated()))

  it.live("reads a body given as bytes, a stream, a Blob or a FormData", () =>
    Effect.gen(function*() {
      const bytes = spine.multipart([prompt, file("a.txt", "hello")])
      const form = new FormData()
      form.append("prompt", "Compare three vector databases")
      form.append("files", new Blob(["hello"], { type: "text/plain" }), "a.txt")
      const bodies = [
        HttpBody.uint8Array(bytes, spine.multipartType),
        HttpBody.stream(Stream.fromIterable(Array.from(bytes, (byte) => new Uint8Array([byte]))), spine.multipartType),
        HttpBody.raw(new Blob([bytes.slice().buffer], { type: spine.multipartType })),
        HttpBody.raw(form),
        HttpBody.formData(form)
      ]
      for (const body of bodies) assert.strictEqual((yield* spine.post(body)).status, 200)
      const runs = yield* (yield* control).runs
      for (const { request } of runs) {
        assert.strictEqual(request.prompt, "Compare three vector databases")
        assert.strictEqual(new TextDecoder().decode(request.files[0]?.bytes), "hello")
      }
      assert.strictEqual(runs.length, bodies.length)
    }).pipe(emulated()))

  it.effect("B4: shows uploads as completed blocks from the start, for any requested blocks", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      yield* spine.created(part("blocks", `["text-block"]`), file("photo.PNG"), file("notes.md"))
      const [run] = yield* emulator.runs
      const nodes = (yield* spine.dag(run!.canvasId)).nodes
      assert.deepStrictEqual(
        nodes.map(({ name, status, type }) => [name, type, status]),
        [["photo.PNG", "image-block", "completed"], ["notes.md", "file-block", "completed"]]
      )
    }).pipe(emulated()))
})
