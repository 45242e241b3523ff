/** The types of the module `Artifact`. They are here because the download code uses them too. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import type * as Schedule from "effect/Schedule"
import type { ArtifactError } from "../../RunError.ts"
import type { RunRef } from "../ref.ts"

/**
 * An artifact, as its provider describes it.
 *
 * @category models
 * @since 0.1.0
 */
export interface ArtifactSource<E = never, R = never> {
  /** The file name, as the provider has it. */
  readonly name: string
  /** The link. A path such as `/v1/artifacts/a` or `v1/artifacts/a` is resolved against `baseUrl` of the options. */
  readonly url: string
  /** The size in bytes, if the provider reports it. A value that is not a whole number, 0 or more, counts as absent. */
  readonly size: number | undefined
  /** The media type, if the provider reports it. */
  readonly contentType?: string | undefined
  /** The run that produced the file. */
  readonly ref: RunRef
  /** Asks for a fresh link. Returns `undefined` if the file no longer exists. */
  readonly refresh: Effect.Effect<string | undefined, E, R>
}

/**
 * Options for reading artifacts.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** A client that adds no credentials. */
  readonly client: HttpClient.HttpClient
  /** The base URL for links that are paths. */
  readonly baseUrl?: URL | undefined
  /** How long the server may send nothing, before the response and within it. */
  readonly idleTimeout: Duration.Duration
  /**
   * Delays between attempts after transient failures. The schedule restarts after each attempt that received 64 KiB or more, so
   * a large file survives more interruptions than a small one, and a server may send the rest in parts.
   */
  readonly retry: Schedule.Schedule<unknown, ArtifactError>
  /** The longest `Retry-After` that is honoured. */
  readonly retryAfterCeiling: Duration.Duration
}

/**
 * Where an artifact is written.
 *
 * @category models
 * @since 0.1.0
 */
export interface Target {
  /** The folder. It is created if it does not exist. */
  readonly directory: string
  /** The name of the file. The default is the artifact's own name, made safe. */
  readonly filename?: string | undefined
}
