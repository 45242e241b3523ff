/** The routes of the Tela emulator to canvases, versions and environments. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type { Exchange } from "../../Exchange.ts"
import { user, workspaceId } from "../../TelaScript.ts"
import * as routing from "../routing.ts"
import * as canvases from "./canvases.ts"
import * as lists from "./lists.ts"
import * as responses from "./responses.ts"

export const make = (known: canvases.Canvases, bareLists: boolean): ReadonlyArray<routing.Route<responses.Access>> => {
  const newestFirst = (canvas: canvases.Canvas): ReadonlyArray<canvases.Version> => canvas.versions.toReversed()

  const queried = Effect.fnUntraced(function*(exchange: Exchange, name: string) {
    const id = exchange.url.searchParams.get(name)
    return id === null || id === ""
      ? yield* responses.badRequest(`${name} is required`)
      : yield* known.find("canvas", id, exchange)
  })

  const environmentCanvas = Effect.fnUntraced(function*(exchange: Exchange) {
    const type = exchange.url.searchParams.get("resourceType")
    return type === "prompt"
      ? yield* queried(exchange, "resourceId")
      : yield* responses.badRequest(`resourceType must be "prompt"`)
  })

  const listCanvases: routing.Handler = (exchange) =>
    Effect.sync(() => {
      const query = exchange.url.searchParams
      const projectId = query.get("projectId")
      const withVersion = (
        canvas: canvases.Canvas,
        name: string,
        flag: string,
        version: canvases.Version | undefined
      ) => query.get(flag) !== "true" ? {} : { [name]: version === undefined ? null : fullVersion(canvas, version) }
      return responses.ok(
        Array.from(known.all())
          .filter((canvas) => projectId === null || canvas.projectId === projectId)
          .map((canvas) =>
            Object.assign(
              shownCanvas(canvas),
              withVersion(canvas, "lastVersion", "includeLastVersion", canvas.versions.at(-1)),
              withVersion(canvas, "promotedVersion", "includePromotedVersion", promotedVersion(canvas))
            )
          )
      )
    })

  const history: routing.Handler = Effect.fnUntraced(function*(exchange) {
    const canvas = yield* queried(exchange, "promptId")
    const page = yield* lists.page(exchange.url.searchParams, { initial: 20, max: 100 })
    return responses.ok(
      lists.envelope(newestFirst(canvas), page, (version) => lightVersion(canvas, version), bareLists)
    )
  })

  const publishByName: routing.Handler = Effect.fnUntraced(function*(exchange) {
    const body = yield* responses.readObject(exchange)
    const { autoCreate, envName, resourceId, resourceType, versionId } = body
    const wrong = responses.wrongMember(body, { autoCreate: "boolean" })
    if (wrong !== undefined) return yield* responses.badRequest(wrong)
    if (resourceType !== "prompt") return yield* responses.badRequest(`resourceType must be "prompt"`)
    if (!Predicate.isString(resourceId) || !Predicate.isString(envName) || !Predicate.isString(versionId)) {
      return yield* responses.badRequest("resourceId, envName and versionId are required")
    }
    const { canvas, version } = yield* known.resolve({ canvas_id: resourceId, version_id: versionId }, exchange)
    let environment = canvas.environments.get(envName)
    if (environment === undefined) {
      if (autoCreate !== true) return yield* responses.notFound("Environment", envName)
      environment = known.addEnvironment(canvas, envName, exchange)
    }
    if (canvases.currentVersion(environment) !== version.id) {
      canvases.publish(environment, version.id, exchange)
      version.draft = false
    }
    return responses.ok(shownEnvironment(canvas, environment))
  })

  return routing.routes("bearer", {
    "GET /project": () =>
      Effect.sync(() =>
        responses.ok(
          Array.from(
            new Set([workspaceId, ...Array.from(known.all(), (canvas) => canvas.projectId)]),
            (id) => ({
              id,
              title: id === workspaceId ? "Emulated project" : id,
              workspaceId,
              createdAt: responses.iso(0),
              updatedAt: responses.iso(0),
              deletedAt: null
            })
          )
        )
      ),
    "GET /prompt": listCanvases,
    "GET /prompt/:id": (exchange, { id }) =>
      Effect.map(known.find("canvas", id, exchange), (canvas) => responses.ok(shownCanvas(canvas))),
    "GET /prompt/:id/promoted-version": Effect.fnUntraced(function*(exchange, { id }) {
      const canvas = yield* known.find("canvas", id, exchange)
      return responses.ok(fullVersion(canvas, yield* known.served(canvas, canvases.production)))
    }),
    "GET /prompt/:id/latest-version": Effect.fnUntraced(function*(exchange, { id }) {
      const canvas = yield* known.find("canvas", id, exchange)
      const [newest, previous] = newestFirst(canvas)
      if (newest === undefined) return yield* responses.notFound("Version", id)
      return responses.ok({
        ...fullVersion(canvas, newest),
        versionIndex: newest.index,
        previousVersionId: previous?.id ?? null
      })
    }),
    "GET /prompt-version/history": history,
    "GET /prompt-version/index-map": (exchange) =>
      Effect.map(
        queried(exchange, "promptId"),
        (canvas) => responses.ok(newestFirst(canvas).map(({ id, index }) => ({ id, versionIndex: index })))
      ),
    "GET /prompt-version": (exchange) =>
      Effect.map(
        queried(exchange, "promptId"),
        (canvas) => responses.ok(newestFirst(canvas).map((version) => fullVersion(canvas, version)))
      ),
    "GET /prompt-version/:id": Effect.fnUntraced(function*(exchange, { id }) {
      const canvas = yield* known.find("version", id, exchange)
      return responses.ok(fullVersion(canvas, yield* known.versionOf(canvas, id)))
    }),
    // An assumption of this library: how an app leads to its canvas is not documented.
    "GET /prompt-application/:id": Effect.fnUntraced(function*(exchange, { id }) {
      const { canvas, version } = yield* known.resolve({ application_id: id }, exchange)
      return responses.ok({
        id: canvas.applicationId,
        promptId: canvas.id,
        promptVersionId: version.id,
        title: canvas.title,
        workspaceId: workspaceId
      })
    }),
    "GET /environment": (exchange) =>
      Effect.map(environmentCanvas(exchange), (canvas) =>
        responses.ok(
          Array.from(canvas.environments.values())
            .sort((a, b) =>
              Number(b.name === canvases.production) - Number(a.name === canvases.production) ||
              (a.name < b.name ? -1 : 1)
            )
            .map((environment) => shownEnvironment(canvas, environment))
        )),
    "GET /environment/version": Effect.fnUntraced(function*(exchange) {
      const name = exchange.url.searchParams.get("envName")
      if (name === null || name === "") return yield* responses.badRequest("envName is required")
      const canvas = yield* environmentCanvas(exchange)
      return responses.ok(fullVersion(canvas, yield* known.served(canvas, name)))
    }),
    "POST /environment/publish-by-name": publishByName
  })
}

// --- responses ---

const audit = (createdAt: number, updatedAt = createdAt) => ({
  workspaceId,
  createdBy: user,
  updatedBy: user,
  deletedBy: null,
  createdAt: responses.iso(createdAt),
  updatedAt: responses.iso(updatedAt),
  deletedAt: null
})

const promotedVersion = (canvas: canvases.Canvas): canvases.Version | undefined => {
  const id = canvases.currentVersion(canvas.environments.get(canvases.production))
  return canvas.versions.find((version) => version.id === id)
}

const lightVersion = (canvas: canvases.Canvas, version: canvases.Version) => ({
  id: version.id,
  promptId: canvas.id,
  title: canvas.title,
  promoted: promotedVersion(canvas) === version,
  draft: version.draft,
  isWorkflow: canvas.isWorkflow,
  ...audit(version.createdAt)
})

const fullVersion = (canvas: canvases.Canvas, version: canvases.Version) => ({
  ...lightVersion(canvas, version),
  content: canvas.title,
  markdownContent: canvas.title,
  variables: (canvas.variables ?? []).map((variable) => ({
    name: variable.name,
    type: variable.type ?? "text",
    required: variable.required ?? true,
    description: variable.description ?? "",
    processingOptions: { allowMultimodal: false }
  })),
  configuration: {
    model: "emulated",
    type: "chat",
    temperature: 0,
    structuredOutput: { enabled: canvas.structuredOutput !== undefined, schema: canvas.structuredOutput ?? {} }
  },
  workflowSpec: canvas.isWorkflow ? { steps: [] } : null
})

const shownCanvas = (canvas: canvases.Canvas) => ({
  id: canvas.id,
  title: canvas.title,
  projectId: canvas.projectId,
  isWorkflow: canvas.isWorkflow,
  ...audit(canvas.createdAt)
})

const shownEnvironment = (canvas: canvases.Canvas, environment: canvases.Environment) => {
  const id = canvases.currentVersion(environment)
  const version = canvas.versions.find((version) => version.id === id)
  const publication = version === undefined ? undefined : environment.publications.at(-1)
  return {
    id: environment.id,
    name: environment.name,
    resourceType: "prompt",
    resourceId: canvas.id,
    currentVersionId: version?.id ?? null,
    currentVersion: version === undefined ? null : fullVersion(canvas, version),
    activePublication: publication === undefined ? null : {
      id: publication.id,
      versionId: publication.versionId,
      publishedAt: responses.iso(publication.publishedAt),
      unpublishedAt: responses.isoOrNull(publication.unpublishedAt)
    },
    ...audit(environment.createdAt, publication?.publishedAt)
  }
}
