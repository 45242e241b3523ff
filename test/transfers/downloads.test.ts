/** Downloads of files with the faults of a provider and its file store. */
import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, PlatformError, Redacted, Stream } from "effect"
import { FetchHttpClient, HttpClient } from "effect/http"
import { execFileSync } from "node:child_process"
import type { RequestListener } from "node:http"
import { createServer } from "node:net"
import { gzipSync } from "node:zlib"
import { Artifact, RunError, Spine } from "canvas-runs"
import { type Behaviour, makeStore, optionsOn, part, type Received, sourceOf } from "../support/fileStore.ts"
import { serve } from "../support/servers.ts"
import { answering } from "../support/http.ts"
import { text } from "../support/bytes.ts"
import { transports } from "../support/transports.ts"

const content = "0123456789abcdefghij"

/** The three ways to read, each as text. */
const ways = {
  bytes: (options: Artifact.Options, source: Artifact.ArtifactSource) =>
    Effect.map(Artifact.bytes(options, source), text),
  stream: (options: Artifact.Options, source: Artifact.ArtifactSource) =>
    Stream.mkString(Stream.decodeText(Artifact.stream(options, source))),
  toFile: (options: Artifact.Options, source: Artifact.ArtifactSource) =>
    Effect.scoped(Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped()
      const path = yield* Artifact.toFile(options, source, { directory })
      assert.deepStrictEqual(yield* fs.readDirectory(directory), ["report.txt"])
      return yield* fs.readFileString(path)
    })).pipe(Effect.provide(NodeFileSystem.layer))
} as const

const artifactError = (error: unknown): RunError.ArtifactError => {
  assert.instanceOf(error, RunError.ArtifactError)
  return error
}

const rangesOf = (requests: ReadonlyArray<Received>) => requests.map(({ ifRange, range }) => [range, ifRange])

