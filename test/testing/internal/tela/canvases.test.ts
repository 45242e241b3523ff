import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TelaEmulator from "../../../../src/testing/TelaEmulator.ts"
import * as tela from "../../tela.ts"

const { emulated, json, refusal } = tela
const control = TelaEmulator.TelaEmulator

const id = "aaaaaaaa-0000-4000-8000-000000000001"
const [v1, v2, v3] = [1, 2, 3].map((n) => `bbbbbbbb-0000-4000-8000-00000000000${n}`) as [string, string, string]
const app = "cccccccc-0000-4000-8000-000000000001"
const other = "dddddddd-0000-4000-8000-000000000001"

const invoices = {
  id,
  versionIds: [v1, v2, v3],
  environments: { production: v2, staging: v3 },
  applicationId: app,
  title: "Invoices",
  projectId: other,
  variables: [{ name: "invoice", type: "file", description: "The document" }, { name: "note", required: false }],
  structuredOutput: { type: "object", properties: { total: { type: "number" } } }
}

const status = <E, R>(response: Effect.Effect<ReadonlyArray<unknown>, E, R>) =>
  Effect.map(response, ([status]) => status)

describe("canvases that are not registered", () => {
  it.effect("exist under any UUID, as canvas, version or app, and keep their kind", () =>
    Effect.gen(function*() {
      const canvas = yield* json("GET", `/prompt/${other}`)
      assert.deepStrictEqual([canvas.id, canvas.title], [other, "Untitled canvas"])
      const version = yield* json("GET", `/prompt/${other}/promoted-version`)
      assert.strictEqual((yield* json("GET", `/prompt-version/${version.id}`)).promptId, other)
      assert.strictEqual((yield* json("GET", `/prompt-version/${v1}`)).id, v1)
      assert.strictEqual((yield* json("GET", "/prompt-version/tela_ver_1")).id, "tela_ver_1")
      const application = yield* json("GET", `/prompt-application/${app}`)
      assert.deepStrictEqual(yield* json("GET", `/prompt-application/${app}`), application)
      yield* json("POST", tela.completions, { body: { canvas_id: other, version_id: v2 } })
      assert.deepStrictEqual((yield* (yield* control).canvases).map((canvas) => canvas.versionIds.length), [
        1,
        1,
        2,
        1,
        1,
        1
      ])
    }).pipe(emulated()))

  it.effect("do not exist with the option onlyRegistered", () =>
    Effect.gen(function*() {
      for (const path of [`/prompt/${other}`, `/prompt-version/${other}`, `/prompt-application/${other}`]) {
        assert.strictEqual(yield* status(refusal("GET", path)), 404)
      }
      assert.strictEqual(yield* status(refusal("POST", tela.completions, { body: { canvas_id: other } })), 404)
      assert.strictEqual((yield* json("GET", `/prompt/${id}`)).title, "Invoices")
    }).pipe(emulated({ onlyRegistered: true, canvases: [invoices] })))

  it.effect("never exist under the reserved id, nor under a malformed id", () =>
    Effect.gen(function*() {
      const unknown = TelaEmulator.unknownCanvasId
      for (const target of [{ canvas_id: unknown }, { version_id: unknown }, { application_id: unknown }]) {
        assert.strictEqual(yield* status(refusal("POST", tela.completions, { body: target })), 404)
      }
      assert.deepStrictEqual(
        yield* refusal("GET", `/prompt/${unknown}/latest-version`),
        [404, "NOT_FOUND", `Canvas not found: ${unknown}`]
      )
      assert.strictEqual(yield* status(refusal("GET", "/prompt/x")), 404)
      assert.strictEqual(
        yield* status(refusal("POST", tela.completions, { body: { canvas_id: other, version_id: unknown } })),
        404
      )
    }).pipe(emulated()))
})

describe("reserved canvases", () => {
  it.effect("fail, or are workflows, under the same id as canvas, version and app", () =>
    Effect.gen(function*() {
      for (const name of ["canvas_id", "version_id"]) {
        const body = { [name]: TelaEmulator.failingCanvasId }
        assert.strictEqual(yield* status(refusal("POST", tela.completions, { body })), 500)
        const workflow = yield* json("POST", tela.completions, { body: { [name]: TelaEmulator.workflowCanvasId } })
        assert.isArray(workflow.steps)
      }
      assert.isTrue((yield* json("GET", `/prompt/${TelaEmulator.workflowCanvasId}/latest-version`)).isWorkflow)
    }).pipe(emulated()))
})

