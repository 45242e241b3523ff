/**
 * Every place that removes a key, a link or a password from an error. Each mutant removes one guard, and a secret of the program then
 * appears in a message, a cause, a field or a span.
 */
import { assert } from "@effect/vitest"
import { Effect, Exit, Layer, Redacted, Schedule, Schema } from "effect"
import { HttpClient } from "effect/http"
import { inspect } from "node:util"
import { GenAiTelemetry, Spine, Tela } from "canvas-runs"
import { NodeHttp } from "canvas-runs/node"
import type { Place } from "./kind.ts"
import { recordSpans, shownFailure } from "../support/spans.ts"
import { type Answer, answering, json } from "../support/http.ts"

const secret = "src/internal/secret.ts"
const conventions = "src/GenAiTelemetry.ts"

const id = "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"
const key = "sk_planted<&>'key'_0001"
const link = "https://files.example/a.csv?X-Amz-Signature=planted-signature&se=planted-expiry"
const base64 = (text: string) => Buffer.from(text).toString("base64")

/** All texts of an error that a program or a log could show. */
const shown = (error: unknown): string =>
  inspect(error, { depth: Infinity, showHidden: true, maxStringLength: Infinity }) + JSON.stringify(error) +
  String(error)

const hides = (error: unknown, parts: ReadonlyArray<string>): void => {
  const text = shown(error)
  for (const part of parts) assert.notInclude(text, part)
}

const spineOn = (answer: () => Answer, apiKey: Spine.Options["apiKey"] = Redacted.make(key)) =>
  Effect.provideService(
    Spine.make({ apiKey, baseUrl: "https://provider.invalid", retry: Schedule.recurs(0) }),
    HttpClient.HttpClient,
    answering(answer).client
  )

/** Neither the error of a look-up nor that of a create shows any of the parts. */
const errorsHide = (answer: () => Answer, ...parts: ReadonlyArray<string>) => () =>
  Effect.gen(function*() {
    const { runs } = yield* spineOn(answer)
    hides(yield* Effect.flip(runs.retrieve(id)), parts)
    hides(yield* Effect.flip(runs.create({ prompt: "x" })), parts)
  })

const refusal = (body: string, headers: Record<string, string> = {}, status = 400) => () =>
  new Response(body, { status, headers: { "content-type": "application/json", ...headers } })

const echo = (text: string) => refusal(JSON.stringify({ success: false, error: { code: "bad", message: text } }))

const part = "planted"

/** The client cannot be made, or its calls fail, without showing any of the parts. */
const keysHide = (apiKey: Spine.Options["apiKey"], ...parts: ReadonlyArray<string>) => () =>
  Effect.gen(function*() {
    const error = yield* Effect.flip(
      Effect.flatMap(spineOn(refusal("{}"), apiKey), ({ runs }) => runs.retrieve(id))
    )
    hides(error, parts)
    assert.include(["ConfigError", "BadRequestError", "TransportError"], error._tag)
  })

/** A key that is too short to be removed from responses is removed from errors. */
const shortKeyHides = (answer: () => Answer) => () =>
  Effect.gen(function*() {
    const { runs } = yield* spineOn(answer, Redacted.make(part))
    hides(yield* Effect.flip(runs.retrieve(id)), [part])
  })

/** No span of a download shows the link. */
const spansHide = (url: string) => () =>
  Effect.gen(function*() {
    const { spans, tracer } = recordSpans()
    const { artifacts } = yield* spineOn(() => new Response("abc"))
    yield* Effect.withTracer(
      artifacts.download(id, { id: "a", type: "csv", name: "a.csv", download_url: url }),
      tracer
    )
    hides(spans.map(({ attributes, events, name }) => ({ attributes: [...attributes], events, name })), [part])
  })

const anyCanvas = Tela.make({ apiKey: Redacted.make(key), baseUrl: "https://provider.invalid", retryCreates: false })

/** No span of a run with the conventions shows the part: neither its name, its attributes and events, nor its error. */
const conventionsHide = (call: Effect.Effect<unknown, unknown>) => () =>
  Effect.gen(function*() {
    const { spans, tracer } = recordSpans()
    yield* Effect.exit(Effect.withTracer(call, GenAiTelemetry.make(tracer)))
    assert.isNotEmpty(spans)
    hides(
      spans.map((span) => ({
        attributes: [...span.attributes],
        events: span.events,
        name: span.name,
        failure: shownFailure(span),
        cause: span.status._tag === "Ended" && Exit.isFailure(span.status.exit) ? span.status.exit.cause : undefined
      })),
      [part]
    )
  })

const spineCall = (answer: () => Answer, params: Spine.CreateRunParams = { prompt: part }) =>
  Effect.flatMap(spineOn(answer), ({ runs }) => runs.run(params))

