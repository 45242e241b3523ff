/** What the tools need of a provider, and how they report its runs. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as RunRef from "../../internal/ref.ts"
import type { BadRequestError } from "../../RunError.ts"
import type * as RunSource from "../../RunSource.ts"
import { type Artifact, type RunReport, ToolError } from "../RunReport.ts"

/** The longest output that a report has, in characters. */
export const maxOutput = 100_000

/** What a terminal snapshot contains. */
export interface Outcome {
  readonly status: "completed" | "partial"
  readonly output: unknown
  readonly artifacts: ReadonlyArray<Artifact>
  readonly credits?: number | undefined
  readonly errors?: ReadonlyArray<string> | undefined
}

/** What the tools need of a provider. `Snapshot` is what it reports at a poll. */
export interface Provider<Snapshot> {
  /** The provider of the refs, such as `"spine"`. */
  readonly name: string
  /** The name of the provider in messages. */
  readonly title: string
  /** The kind of run that the tools start. */
  readonly kind: string
  readonly source: (
    ref: RunRef.RunRef
  ) => Effect.Effect<RunSource.RunSource<Snapshot, Snapshot, Snapshot>, BadRequestError>
  /** Reads a snapshot of a run that succeeded. */
  readonly outcome: (snapshot: Snapshot) => Outcome
  /** Finds runs by the tag of their create, if the provider can. */
  readonly findByTag?: ((tag: string) => Effect.Effect<ReadonlyArray<RunRef.RunRef>, ToolCause>) | undefined
}

/** Any error of this library. */
export interface ToolCause {
  readonly _tag: string
  readonly message: string
  readonly isRetryable?: boolean
}

/** What a model should do after an error whose own message tells a program what to do. */
const advice: { readonly [tag: string]: (message: string) => string } = {
  BudgetExceededError: (message) => `${message} Start no other run. Tell the user that the budget is spent.`,
  CreateOutcomeUnknownError: () =>
    "It is not known whether the run was created: it may exist, and may be billed. Do not start it again by yourself. Ask the user to look " +
    "for it at the provider. If there is none, a call with another key starts it."
}

/** The error of a tool from an error of the library. */
export const toolError = (error: ToolCause, runId?: string): ToolError => {
  const ref = Predicate.hasProperty(error, "ref") ? RunRef.read(error.ref) : undefined
  return new ToolError({
    error: error._tag,
    message: advice[error._tag]?.(error.message) ?? error.message,
    run_id: ref?.id ?? runId,
    isRetryable: error.isRetryable ?? false
  })
}

/** The report about a poll, or the error about a run that failed. */
export const reportOf = <Snapshot>(
  provider: Provider<Snapshot>,
  source: RunSource.RunSource<Snapshot, Snapshot, Snapshot>,
  snapshot: Snapshot | undefined
): Effect.Effect<RunReport, ToolError> => {
  const phase = snapshot === undefined ? { _tag: "Pending" as const } : source.classify(snapshot)
  const { name, title } = provider
  const { ref } = source
  switch (phase._tag) {
    case "Pending":
      return Effect.succeed({
        run_id: ref.id,
        status: "running",
        message: `The run continues at ${title}. Call ${name}_wait with this run_id until the status is not "running".`,
        ...(phase.progress === undefined ? undefined : { progress: phase.progress })
      })
    case "Failed":
      return Effect.fail(
        new ToolError({
          error: "RunFailedError",
          message:
            `The run ${ref.id} failed at ${title}: ${phase.errors.join("; ") || "no reason was given"}. It will not ` +
            "finish. A new run is billed again.",
          run_id: ref.id,
          isRetryable: false
        })
      )
    case "Succeeded": {
      const { artifacts, credits, errors, output, status } = provider.outcome(phase.run)
      const { isCut, value } = shortened(output)
      return Effect.succeed({
        run_id: ref.id,
        status,
        message: (status === "partial" ? "Some parts of the run failed; see errors." : "The run is done.") +
          (isCut ? ` The output has more than ${maxOutput} characters, and was cut.` : "") +
          (artifacts.length > 0 ? ` ${name}_artifacts returns links to its files.` : ""),
        output: value,
        artifacts,
        ...(credits === undefined ? undefined : { credits }),
        ...(errors === undefined ? undefined : { errors })
      })
    }
  }
}

const shortened = (output: unknown): { readonly isCut: boolean; readonly value: unknown } => {
  const text = Predicate.isString(output) ? output : JSON.stringify(output) ?? "null"
  return text.length <= maxOutput
    ? { isCut: false, value: output }
    : { isCut: true, value: text.slice(0, maxOutput) }
}

/** What one poll of a run says. */
export type Observed =
  | { readonly _tag: "Pending"; readonly progress: RunSource.Progress | undefined }
  | { readonly _tag: "Ended"; readonly report: RunReport; readonly credits: number | undefined }
  | { readonly _tag: "Failed"; readonly error: ToolError }

/** Polls the runs of a provider. The kind of its snapshots is hidden. */
export interface Observer {
  /** The provider of the refs, such as `"spine"`. */
  readonly name: string
  /**
   * Polls a run once.
   *
   * **Example** (A run that has not ended)
   *
   * ```ts
   * import { Effect } from "effect"
   * import type { McpServer } from "canvas-runs/ai"
   *
   * const observer: McpServer.Registration["observer"] = {
   *   name: "acme",
   *   observe: () => Effect.succeed({ _tag: "Pending", progress: { completed: 1, total: 4 } })
   * }
   *
   * console.log(observer.name) // => "acme"
   * ```
   */
  readonly observe: (ref: RunRef.RunRef) => Effect.Effect<Observed, ToolCause>
}

export const observer = <Snapshot>(provider: Provider<Snapshot>): Observer => ({
  name: provider.name,
  observe: Effect.fnUntraced(function*(ref) {
    const source = yield* provider.source(ref)
    const snapshot = (yield* source.retrieve).value
    const phase = source.classify(snapshot)
    if (phase._tag === "Pending") return { _tag: "Pending", progress: phase.progress }
    return yield* Effect.match(reportOf(provider, source, snapshot), {
      onFailure: (error): Observed => ({ _tag: "Failed", error }),
      onSuccess: (report): Observed => ({ _tag: "Ended", report, credits: report.credits })
    })
  })
})
