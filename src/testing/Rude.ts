/**
 * Rudeness: peculiarities of real servers, gateways and stores that an emulator does not have by default. HTTP, the event stream
 * format or the providers' documentation allow each of them, and each has broken clients.
 *
 * A {@link Rude} selects the peculiarities of an emulator. It is a list of names, so it can be written into a file or given on the
 * command line (`npm run emulator -- --rude all`). {@link descriptions} has a description of each name.
 *
 * **When to use**
 *
 * A peculiarity is not a failure: a correct client gets the same results with all of them. For what goes wrong, such as a
 * connection that breaks, use `Fault`.
 *
 * **Details**
 *
 * Some peculiarities are always there: emulated uploads need a `content-length`, optional members may be `null`, files are served
 * in ranges, and a server on a socket responds only under the names of this machine.
 *
 * **Example** (A program under every peculiarity)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { Spine } from "canvas-runs"
 * import { Rude, SpineEmulator } from "canvas-runs/testing"
 *
 * const program = Effect.gen(function*() {
 *   const spine = yield* Spine.SpineClient
 *   const run = yield* spine.runs.run({ prompt: "Compare three vector databases" }, { pollInterval: "10 millis" })
 *   return run.status
 * })
 *
 * const under = (rude: Rude.Rude) =>
 *   program.pipe(
 *     Effect.provide(Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
 *       Layer.provideMerge(SpineEmulator.layerTest({ rude, speed: 1_000_000 }))
 *     ))
 *   )
 *
 * const statuses = await Effect.runPromise(Effect.forEach([Rude.none, Rude.all, Rude.only("unknownFields")], under))
 *
 * statuses // => ["completed", "completed", "completed"]
 * ```
 *
 * A name that does not exist and a seed that is not a whole number throw a `RangeError`.
 *
 * @since 0.1.0
 */
import * as Check from "./internal/check.ts"

/**
 * The description of each peculiarity, by name.
 *
 * @category constants
 * @since 0.1.0
 */
export const descriptions = {
  // Every response
  gzip: "compresses JSON, event streams and whole files for clients that accept gzip",
  noContentLength: "sends JSON and files without content-length",
  slow: "sends the headers 10 ms late, and the body 10 ms after them",
  noContentType: "sends JSON and event streams without content-type",
  oddContentType: "writes content types in upper case and with parameters",
  noRequestId: "sends no x-request-id",
  oddRetryAfter: "sends a Retry-After that makes no sense, with successes too",
  redirects: "redirects each look-up and each download once, within its origin",
  otherSuccessStatus: "answers 201 or 202 to a create",
  // JSON
  byteOrderMark: "puts a byte order mark before JSON and event streams",
  jsonWhitespace: "puts blank lines before and after JSON",
  unknownFields: "adds members that no documentation names to every object",
  missingFields: "leaves out the members that a client can do without",
  nullFields: "sends null for the members that a client can do without",
  textNumbers: "sends numbers that a client can do without as text",
  numericTexts: "sends numbers for texts that a client can do without",
  oddLists: "puts null into lists and empty lists in place of objects that a client can do without; errors are texts",
  // Runs
  oddIds: "gives runs and tasks ids that are no UUIDs",
  unknownStatuses: "names a status that no documentation names in every other poll of a run that is under way",
  notFoundAtFirst: "answers the first poll of a run with 404",
  // Files
  expiredLinks400: "answers 400 ExpiredToken to the first link of a file",
  expiredLinks401: "answers 401 to the first link of a file",
  expiredLinks403: "answers 403 to the first link of a file",
  relativeLinks: "gives links to files without scheme and host",
  brokenDownloads: "breaks each download after at most half of the file, and serves ranges",
  brokenDownloadsWithoutRanges: "breaks the first download of a file in the middle, and serves no ranges",
  // Streams
  emptyFinishReason: "sends an empty finish_reason in all chunks but the one that ends the stream, and after that one",
  sparseChunks: "sends chunks that have only what changed: no id, no accumulated message, no finish_reason",
  keepAlives: "sends comments, empty events, scalars and texts between chunks",
  emptyChoices: "sends chunks without choices, such as those that report usage",
  severalChoices: "sends a second choice, which is not what the canvas says",
  carriageReturns: "ends the lines of event streams with CRLF",
  smallPieces: "cuts event streams between any two bytes",
  eventFields: "gives events an id, a retry time and the event name message, and leaves out the space after a colon",
  splitData: "spreads the JSON of an event over several data lines",
  noDone: "ends streams after the chunk with the finish_reason, without [DONE]",
  // Webhooks
  repeatedWebhooks: "delivers each webhook twice",
  earlyWebhooks: "answers a create 200 ms late, after the webhooks that were due by then",
  reorderedWebhooks: "holds back every other webhook for a second, so that the next one overtakes it"
} as const

