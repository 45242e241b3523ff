import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Stream } from "effect"
import { RunError, RunRef } from "canvas-runs"
import * as Random from "../support/random.ts"
import { answered, anyJson, check, mutate, tryingOnce } from "./support.ts"
import { answering } from "../support/http.ts"
import { size } from "../support/size.ts"

const ref = RunRef.make({
  provider: "spine",
  kind: "run",
  id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11",
  createdAt: 1,
  requestId: "r",
  estimatedDurationMs: 2
})

describe("refs from other programs", () => {
  it.effect("a newer version is rejected, and the error names a newer release as the likely origin", () =>
    Effect.gen(function*() {
      for (const version of [0, 2, 99, "1", null, undefined]) {
        const error = yield* Effect.flip(RunRef.parse(JSON.stringify({ ...ref, version })))
        assert.instanceOf(error, RunError.BadRequestError)
        assert.isFalse(error.sent)
        assert.include(error.message, "version")
        assert.include(error.message, "newer version")
      }
    }))

  it.effect("any text parses to a ref, or fails with a typed error", () =>
    Effect.gen(function*() {
      let read = 0
      for (let seed = 1; seed <= size(300, 1000); seed++) {
        const draw = Random.make(seed)
        const text = draw.chance(0.2)
          ? JSON.stringify(anyJson(draw))
          : draw.chance(0.2)
          ? JSON.stringify(ref).slice(0, draw.int(0, 150))
          : JSON.stringify(mutate(draw, ref))
        const exit = yield* Effect.exit(RunRef.parse(text))
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

  it.effect("C1: invalid optional fields are left out of a ref, at every function that accepts one", () =>
    Effect.gen(function*() {
      const id = ref.id
      const odd = [
        { createdAt: undefined },
        { requestId: null },
        { createdAt: NaN, estimatedDurationMs: Infinity },
        { createdAt: "2026", requestId: 5, estimatedDurationMs: {} }
      ]
      const { spine, tela } = yield* answered(() => new Response("{}", { status: 403 }))
      for (const fields of odd) {
        const bare = { version: 1, provider: "spine", kind: "run", id }
        assert.deepStrictEqual(RunRef.make({ ...bare, ...fields } as never), bare as RunRef.RunRef)
        assert.deepStrictEqual(yield* RunRef.parse(JSON.stringify({ ...bare, ...fields })), bare as RunRef.RunRef)
        const given = { ...bare, ...fields } as RunRef.RunRef
        const task = { ...given, provider: "tela", kind: "task" } as RunRef.RunRef
        const calls: ReadonlyArray<Effect.Effect<unknown, { readonly _tag: string; readonly ref?: RunRef.RunRef }>> = [
          spine.runs.retrieve(given),
          spine.runs.waitForCompletion(given),
          Stream.runDrain(spine.runs.watch(given)),
          spine.runs.retrieve({ run_id: id, ref: given } as never),
          tela.tasks.get(task),
          tela.canvas.make({ id: "1" }).getExecution(task)
        ]
        for (const call of calls) {
          const error = yield* Effect.flip(call)
          assert.strictEqual(error._tag, "PermissionDeniedError")
          assert.strictEqual(error.ref?.id, id)
          assert.deepStrictEqual(Object.keys(error.ref ?? {}).toSorted(), [
            "id",
            "kind",
            "provider",
            // The look-up knows its canvas
            ...(error.ref?.template === "1" ? ["template"] : []),
            "version"
          ])
        }
      }
    }))

  it.effect("C1: a run whose ref is undefined is named by its id", () =>
    Effect.gen(function*() {
      const { spine } = yield* answered(() => new Response("{}", { status: 403 }))
      const error = yield* Effect.flip(spine.runs.retrieve({ run_id: ref.id, ref: undefined } as never))
      assert.strictEqual(error._tag, "PermissionDeniedError")
    }))

  it.effect("C1: any value that is not a ref is rejected", () =>
    Effect.gen(function*() {
      const { spine, tela } = yield* answered(() => Response.json({}))
      const none: ReadonlyArray<unknown> = [null, 5n, Symbol("x"), {}, [], () => 1, { provider: Symbol("x") }, {
        provider: 1n
      }]
      for (const value of none) {
        const calls: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
          spine.runs.retrieve(value as never),
          tela.tasks.get(value as never),
          tela.canvas.make({ id: "1" }).getExecution(value as never)
        ]
        for (const call of calls) assert.instanceOf(yield* Effect.flip(call), RunError.BadRequestError)
      }
    }))

  it.effect("a ref of another provider, or one whose id is a path, is rejected before any request", () =>
    Effect.gen(function*() {
      const { client, requests } = answering(() => Response.json({}))
      const { spine, tela } = yield* tryingOnce(client)
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
      assert.strictEqual(requests.length, 0)
    }))
})
