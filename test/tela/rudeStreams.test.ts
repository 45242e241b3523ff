/** Streams of real servers, gateways and proxies, which deviate from the specification. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Metric, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { gzipSync } from "node:zlib"
import { Tela } from "canvas-runs"
import { TelaEmulator } from "canvas-runs/testing"
import { failure, finish, outcomeOf, success } from "../support/results.ts"
import {
  apiKey,
  chunk,
  cut,
  done,
  event,
  finalOf,
  interruptionOf,
  reportOf,
  streamed,
  synchronous,
  textOf
} from "../support/telaAnswers.ts"
import { canvasId, live } from "../support/tela.ts"
import { recordSpans } from "../support/spans.ts"

const hel = chunk("Hel")
const lo = chunk("lo")
const stop = chunk("", "stop")

describe("A4: errors inside a stream", () => {
  for (
    const [title, body, words] of [
      ["a list of errors", event({ errors: [{ message: "x" }, "y"] }), ["x", "y"]],
      ["vLLM's error object", event({ object: "error", message: "CUDA out of memory", code: 500 }), [
        "CUDA out of memory"
      ]],
      ["Tela's own error body", event({ code: "RATE", message: "too much", status: 429, name: "Error" }), ["too much"]],
      ["an error of llama.cpp", event({ error: { code: 500, message: "slot busy", type: "server_error" } }), [
        "slot busy"
      ]],
      ["an error in a separate field", "error: {\"code\":500,\"message\":\"context too long\"}\n\n", [
        "context too long"
      ]],
      ["a named error", event({ type: "error", error: { type: "overloaded_error", message: "Overloaded" } }, "error"), [
        "Overloaded"
      ]],
      ["a named error that is text", event("out of memory", "ERROR"), ["out of memory"]],
      ["a named error that is cut off", "event: error\ndata: {\"mess", ["{\"mess"]],
      ["an event that is named failed", event({ reason: "quota" }, "failed"), ["quota"]],
      [
        "a status as text, beside choices",
        event({ status: "failed", message: "no", choices: [{ delta: { content: "" } }] }),
        [
          "no"
        ]
      ],
      ["an error by its type", event({ type: "error", message: "gone" }), ["gone"]],
      ["a status that is an error", event({ statusCode: 503, detail: "no capacity" }), ["no capacity"]],
      ["a status as text", event({ status: "failed", message: "stopped by an admin" }), ["stopped by an admin"]],
      ["an error beside choices", event({ error: "bad", choices: [{ delta: { content: "lo" } }] }), ["bad"]],
      ["an error with a number", event({ error: 502 }), ["502"]],
      ["an error that is true, with a message beside it", event({ error: true, message: "denied" }), ["denied"]],
      [
        "A2: an error of the choice",
        chunk("", "error", { error: { code: 502, message: "Provider disconnected" } }),
        ["Provider disconnected"]
      ],
      ["an error of the choice without a reason", chunk("", null, { error: { message: "lost" } }), ["lost"]],
      ["JSON lines", "{\"error\":{\"message\":\"line\"}}\n", ["line"]],
      ["JSON over several lines", `${JSON.stringify({ error: { message: "lines" } }, null, 2)}\n`, ["lines"]]
    ] as const
  ) {
    it.effect(`${title} is a RunFailedError with the provider's reasons and the text so far`, () =>
      Effect.gen(function*() {
        for (const size of [1, 100_000]) {
          const stream = yield* streamed(cut(hel + body + (title.includes("cut off") ? "" : done), size))
          const error = reportOf(stream)
          assert.deepStrictEqual(error.errors, words)
          assert.include(error.message, words[0])
          assert.deepInclude(error.run, { received: { message: "Hel", structured: undefined, chunks: 1 } })
          assert.strictEqual(textOf(stream), "Hel")
        }
      }))
  }

  it.effect("an event with the name of a failure is a failure, also without data", () =>
    Effect.gen(function*() {
      for (const name of ["error", "ERROR", "failed", "cancelled"]) {
        for (const rest of [`\n${lo}${stop}${done}`, ""]) {
          for (const size of [1, 100_000]) {
            const stream = yield* streamed(cut(`${hel}event: ${name}\n${rest}`, size))
            const error = reportOf(stream)
            assert.deepStrictEqual([error.errors, textOf(stream)], [[], "Hel"])
            assert.include(error.message, "it gave no reason. ")
          }
        }
      }
      assert.strictEqual(finalOf(yield* streamed(`${hel}event: ping\n\nevent: errors\n\n${lo}${done}`)).result, "Hello")
    }))

  it.effect("a last chunk of an unknown form does not end the stream, and is kept in the error", () =>
    Effect.gen(function*() {
      for (const unknown of [{ detail: "Internal error" }, { message: "Endpoint request timed out" }, { ok: false }]) {
        const error = interruptionOf(yield* streamed(hel + event(unknown) + done))
        assert.deepStrictEqual(error.received.unread, [unknown])
        assert.include(error.message, JSON.stringify(unknown))
      }
      const broken = interruptionOf(yield* streamed(`${hel}data: {"choices":3}\n\n${done}`))
      assert.deepStrictEqual(broken.received.unread, [{ choices: 3 }])
      const text = interruptionOf(yield* streamed(`${hel}data: {"choices":\n\n${done}`))
      assert.deepStrictEqual(text.received.unread, ["{\"choices\":"])
    }))

  it.effect("a chunk of an unknown form in the middle is ignored", () =>
    Effect.gen(function*() {
      for (const unknown of [{ type: "ping" }, {}, { usage: { total_tokens: 3 } }]) {
        assert.strictEqual(finalOf(yield* streamed(hel + event(unknown) + lo + done)).result, "Hello")
        assert.strictEqual(finalOf(yield* streamed(hel + lo + stop + event(unknown) + done)).result, "Hello")
      }
    }))

  it.effect("B10: a synchronous answer that reports an error is a RunFailedError with the provider's reasons", () =>
    Effect.gen(function*() {
      for (
        const [answer, words] of [
          [{ error: { message: "out of tokens" } }, ["out of tokens"]],
          [{ id: "x", status: "failed", message: "no model" }, ["no model"]],
          [{ id: "x", choices: [{ message: { content: "Hel" }, error: { message: "lost" } }] }, ["lost"]],
          [{ object: "error", message: "CUDA", code: 500 }, ["CUDA"]]
        ] as const
      ) {
        assert.deepStrictEqual(reportOf({ exit: yield* synchronous(answer) }).errors, words)
      }
    }))

  it.effect("B10: a synchronous answer with a status is a success only if the status is a success", () =>
    Effect.gen(function*() {
      const completion = (status: unknown) =>
        Effect.map(synchronous({ id: "x", status, choices: [{ message: { content: "Hi" } }] }), outcomeOf)
      for (const status of [undefined, null, "", "succeeded", "COMPLETED", 200, "200", {}]) {
        assert.strictEqual(yield* completion(status), "success", String(status))
      }
      for (const status of ["failed", "Error", "cancelled", 500, "429"]) {
        assert.strictEqual(yield* completion(status), "RunFailedError", String(status))
      }
      for (const status of ["running", "created", "queued", "incomplete"]) {
        assert.strictEqual(yield* completion(status), "CreateOutcomeUnknownError", status)
      }
    }))

  it.effect("B10: a synchronous answer in the form of a run is read like a run", () =>
    Effect.gen(function*() {
      const run = (status: string, more: object = { output_content: { role: "assistant", content: { n: 1 } } }) =>
        synchronous({ id: "run-1", status, ...more })
      assert.deepInclude(success(yield* run("succeeded")), { id: "run-1", result: { n: 1 } })
      assert.deepInclude(success(yield* run("succeeded", { outputContent: { content: "Hi" } })), { result: "Hi" })
      assert.deepStrictEqual(reportOf({ exit: yield* run("succeeded", { output_content: {}, error: "x" }) }).errors, [
        "x"
      ])
      assert.strictEqual(outcomeOf(yield* run("failed")), "RunFailedError")
      for (const status of ["running", "created", "completed"]) {
        assert.strictEqual(outcomeOf(yield* run(status)), "CreateOutcomeUnknownError", status)
      }
      assert.strictEqual(outcomeOf(yield* run("succeeded", {})), "CreateOutcomeUnknownError")
      assert.strictEqual(outcomeOf(yield* run("succeeded", { output_content: "Hi" })), "CreateOutcomeUnknownError")
    }))

  it.effect("a synchronous workflow that is still running is not a success", () =>
    Effect.gen(function*() {
      const workflow = (status: string) => synchronous({ id: "w", status, steps: [{ output: { a: 1 } }] })
      assert.strictEqual(outcomeOf(yield* workflow("completed")), "success")
      assert.strictEqual(outcomeOf(yield* workflow("failed")), "RunFailedError")
      for (const status of ["running", "queued", "created"]) {
        assert.strictEqual(outcomeOf(yield* workflow(status)), "CreateOutcomeUnknownError", status)
      }
    }))
})

describe("A5: the member error of a chunk", () => {
  for (const none of [false, null, "", " ", 0, []]) {
    it.effect(`with the value ${JSON.stringify(none)} is not an error`, () =>
      Effect.gen(function*() {
        const body = { error: none, choices: [{ delta: { content: "Hi" }, finish_reason: "stop", error: none }] }
        assert.strictEqual(finalOf(yield* streamed(event(body) + done)).result, "Hi")
        const answer = { id: "x", error: none, choices: [{ message: { content: "Hi" }, error: none }] }
        assert.strictEqual(outcomeOf(yield* synchronous(answer)), "success")
      }))
  }

  it.effect("without a message is a RunFailedError that says so and has the partial text", () =>
    Effect.gen(function*() {
      for (const lost of [{ error: {} }, { error: true }, { errors: [{}] }, { error: { message: "" } }]) {
        const error = reportOf(yield* streamed(hel + event(lost) + done))
        assert.deepStrictEqual(error.errors, [])
        assert.include(error.message, "gave no reason")
        assert.include(error.message, JSON.stringify(lost))
        assert.deepInclude(error.run, { received: { message: "Hel", structured: undefined, chunks: 1 } })
      }
      for (const none of [{ errors: [] }, { errors: {} }, { errors: [null, false] }]) {
        const body = { ...none, choices: [{ delta: { content: "Hi" }, finish_reason: "stop" }] }
        assert.strictEqual(finalOf(yield* streamed(event(body) + done)).result, "Hi")
      }
    }))
})

describe("A6: events with names", () => {
  it.effect("chunks are read under any name", () =>
    Effect.gen(function*() {
      const named = (text: string, finish_reason: string | null = null) =>
        event({ choices: [{ delta: { content: text }, finish_reason }] }, "delta")
      assert.strictEqual(finalOf(yield* streamed(named("Hel") + named("lo") + done)).result, "Hello")
      assert.strictEqual(finalOf(yield* streamed(named("Hel") + named("lo", "stop"))).result, "Hello")
    }))

  it.effect("an error under the name of the chunks is the stream's failure", () =>
    Effect.gen(function*() {
      const named = event({ choices: [{ delta: { content: "Hel" } }] }, "delta")
      for (const error of [{ error: { message: "x" } }, { error: "x", choices: [{ delta: { content: "" } }] }]) {
        assert.deepStrictEqual(reportOf(yield* streamed(named + event(error, "delta") + done)).errors, ["x"])
      }
      assert.strictEqual(
        outcomeOf((yield* streamed(named + event("{\"a", "delta") + done)).exit),
        "StreamInterruptedError"
      )
    }))

  it.effect("keep-alives under the name of the chunks are skipped", () =>
    Effect.gen(function*() {
      const named = event({ choices: [{ delta: { content: "Hello" } }] }, "delta")
      const stream = yield* streamed(
        named + event("", "delta") + event("ping", "delta") + event("null", "other") + done
      )
      assert.strictEqual(finalOf(stream).result, "Hello")
      assert.deepStrictEqual(stream.parts.flatMap((part) => part._tag === "event" ? [part.data] : []), [null])
    }))

  it.effect("text in events of an unknown form is not an empty success, of any length", () =>
    Effect.gen(function*() {
      const long = event({ text: "x".repeat(100_000) }, "delta") + stop + done
      assert.strictEqual(interruptionOf(yield* streamed(long)).reason, "end")
    }))

  it.effect("text that is only in events of an unknown form is in the error", () =>
    Effect.gen(function*() {
      const named = event({ text: "Hello" }, "delta") + event("world", "delta")
      for (const end of [done, stop, stop + done]) {
        const error = interruptionOf(yield* streamed(named + end))
        assert.deepStrictEqual(error.received.unread, [
          { event: "delta", data: { text: "Hello" } },
          { event: "delta", data: "world" }
        ])
      }
    }))

  it.effect("text in a choice of an unknown form is in the error", () =>
    Effect.gen(function*() {
      const unknown = { choices: [{ completion: "Hello", finish_reason: "stop" }] }
      assert.deepStrictEqual(interruptionOf(yield* streamed(event(unknown) + done)).received.unread, [unknown])
    }))

  it.effect("an event with a name is passed to the caller, and does not fail a stream that has output", () =>
    Effect.gen(function*() {
      const stream = yield* streamed(hel + event({ error: "a tool failed" }, "tool") + lo + event({}, "usage") + done)
      assert.strictEqual(finalOf(stream).result, "Hello")
      assert.deepStrictEqual(
        stream.parts.flatMap((part) => part._tag === "event" ? [[part.event, part.data]] : []),
        [["tool", { error: "a tool failed" }], ["usage", {}]]
      )
    }))

  it.effect("a filter or a call of a tool is a success without text beside events", () =>
    Effect.gen(function*() {
      for (const reason of ["content_filter", "tool_calls", "length"]) {
        const body = event({ tokens: 3 }, "usage") + chunk(null, reason) + done
        assert.strictEqual(finalOf(yield* streamed(body)).finishReason, reason)
      }
    }))
})

describe("chunks in other forms", () => {
  const legacy = (text: string, more?: object) => event({ choices: [{ index: 0, text, ...more }] })
  const inDelta = (text: string, more?: object) => event({ choices: [{ index: 0, delta: { text }, ...more }] })

  it.effect("text is read under the name text too, in the choice and in the delta", () =>
    Effect.gen(function*() {
      for (
        const body of [
          legacy("Hel") + legacy("lo") + legacy("", { finish_reason: "stop" }) + done,
          inDelta("Hel") + inDelta("lo", { finish_reason: "stop" }),
          hel + inDelta("l") + legacy("o") + done,
          event({ choices: [{ delta: { content: null, text: "Hel" } }] }) + lo + stop,
          event({ choices: [{ delta: { content: "Hel", text: "Hel" }, text: "Hel" }] }) + lo + stop
        ]
      ) {
        const stream = yield* streamed(body)
        assert.deepStrictEqual([finalOf(stream).result, textOf(stream)], ["Hello", "Hello"], body)
      }
      assert.strictEqual(finalOf(yield* streamed(legacy("", { finish_reason: "stop" }) + done)).result, "")
    }))

  it.effect("unknown members, and text of a wrong type, are ignored", () =>
    Effect.gen(function*() {
      const more = { reasoning_content: "hm", tool_calls: [{ index: 0 }], text: 7, refusal: null }
      const body = event({ usage: { n: 1 }, choices: [{ delta: { content: "Hello", ...more }, text: {}, seed: 1 }] })
      assert.strictEqual(finalOf(yield* streamed(body + event({ choices: [{ delta: more }] }) + done)).result, "Hello")
    }))

  it.effect("finishReason is read like finish_reason", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        finalOf(yield* streamed(hel + chunk("lo", null, { finishReason: "stop" }))).finishReason,
        "stop"
      )
      const failed = yield* streamed(hel + chunk("lo", undefined, { finishReason: "error" }) + done)
      assert.strictEqual(outcomeOf(failed.exit), "RunFailedError")
      const answer = (more: object) => synchronous({ id: "x", choices: [{ message: { content: "Hi" }, ...more }] })
      assert.strictEqual(outcomeOf(yield* answer({ finishReason: "cancelled" })), "RunFailedError")
      const exit = yield* answer({ finish_reason: null, finishReason: "length" })
      assert.deepInclude(success(exit), { result: "Hi", finishReason: "length" })
    }))

  for (const reason of [5, true, { type: "stop" }, ["stop"]]) {
    it.effect(`a finish_reason of ${JSON.stringify(reason)} is in no result and does not end the stream`, () =>
      Effect.gen(function*() {
        const odd = event({ choices: [{ delta: { content: "lo" }, finish_reason: reason }] })
        const ended = finalOf(yield* streamed(hel + odd + done))
        assert.deepStrictEqual([ended.result, ended.finishReason], ["Hello", undefined])
        assert.strictEqual(outcomeOf((yield* streamed(hel + odd)).exit), "StreamInterruptedError")
        const exit = yield* synchronous({ id: "x", choices: [{ message: { content: "Hi" }, finish_reason: reason }] })
        assert.deepInclude(success(exit), { result: "Hi", finishReason: undefined })
      }))
  }

  it.effect("several chunks without a blank line between them are read one by one", () =>
    Effect.gen(function*() {
      const joined = (...bodies: ReadonlyArray<string>) => `${bodies.map((body) => body.trimEnd()).join("\n")}\n\n`
      for (const size of [1, 100_000]) {
        for (
          const body of [
            joined(hel, lo) + stop,
            joined(hel, lo, done),
            joined(hel, "data:", lo, stop, "data: [done] bye"),
            `event: token\n${joined(hel, lo)}${done}`
          ]
        ) {
          const stream = yield* streamed(cut(body, size))
          assert.deepStrictEqual([finalOf(stream).result, textOf(stream)], ["Hello", "Hello"], body)
        }
      }
      const failed = yield* streamed(joined(hel, event({ error: "x" }), lo) + done)
      assert.deepStrictEqual([reportOf(failed).errors, textOf(failed)], [["x"], "Hel"])
      for (const other of ["data: oops", "data: 7", "data: {\"a\":"]) {
        assert.strictEqual(interruptionOf(yield* streamed(joined(hel, other) + done)).reason, "transport", other)
      }
    }))

  it.effect("a chunk that is cut off after the model's end is ignored", () =>
    Effect.gen(function*() {
      assert.strictEqual(finalOf(yield* streamed(`${hel}${lo}${stop}data: {"choices":[{"del`)).result, "Hello")
    }))
})

describe("structured output", () => {
  const told = (content: string | null, structured_content: unknown, finish_reason: string | null = null) =>
    event({ choices: [{ delta: { content }, finish_reason }], message: { content: null, structured_content } })

  const output = Schema.Struct({ total: Schema.Finite })
  const partial = told("{\"total\":4", { total: 4 })

  for (const empty of [{}, [], "", null]) {
    it.effect(`an empty one, ${JSON.stringify(empty)}, in the last message means that the output cannot be parsed`, () =>
      Effect.gen(function*() {
        for (
          const end of [
            told(null, empty, "stop") + done,
            told(null, empty, "length"),
            told(null, empty) + chunk("", "stop"),
            told(null, empty) + done
          ]
        ) {
          const stream = yield* streamed(partial + end, { output })
          const error = failure(stream.exit)
          assert.strictEqual(error._tag, "InvalidOutputError", end)
          assert.deepInclude(error, { output: "{\"total\":4" })
          assert.deepInclude(stream.parts.at(-1), { structured: { total: 4 } }, "the deltas keep the latest one")
          assert.strictEqual(finalOf(yield* streamed(partial + end)).result, "{\"total\":4")
        }
        const silent = told(null, { total: 4 }) + told(null, empty)
        assert.strictEqual(
          failure((yield* streamed(silent + chunk("", "stop"), { output })).exit)._tag,
          "InvalidOutputError"
        )
        assert.deepInclude(interruptionOf(yield* streamed(silent + done)).received, { structured: { total: 4 } })
      }))

    it.effect(`an empty one, ${JSON.stringify(empty)}, is ignored beside text, between two others, and after the end`, () =>
      Effect.gen(function*() {
        assert.strictEqual(finalOf(yield* streamed(told("Hi", empty, "stop") + done)).result, "Hi")
        for (
          const body of [
            partial + told("2}", empty, "stop"),
            told(null, { total: 4 }) + told(null, empty) + told(null, { total: 42 }, "stop"),
            told(null, { total: 42 }, "stop") + told(null, empty) + done,
            told(null, { total: 42 }) + chunk("", "stop") + told(null, empty)
          ]
        ) assert.deepStrictEqual(finalOf(yield* streamed(body, { output })).result, { total: 42 }, body)
      }))
  }

  it.effect("a message without structured output does not change it", () =>
    Effect.gen(function*() {
      for (const message of [null, {}, { content: null }, { content: "" }]) {
        const body = told(null, { total: 42 }) + event({ choices: [{ delta: {}, finish_reason: "stop" }], message })
        assert.deepStrictEqual(finalOf(yield* streamed(body, { output })).result, { total: 42 })
      }
      const whole = event({ choices: [{ message: { content: null }, finish_reason: "stop" }] })
      assert.deepStrictEqual(finalOf(yield* streamed(told(null, { total: 42 }) + whole, { output })).result, {
        total: 42
      })
    }))
})

describe("D13: keep-alives", () => {
  const keepAlives = ["", " ", "ping", "null", "true", "12", "\"\"", "2026-11-25T20:00:00Z"]
  const texts = ["<html>", "hello", "Internal Server Error", "500 upstream", "\"quota exceeded\"", "ping failed"]

  for (const data of [...keepAlives, ...texts]) {
    it.effect(`data ${JSON.stringify(data)} is skipped and counted, anywhere in the stream`, () =>
      Effect.gen(function*() {
        const rest = event(data)
        const middle = yield* streamed(rest + hel + rest + lo + rest + stop + rest + done)
        assert.strictEqual(finalOf(middle).result, "Hello")
        assert.isTrue(middle.parts.every(({ _tag }) => _tag !== "event"))
        const open = interruptionOf(yield* streamed(rest + hel + rest))
        assert.deepStrictEqual(open.received, {
          message: "Hel",
          structured: undefined,
          chunks: 1,
          skipped: 2,
          ...(texts.includes(data) ? { unread: [data] } : undefined)
        })
        assert.include(open.message, "2 skipped events")
      }))
  }

  it.effect("a text before [DONE] is not a success without a finish reason, and one before a chunk is ignored", () =>
    Effect.gen(function*() {
      for (const data of texts) {
        const error = interruptionOf(yield* streamed(hel + event(data) + done))
        assert.strictEqual(error.reason, "end")
        assert.deepStrictEqual(error.received.unread, [data])
        assert.include(error.message, data)
        assert.strictEqual(finalOf(yield* streamed(event(data) + hel + event(data) + lo + done)).result, "Hello")
        assert.strictEqual(finalOf(yield* streamed(hel + lo + stop + event(data) + done)).result, "Hello")
        assert.deepStrictEqual(interruptionOf(yield* streamed(event(data) + stop + done)).received.unread, [data])
      }
      for (const data of [...keepAlives, ": heartbeat", "keep-alive", "2026-11-25 20:00:00"]) {
        assert.strictEqual(finalOf(yield* streamed(hel + event(data) + done)).result, "Hel")
      }
    }))

  it.effect("text that begins like JSON and does not parse breaks the stream", () =>
    Effect.gen(function*() {
      for (const data of ["{", "[1,", "{\"a\":}", " {x}", "[1]"]) {
        assert.strictEqual(interruptionOf(yield* streamed(hel + event(data) + done)).reason, "transport", data)
      }
    }))

  it.effect("keep-alives of any form do not reset the idle timeout", () =>
    Effect.gen(function*() {
      const { emulator, tela } = { tela: yield* Tela.TelaClient, emulator: yield* TelaEmulator.TelaEmulator }
      for (
        const raw of [
          ": ping\n\n",
          "data:\n\n",
          "data: ping\n\n",
          "data: 17\n\n",
          event({ type: "ping" }),
          event({ type: "ping" }, "ping"),
          event("", "Keep-Alive")
        ]
      ) {
        const beats = Array.from({ length: 20 }, () => [{ raw }, { pause: "10 seconds" }] as const).flat()
        yield* emulator.script({ stream: { pieces: ["Hel", ...beats, "lo"] } })
        const exit = yield* finish(Stream.runDrain(tela.canvas.make({ id: canvasId }).stream({})))
        const error = interruptionOf({ exit })
        assert.strictEqual(error.reason, "idle")
        assert.strictEqual(Duration.toSeconds(error.elapsed), 60)
        assert.include(error.message, "1m, which is its idleTimeout")
      }
      const steps = Array.from({ length: 20 }, () => [{ event: "step", data: 1 }, { pause: "10 seconds" }] as const)
        .flat()
      yield* emulator.script({ stream: { pieces: ["Hel", ...steps, "lo"] } })
      success(yield* finish(Stream.runDrain(tela.canvas.make({ id: canvasId }).stream({}))))
    }).pipe(Effect.provide(live())))
})

describe("rude servers", () => {
  const filtered = { hate: { filtered: false, severity: "safe" } }
  const azure = event({ choices: [], prompt_filter_results: [{ prompt_index: 0, content_filter_results: filtered }] })
  const both = (
    first: string,
    second: string,
    finish_reason: string | null = null,
    otherReason: string | null = null
  ) =>
    event({ choices: [{ index: 1, delta: { content: second }, finish_reason: otherReason }] }) +
    event({ choices: [{ index: 0, delta: { content: first }, finish_reason }] })

  for (
    const [title, body, result] of [
      [
        "comments while the model starts",
        `: OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n${hel}${lo}${stop}${done}`
      ],
      ["a first chunk without choices", azure + hel + lo + stop + done],
      [
        "a last chunk with only a filter's verdict",
        hel + lo + stop + event({ choices: [{ index: 0, finish_reason: null, content_filter_results: filtered }] }) +
        done
      ],
      [
        "usage in a chunk without choices, after the end",
        hel + lo + stop + event({ choices: [], usage: { n: 1 } }) + done
      ],
      ["no space before the end mark", `${hel}${lo}data:[DONE]\n\n`],
      ["an end mark in lower case", `${hel}${lo}data: [done]\n\n`],
      ["an end mark between spaces", `${hel}${lo}data:   [DONE]  \n\n`],
      ["an end mark with more text", `${hel}${lo}data: [DONE] bye\n\n`],
      ["an end mark under a name", `${hel}${lo}event: done\ndata: [DONE]\n\n`],
      ["an end mark that is not an event", `${hel}${lo}[DONE]\n`],
      ["CRLF and a byte order mark", `\ufeff${(hel + lo + stop + done).replaceAll("\n", "\r\n")}`],
      ["CR", (hel + lo + done).replaceAll("\n", "\r")],
      [
        "JSON lines",
        "{\"choices\":[{\"delta\":{\"content\":\"Hello\"}}]}\n{\"choices\":[{\"finish_reason\":\"stop\"}]}\n"
      ],
      ["JSON lines with an end mark", "{\"choices\":[{\"delta\":{\"content\":\"Hello\"}}]}\n [done]\n"],
      ["JSON between spaces", `data:   {"choices":[{"delta":{"content":"Hello"}}]}  \n\n${done}`],
      [
        "an empty message beside the text",
        event({ choices: [{ delta: { content: "Hello" } }], message: { content: "" } }) + done
      ],
      [
        "a whole answer, as without streaming",
        event({
          id: "x",
          choices: [{ index: 0, message: { role: "assistant", content: "Hello" }, finish_reason: "stop" }]
        })
      ],
      [
        "the same over several lines",
        JSON.stringify({ id: "x", choices: [{ message: { content: "Hello" }, finish_reason: "stop" }] }, null, 2)
      ],
      [
        "the same, with structured output",
        event({ id: "x", choices: [{ message: { content: { total: 4 } }, finish_reason: "stop" }] }),
        { total: 4 }
      ],
      ["a proxy's page after the end", `${hel}${lo}${done}<html><body>502 Bad Gateway</body></html>\n`],
      ["an index that is not a number", event({ choices: [{ index: "0", delta: { content: "Hello" } }] }) + done],
      [
        "several choices in any order: the one with the index 0 is read",
        both("one ", "two ", null, "stop") + both("1", "2", "stop"),
        "one 1"
      ],
      [
        "structured output that stays behind the text, which is JSON",
        event({ choices: [{ delta: { content: "{\"a\":1," } }], message: { structured_content: { a: 1 } } }) +
        event({ choices: [{ delta: { content: "\"b\":2}" }, finish_reason: "stop" }] }) + done,
        { a: 1, b: 2 }
      ]
    ] as ReadonlyArray<readonly [title: string, body: string, result?: unknown]>
  ) {
    it.effect(`end as a success: ${title}`, () =>
      Effect.gen(function*() {
        for (const size of [1, 13, 100_000]) {
          assert.deepStrictEqual(finalOf(yield* streamed(cut(body, size))).result, result ?? "Hello", `by ${size}`)
        }
      }))
  }

  for (
    const [title, body] of [
      [
        "another choice ended",
        both("one", "two") + event({ choices: [{ index: 1, delta: {}, finish_reason: "stop" }] })
      ],
      [
        "no choice has the index 0",
        event({ choices: [{ index: 1, delta: { content: "two" }, finish_reason: "stop" }] })
      ],
      ["a proxy's page in the middle", `${hel}<html>\n<h1>504 Gateway Time-out</h1>\n</html>\n`],
      ["a proxy's page as an event", hel + event("<html>504 Gateway Time-out</html>")],
      ["an end mark that is cut", `${hel}data: [DON`],
      ["an end mark in the middle of text", hel + event("the end is [DONE]")],
      ["a document over several lines that is cut", "{\n  \"choices\": [{\n    \"finish_reason\": \"stop\"\n"],
      ["a chunk that is cut", `${hel}data: {"choices":[{"delta":{},"finish_reason":"stop"`],
      ["JSON lines without an end", "{\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n"]
    ] as const
  ) {
    it.effect(`do not end as a success: ${title}`, () =>
      Effect.gen(function*() {
        for (const size of [1, 13, 100_000]) {
          assert.strictEqual(interruptionOf(yield* streamed(cut(body, size))).reason, "end", `by ${size}`)
        }
      }))
  }

  it.effect("an event that is nested very deep, or an empty id, is a typed failure and not a defect", () =>
    Effect.gen(function*() {
      const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`
      for (const id of ["\"\"", "null"]) {
        const fails = (text: string) => streamed(`${hel}data: {"id":${id},${text}}\n\n${done}`)
        assert.strictEqual(outcomeOf((yield* fails(`"error":${deep}`)).exit), "RunFailedError")
        assert.strictEqual(outcomeOf((yield* fails(`"errors":[{"message":${deep}}]`)).exit), "RunFailedError")
        assert.strictEqual(outcomeOf((yield* fails(`"choices":${deep}`)).exit), "StreamInterruptedError")
        assert.strictEqual(outcomeOf((yield* fails(`"detail":${deep}`)).exit), "StreamInterruptedError")
      }
      assert.strictEqual(outcomeOf((yield* streamed(`${hel}data: ${deep}\n\n`)).exit), "StreamInterruptedError")
      const structured = `{"choices":[{"finish_reason":"stop"}],"message":{"structured_content":${deep}}}`
      assert.strictEqual(outcomeOf((yield* streamed(`${hel}data: ${structured}\n\n${done}`)).exit), "success")
    }))

  it.effect("a failure under an empty id still has a ref", () =>
    Effect.gen(function*() {
      const empty = reportOf(yield* streamed(event({ id: "", choices: [{ finish_reason: "error" }] })))
      assert.strictEqual(empty.ref.id, "unknown")
      assert.strictEqual(reportOf({ exit: yield* synchronous({ id: "", error: "x" }) }).ref.id, "unknown")
    }))

  it.effect("compressed bytes that the HTTP client did not decode are an error that names the encoding", () =>
    Effect.gen(function*() {
      const body = new Uint8Array(gzipSync(hel + lo + stop + done))
      const error = interruptionOf(yield* streamed([body], { headers: { "content-encoding": "gzip" } }))
      assert.include(error.message, "content-encoding gzip")
    }))

  it.effect("a connection that breaks or stays open after the model's end is a success", () =>
    Effect.gen(function*() {
      assert.strictEqual(finalOf(yield* streamed(hel + lo + stop, { end: "break" })).result, "Hello")
      for (const params of [{}, { idleTimeout: Infinity, timeout: "2m" }] as const) {
        const open = yield* Effect.forkChild(streamed(hel + lo + stop, { end: "open", params }))
        yield* Effect.repeat(Effect.yieldNow, { times: 50 })
        yield* TestClock.adjust("2 minutes")
        assert.strictEqual(finalOf(yield* Fiber.join(open)).result, "Hello")
      }
    }))
})

describe("any generated stream", () => {
  const words = ["a", "bc", "é", "🙂"]
  /** The events that a server may send, with their meanings. */
  const sends = {
    ...Object.fromEntries(words.map((word) => [`text ${word}`, chunk(word)])),
    "empty text": chunk("", ""),
    "named text": event({ choices: [{ delta: { content: "n" } }] }, "delta"),
    "end": chunk("", "stop"),
    "other reason": chunk("", "eos"),
    "failure": chunk("", "error"),
    "error": event({ error: { message: "no" } }),
    "[DONE]": done,
    "unknown": event({ type: "ping" }),
    "broken": event("{\"choices\":"),
    "nothing": `: keep-alive\n\nretry: 5\n\n${event("")}${event("ping")}`,
    "event": event({ tokens: 1 }, "usage")
  }
  type Sent = keyof typeof sends

  /** A minimal implementation of the rules. */
  const expected = (sent: ReadonlyArray<Sent>): string => {
    let text = ""
    let isEnded = false
    let isOdd = false
    let mayHoldText = false
    const atEnd = (isDone: boolean) =>
      isEnded && (text !== "" || !mayHoldText) || isDone && text !== "" && !isOdd
        ? `success ${text}`
        : "StreamInterruptedError"
    for (const each of sent) {
      if (each === "[DONE]") return atEnd(true)
      if (each === "failure" || each === "error") return "RunFailedError"
      if (each === "broken") return "StreamInterruptedError"
      if (each === "unknown" || each === "event") mayHoldText ||= text === ""
      if (each === "unknown") isOdd = true
      else if (each !== "nothing" && each !== "event") isOdd = false
      if (each === "end") isEnded = true
      text += each === "named text" ? "n" : each.startsWith("text ") ? each.slice(5) : ""
    }
    return atEnd(false)
  }

  it.effect.prop(
    "ends as the rules say, with the same parts for any cuts of the network and any line ends",
    [
      Schema.Array(Schema.Literals(Object.keys(sends) as [Sent, ...Array<Sent>])),
      Schema.Literals([1, 2, 3, 5, 8, 40]),
      Schema.Literals(["\n", "\r", "\r\n"])
    ],
    ([sent, size, newline]) =>
      Effect.gen(function*() {
        const body = sent.map((each) => sends[each]).join("").replaceAll("\n", newline)
        const whole = yield* streamed(body)
        const pieces = yield* streamed(cut(body, size))
        const outcome = outcomeOf(whole.exit)
        assert.strictEqual(outcome === "success" ? `success ${finalOf(whole).result}` : outcome, expected(sent))
        assert.deepStrictEqual(pieces.parts, whole.parts)
        assert.strictEqual(outcomeOf(pieces.exit), outcome)
      }),
    { arbitrary: { runs: 200 } }
  )
})

