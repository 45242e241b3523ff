import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { Run, RunError, RunRef } from "canvas-runs"
import * as Random from "../simulation/random.ts"
import { answering, anyJson, check, clientsOn, mutate } from "./support.ts"

const ref = RunRef.make({
  provider: "spine",
  kind: "run",
  id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11",
  createdAt: 1,
  requestId: "r",
  estimatedDurationMs: 2
})

describe("refs from elsewhere", () => {
  it.effect("a newer version is refused, and the error says what it may be", () =>
    Effect.gen(function*() {
      for (const version of [0, 2, 99, "1", null, undefined]) {
        const error = yield* Effect.flip(Run.parseRef(JSON.stringify({ ...ref, version })))
        assert.instanceOf(error, RunError.BadRequestError)
        assert.isFalse(error.sent)
        assert.include(error.message, "version")
        assert.include(error.message, "newer version")
      }
    }))

  it.effect("whatever is parsed is a ref, or a failure with a type", () =>
    Effect.gen(function*() {
      let read = 0
      for (let seed = 1; seed <= 1000; seed++) {
        const draw = Random.make(seed)
        const text = draw.chance(0.2)
          ? JSON.stringify(anyJson(draw))
          : draw.chance(0.2)
          ? JSON.stringify(ref).slice(0, draw.int(0, 150))
          : JSON.stringify(mutate(draw, ref))
        const exit = yield* Effect.exit(Run.parseRef(text))
        if (check(exit, `seed ${seed}: ${text}`) === "failure") continue
        read++
        if (Exit.isSuccess(exit)) {
          const { id, kind, provider, version } = exit.value
          assert.strictEqual(version, 1)
          for (const part of [id, kind, provider]) assert.isTrue(typeof part === "string" && part !== "", text)
        }
      }
      assert.isAbove(read, 50)
    }))

  it.effect("a stranger's ref, or one that leads elsewhere, is refused before any request", () =>
    Effect.gen(function*() {
      let requests = 0
      const { spine, tela } = yield* clientsOn(answering(() => {
        requests++
        return Response.json({})
      }))
      const canvas = tela.canvas.make({ id: "1" })
      const wrong = [
        { ...ref, provider: "other" },
        { ...ref, provider: "tela", kind: "file" },
        ...["../../admin", "a/b", "", "..", "1?x=2", "1#x", "%2e%2e", "a\r\nb", "\u0000"].flatMap((id) => [
          { ...ref, id },
          { ...ref, provider: "tela", kind: "execution", id },
          { ...ref, provider: "tela", kind: "task", id }
        ])
      ]
      for (const ref of wrong) {
        const calls: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
          spine.runs.retrieve(ref),
          spine.runs.waitForCompletion(ref),
          canvas.getExecution(ref),
          tela.tasks.get(ref)
        ]
        for (const call of calls) {
          const error = yield* Effect.flip(call)
          assert.instanceOf(error, RunError.BadRequestError, JSON.stringify(ref))
          assert.isFalse(error.sent)
        }
      }
      assert.strictEqual(requests, 0)
    }))
})