describe("D9: a download that breaks", () => {
  for (const [name, read] of Object.entries(ways)) {
    it.live(`D9: ${name}: continues from the received bytes, with Range and If-Range`, () =>
      Effect.gen(function*() {
        const { client, requests } = makeStore((request, index) => ({
          ...part(content, request),
          ...(index < 3 ? { breakAfter: 4 } : undefined)
        }))
        assert.strictEqual(yield* read(optionsOn(client), sourceOf({ size: 20 })), content)
        assert.deepStrictEqual(rangesOf(requests), [
          [undefined, undefined],
          ["bytes=4-", "\"v1\""],
          ["bytes=8-", "\"v1\""]
        ])
      }))

    it.live(`D9: ${name}: skips the bytes it has if the server ignores ranges and sends the same version`, () =>
      Effect.gen(function*() {
        const whole = { body: content, headers: { etag: "\"v1\"" } }
        const { client } = makeStore((_, index) => index === 1 ? { ...whole, breakAfter: 7 } : whole)
        assert.strictEqual(yield* read(optionsOn(client), sourceOf()), content)
      }))

    it.live(`D9: ${name}: never mixes two versions`, () =>
      Effect.gen(function*() {
        for (const second of ["\"v2\"", "W/\"v1\"", undefined]) {
          const { client, requests } = makeStore((request, index) =>
            index === 1
              ? { ...part(content, request), breakAfter: 7 }
              : { body: content.toUpperCase(), headers: second === undefined ? {} : { etag: second } }
          )
          const outcome = read(optionsOn(client), sourceOf())
          if (name === "stream") {
            const error = artifactError(yield* Effect.flip(outcome))
            assert.deepStrictEqual([error.reason, error.isRetryable, error.receivedBytes], ["interrupted", true, 7])
            assert.include(error.message, "changed")
          } else {
            assert.strictEqual(yield* outcome, content.toUpperCase())
          }
          assert.strictEqual(requests.length, 2)
        }
      }))

    it.live(`D9: ${name}: does not continue with a weak ETag, nor without one`, () =>
      Effect.gen(function*() {
        for (const headers of [{ etag: "W/\"v1\"" }, { etag: "v1" }, undefined]) {
          const whole: Behaviour = { body: content, ...(headers === undefined ? undefined : { headers }) }
          const { client, requests } = makeStore((_, index) => index === 1 ? { ...whole, breakAfter: 7 } : whole)
          const outcome = read(optionsOn(client), sourceOf())
          if (name === "stream") {
            assert.strictEqual(artifactError(yield* Effect.flip(outcome)).reason, "interrupted")
            assert.strictEqual(requests.length, 1)
          } else {
            assert.strictEqual(yield* outcome, content)
            assert.strictEqual(requests.length, 2)
          }
          assert.isTrue(requests.every(({ ifRange, range }) => range === undefined && ifRange === undefined))
        }
      }))

    for (
      const [what, contentRange, etag] of [
        ["begins elsewhere", "bytes 6-19/20", "\"v1\""],
        ["is of a file of another size", "bytes 7-20/21", "\"v1\""],
        ["is of another version", "bytes 7-19/20", "\"v2\""],
        ["does not name its range", "bytes */20", "\"v1\""]
      ] as const
    ) {
      it.live(`D9: ${name}: rejects a part that ${what}`, () =>
        Effect.gen(function*() {
          const { client } = makeStore((request, index) =>
            index === 1
              ? { ...part(content, request), breakAfter: 7 }
              : request.range === undefined
              ? part(content, request)
              : { status: 206, body: "x".repeat(13), headers: { "content-range": contentRange, etag } }
          )
          const outcome = read(optionsOn(client), sourceOf())
          if (name === "stream") {
            assert.strictEqual(artifactError(yield* Effect.flip(outcome)).reason, "interrupted")
          } else assert.strictEqual(yield* outcome, content)
        }))
    }

    it.live(`D9: ${name}: continues within a file that is larger than a buffer`, () =>
      Effect.gen(function*() {
        const large = "0123456789abcdef".repeat(200_000)
        const { client, requests } = makeStore((request, index) => ({
          ...part(large, request),
          ...(index === 1 ? { breakAfter: 1_500_001 } : index === 2 ? { breakAfter: 1 } : undefined)
        }))
        // One retry, and two interruptions: the first attempt made progress
        assert.isTrue((yield* read(optionsOn(client, 1), sourceOf({ size: large.length }))) === large)
        assert.deepStrictEqual(requests.map(({ range }) => range), [undefined, "bytes=1500001-", "bytes=1500002-"])
      }))
  }

  it.live("D9: continues without a retry while the server sends the rest in parts", () =>
    Effect.gen(function*() {
      const size = 64 * 1024
      const large = "0123456789abcdef".repeat(16 * 1024)
      const { client, requests } = makeStore((request, index) => {
        const whole = part(large, request)
        const first = index === 1 ? 0 : Number(/\d+/.exec(request.range ?? "")?.[0])
        return index === 1 ? { ...whole, breakAfter: size } : {
          ...whole,
          body: large.slice(first, first + size),
          headers: { ...whole.headers, "content-range": `bytes ${first}-${first + size - 1}/${large.length}` }
        }
      })
      const read = Artifact.bytes(optionsOn(client, 0), sourceOf({ size: large.length }))
      assert.strictEqual((yield* read).length, large.length)
      assert.strictEqual(requests.length, large.length / size)
    }))

  it.live("D9: continues with a fresh link if the old one has expired meanwhile", () =>
    Effect.gen(function*() {
      const { client, requests } = makeStore((request, index) =>
        index === 2
          ? { status: 403 }
          : { ...part(content, request), ...(index === 1 ? { breakAfter: 5 } : undefined) }
      )
      assert.strictEqual(yield* ways.stream(optionsOn(client), sourceOf()), content)
      assert.deepStrictEqual(requests.map(({ range, url }) => [new URL(url).pathname, range]), [
        ["/report.txt", undefined],
        ["/report.txt", "bytes=5-"],
        ["/fresh", "bytes=5-"]
      ])
    }))

  it.live("D9: is complete if it broke after its last byte", () =>
    Effect.gen(function*() {
      const { client } = makeStore((request, index) =>
        index === 1
          ? { ...part(content, request), breakAfter: 20 }
          : { status: 416, headers: { "content-range": "bytes */20" } }
      )
      assert.strictEqual(yield* ways.stream(optionsOn(client), sourceOf({ size: 20 })), content)
    }))

  it.live("D9: starts again if the file has become shorter", () =>
    Effect.gen(function*() {
      const { client } = makeStore((request, index) =>
        index === 1
          ? { ...part(content, request), breakAfter: 15 }
          : request.range === undefined
          ? part("0123", request, "\"v2\"")
          : { status: 416, headers: { "content-range": "bytes */4" } }
      )
      assert.strictEqual(yield* ways.bytes(optionsOn(client), sourceOf()), "0123")
    }))

  for (const [name, client] of transports) {
    it.live(`D9: continues over a socket through ${name}`, () =>
      Effect.scoped(Effect.gen(function*() {
        const large = Buffer.alloc(300_000, "0123456789abcdef")
        const seen: Array<unknown> = []
        const { baseUrl } = yield* serve((request, response) => {
          seen.push(request.headers.range)
          const first = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0)
          response.writeHead(first > 0 ? 206 : 200, {
            etag: "\"v1\"",
            "content-length": large.length - first,
            ...(first > 0 ? { "content-range": `bytes ${first}-${large.length - 1}/${large.length}` } : undefined)
          })
          if (seen.length < 3) {
            return void response.write(large.subarray(first, first + 100_000), () => response.socket!.destroySoon())
          }
          response.end(large.subarray(first))
        })
        const options = optionsOn(yield* HttpClient.HttpClient)
        const bytes = yield* Artifact.bytes(options, sourceOf({ url: `${baseUrl}/file`, size: large.length }))
        assert.isTrue(large.equals(bytes))
        assert.strictEqual(seen.length, 3)
        assert.isTrue(seen.slice(1).every((range) => typeof range === "string"), String(seen))
      })).pipe(Effect.provide(client)))
  }
})

