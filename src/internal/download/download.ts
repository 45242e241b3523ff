/** Downloads of any size, in attempts that continue where the previous one broke. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { ArtifactError } from "../../RunError.ts"
import { retrying } from "../http/retry.ts"
import * as TimerQueue from "../polling/timerQueue.ts"
import * as Errors from "./errors.ts"
import { type Download, expectedBytes, open, type Reader } from "./open.ts"
import type { ArtifactSource, Options } from "./source.ts"

/**
 * An attempt that receives at least this many bytes does not count as a failure. A server may send only a part of the requested
 * range.
 */
const progressBytes = 64 * 1024

/** Reads the file to its end, in as many attempts as the options allow. */
export const downloadTo = <E, R, E2, R2>(options: Options, source: ArtifactSource<E, R>, reader: Reader<E2, R2>) =>
  Effect.suspend(() => {
    const state: Download<E | E2, R | R2> = {
      options,
      source,
      reader,
      link: source.url,
      received: 0,
      furthest: 0,
      version: undefined,
      total: undefined,
      isEncoded: false
    }
    const mayContinue = (error: unknown): error is ArtifactError =>
      error instanceof ArtifactError && error.isRetryable &&
      (state.received === 0 || state.version !== undefined || reader.restart !== undefined)
    /** Succeeds with `true` at the end of the file, and with `false` after a failure that followed some progress. */
    const attempt = Effect.suspend(() => {
      const before = state.furthest
      return Effect.as(read(state), true).pipe(
        Effect.catchIf(
          (error) => mayContinue(error) && state.furthest - before >= progressBytes,
          () => Effect.succeed(false)
        )
      )
    })
    return retrying(attempt, options, mayContinue).pipe(
      Effect.repeat({ until: (isEnd) => isEnd }),
      Effect.asVoid
    )
  })

/** One attempt: gives the bytes to the reader, and fails if the server is silent or the size is wrong. */
const read = <E, R>(download: Download<E, R>): Effect.Effect<void, ArtifactError | E, R> =>
  Effect.flatMap(open(download), (opened) => {
    const { options: { idleTimeout }, reader, source } = download
    const idleMillis = Duration.toMillis(idleTimeout)
    let { skip } = opened
    return TimerQueue.watching(
      (watchdog) => {
        watchdog.expect(idleMillis)
        return Stream.runForEach(opened.chunks, (chunk): Effect.Effect<void, ArtifactError | E, R> => {
          // Empty chunks do not count as progress
          if (chunk.length === 0) return Effect.void
          watchdog.rest()
          const fresh = chunk.subarray(skip)
          skip -= chunk.length - fresh.length
          download.received += fresh.length
          download.furthest = Math.max(download.furthest, download.received)
          const expected = expectedBytes(download)
          return download.received > (expected ?? Infinity)
            ? Effect.fail(Errors.wrongSize(source, download.received, expected))
            : Effect.map(fresh.length === 0 ? Effect.void : reader.take(fresh), () => watchdog.expect(idleMillis))
        })
      },
      () =>
        Effect.fail(
          Errors.interrupted(
            source,
            download.received,
            `the server sent nothing for ${Duration.format(idleTimeout)}`
          )
        )
    ).pipe(Effect.andThen(Effect.suspend(() => {
      const expected = expectedBytes(download)
      return skip > 0 || expected !== undefined && download.received !== expected
        ? Effect.fail(Errors.wrongSize(source, download.received, expected))
        : Effect.void
    })))
  })
