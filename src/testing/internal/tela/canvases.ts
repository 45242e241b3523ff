/** The canvases of the Tela emulator, with their versions and environments. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type * as Emulator from "../../Emulator.ts"
import type * as TelaScript from "../../TelaScript.ts"
import * as wire from "./wire.ts"

export interface Version {
  readonly id: string
  /** 1 is the oldest. */
  readonly index: number
  readonly createdAt: number
  draft: boolean
}

interface Publication {
  readonly id: string
  readonly versionId: string
  readonly publishedAt: number
  unpublishedAt: number | undefined
}

interface Environment {
  readonly id: string
  readonly name: string
  readonly createdAt: number
  readonly publications: Array<Publication>
}

export interface Canvas {
  readonly id: string
  readonly applicationId: string
  readonly title: string
  readonly projectId: string
  readonly variables: ReadonlyArray<TelaScript.Variable> | undefined
  readonly structuredOutput: wire.JsonObject | undefined
  readonly isWorkflow: boolean
  readonly script: TelaScript.Canvas["script"]
  readonly output: TelaScript.Output | undefined
  readonly createdAt: number
  /** Whether it exists only because somebody asked for it. */
  readonly implicit: boolean
  readonly versions: Array<Version>
  readonly environments: Map<string, Environment>
}

/** What a request names to say what is to run. */
export interface Target {
  readonly canvas_id?: string | undefined
  readonly version_id?: string | undefined
  readonly application_id?: string | undefined
  readonly environment_name?: string | undefined
}

export interface Options {
  readonly workspaceId: string
  readonly user: string
  readonly onlyRegistered: boolean
  readonly onlyPublished: boolean
  readonly bareLists: boolean
  /** The ids that are never found. */
  readonly unknown: ReadonlySet<string>
}

export interface Canvases {
  readonly routes: ReadonlyArray<wire.Route>
  readonly all: () => Iterable<Canvas>
  readonly define: (canvas: TelaScript.Canvas, at: Moment, implicit?: boolean) => Canvas
  readonly resolve: (
    target: Target,
    at: Moment
  ) => Effect.Effect<{ readonly canvas: Canvas; readonly version: Version }, wire.Refusal>
  /** Whether something with that id is there already. */
  readonly knows: (kind: Kind, id: string) => boolean
}

export type Kind = "canvas" | "version" | "application"

type Moment = Pick<Emulator.Exchange, "now" | "uuid">

export const production = "production"

export const currentVersion = (environment: Environment | undefined): string | undefined => {
  const last = environment?.publications.at(-1)
  return last === undefined || last.unpublishedAt !== undefined ? undefined : last.versionId
}

/** What each environment serves. */
export const published = (canvas: Canvas): Record<string, string | null> =>
  Object.fromEntries(Array.from(canvas.environments, ([name, it]) => [name, currentVersion(it) ?? null]))

/** What is wrong with the names of variables, if the canvas declares any. */
export const wrongVariables = ({ variables: declared }: Canvas, variables: wire.JsonObject): string | undefined => {
  if (declared === undefined) return undefined
  const missing = declared.find(({ name, required }) => (required ?? true) && variables[name] === undefined)
  if (missing !== undefined) return `Missing required variable: ${missing.name}`
  const stray = Object.keys(variables).find((name) => !declared.some((variable) => variable.name === name))
  return stray === undefined ? undefined : `Unknown variable: ${stray}`
}

const publish = (environment: Environment, versionId: string, at: Moment) => {
  const active = environment.publications.at(-1)
  if (active !== undefined) active.unpublishedAt = at.now
  environment.publications.push({ id: at.uuid(), versionId, publishedAt: at.now, unpublishedAt: undefined })
}

