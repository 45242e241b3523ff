import { assert, describe, it } from "@effect/vitest"
import * as Options from "../../src/internal/options.ts"

const known = ["timeout", "pollInterval", "pollingInterval", "baseUrl", "async", "webhookUrl", "retry"]

describe("options", () => {
  for (
    const [name, meant] of [
      ["timeoutMs", "timeout"],
      ["timeout_ms", "timeout"],
      ["pollIntervalMs", "pollInterval"],
      ["poll_interval", "pollInterval"],
      ["baseURL", "baseUrl"],
      ["base_url", "baseUrl"],
      ["asynch", "async"],
      ["webhook", "webhookUrl"],
      ["retrys", "retry"]
    ] as const
  ) {
    it(`F10: ${name} is refused with a pointer to ${meant}`, () => {
      const fault = Options.faultOf("options", { [name]: 1 }, known)
      assert.strictEqual(fault?.option, name)
      assert.include(fault?.message, `Did you mean ${meant}?`)
    })
  }

  it("F10: a name that resembles none is refused with the list of options", () => {
    const fault = Options.faultOf("options", { verbosity: 2 }, known)
    assert.strictEqual(fault?.message, `"verbosity" is not an option; the options are: ${known.join(", ")}.`)
  })

  it("an unknown option that is undefined counts as left out", () => {
    assert.isUndefined(Options.faultOf("options", { signal: undefined, retry: undefined }, known))
    assert.isUndefined(Options.faultOf("options", undefined, known))
  })

  for (
    const [what, options, words] of [
      ["null", null, "is null"],
      ["a text", "fast", "is \"fast\""],
      ["an array", [], "is an array"],
      ["a function", () => 1, "is a function"],
      ["a number", 5, "is 5"]
    ] as const
  ) {
    it(`${what} in place of an object is refused in words`, () => {
      assert.include(Options.faultOf("options", options, known)?.message, words)
    })
  }

  it("a very long name is cut in the message", () => {
    const fault = Options.faultOf("options", { ["x".repeat(1_000_000)]: 1 }, known)
    assert.isBelow(fault!.message.length, 300)
  })
})
