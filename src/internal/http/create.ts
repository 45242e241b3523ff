/**
 * Requests that start, and may bill, a run. One that may have reached the provider is not repeated, and its failure says
 * that a run may exist.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Struct from "effect/Struct"
import { CreateOutcomeUnknownError, OnCreatedError, type OnCreatedErrorOf, type RequestError } from "../../RunError.ts"
import * as RunRef from "../ref.ts"
import { messageOf, quote } from "../describe.ts"
import * as SentRequests from "./sentRequests.ts"
import * as Telemetry from "../telemetry.ts"

/**
 * A log of the creates that ran inside an effect. An error alone cannot say that there is no run: it may come from
 * another step of the same effect.
 */
export interface CreateLog {
  /** How many creates may have made a run. */
  open: number
  /** The runs that the provider accepted. */
  readonly refs: Array<RunRef.RunRef>
  /** The errors that create operations failed with: before, in or after the request that creates. */
  readonly failures: Set<unknown>
  /** The store and the key whose create this log belongs to. Absent when that create has ended. */
  key: { readonly store: unknown; readonly name: string } | undefined
  /** The log of the create that this one runs in. */
  readonly outer: CreateLog | undefined
}

/** Makes an empty log. */
export const makeLog = (key?: CreateLog["key"], outer?: CreateLog): CreateLog => ({
  open: 0,
  refs: [],
  failures: new Set(),
  key,
  outer
})

/** Its key is text, so that all loaded copies of this package share it. */
export const CurrentLog = Context.Reference<CreateLog | undefined>("canvas-runs/internal/CreateLog", {
  defaultValue: () => undefined
})

/**
 * Records the error of an operation that creates a run: the checks, the uploads and the create. Where no create is open, the
 * error says that this operation made no run, even if a request of the operation reached the server.
 */
export const operation = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(CurrentLog, (log) =>
    log === undefined
      ? self
      : Effect.tapError(self, (error) => Effect.sync(() => log.failures.add(error))))

/** Counts a run that the provider accepted. */
export const accepted = (ref: RunRef.RunRef): Effect.Effect<void> =>
  Effect.andThen(
    Effect.map(CurrentLog, (log) => void log?.refs.push(ref)),
    Telemetry.countCreated(ref.provider)
  )

/**
 * Runs the caller's `onCreated` after `create`. Without `onCreated` an interruption takes effect at once. With it, the
 * interruption waits until the creation has its response and `onCreated` has run, so that the
 * caller learns of every run.
 */
export const thenOnCreated = <A extends { readonly ref: RunRef.RunRef }, E, R, E2 = never, R2 = never>(
  create: Effect.Effect<A, E, R>,
  onCreated: ((created: A) => Effect.Effect<unknown, E2, R2>) | undefined
): Effect.Effect<A, E | OnCreatedErrorOf<E2>, R | R2> =>
  onCreated === undefined ? create : Effect.uninterruptible(Effect.tap(create, (created) => {
    const { ref } = created
    return Effect.suspend((): Effect.Effect<unknown, E2 | TypeError, R2> => {
      const stored: unknown = onCreated(created)
      // JavaScript may return anything, and a value that is not an effect would end the fiber without a cause
      return Effect.isEffect(stored)
        ? stored as Effect.Effect<unknown, E2, R2>
        // @effect-diagnostics-next-line globalErrorInEffectFailure:off -- it becomes the cause of an OnCreatedError below
        : Effect.fail(new TypeError(`it returned ${quote(stored)}, and not an Effect`))
    }).pipe(
      Effect.mapError((cause) =>
        new OnCreatedError({
          message:
            `${RunRef.format(ref)} was created, and onCreated failed: ${messageOf(cause)}. The run exists and is ` +
            "billed: store this error's ref, and wait for the run with it.",
          ref,
          cause
        }) as OnCreatedErrorOf<E2>
      ),
      // A defect or an interruption keeps its cause, which has no place for the ref
      Effect.tapCause((cause) =>
        Cause.hasFails(cause) ? Effect.void : Effect.andThen(
          Effect.annotateCurrentSpan("run.id", ref.id),
          Effect.annotateLogs(
            Effect.logError(
              `${RunRef.format(ref)} was created, and onCreated died. The run exists and is billed.`,
              cause
            ),
            "ref",
            ref
          )
        )
      )
    )
  }))

