import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as SpineSchema from "../../src/spine/SpineSchema.ts"
import * as OfficeFiles from "../../src/testing/OfficeFiles.ts"
import * as SpineEmulator from "../../src/testing/SpineEmulator.ts"
import * as Timeline from "../../src/testing/Timeline.ts"
import * as spine from "./spine.ts"

const { file, part, raw, refusal } = spine
const control = SpineEmulator.SpineEmulator
const prompt = part("prompt", "Compare three vector databases")
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const other = "00000000-0000-4000-8000-000000000000"

const emulated = (options?: SpineEmulator.Options) => Effect.provide(SpineEmulator.layerTest(options))

/** A run that is over, in the emulator's words. */
const finished = Effect.fnUntraced(function*(script: SpineEmulator.Script = {}, ...parts: ReadonlyArray<spine.Part>) {
  const emulator = yield* control
  yield* emulator.script({ timeline: Timeline.make({ duration: 0 }), ...script })
  return yield* spine.run((yield* spine.created(...parts)).run_id)
})

const succeeded = Effect.fnUntraced(function*(script?: SpineEmulator.Script, ...parts: ReadonlyArray<spine.Part>) {
  const run = yield* finished(script, ...parts)
  if (run.status !== "completed") return assert.fail(`the run is ${run.status}`)
  return run
})

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

  it.effect("K3: promises the duration that the script says", () =>
    Effect.gen(function*() {
      const run = yield* spine.created()
      assert.strictEqual(run.estimated_duration_ms, 120_000)
    }).pipe(emulated({ script: { estimatedDuration: "2 minutes" } })))

  it.effect("refuses a request without a key, with a blank one, and with one of another form", () =>
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

  it.effect("accepts only the keys it was given, if it was given any", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* spine.create([prompt], "secret")).status, 200)
      assert.strictEqual((yield* spine.create([prompt])).status, 401)
    }).pipe(emulated({ apiKeys: ["secret"] })))

  it.effect("K1: refuses a revoked key at once, or as soon as the provider's cache has let it go", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      yield* emulator.revokeKey("sk_spine_a")
      yield* emulator.revokeKey("sk_spine_b", { after: "5 minutes" })
      assert.deepStrictEqual(yield* raw(spine.create([prompt], "sk_spine_a")), refusal(401, "Invalid API key"))
      assert.strictEqual((yield* spine.create([prompt], "sk_spine_b")).status, 200)
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual((yield* spine.create([prompt], "sk_spine_b")).status, 401)
    }).pipe(emulated()))

  it.effect("R2: refuses a prompt that is missing or blank", () =>
    Effect.gen(function*() {
      const expected = refusal(400, "Missing required field: prompt")
      assert.deepStrictEqual(yield* raw(spine.create([part("template", "memo")])), expected)
      assert.deepStrictEqual(yield* raw(spine.create([part("prompt", " \n")])), expected)
      assert.deepStrictEqual(yield* (yield* control).runs, [])
    }).pipe(emulated()))

  it.effect("R3: refuses a body that is not a form, or a broken one", () =>
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

  it.effect("refuses a template it does not know, and lists those it does", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* raw(spine.create([prompt, part("template", "poem")])),
        refusal(
          400,
          "Invalid template: poem. Valid templates: app, auto, deep_research, excel, landing_page, memo, report, slides"
        )
      )
    }).pipe(emulated()))

  it.effect("R6: refuses block types it does not know, in the order sent, and lists those it does", () =>
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

  it.effect("R5: refuses blocks that are not JSON, not an array, or empty", () =>
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

  it.effect("R4: checks the template even if blocks win over it", () =>
    Effect.gen(function*() {
      const blocks = part("blocks", `["text-block"]`)
      assert.strictEqual((yield* spine.create([prompt, blocks, part("template", "poem")])).status, 400)
      const run = yield* succeeded({}, blocks, part("template", "report"))
      assert.strictEqual(run.metadata.template_used, "report")
      assert.deepStrictEqual(run.result.artifacts, [])
    }).pipe(emulated()))

  it.effect("accepts every template and every block type there is", () =>
    Effect.gen(function*() {
      for (const template of SpineSchema.Template.literals) yield* spine.created(part("template", template))
      yield* spine.created(part("blocks", JSON.stringify(SpineSchema.BlockType.literals)))
      assert.strictEqual((yield* (yield* control).runs).length, SpineSchema.Template.literals.length + 1)
    }).pipe(emulated()))

  it.effect("R7: looks at the key first, then at the ids in the path, the body, and last at what exists", () =>
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

  it.effect("refuses a field that is sent twice", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* raw(spine.create([prompt, prompt])), refusal(400, "Repeated field: prompt"))
    }).pipe(emulated()))

  it.effect("answers with an x-request-id that is never the same", () =>
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

  it.effect("F2: refuses types that are not documented, unless it is told to accept them", () =>
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

  it.effect("F1: refuses a file, a total and a number of files over the limit", () =>
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

  it.effect("refuses a file under another name, and files without a file name", () =>
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

  it.effect("B4: shows uploads as completed blocks from the start, whatever blocks were asked for", () =>
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

describe("GET /v1/run/{run_id}", () => {
  it.effect("R9: takes ids of any version in any case, and refuses everything else", () =>
    Effect.gen(function*() {
      const { run_id } = yield* spine.created()
      assert.strictEqual((yield* spine.run(run_id.toUpperCase())).run_id, run_id)
      for (const id of ["task-abc", `${run_id}0`, run_id.replaceAll("-", ""), "%00"]) {
        assert.deepStrictEqual(
          yield* raw(spine.get(`/v1/run/${id}`)),
          refusal(400, "Invalid run_id: must be a valid UUID")
        )
      }
    }).pipe(emulated()))

  it.effect("does not know a run of another account, nor its canvas", () =>
    Effect.gen(function*() {
      const { run_id } = yield* spine.created()
      const [run] = yield* (yield* control).runs
      const stranger = "sk_spine_stranger"
      assert.deepStrictEqual(
        yield* raw(spine.get(`/v1/run/${run_id}`, stranger)),
        refusal(404, `Run not found: ${run_id}`)
      )
      assert.deepStrictEqual(
        yield* raw(spine.get(`/v1/canvas/${run!.canvasId}/dag`, stranger)),
        refusal(404, `Canvas not found: ${run!.canvasId}`)
      )
      assert.strictEqual((yield* spine.get(`/v1/canvas/${run!.canvasId}/tasks`, stranger)).status, 404)
    }).pipe(emulated()))

  it.effect("S1: leaves the canvas_id out on the first poll and shows it from then on", () =>
    Effect.gen(function*() {
      const { run_id } = yield* spine.created()
      const first = yield* spine.get(`/v1/run/${run_id}`)
      assert.deepStrictEqual(yield* first.json, {
        success: true,
        data: { run_id, status: "running", progress: { tasks_completed: 0, tasks_total: 5, elapsed_ms: 0 } }
      })
      const [run] = yield* (yield* control).runs
      assert.strictEqual((yield* spine.run(run_id)).canvas_id, run?.canvasId)
    }).pipe(emulated()))

  it.effect("S1: shows the canvas_id from the first poll, after the third, or never, if told so", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      const seen = Effect.fnUntraced(function*(canvasIdAfter: number | "never") {
        yield* emulator.script({ canvasIdAfter })
        const { run_id } = yield* spine.created()
        const runs = yield* Effect.all([0, 1, 2, 3].map(() => spine.run(run_id)))
        return runs.map((run) => run.canvas_id !== undefined)
      })
      assert.deepStrictEqual(yield* seen(0), [true, true, true, true])
      assert.deepStrictEqual(yield* seen(3), [false, false, false, true])
      assert.deepStrictEqual(yield* seen("never"), [false, false, false, false])
    }).pipe(emulated()))

  it.effect("follows the clock of the program", () =>
    Effect.gen(function*() {
      const { run_id } = yield* spine.created()
      yield* TestClock.adjust("6 minutes")
      const run = yield* spine.run(run_id)
      assert.deepStrictEqual(run.status === "running" && run.progress, {
        tasks_completed: 2,
        tasks_total: 5,
        elapsed_ms: 360_000
      })
      yield* TestClock.adjust("6 minutes")
      assert.strictEqual((yield* spine.run(run_id)).status, "completed")
    }).pipe(emulated()))

  it.effect("goes faster with speed, and ahead with advance, without a change in what it reports", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      const { run_id } = yield* spine.created()
      yield* TestClock.adjust("30 seconds")
      yield* emulator.advance("6 seconds")
      const run = yield* spine.run(run_id)
      assert.strictEqual(run.status === "running" && run.progress.elapsed_ms, 360_000)
      yield* TestClock.adjust("36 seconds")
      const done = yield* spine.run(run_id)
      assert.strictEqual(done.status === "completed" && done.duration_ms, 720_000)
    }).pipe(emulated({ speed: 10 })))

  it.effect("S3, S7: shows a completed run with its result and nothing that does not apply", () =>
    Effect.gen(function*() {
      const run = yield* succeeded()
      assert.hasAllKeys(run, ["run_id", "status", "canvas_id", "duration_ms", "result", "metadata", "raw"])
      assert.include(run.result.final_output, "Compare three vector databases")
      assert.deepStrictEqual(run.metadata, {
        template_used: "auto",
        models_used: ["anthropic/claude-sonnet-4-6"],
        credits_consumed: 45
      })
    }).pipe(emulated()))

  it.effect("S2: shows a partial run like a completed one, with its errors", () =>
    Effect.gen(function*() {
      const timeline = Timeline.make({ duration: 0, outcome: "partial" })
      const run = yield* finished({ timeline }, part("template", "report"))
      if (run.status !== "partial") return assert.fail(run.status)
      assert.hasAllKeys(run, ["run_id", "status", "canvas_id", "duration_ms", "result", "metadata", "errors", "raw"])
      assert.deepStrictEqual(run.errors, [{ error: "text-block failed" }])
      assert.deepStrictEqual(run.result.artifacts.map((artifact) => artifact.type), ["docx"])
      const nodes = (yield* spine.dag(run.canvas_id!)).nodes
      assert.deepStrictEqual(nodes.filter((node) => node.status === "error").map((node) => node.type), ["text-block"])
    }).pipe(emulated()))

  it.effect("S2: shows a failed run with its errors and its canvas, and still answers 200", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      yield* emulator.script({ timeline: Timeline.make({ duration: 0, outcome: "failed" }) })
      const { run_id } = yield* spine.created()
      const response = yield* spine.get(`/v1/run/${run_id}`)
      const [run] = yield* emulator.runs
      assert.strictEqual(response.status, 200)
      assert.deepStrictEqual(yield* response.json, {
        success: true,
        data: { run_id, status: "failed", canvas_id: run!.canvasId, errors: [{ error: "Agent execution failed" }] }
      })
    }).pipe(emulated()))

  it.effect("says what the script says: output, price, models, errors, and statuses that nobody knows", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      const done = yield* succeeded({ finalOutput: "42", credits: 7, models: ["a/b"], artifacts: [] })
      assert.deepStrictEqual([done.result.final_output, done.metadata.credits_consumed], ["42", 7])
      assert.deepStrictEqual([done.metadata.models_used, done.result.artifacts], [["a/b"], []])
      const failed = yield* finished({
        timeline: Timeline.make({ duration: 0, outcome: "failed", errors: ["x", "y"] })
      })
      assert.deepStrictEqual(failed.status === "failed" && failed.errors, [{ error: "x" }, { error: "y" }])
      yield* emulator.script({
        timeline: Timeline.make({
          duration: "1 minute",
          statuses: [{ from: 0, to: "10 seconds", status: "queued" }, { from: "2 minutes", status: "running" }]
        })
      })
      const { run_id } = yield* spine.created()
      const queued = yield* spine.run(run_id)
      assert.strictEqual(queued.status === "unknown" && queued.provider_status, "queued")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* spine.run(run_id)).status, "completed")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* spine.run(run_id)).status, "running")
    }).pipe(emulated()))

  it.effect("is scripted by what was asked for, on top of the script in the options", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      yield* emulator.script((request) =>
        request.prompt.includes("fail") ? { timeline: Timeline.make({ duration: 0, outcome: "failed" }) } : {}
      )
      const good = yield* spine.created()
      const bad = yield* spine.created(part("agent_instructions", "x"))
      assert.strictEqual(bad.estimated_duration_ms, 1000)
      assert.strictEqual((yield* spine.run(good.run_id)).status, "completed")
      const response = yield* spine.create([part("prompt", "please fail")])
      const { data } = (yield* response.json) as { data: { run_id: string } }
      assert.strictEqual((yield* spine.run(data.run_id)).status, "failed")
    }).pipe(emulated({ script: { timeline: Timeline.make({ duration: 0 }), estimatedDuration: "1 second" } })))
})

