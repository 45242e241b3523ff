/**
 * Every place that accepts a file, a name, a length or a link from the caller or a server. Without its guard, a wrong file would
 * count as the right one, two versions would be mixed, a name would lead outside its folder, or a link would be shown.
 */
import { assert, vi } from "@effect/vitest"
import { Effect, Result, Schedule, Stream } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import { runInNewContext } from "node:vm"
import { Artifact, FileInput, RunError, Spine, Tela } from "canvas-runs"
import * as FileName from "../../src/internal/files/fileName.ts"
import * as Multipart from "../../src/spine/internal/multipart.ts"
import * as Transfer from "../../src/internal/http/transfer.ts"
import { type Behaviour, makeStore, optionsOn, part, type Received, sourceOf } from "../support/fileStore.ts"
import type { Place } from "./kind.ts"
import { clients } from "../support/clients.ts"
import { transportError } from "../support/http.ts"
import { bytes } from "../support/bytes.ts"
import { acceptedRun } from "../support/spine.ts"

const download = "src/internal/download/download.ts"
const open = "src/internal/download/open.ts"
const links = "src/internal/download/link.ts"
const transfer = "src/internal/http/transfer.ts"
const fileName = "src/internal/files/fileName.ts"
const fileInput = "src/FileInput.ts"
const contentFile = "src/internal/files/content.ts"
const uploadFile = "src/internal/files/uploadFile.ts"
const binary = "src/internal/binary.ts"
const telaFile = "src/tela/internal/files.ts"
const telaUpload = "src/tela/internal/uploads.ts"

const content = "0123456789abcdefghij"

// --- downloads ---

/** The bytes of a stream, and its end. Both are returned, also if the stream fails. */
const streamed = (
  behave: (request: Received, index: number) => Behaviour,
  source: Partial<Artifact.ArtifactSource> = {},
  retries = 3
) =>
  Effect.gen(function*() {
    const { client, requests } = makeStore(behave)
    let text = ""
    const result = yield* Effect.result(
      Stream.runForEach(
        Artifact.stream(optionsOn(client, retries), sourceOf(source)),
        (chunk) => Effect.sync(() => void (text += new TextDecoder().decode(chunk)))
      )
    )
    return { text, error: Result.isFailure(result) ? result.failure : undefined, requests }
  })

/** The stream fails with that reason, after these bytes. */
const fails = (
  reason: RunError.ArtifactError["reason"],
  text: string,
  ...args: Parameters<typeof streamed>
) =>
() =>
  Effect.gen(function*() {
    const { error, text: found } = yield* streamed(...args)
    assert.deepStrictEqual([error?.reason, found], [reason, text])
  })

const succeeds = (text: string, ...args: Parameters<typeof streamed>) => () =>
  Effect.gen(function*() {
    const { error, text: found } = yield* streamed(...args)
    assert.deepStrictEqual([error?.message, found], [undefined, text])
  })

/** Breaks after seven bytes, and then sends this response. */
const thenAnswers = (second: Behaviour) => (request: Received, index: number): Behaviour =>
  index === 1 ? { ...part(content, request), breakAfter: 7 } : second

/** Breaks after four bytes, and then answers with the whole file and the same ETag. */
const breaksOnce = (etag: string): Parameters<typeof streamed> => [
  (_, index) => ({ body: content, headers: { etag }, ...(index === 1 ? { breakAfter: 4 } : undefined) })
]

const rest = (headers: Record<string, string>): Behaviour => ({ status: 206, body: "x".repeat(13), headers })

const page = (headers: Record<string, string> = {}): Behaviour => ({
  body: "<title>Sign in</title>",
  headers: { "content-type": "text/html", ...headers }
})

// --- uploads ---

const received = (
  uploadUrl = "https://store.example/a?signature=planted-signature",
  put: () => Response = () => new Response()
) => {
  const requests: Array<string> = []
  const client = HttpClient.make((request, url) =>
    Effect.gen(function*() {
      requests.push(`${request.method} ${url.pathname}`)
      if (request.body._tag === "Stream") {
        yield* Effect.mapError(Stream.runDrain(request.body.stream), (cause) => transportError(request, cause))
      }
      return HttpClientResponse.fromWeb(
        request,
        url.pathname === "/v3/files"
          ? Response.json({ id: "1", uploadUrl })
          : request.method === "PUT"
          ? put()
          : url.pathname === "/v1/run"
          ? Response.json(acceptedRun("1"))
          : Response.json({ id: "1", status: "created" })
      )
    })
  )
  return { requests, client }
}

const with_ = <A, E>(
  { client, requests }: ReturnType<typeof received>,
  use: Effect.Effect<A, E, Spine.SpineClient | Tela.TelaClient>
) =>
  Effect.map(
    Effect.result(use).pipe(
      Effect.provide(clients()),
      Effect.provideService(HttpClient.HttpClient, client)
    ),
    (result) => ({ requests, error: Result.isFailure(result) ? result.failure as unknown : undefined })
  )

