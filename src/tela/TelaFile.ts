/**
 * Files in the variables of a Tela execution.
 *
 * **Details**
 *
 * A {@link TelaFile} may stand anywhere in the variables, in arrays and objects up to 500 levels deep, and in what `toJSON`
 * returns. Before the execution is created, files that are not links already are uploaded, a few at a time and each object
 * once, and sent as `vault://` references. Their bytes go to the signed address that the provider names, without any credential.
 *
 * Values that JSON would write as `null` or `{}`, such as `NaN`, a `Map` or bytes without {@link file}, are a
 * `BadRequestError` that names their place. A `Date` is sent as ISO text.
 *
 * @see https://docs.tela.com/en/completion-api/variables-and-files
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as FileInput from "../FileInput.ts"
import * as Options from "../internal/options.ts"
import type { FileInputError } from "../RunError.ts"

// JSON cannot carry a symbol, so that variables from outside cannot pass for files. Two copies of the package share it.
const TypeId: unique symbol = Symbol.for("canvas-runs/tela/TelaFile")

/**
 * Options of a file: its name, and how the provider reads it.
 *
 * @category models
 * @since 0.1.0
 */
export interface FileOptions {
  /** The pages to read, from the first to the last, counted from 0. Both are included. The default is all pages. */
  readonly range?: readonly [first: number, last: number] | undefined
  /** The provider's parser, such as `"tela-pdf-parser"`. The default is the provider's. */
  readonly parserType?: string | undefined
  /** The name under which the file is uploaded. It has no effect on a link. The default is that of the `File` or the path. */
  readonly name?: string | undefined
}

/**
 * A file in the variables of an execution. {@link file} and {@link fileFromPath} make it.
 *
 * @category models
 * @since 0.1.0
 */
export interface TelaFile {
  /** Distinguishes a file from other objects. */
  readonly [TypeId]: typeof TypeId
  /** A link, or the file to upload. */
  readonly source: string | FileInput.FileInput
  /** The name, and how the provider reads the file. */
  readonly options: FileOptions
}

/**
 * Makes a file from a link (`https:`, `data:` or `vault:`), from bytes, a `Blob`, a `File`, or a `Stream` of known size.
 *
 * **Details**
 *
 * Nothing is checked or uploaded until an execution has the file among its variables. Then a link of another kind, or an option
 * that is wrong, is a `BadRequestError`, and a file that cannot be read is a `FileInputError`.
 *
 * **Example** (Files from anywhere)
 *
 * ```ts
 * import { Tela } from "canvas-runs"
 *
 * const variables = {
 *   contract: Tela.file("https://example.com/contract.pdf", { range: [0, 9] }),
 *   pages: [Tela.file(new Uint8Array([137, 80, 78, 71]), { name: "page.png" })]
 * }
 *
 * console.log(Tela.isTelaFile(variables.contract)) // => true
 * ```
 *
 * @see {@link fileFromPath} for a file on disk
 * @see {@link module:FileInput} for a `Stream` of known size
 * @category constructors
 * @since 0.1.0
 */
export const file = (source: string | URL | FileInput.FileInput, options: FileOptions = {}): TelaFile => ({
  [TypeId]: TypeId,
  source: Options.is((source) => source instanceof URL, source) ? (source as URL).href : source as TelaFile["source"],
  options
})

/**
 * Makes a file from a path. It is read while it is uploaded, so memory does not grow with its size. It needs a `FileSystem`, such
 * as `NodeFileSystem.layer` of `@effect/platform-node`. A file that does not exist, or is not a file, is a `FileInputError`.
 *
 * **Example** (A file on disk as a variable)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { NodeFileSystem } from "@effect/platform-node"
 * import { Tela } from "canvas-runs"
 * import { TelaEmulator } from "canvas-runs/testing"
 *
 * const main = Effect.gen(function*() {
 *   const tela = yield* Tela.TelaClient
 *   const emulator = yield* TelaEmulator.TelaEmulator
 *   const canvas = tela.canvas.make({ id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11" })
 *   yield* canvas.execute({ notes: yield* Tela.fileFromPath("package.json", { name: "package.txt" }) })
 *   return (yield* emulator.files).map(({ name }) => name)
 * }).pipe(
 *   Effect.provide(Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(
 *     Layer.provideMerge(TelaEmulator.layerTest()),
 *     Layer.provideMerge(NodeFileSystem.layer)
 *   ))
 * )
 *
 * console.log(await Effect.runPromise(main)) // => ["package.txt"]
 * ```
 *
 * @see {@link file} for links, bytes and streams
 * @category constructors
 * @since 0.1.0
 */
export const fileFromPath = (
  path: string,
  options: FileOptions = {}
): Effect.Effect<TelaFile, FileInputError, FileSystem.FileSystem> =>
  Effect.map(
    // An odd option is refused when the file is used
    FileInput.fromPath(path, Options.is(hasName, options) ? { filename: options.name } : undefined),
    (input) => file(input, options)
  )

const hasName = (options: unknown): boolean => Predicate.isString((options as FileOptions).name)

/**
 * Tests whether a value was made by {@link file} or {@link fileFromPath}.
 *
 * **Example** (A file in a Zod schema)
 *
 * ```ts
 * import { z } from "zod"
 * import { Tela } from "canvas-runs"
 *
 * const Variables = z.object({ document: z.custom<Tela.TelaFile>(Tela.isTelaFile) })
 *
 * Variables.safeParse({ document: Tela.file("https://example.com/invoice.pdf") }).success // => true
 * Variables.safeParse({ document: "https://example.com/invoice.pdf" }).success // => false
 * ```
 *
 * @see {@link FileSchema} for Effect Schemas
 * @category guards
 * @since 0.1.0
 */
export const isTelaFile = (u: unknown): u is TelaFile => Predicate.hasProperty(u, TypeId) && u[TypeId] === TypeId

/**
 * The schema of a file, for schemas of a canvas's input.
 *
 * **Example** (A canvas that takes a document)
 *
 * ```ts
 * import { Schema } from "effect"
 * import { Tela } from "canvas-runs"
 *
 * const Variables = Schema.Struct({ document: Tela.FileSchema, language: Schema.String })
 *
 * Schema.is(Variables)({ document: Tela.file("vault://6f1c1d5e"), language: "en" }) // => true
 * ```
 *
 * @see {@link isTelaFile} for Zod
 * @category schemas
 * @since 0.1.0
 */
export const FileSchema: Schema.declare<TelaFile> = Schema.declare(isTelaFile, {
  expected: "a file made with Tela.file",
  // For JSON Schemas of the input: a file is what it is sent as
  toCodecJson: () =>
    Schema.link<TelaFile>()(
      Schema.Struct({ file_url: Schema.String }),
      SchemaTransformation.transform({
        decode: ({ file_url }) => file(file_url),
        encode: ({ source }) => ({ file_url: typeof source === "string" ? source : "" })
      })
    )
})
