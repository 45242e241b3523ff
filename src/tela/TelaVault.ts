/**
 * The files behind `vault://` references: uploads for executions, and files that executions produced.
 *
 * **Details**
 *
 * A reference is resolved to a signed link. The request for the link has the API key, and the request for the file has not.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Artifact from "../Artifact.ts"
import { quote } from "../internal/describe.ts"
import * as File from "../internal/download/file.ts"
import { isId } from "../internal/id.ts"
import type * as Http from "../internal/http/call.ts"
import * as Options from "../internal/options.ts"
import { badRequest, type BadRequestError, type DownloadError, type RequestError } from "../RunError.ts"
import * as RunRef from "../internal/ref.ts"
import { get } from "./internal/get.ts"
import { provider } from "./TelaExecution.ts"
import * as Wire from "./TelaSchema.ts"

/**
 * Reading files of the vault. A reference looks like `vault://6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Vault {
  /**
   * Resolves a reference to a signed link, with the name and the size of the file.
   *
   * **Gotchas**
   *
   * Any holder of the link can open the file. Keep it out of logs.
   */
  readonly resolve: (
    reference: string,
    options?: {
      /** How long the link is valid. The default is the provider's. */
      readonly expiresIn?: Duration.Input | undefined
    }
  ) => Effect.Effect<Wire.VaultLink, RequestError>
  /** Returns the whole file, in memory. */
  readonly download: (reference: string) => Effect.Effect<Uint8Array<ArrayBuffer>, DownloadError>
  /** Emits the bytes as they arrive. */
  readonly stream: (reference: string) => Stream.Stream<Uint8Array, DownloadError>
  /** Writes the file into a folder, under its own name made safe, or under `filename`. Returns the path. */
  readonly toFile: (
    reference: string,
    target: Artifact.Target
  ) => Effect.Effect<string, DownloadError, FileSystem.FileSystem>
}

/**
 * Makes {@link Vault} on an API.
 *
 * @internal
 */
export const make = (api: Http.Api, transfer: Artifact.Options): Vault => {
  const link = (operation: string, ref: RunRef.RunRef, expiresIn?: number) =>
    get(api, operation, `/_services/vault/files/${ref.id}`, decodeLink, {
      ref,
      span: "TelaVault.resolve",
      urlParams: { expiresIn },
      headers: { "x-compatibility-date": compatibilityDate }
    })

  const source = (operation: string, reference: string) =>
    Effect.gen(function*() {
      const ref = yield* refOf(operation, reference)
      const { metadata, url } = yield* link(operation, ref)
      return {
        name: metadata?.originalFileName ?? ref.id,
        url,
        size: metadata?.size,
        ref,
        refresh: Effect.map(link(operation, ref), ({ url }) => url)
      } satisfies Artifact.ArtifactSource<RequestError>
    })

  return {
    resolve: (reference, options) =>
      Effect.gen(function*() {
        const operation = "vault.resolve"
        const ref = yield* refOf(operation, reference)
        const { expiresIn } = yield* Options.copy(operation, "options", options, ["expiresIn"])
        yield* Options.checkKind(operation, "expiresIn", expiresIn, isExpiry, "a duration above zero")
        return yield* link(operation, ref, expiresIn === undefined ? undefined : secondsOf(expiresIn))
      }),
    download: (reference) =>
      Effect.flatMap(source("vault.download", reference), (source) => Artifact.bytes(transfer, source)),
    stream: (reference) =>
      Stream.unwrap(Effect.map(source("vault.stream", reference), (source) => Artifact.stream(transfer, source))),
    toFile: (reference, target) =>
      Effect.gen(function*() {
        const checked = yield* File.checkTarget("vault.toFile", target)
        return yield* File.write(transfer, yield* source("vault.toFile", reference), checked)
      })
  }
}

/** The version of the API that reading from the vault was written for. */
const compatibilityDate = "2025-05-19"

const decodeLink = Schema.decodeUnknownEffect(Wire.VaultLink)

/** Names the file in errors and spans. */
const refOf = (operation: string, reference: string): Effect.Effect<RunRef.RunRef, BadRequestError> => {
  const id = typeof reference === "string" ? /^vault:\/\/(.*)$/is.exec(reference)?.[1] : undefined
  return isId(id)
    ? Effect.succeed(RunRef.make({ provider, kind: "file", id }))
    : Effect.fail(badRequest({
      operation,
      parameter: "reference",
      message: `${quote(reference)} is no reference of the form vault://id.`
    }))
}

const secondsOf = (expiresIn: unknown): number =>
  Option.match(Options.durationOf(expiresIn), {
    onNone: () => NaN,
    onSome: (duration) => Math.ceil(Duration.toSeconds(duration))
  })

const isExpiry = (expiresIn: unknown): boolean => Number.isSafeInteger(secondsOf(expiresIn)) && secondsOf(expiresIn) > 0
