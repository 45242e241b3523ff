/** Texts of providers in errors: without signatures of links, short, and printable. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Redacted, Schedule, Stream, Tracer } from "effect"
import { RunError, RunRef, Spine, Tela } from "canvas-runs"
import { inspect } from "node:util"
import { clients } from "../support/clients.ts"
import { answering, json } from "../support/http.ts"

const id = "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"
const signature = "5e1f0fb1b5a7c0ffee"

const links: Readonly<Record<string, string>> = {
  "of S3": `https://bucket.s3.amazonaws.com/a/b.png?X-Amz-Expires=900&X-Amz-Signature=${signature}`,
  "of Azure": `https://acc.blob.core.windows.net/c/b.png?sv=2024-01-01&se=2026-01-01T00%3A00%3A00Z&sig=${signature}`,
  "of Google": `https://storage.googleapis.com/b/o?X-Goog-Algorithm=GOOG4&X-Goog-Signature=${signature}`,
  "that is a path": `/v1/artifacts/a/content?token=${signature}`,
  "in a link": `https://login.example/?next=https%3A%2F%2Fh%2Fx%3FSignature%3D${signature}`,
  "with a quote in its query": `https://h/x?name='a'&sig=${signature}`,
  "with escapes of JSON": `https:\\/\\/h\\/x\\u003fa=1\\u0026Signature=${signature}`,
  "without its address": `Signature=${signature}`
}

const on = (respond: () => Response) =>
  Layer.provide(
    clients({ apiKey: Redacted.make("sk_spine_quotes_0123456789"), retry: Schedule.recurs(0) }),
    answering(respond).layer
  )

const run = {
  run_id: id,
  status: "completed",
  created_at: "2026-01-01T00:00:00Z",
  canvas_id: id,
  template: "auto"
}

const retrieve = Effect.flatMap(Spine.SpineClient, (spine) => spine.runs.retrieve(id))
const wait = Effect.flatMap(Spine.SpineClient, (spine) => spine.runs.waitForCompletion(id))
const resolve = Effect.flatMap(Tela.TelaClient, (tela) => tela.vault.resolve("vault://file-0001"))
const stream = Effect.flatMap(Tela.TelaClient, (tela) => Stream.runDrain(tela.canvas.make({ id }).stream({})))
const sse = (...data: ReadonlyArray<unknown>) =>
  new Response(data.map((part) => `data: ${JSON.stringify(part)}\n\n`).join(""), {
    headers: { "content-type": "text/event-stream" }
  })

/** The places where an error quotes a provider. */
const places: Readonly<
  Record<
    string,
    readonly [call: Effect.Effect<unknown, unknown, Spine.SpineClient | Tela.TelaClient>, (link: string) => Response]
  >
> = {
  "the message of an error response": [
    retrieve,
    (link) => json({ success: false, error: `no access to ${link}.` }, 403)
  ],
  "the text of an error response": [retrieve, (link) => new Response(`no access to ${link} now`, { status: 400 })],
  "the HTML of a refusal": [
    retrieve,
    (link) => new Response(`<html><a href="${link.replaceAll("&", "&amp;")}">x</a></html>`, { status: 400 })
  ],
  "the depth of an error response": [
    retrieve,
    (link) => json({ error: "no", details: [{ links: [{ url: link }] }] }, 400)
  ],
  "a run with an odd field": [
    retrieve,
    (link) => json({ success: true, data: { ...run, run_id: 5, result: { artifacts: [{ download_url: link }] } } })
  ],
  "a response without a required member": [resolve, (link) => json({ link })],
  "the type of an answer": [retrieve, (link) => new Response("x", { headers: { "content-type": `x; y=${link}` } })]
}

const tracing = (ended: Array<unknown>) =>
  Layer.succeed(
    Tracer.Tracer,
    Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        const end = span.end.bind(span)
        span.end = (time, exit) => {
          ended.push(exit, ...span.attributes)
          end(time, exit)
        }
        return span
      }
    })
  )

