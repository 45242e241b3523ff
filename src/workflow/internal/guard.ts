/** Limits the faults of a provider to the run that they concern, because all runs share one poll loop. */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { messageOf, quote } from "../../internal/describe.ts"
import { phaseOf } from "../../internal/polling/decide.ts"
import { format, type RunRef } from "../../internal/ref.ts"
import { type BadRequestError, InvalidResponseError } from "../../RunError.ts"
import type * as RunSource from "../../RunSource.ts"

const operation = "DurableRun.wait"

const fault = (ref: RunRef, message: string, isRetryable: boolean) =>
  new InvalidResponseError({
    operation,
    message: `${operation}: the ${format(ref)}: ${message}`,
    ref,
    attempts: 1,
    elapsed: Duration.zero,
    isRetryable
  })

/** The source of a run. If the provider throws, the poll fails, and the run is polled again until its deadline. */
export const guarded = <R>(
  ref: RunRef,
  make: () => Effect.Effect<RunSource.Any, BadRequestError, R>
): Effect.Effect<RunSource.Any, BadRequestError, R> => {
  const failed = (thrown: unknown) => {
    const error = fault(ref, `the provider threw ${quote(messageOf(thrown))}. Mend the provider.`, true)
    return Effect.andThen(Effect.logWarning(`canvas-runs: ${error.message}`, thrown), Effect.fail(error))
  }
  return Effect.suspend(make).pipe(
    Effect.map((source): RunSource.Any => {
      const retrieve = Effect.suspend(() => source.retrieve).pipe(
        // The poll loop calls `classify` again, outside this guard
        Effect.map((answer) => {
          phaseOf(source, answer)
          return answer
        }),
        Effect.catchDefect(failed)
      )
      // Neither a spread, which drops the methods of a class, nor `Object.create`, after which each poll is slower, because V8 learns a new
      // shape. `pushed` is left out: a webhook wakes a wait by its row, without a fiber for each run
      return {
        ref: source.ref,
        retrieve,
        longest: source.longest,
        isPushProof: source.isPushProof,
        classify: (snapshot) => source.classify(snapshot),
        status: (snapshot) => source.status(snapshot),
        unchanged: (previous, next) => source.unchanged(previous, next)
      }
    }),
    Effect.catchDefect((thrown) =>
      Effect.succeed<RunSource.Any>({
        ref,
        retrieve: failed(thrown),
        classify: () => ({ _tag: "Pending" }),
        status: () => "unknown",
        unchanged: () => true
      })
    )
  )
}

/** Returns the exit of a wait if its workflow can read it, and otherwise an error that says why, so that the workflow does not hang. */
export const readable = <A, E>(
  ref: RunRef,
  { exitSchema }: { readonly exitSchema: Schema.Codec<unknown, unknown, unknown, unknown> },
  exit: Exit.Exit<A, E>
): Effect.Effect<Exit.Exit<A, E | InvalidResponseError>> =>
  (Schema.encodeEffect(exitSchema)(exit) as Effect.Effect<unknown, Schema.SchemaError>).pipe(
    Effect.as(exit),
    Effect.sandbox,
    Effect.catch((cause) =>
      Effect.succeed(Exit.fail(fault(
        ref,
        Exit.isSuccess(exit)
          ? `the schema success of the provider cannot encode the result: ${messageOf(Cause.squash(cause))}`
          : `the provider failed with ${
            messageOf(Cause.squash(exit.cause))
          }, which is not a WaitError of this library. Map it to one.`,
        false
      )))
    )
  )