const create = (files: unknown) =>
  Effect.flatMap(Spine.SpineClient, (spine) => spine.runs.create({ prompt: "x", files: files as [] }))

const execute = (variables: unknown) =>
  Effect.flatMap(
    Tela.TelaClient,
    (tela) => tela.canvas.make({ id: "1" }).execute(variables as Tela.Variables, { async: true })
  )

/** The value is rejected before any request. */
const isRejected = (use: () => Effect.Effect<unknown, unknown, Spine.SpineClient | Tela.TelaClient>) => () =>
  Effect.gen(function*() {
    const { error, requests } = yield* with_(received(), use())
    assert.instanceOf(error, RunError.BadRequestError)
    assert.deepStrictEqual(requests, [])
  })

/** The upload fails, and nothing is executed. */
const notUploaded = (put: () => Response, uploadUrl?: string) => () =>
  Effect.gen(function*() {
    const data = Stream.make(new Uint8Array(1))
    const { error, requests } = yield* with_(
      received(uploadUrl, put),
      execute({ a: Tela.file({ data, size: 1, filename: "a.txt" }) })
    )
    assert.instanceOf(error, RunError.FileInputError)
    assert.notInclude(JSON.stringify(error), "planted")
    assert.notInclude(requests.join(), "completions")
  })

const unreadable = (file: unknown, reason: RunError.FileInputError["reason"]) => () =>
  Effect.gen(function*() {
    const { error, requests } = yield* with_(received(), create([file]))
    assert.instanceOf(error, RunError.FileInputError)
    assert.deepStrictEqual([error.reason, error.reached, requests], [reason, requests.length > 0, requests])
  })

const content_ = (file: unknown, expected: string) => () =>
  Effect.gen(function*() {
    const { data, size } = yield* FileInput.normalize("test", file as FileInput.FileInput, 1)
    const bytes = data instanceof Uint8Array
      ? data
      : Stream.isStream(data)
      ? yield* Stream.mkUint8Array(data)
      : new Uint8Array(yield* Effect.promise(() => data.arrayBuffer()))
    assert.deepStrictEqual([new TextDecoder().decode(bytes), size], [expected, expected.length])
    assert.strictEqual(Object.prototype.toString.call(bytes.buffer), "[object ArrayBuffer]")
    assert.isNotTrue((bytes.buffer as { readonly resizable?: boolean }).resizable)
  })

const foreign = (code: string): unknown => runInNewContext(code)

const named = (name: string, expected: string) => () =>
  Effect.sync(() => assert.strictEqual(FileName.writable(name, "artifact"), expected))

const distinct = (...names: ReadonlyArray<string>) => () =>
  Effect.sync(() => {
    const keys = FileName.distinct(names, "artifact").map((name) => name.normalize("NFD").toLowerCase().toUpperCase())
    assert.strictEqual(new Set(keys).size, names.length, keys.join(", "))
  })

const link = (url: string, expected: string | undefined, baseUrl = "https://api.example/prefix") => () =>
  Effect.sync(() => {
    const found = Transfer.resolveLink(url, new URL(baseUrl))
    assert.strictEqual(typeof found === "string" ? undefined : found.href, expected)
  })

const clean = (cause: unknown) => () =>
  Effect.sync(() => {
    const { cause: kept, words } = Transfer.cleanCause(cause, "https://store.example/planted-path?key=planted-key")
    assert.notMatch(words + JSON.stringify(Object.getOwnPropertyDescriptors(kept ?? {})), /planted/)
  })

