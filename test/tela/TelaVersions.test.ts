import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { RunError, Tela } from "canvas-runs"
import { live, refusals, scripted, setup, unknownId } from "../support/tela.ts"

const [v1, v2, v3] = [
  "00000000-0000-4000-8000-0000000000a1",
  "00000000-0000-4000-8000-0000000000a2",
  "00000000-0000-4000-8000-0000000000a3"
]

/** A canvas of three versions, the second in production. */
const published = Effect.gen(function*() {
  const { emulator, tela } = yield* setup
  const canvas = yield* emulator.canvas({
    title: "Invoices",
    versionIds: [v1, v2, v3],
    environments: { production: v2, staging: v3, archive: null },
    variables: [{ name: "document", type: "file", description: "The scan" }, { name: "note", required: false }],
    structuredOutput: { type: "object", properties: { total: { type: "number" } } }
  })
  return { id: canvas.id, versions: tela.versions, environments: tela.environments, emulator }
})

describe("versions", () => {
  it.effect("get returns a version with its variables and settings", () =>
    Effect.gen(function*() {
      const { id, versions } = yield* published
      const version = yield* versions.get(v1)
      assert.deepStrictEqual([version.id, version.promptId, version.promoted], [v1, id, false])
      assert.deepStrictEqual(version.variables.map(({ name, required, type }) => [name, type, required]), [
        ["document", "file", true],
        ["note", "text", false]
      ])
      assert.isTrue(version.configuration!.structuredOutput!.enabled)
    }).pipe(Effect.provide(live())))

  it.effect("latest returns the newest version, and promoted the one in production", () =>
    Effect.gen(function*() {
      const { id, versions } = yield* published
      const latest = yield* versions.latest(id)
      assert.deepStrictEqual([latest.id, latest.versionIndex], [v3, 3])
      const promoted = yield* versions.promoted(id)
      assert.deepStrictEqual([promoted.id, promoted.promoted], [v2, true])
    }).pipe(Effect.provide(live())))

  it.effect("promoted decodes a version with only an id, a canvas and variables", () =>
    Effect.gen(function*() {
      const { versions } = yield* Tela.TelaClient
      assert.deepStrictEqual((yield* versions.promoted("c")) as unknown, {
        id: "v",
        promptId: "c",
        variables: [],
        isWorkflow: false
      })
    }).pipe(Effect.provide(scripted(() => ({ id: "v", promptId: "c", variables: [] })))))

  it.effect("a canvas with nothing in production is a NotFoundError", () =>
    Effect.gen(function*() {
      const { emulator, tela } = yield* setup
      const { id } = yield* emulator.canvas({ environments: { production: null } })
      assert.instanceOf(yield* Effect.flip(tela.versions.promoted(id)), RunError.NotFoundError)
      assert.isString((yield* tela.versions.latest(id)).id)
    }).pipe(Effect.provide(live())))

  it.effect("history returns a page of versions, newest first", () =>
    Effect.gen(function*() {
      const { emulator, id, versions } = yield* published
      const all = yield* versions.history(id)
      assert.deepStrictEqual([all.data.map(({ id }) => id), all.total], [[v3, v2, v1], 3])
      assert.deepStrictEqual(all.data.map(({ promoted }) => promoted), [false, true, false])
      yield* emulator.clearRequests
      assert.deepStrictEqual((yield* versions.history(id, { limit: 1, offset: 1 })).data.map(({ id }) => id), [v2])
      const [request] = yield* emulator.requests
      assert.strictEqual(new URL(request!.url).search, `?promptId=${id}&limit=1&offset=1`)
    }).pipe(Effect.provide(live())))
})

describe("environments", () => {
  it.effect("list returns production first, then the others by name, with their versions", () =>
    Effect.gen(function*() {
      const { environments, id } = yield* published
      const all = yield* environments.list(id)
      assert.deepStrictEqual(all.map(({ currentVersion, name }) => [name, currentVersion?.id]), [
        ["production", v2],
        ["archive", undefined],
        ["staging", v3]
      ])
      assert.strictEqual(all[0]!.activePublication!.versionId, v2)
    }).pipe(Effect.provide(live())))

  it.effect("list accepts a page too", () =>
    Effect.gen(function*() {
      const { environments } = yield* Tela.TelaClient
      assert.deepStrictEqual((yield* environments.list("c")) as unknown, [{ id: "1", name: "production" }])
    }).pipe(
      Effect.provide(scripted(() => ({ data: [{ id: "1", name: "production", currentVersion: null }], meta: {} })))
    ))

  it.effect("resolve returns the version that an environment serves", () =>
    Effect.gen(function*() {
      const { emulator, environments, id } = yield* published
      assert.strictEqual((yield* environments.resolve(id, "staging")).id, v3)
      assert.strictEqual((yield* environments.resolve(id, "production")).id, v2)
      const [request] = yield* emulator.requests
      assert.deepStrictEqual(Object.fromEntries(new URL(request!.url).searchParams), {
        resourceType: "prompt",
        resourceId: id,
        envName: "staging"
      })
    }).pipe(Effect.provide(live())))

  it.effect("resolve escapes the name", () =>
    Effect.gen(function*() {
      const { emulator, tela } = yield* setup
      const name = "a&b=c/ü #1"
      const { id } = yield* emulator.canvas({ versionIds: [v1], environments: { [name]: v1 } })
      assert.strictEqual((yield* tela.environments.resolve(id, name)).id, v1)
    }).pipe(Effect.provide(live())))

  it.effect("an environment that does not exist, or serves nothing, is a NotFoundError", () =>
    Effect.gen(function*() {
      const { environments, id } = yield* published
      for (const name of ["nowhere", "archive"]) {
        assert.instanceOf(yield* Effect.flip(environments.resolve(id, name)), RunError.NotFoundError)
      }
    }).pipe(Effect.provide(live())))
})

describe("versions and environments", () => {
  it.effect("reject invalid parameters before any request", () =>
    Effect.gen(function*() {
      const { tela: { environments, versions } } = yield* setup
      const { actual, expected, requests } = yield* refusals([
        [versions.get("a/b"), "versionId"],
        [versions.latest(""), "canvasId"],
        [versions.promoted(".."), "canvasId"],
        [versions.history("a?b"), "canvasId"],
        [versions.history(unknownId, { limit: 101 }), "limit"],
        [versions.history(unknownId, { offset: -1 }), "offset"],
        [environments.list("a#b"), "canvasId"],
        [environments.resolve("a b", "production"), "canvasId"],
        [environments.resolve(unknownId, " "), "environmentName"]
      ])
      assert.deepStrictEqual(actual, expected)
      assert.strictEqual(requests, 0)
    }).pipe(Effect.provide(live())))

  it.effect("fail with a NotFoundError for unknown ids, with their operation", () =>
    Effect.gen(function*() {
      const { tela: { environments, versions } } = yield* setup
      for (
        const [call, operation] of [
          [versions.get(unknownId), "versions.get"],
          [versions.latest(unknownId), "versions.latest"],
          [versions.history(unknownId), "versions.history"],
          [environments.list(unknownId), "environments.list"]
        ] as const
      ) {
        const error = yield* Effect.flip<unknown, RunError.RequestError, never>(call)
        assert.instanceOf(error, RunError.NotFoundError)
        assert.strictEqual(error.operation, operation)
      }
    }).pipe(Effect.provide(live({}, { onlyRegistered: true }))))
})
