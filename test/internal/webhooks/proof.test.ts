/** The inputs for the verification of a webhook: its secret and its body. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { RunError } from "canvas-runs"
import { bytesOf, checkSecret } from "../../../src/internal/webhooks/proof.ts"

describe("the secret of webhooks", () => {
  it.effect("is returned as text if it is valid, also with white space inside", () =>
    Effect.gen(function*() {
      for (const text of ["whsec_1", "x", "two words"]) {
        assert.strictEqual(yield* checkSecret(Redacted.make(text)), text)
      }
    }))

  for (
    const [what, secret, words] of [
      ["a text that is not redacted", "whsec_1", "is text: it must be a Redacted string"],
      ["a redacted number", Redacted.make(5), "is an object: it must be a Redacted string"],
      ["undefined", undefined, "is undefined: it must be a Redacted string"],
      ["an empty text", Redacted.make(""), "is empty"],
      ["a text that ends with a line break", Redacted.make("whsec_1\n"), "begins or ends with white space"],
      ["a text that begins with a space", Redacted.make(" whsec_1"), "begins or ends with white space"]
    ] as const
  ) {
    it.effect(`is a ConfigError that does not show it, if it is ${what}`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(checkSecret(secret as Redacted.Redacted<string>))
        assert.instanceOf(error, RunError.ConfigError)
        assert.strictEqual(error.option, "secret")
        assert.include(error.message, `The secret of the webhooks ${words}`)
        assert.notInclude(error.message, "whsec_1")
      }))
  }
})

describe("the body of a webhook", () => {
  it.effect("is read from text, from a buffer, and from a view, without the bytes around the view", () =>
    Effect.gen(function*() {
      const { buffer } = Uint8Array.of(1, 2, 3, 4)
      const payloads: ReadonlyArray<readonly [unknown, ReadonlyArray<number>]> = [
        ["aé", [97, 195, 169]],
        ["", []],
        [buffer, [1, 2, 3, 4]],
        [new Uint8Array(buffer, 1, 2), [2, 3]],
        [new DataView(buffer, 3), [4]],
        [new Uint8Array(buffer, 2, 0), []],
        [new ArrayBuffer(0), []]
      ]
      for (const [payload, bytes] of payloads) assert.deepStrictEqual([...(yield* bytesOf(payload))], bytes)
    }))

  it.effect("is a WebhookSignatureError that describes the value, if it has no bytes", () =>
    Effect.gen(function*() {
      const transferred = new Uint8Array(2)
      structuredClone(transferred.buffer, { transfer: [transferred.buffer] })
      const payloads: ReadonlyArray<readonly [unknown, string]> = [
        [{ id: "evt_1" }, "The payload is an object."],
        [undefined, "The payload is undefined."],
        [transferred, "The payload is a buffer that was transferred and has no bytes."],
        [transferred.buffer, "The payload is a buffer that was transferred and has no bytes."]
      ]
      for (const [payload, words] of payloads) {
        const error = yield* Effect.flip(bytesOf(payload))
        assert.strictEqual(error.reason, "body")
        assert.include(error.message, words)
      }
    }))
})