export const places: ReadonlyArray<Place> = [
  {
    name: "downloads: the announced size does not apply to a compressed file",
    mutant: {
      file: open,
      find: "isEncoded ? undefined : sizeOf(source) ?? total",
      replace: "sizeOf(source) ?? total"
    },
    inputs: {
      "zstd, and a size of one byte": succeeds(
        content,
        () => ({ body: content, headers: { "content-encoding": "zstd" } }),
        {
          size: 1
        }
      ),
      "two encodings, and a size larger than the file": succeeds(
        content,
        () => ({ body: content, headers: { "content-encoding": "deflate, gzip" } }),
        { size: 1000 }
      )
    }
  },
  {
    name: "downloads: bytes beyond the announced size are not returned",
    mutant: { file: download, find: "(expected ?? Infinity)", replace: "Infinity" },
    inputs: {
      "one byte too many": fails("size", "", () => ({ body: content }), { size: 19 }),
      "a length of zero": fails("size", "", () => ({ body: content, headers: { "content-length": "0" } }))
    }
  },
  {
    name: "downloads: fewer bytes than announced are an error",
    mutant: {
      file: download,
      find: "skip > 0 || expected !== undefined && download.received !== expected",
      replace: "false"
    },
    inputs: {
      "the size of the artifact": fails("size", content, () => ({ body: content }), { size: 21 }, 0),
      "the length of the response": fails(
        "size",
        content,
        () => ({ body: content, headers: { "content-length": "1000" } }),
        {},
        0
      ),
      "an empty body": fails("size", "", () => ({}), { size: 1 }, 0),
      "the same version, and shorter": fails(
        "size",
        content.slice(0, 7),
        thenAnswers({ body: "012", headers: { etag: "\"v1\"" } }),
        {},
        1
      )
    }
  },
  {
    name: "downloads: a part begins where the bytes end",
    mutant: { file: open, find: "part.first === received", replace: "part.first !== -1" },
    inputs: {
      "a byte too early": fails(
        "interrupted",
        content.slice(0, 7),
        thenAnswers(rest({ "content-range": "bytes 6-19/20" }))
      ),
      "from the beginning": fails(
        "interrupted",
        content.slice(0, 7),
        thenAnswers(rest({ "content-range": "bytes 0-12/20" }))
      )
    }
  },
  {
    name: "downloads: a part is of the same version",
    mutant: { file: open, find: "(etag === undefined || etag === version) &&", replace: "" },
    inputs: {
      "another ETag": fails(
        "interrupted",
        content.slice(0, 7),
        thenAnswers(rest({ "content-range": "bytes 7-19/20", etag: "\"v2\"" }))
      ),
      "an ETag in another case": fails(
        "interrupted",
        content.slice(0, 7),
        thenAnswers(rest({ "content-range": "bytes 7-19/20", etag: "\"V1\"" }))
      )
    }
  },
  {
    name: "downloads: a part is of a file of the same size",
    mutant: {
      file: open,
      find: "total !== undefined && (part.total === undefined || part.total === total)",
      replace: "true"
    },
    inputs: {
      "one byte more": fails(
        "interrupted",
        content.slice(0, 7),
        thenAnswers(rest({ "content-range": "bytes 7-19/21" }))
      ),
      "no size": fails("interrupted", content.slice(0, 7), (_, index) =>
        index === 1
          ? { body: content, headers: { etag: "\"v1\"" }, breakAfter: 7 }
          : rest({ "content-range": "bytes 7-12/*" }))
    }
  },
  {
    name: "downloads: a part of the compressed file is not used as a part of the file",
    mutant: {
      file: open,
      find: "part.first === received && !isCompressed(headers)",
      replace: "part.first === received"
    },
    inputs: {
      "gzip": fails(
        "interrupted",
        content.slice(0, 7),
        thenAnswers(rest({ "content-range": "bytes 7-19/20", "content-encoding": "gzip" }))
      ),
      "br and more": fails(
        "interrupted",
        content.slice(0, 7),
        thenAnswers(rest({ "content-range": "bytes 7-19/20", "content-encoding": "br, identity" }))
      )
    }
  },
  {
    name: "downloads: a whole file instead of a part is skipped only in the same version",
    mutant: { file: open, find: "received > 0 && etag === version", replace: "received > 0" },
    inputs: {
      "another version": fails(
        "interrupted",
        content.slice(0, 7),
        thenAnswers({ body: content, headers: { etag: "\"b\"" } })
      ),
      "a version that is not named": fails("interrupted", content.slice(0, 7), thenAnswers({ body: content }))
    }
  },
  {
    name: "downloads: a weak ETag does not identify a version",
    mutant: { file: open, find: "/^\"[^\"]*\"$/.test(", replace: "/\"/.test(" },
    inputs: {
      "in lower case": fails("interrupted", "0123", ...breaksOnce("w/\"v1\"")),
      "without the opening quote": fails("interrupted", "0123", ...breaksOnce("v1\""))
    }
  },
  {
    name: "downloads: a part that was not requested is an error",
    mutant: {
      file: open,
      find: "if (status === 200) {",
      replace: "if (status === 200 || status === 206) {"
    },
    inputs: {
      "the first half": fails("unavailable", "", () => ({
        status: 206,
        body: "01234",
        headers: { "content-range": "bytes 0-4/10" }
      })),
      "no range": fails("unavailable", "", () => ({ status: 206, body: "01234" }))
    }
  },
  {
    name: "downloads: the file is complete only if it ends with the received bytes",
    mutant: { file: open, find: "part?.total !== received", replace: "false" },
    inputs: {
      "a shorter file": fails(
        "interrupted",
        content.slice(0, 7),
        thenAnswers({ status: 416, headers: { "content-range": "bytes */5" } })
      ),
      "an unknown size": fails("interrupted", content.slice(0, 7), thenAnswers({ status: 416 }))
    }
  },
  {
    name: "downloads: only status 200 starts a file",
    mutant: { file: open, find: "if (status === 200) {", replace: "if (status < 300 && status !== 206) {" },
    inputs: {
      "203 with a body": fails("unavailable", "", () => ({ status: 203, body: content })),
      "201": fails("unavailable", "", () => ({ status: 201, body: content })),
      "300": fails("unavailable", "", () => ({ status: 300, body: content }))
    }
  },
  {
    name: "downloads: a page of HTML instead of the file is an error",
    mutant: { file: open, find: "if (isPage(source, headers))", replace: "if (false)" },
    inputs: {
      "of XHTML, for a table": fails("unavailable", "", () => page({ "content-type": "application/xhtml+xml" }), {
        name: "table.csv"
      }),
      "for a picture in capitals": fails("unavailable", "", () => page(), { name: "PICTURE.PNG" }),
      "for a file of a known type": fails("unavailable", "", () => page(), {
        name: "6f1c1d5e",
        contentType: "image/png"
      })
    }
  },
  {
    name: "downloads: a link that is rejected with 400 or 401 is replaced",
    mutant: { file: links, find: "status === 400 || status === 401 || ", replace: "" },
    inputs: {
      "400": succeeds(content, (_, index) => index === 1 ? { status: 400, body: "Bad Request" } : { body: content }),
      "401": succeeds(
        content,
        (_, index) => index === 1 ? { status: 401, headers: { "www-authenticate": "Basic" } } : { body: content }
      )
    }
  },
  {
    name: "downloads: a redirect leads to http addresses only",
    mutant: {
      file: links,
      find: "Transfer.checkAddress(\"location\", location, url)",
      replace: "new URL(location, url)"
    },
    inputs: {
      "to a script": () =>
        Effect.gen(function*() {
          const { requests } = yield* streamed(
            () => ({ status: 302, headers: { location: "javascript:alert(1)" } }),
            {},
            0
          )
          assert.isTrue(requests.every(({ url }) => url.startsWith("https:")))
        }),
      "to data": () =>
        Effect.gen(function*() {
          const { error, requests } = yield* streamed(() => ({ status: 307, headers: { location: "data:,x" } }), {}, 0)
          assert.strictEqual(error?.status, 307)
          assert.strictEqual(requests.length, 1)
        })
    }
  },
  {
    name: "downloads: redirects are counted",
    mutant: { file: links, find: "visited.length === maxRedirects", replace: "visited.length === 20" },
    inputs: {
      "in a circle of three": () =>
        Effect.gen(function*() {
          const { error, requests } = yield* streamed((_, index) => ({
            status: 302,
            headers: { location: `/${index % 3}` }
          }))
          assert.deepStrictEqual([error?.reason, requests.length], ["unavailable", 11])
        }),
      "each to another host": () =>
        Effect.gen(function*() {
          const { error, requests } = yield* streamed((_, index) => ({
            status: 308,
            headers: { location: `https://h${index}.example/` }
          }))
          assert.deepStrictEqual([error?.reason, requests.length], ["unavailable", 11])
        })
    }
  },
  {
    name: "downloads: only redirects are followed",
    mutant: { file: links, find: "if (!isRedirect(status))", replace: "if (status < 300 || status > 399)" },
    inputs: {
      "300, with a choice": fails(
        "unavailable",
        "",
        (_, index) => index === 1 ? { status: 300, headers: { location: "/a" } } : { body: content }
      ),
      "304, with the address that is not modified": fails(
        "unavailable",
        "",
        (_, index) => index === 1 ? { status: 304, headers: { location: "/a" } } : { body: content }
      )
    }
  },
  {
    name: "downloads: a size is a whole number of bytes",
    mutant: { file: open, find: "Number.isSafeInteger(size) && size! >= 0 ? size : undefined", replace: "size" },
    inputs: Object.fromEntries([-1, 0.5, "20"].map((size) => [
      JSON.stringify(size),
      succeeds(content, () => ({ body: content }), { size: size as number })
    ]))
  },
  {
    name: "links: an address has the protocol http or https",
    mutant: { file: transfer, find: "|| !/^https?:/.test(url.protocol)", replace: "" },
    inputs: {
      "a file": link("file:///etc/passwd", undefined),
      "a blob": link("blob:https://x.example/1", undefined),
      "a socket": link("wss://x.example/", undefined)
    }
  },
  {
    name: "links: an address has no user",
    mutant: { file: transfer, find: "url.username !== \"\" || url.password !== \"\"", replace: "false" },
    inputs: {
      "a token": link("https://planted-token@x.example/", undefined),
      "a password without a user": link("https://:planted@x.example/", undefined)
    }
  },
  {
    name: "links: a path stays below the base URL",
    mutant: {
      file: transfer,
      find: "const prefix = baseUrl.pathname.replace(/\\/$/, \"\")",
      replace: "const prefix = \"\""
    },
    inputs: {
      "with a prefix": link("/v1/a", "https://api.example/prefix/v1/a"),
      "with a longer prefix": link("/prefixes/a", "https://api.example/prefix/prefixes/a"),
      "with the prefix in it": link("/prefix/a", "https://api.example/prefix/a")
    }
  },
  {
    name: "links: a cause contains no address",
    mutant: {
      file: transfer,
      find: ".replaceAll(/[\\w+.-]+:\\/\\/\\S+|\\S*\\/\\S*[?&=]\\S*/g, \"<link>\")",
      replace: ""
    },
    inputs: {
      "of a redirect": clean(new Error("failed: https://other.example/x?sig=planted-other (os error 1)")),
      "of an inner error": clean(new Error("x", { cause: new Error("connect ws://h/?token=planted-token") })),
      "without its host": clean(new Error("GET /x?sig=planted-other HTTP/1.1"))
    }
  },
  {
    name: "links: a cause contains no part of the link",
    mutant: {
      file: transfer,
      find: "partsOf(link).reduce((text, part) => text.replaceAll(part, \"<link>\"), said)",
      replace: "said"
    },
    inputs: {
      "its path": clean(new Error("cannot open /planted-path")),
      "the value of a parameter": clean(new Error("the key planted-key has expired"))
    }
  },
  {
    name: "names: names of devices are changed",
    mutant: { file: fileName, find: "reserved.test(safe) ? `_${safe}` : safe", replace: "safe" },
    inputs: {
      "with a superscript digit and two extensions": named("lpt².tar.gz", "_lpt².tar.gz"),
      "with a tab before the extension": named("AUX  .md", "_AUX  .md")
    }
  },
  {
    name: "names: characters that no file system accepts are replaced",
    mutant: { file: fileName, find: ".replaceAll(/[<>:\"|?*]/g, \"_\")", replace: "" },
    inputs: {
      "a stream of NTFS": named("report.txt:hidden", "report.txt_hidden"),
      "a pattern": named("*.?", "_._")
    }
  },
  {
    name: "names: control characters are removed",
    mutant: { file: fileName, find: ".replaceAll(control, \"\")", replace: "" },
    inputs: {
      "an escape sequence": named("a\u001b[2J.txt", "a[2J.txt"),
      "an isolate": named("a\u2067fdp.exe", "afdp.exe")
    }
  },
  {
    name: "names: folders are removed from names",
    mutant: {
      file: fileName,
      find: "path.slice(Math.max(path.lastIndexOf(\"/\"), path.lastIndexOf(\"\\\\\")) + 1)",
      replace: "path"
    },
    inputs: {
      "of a share": named("\\\\server\\share\\x.txt", "x.txt"),
      "of a home": named("~/.ssh/../id", "id")
    }
  },
  {
    name: "names: long names are shortened for file systems",
    mutant: { file: fileName, find: "if (bytes.length <= limit)", replace: "if (true)" },
    inputs: {
      "of four bytes a character": () =>
        Effect.sync(() => assert.isAtMost(Buffer.byteLength(FileName.writable("🙂".repeat(60), "")), 200)),
      "of mixed characters": () =>
        Effect.sync(() => {
          const name = FileName.writable(`${"aé報🙂".repeat(40)}.pdf`, "")
          assert.isAtMost(Buffer.byteLength(name), 200)
          assert.isTrue(name.endsWith("🙂.pdf") && encodeURIComponent(name) !== "")
        })
    }
  },
  {
    name: "names: names that a file system cannot distinguish are numbered",
    mutant: {
      file: fileName,
      find: "name.normalize(\"NFC\").toLowerCase().toUpperCase().normalize(\"NFC\")",
      replace: "name"
    },
    inputs: {
      "in Greek": distinct("ΣΊΣΥΦΟΣ", "σίσυφος"),
      "in Vietnamese": distinct("Vi\u1ec7t.txt", "Vi\u00ea\u0323t.txt", "VIE\u0323\u0302T.TXT")
    }
  },
  {
    name: "names: a number that is taken is not given again",
    mutant: { file: fileName, find: "while (taken.has(folded(candidate)))", replace: "while (false)" },
    inputs: {
      "by a name in capitals": distinct("a.txt", "A-2.TXT", "a.txt"),
      "by two names": distinct("a", "a-2", "a-3", "a", "a")
    }
  },
  {
    name: "files: a malformed content type is rejected",
    mutant: {
      file: fileInput,
      find: "contentType !== undefined && !MediaType.isMediaType(contentType)",
      replace: "false"
    },
    inputs: {
      "a header": isRejected(() =>
        create([{ data: bytes("x"), filename: "a.txt", contentType: "text/plain\r\nX-Evil: 1" }])
      ),
      "no subtype": isRejected(() => create([{ data: bytes("x"), filename: "a.txt", contentType: "text" }]))
    }
  },
  {
    name: "files: an empty file is rejected",
    mutant: { file: fileInput, find: "if (size === 0)", replace: "if (size === -1)" },
    inputs: {
      "a Blob": isRejected(() => create([new Blob([])])),
      "a view of nothing": isRejected(() =>
        execute({ a: Tela.file({ data: new DataView(new ArrayBuffer(4), 4), filename: "a" }) })
      )
    }
  },
  {
    name: "files: a size that is not a number of bytes is rejected",
    mutant: { file: fileInput, find: "!Number.isSafeInteger(size) || size < 0", replace: "false" },
    inputs: {
      "half a byte": isRejected(() => create([{ data: Stream.empty, size: 0.5, filename: "a" }])),
      "text": isRejected(() => create([{ data: Stream.empty, size: "3", filename: "a" }])),
      "NaN": isRejected(() => execute({ a: Tela.file({ data: Stream.empty, size: NaN, filename: "a" }) }))
    }
  },
  {
    name: "files: a stream that is longer than its size is an error",
    mutant: {
      file: uploadFile,
      find: "seen > size ? Effect.fail(wrong()) : Effect.succeed(bytes)",
      replace: "Effect.succeed(bytes)"
    },
    inputs: {
      "in its first chunk": () =>
        Effect.gen(function*() {
          const { error, requests } = yield* with_(
            received(),
            create([{ data: Stream.make(bytes("long")), size: 3, filename: "a" }])
          )
          assert.instanceOf(error, RunError.FileInputError)
          assert.deepStrictEqual([error.reason, error.reached, requests], ["size", false, []])
        }),
      "without end": () =>
        Effect.gen(function*() {
          let chunks = 0
          const data = Stream.repeat(
            Stream.sync(() => {
              if (++chunks > 100) assert.fail("reading continues")
              return bytes("x")
            }),
            Schedule.forever
          )
          const file = yield* FileInput.normalize("test", { data, size: 3, filename: "a" }, 1)
          const error = yield* Effect.flip(
            Stream.runDrain(file.data as Stream.Stream<Uint8Array, RunError.FileInputError>)
          )
          assert.deepStrictEqual([error.reason, chunks], ["size", 4])
        })
    }
  },
  {
    name: "files: a stream that is shorter than its size is an error",
    mutant: { file: uploadFile, find: "seen === size ? Stream.empty : Stream.fail(wrong())", replace: "Stream.empty" },
    inputs: {
      "by one byte": unreadable({ data: Stream.make(bytes("ab")), size: 3, filename: "a" }, "size"),
      "by all": unreadable({ data: new Blob([]).stream(), size: 3, filename: "a" }, "size")
    }
  },
  {
    name: "files: a chunk that is not bytes is an error",
    mutant: { file: uploadFile, find: "if (!Binary.isBytes(chunk))", replace: "if (false)" },
    inputs: {
      "a number": unreadable({ data: Stream.make(1), size: 1, filename: "a" }, "read"),
      "a list of numbers": unreadable({ data: Stream.make([1, 2]), size: 2, filename: "a" }, "read")
    }
  },
  {
    name: "files: the beginning is read before the request is sent",
    mutant: {
      file: "src/spine/internal/multipart.ts",
      find: "Effect.map(UploadFile.begin(part.file, idleTimeout), (file) => ({ ...part, file }))",
      replace: "Effect.succeed(part)"
    },
    inputs: {
      "of the second file": unreadable_("second"),
      "of a web stream": unreadable_("web")
    }
  },
  {
    name: "files: shared and resizable memory is copied",
    mutant: { file: binary, find: "? bytes\n    : bytes.slice()", replace: "? bytes\n    : bytes" },
    inputs: {
      "a view of shared memory": content_(
        (() => {
          const view = new Uint8Array(new SharedArrayBuffer(4), 1)
          view.set(bytes("abc"))
          return view
        })(),
        "abc"
      ),
      "memory that can grow": content_(
        {
          data: (() => {
            const buffer = Reflect.construct(ArrayBuffer, [3, { maxByteLength: 9 }]) as ArrayBuffer
            new Uint8Array(buffer).set(bytes("abc"))
            return buffer
          })(),
          filename: "a"
        },
        "abc"
      )
    }
  },
  {
    name: "files: a view is sent without the bytes around it",
    mutant: { file: binary, find: "new Uint8Array(buffer, offset, u.byteLength)", replace: "new Uint8Array(buffer)" },
    inputs: {
      "of another realm": content_(foreign("new Uint8Array([1, 97, 98, 2]).subarray(1, 3)"), "ab"),
      "of 16 bits": content_({ data: new Uint16Array(bytes("xxabcd").buffer, 2), filename: "a" }, "abcd")
    }
  },
  {
    name: "files: a Blob of another realm is read, and not sent as text",
    mutant: {
      file: contentFile,
      find: "data: data instanceof Blob ? data : fromReadable(() => (data as Blob).stream()),",
      replace: "data: data as Blob,"
    },
    inputs: {
      "a File": content_(blobLike("File"), "foreign"),
      "a Blob with a name": content_({ data: blobLike("Blob"), filename: "a" }, "foreign")
    }
  },
  {
    name: "files: a value that is not a list of files is rejected",
    mutant: {
      file: "src/spine/internal/create.ts",
      find: "Predicate.isIterable(value) && typeof value !== \"string\" && !Binary.isBytes(value)",
      replace: "true"
    },
    inputs: {
      "a File alone": isRejected(() => create(new File(["x"], "a.txt"))),
      "a number": isRejected(() => create(3)),
      "text that is empty": isRejected(() => create("")),
      "no bytes": isRejected(() => create(new Uint8Array(0)))
    }
  },
  {
    name: "files: a format that the provider does not document is rejected",
    mutant: {
      file: "src/internal/files/fileLimits.ts",
      find: "!limits.types.test(type) && !limits.extensions.has(extension) && !(isUntyped && extension === \"\")",
      replace: "false"
    },
    inputs: {
      "sound for Spine": isRejected(() => create([new File(["x"], "a.MP3")])),
      "an archive for Tela": isRejected(() => execute({ a: Tela.file(bytes("PK\u0003\u0004")) }))
    }
  },
  {
    name: "files: an extension that the provider does not document is rejected if the type is unknown",
    mutant: { file: "src/internal/files/fileLimits.ts", find: "isUntyped && extension === \"\"", replace: "isUntyped" },
    inputs: {
      "a library for Spine": isRejected(() => create([{ data: new Uint8Array([0]), filename: "a.DLL" }])),
      "a stream for Tela": isRejected(() =>
        execute({ a: Tela.file({ data: Stream.make(new Uint8Array(1)), size: 1, filename: "b.tar.gz" }) })
      )
    }
  },
  {
    name: "files: a size that the provider does not document is rejected",
    mutant: { file: "src/internal/files/fileLimits.ts", find: "size > limits.maxBytes", replace: "false" },
    inputs: {
      "one byte too many": isRejected(() =>
        execute({ a: Tela.file({ data: Stream.make(new Uint8Array(1)), size: 5 * 1024 ** 4 + 1, filename: "a.pdf" }) })
      ),
      "the largest number": isRejected(() =>
        execute({ a: [Tela.file({ data: Stream.empty, size: Number.MAX_SAFE_INTEGER, filename: "a.txt" })] })
      )
    }
  },
  {
    name: "uploads: an address without http or https is rejected",
    mutant: {
      file: telaUpload,
      find: "if (typeof url === \"string\") return Effect.fail(failed(url, {}, \"Check the base URL of the client.\"))",
      replace: "if (typeof url === \"string\") return Effect.void"
    },
    inputs: {
      "with a password": notUploaded(() => new Response(), "https://u:planted@store.example/a"),
      "of nothing": notUploaded(() => new Response(), "")
    }
  },
  {
    name: "uploads: a stalled file is reported, and not its server",
    mutant: { file: "src/internal/http/upload.ts", find: "report(\"file\")", replace: "report(\"server\")" },
    inputs: {
      "in a create of Spine": silent(create([{ data: cut(), size: 9, filename: "b.txt" }]), true),
      "in a list of files of Tela": silent(
        execute({ a: [Tela.file({ data: cut(), size: 9, filename: "b.txt" })] }),
        false
      )
    }
  },
  {
    name: "uploads: a file without an announced length that stops leaves the outcome of a create unknown",
    mutant: { file: "src/spine/internal/create.ts", find: " && FetchPlatform.announcesLength(body)", replace: "" },
    inputs: {
      "a file that stalls": unannounced(cut()),
      "a file that fails": unannounced(Stream.concat(Stream.make(bytes("x")), Stream.fail("gone")))
    }
  },
  {
    name: "uploads: the cancellation of a web stream is not awaited",
    mutant: {
      file: contentFile,
      find: "cancel: () => void reader.cancel().catch(constVoid)",
      replace: "cancel: () => reader.cancel()"
    },
    inputs: {
      "in a create of Spine": silent(create([{ data: uncancellable(), size: 9, filename: "b.txt" }]), true),
      "in the middle of its reading": () =>
        Effect.gen(function*() {
          const file = yield* FileInput.normalize("test", { data: uncancellable(), size: 9, filename: "a" }, 1)
          yield* Effect.timeout(Stream.runHead(file.data as Stream.Stream<Uint8Array>), "2 seconds")
        })
    }
  },
  {
    name: "uploads: a page of HTML does not confirm an upload",
    mutant: { file: telaUpload, find: "if (!(yield* Transfer.isPage(response))) return", replace: "return" },
    inputs: {
      "of XHTML": notUploaded(() => new Response("x", { headers: { "content-type": "application/xhtml+xml" } })),
      "created": notUploaded(() => new Response("x", { status: 201, headers: { "content-type": "TEXT/HTML" } }))
    }
  },
  {
    name: "uploads: only a status of success confirms an upload",
    mutant: { file: telaUpload, find: "if (status >= 200 && status < 300)", replace: "if (true)" },
    inputs: {
      "304": notUploaded(() => new Response(null, { status: 304 })),
      "507": notUploaded(() => new Response("", { status: 507 }))
    }
  },
  {
    name: "uploads: an object that only resembles a Tela.file is rejected",
    mutant: {
      file: "src/tela/TelaFile.ts",
      find: "Symbol.for(\"canvas-runs/tela/TelaFile\")",
      replace: "\"~canvas-runs/tela/TelaFile\" as never"
    },
    inputs: {
      "from JSON": () =>
        Effect.sync(() =>
          assert.isFalse(Tela.isTelaFile({ "~canvas-runs/tela/TelaFile": "~canvas-runs/tela/TelaFile" }))
        ),
      "from JSON of a file": () =>
        Effect.sync(() => assert.isFalse(Tela.isTelaFile(JSON.parse(JSON.stringify(Tela.file("https://x.example/"))))))
    }
  },
  {
    name: "uploads: an invalid link in variables is rejected",
    mutant: {
      file: telaFile,
      find: "URL.canParse(source) && /^(?:https?|data|vault):/i.test(source)",
      replace: "true"
    },
    inputs: {
      "a drive": isRejected(() => execute({ a: Tela.file("C:\\scan.pdf") })),
      "a mail address": isRejected(() => execute({ a: Tela.file("mailto:a@b.example") }))
    }
  },
  {
    name: "uploads: a name cannot end its header",
    mutant: { file: "src/spine/internal/multipart.ts", find: ".replaceAll(\"\\\"\", \"%22\")", replace: "" },
    inputs: {
      "with a parameter": headerOf("a\"; name=\"prompt"),
      "with a quote at the end": headerOf("a\"")
    }
  },
  {
    name: "uploads: a boundary cannot be guessed",
    mutant: {
      file: "src/spine/internal/multipart.ts",
      find: "crypto.getRandomValues(new Uint8Array(16))",
      replace: "new Uint8Array(16)"
    },
    inputs: {
      "in two forms": boundaries(2),
      "in a hundred": boundaries(100)
    }
  },
  {
    name: "vault: a reference names one file",
    mutant: {
      file: "src/tela/TelaVault.ts",
      find: "return isId(id)\n",
      replace: "return typeof id === \"string\"\n"
    },
    inputs: {
      "with a folder": vault("vault://a/../../api-key"),
      "with a fragment": vault("vault://a#b"),
      "with a line break": vault("vault://a\n")
    }
  }
]

