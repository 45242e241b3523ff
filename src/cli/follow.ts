/**
 * What the command does with a run of either provider: reads its state, watches it, waits for it, downloads its files.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import { join } from "node:path"
import * as Polling from "../Polling.ts"
import * as Run from "../Run.ts"
import * as FileName from "../internal/files/fileName.ts"
import type { RunRef } from "../internal/ref.ts"
import { runFailed } from "../internal/runFailed.ts"
import type { BadRequestError, DownloadError, RequestError, RunFailedError, WatchError } from "../RunError.ts"
import type * as RunSource from "../RunSource.ts"
import type * as Spine from "../spine/index.ts"
import type * as Tela from "../tela/index.ts"
import { type ClientError, Clients } from "./clients.ts"
import { StillRunningError, UsageError } from "./errors.ts"
import { type Named, type Provider } from "./names.ts"
import { watchedPoll } from "./outage.ts"
import { format } from "./refText.ts"
import { jsonOf, Output, type ResultLine, type RunLine } from "./output.ts"

/** How long to wait, and how often to poll. */
export interface Wait {
  readonly timeout: Duration.Duration
  readonly pollInterval: Duration.Duration | undefined
}

/** A run that succeeded. */
export interface Ended {
  readonly line: ResultLine
  /** The output as text. */
  readonly text: string
  /** Downloads the files of the run into a directory. */
  readonly download: (
    directory: string
  ) => Effect.Effect<
    ReadonlyArray<{ readonly name: string; readonly path: string }>,
    DownloadError | UsageError,
    FileSystem.FileSystem
  >
}

/** The state of a run at one poll. */
export interface State {
  readonly line: RunLine
  /** The outcome. `undefined` until the run has ended. */
  readonly ended: Effect.Effect<Ended, RunFailedError> | undefined
}

/** A run that can be followed. */
export interface Followed {
  /** The state now. */
  readonly state: Effect.Effect<State, RequestError>
  /** Each state that differs from the one before. The last one has ended. */
  readonly watch: (wait: Wait) => Stream.Stream<State, WatchError, Output>
}

/** Makes the means to follow a run. */
export const follow = (named: Named): Effect.Effect<Followed, ClientError | BadRequestError | UsageError, Clients> =>
  Effect.gen(function*() {
    const { isEmulated, spine, tela } = yield* Clients
    const { ref } = named
    switch (ref.provider) {
      case "spine": {
        const client = yield* spine
        return followSource(
          ref.provider,
          named,
          yield* client.runs.source(ref),
          isEmulated ? "500 millis" : "5 seconds",
          endedSpine(client)
        )
      }
      case "tela":
        return followSource(
          ref.provider,
          named,
          yield* (yield* tela).source(ref),
          isEmulated ? "500 millis" : "1 second",
          endedTela
        )
      default:
        return yield* new UsageError({
          message: `The run ${ref.id} is one of the provider ${ref.provider}, which this command does not know.`
        })
    }
  })

const followSource = <Snapshot extends { readonly raw?: unknown }, Success extends Snapshot, Failure extends Snapshot>(
  provider: Provider,
  named: Named,
  source: RunSource.RunSource<Snapshot, Success, Failure>,
  pollInterval: Duration.Input,
  ended: (named: Named, run: Success) => Ended
): Followed => {
  const policy = (wait: Wait) =>
    Polling.makePolicy<Snapshot>("wait", {
      timeout: wait.timeout,
      errorBudget,
      ...(wait.pollInterval === undefined ? undefined : { pollInterval: wait.pollInterval })
    }, { pollInterval, timeout: wait.timeout })
  const stateOf = (snapshot: Snapshot): State => {
    const phase = source.classify(snapshot)
    const progress = phase._tag === "Pending" ? phase.progress : undefined
    const errors = phase._tag === "Failed" ? phase.errors : partialErrors(snapshot)
    return {
      line: {
        type: "run",
        ...named,
        status: source.status(snapshot),
        isTerminal: phase._tag !== "Pending",
        ...(progress === undefined || progress.total === 0 ? undefined : { progress }),
        ...(errors === undefined ? undefined : { errors }),
        snapshot: jsonOf(snapshot.raw)
      },
      ended: phase._tag === "Pending"
        ? undefined
        : phase._tag === "Succeeded"
        ? Effect.sync(() => ended(named, phase.run))
        : Effect.fail(runFailed(named.ref, phase, undefined, `See "canvas-runs get ${format(named.ref)} --json".`))
    }
  }
  // A spread would drop the methods of a class
  const watched: RunSource.RunSource<Snapshot, Success, Failure, RequestError, Output> = Object.create(source, {
    retrieve: { value: watchedPoll(provider, source.retrieve) }
  })
  return {
    state: Effect.map(source.retrieve, ({ value }) => stateOf(value)),
    watch: (wait) =>
      Stream.unwrap(Effect.map(policy(wait), (policy) => Stream.map(Run.watch(watched, policy), stateOf)))
  }
}

