/**
 * The asynchronous executions of the workspace, as a list.
 *
 * **Example** (The last runs that failed)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { Tela } from "canvas-runs"
 * import { TelaEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const tela = yield* Tela.TelaClient
 *   const page = yield* tela.completionRuns.list({ status: "failed", limit: 20 })
 *   return page.data.map(({ id }) => id)
 * }).pipe(
 *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
 *     Layer.provideMerge(TelaEmulator.layerTest())
 *   )),
 * )
 *
 * console.log(await Effect.runPromise(main)) // => []
 * ```
 *
 * @see https://docs.tela.com/api-reference/completion-run/get-v1-completion-run
 * @since 0.1.0
 */
import type * as DateTime from "effect/DateTime"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import * as Struct from "effect/Struct"
import type * as Http from "../internal/http/call.ts"
import * as Paginate from "./internal/paginate.ts"
import type { RequestError } from "../RunError.ts"
import * as Page from "./TelaPage.ts"
import * as Data from "./TelaSchema.ts"

/**
 * The filters of a list of runs. A run has to match all of them. The default is all runs. A value of the wrong type is a
 * `BadRequestError` before any request.
 *
 * **Gotchas**
 *
 * The provider documents the first three filters. The names of the others are assumed.
 *
 * @category models
 * @since 0.1.0
 */
export interface CompletionRunFilters {
  /** The id of the canvas. A canvas that the key cannot reach is a `NotFoundError`. */
  readonly promptId?: string | undefined
  /** The id of the version of a canvas. */
  readonly promptVersionId?: string | undefined
  /** The id of the application. */
  readonly promptApplicationId?: string | undefined
  /** The status, as the provider names it. */
  readonly status?: Data.CompletionRun["status"] | undefined
  /** Tags, of which a run has any. No tag may have a comma. */
  readonly tags?: ReadonlyArray<string> | undefined
  /** The earliest time of creation: a `DateTime`, a `Date`, an ISO text, or Unix milliseconds. */
  readonly createdAtSince?: DateTime.DateTime.Input | undefined
  /** The latest time of creation. */
  readonly createdAtUntil?: DateTime.DateTime.Input | undefined
}

/**
 * The runs of the workspace, as lists. A key without the role `member` is a `PermissionDeniedError`.
 *
 * **When to use**
 *
 * To find executions whose refs are lost, by time and tags. To continue with one of them, pass its id to `tela.getExecution`.
 *
 * @see {@link module:TelaTasks} for the executions of applications
 * @category models
 * @since 0.1.0
 */
export interface CompletionRuns {
  /**
   * Returns one page, with the latest change first: up to 100 runs, and 10 by default.
   *
   * **Example** (The runs with a tag)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
   *   yield* canvas.execute({ topic: "tides" }, { async: true, tags: ["nightly"] })
   *   const page = yield* tela.completionRuns.list({ tags: ["nightly"], limit: 5 })
   *   return [page.total, page.data.map(({ status }) => status)]
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest())
   *   )),
   * )
   *
   * console.log(await Effect.runPromise(main)) // => [1, ["created"]]
   * ```
   *
   * @see {@link CompletionRuns.stream} for all pages
   * @see https://docs.tela.com/api-reference/completion-run/get-v1-completion-run
   */
  readonly list: (
    filters?: CompletionRunFilters & Page.PageParams
  ) => Effect.Effect<Page.Page<Data.CompletionRun>, RequestError>
  /**
   * Emits all runs, each once, and requests a page when it is needed. Runs that change meanwhile move to the front of the list.
   *
   * **Gotchas**
   *
   * A run that changes is emitted as it was when its page was read. If a run is deleted meanwhile, another one may be skipped.
   *
   * **Example** (How many runs a canvas had)
   *
   * ```ts
   * import { Effect, Layer, Redacted, Stream } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const id = "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11"
   *   const canvas = tela.canvas.make({ id })
   *   yield* Effect.repeat(canvas.execute({ topic: "tides" }, { async: true }), { times: 2 })
   *   return yield* Stream.runCount(tela.completionRuns.stream({ promptId: id, pageSize: 100 }))
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest())
   *   )),
   * )
   *
   * console.log(await Effect.runPromise(main)) // => 3
   * ```
   *
   * @see {@link CompletionRuns.list} for one page
   * @see https://docs.tela.com/api-reference/completion-run/get-v1-completion-run
   */
  readonly stream: (
    filters?: CompletionRunFilters & Page.StreamPageParams
  ) => Stream.Stream<Data.CompletionRun, RequestError>
}

/**
 * Makes {@link CompletionRuns} on an API.
 *
 * @internal
 */
export const make = (api: Http.Api): CompletionRuns =>
  Paginate.methods<CompletionRunFilters, Data.CompletionRun>({
    api,
    service: "completionRuns",
    path: "/v1/completion-run",
    filters: {
      ...Struct.Record(["promptId", "promptVersionId", "promptApplicationId"], Paginate.id),
      ...Struct.Record(["createdAtSince", "createdAtUntil"], Paginate.moment),
      status: Paginate.text,
      tags: Paginate.list
    },
    decode: Page.decodePage(Data.CompletionRun),
    span: "TelaCompletionRuns.list",
    maxLimit: 100
  })