describe("D8: a signed link that has expired", () => {
  for (
    const [store, status, body] of [
      ["S3", 400, "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"],
      ["S3", 403, "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"],
      ["GCS", 400, "<Error><Code>ExpiredToken</Code><Message>Invalid argument.</Message></Error>"],
      ["Azure", 403, "<Error><Code>AuthenticationFailed</Code></Error>"],
      ["a gateway", 401, ""],
      ["a store that has deleted the link", 404, ""],
      ["a store that reports the expiry", 410, ""]
    ] as const
  ) {
    it.live(`D8: is replaced once after ${status} of ${store}`, () =>
      Effect.gen(function*() {
        for (const isCured of [true, false]) {
          const { client, requests } = makeStore((request) =>
            isCured && request.url.includes("/fresh") ? { body: content } : { status, body }
          )
          const outcome = yield* Effect.result(ways.bytes(optionsOn(client), sourceOf()))
          if (isCured) assert.deepInclude(outcome, { _tag: "Success", success: content })
          else {
            const error = artifactError(outcome._tag === "Failure" ? outcome.failure : undefined)
            assert.deepStrictEqual([error.reason, error.status, error.isRetryable], ["expired", status, false])
            assert.notInclude(JSON.stringify(error), "signature")
          }
          assert.deepStrictEqual(requests.map(({ url }) => new URL(url).pathname), ["/report.txt", "/fresh"])
        }
      }))
  }

  it.live("B3: is replaced with a client that fails on every status that is not a success", () =>
    Effect.gen(function*() {
      const { client } = makeStore((request) => request.url.includes("/fresh") ? { body: content } : { status: 403 })
      const options = optionsOn(HttpClient.filterStatusOk(client))
      assert.strictEqual(yield* ways.bytes(options, sourceOf()), content)
    }))
})