describe("artifacts", () => {
  const kinds = {
    auto: ["png", "docx"],
    deep_research: ["docx"],
    report: ["docx"],
    slides: ["pptx"],
    memo: ["docx"],
    excel: ["xlsx"],
    app: ["html"],
    landing_page: ["png", "html"]
  }

  for (const [template, types] of Object.entries(kinds)) {
    it.effect(`follow from the template: ${template} makes ${types.join(" and ")}`, () =>
      Effect.gen(function*() {
        const run = yield* succeeded({}, part("template", template))
        assert.deepStrictEqual(run.result.artifacts.map((artifact) => artifact.type), types)
      }).pipe(emulated()))
  }

  it.effect("follow from the blocks, each with the id of the node that made it", () =>
    Effect.gen(function*() {
      const blocks = [
        "excel-block",
        "text-block",
        "presentation-block",
        "image-block",
        "prototype-block",
        "memo-block",
        "document-block",
        "app-block",
        "landing-page-block"
      ]
      const run = yield* succeeded({}, part("blocks", JSON.stringify(blocks)))
      const nodes = (yield* spine.dag(run.canvas_id)).nodes
      assert.deepStrictEqual(
        run.result.artifacts.map((artifact) => [artifact.type, nodes.find((node) => node.id === artifact.id)?.type]),
        [
          ["xlsx", "excel-block"],
          ["pptx", "presentation-block"],
          ["png", "image-block"],
          ["html", "prototype-block"],
          ["docx", "memo-block"],
          ["docx", "document-block"],
          ["html", "app-block"],
          ["html", "landing-page-block"]
        ]
      )
    }).pipe(emulated()))

  it.effect("A1, A2: download from another origin without a key, as many bytes as were announced", () =>
    Effect.gen(function*() {
      const blocks = `["excel-block","presentation-block","image-block","document-block","app-block"]`
      const run = yield* succeeded({}, part("blocks", blocks))
      for (const artifact of run.result.artifacts) {
        assert.isTrue(artifact.download_url.startsWith(`${SpineEmulator.defaultArtifactOrigin}/`))
        const response = yield* spine.download(artifact.download_url)
        const body = new Uint8Array(yield* response.arrayBuffer)
        assert.strictEqual(response.status, 200)
        assert.strictEqual(body.length, artifact.size_bytes)
        assert.strictEqual(response.headers["content-length"], String(artifact.size_bytes))
        assert.strictEqual(response.headers["content-type"], OfficeFiles.mediaTypes[artifact.type])
        assert.include(response.headers["content-disposition"], `attachment; filename="${artifact.name}"`)
        if (["xlsx", "pptx", "docx"].includes(artifact.type)) {
          assert.isTrue((yield* spine.unzip(body)).has("[Content_Types].xml"))
        }
      }
    }).pipe(emulated()))

  it.effect("A1: refuse a request that leaks the API key", () =>
    Effect.gen(function*() {
      const run = yield* succeeded()
      assert.deepStrictEqual(
        yield* raw(spine.get(run.result.artifacts[0]!.download_url)),
        refusal(400, "A signed URL must not be sent an X-API-KEY")
      )
    }).pipe(emulated()))

  it.effect("A1: expire after an hour, and are signed anew at every look at the run", () =>
    Effect.gen(function*() {
      const run = yield* succeeded()
      const url = run.result.artifacts[0]!.download_url
      yield* TestClock.adjust("59 minutes")
      assert.strictEqual((yield* spine.download(url)).status, 200)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* raw(spine.download(url)), refusal(403, "The URL has expired"))
      const again = yield* spine.run(run.run_id)
      const fresh = again.status === "completed" ? again.result.artifacts[0]!.download_url : assert.fail()
      assert.notStrictEqual(fresh, url)
      assert.strictEqual((yield* spine.download(fresh)).status, 200)
      assert.strictEqual((yield* spine.download(url)).status, 403)
    }).pipe(emulated()))

  it.effect("A1: refuse a URL whose signature, expiry or file was changed", () =>
    Effect.gen(function*() {
      const run = yield* succeeded()
      const [first, second] = run.result.artifacts
      const url = first!.download_url
      for (
        const forged of [
          url.replace(/signature=.*/, "signature=0"),
          url.replace(/&signature=.*/, ""),
          url.replace(/expires=\d+/, "expires=99999999999999"),
          url.replace(first!.id, second!.id)
        ]
      ) {
        assert.deepStrictEqual(yield* raw(spine.download(forged)), refusal(403, "Invalid signature"))
      }
    }).pipe(emulated()))

  it.effect("expire at once when a test says so, and after the lifetime in the options", () =>
    Effect.gen(function*() {
      const run = yield* succeeded()
      yield* (yield* control).expireArtifacts
      assert.strictEqual((yield* spine.download(run.result.artifacts[0]!.download_url)).status, 403)
      const again = yield* spine.run(run.run_id)
      yield* TestClock.adjust("1 minute")
      if (again.status !== "completed") return assert.fail()
      assert.strictEqual((yield* spine.download(again.result.artifacts[0]!.download_url)).status, 403)
    }).pipe(emulated({ artifactLifetime: "1 minute" })))

  it.effect("are what the script brings along: texts, bytes, and streams with their size", () =>
    Effect.gen(function*() {
      const chunk = new Uint8Array(1_000_000).fill(7)
      const run = yield* succeeded({
        artifacts: [
          { name: "Übersicht \"1\".csv", content: "a,b" },
          { name: "raw", content: new Uint8Array([1, 2]) },
          {
            name: "film.mp4",
            type: "video",
            contentType: "video/mp4",
            content: { size: 50_000_000, stream: Stream.take(Stream.forever(Stream.succeed(chunk)), 50) }
          }
        ]
      })
      assert.deepStrictEqual(
        run.result.artifacts.map(({ name, size_bytes, type }) => [name, type, size_bytes]),
        [["Übersicht \"1\".csv", "csv", 3], ["raw", "bin", 2], ["film.mp4", "video", 50_000_000]]
      )
      const [csv, , film] = yield* Effect.all(
        run.result.artifacts.map((artifact) => spine.download(artifact.download_url))
      )
      assert.strictEqual(yield* csv!.text, "a,b")
      assert.strictEqual(
        csv!.headers["content-disposition"],
        `attachment; filename="_bersicht _1_.csv"; filename*=UTF-8''%C3%9Cbersicht%20%221%22.csv`
      )
      assert.strictEqual(film!.headers["content-length"], "50000000")
      const size = yield* Stream.runFold(film!.stream, () => 0, (size, chunk) => size + chunk.length)
      assert.strictEqual(size, 50_000_000)
      const nodes = (yield* spine.dag(run.canvas_id)).nodes
      assert.deepStrictEqual(
        run.result.artifacts.map((artifact) => nodes.find((node) => node.id === artifact.id)?.url?.split("?")[0]),
        run.result.artifacts.map((artifact) => artifact.download_url.split("?")[0])
      )
    }).pipe(emulated()))
})

