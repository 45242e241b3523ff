import { assert, describe, it } from "@effect/vitest"
import { NodeFileSystem } from "@effect/platform-node"
import { Effect, Exit, Stream } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { FileInput, Spine } from "canvas-runs"
import * as Random from "../support/random.ts"
import { check, tryingOnce } from "./support.ts"
import { answering } from "../support/http.ts"
import { acceptedRun } from "../support/spine.ts"
import { size } from "../support/size.ts"

const runId = "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"

const pieces = [
  "..",
  "/",
  "\\",
  "../",
  "..\\",
  "C:",
  "\u0000",
  "\r",
  "\n",
  "\r\n",
  "\r\n\r\n",
  "\"",
  "\\\"",
  "%22",
  "%2e%2e%2f",
  ";",
  "; filename=\"x\"",
  "X-Evil: 1",
  "--",
  "con",
  "NUL.txt",
  ".",
  ".htaccess",
  " ",
  "~",
  "-rf",
  "a",
  "b.png",
  "é",
  "日本",
  "🙂",
  "\u202e",
  "\u2028",
  "\u007f",
  "\ud800",
  "<script>",
  "|",
  "*",
  "?",
  "`id`",
  "$HOME",
  "__proto__"
]

const anyName = (draw: Random.Draw): string => Array.from({ length: draw.int(0, 6) }, () => draw.pick(pieces)).join("")

/** The same text without halves of characters, which file systems do not distinguish. */
const anyWholeName = (draw: Random.Draw): string => anyName(draw).replaceAll("\ud800", "")

// --- uploads ---

/** The request that creates a run. */
const sent = Effect.fnUntraced(
  function*(params: Spine.CreateRunParams) {
    let body: Uint8Array | undefined
    let contentType: string | undefined
    const http = HttpClient.make((request) =>
      Effect.gen(function*() {
        contentType = (request.body as { readonly contentType?: string }).contentType
        body = request.body._tag === "Stream"
          ? yield* Effect.orDie(Stream.mkUint8Array(request.body.stream))
          : request.body._tag === "Uint8Array"
          ? request.body.body
          : new Uint8Array(
            yield* Effect.promise(() => new Response((request.body as { readonly body: BodyInit }).body).arrayBuffer())
          )
        return HttpClientResponse.fromWeb(
          request,
          Response.json(acceptedRun(runId))
        )
      })
    )
    const { spine } = yield* tryingOnce(http)
    const exit = yield* Effect.exit(spine.runs.create(params))
    return { exit, body, contentType }
  }
)

interface Part {
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  readonly content: string
}

/** A text with one character per byte. */
const latin = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1")
const latinOf = (text: string): string => latin(new TextEncoder().encode(text))

/** A strict parser of `multipart/form-data`, byte for byte, which accepts no deviation from the standard. */
const parseStrictly = (body: Uint8Array, contentType: string): ReadonlyArray<Part> => {
  const boundary = /^multipart\/form-data; boundary=([\w-]{1,70})$/.exec(contentType)?.[1]
  if (boundary === undefined) return assert.fail(`the content type is ${contentType}`)
  let rest = latin(body)
  const take = (text: string) => {
    if (!rest.startsWith(text)) {
      return assert.fail(`expected ${JSON.stringify(text)}, not ${JSON.stringify(rest.slice(0, 80))}`)
    }
    rest = rest.slice(text.length)
  }
  const until = (text: string): string => {
    const at = rest.indexOf(text)
    if (at === -1) return assert.fail(`there is no ${JSON.stringify(text)}`)
    const before = rest.slice(0, at)
    rest = rest.slice(at)
    return before
  }
  const parts: Array<Part> = []
  take(`--${boundary}`)
  while (!rest.startsWith("--")) {
    take("\r\n")
    const headers: Array<readonly [string, string]> = []
    while (!rest.startsWith("\r\n")) {
      const line = until("\r\n")
      take("\r\n")
      const header = /^([A-Za-z-]+): ([\t\u0020-\u007e\u0080-\u00ff]*)$/.exec(line)
      if (header === null) return assert.fail(`${JSON.stringify(line)} is no header`)
      headers.push([header[1]!, header[2]!])
    }
    take("\r\n")
    parts.push({ headers, content: until(`\r\n--${boundary}`) })
    take(`\r\n--${boundary}`)
  }
  take("--\r\n")
  assert.strictEqual(rest, "", "nothing follows the end")
  return parts
}