describe("F13: telemetry of an execution", () => {
  const tracing = recordSpans

  it.effect("the span of a stream covers the whole stream, and names the canvas, the mode and the outcome", () =>
    Effect.gen(function*() {
      const tela = yield* Tela.TelaClient
      const emulator = yield* TelaEmulator.TelaEmulator
      const stream = tela.canvas.make({ id: canvasId }).stream({})
      for (
        const [script, run, outcome] of [
          [["a", { pause: "30 seconds" }, "b"], Stream.runDrain(stream), "Succeeded"],
          [["a", { pause: "30 seconds" }, { error: "no" }], Stream.runDrain(stream), "Failed"],
          [["a", { pause: "30 seconds" }, "b", "c"], Stream.runDrain(Stream.take(stream, 2)), "Interrupted"]
        ] as const
      ) {
        yield* emulator.script({ stream: { pieces: script } })
        const { spans, tracer } = tracing()
        yield* finish(Effect.withTracer(run, tracer))
        const span = spans.find(({ name }) => name === "TelaCanvas.execute")!
        if (span.status._tag !== "Ended") throw new Error("the span has not ended")
        assert.strictEqual(Number(span.status.endTime - span.status.startTime) / 1e9, 30)
        assert.deepInclude(Object.fromEntries(span.attributes), {
          "run.provider": "tela",
          "execution.mode": "stream",
          "canvas.id": canvasId,
          "run.outcome": outcome
        })
        if (outcome !== "Interrupted") assert.match(String(span.attributes.get("run.id")), /^crsv-/)
        const request = spans.find(({ name }) => name === "http.client POST")!
        assert.strictEqual(
          request.parent.pipe((parent) => parent._tag === "Some" ? parent.value.spanId : ""),
          span.spanId
        )
      }
    }).pipe(Effect.provide(live())))

  it.effect("streams and synchronous executions count as created and as ended", () =>
    Effect.gen(function*() {
      const tela = yield* Tela.TelaClient
      const emulator = yield* TelaEmulator.TelaEmulator
      const canvas = tela.canvas.make({ id: canvasId, output: Schema.String })
      yield* emulator.script({ stream: { pieces: ["a", { pause: "5 seconds" }, "b"] } })
      success(yield* finish(Stream.runDrain(canvas.stream({}))))
      yield* emulator.script({ stream: { pieces: ["a"], end: "none" } })
      failure(yield* finish(Stream.runDrain(canvas.stream({}))))
      yield* emulator.script({ stream: { pieces: ["a", "b"] } })
      success(yield* finish(Stream.runDrain(Stream.take(canvas.stream({}), 1))))
      yield* emulator.script({ output: "text" })
      success(yield* finish(canvas.execute({})))
      yield* emulator.script({ output: { a: 1 } })
      failure(yield* finish(canvas.execute({})))
      const metrics = yield* Metric.snapshot
      const ended = (id: string) =>
        Object.fromEntries(
          metrics.flatMap((metric) =>
            metric.id === id
              ? [[metric.attributes?.["outcome"], (metric.state as { readonly count: number }).count]]
              : []
          )
        )
      const created = metrics.find(({ id }) => id === "canvas_runs_created_total")!
      assert.deepInclude(created.state, { count: 5 })
      assert.deepStrictEqual(ended("canvas_runs_ended_total"), {
        Succeeded: 2,
        StreamInterruptedError: 1,
        Interrupted: 1,
        InvalidOutputError: 1
      })
      assert.deepStrictEqual(ended("canvas_runs_wait_duration"), ended("canvas_runs_ended_total"))
    }).pipe(Effect.provide(live()), Effect.provideService(Metric.MetricRegistry, new Map())))
})

