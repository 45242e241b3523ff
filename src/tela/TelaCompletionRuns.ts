/**
 * The list of what has been executed in the workspace.
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
import * as Wire from "./TelaSchema.ts"

/**
 * Which runs to list. The default is all runs.
 *
 * **Gotchas**
 *
 * The provider documents the first three filters. The names of the others are assumed.
 *
 * @category models
 * @since 0.1.0
 */
export interface CompletionRunFilters {
  /** Those of a canvas. */
  readonly promptId?: string | undefined
  /** Those of a version of a canvas. */
  readonly promptVersionId?: string | undefined
  /** Those of an application. */
  readonly promptApplicationId?: string | undefined
  readonly status?: Wire.CompletionRun["status"] | undefined
  /** Those with any of these tags. */
  readonly tags?: ReadonlyArray<string> | undefined
  readonly createdAtSince?: DateTime.DateTime.Input | undefined
  readonly createdAtUntil?: DateTime.DateTime.Input | undefined
}

/**
 * The runs of the workspace. It takes a key with the role `member`.
 *
 * @category models
 * @since 0.1.0
 */
export interface CompletionRuns {
  /**
   * Returns one page, with the latest change first: up to 100 runs, and 10 by default.
   *
   * @see https://docs.tela.com/api-reference/completion-run/get-v1-completion-run
   */
  readonly list: (
    filters?: CompletionRunFilters & Page.PageParams
  ) => Effect.Effect<Page.Page<Wire.CompletionRun>, RequestError>
  /**
   * Emits all runs, each once, and requests a page when it is needed. Runs that change meanwhile move to the front of the list.
   *
   * **Gotchas**
   *
   * A run that changes is emitted as it was when its page was read. If a run is deleted meanwhile, another one may be skipped.
   */
  readonly stream: (
    filters?: CompletionRunFilters & Page.StreamPageParams
  ) => Stream.Stream<Wire.CompletionRun, RequestError>
}

/**
 * Makes {@link CompletionRuns} on an API.
 *
 * @internal
 */
export const make = (api: Http.Api): CompletionRuns =>
  Paginate.methods<CompletionRunFilters, Wire.CompletionRun>({
    api,
    service: "completionRuns",
    path: "/v1/completion-run",
    filters: {
      ...Struct.Record(["promptId", "promptVersionId", "promptApplicationId"], Paginate.id),
      ...Struct.Record(["createdAtSince", "createdAtUntil"], Paginate.moment),
      status: Paginate.text,
      tags: Paginate.list
    },
    decode: Page.decodePage(Wire.CompletionRun),
    span: "TelaCompletionRuns.list",
    maxLimit: 100
  })