describe("names and types of uploads", () => {
  it.live("make exactly the intended parts and headers, or are rejected", () =>
    Effect.gen(function*() {
      let refused = 0
      const types = [
        "text/plain",
        "text/plain; charset=utf-8",
        "image/png;a=\"b;c\"",
        "x",
        "",
        "a/b; c",
        "a/b; c=\"d",
        "é/b"
      ]
      const seeds = size(150, 500)
      for (let seed = 1; seed <= seeds; seed++) {
        const draw = Random.make(seed)
        const files = Array.from({ length: draw.int(1, 4) }, () => ({
          filename: anyName(draw),
          contentType: draw.chance(0.5) ? undefined : draw.chance(0.7) ? draw.pick(types) : anyName(draw),
          content: draw.pick(["x", "\r\n--canvas-runs\r\n\r\n", "\u0000", "🙂", "--", "\r\n"])
        }))
        const inputs = files.map(({ content, contentType, filename }): FileInput.FileInput => {
          const data = new TextEncoder().encode(content)
          switch (draw.int(0, 3)) {
            case 0:
              return { data: new Blob([data]), filename, contentType }
            case 1:
              return { data: Stream.make(data), size: data.length, filename, contentType }
            default:
              return { data, filename, contentType }
          }
        })
        const prompt = `p${anyName(draw)}`
        const context = `seed ${seed}: ${JSON.stringify(files)}`
        const { body, contentType, exit } = yield* sent({ prompt, files: inputs })
        if (body === undefined) {
          assert.strictEqual(check(exit, context), "failure")
          refused++
          continue
        }
        assert.isTrue(Exit.isSuccess(exit), context)
        const [promptPart, ...fileParts] = parseStrictly(body, contentType ?? "")
        assert.deepStrictEqual(promptPart, {
          headers: [["Content-Disposition", "form-data; name=\"prompt\""]],
          content: latinOf(prompt)
        }, context)
        assert.strictEqual(fileParts.length, files.length, context)
        fileParts.forEach(({ content, headers }, index) => {
          const file = files[index]!
          assert.strictEqual(content, latinOf(file.content), context)
          assert.deepStrictEqual(headers.map(([name]) => name), ["Content-Disposition", "Content-Type"], context)
          const filename = /^form-data; name="files"; filename="([^"]+)"$/.exec(headers[0]![1])?.[1]
          assert.isDefined(filename, context)
          assert.notMatch(filename!, /[/\\]/, context)
          if (file.contentType !== undefined) assert.strictEqual(headers[1]![1], latinOf(file.contentType), context)
        })
      }
      assert.isAbove(refused, seeds / 10)
      assert.isBelow(refused, seeds * 4 / 5)
    }))

  for (const contentType of ["text/plain;\r\n\r\nx=y", "text/plain\r\n;x=y", "text/plain;\nX-Evil=\"a: b\""]) {
    it.live(`the content type ${JSON.stringify(contentType)} is rejected`, () =>
      Effect.gen(function*() {
        const { body, exit } = yield* sent({
          prompt: "x",
          files: [{ data: new Uint8Array([97]), filename: "a.txt", contentType }]
        })
        assert.isUndefined(body)
        assert.strictEqual(check(exit, contentType), "failure")
      }))
  }

  it.live("a content type with a NUL is rejected", () =>
    Effect.gen(function*() {
      const { body } = yield* sent({
        prompt: "x",
        files: [{ data: new Uint8Array([97]), filename: "a.txt", contentType: "text/plain; a=\"\u0000\"" }]
      })
      assert.isUndefined(body)
    }))

  it.live("names and values of forwarded headers cannot add other headers", () =>
    Effect.gen(function*() {
      for (let seed = 1; seed <= size(60, 200); seed++) {
        const draw = Random.make(seed)
        const name = anyName(draw)
        const value = anyName(draw)
        let headers: Readonly<Record<string, string>> | undefined
        const { client } = answering(({ request }) => {
          headers = request.headers
          return Response.json({ id: "1", status: "created" })
        })
        const { tela } = yield* tryingOnce(client)
        const exit = yield* Effect.exit(
          tela.canvas.make({ id: "1" }).execute({}, { async: true, forwardHeaders: { [name]: value } })
        )
        const context = `seed ${seed}: ${JSON.stringify([name, value])}`
        check(exit, context)
        if (headers === undefined) continue
        const forwarded = Object.entries(headers).filter(([name]) => name.startsWith("x-tela-forward-"))
        assert.strictEqual(forwarded.length, 1, context)
        assert.match(forwarded[0]![0], /^[\w!#$%&'*+.^`|~-]+$/, context)
        assert.match(forwarded[0]![1], /^[\t\u0020-\u007e]*$/, context)
      }
    }))
})

// --- downloads ---

const withFolder = <A, E, R>(use: (root: string) => Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "canvas-runs-hostile-"))),
    use,
    (root) => Effect.sync(() => rmSync(root, { recursive: true, force: true }))
  )

const contentOf = (index: number) => `content of ${index}`

/** A run whose artifacts have these names. */
const runWith = (names: ReadonlyArray<string>): Spine.CompletedRun => ({
  status: "completed",
  run_id: runId,
  canvas_id: "c",
  duration_ms: 1,
  metadata: { template_used: "auto", models_used: [], credits_consumed: 0 },
  result: {
    final_output: "",
    artifacts: names.map((name, index) => ({
      id: String(index),
      type: "png",
      name,
      download_url: `https://files.example/${index}`,
      size_bytes: contentOf(index).length
    }))
  }
})

