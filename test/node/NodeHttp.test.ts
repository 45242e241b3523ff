import { assert, describe, it } from "@effect/vitest"
import { NodeHttpClient } from "@effect/platform-node"
import { Effect, Layer, Option, Redacted, Result, Schedule, Stream } from "effect"
import { type HttpClient } from "effect/http"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { inspect } from "node:util"
import * as zlib from "node:zlib"
import { type RunError, Spine, Tela } from "canvas-runs"
import { NodeHttp } from "canvas-runs/node"
import { proxiesOf } from "../../src/node/internal/proxies.ts"
import { identity, listen, serve, serveHttp2, serveProxy, serveTls, tls } from "../support/servers.ts"
import { acceptedRun, completedRun } from "../support/spine.ts"
import { transports } from "../support/transports.ts"

const apiKey = Redacted.make("sk_spine_node_http")
const canvasId = "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11"
const runId = "7d0f3c1e-5b7a-4c39-9d57-1d1b0c6f2a11"

const completed = JSON.stringify(completedRun(runId))

const retry = Schedule.recurs(0)

/** Retrieves a run. */
const retrieve = (baseUrl: string, options?: NodeHttp.Options) =>
  Effect.provide(
    Spine.SpineClient.use((spine) => spine.runs.retrieve(runId)),
    Layer.provide(Spine.layer({ apiKey, baseUrl, retry }), NodeHttp.layer(options))
  )

/** Downloads a file with this announced size. */
const download = (
  baseUrl: string,
  size_bytes: number,
  client: Layer.Layer<HttpClient.HttpClient, RunError.ConfigError> = NodeHttp.layer()
) =>
  Effect.provide(
    Spine.SpineClient.use((spine) =>
      spine.artifacts.download(runId, {
        id: canvasId,
        type: "csv",
        name: "a.csv",
        download_url: `${baseUrl}/a.csv`,
        size_bytes
      })
    ),
    Layer.provide(Spine.layer({ apiKey, baseUrl }), client)
  )

const json = (_: IncomingMessage, response: ServerResponse) => {
  response.writeHead(200, { "content-type": "application/json" }).end(completed)
}

const encoders: Record<string, (text: string) => Buffer> = {
  gzip: (text) => zlib.gzipSync(text),
  "X-GZIP": (text) => zlib.gzipSync(text),
  br: (text) => zlib.brotliCompressSync(text),
  deflate: (text) => zlib.deflateSync(text),
  "deflate (raw)": (text) => zlib.deflateRawSync(text),
  zstd: (text) => zlib.zstdCompressSync(text),
  "identity, gzip, br": (text) => zlib.brotliCompressSync(zlib.gzipSync(text))
}

