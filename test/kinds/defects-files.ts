/**
 * Every recursion over foreign data, and every call of a caller's function, stream or getter, in the transfer of files. Without
 * its guard, a mistake of the caller or a hostile value would be a defect, a hang, or take more than linear time.
 */
import { assert, vi } from "@effect/vitest"
import { Effect, Result, Stream } from "effect"
import { FileInput, RunError, type Tela } from "canvas-runs"
import * as FileName from "../../src/internal/files/fileName.ts"
import { isUnreadableBlob } from "../../src/internal/http/causes.ts"
import * as Transfer from "../../src/internal/http/transfer.ts"
import * as Variables from "../../src/tela/internal/variables.ts"
import type { Place } from "./kind.ts"
import { clientsOn } from "../support/clients.ts"
import { answering, json } from "../support/http.ts"

const variables = "src/tela/internal/variables.ts"
const causes = "src/internal/http/causes.ts"
const fileInput = "src/FileInput.ts"
const fileName = "src/internal/files/fileName.ts"

/** The variables are rejected at that place, and nothing is sent. */
const refusedAt = (make: () => unknown, parameter: string) => () =>
  Effect.gen(function*() {
    const { client, requests } = answering(() => json({ id: "1", status: "created" }))
    const { tela } = yield* clientsOn(client)
    const error = yield* Effect.flip(
      tela.canvas.make({ id: "1" }).execute(make() as Tela.Variables, { async: true })
    )
    assert.instanceOf(error, RunError.BadRequestError)
    assert.isTrue(error.parameter?.startsWith(parameter), error.parameter)
    assert.strictEqual(requests.length, 0)
  })

const nested = (depth: number, wrap: (inner: unknown) => unknown): unknown => {
  let value: unknown = 1
  for (let level = 0; level < depth; level++) value = wrap(value)
  return value
}

/** Reading the file fails as a `FileInputError`. */
const unreadable = (make: () => unknown) => () =>
  Effect.gen(function*() {
    const error = yield* Effect.flip(
      Effect.flatMap(FileInput.normalize("test", make() as FileInput.FileInput, 1), ({ data }) =>
        Stream.isStream(data) ? Stream.runDrain(data) : Effect.void)
    )
    assert.instanceOf(error, RunError.FileInputError)
    assert.deepStrictEqual([error.reason, error.reached], ["read", false])
  })

const cyclic = (): Error => {
  const error = new Error("outer", { cause: new Error("inner") })
  ;(error.cause as Error).cause = error
  return error
}

const chained = (length: number): Error => {
  let error = new Error("0")
  for (let n = 1; n < length; n++) error = new Error(String(n), { cause: error })
  return error
}