/**
 * The name of a peculiarity.
 *
 * @see {@link descriptions}
 * @category models
 * @since 0.1.0
 */
export type Name = keyof typeof descriptions

/**
 * The peculiarities of an emulator: their names, in any order.
 *
 * @category models
 * @since 0.1.0
 */
export type Rude = ReadonlyArray<Name>

/**
 * All names.
 *
 * @category constants
 * @since 0.1.0
 */
export const names: ReadonlyArray<Name> = Object.keys(descriptions) as Array<Name>

/**
 * All peculiarities at once. Where two exclude each other, such as two ways to reject a link, both occur in turn.
 *
 * @see {@link only} and {@link except} for some of them
 * @category constructors
 * @since 0.1.0
 */
export const all: Rude = names

/**
 * No peculiarity, which is the default of the emulators.
 *
 * @category constructors
 * @since 0.1.0
 */
export const none: Rude = []

/**
 * Selects the given peculiarities. A name that does not exist throws a `RangeError`.
 *
 * **Example** (Two of them)
 *
 * ```ts
 * import { Rude } from "canvas-runs/testing"
 *
 * Rude.only("gzip", "oddIds") // => ["gzip", "oddIds"]
 * ```
 *
 * @see {@link except} for all others
 * @category constructors
 * @since 0.1.0
 */
export const only = (...chosen: ReadonlyArray<Name>): Rude => known(chosen)

/**
 * Selects all peculiarities but the given ones. A name that does not exist throws a `RangeError`.
 *
 * **Example** (All but one)
 *
 * ```ts
 * import { Rude } from "canvas-runs/testing"
 *
 * const rude = Rude.except("slow")
 *
 * rude.length === Rude.names.length - 1 // => true
 * ```
 *
 * @see {@link only} for the given ones
 * @category constructors
 * @since 0.1.0
 */
export const except = (...excluded: ReadonlyArray<Name>): Rude => {
  known(excluded)
  return names.filter((name) => !excluded.includes(name))
}

const known = (chosen: ReadonlyArray<Name>): Rude => chosen.map((name) => Check.oneOf("a rudeness", name, names))

/**
 * Selects about half of all peculiarities. The same seed selects the same names. A seed that is not a whole number throws a
 * `RangeError`.
 *
 * **Example** (Many combinations in one test)
 *
 * ```ts
 * import { Rude } from "canvas-runs/testing"
 *
 * const samples = Array.from({ length: 20 }, (_, seed) => Rude.sample(seed))
 *
 * samples.every((rude) => rude.length > 0 && rude.length < Rude.names.length) // => true
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const sample = (seed: number): Rude => {
  // Mulberry32
  let state = Check.seed(seed) | 0
  return names.filter(() => {
    state = state + 0x6d2b79f5 | 0
    let mixed = Math.imul(state ^ state >>> 15, 1 | state)
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed
    return ((mixed ^ mixed >>> 14) & 1) === 1
  })
}