describe("a registered canvas", () => {
  it.effect("section 5: runs the version that its environments serve, or exactly the requested version", () =>
    Effect.gen(function*() {
      const version = (body: tela.Json) =>
        Effect.map(
          json("POST", tela.completions, { body: { ...body, async: true, variables } }),
          (run) => run.prompt_version_id
        )
      const variables = { invoice: { file_url: "https://x.y/a.pdf" } }
      assert.strictEqual(yield* version({ canvas_id: id }), v2)
      assert.strictEqual(yield* version({ canvas_id: id.toUpperCase() }), v2)
      assert.strictEqual(yield* version({ canvas_id: id, environment_name: "staging" }), v3)
      assert.strictEqual(yield* version({ version_id: v1 }), v1)
      assert.strictEqual(yield* version({ canvas_id: id, version_id: v3 }), v3)
      const body = { canvas_id: id, environment_name: "testing", variables }
      assert.deepStrictEqual(
        yield* refusal("POST", tela.completions, { body }),
        [404, "NOT_FOUND", `The environment "testing" does not exist or serves no version`]
      )
      assert.strictEqual(
        yield* status(refusal("POST", tela.completions, { body: { canvas_id: id, version_id: other } })),
        404
      )
    }).pipe(emulated({ canvases: [invoices] })))

  it.effect("assumption 36: hides versions that are not published, in strict mode", () =>
    Effect.gen(function*() {
      const answer = (version_id: string) =>
        Effect.map(
          tela.send("POST", tela.completions, {
            body: { version_id, variables: { invoice: { file_url: "https://x.y/a.pdf" } } }
          }),
          (response) => response.status
        )
      assert.deepStrictEqual([yield* answer(v1), yield* answer(v2), yield* answer(v3)], [404, 200, 200])
    }).pipe(emulated({ canvases: [invoices], onlyPublished: true })))

  it.effect("rejects variables with unknown names, and a missing required one", () =>
    Effect.gen(function*() {
      const answer = (variables: tela.Json) => refusal("POST", tela.completions, { body: { canvas_id: id, variables } })
      assert.deepStrictEqual(yield* answer({}), [400, "BAD_REQUEST", "Missing required variable: invoice"])
      assert.deepStrictEqual(
        yield* answer({ invoice: { file_url: "https://x.y/a.pdf" }, Note: "x" }),
        [400, "BAD_REQUEST", "Unknown variable: Note"]
      )
    }).pipe(emulated({ canvases: [invoices] })))

  it.effect("shows its variables, the schema of its output, and its versions", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      const made = yield* emulator.canvas(invoices)
      assert.deepStrictEqual(made, {
        id,
        applicationId: app,
        title: "Invoices",
        isWorkflow: false,
        versionIds: [v1, v2, v3],
        environments: { production: v2, staging: v3 }
      })
      const promoted = yield* json("GET", `/prompt/${id}/promoted-version`)
      assert.deepStrictEqual(
        [promoted.id, promoted.promptId, promoted.promoted, promoted.draft, promoted.isWorkflow],
        [v2, id, true, false, false]
      )
      assert.deepStrictEqual(promoted.variables, [
        {
          name: "invoice",
          type: "file",
          required: true,
          description: "The document",
          processingOptions: { allowMultimodal: false }
        },
        {
          name: "note",
          type: "text",
          required: false,
          description: "",
          processingOptions: { allowMultimodal: false }
        }
      ])
      assert.deepStrictEqual(promoted.configuration.structuredOutput, {
        enabled: true,
        schema: invoices.structuredOutput
      })
      const latest = yield* json("GET", `/prompt/${id}/latest-version`)
      assert.deepStrictEqual(
        [latest.id, latest.versionIndex, latest.previousVersionId, latest.promoted],
        [v3, 3, v2, false]
      )
      assert.isTrue((yield* json("GET", `/prompt-version/${v1}`)).draft)
      assert.strictEqual((yield* json("GET", `/prompt/${id}`)).projectId, other)
      assert.deepStrictEqual(yield* json("GET", `/prompt-application/${app}`), {
        id: app,
        promptId: id,
        promptVersionId: v2,
        title: "Invoices",
        workspaceId: TelaEmulator.workspaceId
      })
    }).pipe(emulated()))

  it.effect("lists its versions, newest first, as a light list, by number and in full", () =>
    Effect.gen(function*() {
      const history = yield* json("GET", `/prompt-version/history?promptId=${id}&limit=2`)
      assert.deepStrictEqual(history.data.map((version: tela.Json) => version.id), [v3, v2])
      assert.isFalse("variables" in history.data[0])
      assert.deepStrictEqual(history.meta, { total: 3, limit: 2, offset: 0, currentPage: 1, totalPages: 2 })
      assert.deepStrictEqual(yield* json("GET", `/prompt-version/index-map?promptId=${id}`), [
        { id: v3, versionIndex: 3 },
        { id: v2, versionIndex: 2 },
        { id: v1, versionIndex: 1 }
      ])
      const all = yield* json("GET", `/prompt-version?promptId=${id}`)
      assert.deepStrictEqual(all.map((version: tela.Json) => version.promoted), [false, true, false])
      assert.deepStrictEqual(
        yield* refusal("GET", "/prompt-version/history"),
        [400, "BAD_REQUEST", "promptId is required"]
      )
    }).pipe(emulated({ canvases: [invoices] })))

  it.effect("has no promoted version if production serves none", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* status(refusal("GET", `/prompt/${id}/promoted-version`)), 404)
      assert.strictEqual((yield* json("GET", `/prompt/${id}/latest-version`)).id, v1)
      assert.strictEqual((yield* json("GET", `/prompt-application/${app}`)).promptVersionId, v1)
    }).pipe(emulated({
      canvases: [{ id, versionIds: [v1], environments: { production: null }, applicationId: app }]
    })))

  it.effect("is listed with its project, and with its versions on request", () =>
    Effect.gen(function*() {
      const query = `projectId=${other}`
      const [plain] = (yield* json("GET", `/prompt?${query}`)) as ReadonlyArray<tela.Json>
      assert.deepStrictEqual([plain?.["id"], "lastVersion" in plain!], [id, false])
      const [full] = (yield* json(
        "GET",
        `/prompt?${query}&includePromotedVersion=true&includeLastVersion=true`
      )) as ReadonlyArray<tela.Json>
      assert.deepStrictEqual([full?.["promotedVersion"].id, full?.["lastVersion"].id], [v2, v3])
      const projects = yield* json("GET", "/project")
      assert.deepStrictEqual(projects.map((project: tela.Json) => project.id), [TelaEmulator.workspaceId, other])
    }).pipe(emulated({ canvases: [invoices] })))
})