describe("compressed responses", () => {
  for (const [name, encode] of Object.entries(encoders)) {
    const encoding = name.replace(" (raw)", "")

    it.effect(`D4: JSON in ${name} is decoded`, () =>
      Effect.gen(function*() {
        const { baseUrl } = yield* serve((_, response) => {
          response.writeHead(200, { "content-type": "application/json", "content-encoding": encoding })
            .end(encode(completed))
        })
        assert.strictEqual((yield* retrieve(baseUrl)).status, "completed")
      }))

    it.effect(`D4: an error in ${name} is decoded`, () =>
      Effect.gen(function*() {
        const { baseUrl } = yield* serve((_, response) => {
          response.writeHead(404, { "content-type": "application/json", "content-encoding": encoding })
            .end(encode(JSON.stringify({ success: false, error: { code: "not_found", message: "no such run" } })))
        })
        const error = yield* Effect.flip(retrieve(baseUrl))
        assert.include(error.message, "no such run")
      }))

    it.effect(`D4: a file in ${name} is decoded with any announced size`, () =>
      Effect.gen(function*() {
        const text = "a,b\n1,2\n".repeat(1000)
        const file = encode(text)
        const { baseUrl } = yield* serve((_, response) => {
          response.writeHead(200, { "content-type": "text/csv", "content-encoding": encoding }).end(file)
        })
        for (const size_bytes of [text.length, file.length]) {
          const bytes = yield* download(baseUrl, size_bytes)
          assert.strictEqual(new TextDecoder().decode(bytes), text)
        }
      }))
  }

  const chunk = (content: string, finish: string | null) =>
    `data: ${JSON.stringify({ id: "1", choices: [{ index: 0, delta: { content }, finish_reason: finish }] })}\n\n`

  for (
    const [encoding, make] of Object.entries({
      gzip: () => zlib.createGzip(),
      deflate: () => zlib.createDeflate(),
      br: () => zlib.createBrotliCompress(),
      zstd: () => zlib.createZstdCompress()
    })
  ) {
    it.live(`D4: events of a stream in ${encoding} are emitted when they are sent`, () =>
      Effect.gen(function*() {
        let sendRest = () => {}
        const { baseUrl } = yield* serve((_, response) => {
          response.writeHead(200, { "content-type": "text/event-stream", "content-encoding": encoding })
          const encoder = make()
          encoder.pipe(response)
          encoder.write(chunk("a", null))
          encoder.flush()
          sendRest = () => encoder.end(`${chunk("b", "stop")}data: [DONE]\n\n`)
        })
        const contents: Array<string> = []
        yield* Effect.provide(
          Tela.TelaClient.use((tela) =>
            Stream.runForEach(tela.canvas.make({ id: canvasId }).stream({}), (part) =>
              Effect.sync(() => {
                if (part._tag === "delta") contents.push(part.content)
                // The rest is sent only after the first event has been emitted
                sendRest()
              }))
          ),
          Layer.provide(Tela.layer({ apiKey, baseUrl }), NodeHttp.layer())
        )
        assert.deepStrictEqual(contents, ["a", "b"])
      }))
  }

  for (const [name, encode] of Object.entries(encoders)) {
    it.effect(`D4: a compressed response that is cut off is not a success (${name})`, () =>
      Effect.gen(function*() {
        const { baseUrl } = yield* serve((_, response) => {
          response.writeHead(200, {
            "content-type": "application/json",
            "content-encoding": name.replace(" (raw)", "")
          }).end(encode(completed).subarray(0, -6))
        })
        const error = yield* Effect.flip(retrieve(baseUrl))
        assert.include(["TransportError", "InvalidResponseError"], error._tag)
      }))
  }

  it.effect("D4: an unknown encoding is named by the error, and the request is not repeated", () =>
    Effect.gen(function*() {
      for (const encoding of ["compress", "gzip, dcz", "gzip, gzip, gzip, gzip"]) {
        let requests = 0
        const { baseUrl } = yield* serve((_, response) => {
          requests++
          response.writeHead(200, { "content-type": "application/json", "content-encoding": encoding })
            .end(Buffer.from([0x1f, 0x9d, 0x90, 0x7b]))
        })
        const error = yield* Effect.flip(
          Effect.provide(
            Spine.SpineClient.use((spine) => spine.runs.retrieve(runId)),
            Layer.provide(Spine.layer({ apiKey, baseUrl }), NodeHttp.layer())
          )
        )
        assert.strictEqual(error._tag, "InvalidResponseError")
        assert.include(error.message, `content-encoding "${encoding}"`)
        assert.deepStrictEqual([error.isRetryable, requests], [false, 1])
      }
    }))

  it.effect("D4: a file in an unknown encoding is an error that names it", () =>
    Effect.gen(function*() {
      const { baseUrl } = yield* serve((_, response) => {
        response.writeHead(200, { "content-type": "text/csv", "content-encoding": "compress" }).end("abc")
      })
      const error = yield* Effect.flip(
        download(baseUrl, 3)
      )
      assert.strictEqual(error._tag, "ArtifactError")
      assert.include(error.message, `content-encoding "compress"`)
    }))

  it.effect("D4: an encoding that is not a compression, such as aws-chunked of S3, leaves the body as it is", () =>
    Effect.gen(function*() {
      for (const encoding of ["aws-chunked", "none", "utf-8", "", "constructor"]) {
        const { baseUrl } = yield* serve((_, response) => {
          response.writeHead(200, { "content-type": "application/json", "content-encoding": encoding }).end(completed)
        })
        assert.strictEqual((yield* retrieve(baseUrl)).status, "completed")
      }
    }))

  it.effect("D4: with a client that does not decode, compressed bytes are not saved as the file", () =>
    Effect.gen(function*() {
      const { baseUrl } = yield* serve((_, response) => {
        response.writeHead(200, { "content-type": "text/csv", "content-encoding": "gzip" }).end(zlib.gzipSync("abc"))
      })
      const error = yield* Effect.flip(
        download(baseUrl, zlib.gzipSync("abc").length, NodeHttpClient.layerUndici)
      )
      assert.include(error.message, `content-encoding "gzip"`)
      assert.include(error.message, "NodeHttp.layer")
      assert.notInclude(error.message, "another link")
    }))

  it.effect("D4: reading stops when a decoded body is longer than maxResponseBytes", () =>
    Effect.gen(function*() {
      const { baseUrl } = yield* serve((_, response) => {
        response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" })
          .end(zlib.gzipSync(" ".repeat(10_000_000)))
      })
      const error = yield* Effect.flip(
        Effect.provide(
          Spine.SpineClient.use((spine) => spine.runs.retrieve(runId)),
          Layer.provide(Spine.layer({ apiKey, baseUrl, maxResponseBytes: 100_000 }), NodeHttp.layer())
        )
      )
      assert.include(error.message, "maxResponseBytes")
    }))
})

