import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { applicationId, canvasId, live, refusals, setup } from "../support/tela.ts"

it.effect("an option of another mode of execution is rejected by its name, and nothing is sent", () =>
  Effect.gen(function*() {
    const { tela } = yield* setup
    const canvas = tela.canvas.make({ id: canvasId })
    const application = tela.canvas.make({ applicationId })
    // The call of a program without types, or with a wrong cast
    const execute = (of: object, params: unknown, variables: unknown = {}) =>
      (of as { readonly execute: (variables: unknown, params: unknown) => Effect.Effect<unknown, unknown> })
        .execute(variables, params)
    const { actual, expected, requests } = yield* refusals([
      [execute(canvas, { async: "yes" }), "async"],
      [execute(canvas, { stream: 1 }), "stream"],
      [execute(canvas, { async: true, stream: true }), "stream"],
      [execute(canvas, { webhookUrl: "https://example.com/hook" }), "webhookUrl"],
      [execute(canvas, { onCreated: () => Effect.void }), "onCreated"],
      [execute(application, { async: false }), "async"],
      [execute(application, { stream: true }), "stream"],
      [execute(canvas, {}, null), "variables"],
      [execute(canvas, {}, [1, 2]), "variables"],
      [execute(canvas, {}, "text"), "variables"],
      [execute(tela.canvas.make(null as never), {}), "options"]
    ])
    assert.deepStrictEqual(actual, expected)
    assert.strictEqual(requests, 0)
  }).pipe(Effect.provide(live())))