describe("D5: a file that its server compresses", () => {
  const compressed = gzipSync(content.repeat(100))
  for (const [name, client] of [["fetch", FetchHttpClient.layer]] as const) {
    it.live(`D5: is read through ${name} with any announced size`, () =>
      Effect.scoped(Effect.gen(function*() {
        const { baseUrl } = yield* serve((_, response) =>
          response.writeHead(200, { "content-encoding": "gzip", "content-length": compressed.length }).end(compressed)
        )
        const options = optionsOn(yield* HttpClient.HttpClient)
        for (const size of [compressed.length, 2000, undefined]) {
          for (const read of Object.values(ways)) {
            assert.strictEqual(yield* read(options, sourceOf({ url: `${baseUrl}/a`, size })), content.repeat(100))
          }
        }
      })).pipe(Effect.provide(client)))
  }

  it.live("D5: is requested as a whole when it breaks, because compressed positions are not positions in the file", () =>
    Effect.gen(function*() {
      const headers = { etag: "\"v1\"", "content-encoding": "br" }
      const { client, requests } = makeStore((_, index) => ({
        body: content,
        headers,
        ...(index === 1 ? { breakAfter: 7 } : undefined)
      }))
      assert.strictEqual(yield* ways.stream(optionsOn(client), sourceOf({ size: 3 })), content)
      assert.deepStrictEqual(rangesOf(requests), [[undefined, undefined], [undefined, undefined]])
    }))
})

describe("a server that sends something other than the file", () => {
  const failing = (behaviour: Behaviour, source: Partial<Artifact.ArtifactSource> = {}) =>
    Effect.gen(function*() {
      const { client } = makeStore(() => behaviour)
      return artifactError(yield* Effect.flip(ways.bytes(optionsOn(client, 0), sourceOf(source))))
    })

  it.live("fewer or more bytes than announced are an error about the size", () =>
    Effect.gen(function*() {
      for (const length of ["21", "19"]) {
        const error = yield* failing({ body: content, headers: { "content-length": length } })
        assert.deepStrictEqual([error.reason, error.expectedBytes, error.receivedBytes, error.isRetryable], [
          "size",
          Number(length),
          20,
          length === "21"
        ])
      }
    }))

  it.live("a part that was not requested, or no content, is not the file", () =>
    Effect.gen(function*() {
      const headers = { "content-range": "bytes 0-9/20" }
      assert.strictEqual((yield* failing({ status: 206, body: content.slice(0, 10), headers })).reason, "unavailable")
      assert.strictEqual((yield* failing({ status: 204 })).status, 204)
      assert.strictEqual((yield* failing({ status: 202, body: "soon" })).status, 202)
      assert.strictEqual((yield* failing({ status: 416 })).status, 416)
    }))

  it.live("a page of HTML is not the file, unless the file is HTML", () =>
    Effect.gen(function*() {
      const page: Behaviour = {
        body: "<title>Sign in</title>",
        headers: { "content-type": "text/html; charset=utf-8" }
      }
      for (const source of [{}, { size: 20 }, { name: "a", contentType: "application/pdf" }, { name: "REPORT.PDF" }]) {
        const error = yield* failing(page, source)
        assert.deepStrictEqual([error.reason, error.status], ["unavailable", 200])
        assert.include(error.message, "HTML")
      }
      for (const source of [{ name: "a.html" }, { name: "a", contentType: "text/html" }, { name: "a" }]) {
        assert.include(yield* ways.bytes(optionsOn(makeStore(() => page).client), sourceOf(source)), "Sign in")
      }
      const mistaken = { ...page, headers: { ...page.headers, "content-length": "22" } }
      assert.include(yield* ways.bytes(optionsOn(makeStore(() => mistaken).client), sourceOf({ size: 22 })), "Sign in")
    }))

  it.live("an empty file is accepted", () =>
    Effect.gen(function*() {
      for (const read of Object.values(ways)) {
        assert.strictEqual(yield* read(optionsOn(makeStore(() => ({})).client), sourceOf()), "")
        assert.strictEqual(yield* read(optionsOn(makeStore(() => ({})).client), sourceOf({ size: 0 })), "")
      }
    }))
})

