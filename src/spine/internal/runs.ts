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
import { defaultWait, type Runs, type RunTarget, type WaitOptions } from "../SpineRuns.ts"
import type * as Wire from "../SpineSchema.ts"
import * as SpineCreate from "./create.ts"
import * as Source from "./source.ts"
import { refOf } from "./target.ts"

/** Makes the calls about runs on an API. */
export const make = (client: Client): Runs => {
  const { api, webhooks } = client
  const defaults = webhooks === undefined ? defaultWait : { ...defaultWait, pollInterval: Webhooks.pollInterval }
  const makeSource = Source.make(api, webhooks)
  const sourceOf = (operation: string, run: RunTarget) =>
    Effect.map(typeof run === "string" ? checkId(operation, "run_id", run) : refOf(operation, run), makeSource)

  const prepare = <E, R>(operation: string, run: RunTarget, wait: WaitOptions<E, R> | undefined) =>
    // T4, T5, T6: `Run` decides about a failed poll, about the time of the first one, and about interruption
    Effect.all([sourceOf(operation, run), Polling.makePolicy(operation, wait, defaults)])

  const create: Runs["create"] = (params) =>
    SpineCreate.create(client, params).pipe(
      Create.operation,
      Effect.tap((created) => Effect.annotateCurrentSpan("run.id", created.run_id)),
      Telemetry.span("SpineRuns.create", { "run.provider": Source.provider })
    )

  const waitForCompletion = <E, R>(
    run: RunTarget,
    wait?: WaitOptions<E, R> & { readonly resolveOnFailure?: boolean | undefined }
  ): Effect.Effect<Wire.TerminalRun, WaitError | E, R> =>
    Effect.flatMap(
      Effect.gen(function*() {
        const operation = "runs.waitForCompletion"
        const { resolveOnFailure, ...rest } = yield* Polling.readOptions(operation, wait, ["resolveOnFailure"])
        yield* Options.checkKind(operation, "resolveOnFailure", resolveOnFailure, Predicate.isBoolean, "true or false")
        const [source, policy] = yield* prepare<E, R>(operation, run, rest as WaitOptions<E, R>)
        return { source, policy, isSettled: resolveOnFailure === true }
      }),
      // Not in the generator, which would stay in memory during the wait
      ({ isSettled, policy, source }): Effect.Effect<Wire.TerminalRun, WaitError | E, R> =>
        isSettled ? Run.settle(source, policy) : Run.wait(source, policy)
    )

  return {
    create,
    retrieve: (run) =>
      Effect.flatMap(
        refOf("runs.retrieve", run),
        (ref) =>
          Effect.map(Source.retrieve(api, ref, false), ({ value }) => value).pipe(
            Telemetry.span("SpineRuns.retrieve", Telemetry.attributes(ref))
          )
      ),
    waitForCompletion: waitForCompletion as Runs["waitForCompletion"],
    watch: (run, wait) =>
      Stream.unwrap(
        Effect.map(prepare("runs.watch", run, wait), ([source, policy]) => Run.watch(source, policy))
      ),
    polls: (run, wait) =>
      Stream.unwrap(
        Effect.map(prepare("runs.polls", run, wait), ([source, policy]) => Run.polls(source, policy))
      ),
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
    share: (run, wait) =>
      Effect.flatMap(prepare("runs.share", run, wait), ([source, policy]) => Run.share(source, policy)),
    run: (params, wait) =>
      // The options are checked first: a mistake in them must not cost a run
      Effect.flatMap(
        Create.operation(Effect.gen(function*() {
          const { onCreated, ...rest } = yield* Polling.readOptions("runs.run", wait, ["onCreated"])
          const policy = yield* Polling.makePolicy("runs.run", rest as NonNullable<typeof wait>, defaults)
          yield* Options.checkOnCreated("runs.run", onCreated)
          return { created: Create.thenOnCreated(create(params), onCreated), policy }
        })),
        ({ created, policy }) => Effect.flatMap(created, ({ ref }) => Run.wait(makeSource(ref), policy))
      )
  }
}

const isMany = (runs: unknown): boolean =>
  Stream.isStream(runs) || Predicate.isIterable(runs) && typeof runs !== "string"
