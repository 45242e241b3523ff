/** The canvases of the Tela emulator with their versions and environments, and the version that a request names. */
import * as Effect from "effect/Effect"
import type { Exchange } from "../../Exchange.ts"
import type * as TelaScript from "../../TelaScript.ts"
import { failingCanvasId, unknownCanvasId, workflowCanvasId, workspaceId } from "../../TelaScript.ts"
import type { JsonObject } from "../json.ts"
import type * as routing from "../routing.ts"
import { isUuid } from "../uuid.ts"
import * as responses from "./responses.ts"

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

export interface Environment {
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
  readonly structuredOutput: JsonObject | undefined
  readonly isWorkflow: boolean
  readonly script: TelaScript.Canvas["script"]
  readonly output: TelaScript.Output | undefined
  readonly createdAt: number
  /** Whether the first request for the canvas created it. */
  readonly implicit: boolean
  readonly versions: Array<Version>
  readonly environments: Map<string, Environment>
}

/** The ids and names in a request that select the version to run. */
export interface Target {
  readonly canvas_id?: string | undefined
  readonly version_id?: string | undefined
  readonly application_id?: string | undefined
  readonly environment_name?: string | undefined
}

export interface Options {
  readonly onlyRegistered: boolean
  readonly onlyPublished: boolean
}

export interface Canvases {
  readonly all: () => Iterable<Canvas>
  readonly define: (canvas: TelaScript.Canvas, at: Moment, implicit?: boolean) => Canvas
  readonly resolve: (
    target: Target,
    at: Moment
  ) => Effect.Effect<{ readonly canvas: Canvas; readonly version: Version }, routing.Refusal>
  readonly find: (kind: Kind, id: string, at: Moment) => Effect.Effect<Canvas, routing.Refusal>
  readonly versionOf: (canvas: Canvas, id: string) => Effect.Effect<Version, routing.Refusal>
  /** The version that an environment serves. */
  readonly served: (canvas: Canvas, environment: string) => Effect.Effect<Version, routing.Refusal>
  readonly addEnvironment: (canvas: Canvas, name: string, at: Moment) => Environment
  /** Whether that id exists already. */
  readonly knows: (kind: Kind, id: string) => boolean
}

export type Kind = "canvas" | "version" | "application"

type Moment = Pick<Exchange, "now" | "uuid">

export const production = "production"

export const currentVersion = (environment: Environment | undefined): string | undefined => {
  const last = environment?.publications.at(-1)
  return last === undefined || last.unpublishedAt !== undefined ? undefined : last.versionId
}

/** The version that each environment serves. */
export const published = (canvas: Canvas): Record<string, string | null> =>
  Object.fromEntries(Array.from(canvas.environments, ([name, it]) => [name, currentVersion(it) ?? null]))

/** The first mistake in the names of variables, if the canvas declares any. */
export const wrongVariables = ({ variables: declared }: Canvas, variables: JsonObject): string | undefined => {
  if (declared === undefined) return undefined
  const missing = declared.find(({ name, required }) => (required ?? true) && variables[name] === undefined)
  if (missing !== undefined) return `Missing required variable: ${missing.name}`
  const stray = Object.keys(variables).find((name) => !declared.some((variable) => variable.name === name))
  return stray === undefined ? undefined : `Unknown variable: ${stray}`
}

/** Makes an environment serve a version from now on. */
export const publish = (environment: Environment, versionId: string, at: Moment) => {
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
  const addVersion = (canvas: Canvas, id: string, at: Moment): Version => {
    const version: Version = { id, index: canvas.versions.length + 1, createdAt: at.now, draft: true }
    canvas.versions.push(version)
    byId.version.set(key(id), canvas)
    return version
  }

  const addEnvironment: Canvases["addEnvironment"] = (canvas, name, at) => {
    const environment: Environment = { id: at.uuid(), name, createdAt: at.now, publications: [] }
    canvas.environments.set(name, environment)
    return environment
  }

  const define: Canvases["define"] = (given, at, implicit = false) => {
    const canvas: Canvas = {
      id: given.id ?? at.uuid(),
      applicationId: given.applicationId ?? at.uuid(),
      title: given.title ?? "Untitled canvas",
      projectId: given.projectId ?? workspaceId,
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

  const find: Canvases["find"] = (kind, id, at) => {
    const found = byId[kind].get(key(id))
    if (found !== undefined) return Effect.succeed(found)
    if (options.onlyRegistered || key(id) === unknownCanvasId || !(isUuid(id) || /^tela_ver_./.test(id))) {
      return responses.notFound(nouns[kind], id)
    }
    return Effect.sync(() =>
      define(
        kind === "canvas" ? { id } : kind === "version" ? { versionIds: [id] } : { applicationId: id },
        at,
        true
      )
    )
  }

  const versionOf: Canvases["versionOf"] = (canvas, id) => {
    const version = canvas.versions.find((version) => key(version.id) === key(id))
    return version === undefined ? responses.notFound("Version", id) : Effect.succeed(version)
  }

  const served: Canvases["served"] = (canvas, environment) => {
    const id = currentVersion(canvas.environments.get(environment))
    return id === undefined
      ? responses.refuse(404, "NOT_FOUND", `The environment "${environment}" does not exist or serves no version`)
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
      if (canvas.implicit && !byId.version.has(key(version_id)) && key(version_id) !== unknownCanvasId) {
        addVersion(canvas, version_id, at)
      }
      return { canvas, version: yield* versionOf(canvas, version_id) }
    }
    const canvas = yield* find("version", version_id, at)
    const version = yield* versionOf(canvas, version_id)
    // Assumption 36.
    return options.onlyPublished && !Object.values(published(canvas)).includes(version.id)
      ? yield* responses.notFound("Version", version_id)
      : { canvas, version }
  })

  return {
    all: () => byId.canvas.values(),
    define,
    addEnvironment,
    find,
    versionOf,
    served,
    resolve,
    knows: (kind, id) => byId[kind].has(key(id))
  }
}

const nouns: { readonly [K in Kind]: string } = { canvas: "Canvas", version: "Version", application: "Application" }

const key = (id: string): string => id.toLowerCase()

const withId = (id: string, canvas: TelaScript.Canvas): TelaScript.Canvas => ({
  id,
  versionIds: [id],
  applicationId: id,
  ...canvas
})

/** The canvases that always exist. */
export const reserved: ReadonlyArray<TelaScript.Canvas> = [
  withId(failingCanvasId, { title: "Failing canvas", script: { failure: {} } }),
  withId(workflowCanvasId, { title: "Workflow", isWorkflow: true })
]