describe("the canvas", () => {
  it.effect("R8: refuses malformed ids and does not know others", () =>
    Effect.gen(function*() {
      yield* spine.created()
      const [run] = yield* (yield* control).runs
      assert.deepStrictEqual(
        yield* raw(spine.get("/v1/canvas/x/dag")),
        refusal(400, "Invalid canvas_id: must be a valid UUID")
      )
      assert.deepStrictEqual(
        yield* raw(spine.get(`/v1/canvas/${other}/tasks`)),
        refusal(404, `Canvas not found: ${other}`)
      )
      assert.deepStrictEqual(
        yield* raw(spine.get(`/v1/canvas/${run!.canvasId}/tasks/x`)),
        refusal(400, "Invalid task_id: must be a valid UUID")
      )
      assert.deepStrictEqual(
        yield* raw(spine.get(`/v1/canvas/${run!.canvasId}/tasks/${other}`)),
        refusal(404, `Task not found: ${other}`)
      )
    }).pipe(emulated()))

  it.effect("B7: is there from the start, and empty", () =>
    Effect.gen(function*() {
      yield* spine.created()
      const [run] = yield* (yield* control).runs
      const canvas_id = run!.canvasId
      assert.deepStrictEqual(yield* spine.dag(canvas_id), {
        canvas_id,
        canvas_name: "Compare three vector databases",
        nodes: [],
        edges: []
      })
      assert.deepStrictEqual(yield* spine.tasks(canvas_id), { canvas_id, completed: [], not_completed: [] })
    }).pipe(emulated()))

  it.effect("B1: grows with the run, block by block, each idle, then running, then completed", () =>
    Effect.gen(function*() {
      yield* spine.created(part("blocks", `["web-block","table-block","document-block"]`), file("a.md"))
      const [run] = yield* (yield* control).runs
      const statuses = Effect.fnUntraced(function*(duration: "1 millis" | "4 minutes") {
        yield* TestClock.adjust(duration)
        const { edges, nodes } = yield* spine.dag(run!.canvasId)
        for (const edge of edges) {
          const ends = [edge.source_id, edge.target_id].map((id) => nodes.findIndex((node) => node.id === id))
          assert.isTrue(ends[0]! >= 0 && ends[0]! < ends[1]!)
        }
        assert.strictEqual(edges.length, nodes.length - 1)
        return nodes.slice(1).map((node) => node.status)
      })
      assert.deepStrictEqual(yield* statuses("1 millis"), ["running", "idle"])
      assert.deepStrictEqual(yield* statuses("4 minutes"), ["completed", "running", "idle"])
      assert.deepStrictEqual(yield* statuses("4 minutes"), ["completed", "completed", "running"])
      assert.deepStrictEqual(yield* statuses("4 minutes"), ["completed", "completed", "completed"])
    }).pipe(emulated({ script: { timeline: Timeline.make({ tasks: 3 }) } })))

  it.effect("B2, B3: gives sources to research, links to references, text to the rest, and null or [] otherwise", () =>
    Effect.gen(function*() {
      const run = yield* succeeded({}, part("blocks", `["web-block","table-block","document-block"]`), file("a.md"))
      const response = yield* spine.get(`/v1/canvas/${run.canvas_id}/dag`)
      const { data } = (yield* response.json) as { data: { nodes: ReadonlyArray<Record<string, unknown>> } }
      const [upload, web, table, document] = data.nodes
      assert.deepStrictEqual([upload!["content"], upload!["url"], upload!["sources"]], [null, null, []])
      assert.strictEqual(web!["url"], `https://example.com/${web!["id"]}`)
      assert.strictEqual((web!["sources"] as ReadonlyArray<unknown>).length, 2)
      assert.hasAllKeys((web!["sources"] as ReadonlyArray<object>)[0], ["title", "url"])
      assert.include(table!["content"], "Compare three vector databases")
      assert.deepStrictEqual([table!["url"], table!["sources"]], [null, []])
      assert.strictEqual(document!["content"], null)
      assert.strictEqual((yield* spine.download(String(document!["url"]))).status, 200)
    }).pipe(emulated()))

  it.effect("B1, B5: has tasks in three levels, and puts a root with all below it by its own status", () =>
    Effect.gen(function*() {
      yield* spine.created()
      const [run] = yield* (yield* control).runs
      yield* TestClock.adjust("3 minutes")
      const tree = yield* spine.tasks(run!.canvasId)
      assert.deepStrictEqual(tree.completed.map((task) => task.status), ["completed"])
      assert.deepStrictEqual(tree.not_completed.map((task) => task.status), ["running", "pending"])
      const [root] = tree.not_completed
      const levels = [root!.task_type, root!.children?.[0]?.task_type, root!.children?.[0]?.children?.[0]?.task_type]
      assert.deepStrictEqual(levels, ["parent-task", "persona-task", "tool-call-task"])
      assert.deepStrictEqual(root!.children?.map((child) => child.status), ["completed", "running"])
      yield* TestClock.adjust("9 minutes")
      const done = yield* spine.tasks(run!.canvasId)
      assert.deepStrictEqual([done.completed.length, done.not_completed.length], [5, 0])
    }).pipe(emulated()))

  it.effect("B5: leaves a task that failed among those not completed", () =>
    Effect.gen(function*() {
      const run = yield* finished({ timeline: Timeline.make({ duration: 0, outcome: "failed", tasks: 2 }) })
      const tree = yield* spine.tasks(run.canvas_id!)
      assert.deepStrictEqual(tree.completed.map((task) => task.status), ["completed"])
      assert.deepStrictEqual(tree.not_completed.map((task) => task.status), ["failed"])
      assert.strictEqual((yield* spine.dag(run.canvas_id!)).nodes.at(-1)?.status, "error")
    }).pipe(emulated()))

  it.effect("B6: shows one task with its children, and these without theirs", () =>
    Effect.gen(function*() {
      const run = yield* succeeded()
      const [root] = (yield* spine.tasks(run.canvas_id)).completed
      const task = yield* spine.task(run.canvas_id, root!.task_id)
      assert.strictEqual(task.children?.length, 2)
      assert.deepStrictEqual(task.children?.map((child) => child.children), [[], []])
      const tool = root!.children![0]!.children![0]!
      assert.deepStrictEqual(yield* spine.task(run.canvas_id, tool.task_id.toUpperCase()), tool)
    }).pipe(emulated()))
})