describe("TLS and HTTP/2", () => {
  it.effect("F16: a server with a certificate of a private authority is trusted with connect.ca, and not without it", () =>
    Effect.gen(function*() {
      const { baseUrl } = yield* serveTls(json)
      const refused = yield* Effect.flip(retrieve(baseUrl))
      assert.deepInclude(refused, { _tag: "TransportError", reached: false })
      assert.strictEqual((yield* retrieve(baseUrl, { connect: { ca: tls.ca } })).status, "completed")
    }))

  it.effect("F16: a certificate that has expired is rejected before the request is sent", () =>
    Effect.gen(function*() {
      const { baseUrl } = yield* serveTls(json, identity("expired"))
      const refused = yield* Effect.flip(retrieve(baseUrl, { connect: { ca: tls.ca } }))
      assert.deepInclude(refused, { _tag: "TransportError", reached: false, code: "CERT_HAS_EXPIRED" })
      assert.match(refused.message, /certificate is not valid at this time\. Check the clock.* renew it/)
    }))

  it.effect("F16: a certificate that is not valid yet is rejected before the request is sent", () =>
    Effect.gen(function*() {
      const { baseUrl } = yield* serveTls(json, { cert: tls.notYetValid })
      const refused = yield* Effect.flip(retrieve(baseUrl, { connect: { ca: tls.ca } }))
      assert.deepInclude(refused, { _tag: "TransportError", reached: false, code: "CERT_NOT_YET_VALID" })
      assert.match(refused.message, /certificate is not valid at this time\. Check the clock/)
    }))

  for (const [name, client] of transports) {
    it.effect(`a certificate that is not trusted is an error of ${name} that says how to trust it, for runs and for files`, () =>
      Effect.gen(function*() {
        for (const options of [{}, identity("selfSigned")]) {
          const { baseUrl } = yield* serveTls(json, options)
          const { artifacts, runs } = yield* Effect.provide(
            Spine.make({ apiKey, baseUrl, retry }),
            yield* Layer.build(client)
          )
          const artifact = { id: "a", type: "csv", name: "a.csv", download_url: "/a.csv" } as const
          for (
            const call of [
              runs.retrieve(runId),
              runs.create({ prompt: "x" }),
              artifacts.download(runId, artifact)
            ]
          ) {
            const { message } = yield* Effect.flip(call as Effect.Effect<unknown, { readonly message: string }>)
            assert.match(message, /not trusted.*connect: { ca } of NodeHttp\.layer, or NODE_EXTRA_CA_CERTS for fetch/)
          }
        }
      }))
  }

  it.effect("a certificate for another host is an error that names the base URL and the certificate", () =>
    Effect.gen(function*() {
      const { port } = yield* serveTls(json)
      const error = yield* Effect.flip(
        retrieve(`https://127.0.0.1:${port}`, { connect: { ca: tls.ca, servername: "other.example" } })
      )
      assert.match(
        error.message,
        /for another host\. Check the base URL\..*connect: { ca, servername } to NodeHttp\.layer, or renew it/
      )
    }))

  it.effect("F16: a client certificate is shown to a server that asks for one", () =>
    Effect.gen(function*() {
      const { baseUrl } = yield* serveTls(json, { requestCert: true, rejectUnauthorized: true, ca: tls.ca })
      const { ca, key, valid: cert } = tls
      assert.strictEqual((yield* retrieve(baseUrl, { connect: { ca, cert, key } })).status, "completed")
      yield* Effect.flip(retrieve(baseUrl, { connect: { ca } }))
    }))

  it.effect("F16: HTTP/2 is used with a server that chooses it, if allowH2 is true", () =>
    Effect.gen(function*() {
      const versions: Array<string> = []
      const { baseUrl } = yield* serveHttp2((request, response) => {
        versions.push(request.httpVersion)
        response.writeHead(200, { "content-type": "application/json" }).end(completed)
      })
      for (const allowH2 of [undefined, true, false]) {
        yield* retrieve(baseUrl, { connect: { ca: tls.ca }, allowH2 })
      }
      assert.deepStrictEqual(versions, ["1.1", "2.0", "1.1"])
    }))

  it.effect("F16: many waits share one HTTP/2 connection", () =>
    Effect.gen(function*() {
      const { baseUrl, connections } = yield* serveHttp2((_, response) => {
        response.writeHead(200, { "content-type": "application/json" }).end(completed)
      })
      yield* Effect.provide(
        Spine.SpineClient.use((spine) =>
          Effect.forEach(Array.from({ length: 20 }), () => spine.runs.retrieve(runId), { concurrency: 1 })
        ),
        Layer.provide(Spine.layer({ apiKey, baseUrl }), NodeHttp.layer({ connect: { ca: tls.ca }, allowH2: true }))
      )
      assert.strictEqual(connections(), 1)
    }))
})

