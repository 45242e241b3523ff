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
import * as Wire from "./TelaCanvasSchema.ts"
import * as Page from "./TelaPage.ts"

/**
 * The versions of canvases.
 *
 * @category models
 * @since 0.1.0
 */
export interface Versions {
  /** Returns one version, with its variables and its settings. */
  readonly get: (versionId: string) => Effect.Effect<Wire.CanvasVersion, RequestError>
  /**
   * Returns the newest version of a canvas, published or not.
   *
   * @see https://docs.tela.com/api-reference/prompt-version/get-prompt-id-latest-version
   */
  readonly latest: (canvasId: string) => Effect.Effect<Wire.CanvasVersion, RequestError>
  /**
   * Returns the version that production serves, with its variables. If there is none, it fails with a `NotFoundError`.
   *
   * @see https://docs.tela.com/api-reference/prompt-version/get-prompt-id-promoted-version
   */
  readonly promoted: (canvasId: string) => Effect.Effect<Wire.CanvasVersion, RequestError>
  /**
   * Returns one page of the versions of a canvas, newest first: up to 100, and 20 by default.
   *
   * @see https://docs.tela.com/api-reference/prompt-version/get-prompt-version-history
   */
  readonly history: (
    canvasId: string,
    page?: Page.PageParams
  ) => Effect.Effect<Page.Page<Wire.CanvasVersionSummary>, RequestError>
}

/**
 * The environments of canvases.
 *
 * **Gotchas**
 *
 * The names of the parameters of these requests are assumed, after the body that publishes a version: `resourceType`, `resourceId`
 * and `envName`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Environments {
  /**
   * Returns the environments of a canvas: `production`, which every canvas has, then the others by name.
   *
   * @see https://docs.tela.com/api-reference/environment/get-environment
   */
  readonly list: (canvasId: string) => Effect.Effect<ReadonlyArray<Wire.Environment>, RequestError>
  /**
   * Returns the version that an environment serves, which an execution with that `environmentName` runs. It fails with a
   * `NotFoundError` if there is no such environment, or if it serves no version.
   *
   * @see https://docs.tela.com/api-reference/environment/get-environment-version
   */
  readonly resolve: (canvasId: string, environmentName: string) => Effect.Effect<Wire.CanvasVersion, RequestError>
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
  const read = <A>(
    method: string,
    canvasId: string,
    path: string,
    decode: Http.Call<A>["decode"],
    urlParams: { readonly envName?: string } = {}
  ) =>
    Effect.flatMap(
      checkId(`environments.${method}`, "canvasId", canvasId),
      (resourceId) =>
        get(api, `environments.${method}`, path, decode, {
          span: `TelaEnvironments.${method}`,
          urlParams: { resourceType: "prompt", resourceId, ...urlParams }
        })
    )
  return {
    list: (canvasId) => Effect.map(read("list", canvasId, "/environment", decodeEnvironments), ({ data }) => data),
    resolve: (canvasId, envName) =>
      Effect.andThen(
        Options.checkText("environments.resolve", "environmentName", envName),
        read("resolve", canvasId, "/environment/version", decodeVersion, { envName })
      )
  }
}

const decodeVersion = Schema.decodeUnknownEffect(Wire.CanvasVersion)
const decodeHistory = Page.decodePage(Wire.CanvasVersionSummary)
const decodeEnvironments = Page.decodePage(Wire.Environment)