describe("bodies that are not event streams", () => {
  const json = { headers: { "content-type": "application/json; charset=utf-8" } }
  const output = Schema.Struct({ total: Schema.Finite })
  const id = "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"
  const completion = { id: "crsv-1", object: "chat.completion", choices: [{ message: { content: "{\"total\":4}" } }] }

  for (
    const [title, document] of [
      ["a completion", completion],
      ["a completion with structured output", { ...completion, choices: [{ message: { content: { total: 4 } } }] }],
      ["a run", { id, status: "succeeded", output_content: { content: { total: 4 } } }],
      ["a workflow", { id, status: "completed", steps: [{ output: 1 }, { output: { total: 4 } }] }]
    ] as const
  ) {
    it.effect(`${title} in a document of JSON is the output, for any cut`, () =>
      Effect.gen(function*() {
        for (const text of [JSON.stringify(document), JSON.stringify(document, null, 2)]) {
          for (const size of [1, 13, 100_000]) {
            assert.deepStrictEqual(finalOf(yield* streamed(cut(text, size), { ...json, output })).result, { total: 4 })
          }
          assert.strictEqual(
            outcomeOf((yield* streamed(text, { ...json, end: "break" })).exit),
            "StreamInterruptedError"
          )
          // Server-sent events can end after any event
          assert.strictEqual(outcomeOf((yield* streamed(text)).exit), "StreamInterruptedError")
        }
      }))
  }

  it.effect("the text of an output in a document is the message too", () =>
    Effect.gen(function*() {
      const text = JSON.stringify({ id, status: "succeeded", output_content: { content: "Hello" } })
      const { message, result } = finalOf(yield* streamed(text, json))
      assert.deepStrictEqual([message, result], ["Hello", "Hello"])
    }))

  for (
    const [title, document] of [
      ["a run that was created", { id, status: "created", output_content: null }],
      ["a workflow that runs", { id, status: "running", steps: [{ output: { total: 4 } }] }],
      ["a run without output", { id, status: "succeeded", output_content: null }]
    ] as const
  ) {
    it.effect(`${title} is a StreamInterruptedError that names its id and holds the document`, () =>
      Effect.gen(function*() {
        const error = interruptionOf(yield* streamed(JSON.stringify(document), json))
        assert.include(error.message, `one document about "${id}", which getExecution may find`)
        assert.deepStrictEqual(error.received.unread, [document])
      }))
  }

  it.effect("a run that failed is a RunFailedError with its id", () =>
    Effect.gen(function*() {
      const report = reportOf(yield* streamed(JSON.stringify({ id, status: "failed", error: "no quota" }), json))
      assert.deepStrictEqual([report.errors, report.ref.id], [["no quota"], id])
    }))

  for (
    const text of [
      "upstream connect error or disconnect/reset before headers. reset reason: overflow",
      "<html>\n<body>login</body>\n</html>",
      "Internal Server Error",
      ": alive\n\nno healthy upstream\n",
      "{\"message\": \"cut o"
    ]
  ) {
    it.effect(`the text ${JSON.stringify(text)} is in the error, and in its field received`, () =>
      Effect.gen(function*() {
        for (const end of ["close", "break"] as const) {
          for (const size of [1, 13, 100_000]) {
            const error = interruptionOf(yield* streamed(cut(text, size), { end }))
            assert.deepStrictEqual(error.received.unread, [text])
            if (end === "close") {
              assert.include(error.message, `the response has no events, but other text: ${text.trim()}`)
              assert.notInclude(error.message, "0 chunks")
            }
          }
        }
      }))
  }

  it.effect("only the beginning of a text is kept, without the API key", () =>
    Effect.gen(function*() {
      const text = `key ${apiKey} ${"x".repeat(50_000)}`
      const { unread } = interruptionOf(yield* streamed(cut(text, 1000))).received
      assert.strictEqual(String(unread?.[0]).length, 2048)
      assert.notInclude(String(unread?.[0]), apiKey)
    }))
})