describe("proxies", () => {
  const names = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "NODE_USE_ENV_PROXY"]

  /** Runs an effect with only these variables. */
  const withVariables = <A, E, R>(variables: Record<string, string>, effect: Effect.Effect<A, E, R>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        const before = names.map((name) => [name, process.env[name]] as const)
        for (const name of names) delete process.env[name]
        Object.assign(process.env, variables)
        return before
      }),
      () => effect,
      (before) =>
        Effect.sync(() => {
          for (const [name, value] of before) {
            if (value === undefined) delete process.env[name]
            else process.env[name] = value
          }
        })
    )

  const hidden = "http://provider.invalid"

  it.effect("D7: the proxies of the environment are used only if NODE_USE_ENV_PROXY is 1", () =>
    Effect.gen(function*() {
      const proxy = yield* serveProxy((yield* serve(json)).port)
      yield* withVariables(
        { HTTP_PROXY: proxy.url, NODE_USE_ENV_PROXY: "1" },
        Effect.suspend(() => retrieve(hidden))
      )
      assert.strictEqual(proxy.requests.length, 1)
      const error = yield* withVariables({ HTTP_PROXY: proxy.url }, Effect.suspend(() => Effect.flip(retrieve(hidden))))
      assert.deepInclude(error, { _tag: "TransportError", reached: false })
      yield* withVariables({ http_proxy: proxy.url }, Effect.suspend(() => retrieve(hidden, { proxy: "environment" })))
      assert.strictEqual(proxy.requests.length, 2)
      yield* Effect.flip(
        withVariables(
          { HTTP_PROXY: proxy.url, NODE_USE_ENV_PROXY: "1" },
          Effect.suspend(() => retrieve(hidden, { proxy: false }))
        )
      )
    }))

  it.effect("D7: a TLS request goes through a tunnel of the proxy, with the private authority", () =>
    Effect.gen(function*() {
      const { port } = yield* serveTls(json)
      const proxy = yield* serveProxy(port)
      // Only the proxy can reach this name. The certificate is for localhost, hence `servername`
      const run = yield* retrieve("https://provider.invalid", {
        proxy: proxy.url,
        connect: { ca: tls.ca, servername: "localhost" }
      })
      assert.strictEqual(run.status, "completed")
      assert.deepStrictEqual(proxy.requests, ["CONNECT provider.invalid:443"])
    }))

  it.effect("D7: hosts that NO_PROXY names, and this machine, are called directly", () =>
    Effect.gen(function*() {
      const { port } = yield* serve(json)
      const proxy = yield* serveProxy(port)
      for (const host of ["127.0.0.1", "localhost", "127.0.0.2"]) {
        yield* Effect.ignore(retrieve(`http://${host}:${port}`, { proxy: proxy.url }))
      }
      yield* withVariables(
        { NO_PROXY: "other.invalid,.internal.invalid" },
        Effect.suspend(() =>
          Effect.forEach(["http://other.invalid", "http://a.internal.invalid"], (baseUrl) =>
            Effect.flip(retrieve(baseUrl, { proxy: proxy.url })))
        )
      )
      assert.deepStrictEqual(proxy.requests, [])
      yield* withVariables(
        { NO_PROXY: "other.invalid" },
        Effect.suspend(() =>
          retrieve(hidden, { proxy: proxy.url })
        )
      )
      assert.strictEqual(proxy.requests.length, 1)
    }))

  it.effect("D7: a proxy that does not listen is reported as a connection that was never made", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(retrieve(hidden, { proxy: "http://127.0.0.1:1" }))
      assert.deepInclude(error, { _tag: "TransportError", reached: false })
    }))

  it.effect("a proxy that asks for credentials gets them from its address, as the error advises", () =>
    Effect.gen(function*() {
      const asked: Array<string | undefined> = []
      const server = createServer((request, response) => {
        asked.push(request.headers["proxy-authorization"])
        response.writeHead(407, { "proxy-authenticate": "Basic" }).end()
      })
      server.on("connect", (request: IncomingMessage, socket) => {
        asked.push(request.headers["proxy-authorization"])
        socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
      })
      const { port } = yield* listen(server)
      const advice = "Put the proxy's credentials into its address, http://user:password@host:port"
      for (const baseUrl of ["http://provider.invalid", "https://provider.invalid"]) {
        const client = Layer.orDie(NodeHttp.layer({ proxy: `http://127.0.0.1:${port}` }))
        const { artifacts, runs } = yield* Effect.provide(
          Spine.make({ apiKey, baseUrl, retry }),
          yield* Layer.build(client)
        )
        const artifact = { id: "a", type: "csv", name: "a.csv", download_url: "/a.csv" } as const
        const created = yield* Effect.flip(runs.create({ prompt: "x" }))
        assert.notStrictEqual(created._tag, "CreateOutcomeUnknownError")
        for (const error of [created, yield* Effect.flip(artifacts.download(runId, artifact))]) {
          assert.include(error.message, advice)
        }
        yield* Effect.flip(retrieve(baseUrl, { proxy: `http://user:hunter2@127.0.0.1:${port}` }))
        assert.strictEqual(asked.pop(), `Basic ${btoa("user:hunter2")}`)
        assert.isTrue(asked.every((header) => header === undefined))
      }
    }))

  for (const status of [403, 502]) {
    it.effect(`D7: the error about a proxy that answers a CONNECT with ${status} names the proxy and says that nothing was sent`, () =>
      Effect.gen(function*() {
        const server = createServer()
        server.on("connect", (_: IncomingMessage, socket) => {
          socket.end(`HTTP/1.1 ${status} Refused\r\ncontent-length: 0\r\n\r\n`)
        })
        const { port } = yield* listen(server)
        const { artifacts, runs } = yield* Effect.provide(
          Spine.make({ apiKey, baseUrl: "https://provider.invalid", retry }),
          yield* Layer.build(Layer.orDie(NodeHttp.layer({ proxy: `http://127.0.0.1:${port}` })))
        )
        const artifact = { id: "a", type: "csv", name: "a.csv", download_url: "/a.csv" } as const
        const created = yield* Effect.flip(runs.create({ prompt: "x" }))
        assert.deepInclude(created, { _tag: "TransportError", reached: false })
        for (const error of [created, yield* Effect.flip(artifacts.download(runId, artifact))]) {
          assert.include(error.message, `The proxy answered with ${status} and made no connection to the server`)
          assert.include(error.message, "NO_PROXY")
        }
      }))
  }

  it("D7: a proxy may be a host and a port, and a value that is not an address is rejected without being shown", () => {
    const read = (option: unknown, process: Partial<Parameters<typeof proxiesOf>[1]> = {}) =>
      proxiesOf(option, { env: {}, execArgv: [], ...process })
    assert.deepStrictEqual(
      read("environment", { env: { https_proxy: "proxy.example:3128" } }),
      Result.succeed({ httpProxy: "", httpsProxy: "http://proxy.example:3128", noProxy: "" })
    )
    assert.deepStrictEqual(read(undefined), Result.succeed(undefined))
    assert.notDeepEqual(read(undefined, { execArgv: ["--use-env-proxy"] }), Result.succeed(undefined))
    assert.notDeepEqual(
      read(undefined, { env: { NODE_OPTIONS: "--enable-source-maps --use-env-proxy" } }),
      Result.succeed(undefined)
    )
    for (const proxy of ["ftp://u:hunter2@proxy", "http://", "http://u:hunter2@:99999"]) {
      const fault = Option.getOrThrow(Result.getFailure(read(proxy)))
      assert.strictEqual(fault.option, "proxy")
      assert.match(fault.message, /^proxy is not the address of a proxy; (?!.*hunter2)/)
      assert.match(
        Option.getOrThrow(Result.getFailure(read("environment", { env: { HTTP_PROXY: proxy } }))).message,
        /^HTTP_PROXY is not the address of a proxy; (?!.*hunter2)/
      )
    }
    for (
      const [proxy, words] of [
        ["http://proxy.example:1/p", "more than the host and port"],
        ["http://proxy.example:1?x", "more than the host and port"],
        ["http://proxy.example:1#x", "more than the host and port"],
        ["http://u:hunter%zz2@proxy.example:1", "a % that begins no code"],
        ["http://u%zz@proxy.example:1", "a % that begins no code"]
      ] as const
    ) {
      for (const fault of [read(proxy), read("environment", { env: { HTTPS_PROXY: proxy } })].map(Result.getFailure)) {
        assert.include(Option.getOrThrow(fault).message, words)
        assert.notInclude(Option.getOrThrow(fault).message, "hunter")
      }
    }
    for (const proxy of ["http://u:p%40ss@proxy.example:1", "http://proxy.example:1/"]) {
      assert.isTrue(Result.isSuccess(read(proxy)))
    }
  })
})

