import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Clock, Duration, Effect, Fiber, Layer, Option, Redacted, Schema, Stream } from "effect"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { RunError, Tela } from "canvas-runs"
import { Fault, TelaEmulator, type TelaScript } from "canvas-runs/testing"
import { StreamChunk } from "../../src/tela/TelaSchema.ts"
import { isCommonChunk } from "../../src/tela/internal/streamFold.ts"
import { failure, finish, success } from "../support/results.ts"
import { answering, withoutWeb } from "../support/http.ts"

const client = Layer.orDie(Tela.layer({ apiKey: Redacted.make("tela_stream") }))

const onFetch = Layer.provideMerge(client, TelaEmulator.layerTest())

const onOther = client.pipe(
  Layer.provide(
    Layer.effect(
      HttpClient.HttpClient,
      Effect.map(
        HttpClient.HttpClient,
        HttpClient.transformResponse(Effect.map((response) => withoutWeb(response)))
      )
    )
  ),
  Layer.provideMerge(TelaEmulator.layerTest())
)

const Story = Schema.Struct({ title: Schema.String, words: Schema.Array(Schema.String) })

/** The parts of a stream that sends the given pieces, and its end. */
const run = (
  stream: TelaScript.StreamScript,
  params: Omit<Tela.StreamParams, "stream"> = {},
  output: Schema.Codec<unknown, unknown> = Schema.Unknown
) =>
  Effect.gen(function*() {
    const tela = yield* Tela.TelaClient
    const emulator = yield* TelaEmulator.TelaEmulator
    yield* emulator.script({ stream })
    const parts: Array<Tela.StreamPart<unknown>> = []
    const exit = yield* finish(
      Stream.runForEach(
        tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11", output }).stream({}, params),
        (part) => Effect.sync(() => parts.push(part))
      )
    )
    return { parts, exit, emulator }
  })

const deltas = (parts: ReadonlyArray<Tela.StreamPart<unknown>>) =>
  parts.flatMap((part) => part._tag === "delta" && part.content !== "" ? [part.content] : [])

const interrupted = (exit: Parameters<typeof failure>[0]) => {
  const error = failure(exit)
  assert.instanceOf(error, RunError.StreamInterruptedError)
  return error
}