describe("links", () => {
  it.live("E4: a path is resolved against the base URL, below its prefix", () =>
    Effect.gen(function*() {
      for (
        const [baseUrl, url, expected] of [
          ["https://api.example", "/v1/artifacts/a", "https://api.example/v1/artifacts/a"],
          ["https://gateway.example/spine/", "/v1/artifacts/a?x=1", "https://gateway.example/spine/v1/artifacts/a?x=1"],
          ["https://gateway.example/spine", "/spine/v1/a", "https://gateway.example/spine/v1/a"],
          ["https://api.example/v1", "//files.example/a", "https://files.example/a"],
          ["https://api.example", "v1/artifacts/a", "https://api.example/v1/artifacts/a"],
          ["https://gateway.example/spine", "spine/v1/a", "https://gateway.example/spine/v1/a"]
        ] as const
      ) {
        const { client, requests } = makeStore(() => ({ body: content }))
        const options = { ...optionsOn(client), baseUrl: new URL(baseUrl) }
        assert.strictEqual(yield* ways.bytes(options, sourceOf({ url })), content)
        assert.strictEqual(requests[0]!.url, expected)
      }
    }))

  it.live("E4: a link that is neither an address nor a path, or has a password, is rejected without a request", () =>
    Effect.gen(function*() {
      for (
        const url of [
          "",
          "?a=b",
          "file:///etc/passwd",
          "http://",
          "https://planted-user:planted-password@files.example/a"
        ]
      ) {
        const { client, requests } = makeStore(() => ({ body: content }))
        const error = artifactError(yield* Effect.flip(ways.bytes(optionsOn(client), sourceOf({ url }))))
        assert.strictEqual(error.reason, "unavailable")
        assert.notInclude(JSON.stringify(error), "planted")
        assert.deepStrictEqual(requests, [])
      }
    }))

  for (
    const [runtime, cause] of [
      [
        "Deno",
        (url: string) => new TypeError(`error sending request for url (${url}): tcp connect error (os error 111)`)
      ],
      ["Bun", (url: string) =>
        Object.assign(new Error("Unable to connect. Is the computer able to access the url?"), {
          path: url,
          code: "ConnectionRefused"
        })],
      [
        "Node",
        (url: string) => new TypeError("Request cannot be constructed", { cause: new TypeError(`Invalid URL: ${url}`) })
      ],
      ["a client that shows the path", (url: string) => {
        const { pathname, search } = new URL(url)
        return new Error(`GET ${pathname}${search} failed; query ${search}`)
      }]
    ] as const
  ) {
    it.live(`E6: no error of ${runtime} shows a signed link`, () =>
      Effect.gen(function*() {
        const { client } = answering(({ url }) => cause(url.href))
        const error = artifactError(yield* Effect.flip(ways.bytes(optionsOn(client, 0), sourceOf())))
        assert.strictEqual(error.reason, "unavailable")
        assert.isTrue(error.isRetryable)
        const shown = [
          error.message,
          error.stack,
          JSON.stringify(error),
          String(error.cause),
          JSON.stringify({ ...error })
        ]
        for (const text of shown) assert.notMatch(String(text), /planted-signature|files\.example/)
        const { cause: kept } = error
        assert.notMatch(JSON.stringify(Object.getOwnPropertyDescriptors(kept)), /planted-signature/)
        assert.instanceOf(kept, Error)
      }))
  }
})