describe("options", () => {
  const faultOf = (options: unknown) =>
    Effect.flip(Effect.scoped(Layer.build(NodeHttp.layer(options as NodeHttp.Options))))

  for (
    const [options, option, message] of [
      [{ conections: 5 }, "conections", "\"conections\" is not an option. Did you mean connections?"],
      [{ keepAliveTimeout: 5000 }, "keepAliveTimeout", "Did you mean keepAlive?"],
      [{ allowHTTP2: true }, "allowHTTP2", "Did you mean allowH2?"],
      [{ ca: "x" }, "ca", "the options are: keepAlive, connections, connect,"],
      ["fast", "options", "options must be an object, and is text."],
      [[], "options", "options must be an object, and is an array."],
      [{ allowH2: "no" }, "allowH2", "allowH2 is \"no\"; it must be true or false."],
      [{ allowH2: null }, "allowH2", "allowH2 is null; it must be true or false."],
      [{ proxy: "enviroment" }, "proxy", "proxy is \"enviroment\"; it must be \"environment\", false, or the address"],
      [{ proxy: "" }, "proxy", "proxy is \"\"; it must be"],
      [{ proxy: true }, "proxy", "proxy is true; it must be"],
      [{ proxy: null }, "proxy", "proxy is null; it must be"],
      [{ proxy: { host: "h" } }, "proxy", "proxy is an object; it must be"],
      [{ connect: "ca.pem" }, "connect", "connect is \"ca.pem\"; it must be an object of options for connections"],
      [{ connect: () => {} }, "connect", "connect is a function; it must be an object"],
      [
        { connect: { timeout: "5s" } },
        "connect.timeout",
        "connect.timeout is \"5s\"; it must be a number of milliseconds."
      ],
      [{ connect: { caa: tls.ca } }, "connect.caa", "\"caa\" is not an option of connections. Did you mean ca?"],
      [{ connect: { rejectUnauthorised: false } }, "connect.rejectUnauthorised", "Did you mean rejectUnauthorized?"],
      [{ connect: { ca: "ca.pem" } }, "connect.ca", "connect.ca is \"ca.pem\", and holds no certificate in PEM form"],
      [{ connect: { ca: tls.key } }, "connect.ca", "connect.ca is a text, and holds no certificate"],
      [{ connect: { ca: tls.ca.slice(0, 300) } }, "connect.ca", "or a broken one. Give the content of the file"],
      [{ connect: { ca: tls.ca + tls.ca.slice(0, 300) } }, "connect.ca", "or a broken one"],
      [{ connect: { ca: [tls.ca, "x"] } }, "connect.ca", "connect.ca is an array, and holds no certificate"],
      [{ connect: { ca: [] } }, "connect.ca", "connect.ca is an array, and holds no certificate"],
      [{ connect: { ca: 5 } }, "connect.ca", "connect.ca is 5, and holds no certificate in PEM form"],
      [{ connect: { cert: "x", key: tls.key } }, "connect", "Check ca, cert, key"],
      [{ connect: { cert: tls.valid, key: "x" } }, "connect", "Check ca, cert, key"],
      [{ connect: { minVersion: "TLSv9" } }, "connect", "\"TLSv9\" is not a valid minimum TLS protocol version"],
      ...[0, -1, 1.5, NaN, "5", null].map((connections) =>
        [{ connections }, "connections", "it must be a whole number, 1 or more."] as const
      ),
      ...["keepAlive", "headersTimeout", "bodyTimeout"].flatMap((name) =>
        [0, -1, Infinity, "soon", null, {}].map((value) =>
          [{ [name]: value }, name, "it must be a finite duration above zero."] as const
        )
      )
    ] as const
  ) {
    it.effect(`of ${inspect(options)} are rejected`, () =>
      Effect.gen(function*() {
        const error = yield* faultOf(options)
        assert.strictEqual(error._tag, "ConfigError")
        assert.strictEqual(error.option, option)
        assert.include(error.message, message)
      }))
  }

  for (
    const [what, connect] of [
      ["bytes", { ca: Buffer.from(tls.ca) }],
      ["a list, with comments", { ca: [`# ours\n${tls.ca}`, new TextEncoder().encode(tls.ca + tls.valid)] }],
      ["a name that a newer Node may know", { ca: tls.ca, quantumResistance: true }]
    ] as const
  ) {
    it.effect(`of a connection are accepted: ${what}`, () =>
      Effect.gen(function*() {
        const { baseUrl } = yield* serveTls(json)
        const options = { connect } as NodeHttp.Options
        assert.strictEqual((yield* retrieve(baseUrl, options)).status, "completed")
      }))
  }

  it.effect("that are undefined count as absent", () =>
    Effect.gen(function*() {
      const { baseUrl } = yield* serve(json)
      const nothing = undefined as never
      const options = { connections: nothing, conections: nothing, proxy: nothing, connect: { timeout: nothing } }
      assert.strictEqual((yield* retrieve(baseUrl, options)).status, "completed")
    }))
})