describe("environments", () => {
  const resource = `resourceType=prompt&resourceId=${id}`
  const publish = (body: tela.Json) =>
    json("POST", "/environment/publish-by-name", { body: { resourceType: "prompt", resourceId: id, ...body } })

  it.effect("are listed with production first and the others by name", () =>
    Effect.gen(function*() {
      const list = (yield* json("GET", `/environment?${resource}`)) as ReadonlyArray<tela.Json>
      assert.deepStrictEqual(
        list.map((environment) => [
          environment.name,
          environment.currentVersion?.id ?? null,
          environment.activePublication?.versionId ?? null
        ]),
        [["production", v2, v2], ["a", null, null], ["staging", v3, v3]]
      )
    }).pipe(emulated({
      canvases: [{ ...invoices, environments: { staging: v3, a: null, production: v2 } }]
    })))

  it.effect("show the version that they serve", () =>
    Effect.gen(function*() {
      const served = (name: string) => json("GET", `/environment/version?${resource}&envName=${name}`)
      assert.strictEqual((yield* served("staging")).id, v3)
      assert.strictEqual(yield* status(refusal("GET", `/environment/version?${resource}&envName=none`)), 404)
      assert.deepStrictEqual(
        yield* refusal("GET", `/environment/version?${resource}`),
        [400, "BAD_REQUEST", "envName is required"]
      )
      assert.deepStrictEqual(
        yield* refusal("GET", `/environment?resourceId=${id}`),
        [400, "BAD_REQUEST", `resourceType must be "prompt"`]
      )
    }).pipe(emulated({ canvases: [invoices] })))

  it.effect("serve a version that is published to them, from the next run on", () =>
    Effect.gen(function*() {
      const emulator = yield* control
      const before = yield* publish({ envName: "production", versionId: v2 })
      const again = yield* publish({ envName: "production", versionId: v2 })
      assert.strictEqual(before.activePublication.id, again.activePublication.id)
      const moved = yield* publish({ envName: "production", versionId: v1 })
      assert.notStrictEqual(moved.activePublication.id, again.activePublication.id)
      assert.deepStrictEqual([moved.currentVersion.id, moved.currentVersion.promoted], [v1, true])
      assert.isFalse((yield* json("GET", `/prompt-version/${v2}`)).promoted)
      assert.isFalse((yield* json("GET", `/prompt-version/${v1}`)).draft)
      assert.strictEqual((yield* json("GET", `/prompt-application/${app}`)).promptVersionId, v1)
      const created = yield* publish({ envName: "new", versionId: v3, autoCreate: true })
      assert.strictEqual(created.name, "new")
      assert.deepStrictEqual((yield* emulator.canvases).find((canvas) => canvas.id === id)?.environments, {
        production: v1,
        staging: v3,
        new: v3
      })
    }).pipe(emulated({ canvases: [invoices] })))

  it.effect("reject unknown ids and incomplete requests", () =>
    Effect.gen(function*() {
      const answer = (body: tela.Json) =>
        refusal("POST", "/environment/publish-by-name", { body: { resourceType: "prompt", resourceId: id, ...body } })
      assert.deepStrictEqual(
        yield* answer({ envName: "new", versionId: v3 }),
        [404, "NOT_FOUND", "Environment not found: new"]
      )
      assert.strictEqual(yield* status(answer({ envName: "staging", versionId: other })), 404)
      assert.strictEqual(yield* status(answer({ envName: "staging" })), 400)
      assert.strictEqual(yield* status(answer({ resourceType: "agent" })), 400)
      assert.strictEqual(yield* status(answer({ envName: "x", versionId: v1, autoCreate: 1 })), 400)
    }).pipe(emulated({ canvases: [invoices] })))
})
