/**
 * The ends of answers, as one table: the outcome of each `finish_reason` for a stream with `[DONE]`, for one whose connection is
 * closed without it or breaks, and for a synchronous answer, which is one complete document.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Schema } from "effect"
import { chunk, cut, done, event, finalOf, interruptionOf, streamed, synchronous } from "../../support/telaAnswers.ts"
import { failure, outcomeOf } from "../../support/results.ts"

const success = "success"
const failed = "RunFailedError"
const interrupted = "StreamInterruptedError"

const ends = ["stop", "length", "content_filter", "tool_calls", "function_call", "STOP", "Content_Filter", " stop "]
const failures = ["error", "failed", "cancelled", "canceled", "ERROR", "Failed"]
const others = ["eos", "end_turn", "max_tokens", "constructor", "unknown", "stopped"]
const nothing = ["", "  ", null, undefined]

const table: ReadonlyArray<{
  readonly reasons: ReadonlyArray<string | null | undefined>
  readonly done: string
  readonly closed: string
  readonly synchronous: string
}> = [
  { reasons: ends, done: success, closed: success, synchronous: success },
  { reasons: failures, done: failed, closed: failed, synchronous: failed },
  { reasons: others, done: success, closed: interrupted, synchronous: success },
  { reasons: nothing, done: success, closed: interrupted, synchronous: success }
]

const answer = (reason: string | null | undefined, content: unknown = "Hello", name = "finish_reason") => ({
  id: "crsv-1",
  choices: [{ message: { content }, ...(reason === undefined ? undefined : { [name]: reason }) }]
})

/** The reason in the result: an empty reason is absent. */
const shown = (reason: string | null | undefined) => reason == null || reason.trim() === "" ? undefined : reason

describe("A1, A2, A3: the end of an answer", () => {
  for (const row of table) {
    for (const reason of row.reasons) {
      const title = `finish_reason ${JSON.stringify(reason) ?? "absent"}`
      const chunks = `${chunk("Hel", "")}${chunk("lo", reason)}`
      for (
        const [how, body, end, expected] of [
          ["a stream with [DONE]", chunks + done, "close", row.done],
          ["a stream that is closed", chunks, "close", row.closed],
          ["a stream that breaks", chunks, "break", row.closed],
          [
            "a stream with the name finishReason",
            chunk("Hel") + chunk("lo", undefined, { finishReason: reason }),
            "close",
            row.closed
          ],
          ["a stream whose last blank line is missing", chunks.trimEnd(), "close", row.closed]
        ] as const
      ) {
        it.effect(`${title}: ${how} is ${expected}, cut at any place`, () =>
          Effect.gen(function*() {
            for (const size of [1, 7, 10_000]) {
              const stream = yield* streamed(cut(body, size), { end, output: Schema.String })
              assert.strictEqual(outcomeOf(stream.exit), expected, `pieces of ${size} bytes`)
              if (expected === success) {
                const { finishReason, result } = finalOf(stream)
                assert.deepStrictEqual([result, finishReason], ["Hello", shown(reason)])
              } else if (expected === interrupted) {
                assert.strictEqual(interruptionOf(stream).received.message, "Hello")
              }
            }
          }))
      }
      it.effect(`${title}: a synchronous answer is ${row.synchronous}`, () =>
        Effect.gen(function*() {
          for (const name of ["finish_reason", "finishReason"]) {
            const exit = yield* synchronous(answer(reason, "Hello", name), { output: Schema.String })
            assert.strictEqual(outcomeOf(exit), row.synchronous)
            if (Exit.isSuccess(exit)) {
              assert.deepStrictEqual([exit.value.result, exit.value.finishReason], ["Hello", shown(reason)])
            }
          }
        }))
    }
  }

  it.effect("A3: an output that was cut off and does not fit is an InvalidOutputError that names the reason", () =>
    Effect.gen(function*() {
      const output = Schema.Struct({ total: Schema.Finite })
      for (const reason of ["length", "content_filter"]) {
        const { exit } = yield* streamed(chunk("{\"total\":", reason) + done, { output })
        const errors = [failure(exit), failure(yield* synchronous(answer(reason, "{\"total\":"), { output }))]
        for (const error of errors) {
          assert.strictEqual(error._tag, "InvalidOutputError")
          assert.include(error, { finishReason: reason })
          assert.include(error.message, `finish_reason "${reason}"`)
        }
      }
    }))

  it.effect("a stream with only [DONE] is a StreamInterruptedError, and so is one without output before it", () =>
    Effect.gen(function*() {
      for (
        const body of [done, `: hi\n\n${done}`, event("ping") + done, chunk("") + done, chunk(null, "eos") + done, ""]
      ) {
        const { exit, parts } = yield* streamed(body)
        assert.strictEqual(interruptionOf({ exit }).reason, "end", body)
        assert.isUndefined(parts.find(({ _tag }) => _tag === "final"))
      }
    }))

  it.effect("an answer without text is a success if its reason says that it ended", () =>
    Effect.gen(function*() {
      for (const reason of ["stop", "content_filter", "tool_calls"]) {
        const final = finalOf(yield* streamed(chunk("", reason) + done))
        assert.deepStrictEqual([final.result, final.finishReason], ["", reason])
      }
    }))

  it.effect("a reason that ends the stream is not undone by later chunks", () =>
    Effect.gen(function*() {
      for (const later of ["", "usage"]) {
        const body = chunk("Hello", "stop") + chunk("", later) + event({ choices: [], usage: { total_tokens: 5 } })
        assert.strictEqual(finalOf(yield* streamed(body)).finishReason, "stop")
      }
    }))

  it.effect("an error after the end is a failure", () =>
    Effect.gen(function*() {
      const stream = yield* streamed(chunk("Hello", "stop") + chunk("", "error") + done)
      assert.strictEqual(outcomeOf(stream.exit), failed)
    }))
})