describe("What an error quotes", () => {
  for (const [place, [call, respond]] of Object.entries(places)) {
    for (const [which, link] of Object.entries(links)) {
      it.effect(`A9: has no signature of a link ${which} in ${place}`, () =>
        Effect.gen(function*() {
          const ended: Array<unknown> = []
          const error = yield* Effect.flip(call).pipe(
            Effect.provide(on(() => respond(link))),
            Effect.provide(tracing(ended))
          )
          assert.instanceOf(error, Error)
          const shown = [inspect(error, { depth: 20 }), JSON.stringify(error), Cause.pretty(Cause.fail(error))].join()
          assert.notInclude(shown, signature)
          assert.notInclude(inspect(ended, { depth: 20 }), signature)
        }))
    }
  }

  it.effect("A9: keeps the address of a link without its query, so that a reader knows the file", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(retrieve).pipe(
        Effect.provide(on(() => json({ error: `no access to ${links["of S3"]}` }, 403)))
      ) as Effect.Effect<RunError.PermissionDeniedError>
      assert.strictEqual(
        error.providerMessage,
        "no access to https://bucket.s3.amazonaws.com/a/b.png?<redacted>"
      )
      assert.deepStrictEqual(error.body, { error: error.providerMessage })
      assert.include(error.message, "https://bucket.s3.amazonaws.com/a/b.png?<redacted>")
    }))

  const kept = "Why? Set max=5 (see docs/limits), or ask: and/or?"
  it.effect(`A9: keeps a text that has no link, such as ${JSON.stringify(kept)}`, () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(retrieve).pipe(
        Effect.provide(on(() => json({ error: kept }, 403)))
      ) as Effect.Effect<RunError.PermissionDeniedError>
      assert.strictEqual(error.providerMessage, kept)
    }))

  it.effect("A9: hides the signature of a link in the error event of a stream", () =>
    Effect.gen(function*() {
      for (const link of Object.values(links)) {
        const error = yield* Effect.flip(stream).pipe(
          Effect.provide(on(() => sse({ error: { message: `cannot read ${link}` } })))
        ) as Effect.Effect<RunError.RunFailedError>
        assert.instanceOf(error, RunError.RunFailedError)
        assert.notInclude(error.message + error.errors.join(), signature)
      }
    }))

  it.effect("A9: keeps the failed run unchanged in its field, and hides the signatures of its links in the message", () =>
    Effect.gen(function*() {
      const artifact = { id: "a", type: "image", name: "a.png", download_url: links["of S3"]!, size_bytes: 1 }
      const error = yield* Effect.flip(wait).pipe(
        Effect.provide(on(() =>
          json({
            success: true,
            data: {
              ...run,
              status: "failed",
              errors: [{ error: `cannot write ${links["of Azure"]}` }],
              result: { final_output: "", artifacts: [artifact] }
            }
          })
        ))
      ) as Effect.Effect<RunError.RunFailedError>
      assert.instanceOf(error, RunError.RunFailedError)
      assert.notInclude(error.message + error.errors.join(), signature)
      assert.include(inspect(error.run, { depth: 9 }), links["of S3"]!)
    }))

  it("A9: takes linear time, also for texts that are designed to be slow", () => {
    for (
      const text of ["/".repeat(1e6), "?".repeat(1e6), "/?=".repeat(3e5), "signature".repeat(1e5), "sig=".repeat(2e5)]
    ) {
      const { message } = new RunError.ServerError({
        message: text,
        operation: "o",
        attempts: 1,
        elapsed: 0 as never
      })
      assert.isBelow(message.length, 4000)
    }
  })
})

