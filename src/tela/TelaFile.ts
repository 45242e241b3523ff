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
 * How a file is to be read.
 *
 * @category models
 * @since 0.1.0
 */
export interface FileOptions {
  /** The pages to read, from the first to the last, counted from zero. */
  readonly range?: readonly [first: number, last: number] | undefined
  /** The parser to use, such as `"tela-pdf-parser"`. */
  readonly parserType?: string | undefined
  /** The name to upload it under. */
  readonly name?: string | undefined
}

/**
 * A file in the variables of an execution.
 *
 * @category models
 * @since 0.1.0
 */
export interface TelaFile {
  readonly [TypeId]: typeof TypeId
  /** A link, or the file to upload. */
  readonly source: string | FileInput.FileInput
  readonly options: FileOptions
}

/**
 * Makes a file from a link (`https:`, `data:` or `vault:`), from bytes, a `Blob`, a `File`, or a `Stream` of known size.
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
 * @category constructors
 * @since 0.1.0
 */
export const file = (source: string | URL | FileInput.FileInput, options: FileOptions = {}): TelaFile => ({
  [TypeId]: TypeId,
  source: Options.is((source) => source instanceof URL, source) ? (source as URL).href : source as TelaFile["source"],
  options
})

/**
 * Makes a file from a path, read as it is uploaded. Needs a `FileSystem`.
 *
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
 * @category guards
 * @since 0.1.0
 */
export const isTelaFile = (u: unknown): u is TelaFile => Predicate.hasProperty(u, TypeId) && u[TypeId] === TypeId

/**
 * The schema of a file, for schemas of a canvas's input.
 *
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
