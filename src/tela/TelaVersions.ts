/**
 * Versions of Tela canvases, and the environments that serve them.
 *
 * @see https://docs.tela.com/en/completion-api/versions-and-environments
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Http from "../internal/http/call.ts"
import { checkId } from "../internal/id.ts"
import * as Options from "../internal/options.ts"
import { get } from "./internal/get.ts"
import * as Paginate from "./internal/paginate.ts"
import type { RequestError } from "../RunError.ts"
import * as Data from "./TelaCanvasSchema.ts"
import * as Page from "./TelaPage.ts"

/**
 * The versions of canvases. A version or canvas that does not exist, or that the key cannot reach, is a `NotFoundError`.
 *
 * **When to use**
 *
 * | to read | use |
 * | --- | --- |
 * | a version whose id you know | `get` |
 * | the version that an execution without `versionId` and `environmentName` runs | `promoted` |
 * | the version that an environment serves | `environments.resolve` |
 * | the newest version, perhaps a draft | `latest` |
 * | the ids of all versions | `history` |
 *
 * @see {@link Environments} for which version is served where
 * @category models
 * @since 0.1.0
 */
export interface Versions {
  /**
   * Returns one version, with its variables and its settings.
   *
   * **Example** (The variables of a version)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const version = yield* tela.versions.get("33333333-3333-4333-8333-333333333333")
   *   return version.variables.map(({ name, type }) => `${name}: ${type}`)
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest({
    canvases: [{
      versionIds: ["33333333-3333-4333-8333-333333333333"],
      variables: [{ name: "document", type: "file" }]
    }]
  }))
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => ["document: file"]
   * ```
   *
   * @see https://docs.tela.com/api-reference/prompt-version/get-prompt-version-history
   */
  readonly get: (versionId: string) => Effect.Effect<Data.CanvasVersion, RequestError>
  /**
   * Returns the newest version of a canvas, published or not.
   *
   * **Example** (Whether the newest version is published)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const latest = yield* tela.versions.latest(TelaEmulator.invoiceCanvas.id)
   *   return latest.promoted
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest({ canvases: [TelaEmulator.invoiceCanvas] }))
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => true
   * ```
   *
   * @see {@link Versions.promoted} for the version that production serves
   * @see https://docs.tela.com/api-reference/prompt-version/get-prompt-id-latest-version
   */
  readonly latest: (canvasId: string) => Effect.Effect<Data.CanvasVersion, RequestError>
  /**
   * Returns the version that production serves, with its variables. If there is none, it fails with a `NotFoundError`.
   *
   * **Example** (A canvas that was never published)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   return yield* tela.versions.promoted("44444444-4444-4444-8444-444444444444")
   * }).pipe(
   *   Effect.catchTag("NotFoundError", (error) => Effect.succeed(error._tag)),
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest({
    canvases: [{ id: "44444444-4444-4444-8444-444444444444", environments: { production: null } }]
  }))
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => NotFoundError
   * ```
   *
   * @see {@link Versions.latest} for the newest version
   * @see https://docs.tela.com/api-reference/prompt-version/get-prompt-id-promoted-version
   */
  readonly promoted: (canvasId: string) => Effect.Effect<Data.CanvasVersion, RequestError>
  /**
   * Returns one page of the versions of a canvas, newest first: up to 100, and 20 by default. They come without their content:
   * `get` returns it.
   *
   * **Example** (The two newest versions)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const page = yield* tela.versions.history("44444444-4444-4444-8444-444444444444", { limit: 2 })
   *   return [page.total, page.data.map(({ id }) => id)]
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest({
    canvases: [{ id: "44444444-4444-4444-8444-444444444444", versionIds: ["v1", "v2", "v3"] }]
  }))
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => [3, ["v3", "v2"]]
   * ```
   *
   * @see https://docs.tela.com/api-reference/prompt-version/get-prompt-version-history
   */
  readonly history: (
    canvasId: string,
    page?: Page.PageParams
  ) => Effect.Effect<Page.Page<Data.CanvasVersionSummary>, RequestError>
}