describe("redirects of a download", () => {
  const key = "sk_spine_redirected"

  /** Reads an artifact through a client of the provider, with two servers whose responses the function decides. */
  const reading = (
    behave: (path: string, origins: { readonly own: string; readonly other: string }) => {
      readonly status: number
      readonly location?: string
    } | undefined
  ) =>
    Effect.gen(function*() {
      const origins = { own: "", other: "" }
      const seen: Array<string> = []
      const keys: Array<unknown> = []
      const handler: RequestListener = (request, response) => {
        seen.push(request.url!)
        keys.push(request.headers["x-api-key"], request.headers.authorization, request.headers.cookie)
        const { location, status } = behave(request.url!, origins) ?? { status: 200 }
        response.writeHead(status, location === undefined ? {} : { location })
          .end(status === 200 ? content : "a body of a redirect".repeat(1000))
      }
      const [own, other] = [yield* serve(handler), yield* serve(handler)]
      Object.assign(origins, { own: own.baseUrl, other: other.baseUrl })
      const read = Effect.provide(
        Spine.SpineClient.use((spine) =>
          Effect.map(
            spine.artifacts.download("6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11", {
              id: "a",
              type: "txt",
              name: "a.txt",
              download_url: "/start?signature=planted-signature"
            }),
            text
          )
        ),
        Spine.layer({ apiKey: Redacted.make(key), baseUrl: own.baseUrl })
      )
      return { read, seen, keys }
    })

  for (const [name, client] of transports) {
    it.live(`are followed ten times through ${name}, also to other hosts, which get no key`, () =>
      Effect.scoped(Effect.gen(function*() {
        const { keys, read, seen } = yield* reading((path, { other, own }) => {
          const count = Number(/^\/(\d+)/.exec(path)?.[1] ?? 0)
          const status = [301, 302, 303, 307, 308][count % 5]!
          return count === 10
            ? undefined
            : { status, location: `${["", own, other][count % 3]}/${count + 1}?signature=planted-signature` }
        })
        assert.strictEqual(yield* read, content)
        assert.strictEqual(seen.length, 11)
        assert.isTrue(keys.every((key) => key === undefined))
      })).pipe(Effect.provide(client)))

    for (
      const [what, requests, says, behave] of [
        [
          "more than ten",
          11,
          "It leads to more than 10 redirects.",
          (path: string) => ({ status: 302, location: `/x${path}` })
        ],
        [
          "a circle",
          11,
          "It leads to more than 10 redirects, in a circle.",
          (path: string) => ({ status: 307, location: path })
        ],
        ["one without a location", 1, "redirects with 302, without a location", () => ({ status: 302 })],
        ...["javascript:alert(1)", "data:text/plain,planted-signature", "ftp://files.example/planted-signature"].map((
          location
        ) =>
          [
            `one to ${location}`,
            1,
            "redirects with 301, and its location is neither an http address nor a path",
            () => ({ status: 301, location })
          ] as const
        ),
        [
          "one to an address with a password",
          1,
          "redirects with 303, and its location contains a user name or a password",
          (_: string, { other }: { readonly other: string }) => ({
            status: 303,
            location: other.replace("//", "//planted-signature:planted-signature@")
          })
        ]
      ] as const
    ) {
      it.live(`with ${what} through ${name} are an error that says so, and are not repeated`, () =>
        Effect.scoped(Effect.gen(function*() {
          const { read, seen } = yield* reading(behave)
          const error = artifactError(yield* Effect.flip(read))
          assert.deepStrictEqual([error.reason, error.isRetryable], ["unavailable", false])
          assert.include(error.message, says)
          assert.notInclude(JSON.stringify(error), "planted-signature")
          assert.strictEqual(seen.length, requests)
        })).pipe(Effect.provide(client)))
    }
  }

  it.live("are followed by a browser itself, which hides their target", () =>
    Effect.gen(function*() {
      const modes: Array<unknown> = []
      const browser = Layer.provide(
        FetchHttpClient.layer,
        Layer.succeed(
          FetchHttpClient.Fetch,
          ((_: URL, { redirect }: RequestInit) => {
            modes.push(redirect)
            return Promise.resolve(
              redirect === "manual"
                ? Response.error()
                : new Response(content)
            )
          }) as never
        )
      )
      const read = Effect.flatMap(
        HttpClient.HttpClient,
        (client) => ways.bytes(optionsOn(client), sourceOf())
      )
      assert.strictEqual(yield* Effect.provide(read, browser), content)
      assert.deepStrictEqual(modes, ["manual", undefined])
    }))
})

