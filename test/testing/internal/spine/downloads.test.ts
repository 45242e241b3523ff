import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as OfficeFiles from "../../../../src/testing/OfficeFiles.ts"
import * as SpineEmulator from "../../../../src/testing/SpineEmulator.ts"
import * as spine from "../../spine.ts"

const { emulated, part, raw, refusal, succeeded } = spine
const control = SpineEmulator.SpineEmulator

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

  it.effect("A1: reject a request with the API key", () =>
    Effect.gen(function*() {
      const run = yield* succeeded()
      assert.deepStrictEqual(
        yield* raw(spine.get(run.result.artifacts[0]!.download_url)),
        refusal(400, "A signed URL must not be sent an X-API-KEY")
      )
    }).pipe(emulated()))

  it.effect("A1: expire after an hour, and have a new signature at every poll", () =>
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

  it.effect("A1: reject a URL whose signature, expiry or file was changed", () =>
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

  it.effect("expire at once on demand, and after the lifetime in the options", () =>
    Effect.gen(function*() {
      const run = yield* succeeded()
      yield* (yield* control).expireArtifacts
      assert.strictEqual((yield* spine.download(run.result.artifacts[0]!.download_url)).status, 403)
      const again = yield* spine.run(run.run_id)
      yield* TestClock.adjust("1 minute")
      if (again.status !== "completed") return assert.fail()
      assert.strictEqual((yield* spine.download(again.result.artifacts[0]!.download_url)).status, 403)
    }).pipe(emulated({ artifactLifetime: "1 minute" })))

  it.effect("have the content of the script: texts, bytes, and streams with their size", () =>
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
      const [csv, , film] = yield* Effect.forEach(
        run.result.artifacts,
        ({ download_url }) => spine.download(download_url)
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