for (const [body, live] of [["of a fetch", onFetch], ["of another HTTP client", onOther]] as const) {
  describe(`streamed executions, with a body ${body}`, () => {
    it.effect("emit increments, the message so far, and the validated output last", () =>
      Effect.gen(function*() {
        const { emulator, exit, parts } = yield* run({ pieces: ["Once ", "upon ", "a time"] }, {}, Schema.String)
        success(exit)
        assert.deepStrictEqual(deltas(parts), ["Once ", "upon ", "a time"])
        assert.deepStrictEqual(
          parts.flatMap((part) => part._tag === "delta" && part.content !== "" ? [part.message] : []),
          ["Once ", "Once upon ", "Once upon a time"]
        )
        const [request] = yield* emulator.requests
        assert.deepStrictEqual(parts.at(-1), {
          _tag: "final",
          result: "Once upon a time",
          message: "Once upon a time",
          finishReason: "stop",
          requestId: request!.id
        })
        assert.isTrue(parts.some((part) => part._tag === "delta" && part.finishReason === "stop"))
        assert.strictEqual((yield* emulator.streams)[0]!.state, "ended")
      }).pipe(Effect.provide(live)))

    it.effect("F1: emit partial structured output as it becomes parsable, typed unknown because it is not validated", () =>
      Effect.gen(function*() {
        const story = { title: "A", words: ["b", "c"] }
        const { exit, parts } = yield* run(
          {
            pieces: ["{", { structured: { title: "A" } }, { structured: { title: "A", words: ["b"] } }, {
              structured: story
            }]
          },
          {},
          Story
        )
        success(exit)
        const seen = parts.flatMap((part) =>
          part._tag === "delta" && part.structured !== undefined ? [part.structured] : []
        )
        assert.deepStrictEqual(seen.slice(0, 3), [{ title: "A" }, { title: "A", words: ["b"] }, story])
        assert.deepStrictEqual((parts.at(-1) as { result: unknown }).result, story)
        expectTypeOf<Extract<Tela.StreamPart<typeof Story.Type>, { _tag: "delta" }>["structured"]>().toBeUnknown()
      }).pipe(Effect.provide(live)))

    it.effect("fail with an InvalidOutputError after all parts when the output does not fit", () =>
      Effect.gen(function*() {
        const { exit, parts } = yield* run({ pieces: [{ structured: { title: 1 } }] }, {}, Story)
        const error = failure(exit)
        assert.instanceOf(error, RunError.InvalidOutputError)
        assert.deepStrictEqual(error.output, { title: 1 })
        assert.isAbove(parts.length, 0)
      }).pipe(Effect.provide(live)))

    it.effect("read text that is JSON as the structured output if the server does not parse it", () =>
      Effect.gen(function*() {
        const { exit, parts } = yield* run({ pieces: ["{\"title\":\"A\",", "\"words\":[]}"] }, {}, Story)
        success(exit)
        assert.deepStrictEqual((parts.at(-1) as { result: unknown }).result, { title: "A", words: [] })
      }).pipe(Effect.provide(live)))

    for (
      const [name, script] of [
        ["CRLF", { newline: "\r\n" }],
        ["CR", { newline: "\r" }],
        ["one JSON document per line", { framing: "json-lines" }],
        ["single bytes", { chunkBytes: 1 }],
        ["CRLF in chunks of 3 bytes", { newline: "\r\n", chunkBytes: 3 }],
        ["no end mark, but a finish reason", { end: "stop" }]
      ] as const
    ) {
      it.effect(`read ${name}`, () =>
        Effect.gen(function*() {
          const { exit, parts } = yield* run({ pieces: ["Grüße ", "– 日本 ", "🙂"], ...script })
          success(exit)
          assert.deepStrictEqual(deltas(parts), ["Grüße ", "– 日本 ", "🙂"])
          assert.strictEqual(parts.at(-1)!._tag, "final")
        }).pipe(Effect.provide(live)))
    }

    it.effect("ignore comments and retry lines, and pass on named events", () =>
      Effect.gen(function*() {
        const { exit, parts } = yield* run({
          pieces: [{ retry: 3000 }, { comment: "keep-alive" }, "a", { event: "usage", data: { some_tokens: 3 } }, {
            retry: 99999999
          }, "b"]
        })
        success(exit)
        assert.deepStrictEqual(deltas(parts), ["a", "b"])
        const event = parts.find((part) => part._tag === "event")
        assert.deepInclude(event, { event: "usage", data: { some_tokens: 3 } })
      }).pipe(Effect.provide(live)))

    it.effect("fail as interrupted without an end mark, with the received parts in the error", () =>
      Effect.gen(function*() {
        const { exit, parts } = yield* run({ pieces: ["a", { structured: { x: 1 } }, "b"], end: "none" })
        const error = interrupted(exit)
        assert.strictEqual(error.reason, "end")
        assert.deepStrictEqual(error.received, { message: "ab", structured: { x: 1 }, chunks: 3 })
        assert.isString(error.requestId)
        assert.strictEqual(parts.length, 3, "and all of it was emitted before")
      }).pipe(Effect.provide(live)))

    it.effect("fail as interrupted when the connection breaks", () =>
      Effect.gen(function*() {
        const { exit, parts } = yield* run({ pieces: ["a", "b", { drop: true }] })
        assert.strictEqual(interrupted(exit).reason, "transport")
        assert.deepStrictEqual(deltas(parts), ["a", "b"])
      }).pipe(Effect.provide(live)))

    for (
      const [name, piece] of [
        ["an error object", { error: { message: "out of tokens", code: "X" } }],
        ["an error event", { errorEvent: { error: { message: "out of tokens" } } }],
        ["an error event with a message", { errorEvent: { message: "out of tokens" } }]
      ] as const
    ) {
      it.effect(`fail with a RunFailedError with the provider's reasons, after the parts before it: ${name}`, () =>
        Effect.gen(function*() {
          const { exit, parts } = yield* run({ pieces: ["a", piece, "b"] })
          const error = failure(exit)
          assert.instanceOf(error, RunError.RunFailedError)
          assert.deepStrictEqual(error.errors, ["out of tokens"])
          assert.deepStrictEqual(deltas(parts), ["a"])
        }).pipe(Effect.provide(live)))
    }

    it.effect("fail as interrupted on data that is not JSON or not a chunk, after the parts before it", () =>
      Effect.gen(function*() {
        for (
          const raw of ["data: {\"choices\":\n\n", "data: [1]\n\n", "data: {\"choices\":3}\n\n"]
        ) {
          const { exit, parts } = yield* run({ pieces: ["a", { raw }, "b"] })
          assert.strictEqual(interrupted(exit).reason, "transport")
          assert.deepStrictEqual(deltas(parts), ["a"])
        }
      }).pipe(Effect.provide(live)))

    it.effect("accept chunks without any of their members", () =>
      Effect.gen(function*() {
        const raw = [
          "data: {}\n\n",
          "data: {\"choices\":null,\"message\":null}\n\n",
          "data: {\"choices\":[{\"delta\":null}]}\n\n",
          "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n",
          "data: {\"choices\":[{\"delta\":{\"content\":\"y\"},\"finish_reason\":\"stop\"}]}\n\n"
        ].join("")
        const { exit, parts } = yield* run({ pieces: [{ raw }], end: "none" })
        success(exit)
        assert.deepStrictEqual((parts.at(-1) as { message: string }).message, "xy")
      }).pipe(Effect.provide(live)))

    it.effect("read an end mark and a last event without the closing blank line", () =>
      Effect.gen(function*() {
        const chunk = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n"
        success((yield* run({ pieces: [{ raw: `${chunk}data: [DONE]` }], end: "none" })).exit)
        const last = "data: {\"choices\":[{\"delta\":{\"content\":\"y\"},\"finish_reason\":\"stop\"}]}"
        const { exit, parts } = yield* run({ pieces: [{ raw: chunk + last }], end: "none" })
        success(exit)
        assert.deepStrictEqual(deltas(parts), ["x", "y"])
      }).pipe(Effect.provide(live)))

    it.effect("have time limits for the first event, for silence, in which keep-alives do not count, and for the whole", () =>
      Effect.gen(function*() {
        const silent = interrupted((yield* run({ pieces: [{ pause: "10 minutes" }, "a"] })).exit)
        assert.strictEqual(silent.reason, "first-event")
        assert.strictEqual(Duration.toMinutes(silent.elapsed), 5)

        const keepAlives = Array.from(
          { length: 20 },
          () => [{ comment: "keep-alive" }, { pause: "10 seconds" }] as const
        )
          .flat()
        const idle = interrupted((yield* run({ pieces: ["a", ...keepAlives, "b"] })).exit)
        assert.strictEqual(idle.reason, "idle")
        assert.strictEqual(Duration.toSeconds(idle.elapsed), 60)
        assert.deepInclude(idle.received, { message: "a" })

        const slow = Array.from({ length: 100 }, (_, n) => [`${n} `, { pause: "10 seconds" }] as const).flat()
        const total = interrupted((yield* run({ pieces: slow }, { timeout: "5m", idleTimeout: "30s" })).exit)
        assert.strictEqual(total.reason, "total")
        assert.strictEqual(Duration.toMinutes(total.elapsed), 5)
        success((yield* run({ pieces: slow })).exit)
      }).pipe(Effect.provide(live)))

    it.effect("start their time limits when the request is sent, not when the upload of files starts", () =>
      Effect.gen(function*() {
        const tela = yield* Tela.TelaClient
        const emulator = yield* TelaEmulator.TelaEmulator
        yield* emulator.script({ stream: { pieces: ["a"] } })
        yield* emulator.fault(Fault.delay("20 seconds").pipe(Fault.on("PUT")))
        const stream = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" }).stream(
          { doc: Tela.file({ data: new Uint8Array(10), filename: "a.pdf" }) },
          { firstEventTimeout: "10s", timeout: "15s" }
        )
        success(yield* finish(Stream.runDrain(stream)))
      }).pipe(Effect.provide(live)))

    it.effect("keep what arrives after an interrupted pull for the next pull", () =>
      Effect.gen(function*() {
        const tela = yield* Tela.TelaClient
        const emulator = yield* TelaEmulator.TelaEmulator
        yield* emulator.script({ stream: { pieces: ["a", { pause: "30 seconds" }, "b"] } })
        const stream = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" }).stream({})
        const heard = yield* Effect.forkChild(Effect.scoped(Effect.gen(function*() {
          const pull = yield* Stream.toPull(stream)
          const told: Array<Tela.StreamPart<unknown>> = []
          while (told.at(-1)?._tag !== "final") {
            const parts = yield* Effect.timeoutOption(pull, "20 seconds")
            if (Option.isSome(parts)) told.push(...parts.value)
          }
          return deltas(told)
        })))
        assert.deepStrictEqual(success(yield* finish(Fiber.join(heard))), ["a", "b"])
      }).pipe(Effect.provide(live)))

    it.effect("close the connection when the consumer leaves", () =>
      Effect.gen(function*() {
        const tela = yield* Tela.TelaClient
        const emulator = yield* TelaEmulator.TelaEmulator
        yield* emulator.script({ stream: { pieces: ["a", { pause: "1 hour" }, "b"] } })
        const stream = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" }).stream({})
        success(yield* finish(Stream.runDrain(Stream.take(stream, 1)), "1 second"))
        assert.strictEqual((yield* emulator.streams)[0]!.state, "abandoned")
        const fiber = yield* Effect.forkChild(Stream.runDrain(stream))
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(fiber)
        assert.strictEqual((yield* emulator.streams)[1]!.state, "abandoned")
      }).pipe(Effect.provide(live)))

    it.effect("wait for a slow consumer, whose time does not count as silence of the server", () =>
      Effect.gen(function*() {
        const tela = yield* Tela.TelaClient
        const emulator = yield* TelaEmulator.TelaEmulator
        yield* emulator.script({ stream: { pieces: ["a", "b", "c", "d"], pause: "1 second" } })
        const seen: Array<string> = []
        success(
          yield* finish(
            Stream.runForEach(
              tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" }).stream({}),
              (part) =>
                Effect.andThen(
                  Effect.sleep("5 minutes"),
                  Effect.sync(() => seen.push(part._tag === "delta" ? part.content : part._tag))
                )
            )
          )
        )
        assert.strictEqual(seen.join(""), "abcdfinal")
      }).pipe(Effect.provide(live)))

    it.effect("read nothing before the first pull, and leave no fiber or timer when the consumer leaves", () =>
      Effect.gen(function*() {
        let asked = 0
        let cancelled = 0
        let sleepers = 0
        const clock = yield* Clock.Clock
        const counting: Clock.Clock = Object.assign(Object.create(clock) as Clock.Clock, {
          sleep: (duration: Duration.Duration) =>
            Effect.suspend(() => {
              sleepers++
              return Effect.ensuring(clock.sleep(duration), Effect.sync(() => sleepers--))
            })
        })
        const { client: onWeb } = answering(() =>
          new Response(
            new ReadableStream({
              pull: (controller) => {
                asked++
                controller.enqueue(
                  new TextEncoder().encode("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n")
                )
              },
              cancel: () => {
                cancelled++
              }
            }, { highWaterMark: 0 })
          )
        )
        const http = live === onFetch
          ? onWeb
          : HttpClient.transformResponse(onWeb, Effect.map((response) => withoutWeb(response)))
        const seen: Array<readonly [part: string, asked: number]> = []
        const exit = yield* finish(
          Effect.provide(
            Effect.flatMap(Tela.TelaClient, (tela) =>
              Stream.runForEach(
                Stream.take(tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" }).stream({}), 3),
                (part) => Effect.andThen(Effect.sleep("2 minutes"), Effect.sync(() => seen.push([part._tag, asked])))
              )),
            Layer.provide(client, Layer.succeed(HttpClient.HttpClient, http))
          ).pipe(Effect.provideService(Clock.Clock, counting))
        )
        success(exit)
        assert.deepStrictEqual(seen, [["delta", 1], ["delta", 2], ["delta", 3]])
        assert.strictEqual(cancelled, 1)
        assert.strictEqual(sleepers, 0)
      }))

    it.effect("promise 12: fail with an unknown outcome when the beginning of the response is lost", () =>
      Effect.gen(function*() {
        const tela = yield* Tela.TelaClient
        const emulator = yield* TelaEmulator.TelaEmulator
        const stream = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" }).stream({})
        yield* emulator.fault(Fault.drop)
        assert.instanceOf(failure(yield* finish(Stream.runDrain(stream))), RunError.CreateOutcomeUnknownError)
        yield* emulator.fault(Fault.status(429))
        assert.instanceOf(failure(yield* finish(Stream.runDrain(stream))), RunError.RateLimitError)
        assert.strictEqual((yield* emulator.requests).length, 2)
      }).pipe(Effect.provide(live)))
  })
}