const serving = answering(({ url }) => new Response(contentOf(Number(url.pathname.slice(1))))).client

/** Downloads all of them, and returns the content of each file. Each must be a plain file directly inside the folder. */
const download = (root: string, names: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const folder = join(root, "inside")
    const { spine } = yield* tryingOnce(serving)
    const written = yield* spine.artifacts.toDirectory(runWith(names), folder)
    assert.deepStrictEqual(readdirSync(root), ["inside"])
    const found = readdirSync(folder)
    for (const name of found) assert.isTrue(statSync(join(folder, name)).isFile(), name)
    return { found, written, folder }
  }).pipe(Effect.provide(NodeFileSystem.layer))

describe("names of artifacts", () => {
  it.live("give one file each, inside the folder", () =>
    Effect.gen(function*() {
      for (let seed = 1; seed <= size(20, 60); seed++) {
        const draw = Random.make(seed)
        const names = Array.from({ length: draw.int(1, 8) }, () => anyWholeName(draw))
        // Equal names, and names that differ only in case
        if (draw.chance(0.5)) names.push(names[0]!, names[0]!.toUpperCase())
        const context = `seed ${seed}: ${JSON.stringify(names)}`
        yield* withFolder((root) =>
          Effect.gen(function*() {
            const { folder, found, written } = yield* download(root, names)
            assert.strictEqual(found.length, names.length, context)
            written.forEach(({ path }, index) => {
              assert.isTrue(path.startsWith(`${folder}/`), context)
              assert.strictEqual(readFileSync(path, "utf8"), contentOf(index), context)
            })
            for (const name of found) {
              // oxlint-disable-next-line no-control-regex -- they must not be there
              assert.notMatch(name, /[\u0000-\u001f\u007f<>:"|?*\\]|^\.|[. ]$/, context)
            }
          })
        )
      }
    }))

  it.live("of the vault, and names that a caller passes, stay inside the folder too", () =>
    Effect.gen(function*() {
      for (let seed = 1; seed <= 60; seed++) {
        const draw = Random.make(seed)
        const name = anyWholeName(draw)
        const context = `seed ${seed}: ${JSON.stringify(name)}`
        const { client } = answering(({ url }) =>
          url.pathname.startsWith("/_services")
            ? Response.json({ url: "https://files.example/x", metadata: { id: "1", originalFileName: name } })
            : new Response("x")
        )
        yield* withFolder((root) =>
          Effect.gen(function*() {
            const { tela } = yield* tryingOnce(client)
            const directory = join(root, "inside")
            const path = yield* tela.vault.toFile(`vault://${runId}`, { directory })
            const other = yield* tela.vault.toFile(`vault://${runId}`, { directory, filename: `${name}2` })
            assert.deepStrictEqual(readdirSync(root), ["inside"], context)
            assert.deepStrictEqual(
              readdirSync(directory).sort(),
              [...new Set([path, other])].map((path) => path.slice(directory.length + 1)).sort(),
              context
            )
          }).pipe(Effect.provide(NodeFileSystem.layer))
        )
      }
    }))

  it.live("leave no file behind when the download breaks off", () =>
    Effect.gen(function*() {
      const cut = answering(() => new Response("x")).client
      for (let seed = 1; seed <= 20; seed++) {
        const name = anyWholeName(Random.make(seed))
        yield* withFolder((root) =>
          Effect.gen(function*() {
            const { spine } = yield* tryingOnce(cut)
            const exit = yield* Effect.exit(spine.artifacts.toDirectory(runWith([name]), join(root, "inside")))
            assert.strictEqual(check(exit, name), "failure")
            assert.deepStrictEqual(readdirSync(join(root, "inside")), [])
          }).pipe(Effect.provide(NodeFileSystem.layer))
        )
      }
    }))

  for (
    const [what, name] of [["Cyrillic", "п".repeat(150)], ["Japanese", "報".repeat(90)], ["emoji", "🙂".repeat(70)]]
  ) {
    it.live(`a long name in ${what} can be written`, () =>
      withFolder((root) =>
        Effect.map(download(root, [`${name}.png`]), ({ found }) => assert.strictEqual(found.length, 1))
      ))
  }

  it.live("long names that are equal get different files", () =>
    withFolder((root) =>
      Effect.gen(function*() {
        const long = `ab${"x".repeat(198)}`
        const { found } = yield* download(root, [long, long, `${long.slice(2)}-2`])
        assert.strictEqual(found.length, 3)
      })
    ))

  it.live("names that differ in half a character are two files", () =>
    withFolder((root) =>
      Effect.map(download(root, ["a\ud800", "a\ud801"]), ({ found }) => assert.strictEqual(found.length, 2))
    ))
})