/** How a call that creates a run is made. */
interface Once {
  readonly isSentOnce: boolean
  readonly retryWhile: (error: RequestError) => boolean
  readonly sends: SentRequests.SentRequests
}

/**
 * Sends a call that creates a run. It is sent once, unless the connection was never made, or the program accepts a second run.
 */
export const create = <A>(
  options: {
    /** Whether to repeat a create even if it may have made a run. */
    readonly retryCreates: boolean
    /**
     * Whether the body was certainly not sent completely. Then the provider has no complete request to accept. It is not
     * repeated either, because the file that failed would fail again.
     */
    readonly isIncomplete?: ((error: RequestError) => boolean) | undefined
  },
  send: (once: Once) => Effect.Effect<A, RequestError>
): Effect.Effect<A, RequestError | CreateOutcomeUnknownError> =>
  Effect.flatMap(CurrentLog, (log) => {
    let mayExist = false
    let repeats = 0
    const sends = SentRequests.make()
    const isIncomplete = (error: RequestError) => repeats === 0 && options.isIncomplete?.(error) === true
    // Until a failure proves otherwise, a run may exist. An interruption has no error that could prove it
    if (log !== undefined) log.open++
    return Effect.mapError(
      send({
        isSentOnce: !options.retryCreates,
        sends,
        retryWhile: (error) => {
          const count = SentRequests.isUnwritten(sends) ? 0 : sends.count
          SentRequests.reset(sends)
          // The client reports its last request, and an earlier one may have created a run
          if (count > 1) {
            repeats = Math.max(repeats, count)
            mayExist = true
          }
          if (isIncomplete(error)) return false
          mayExist ||= mayHaveCreated(error)
          return error.isRetryable && (options.retryCreates || neverSent(error))
        }
      }),
      (error) => {
        if (mayExist || mayHaveCreated(error) && !isIncomplete(error)) return outcomeUnknown(error, repeats)
        if (log !== undefined) log.open--
        return error
      }
    )
  })

const neverSent = (error: RequestError): boolean =>
  (error._tag === "TransportError" || error._tag === "RequestTimeoutError") && error.reached === false

/** Whether a create that failed like this may have made a run. */
export const mayHaveCreated = (error: RequestError): boolean => {
  switch (error._tag) {
    case "TransportError":
      return error.reached
    case "RequestTimeoutError":
      return error.reached ?? true
    case "ServerError":
    case "InvalidResponseError":
      return !unprocessed.has(error.status ?? 0)
    case "BadRequestError":
      // A proxy reports that the client closed the connection, and the provider may continue
      return error.status === 499
    default:
      return false
  }
}

/**
 * The statuses below 400 or from 500 on which mean that the request was not processed: redirects that keep the method (the others
 * may lead to what was created), "too early", "not implemented", an HTTP version that is not supported, and a network that wants
 * a login.
 */
const unprocessed: ReadonlySet<number> = new Set([307, 308, 425, 501, 505, 511])

const outcomeUnknown = (error: RequestError, repeats: number): CreateOutcomeUnknownError =>
  new CreateOutcomeUnknownError({
    // The caller decides whether and when to create again, not the provider's `Retry-After`
    ...Struct.omit(error, ["_tag", "retryAfter"]),
    message: `A run may exist, and may be billed: ${
      repeats > 0
        ? `the HTTP client sent the request to create it ${repeats} times, and shows the last answer alone. Leave the repetition of ` +
          "requests to this library (options retry and retryCreates)"
        : "the request to create it may have reached the provider, and was not repeated"
    }. ${error.message} Look for the run at the provider before you create another.`,
    cause: error
  })
