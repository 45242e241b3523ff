/**
 * The files behind `vault://` references: uploads for executions, and files that executions produced.
 *
 * **Details**
 *
 * A reference is resolved to a signed link. The request for the link has the API key; the request for the file does not.
 *
 * The provider's documentation does not describe how the vault is read. The requests are those of its published package
 * `@meistrari/vault-sdk`, through the API's origin.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
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
import * as Data from "./TelaSchema.ts"

/**
 * Reads files of the vault. A reference looks like `vault://6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11`. Anything else is a
 * `BadRequestError` before any request. A file that does not exist is a `NotFoundError`.
 *
 * **When to use**
 *
 * | to get | use |
 * | --- | --- |
 * | a small file as bytes | `download` |
 * | a file of any size on disk | `toFile` |
 * | the bytes as they arrive | `stream` |
 * | a link for a browser, or the name and the size | `resolve` |
 *
 * @see {@link module:Artifact} for how downloads resume
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
   *
   * **Example** (The name and the size of a file)
   *
   * ```ts
   * import { Effect, Layer, Redacted, Schema } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11", output: { file_url: Schema.String } })
   *   const { result } = yield* canvas.execute({ notes: Tela.file(new Blob(["high water"]), { name: "notes.txt" }) })
   *   const { metadata } = yield* tela.vault.resolve(result.file_url, { expiresIn: "10 minutes" })
   *   return [metadata?.originalFileName, metadata?.size]
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest({ script: { output: ({ variables }) => variables["notes"] } }))
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => ["notes.txt", 10]
   * ```
   *
   * @see {@link Vault.download} for the bytes
   */
  readonly resolve: (
    reference: string,
    options?: {
      /** How long the link is valid, rounded up to whole seconds. The default is the provider's. */
      readonly expiresIn?: Duration.Input | undefined
    }
  ) => Effect.Effect<Data.VaultLink, RequestError>
  /**
   * Returns the whole file, in memory. A download that breaks continues, and a link that has expired is replaced. A file that
   * cannot be read whole is an `ArtifactError`.
   *
   * **Example** (A file that an execution produced)
   *
   * ```ts
   * import { Effect, Layer, Redacted, Schema } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11", output: { file_url: Schema.String } })
   *   const { result } = yield* canvas.execute({ notes: Tela.file(new Blob(["high water"]), { name: "notes.txt" }) })
   *   const bytes = yield* tela.vault.download(result.file_url)
   *   return new TextDecoder().decode(bytes)
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest({ script: { output: ({ variables }) => variables["notes"] } }))
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => high water
   * ```
   *
   * @see {@link Vault.toFile} for large files
   */
  readonly download: (reference: string) => Effect.Effect<Uint8Array<ArrayBuffer>, DownloadError>
  /**
   * Emits the bytes as they arrive. The stream continues after an interruption of the connection if the server names the version of
   * the file by a strong ETag. Otherwise it fails with an `ArtifactError`.
   *
   * **Example** (A file as a stream of text)
   *
   * ```ts
   * import { Effect, Layer, Redacted, Schema, Stream } from "effect"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11", output: { file_url: Schema.String } })
   *   const { result } = yield* canvas.execute({ notes: Tela.file(new Blob(["high water"]), { name: "notes.txt" }) })
   *   return yield* tela.vault.stream(result.file_url).pipe(Stream.decodeText, Stream.mkString)
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest({ script: { output: ({ variables }) => variables["notes"] } }))
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => high water
   * ```
   *
   * @see {@link Vault.download} for all bytes at once
   */
  readonly stream: (reference: string) => Stream.Stream<Uint8Array, DownloadError>
  /**
   * Writes the file into a folder, which is created if it does not exist, and returns the path. The name of the file is `filename`, or else
   * its name in the vault, made safe. A file of that name is replaced. Memory does not grow with its size. It needs a `FileSystem`, such as
   * `NodeFileSystem.layer` of `@effect/platform-node`.
   *
   * **Example** (A file in a folder)
   *
   * ```ts
   * import { Effect, Layer, Redacted, Schema } from "effect"
   * import { NodeFileSystem } from "@effect/platform-node"
   * import { mkdtempSync } from "node:fs"
   * import { tmpdir } from "node:os"
   * import { basename } from "node:path"
   * import { Tela } from "canvas-runs"
   * import { TelaEmulator } from "canvas-runs/testing"
   *
   * const main = Effect.gen(function*() {
   *   const tela = yield* Tela.TelaClient
   *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11", output: { file_url: Schema.String } })
   *   const { result } = yield* canvas.execute({ notes: Tela.file(new Blob(["high water"]), { name: "notes.txt" }) })
   *   const path = yield* tela.vault.toFile(result.file_url, { directory: mkdtempSync(`${tmpdir()}/tides-`) })
   *   return basename(path)
   * }).pipe(
   *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
   *     Layer.provideMerge(TelaEmulator.layerTest({ script: { output: ({ variables }) => variables["notes"] } })),
   *     Layer.provideMerge(NodeFileSystem.layer)
   *   ))
   * )
   *
   * console.log(await Effect.runPromise(main)) // => notes.txt
   * ```
   *
   * @see {@link Vault.stream} for the bytes without a file
   */
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
        yield* Options.checkKind(operation, "expiresIn", expiresIn, isExpiry, Options.positiveDuration)
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

const decodeLink = Schema.decodeUnknownEffect(Data.VaultLink)

/** Names the file in errors and spans. */
const refOf = (operation: string, reference: string): Effect.Effect<RunRef.RunRef, BadRequestError> => {
  const id = typeof reference === "string" ? /^vault:\/\/(.*)$/is.exec(reference)?.[1] : undefined
  return isId(id)
    ? Effect.succeed(RunRef.make({ provider, kind: "file", id }))
    : Effect.fail(badRequest({
      operation,
      parameter: "reference",
      message: `reference is ${quote(reference)}; it must have the form vault://id.`
    }))
}

const secondsOf = (expiresIn: unknown): number => Math.ceil(Options.millisOf(expiresIn) / 1000)

const isExpiry = (expiresIn: unknown): boolean => Number.isSafeInteger(secondsOf(expiresIn)) && secondsOf(expiresIn) > 0