function blobLike(tag: string) {
  return {
    [Symbol.toStringTag]: tag,
    name: "foreign.txt",
    type: "text/plain",
    size: 7,
    stream: () => new Blob(["foreign"]).stream()
  }
}

function unreadable_(which: "second" | "web") {
  return () =>
    Effect.gen(function*() {
      const data = which === "web"
        ? new ReadableStream({ pull: (controller) => controller.error(new Error("gone")) })
        : Stream.fail("gone")
      const { error, requests } = yield* with_(received(), create([bytes("x"), { data, size: 9, filename: "a.bin" }]))
      assert.instanceOf(error, RunError.FileInputError)
      assert.deepStrictEqual([error.reached, requests], [false, []])
    })
}

function cut(): Stream.Stream<Uint8Array> {
  return Stream.concat(Stream.make(bytes("x")), Stream.never)
}

function uncancellable(): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: (controller) => controller.enqueue(bytes("x")),
    cancel: () => new Promise(() => {})
  })
}

/** The error names the file, and its request is stopped in time. */
function silent(use: Effect.Effect<unknown, unknown, Spine.SpineClient | Tela.TelaClient>, reached: boolean) {
  return () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(use).pipe(
        Effect.timeout("2 seconds"),
        Effect.provide(clients({ uploadIdleTimeout: "50 millis" })),
        Effect.provideService(HttpClient.HttpClient, received().client)
      )
      assert.instanceOf(error, RunError.FileInputError)
      assert.deepStrictEqual([error.file, error.reason, error.reached], ["b.txt", "read", reached])
    })
}

