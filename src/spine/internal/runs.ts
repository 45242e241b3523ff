/** The calls about runs. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import * as Create from "../../internal/http/create.ts"
import type { Client } from "../../internal/http/client.ts"
import { checkId } from "../../internal/id.ts"
import * as Options from "../../internal/options.ts"
import * as Telemetry from "../../internal/telemetry.ts"
import * as Webhooks from "../../internal/webhooks/hub.ts"
import * as Polling from "../../Polling.ts"
import * as Run from "../../Run.ts"
import type { WaitError } from "../../RunError.ts"
import { type CreateRunParams, defaultWait, type Runs, type RunTarget, type WaitOptions } from "../SpineRuns.ts"
import type * as Data from "../SpineSchema.ts"
import * as SpineCreate from "./create.ts"
import * as Source from "./source.ts"
import { refOf } from "./target.ts"

/** Makes the calls about runs on an API. */
export const make = (client: Client): Runs => {
  const { api, polling, webhooks } = client
  const defaults = {
    ...defaultWait,
    ...(webhooks === undefined ? undefined : { pollInterval: Webhooks.pollInterval }),
    schedule: polling
  }
  const makeSource = Source.make(api, webhooks)
  const sourceOf = (operation: string, run: RunTarget) =>
    Effect.map(typeof run === "string" ? checkId(operation, "run_id", run) : refOf(operation, run), makeSource)

  /**
   * Checks the run and the options, and passes them to `use`. For assumptions T4, T5 and T6 see the kernel: it treats a failed poll,
   * the deadline and an interruption alike for all providers.
   */
  const prepare = <E, R, A>(
    operation: string,
    run: RunTarget,
    wait: WaitOptions<E, R> | undefined,
    use: (source: Source.Source, policy: Polling.Policy<Data.Run, E, R>) => A
  ) => Effect.zipWith(sourceOf(operation, run), Polling.makePolicy(operation, wait, defaults), use)

  const create = (operation: string, params: CreateRunParams) =>
    SpineCreate.create(client, operation, params).pipe(
      Create.operation,
      Effect.tap((created) => Effect.annotateCurrentSpan("run.id", created.run_id)),
      Telemetry.span("SpineRuns.create", { "run.provider": Source.provider })
    )

  const waitForCompletion = <E, R>(
    run: RunTarget,
    wait?: WaitOptions<E, R> & { readonly resolveOnFailure?: boolean | undefined }
  ): Effect.Effect<Data.TerminalRun, WaitError | E, R> =>
    // The generator returns the wait and does not run it: it would stay in memory during the wait
    Effect.flatten(Effect.gen(function*() {
      const operation = "runs.waitForCompletion"
      const { resolveOnFailure, ...rest } = yield* Polling.readOptions(operation, wait, ["resolveOnFailure"])
      yield* Options.checkKind(operation, "resolveOnFailure", resolveOnFailure, Predicate.isBoolean, "true or false")
      const use: (
        ...wait: [Source.Source, Polling.Policy<Data.Run, E, R>]
      ) => Effect.Effect<Data.TerminalRun, WaitError | E, R> = resolveOnFailure === true ? Run.settle : Run.wait
      return yield* prepare(operation, run, rest as WaitOptions<E, R>, use)
    }))

  return {
    create: (params) => create("runs.create", params),
    retrieve: (run) =>
      Effect.flatMap(
        refOf("runs.retrieve", run),
        (ref) =>
          Effect.map(Source.retrieve(api, ref, false), ({ value }) => value).pipe(
            Telemetry.span("SpineRuns.retrieve", Telemetry.attributes(ref))
          )
      ),
    waitForCompletion: waitForCompletion as Runs["waitForCompletion"],
    watch: (run, wait) => Stream.unwrap(prepare("runs.watch", run, wait, Run.watch)),
    polls: (run, wait) => Stream.unwrap(prepare("runs.polls", run, wait, Run.polls)),
    completions: (runs, wait) =>
      Stream.unwrap(
        Effect.gen(function*() {
          const operation = "runs.completions"
          const { concurrency, ...rest } = yield* Polling.readOptions(operation, wait, ["concurrency"])
          const policy = yield* Polling.makePolicy(operation, rest as NonNullable<typeof wait>, defaults)
          yield* Polling.checkConcurrency(operation, concurrency)
          yield* Options.checkGiven(operation, "runs", runs, isMany, "an array, another iterable, or a Stream of runs")
          const targets = Stream.isStream(runs) ? runs : Stream.fromIterable(runs)
          return Run.completions(targets, (run) => sourceOf(operation, run), policy, { concurrency })
        })
      ),
    source: (run) => sourceOf("runs.source", run),
    share: (run, wait) => Effect.flatten(prepare("runs.share", run, wait, Run.share)),
    run: (params, wait) =>
      // The options are checked first: a mistake in them must not cost a run
      Effect.flatMap(
        Create.operation(Effect.gen(function*() {
          const operation = "runs.run"
          const { onCreated, ...rest } = yield* Polling.readOptions(operation, wait, ["onCreated"])
          const policy = yield* Polling.makePolicy(operation, rest as NonNullable<typeof wait>, defaults)
          yield* Options.checkOnCreated(operation, onCreated)
          return { created: Create.thenOnCreated(create(operation, params), onCreated), policy }
        })),
        ({ created, policy }) =>
          Effect.flatMap(
            Effect.tap(created, ({ run_id }) => Effect.annotateCurrentSpan("run.id", run_id)),
            ({ ref }) => Run.wait(makeSource(ref), policy)
          ).pipe(
            Telemetry.span("SpineRuns.run", { "run.provider": Source.provider }, { client, runParams: params })
          )
      )
  }
}

const isMany = (runs: unknown): boolean =>
  Stream.isStream(runs) || Predicate.isIterable(runs) && typeof runs !== "string"
