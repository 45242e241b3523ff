import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { call, home } from "./support.ts"
import { validate } from "./validate.ts"

it.effect("schema: prints a JSON Schema that an independent validator accepts", () =>
  Effect.gen(function*() {
    const { stdout } = yield* call(["schema"], { env: home() })
    const check = validate(stdout)
    assert.strictEqual(check({ type: "delta", text: "a" }), undefined)
    assert.isDefined(check({ type: "delta", text: 5 }))
    assert.isDefined(check({ type: "a later type" }))
    assert.isDefined(check({}))
  }))