/** Like Deno, whose fetch sends a stream without its length. */
function unannounced(data: Stream.Stream<Uint8Array, unknown>) {
  return () =>
    Effect.gen(function*() {
      const versions = { ...process.versions, deno: "2.5.0" }
      yield* Effect.acquireRelease(
        Effect.sync(() => vi.stubGlobal("process", Object.create(process, { versions: { value: versions } }))),
        () => Effect.sync(() => vi.unstubAllGlobals())
      )
      const error = yield* Effect.flip(create([{ data, size: 9, filename: "b.txt" }])).pipe(
        Effect.provide(clients({ uploadIdleTimeout: "50 millis" })),
        Effect.provideService(HttpClient.HttpClient, received().client)
      )
      assert.instanceOf(error, RunError.CreateOutcomeUnknownError)
      assert.instanceOf(error.cause, RunError.FileInputError)
    }).pipe(Effect.scoped)
}

const notRead: Multipart.Reading = { filename: undefined, error: undefined }

function headerOf(name: string) {
  return () =>
    Effect.gen(function*() {
      const body = yield* Multipart.body([{
        name: "files",
        file: { filename: name, contentType: "a/b", size: 1, data: bytes("x") }
      }], notRead)
      const text = body._tag === "Uint8Array" ? new TextDecoder().decode(body.body) : ""
      assert.match(text, /; filename="[^"\r\n]*"\r\n/)
    })
}

function boundaries(count: number) {
  return () =>
    Effect.gen(function*() {
      const types = yield* Effect.forEach(Array.from({ length: count }), () =>
        Effect.map(Multipart.body([], notRead), (body) => body._tag === "Uint8Array" ? body.contentType : undefined))
      assert.strictEqual(new Set(types).size, count)
    })
}

function vault(reference: string) {
  return isRejected(() => Effect.flatMap(Tela.TelaClient, (tela) => tela.vault.download(reference)))
}