describe("E3: a file system that fails", () => {
  for (
    const [code, says] of [
      ["ENOSPC", "disk is full"],
      ["EDQUOT", "disk is full"],
      ["EROFS", "read-only"],
      ["EACCES", "permissions"],
      ["ENAMETOOLONG", "too long"],
      ["ENOTDIR", "same name"]
    ] as const
  ) {
    it.live(`E3: with ${code} is an error that names the code and gives advice`, () =>
      Effect.gen(function*() {
        const failure = Effect.fail(PlatformError.systemError({
          _tag: "Unknown",
          module: "FileSystem",
          method: "writeAll",
          cause: Object.assign(new Error(code), { code })
        }))
        for (const at of ["makeDirectory", "open", "rename"] as const) {
          const layer = Layer.effect(
            FileSystem.FileSystem,
            Effect.map(FileSystem.FileSystem, (fs) => ({ ...fs, [at]: () => failure }))
          ).pipe(Layer.provide(NodeFileSystem.layer))
          const error = artifactError(
            yield* Effect.scoped(Effect.gen(function*() {
              const fs = yield* FileSystem.FileSystem
              const directory = yield* fs.makeTempDirectoryScoped()
              const options = optionsOn(makeStore(() => ({ body: content })).client)
              return yield* Effect.flip(Artifact.toFile(options, sourceOf(), { directory }))
            })).pipe(Effect.provide(layer))
          )
          assert.deepStrictEqual([error.reason, error.isRetryable], ["write", false])
          assert.include(error.message, says)
          assert.include(error.message, code)
        }
      }))
  }
})

