import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as TelaEmulator from "../../../../src/testing/TelaEmulator.ts"
import type * as TelaScript from "../../../../src/testing/TelaScript.ts"
import * as tela from "../../tela.ts"

const { emulated } = tela
const control = TelaEmulator.TelaEmulator
const scripted = (stream: TelaScript.StreamScript, script?: TelaScript.Script) =>
  emulated({ script: { ...script, stream } })

const open = (body: tela.Json = {}) =>
  tela.send("POST", tela.completions, { body: { canvas_id: tela.canvasId, stream: true, ...body } })

/** The deltas of the chunks that have one. */
const deltas = (data: ReadonlyArray<tela.Json>) => data.map((chunk) => chunk.choices?.[0].delta.content ?? null)

describe("a stream", () => {
  it.effect("section 4: is server-sent events, chosen by the body, and ends with [DONE]", () =>
    Effect.gen(function*() {
      const response = yield* tela.send("POST", tela.completions, {
        body: { canvas_id: tela.canvasId, stream: true, variables: { a: "b" } },
        headers: { accept: "application/json" }
      })
      assert.strictEqual(response.status, 200)
      assert.match(response.headers["content-type"] ?? "", /^text\/event-stream/)
      const text = yield* response.text
      assert.isTrue(text.endsWith("\n\ndata: [DONE]\n\n"))
      const data = tela.dataOf(text)
      assert.strictEqual(data.length, 7)
      assert.deepStrictEqual(data[0], {
        id: data[0].id,
        object: "chat.completion.chunk",
        created: 0,
        model: "emulated",
        choices: [{
          index: 0,
          delta: { role: "assistant", content: "The em", function_call: null },
          finish_reason: null,
          logprobs: null
        }],
        message: {
          role: "assistant",
          content: "The em",
          function_call: null,
          tool_calls: [],
          structured_content: null
        }
      })
      assert.strictEqual(deltas(data).join(""), "The emulator was given a: b.")
      const last = data[5]
      assert.deepStrictEqual(
        [last.choices[0].finish_reason, last.choices[0].delta.content, last.message.content],
        ["stop", null, "The emulator was given a: b."]
      )
      assert.strictEqual(new Set(data.slice(0, 6).map((chunk) => chunk.id)).size, 1)
    }).pipe(emulated()))

  it.effect("assumption 4: repeats the text so far in every chunk, and the structured content once it is complete", () =>
    Effect.gen(function*() {
      const schema = { type: "object", properties: { total: { type: "number" }, ok: { type: "boolean" } } }
      const data = tela.dataOf(
        yield* tela.streamText({
          override: { type: "chat", structured_output: { enabled: true, schema } }
        })
      )
      const chunks = data.slice(0, -1)
      assert.deepStrictEqual(
        chunks.map((chunk) => chunk.message.structured_content),
        [null, null, null, null, { total: 42, ok: true }, { total: 42, ok: true }]
      )
      assert.strictEqual(chunks[1].message.content, `{"total":4`)
    }).pipe(emulated()))

  it.effect("sends the pieces of its script", () =>
    Effect.gen(function*() {
      const text = yield* tela.streamText({})
      assert.isTrue(text.startsWith(": hello\n\nretry: 500\n\ndata: {"))
      assert.isTrue(text.includes("\n\nevent: usage\ndata: {\"tokens\":7}\n\n"))
      assert.isTrue(text.includes("\n\ndata: {\"error\":{\"code\":\"X\",\"message\":\"bad\"}}\n\n"))
      assert.isTrue(text.includes("\n\nevent: error\ndata: {\"error\":\"x\",\"message\":\"worse\"}\n\n"))
      assert.isTrue(text.includes("\n\ndata: not json\n\n"))
      assert.isTrue(text.endsWith("data: not json\n\n"))
      const structured = tela.dataOf(text).flatMap((chunk) => chunk.message?.structured_content ?? [])
      assert.deepStrictEqual(structured, [{ a: 1 }, { a: 1, b: 2 }])
    }).pipe(scripted({
      pieces: [
        { comment: "hello" },
        { retry: 500 },
        "Hi",
        { event: "usage", data: { tokens: 7 } },
        { structured: { a: 1 } },
        { structured: { a: 1, b: 2 } },
        { error: { code: "X", message: "bad" } },
        { errorEvent: { error: "x", message: "worse" } },
        { raw: "data: not json\n\n" }
      ],
      end: "none"
    })))

  it.effect("ends without [DONE], or without any end", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      yield* emulator.script({ stream: { pieces: ["a"], end: "stop" } })
      const stopped = tela.dataOf(yield* tela.streamText({}))
      assert.deepStrictEqual([stopped.length, stopped[1].choices[0].finish_reason], [2, "stop"])
      yield* emulator.script({ stream: { pieces: ["a"], end: "none" } })
      assert.strictEqual(tela.dataOf(yield* tela.streamText({})).length, 1)
      assert.deepStrictEqual((yield* emulator.streams).map(({ sent, state }) => [state, sent]), [
        ["ended", 2],
        ["ended", 1]
      ])
    }).pipe(emulated()))

  for (const newline of ["\r\n", "\r"] as const) {
    it.effect(`ends its lines with ${JSON.stringify(newline)}`, () =>
      Effect.gen(function*() {
        const text = yield* tela.streamText({})
        assert.isTrue(text.endsWith(`data: [DONE]${newline}${newline}`))
        assert.isFalse(/[^\r]\n/.test(text))
        assert.strictEqual(deltas(tela.dataOf(text)).join(""), "Hi there")
      }).pipe(scripted({ pieces: ["Hi ", { comment: "x" }, "there"], newline })))
  }

  it.effect("assumption 3: can be one JSON document per line", () =>
    Effect.gen(function*() {
      const response = yield* open()
      assert.strictEqual(response.headers["content-type"], "application/x-ndjson")
      const lines = (yield* response.text).trimEnd().split("\n").map((line) => JSON.parse(line))
      assert.deepStrictEqual(
        lines.map((line) => line.error ?? line.choices[0].delta.content),
        ["Hi ", "there", "bad", null]
      )
    }).pipe(scripted({ framing: "json-lines", pieces: ["Hi ", { comment: "x" }, "there", { error: "bad" }] })))

  it.effect("can be cut between any bytes", () =>
    Effect.gen(function*() {
      const chunks = yield* Stream.runCollect((yield* open()).stream)
      assert.isTrue(chunks.every((chunk) => chunk.length <= 3))
      const text = new TextDecoder().decode(Buffer.concat(chunks))
      assert.strictEqual(deltas(tela.dataOf(text)).join(""), "Olá, 世界 🎉")
    }).pipe(scripted({ chunkBytes: 3 }, { output: "Olá, 世界 🎉" })))

  it.effect("pauses between the pieces on the clock of the program", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const fiber = yield* Effect.forkChild(
        (yield* open()).stream.pipe(
          Stream.decodeText(),
          Stream.runForEach((text) => Effect.sync(() => seen.push(...deltas(tela.dataOf(text)))))
        )
      )
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(seen, ["a"])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(seen, ["a", "b"])
      yield* TestClock.adjust("59 seconds")
      assert.deepStrictEqual(seen, ["a", "b"])
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(seen, ["a", "b", "c", null, null])
    }).pipe(scripted({ pause: "1 second", pieces: ["a", "b", { pause: "1 minute" }, "c"] })))

  it.effect("rule 11: breaks off at the configured place", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      const received = Effect.gen(function*() {
        let text = ""
        const exit = yield* (yield* open()).stream.pipe(
          Stream.decodeText(),
          Stream.runForEach((part) => Effect.sync(() => text += part)),
          Effect.exit
        )
        return [exit._tag, deltas(tela.dataOf(text)).join("")]
      })
      yield* emulator.script({ stream: { pieces: ["a", "b", "c"], dropAfter: 2 } })
      assert.deepStrictEqual(yield* received, ["Failure", "ab"])
      yield* emulator.script({ stream: { pieces: ["a", { drop: true }, "b"] } })
      assert.deepStrictEqual(yield* received, ["Failure", "a"])
      yield* emulator.script({ stream: { pieces: ["a"], dropAfter: 0 } })
      assert.deepStrictEqual(yield* received, ["Failure", ""])
      assert.deepStrictEqual((yield* emulator.streams).map((stream) => stream.state), ["dropped", "dropped", "dropped"])
    }).pipe(emulated()))

  it.effect("reports a failed execution in an event, and ends without [DONE]", () =>
    Effect.gen(function*() {
      const data = tela.dataOf(yield* tela.streamText({ canvas_id: TelaEmulator.failingCanvasId }))
      assert.strictEqual(data.length, 2)
      assert.deepStrictEqual(data[1], { error: { code: "EXECUTION_FAILED", message: "The execution failed" } })
    }).pipe(emulated()))

  it.effect("is abandoned when the client disconnects before the end", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      yield* Stream.runDrain(Stream.take((yield* open()).stream, 2))
      const waiting = yield* Effect.forkChild(Stream.runDrain((yield* open()).stream))
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual((yield* emulator.streams).map((stream) => stream.state), ["abandoned", "open"])
      yield* Fiber.interrupt(waiting)
      const last = (yield* open()).stream.pipe(
        Stream.decodeText(),
        Stream.takeUntil((text) => text.includes("[DONE]")),
        Stream.runDrain
      )
      const ending = yield* Effect.forkChild(last)
      yield* TestClock.adjust("1 hour")
      yield* Fiber.join(ending)
      assert.deepStrictEqual((yield* emulator.streams).map(({ sent, state }) => [state, sent]), [
        ["abandoned", 2],
        ["abandoned", 2],
        ["ended", 7]
      ])
      assert.strictEqual((yield* emulator.streams)[0]?.runId, (yield* emulator.runs)[0]?.id)
    }).pipe(emulated({ script: { stream: { pieces: ["a", "b", { pause: "1 minute" }, "c", "d", "e"] } } })))
})