const nested = (levels: number): unknown => JSON.parse(`${"[".repeat(levels)}1${"]".repeat(levels)}`)
const nestedObjects = (levels: number): unknown => JSON.parse(`${`{"__proto__":`.repeat(levels)}1${"}".repeat(levels)}`)
const ref = RunRef.make({ provider: "spine", kind: "run", id })

describe("An error about a deep value", () => {
  for (const [which, make] of [["arrays", nested], ["objects", nestedObjects]] as const) {
    const errors: Readonly<Record<string, (value: unknown) => unknown>> = {
      "RunFailedError.run": (run) => new RunError.RunFailedError({ message: "m", ref, errors: [], run }),
      "InvalidOutputError.output": (output) => new RunError.InvalidOutputError({ message: "m", issue: "i", output }),
      "InvalidResponseError.body": (body) =>
        new RunError.InvalidResponseError({
          message: "m",
          operation: "o",
          attempts: 1,
          elapsed: 0 as never,
          isRetryable: false,
          body
        }),
      "StreamInterruptedError.received": (structured) =>
        new RunError.StreamInterruptedError({
          message: "m",
          reason: "end",
          elapsed: 0 as never,
          received: { message: "", structured, chunks: 1, unread: [structured] }
        })
    }
    for (const [field, construct] of Object.entries(errors)) {
      it(`C: can be printed with 100,000 levels of ${which} in ${field}`, () => {
        const error = construct(make(100_000))
        assert.include(JSON.stringify(error), "<nested too deep>")
        assert.isString(inspect(error, { depth: Infinity }))
        assert.isString(String(error))
      })
      it(`C: keeps 400 levels of ${which} in ${field} unchanged`, () => {
        const text = JSON.stringify(construct(make(400)))
        assert.notInclude(text, "<nested too deep>")
        assert.include(text, JSON.stringify(make(400)))
      })
    }
  }
})

describe("The message of an error", () => {
  const long = "x".repeat(200_000)
  const failures: Readonly<
    Record<string, readonly [Effect.Effect<unknown, unknown, Spine.SpineClient | Tela.TelaClient>, () => Response]>
  > = {
    "a run that failed for a long reason": [
      wait,
      () => json({ success: true, data: { ...run, status: "failed", errors: [{ error: long }] } })
    ],
    "an error event with a long text": [stream, () => sse({ error: { message: long } })],
    "an answer of a long type": [retrieve, () => new Response("x", { headers: { "content-type": `x/${long}` } })],
    "an error response with a long text": [retrieve, () => json({ error: long }, 400)]
  }
  for (const [what, [call, respond]] of Object.entries(failures)) {
    it.effect(`C: is short for ${what}, and ends with its advice`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(call).pipe(Effect.provide(on(respond))) as Effect.Effect<Error>
        assert.isBelow(error.message.length, 1200)
        assert.match(error.message, /\.$/)
      }))
  }

  it.effect("C: is short for a run that failed for 200,000 reasons: it names the first 5 and counts the others, which the error keeps", () =>
    Effect.gen(function*() {
      const errors = Array.from({ length: 200_000 }, (_, at) => ({ error: `bad ${at}` }))
      const respond = () => json({ success: true, data: { ...run, status: "failed", errors } })
      const error = yield* Effect.flip(wait).pipe(Effect.provide(on(respond))) as Effect.Effect<RunError.RunFailedError>
      assert.isBelow(error.message.length, 1200)
      assert.match(error.message, /\.$/)
      assert.include(error.message, "bad 4; and 199995 more")
      assert.notInclude(error.message, "bad 5")
      assert.strictEqual(error.errors.length, 200_000)
    }))

  it.effect("C: is short if a schema reports 100,000 issues", () =>
    Effect.gen(function*() {
      const output = {
        "~standard": {
          version: 1 as const,
          vendor: "test",
          validate: () => ({
            issues: Array.from({ length: 100_000 }, (_, at) => ({ message: `bad ${at}`, path: ["a"] }))
          })
        }
      }
      const exit = yield* Effect.exit(
        Effect.flatMap(Tela.TelaClient, (tela) => tela.canvas.make({ id, output }).execute({}))
      ).pipe(
        Effect.provide(on(() => json({ id, choices: [{ message: { content: "x" }, finish_reason: "stop" }] })))
      )
      assert.isTrue(Exit.isFailure(exit))
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) as RunError.InvalidOutputError : undefined
      assert.instanceOf(error, RunError.InvalidOutputError)
      assert.isBelow(error!.message.length, 1200)
      assert.isBelow(error!.issue.length, 4000)
      assert.include(error!.message, "skipResultValidation")
    }))
})