describe("an existing entry at the path of a download", () => {
  const writing = (options: Artifact.Options, directory: string) =>
    Effect.flip(Artifact.toFile(options, sourceOf(), { directory }))

  it.live("a folder, a pipe, a device or a socket is not replaced, and the error says what it is", () =>
    Effect.scoped(Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped()
      const path = `${directory}/report.txt`
      const server = createServer()
      yield* Effect.addFinalizer(() => Effect.sync(() => server.close()))
      const obstacles: ReadonlyArray<readonly [string, Effect.Effect<unknown, unknown>]> = [
        ["a folder", fs.makeDirectory(path)],
        ["a folder", Effect.andThen(fs.makeDirectory(path), fs.writeFileString(`${path}/x`, "x"))],
        ["a folder", fs.symlink(directory, path)],
        ["a device", fs.symlink("/dev/null", path)],
        ["a named pipe", Effect.sync(() => execFileSync("sh", ["-c", "mkfifo \"$0\"", path]))],
        ["a socket", Effect.callback<void>((resume) => void server.listen(path, () => resume(Effect.void)))]
      ]
      for (const [what, make] of obstacles) {
        yield* make
        const { client, requests } = makeStore(() => ({ body: content }))
        const error = artifactError(yield* writing(optionsOn(client), directory))
        assert.deepStrictEqual([error.reason, error.isRetryable], ["write", false])
        assert.include(error.message, `${path} is there already, and is ${what}. Only a file is replaced`)
        assert.deepStrictEqual(requests, [])
        assert.deepStrictEqual(yield* fs.readDirectory(directory), ["report.txt"])
        yield* fs.remove(path, { recursive: true })
      }
    })).pipe(Effect.provide(NodeFileSystem.layer)))

  it.live("a file is replaced, and so is a link, but not the target of the link", () =>
    Effect.scoped(Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped()
      const path = `${directory}/report.txt`
      const other = yield* fs.makeTempFileScoped()
      yield* fs.writeFileString(other, "other")
      for (
        const make of [fs.writeFileString(path, "before"), fs.symlink(other, path), fs.symlink(`${path}.none`, path)]
      ) {
        yield* make
        const options = optionsOn(makeStore(() => ({ body: content })).client)
        assert.strictEqual(yield* Artifact.toFile(options, sourceOf(), { directory }), path)
        assert.strictEqual(yield* fs.readFileString(path), content)
        assert.strictEqual(yield* fs.readFileString(other), "other")
        yield* fs.remove(path)
      }
    })).pipe(Effect.provide(NodeFileSystem.layer)))

  it.live("a folder that cannot be made is reported with the reason of its nearest parent", () =>
    Effect.gen(function*() {
      const made: Array<unknown> = []
      const failing = (code: string, _tag: "AlreadyExists" | "NotFound" | "Unknown") =>
        Effect.fail(PlatformError.systemError({
          _tag,
          module: "FileSystem",
          method: "makeDirectory",
          cause: Object.assign(new Error(code), { code })
        }))
      const missing = failing("ENOENT", "NotFound")
      for (
        const [reason, says, tried] of [
          [failing("EROFS", "Unknown"), "The file system is read-only (EROFS)", ["/ro/a/b", "/ro/a"]],
          [missing, "Check that its nearest parent that exists may be written to", ["/ro/a/b", "/ro/a", "/ro"]]
        ] as const
      ) {
        const layer = Layer.effect(
          FileSystem.FileSystem,
          Effect.map(FileSystem.FileSystem, (fs): FileSystem.FileSystem => ({
            ...fs,
            makeDirectory: (path) => {
              made.push(path)
              return path === "/ro/a/b" ? missing : path === "/ro/a" ? reason : failing("EEXIST", "AlreadyExists")
            }
          }))
        ).pipe(Layer.provide(NodeFileSystem.layer))
        const options = optionsOn(makeStore(() => ({ body: content })).client)
        const error = artifactError(yield* Effect.provide(writing(options, "/ro/a/b"), layer))
        assert.strictEqual(error.reason, "write")
        assert.include(error.message, says)
        assert.deepStrictEqual<unknown>(made.splice(0), tried)
      }
    }))

  it.live.skipIf(process.platform !== "linux")(
    "a file system that refuses folders is reported",
    () =>
      Effect.gen(function*() {
        const options = optionsOn(makeStore(() => ({ body: content })).client)
        const error = artifactError(yield* writing(options, "/proc/canvas-runs/files"))
        assert.strictEqual(error.reason, "write")
        assert.include(error.message, "The folder could not be made")
      }).pipe(Effect.provide(NodeFileSystem.layer))
  )
})

describe("an invalid announced size", () => {
  for (const size of [-1, 1.5, NaN, Infinity, 2 ** 60, "3" as never, null as never]) {
    it.live(`of ${String(size)} counts as not announced`, () =>
      Effect.gen(function*() {
        for (const read of Object.values(ways)) {
          const options = optionsOn(makeStore(() => ({ body: content, headers: { "content-length": "20" } })).client, 0)
          assert.strictEqual(yield* read(options, sourceOf({ size })), content)
          const cut = optionsOn(makeStore(() => ({ body: content, headers: { "content-length": "21" } })).client, 0)
          assert.strictEqual(artifactError(yield* Effect.flip(read(cut, sourceOf({ size })))).reason, "size")
        }
      }))
  }
})