const telaCall = (answer: () => Answer) =>
  Effect.provideService(
    Effect.flatMap(anyCanvas, ({ canvas }) =>
      canvas.make({ id, output: Schema.Struct({ total: Schema.Number }) }).execute({ text: part })),
    HttpClient.HttpClient,
    answering(answer).client
  )

/** An execution that has ended, with this information about it. */
const telaRun = (information: Readonly<Record<string, unknown>>) =>
  Effect.provideService(
    Effect.flatMap(anyCanvas, ({ canvas }) => canvas.make({ id }).run({})),
    HttpClient.HttpClient,
    answering(({ index }) =>
      json(
        index === 0
          ? { id, status: "created" }
          : { id, status: "succeeded", output_content: { content: "x", information } }
      )
    ).client
  )

/** A run that is created, and then is answered with these members. */
const ended = (data: Readonly<Record<string, unknown>>) => {
  let polls = 0
  return () =>
    json({
      success: true,
      data: polls++ === 0
        ? { run_id: id, status: "running", poll_url: `/v1/run/${id}` }
        : { run_id: id, status: "completed", duration_ms: 1, result: { final_output: part, artifacts: [] }, ...data }
    })
}

const proxyHides = (proxy: string) => () =>
  Effect.gen(function*() {
    const error = yield* Effect.flip(Effect.scoped(Layer.build(NodeHttp.layer({ proxy }))))
    assert.strictEqual(error.option, "proxy")
    hides(error, [part])
  })