export const places: ReadonlyArray<Place> = [
  {
    name: "variables: deeply nested variables are rejected",
    mutant: { file: variables, find: "if (depth >= maxDepth)", replace: "if (false)" },
    inputs: {
      "lists and objects alternately": problem(() => ({ v: nested(60_000, (inner) => [{ inner }]) }), "500 levels"),
      "toJSON in toJSON": problem(
        () => ({ v: nested(60_000, (inner) => ({ toJSON: () => ({ inner }) })) }),
        "500 levels"
      )
    }
  },
  {
    name: "variables: circular variables are rejected",
    mutant: {
      file: variables,
      find:
        "if (above.has(value)) return fail(\"contains itself, which JSON cannot write. Give data without cycles.\")",
      replace: ""
    },
    inputs: {
      "a list": () =>
        Effect.sync(() => {
          const list: Array<unknown> = []
          list.push([list])
          const result = Variables.copy({ list }, () => undefined)
          assert.deepInclude(Result.isFailure(result) ? result.failure : undefined, {
            path: "list[0][0]",
            message: "contains itself, which JSON cannot write. Give data without cycles."
          })
        }),
      "by toJSON": () =>
        Effect.sync(() => {
          const object: Record<string, unknown> = {}
          object["again"] = { toJSON: () => object }
          const result = Variables.copy(object, () => undefined)
          assert.deepInclude(Result.isFailure(result) ? result.failure : undefined, { path: "again" })
        })
    }
  },
  {
    name: "variables: an object in many places is visited once",
    mutant: {
      file: variables,
      find: "if (known !== undefined && depth + known.height <= maxDepth) return known",
      replace: ""
    },
    inputs: {
      "in 2 to the power of 20 places": visitsOnce(20, (inner) => [inner, inner]),
      "in 10 to the power of 6 places": visitsOnce(6, (inner) => ({ list: Array(10).fill(inner) }))
    }
  },
  {
    name: "variables: more values than JSON can hold are rejected",
    mutant: { file: variables, find: "if (values > maxValues)", replace: "if (false)" },
    inputs: {
      "doubled 100 times": problem(() => ({ a: nested(100, (inner) => [inner, inner]) }), "5000000 values"),
      "a thousand times a thousand times a thousand": problem(
        () => ({ a: nested(3, (inner) => Array(1000).fill(inner)) }),
        "5000000 values"
      )
    }
  },
  {
    name: "variables: a getter or a toJSON that throws is rejected with its path",
    mutant: {
      file: variables,
      find: "Result.try(() => visit(variables).value)",
      replace: "Result.succeed(visit(variables).value)"
    },
    inputs: {
      "a proxy that is revoked": refusedAt(() => {
        const { proxy, revoke } = Proxy.revocable({}, {})
        revoke()
        return { a: [proxy] }
      }, "variables.a[0]"),
      "toJSON that throws no error": refusedAt(() => ({
        a: {
          toJSON: () => {
            throw Object.create(null)
          }
        }
      }), "variables.a"),
      "a getter": refusedAt(() => ({
        a: {
          get b(): never {
            throw new Error("no")
          }
        }
      }), "variables.a")
    }
  },
  {
    name: "files: a stream that dies is a file that cannot be read",
    mutant: {
      file: "src/internal/files/uploadFile.ts",
      find: "Cause.hasInterruptsOnly(cause)\n",
      replace: "true\n"
    },
    inputs: {
      "a function that throws": unreadable(() => ({
        data: Stream.map(Stream.make(new Uint8Array(3)), (): Uint8Array => {
          throw new Error("caller")
        }),
        size: 3,
        filename: "a"
      })),
      "a web stream that is locked": unreadable(() => {
        const data = new ReadableStream()
        data.getReader()
        return { data, size: 3, filename: "a" }
      }),
      "a Blob whose stream throws": unreadable(() => ({
        [Symbol.toStringTag]: "Blob",
        size: 3,
        type: "text/plain",
        stream: () => {
          throw new Error("caller")
        }
      }))
    }
  },
  {
    name: "files: a property that throws is a file that cannot be read",
    mutant: {
      file: fileInput,
      find: "Effect.try({\n      try: () => Content.read(input),",
      replace: "((options) => Effect.sync(() => (void options, Content.read(input))))({"
    },
    inputs: {
      "a getter": unreadable(() => ({
        get data(): never {
          throw new Error("caller")
        },
        filename: "a"
      })),
      "a proxy that is revoked": unreadable(() => {
        const { proxy, revoke } = Proxy.revocable({}, {})
        revoke()
        return proxy
      })
    }
  },
  {
    name: "files: bytes whose buffer was transferred are empty",
    mutant: { file: "src/internal/binary.ts", find: "if (!(u.byteLength > 0)) return new Uint8Array(0)", replace: "" },
    inputs: {
      "a view": emptied((buffer) => new Uint16Array(buffer)),
      "a buffer": emptied((buffer) => buffer)
    }
  },
  {
    name: "causes: a circular cause has a description",
    mutant: { file: causes, find: "depth > 4 || cause === undefined", replace: "cause === undefined" },
    inputs: {
      "a circle": () =>
        Effect.sync(() => assert.include(Transfer.cleanCause(cyclic(), "https://x.example/").words, "outer: inner")),
      "a long chain": () =>
        Effect.sync(() => assert.isBelow(Transfer.cleanCause(chained(50_000), "https://x.example/").words.length, 100))
    }
  },
  {
    name: "causes: a circular cause is not reported as an unreadable Blob",
    mutant: { file: causes, find: "depth > 4 || cause === undefined", replace: "cause === undefined" },
    inputs: {
      "a circle": () => Effect.sync(() => assert.isFalse(isUnreadableBlob(cyclic()))),
      "a long chain": () => Effect.sync(() => assert.isFalse(isUnreadableBlob(chained(50_000))))
    }
  },
  {
    name: "names: many equal names take linear time",
    mutant: { file: fileName, find: "next.set(key, number)", replace: "" },
    inputs: {
      "6,000 names": distinct(6000, () => "report.txt"),
      "three names alternately": distinct(12_000, (n) => ["A.txt", "b.txt", "c"][n % 3]!)
    }
  },
  {
    name: "names: a long extension does not cut off the number",
    mutant: { file: fileName, find: "dot > 0 && safe.length - dot <= maxExtension ?", replace: "dot > 0 ?" },
    inputs: {
      "of Latin letters": distinct(2000, () => `a.${"x".repeat(198)}`),
      "of wide characters": distinct(2000, () => `a.${"報".repeat(65)}xx`)
    }
  }
]

function problem(make: () => unknown, words: string) {
  return () =>
    Effect.sync(() => {
      const result = Variables.copy(make(), () => undefined)
      assert.include(Result.isFailure(result) ? result.failure.message : "", words)
    })
}

function visitsOnce(depth: number, wrap: (inner: unknown) => unknown) {
  return () =>
    Effect.sync(() => {
      let visits = 0
      Variables.copy({ a: nested(depth, wrap) }, () => {
        visits++
        return undefined
      })
      assert.isBelow(visits, 1000)
    })
}

function emptied(view: (buffer: ArrayBuffer) => ArrayBuffer | Uint16Array) {
  return () =>
    Effect.gen(function*() {
      const buffer = new ArrayBuffer(4)
      const data = view(buffer)
      structuredClone(buffer, { transfer: [buffer] })
      const error = yield* Effect.flip(FileInput.normalize("test", { data, filename: "a" }, 1))
      assert.instanceOf(error, RunError.BadRequestError)
      assert.include(error.message, "empty")
    })
}

function distinct(count: number, name: (n: number) => string) {
  return () =>
    Effect.sync(() => {
      const lookUp = vi.spyOn(Set.prototype, "has")
      try {
        const names = FileName.distinct(Array.from({ length: count }, (_, n) => name(n)), "artifact")
        // At most one look-up of the name, and one or two of the name with a number
        assert.isAtMost(lookUp.mock.calls.length, 3 * count)
        assert.strictEqual(new Set(names).size, count)
      } finally {
        lookUp.mockRestore()
      }
    })
}
