/** The source of a run of Spine: how its state is requested, and which phase a response means. */
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import type * as Http from "../../internal/http/call.ts"
import type * as RunRef from "../../internal/ref.ts"
import type { RunSource } from "../../RunSource.ts"
import type * as Webhooks from "../../internal/webhooks/hub.ts"
import * as Data from "../SpineSchema.ts"
import { about } from "./about.ts"

/**
 * The name of this provider in a `RunRef`.
 *
 * @category constants
 * @since 0.1.0
 */
export const provider = "spine"

/** The kind of run that Spine has. */
export interface Source extends RunSource<Data.Run, Data.CompletedRun | Data.PartialRun, Data.FailedRun> {}

/** Makes sources of runs. A source keeps the ref or the id of its run and nothing else, so that a sleeping run is small. */
export const make = (
  api: Http.Api,
  webhooks: Webhooks.Service | undefined
): (run: RunRef.RunRef | string) => Source => {
  class RunOf implements Source {
    readonly run: RunRef.RunRef | string
    constructor(run: RunRef.RunRef | string) {
      this.run = run
    }
    get ref() {
      return typeof this.run === "string" ? refOfId(this.run) : this.run
    }
    get retrieve() {
      return retrieve(api, this.ref, true)
    }
    get pushed() {
      return webhooks === undefined ? undefined : (after: number) => webhooks.ended(provider, this.ref.id, after)
    }
    /** Spine signs its webhooks. */
    get isPushProof() {
      return true
    }
    get longest() {
      return api.longest
    }
    get server() {
      return api.server
    }
    status(run: Data.Run): string {
      return run.status === "unknown" ? run.provider_status : run.status
    }
    /** The time that a run has taken changes with every poll, so it does not count as a change. `raw` has it, too. */
    unchanged(previous: Data.Run, next: Data.Run): boolean {
      return Equal.equals(withoutClock(previous), withoutClock(next))
    }
    classify(run: Data.Run): ReturnType<Source["classify"]> {
      switch (run.status) {
        case "completed":
        case "partial":
          return { _tag: "Succeeded", run, durationMs: run.duration_ms }
        case "failed":
          return { _tag: "Failed", run, errors: run.errors.map(({ error }) => error) }
        case "running":
          return {
            _tag: "Pending",
            progress: { completed: run.progress.tasks_completed, total: run.progress.tasks_total }
          }
        case "unknown":
          return { _tag: "Pending" }
      }
    }
  }
  return (run) => new RunOf(run)
}

/** The ref of a run whose id alone is known. */
export const refOfId = (id: string): RunRef.RunRef => ({ version: 1, provider, kind: "run", id })

/** Requests the state of a run once. */
export const retrieve = (api: Http.Api, ref: RunRef.RunRef, isPoll: boolean) =>
  api.call({
    operation: "runs.retrieve",
    request: HttpClientRequest.get(`/v1/run/${ref.id}`),
    decode: about("run_id", ref.id, decodeRun),
    ref,
    isPoll
  })

const decodeAnyRun = Data.decodeAnswer(Data.Run)

/** Reads the reason of a failure, also if it is one text, `error`, instead of the list `errors`. */
const decodeRun = (body: unknown): Effect.Effect<Data.Run, Schema.SchemaError> =>
  Effect.mapEager(
    decodeAnyRun(body),
    (run) =>
      run.status === "failed" && run.errors.length === 0 && Predicate.hasProperty(run.raw, "error") &&
        Predicate.isString(run.raw.error)
        ? { ...run, errors: [{ error: run.raw.error }] }
        : run
  )

const withoutClock = (run: Data.Run): object => {
  // A run whose status is not known keeps its progress unchanged
  const progress: unknown = "progress" in run ? run.progress : undefined
  return Predicate.isObject(progress)
    ? { ...run, raw: undefined, progress: { ...progress, elapsed_ms: 0 } }
    : { ...run, raw: undefined }
}