describe("Accept-Encoding", () => {
  it.effect("requests compression of JSON, and not of files, parts of files and streams", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const { baseUrl } = yield* serve((request, response) => {
        seen.push(`${request.method} ${request.url}: ${request.headers["accept-encoding"]}`)
        if (request.method === "POST" && request.url === "/v1/run") {
          return void response.writeHead(200, { "content-encoding": "gzip" })
            .end(zlib.gzipSync(JSON.stringify(acceptedRun(runId))))
        }
        response.writeHead(200, { etag: "\"v1\"", "content-length": 3 })
        if (request.url === "/a.csv" && seen.length < 4) {
          return void response.write("a", () => response.destroy())
        }
        response.end("abc")
      })
      const client = Layer.orDie(NodeHttp.layer())
      yield* Effect.gen(function*() {
        const spine = yield* Spine.SpineClient
        assert.strictEqual((yield* spine.runs.create({ prompt: "x" })).ref.id, runId)
        yield* Effect.exit(spine.runs.retrieve(runId))
        const artifact = { id: canvasId, type: "csv", name: "a.csv", download_url: "/a.csv", size_bytes: 3 } as const
        assert.strictEqual(new TextDecoder().decode(yield* spine.artifacts.download(runId, artifact)), "abc")
        const tela = yield* Tela.TelaClient
        yield* Effect.exit(Stream.runDrain(tela.canvas.make({ id: canvasId }).stream({})))
      }).pipe(
        Effect.provide(
          Layer.mergeAll(
            Spine.layer({ apiKey, baseUrl, retry: Schedule.recurs(1) }),
            Tela.layer({ apiKey, baseUrl, retry })
          )
        ),
        Effect.provide(client)
      )
      const encodings = "zstdDecompress" in zlib ? "gzip, deflate, br, zstd" : "gzip, deflate, br"
      assert.deepStrictEqual(seen.slice(0, 4), [
        `POST /v1/run: ${encodings}`,
        `GET /v1/run/${runId}: ${encodings}`,
        ...seen.slice(2, 4)
      ])
      assert.isAtLeast(seen.length, 5)
      assert.isTrue(
        seen.filter((line) => line.startsWith("GET /a.csv") || line.includes("/v2")).every((line) =>
          line.endsWith(": undefined")
        ),
        seen.join("\n")
      )
    }))
})