export const places: ReadonlyArray<Place> = [
  {
    name: "secrets: the body of an error does not contain the key",
    mutant: {
      file: "src/internal/http/response.ts",
      find: "const clean = attempt.cleaner.key(text ?? \"\")",
      replace: "const clean = text ?? \"\""
    },
    inputs: {
      "a short one, in text": shortKeyHides(refusal("bad key planted", { "content-type": "text/plain" })),
      "a short one, in a member of JSON": shortKeyHides(refusal(JSON.stringify({ header: { "x-api-key": "planted" } })))
    }
  },
  {
    name: "secrets: the key is recognised in HTML",
    mutant: {
      file: secret,
      find: "...htmlQuotes.map(([double, single]) => inHtml(secret, double, single)),",
      replace: ""
    },
    inputs: {
      "with a numeric quote": errorsHide(echo("sk_planted&lt;&amp;&gt;&#39;key&#39;_0001"), part),
      "with a named quote": errorsHide(echo("sk_planted&lt;&amp;&gt;&apos;key&apos;_0001"), part)
    }
  },
  {
    name: "secrets: the key is recognised in a URL",
    mutant: { file: secret, find: "    inUrl,\n", replace: "" },
    inputs: {
      "in a query": errorsHide(echo(`GET /?key=${encodeURIComponent(key)}`), part),
      "as the value of a form": errorsHide(refusal(`key=${encodeURIComponent(key)}`), part)
    }
  },
  {
    name: "secrets: the key is recognised in base64",
    mutant: { file: secret, find: "[0, 1, 2].flatMap((offset) => inBase64(secret, offset))", replace: "[]" },
    inputs: Object.fromEntries(["", "a", "ab"].map((before) => [
      `after ${before.length} bytes`,
      errorsHide(echo(`Basic ${base64(`${before}${key}:`)}`), base64(`${before}${key}:`).slice(8, 28))
    ]))
  },
  {
    name: "secrets: a cause of the transport does not contain the key",
    mutant: {
      file: "src/internal/http/errors.ts",
      find: "isClean(cause, cleaner) ? cause :",
      replace: "true ? cause :"
    },
    inputs: {
      "in its message": errorsHide(() => new Error(`header x-api-key: ${key} is invalid`), part),
      "in its cause": errorsHide(() => new TypeError("fetch failed", { cause: new Error(key) }), part),
      "in one of several causes": errorsHide(() => new AggregateError([new Error("a"), new Error(key)]), part)
    }
  },
  {
    name: "secrets: the id of a request does not contain the key",
    mutant: { file: "src/internal/http/response.ts", find: "undefined : cleaner.text(id)", replace: "undefined : id" },
    inputs: {
      "unchanged": errorsHide(refusal("{}", { "x-request-id": `req-${key}` }), part),
      "in a URL": errorsHide(refusal("{}", { "x-request-id": encodeURIComponent(key) }, 500), part)
    }
  },
  {
    name: "secrets: the host of a redirect does not contain the key",
    mutant: { file: "src/internal/secret.ts", find: "squeeze(host).includes(squeeze(secret)) ?", replace: "false ?" },
    inputs: Object.fromEntries([302, 308].map((status) => [
      `of ${status}`,
      errorsHide(refusal("", { location: "https://sk-planted-key-0001.evil.example/" }, status), "sk-planted-key")
    ]))
  },
  {
    name: "secrets: a quotation does not contain the signature of a link",
    mutant: {
      file: "src/internal/secret.ts",
      find: "text: (text) => hideLinks(scrub(text)),",
      replace: "text: (text) => scrub(text),"
    },
    inputs: {
      "of a transport that failed": errorsHide(() => new Error(`GET ${link} failed`), "planted-signature"),
      "of a content type": errorsHide(
        () => new Response("x", { headers: { "content-type": `text/x; at="${link}"` } }),
        "planted-signature"
      )
    }
  },
  {
    name: "secrets: a key that no header can carry is rejected before a client shows it",
    mutant: { file: "src/internal/http/credential.ts", find: "!/^[\\u0021-\\u007e]+$/.test(value)", replace: "false" },
    inputs: {
      "with a line break": () =>
        Effect.map(Effect.flip(spineOn(refusal("{}"), Redacted.make("planted\n"))), (error) => {
          assert.strictEqual(error._tag, "ConfigError")
          hides(error, [part])
        }),
      "with a letter that is not ASCII": () =>
        Effect.map(Effect.flip(spineOn(refusal("{}"), Redacted.make("plantedé"))), (error) => {
          assert.strictEqual(error._tag, "ConfigError")
          hides(error, [part])
        })
    }
  },
  {
    name: "secrets: the failure of the effect that reads the key is not shown",
    mutant: {
      file: "src/internal/http/credential.ts",
      find: "`failed${kindOf(Cause.squash(cause))}`",
      replace: "`failed ${String(Cause.squash(cause))}`"
    },
    inputs: {
      "an error": keysHide(Effect.fail(new Error("planted is no valid key")), part),
      "a text": keysHide(Effect.fail("planted"), part),
      "a defect": keysHide(Effect.die(new Error("planted")), part)
    }
  },
  {
    name: "secrets: an invalid address of a proxy is not shown",
    mutant: {
      file: "src/node/internal/proxies.ts",
      find: "message: `${option} ${fault};",
      replace: "message: `${option} ${value} ${fault};"
    },
    inputs: {
      "of another protocol": proxyHides("socks5://user:planted@proxy.example:1080"),
      "without a host": proxyHides("user:planted@:3128")
    }
  },
  {
    name: "secrets: requests have no spans of the HTTP client, which show their links",
    mutant: {
      file: "src/internal/http/fetchPlatform.ts",
      find: "Context.add(HttpClient.TracerDisabledWhen, () => true)",
      replace: "Context.add(HttpClient.TracerDisabledWhen, () => false)"
    },
    inputs: {
      "with a query": spansHide(link),
      "with a secret path": spansHide("https://files.example/planted-path/a.csv")
    }
  },
  {
    name: "secrets: with the conventions, a span has the tag of its error, and not the message",
    mutant: { file: conventions, find: "exit : Exit.fail(new Failure(type))", replace: "exit : exit" },
    inputs: {
      "of a response that quotes the prompt": conventionsHide(spineCall(echo("no answer for planted"))),
      "of an output that does not fit": conventionsHide(
        telaCall(() => json({ choices: [{ message: { content: { total: "planted" } } }] }))
      ),
      "of an argument": conventionsHide(spineCall(echo("x"), { prompt: "x", template: "planted prompt" as never }))
    }
  },
  {
    name: "secrets: with the conventions, only a template is the name of a run",
    mutant: {
      file: conventions,
      find: "typeof template === \"string\" && /^[a-z_]{1,40}$/.test(template) ? template : undefined",
      replace: "String(template)"
    },
    inputs: {
      "and a prompt in its place is not": conventionsHide(
        spineCall(echo("x"), { prompt: "x", template: "A planted prompt" as never })
      ),
      "and a link in its place is not": conventionsHide(spineCall(echo("x"), { prompt: "x", template: link as never }))
    }
  },
  {
    name: "secrets: with the conventions, only an id is the id of a canvas",
    mutant: {
      file: conventions,
      find: "\"canvas.id\": isId(canvas) ? canvas : undefined,",
      replace: "\"canvas.id\": canvas,"
    },
    inputs: {
      "and a link in its place is not": conventionsHide(spineCall(ended({ canvas_id: link }))),
      "and a text in its place is not": conventionsHide(spineCall(ended({ canvas_id: "a planted text" })))
    }
  },
  {
    name: "secrets: with the conventions, only a number is a number of tokens",
    mutant: {
      file: conventions,
      find: "typeof found === \"number\" && Number.isFinite(found)",
      replace: "found !== undefined"
    },
    inputs: {
      "and a text in its place is not": conventionsHide(telaRun({ input_tokens: "planted" })),
      "and an object in its place is not": conventionsHide(telaRun({ outputTokens: { planted: "planted" } }))
    }
  }
]
