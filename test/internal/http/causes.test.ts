/** The causes of a failed request. */
import { assert, describe, it } from "@effect/vitest"
import { isUnreadableBlob } from "../../../src/internal/http/causes.ts"

describe("a Blob that cannot be read", () => {
  const unreadable = new DOMException("the file has changed", "NotReadableError")
  const wrapped = (times: number): Error =>
    times === 0 ? unreadable : new Error("fetch failed", { cause: wrapped(times - 1) })

  it("is found below up to four other errors", () => {
    for (const times of [0, 1, 2, 3, 4]) assert.isTrue(isUnreadableBlob(wrapped(times)), `${times}`)
    assert.isFalse(isUnreadableBlob(wrapped(5)))
  })

  it("is not found if the cause is another error", () => {
    for (const cause of [undefined, "NotReadableError", { name: "NotReadableError" }, new Error("NotReadableError")]) {
      assert.isFalse(isUnreadableBlob(cause))
    }
    assert.isFalse(isUnreadableBlob(new Error("x", { cause: new TypeError("y") })))
  })
})