export const make = (options: Options): Canvases => {
  const byId: { readonly [K in Kind]: Map<string, Canvas> } = {
    canvas: new Map(),
    version: new Map(),
    application: new Map()
  }
  const projectId = options.workspaceId

  const addVersion = (canvas: Canvas, id: string, at: Moment): Version => {
    const version: Version = { id, index: canvas.versions.length + 1, createdAt: at.now, draft: true }
    canvas.versions.push(version)
    byId.version.set(key(id), canvas)
    return version
  }

  const addEnvironment = (canvas: Canvas, name: string, at: Moment): Environment => {
    const environment: Environment = { id: at.uuid(), name, createdAt: at.now, publications: [] }
    canvas.environments.set(name, environment)
    return environment
  }

  const define: Canvases["define"] = (given, at, implicit = false) => {
    const canvas: Canvas = {
      id: given.id ?? at.uuid(),
      applicationId: given.applicationId ?? at.uuid(),
      title: given.title ?? "Untitled canvas",
      projectId: given.projectId ?? projectId,
      variables: given.variables,
      structuredOutput: given.structuredOutput,
      isWorkflow: given.isWorkflow ?? false,
      script: given.script,
      output: given.output,
      createdAt: at.now,
      implicit,
      versions: [],
      environments: new Map()
    }
    byId.canvas.set(key(canvas.id), canvas)
    byId.application.set(key(canvas.applicationId), canvas)
    for (const id of given.versionIds ?? [at.uuid()]) addVersion(canvas, id, at)
    const newest = canvas.versions.at(-1)?.id ?? null
    for (const [name, id] of Object.entries({ [production]: newest, ...given.environments })) {
      const environment = addEnvironment(canvas, name, at)
      if (id === null) continue
      publish(environment, id, at)
      const version = canvas.versions.find((version) => key(version.id) === key(id)) ?? addVersion(canvas, id, at)
      version.draft = false
    }
    return canvas
  }

  const find = (kind: Kind, id: string, at: Moment): Effect.Effect<Canvas, wire.Refusal> => {
    const found = byId[kind].get(key(id))
    if (found !== undefined) return Effect.succeed(found)
    if (options.onlyRegistered || options.unknown.has(key(id)) || !(wire.isUuid(id) || /^tela_ver_./.test(id))) {
      return wire.notFound(nouns[kind], id)
    }
    return Effect.sync(() =>
      define(
        kind === "canvas" ? { id } : kind === "version" ? { versionIds: [id] } : { applicationId: id },
        at,
        true
      )
    )
  }

  const versionOf = (canvas: Canvas, id: string): Effect.Effect<Version, wire.Refusal> => {
    const version = canvas.versions.find((version) => key(version.id) === key(id))
    return version === undefined ? wire.notFound("Version", id) : Effect.succeed(version)
  }

  const served = (canvas: Canvas, environment: string): Effect.Effect<Version, wire.Refusal> => {
    const id = currentVersion(canvas.environments.get(environment))
    return id === undefined
      ? wire.refuse(404, "NOT_FOUND", `The environment "${environment}" does not exist or serves no version`)
      : versionOf(canvas, id)
  }

  // Section 5.
  const resolve: Canvases["resolve"] = Effect.fnUntraced(function*(target, at) {
    const { application_id, canvas_id, environment_name, version_id } = target
    if (application_id !== undefined) {
      const canvas = yield* find("application", application_id, at)
      const id = currentVersion(canvas.environments.get(production)) ?? canvas.versions.at(-1)?.id
      return { canvas, version: yield* versionOf(canvas, id ?? "none") }
    }
    if (version_id === undefined) {
      const canvas = yield* find("canvas", canvas_id ?? "", at)
      return { canvas, version: yield* served(canvas, environment_name ?? production) }
    }
    if (canvas_id !== undefined) {
      const canvas = yield* find("canvas", canvas_id, at)
      if (canvas.implicit && !byId.version.has(key(version_id)) && !options.unknown.has(key(version_id))) {
        addVersion(canvas, version_id, at)
      }
      return { canvas, version: yield* versionOf(canvas, version_id) }
    }
    const canvas = yield* find("version", version_id, at)
    const version = yield* versionOf(canvas, version_id)
    // Assumption 36.
    return options.onlyPublished && !Object.values(published(canvas)).includes(version.id)
      ? yield* wire.notFound("Version", version_id)
      : { canvas, version }
  })

  // --- what is shown ---

  const audit = (createdAt: number, updatedAt = createdAt) => ({
    workspaceId: options.workspaceId,
    createdBy: options.user,
    updatedBy: options.user,
    deletedBy: null,
    createdAt: wire.iso(createdAt),
    updatedAt: wire.iso(updatedAt),
    deletedAt: null
  })

  const promotedVersion = (canvas: Canvas): Version | undefined => {
    const id = currentVersion(canvas.environments.get(production))
    return canvas.versions.find((version) => version.id === id)
  }

  const lightVersion = (canvas: Canvas, version: Version) => ({
    id: version.id,
    promptId: canvas.id,
    title: canvas.title,
    promoted: promotedVersion(canvas) === version,
    draft: version.draft,
    isWorkflow: canvas.isWorkflow,
    ...audit(version.createdAt)
  })

  const fullVersion = (canvas: Canvas, version: Version) => ({
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

  const shownCanvas = (canvas: Canvas) => ({
    id: canvas.id,
    title: canvas.title,
    projectId: canvas.projectId,
    isWorkflow: canvas.isWorkflow,
    ...audit(canvas.createdAt)
  })

  const shownEnvironment = (canvas: Canvas, environment: Environment) => {
    const id = currentVersion(environment)
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
        publishedAt: wire.iso(publication.publishedAt),
        unpublishedAt: wire.isoOrNull(publication.unpublishedAt)
      },
      ...audit(environment.createdAt, publication?.publishedAt)
    }
  }

  // --- the routes ---

  const newestFirst = (canvas: Canvas): ReadonlyArray<Version> => canvas.versions.toReversed()

  const queried = Effect.fnUntraced(function*(exchange: Emulator.Exchange, name: string) {
    const id = exchange.url.searchParams.get(name)
    return id === null || id === ""
      ? yield* wire.badRequest(`${name} is required`)
      : yield* find("canvas", id, exchange)
  })

  const environmentCanvas = Effect.fnUntraced(function*(exchange: Emulator.Exchange) {
    const type = exchange.url.searchParams.get("resourceType")
    return type === "prompt"
      ? yield* queried(exchange, "resourceId")
      : yield* wire.badRequest(`resourceType must be "prompt"`)
  })

  const listCanvases: wire.Handler = (exchange) =>
    Effect.sync(() => {
      const query = exchange.url.searchParams
      const projectId = query.get("projectId")
      const withVersion = (canvas: Canvas, name: string, flag: string, version: Version | undefined) =>
        query.get(flag) !== "true" ? {} : { [name]: version === undefined ? null : fullVersion(canvas, version) }
      return wire.ok(
        Array.from(byId.canvas.values())
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

  const history: wire.Handler = Effect.fnUntraced(function*(exchange) {
    const canvas = yield* queried(exchange, "promptId")
    const page = yield* wire.queryPage(exchange.url.searchParams, { initial: 20, max: 100 })
    return wire.ok(
      wire.envelope(newestFirst(canvas), page, (version) => lightVersion(canvas, version), options.bareLists)
    )
  })

  const publishByName: wire.Handler = Effect.fnUntraced(function*(exchange) {
    const body = yield* wire.readObject(exchange)
    const { autoCreate, envName, resourceId, resourceType, versionId } = body
    const wrong = wire.wrongMember(body, { autoCreate: "boolean" })
    if (wrong !== undefined) return yield* wire.badRequest(wrong)
    if (resourceType !== "prompt") return yield* wire.badRequest(`resourceType must be "prompt"`)
    if (!Predicate.isString(resourceId) || !Predicate.isString(envName) || !Predicate.isString(versionId)) {
      return yield* wire.badRequest("resourceId, envName and versionId are required")
    }
    const { canvas, version } = yield* resolve({ canvas_id: resourceId, version_id: versionId }, exchange)
    let environment = canvas.environments.get(envName)
    if (environment === undefined) {
      if (autoCreate !== true) return yield* wire.notFound("Environment", envName)
      environment = addEnvironment(canvas, envName, exchange)
    }
    if (currentVersion(environment) !== version.id) {
      publish(environment, version.id, exchange)
      version.draft = false
    }
    return wire.ok(shownEnvironment(canvas, environment))
  })

  const routes: ReadonlyArray<wire.Route> = [
    wire.route("GET", "/project", () =>
      Effect.sync(() =>
        wire.ok(
          Array.from(
            new Set([projectId, ...Array.from(byId.canvas.values(), (canvas) => canvas.projectId)]),
            (id) => ({
              id,
              title: id === projectId ? "Emulated project" : id,
              workspaceId: options.workspaceId,
              createdAt: wire.iso(0),
              updatedAt: wire.iso(0),
              deletedAt: null
            })
          )
        )
      )),
    wire.route("GET", "/prompt", listCanvases),
    wire.route(
      "GET",
      "/prompt/:id",
      (exchange, { id }) => Effect.map(find("canvas", id!, exchange), (canvas) => wire.ok(shownCanvas(canvas)))
    ),
    wire.route(
      "GET",
      "/prompt/:id/promoted-version",
      Effect.fnUntraced(function*(exchange, { id }) {
        const canvas = yield* find("canvas", id!, exchange)
        return wire.ok(fullVersion(canvas, yield* served(canvas, production)))
      })
    ),
    wire.route(
      "GET",
      "/prompt/:id/latest-version",
      Effect.fnUntraced(function*(exchange, { id }) {
        const canvas = yield* find("canvas", id!, exchange)
        const [newest, previous] = newestFirst(canvas)
        if (newest === undefined) return yield* wire.notFound("Version", id!)
        return wire.ok({
          ...fullVersion(canvas, newest),
          versionIndex: newest.index,
          previousVersionId: previous?.id ?? null
        })
      })
    ),
    wire.route("GET", "/prompt-version/history", history),
    wire.route(
      "GET",
      "/prompt-version/index-map",
      (exchange) =>
        Effect.map(
          queried(exchange, "promptId"),
          (canvas) => wire.ok(newestFirst(canvas).map(({ id, index }) => ({ id, versionIndex: index })))
        )
    ),
    wire.route(
      "GET",
      "/prompt-version",
      (exchange) =>
        Effect.map(
          queried(exchange, "promptId"),
          (canvas) => wire.ok(newestFirst(canvas).map((version) => fullVersion(canvas, version)))
        )
    ),
    wire.route(
      "GET",
      "/prompt-version/:id",
      Effect.fnUntraced(function*(exchange, { id }) {
        const canvas = yield* find("version", id!, exchange)
        return wire.ok(fullVersion(canvas, yield* versionOf(canvas, id!)))
      })
    ),
    // An assumption of ours: how an app leads to its canvas is not documented.
    wire.route(
      "GET",
      "/prompt-application/:id",
      Effect.fnUntraced(function*(exchange, { id }) {
        const { canvas, version } = yield* resolve({ application_id: id! }, exchange)
        return wire.ok({
          id: canvas.applicationId,
          promptId: canvas.id,
          promptVersionId: version.id,
          title: canvas.title,
          workspaceId: options.workspaceId
        })
      })
    ),
    wire.route("GET", "/environment", (exchange) =>
      Effect.map(environmentCanvas(exchange), (canvas) =>
        wire.ok(
          Array.from(canvas.environments.values())
            .sort((a, b) => Number(b.name === production) - Number(a.name === production) || (a.name < b.name ? -1 : 1))
            .map((environment) => shownEnvironment(canvas, environment))
        ))),
    wire.route(
      "GET",
      "/environment/version",
      Effect.fnUntraced(function*(exchange) {
        const name = exchange.url.searchParams.get("envName")
        if (name === null || name === "") return yield* wire.badRequest("envName is required")
        const canvas = yield* environmentCanvas(exchange)
        return wire.ok(fullVersion(canvas, yield* served(canvas, name)))
      })
    ),
    wire.route("POST", "/environment/publish-by-name", publishByName)
  ]

  return {
    routes,
    all: () => byId.canvas.values(),
    define,
    resolve,
    knows: (kind, id) => byId[kind].has(key(id))
  }
}

const nouns: { readonly [K in Kind]: string } = { canvas: "Canvas", version: "Version", application: "Application" }

const key = (id: string): string => id.toLowerCase()