/**
 * The environments of canvases. Each of them serves one version, or none.
 *
 * **Gotchas**
 *
 * The provider does not document the names of the parameters of these requests. They are assumed to be those of the request that
 * publishes a version: `resourceType`, `resourceId` and `envName`.
 *
 * @see {@link Versions} for versions by their id
 * @see https://docs.tela.com/en/completion-api/versions-and-environments
 * @category models
 * @since 0.1.0
 */
export interface Environments {
  /**
   * Returns the environments of a canvas: `production`, which every canvas has, then the others by name.
   *
   * **Example** (What each environment serves)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const environments = yield* tela.environments.list("44444444-4444-4444-8444-444444444444")
   *   return environments.map(({ currentVersion, name }) => `${name} ${currentVersion?.id}`)
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest({
    canvases: [{
      id: "44444444-4444-4444-8444-444444444444",
      versionIds: ["v1", "v2"],
      environments: { production: "v1", staging: "v2" }
    }]
  }))
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => ["production v1", "staging v2"]
   * ```
   *
   * @see https://docs.tela.com/api-reference/environment/get-environment
   */
  readonly list: (canvasId: string) => Effect.Effect<ReadonlyArray<Data.Environment>, RequestError>
  /**
   * Returns the version that an environment serves, which an execution with that `environmentName` runs. An environment that does
   * not exist, or that serves no version, is a `NotFoundError`.
   *
   * **Example** (The version behind an environment)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const version = yield* tela.environments.resolve("44444444-4444-4444-8444-444444444444", "staging")
   *   return version.id
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest({
    canvases: [{
      id: "44444444-4444-4444-8444-444444444444",
      versionIds: ["v1", "v2"],
      environments: { production: "v1", staging: "v2" }
    }]
  }))
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => v2
   * ```
   *
   * @see {@link Versions.promoted} for production
   * @see https://docs.tela.com/api-reference/environment/get-environment-version
   */
  readonly resolve: (canvasId: string, environmentName: string) => Effect.Effect<Data.CanvasVersion, RequestError>
}

/**
 * Makes {@link Versions} on an API.
 *
 * @internal
 */
export const make = (api: Http.Api): Versions => {
  const version = (method: string, parameter: string, path: (id: string) => string) => (given: string) =>
    Effect.flatMap(
      checkId(`versions.${method}`, parameter, given),
      (id) => get(api, `versions.${method}`, path(id), decodeVersion, { span: `TelaVersions.${method}` })
    )
  return {
    get: version("get", "versionId", (id) => `/prompt-version/${id}`),
    latest: version("latest", "canvasId", (id) => `/prompt/${id}/latest-version`),
    promoted: version("promoted", "canvasId", (id) => `/prompt/${id}/promoted-version`),
    history: (canvasId, page) =>
      Effect.gen(function*() {
        const operation = "versions.history"
        const { limit, offset } = yield* Options.copy(operation, "page", page, ["limit", "offset"])
        yield* Paginate.checkRange(operation, { limit, offset }, 100)
        const promptId = yield* checkId(operation, "canvasId", canvasId)
        const options = { span: "TelaVersions.history", urlParams: { promptId, limit, offset } }
        return yield* get(api, operation, "/prompt-version/history", decodeHistory, options)
      })
  }
}

/**
 * Makes {@link Environments} on an API.
 *
 * @internal
 */
export const makeEnvironments = (api: Http.Api): Environments => {
  const read = <A>(method: string, canvasId: string, path: string, decode: Http.Call<A>["decode"], envName?: string) =>
    Effect.flatMap(
      checkId(`environments.${method}`, "canvasId", canvasId),
      (resourceId) =>
        get(api, `environments.${method}`, path, decode, {
          span: `TelaEnvironments.${method}`,
          urlParams: { resourceType: "prompt", resourceId, envName }
        })
    )
  return {
    list: (canvasId) => Effect.map(read("list", canvasId, "/environment", decodeEnvironments), ({ data }) => data),
    resolve: (canvasId, envName) =>
      Effect.andThen(
        Options.checkText("environments.resolve", "environmentName", envName),
        read("resolve", canvasId, "/environment/version", decodeVersion, envName)
      )
  }
}

const decodeVersion = Schema.decodeUnknownEffect(Data.CanvasVersion)
const decodeHistory = Page.decodePage(Data.CanvasVersionSummary)
const decodeEnvironments = Page.decodePage(Data.Environment)