/** A shell job has time: it survives a longer outage than the library's default of 5 polls. */
const errorBudget = 20

/** The errors of the parts of a run that failed, of a run that is a result all the same. */
const partialErrors = (snapshot: unknown): ReadonlyArray<string> | undefined =>
  Predicate.hasProperty(snapshot, "errors") && Array.isArray(snapshot.errors)
    ? (snapshot.errors as Spine.PartialRun["errors"]).map(({ error }) => error)
    : undefined

const endedSpine = (client: Spine.Service) => (named: Named, run: Spine.CompletedRun | Spine.PartialRun): Ended => {
  const errors = partialErrors(run)
  return {
    line: {
      type: "result",
      ...named,
      status: run.status,
      output: run.result.final_output,
      ...(errors === undefined ? undefined : { errors }),
      artifacts: run.result.artifacts.map(({ id, name, size_bytes, type }) => ({
        id,
        name,
        type,
        ...(size_bytes === undefined ? undefined : { size_bytes })
      })),
      ...(run.metadata?.credits_consumed === undefined ? undefined : { credits: run.metadata.credits_consumed })
    },
    text: run.result.final_output,
    download: (directory) =>
      Effect.map(
        client.artifacts.toDirectory(run, directory),
        (files) => files.map(({ artifact, path }) => ({ name: artifact.name, path }))
      )
  }
}

const endedTela = (named: Named, run: Tela.ExecutionSnapshot): Ended => ({
  line: { type: "result", ...named, status: run.providerStatus, output: jsonOf(run.output) },
  text: textOf(run.output),
  download: () =>
    Effect.fail(new UsageError({ message: "An execution of Tela has no files to download: its output is the result." }))
})

/** Writes an output as text: a text as it is, anything else as JSON. */
export const textOf = (output: unknown): string =>
  Predicate.isString(output) ? output : JSON.stringify(jsonOf(output), undefined, 2)

/** Follows a run to its end, and returns the outcome. */
export const end = <E, R>(states: Stream.Stream<State, E, R>): Effect.Effect<Ended, E | RunFailedError, R> =>
  Effect.flatMap(
    Stream.runLast(states),
    (last) => Option.getOrUndefined(last)?.ended ?? Effect.die("a stream of states ended before its run")
  )

/** Returns the outcome of a run. One that has not ended is a `StillRunningError`. */
export const endedNow = Effect.fnUntraced(function*(named: Named) {
  const { ended, line } = yield* (yield* follow(named)).state
  return yield* ended ?? Effect.fail(
    new StillRunningError({
      message: `The run ${format(named.ref)} has not ended: its status is ${line.status}.`,
      ref: named.ref
    })
  )
})

/** Downloads the files of a run that has ended. */
export const download = Effect.fnUntraced(function*(ref: RunRef, ended: Ended, directory: string) {
  const { line, note } = yield* Output
  const files = yield* ended.download(directory)
  if (files.length === 0) yield* note("The run produced no files.")
  for (const { name, path } of files) yield* line({ type: "file", ref, name, path }, path)
})

/** Returns the folder for the files of one run among several, in a directory. */
export const folderOf = (name: string) => (directory: string): string =>
  join(directory, FileName.writable(name.replaceAll(/[/:]/g, "-"), "run"))
