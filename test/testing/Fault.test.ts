import { assert, describe, it } from "@effect/vitest"
import * as Fault from "../../src/testing/Fault.ts"

describe("Fault", () => {
  it("happens once, to any request, by default", () => {
    const { method, path, skip, times } = Fault.status(503)
    assert.deepStrictEqual({ method, path, skip, times }, { method: undefined, path: undefined, skip: 0, times: 1 })
    assert.isTrue(Fault.matches(Fault.drop, { method: "PUT", path: "/anything" }))
  })

  it("can be limited to a method, and to a prefix of the path or a pattern in it", () => {
    const prefix = Fault.drop.pipe(Fault.on("get", "/v1/run/"))
    assert.isTrue(Fault.matches(prefix, { method: "GET", path: "/v1/run/1" }))
    assert.isFalse(Fault.matches(prefix, { method: "POST", path: "/v1/run/1" }))
    assert.isFalse(Fault.matches(prefix, { method: "GET", path: "/v1/run" }))
    const pattern = Fault.on(Fault.drop, "*", /\/dag$/g)
    for (let i = 0; i < 2; i++) assert.isTrue(Fault.matches(pattern, { method: "GET", path: "/v1/canvas/1/dag" }))
    assert.isFalse(Fault.matches(pattern, { method: "GET", path: "/v1/canvas/1/dag/2" }))
  })

  it("is plain data that combinators copy", () => {
    const fault = Fault.hang.pipe(Fault.times(3), Fault.skip(2), Fault.after("2 seconds"))
    assert.deepStrictEqual([fault.times, fault.skip, fault.delayMillis], [3, 2, 2000])
    assert.strictEqual(Fault.hang.times, 1)
    assert.deepStrictEqual(Fault.answerLate("2 seconds").action, { _tag: "HandleThenWait", millis: 2000 })
    assert.strictEqual(JSON.parse(JSON.stringify(fault)).action._tag, "Hang")
  })

  it("sends text and bytes unchanged, and other values as JSON", () => {
    const bodies = [
      Fault.status(400, { body: "plain" }),
      Fault.status(400, { body: new Uint8Array([1]) }),
      Fault.status(400, { body: { a: 1 } }),
      Fault.status(400, { body: `{"a":`, contentType: "application/json" }),
      Fault.status(400),
      Fault.html("<p>"),
      Fault.empty()
    ].map(({ action }) => action._tag === "Respond" ? action.answer.body : assert.fail())
    assert.deepStrictEqual(bodies, [
      { content: "plain", contentType: "text/plain" },
      { content: new Uint8Array([1]), contentType: "application/octet-stream" },
      { content: `{"a":1}`, contentType: "application/json" },
      { content: `{"a":`, contentType: "application/json" },
      undefined,
      { content: "<p>", contentType: "text/html; charset=utf-8" },
      { content: "", contentType: "application/json" }
    ])
  })
})