describe("a streamed execution", () => {
  it.effect("hands over a long piece of the body in several arrays, with each event once", () =>
    Effect.gen(function*() {
      const words = Array.from({ length: 5000 }, (_, index) => ` gezeiten–${index}`)
      const events = words.map((content) => `data: {"choices":[{"delta":{"content":"${content}"}}]}\n\n`)
      const { client: http } = answering(() => new Response(`${events.join("")}data: [DONE]\n\n`))
      const arrays: Array<ReadonlyArray<Tela.StreamPart<unknown>>> = []
      yield* Effect.provide(
        Effect.flatMap(Tela.TelaClient, (tela) =>
          Stream.runForEachArray(
            tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" }).stream({}),
            (parts) => Effect.sync(() => arrays.push(parts))
          )),
        Layer.provide(client, Layer.succeed(HttpClient.HttpClient, http))
      )
      assert.deepStrictEqual(deltas(arrays.flat()), words)
      assert.isAbove(arrays.length, 3)
      assert.isTrue(arrays.every((parts) => parts.length < 2000), "no array has the events of the whole piece")
    }))

  it.effect("is interrupted by a body that dies, with the defect as its cause", () =>
    Effect.gen(function*() {
      const bug = new Error("a bug of the HTTP client")
      const http = HttpClient.transformResponse(
        answering(() => new Response("")).client,
        Effect.map((response) => withoutWeb(response, Stream.die(bug)))
      )
      const exit = yield* finish(
        Effect.provide(
          Effect.flatMap(Tela.TelaClient, (tela) =>
            Stream.runDrain(tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" }).stream({}))),
          Layer.provide(client, Layer.succeed(HttpClient.HttpClient, http))
        )
      )
      const error = failure(exit)
      assert.instanceOf(error, RunError.StreamInterruptedError)
      assert.strictEqual(error.cause, bug)
    }))
})

describe("the fast path for common chunks", () => {
  const anything = [null, "", "x", 0, true, [], {}, ["x"], [null], { content: "x" }, [{ content: "x" }], { content: 1 }]
  const texts = [undefined, null, "x", 1, {}, ["x"]]
  const deltaForms = [undefined, { content: null }, { content: "", role: "assistant" }, { content: {} }, ...anything]
  const messages = [undefined, { content: null, structured_content: { a: 1 } }, { structured_content: 1 }, ...anything]

  /** All values of the members, valid or not, that JSON can have. */
  const forms = function*(): Generator<unknown> {
    yield* anything
    for (const choices of [...anything, [{}, {}], [[{ delta: { content: "x" } }]]]) yield { choices }
    for (const delta of deltaForms) {
      for (const finish_reason of texts) {
        for (const id of texts) {
          for (const message of messages) {
            yield JSON.parse(JSON.stringify({ id, choices: [{ index: 0, delta, finish_reason }], message, more: 1 }))
          }
        }
      }
    }
    for (const other of anything) {
      yield { choices: [{ delta: { content: "x" } }, other] }
      yield { choices: [{ delta: { content: "x" } }], error: other }
    }
  }

  it("is used only for chunks that the schema accepts and that are not errors, with the same result", () => {
    const decode = Schema.decodeUnknownOption(StreamChunk)
    const read = (chunk: StreamChunk) => ({
      id: chunk.id,
      content: chunk.choices?.[0]?.delta?.content,
      // null and absent mean the same
      finishReason: chunk.choices?.[0]?.finish_reason ?? undefined,
      message: chunk.message?.content,
      structured: chunk.message?.structured_content
    })
    let common = 0
    let refused = 0
    for (const chunk of forms()) {
      const decoded = Option.getOrUndefined(decode(chunk))
      if (decoded === undefined) refused++
      if (!isCommonChunk(chunk)) continue
      common++
      assert.isNull((chunk as { readonly error?: unknown }).error ?? null)
      assert.isDefined(decoded, JSON.stringify(chunk))
      assert.deepStrictEqual(read(chunk), read(decoded!))
    }
    assert.isAbove(common, 100)
    assert.isAbove(refused, 1000)
  })

  it.effect("is not used for a chunk with an error beside it", () =>
    Effect.gen(function*() {
      const raw = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"error\":\"out of tokens\"}\n\n"
      const { exit, parts } = yield* run({ pieces: ["a", { raw }] })
      const error = failure(exit)
      assert.instanceOf(error, RunError.RunFailedError)
      assert.deepStrictEqual(error.errors, ["out of tokens"])
      assert.deepStrictEqual(deltas(parts), ["a"])
    }).pipe(Effect.provide(onFetch)))
})