describe("everything else", () => {
  it.effect("R10: answers 404 for a route that is not there", () =>
    Effect.gen(function*() {
      for (
        const path of [
          "/",
          "/v1",
          "/v1/runs",
          "/v2/run",
          `/v1/run/${other}/cancel`,
          `/v1/canvas/${other}`,
          `/v1/canvas/${other}/dag/x`,
          `/v1/canvas/${other}/tasks/${other}/x`,
          "/_artifacts/x"
        ]
      ) {
        assert.deepStrictEqual(yield* raw(spine.get(path)), refusal(404, "Not found"))
      }
    }).pipe(emulated()))

  it.effect("R10: answers 405 for a method that is not there", () =>
    Effect.gen(function*() {
      const http = yield* HttpClient.HttpClient
      assert.deepStrictEqual(yield* raw(spine.get("/v1/run")), refusal(405, "Method not allowed"))
      const response = yield* http.execute(HttpClientRequest.delete(`${spine.origin}/v1/run/${other}`))
      assert.deepStrictEqual([response.status, response.headers["allow"]], [405, "GET"])
    }).pipe(emulated()))

  it.effect("does not answer for other origins: they are unknown hosts", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(spine.get("https://staging.getspine.ai/v1/run"))
      if (error._tag !== "HttpClientError" || error.reason._tag !== "TransportError") return assert.fail(String(error))
      assert.strictEqual((error.reason.cause as { code: string }).code, "ENOTFOUND")
    }).pipe(emulated()))

  it.effect("answers for the origins in the options", () =>
    Effect.gen(function*() {
      const http = yield* HttpClient.HttpClient
      assert.strictEqual((yield* http.post("https://staging.getspine.ai/v1/run")).status, 401)
    }).pipe(emulated({ origin: "https://staging.getspine.ai" })))

  it.effect("remembers each request: method, path, headers, form, status and time", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      yield* TestClock.adjust("1 second")
      const { run_id } = yield* spine.created(file("a.md", "# a", "text/markdown"))
      yield* spine.get(`/v1/run/${other}?x=1`)
      const [create, poll] = yield* emulator.requests
      assert.deepStrictEqual(
        [create?.method, create?.path, create?.status, create?.receivedAt],
        ["POST", "/v1/run", 200, 1000]
      )
      assert.strictEqual(create?.headers["x-api-key"], spine.key)
      assert.strictEqual(create?.headers["host"], "api.getspine.ai")
      assert.deepStrictEqual(create?.fields, { prompt: "Compare three vector databases" })
      assert.deepStrictEqual(create?.files.map((file) => [file.name, file.contentType, file.size]), [[
        "a.md",
        "text/markdown",
        3
      ]])
      assert.deepStrictEqual(
        [poll?.method, poll?.path, poll?.url, poll?.status],
        ["GET", `/v1/run/${other}`, `${spine.origin}/v1/run/${other}?x=1`, 404]
      )
      const [run] = yield* emulator.runs
      assert.deepStrictEqual([run?.id, run?.apiKey, run?.createdAt, run?.polls], [run_id, spine.key, 1000, 0])
      yield* emulator.clearRequests
      assert.deepStrictEqual(yield* emulator.requests, [])
    }).pipe(emulated()))

  it.effect("makes the same ids again from the same seed", () =>
    Effect.gen(function*() {
      const ids = Effect.map(spine.created(), (run) => run.run_id).pipe(emulated(), Random.withSeed("seed"))
      assert.strictEqual(yield* ids, yield* ids)
    }))

  it.effect("plays a polled run of ninety minutes in no time, to the poll", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      yield* emulator.script({ timeline: Timeline.make({ duration: "90 minutes" }) })
      const { run_id } = yield* spine.created()
      const fiber = yield* spine.run(run_id).pipe(
        Effect.repeat({ schedule: Schedule.spaced("5 seconds"), until: (run) => run.status !== "running" }),
        Effect.forkChild
      )
      yield* TestClock.setTime(90 * 60_000 - 1)
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      const run = yield* Fiber.join(fiber)
      assert.strictEqual(run.status, "completed")
      assert.strictEqual((yield* emulator.requests).length, 1 + 90 * 12 + 1)
    }).pipe(emulated()))

  it.effect("reads uploads that are bytes or streams without leaving the TestClock", () =>
    Effect.gen(function*() {
      const bytes = spine.multipart([prompt, file("a.txt", new Uint8Array(300_000))])
      const chunks = Stream.fromIterable([
        bytes.subarray(0, 100),
        bytes.subarray(100, 200_000),
        bytes.subarray(200_000)
      ])
      const create = spine.post(HttpBody.stream(chunks, spine.multipartType)).pipe(Effect.delay("1 hour"))
      const fiber = yield* Effect.forkChild(create.pipe(Effect.andThen(Effect.sleep("1 hour"))))
      yield* TestClock.adjust("2 hours")
      assert.isDefined(fiber.pollUnsafe())
      assert.deepStrictEqual((yield* (yield* control).runs).map((run) => run.createdAt), [3_600_000])
    }).pipe(emulated()))
})