describe("limits", () => {
  it.effect("F16: there is no limit on headers and chunks unless an option sets one", () =>
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      const { baseUrl } = yield* serve(json)
      const { subscribe, unsubscribe } = yield* Effect.promise(() => import("node:diagnostics_channel"))
      const record = (message: unknown) => {
        const { bodyTimeout, headersTimeout } = (message as { readonly request: Record<string, unknown> }).request
        seen.push({ bodyTimeout, headersTimeout })
      }
      subscribe("undici:request:create", record)
      yield* retrieve(baseUrl)
      yield* retrieve(baseUrl, { headersTimeout: "3 seconds", bodyTimeout: "4 seconds" })
      unsubscribe("undici:request:create", record)
      assert.deepStrictEqual(seen, [
        { bodyTimeout: 0, headersTimeout: 0 },
        { bodyTimeout: 4000, headersTimeout: 3000 }
      ])
    }))

  it.effect("F16: the connections of a layer are closed with it", () =>
    Effect.gen(function*() {
      let onClosed = () => {}
      const closed = new Promise<void>((resolve) => onClosed = resolve)
      const { baseUrl } = yield* serve((request, response) => {
        request.socket.on("close", onClosed)
        json(request, response)
      })
      yield* retrieve(baseUrl)
      yield* Effect.promise(() => closed)
    }))
})
