/**
 * The records of a `RunStore`: one for each state that a key has reached, each under a separate name. The record of a new state is written
 * first, then the record of the previous state is removed. The most advanced record counts.
 */
import * as Digest from "effect/crypto/Digest"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { oneLine, quote } from "../describe.ts"
import { RunRef } from "../ref.ts"

/**
 * The state of a key. Times are Unix milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export type Entry =
  | UnfinishedEntry
  | {
    readonly _tag: "Finished"
    /** The key of the run. */
    readonly key: string
    /** The run. */
    readonly ref: RunRef
    /** When the intent was written. */
    readonly intendedAt: number
    /** When the run was marked as finished. */
    readonly finishedAt: number
  }
  | {
    /** The provider refused to create the run, and the caller marked the key with `refuse`: there is no run. */
    readonly _tag: "Refused"
    /** The key. */
    readonly key: string
    /** When the key was marked, like `finishedAt`. */
    readonly intendedAt: number
    /** When the key was marked. */
    readonly finishedAt: number
  }

/**
 * An {@link Entry} that needs attention: a run to wait for, or an unknown outcome to decide about.
 *
 * @category models
 * @since 0.1.0
 */
export type UnfinishedEntry =
  | {
    /** This process creates the run now. */
    readonly _tag: "Creating"
    /** The key of the run. */
    readonly key: string
    /** When the intent was written; absent if it cannot be read. */
    readonly intendedAt?: number
    /** The tag of the run, if `create` is a function. */
    readonly tag?: string
  }
  | {
    /** There is an intent, and no ref: a run may exist. */
    readonly _tag: "Unknown"
    /** The key of the run. */
    readonly key: string
    /** When the intent was written; absent if it cannot be read. */
    readonly intendedAt?: number
    /** The tag of the run, if `create` is a function: with it `reconcile` finds the run. */
    readonly tag?: string
  }
  | {
    /** There is a run, and it has not been marked as finished. */
    readonly _tag: "Created"
    /** The key of the run. */
    readonly key: string
    /** The run to wait for. */
    readonly ref: RunRef
    /** When the intent was written, or when the run was attached. */
    readonly intendedAt: number
  }

/** The tags of an {@link Entry}. */
export const tags: ReadonlyArray<Entry["_tag"]> = ["Creating", "Unknown", "Created", "Finished", "Refused"]

/** The states in the order in which a run reaches them. The store writes, reads and removes records in this order. */
export const states = ["refused", "intent", "created", "finished"] as const

export type State = typeof states[number]

// -- records ----------------------------------------------------------------------------------------------------------

const version = 1

/** The range of a `Date`. */
const Time = Schema.Finite.check(Schema.isBetween({ minimum: -8.64e15, maximum: 8.64e15 }))

const RunRecord = Schema.Struct({
  version: Schema.Literal(version),
  key: Schema.String,
  intendedAt: Time,
  tag: Schema.optionalKey(Schema.String),
  ref: Schema.optionalKey(RunRef),
  finishedAt: Schema.optionalKey(Time)
})

interface RunRecord extends Schema.Schema.Type<typeof RunRecord> {}

/** The fields of a record beside the key. */
export type Fields = Omit<RunRecord, "version" | "key">

/** The fields of the record of an intent. */
export type Intent = Pick<Fields, "intendedAt" | "tag">

/** A record, or an empty object for a record that was cut short: none of its fields can be read. */
export type Stored = RunRecord | { readonly [Field in keyof RunRecord]?: undefined }

export const encode = (key: string, fields: Fields): string => JSON.stringify({ version, key, ...fields })

const parseJson = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.Unknown))
const decodeRecord = Schema.decodeUnknownResult(RunRecord)

/**
 * Decodes a text of the storage. If `key` is given, the record must belong to it. A failure names the fault of the record. JSON ends with
 * its last brace, so a record that was cut short is never JSON.
 */
export const decode = (text: unknown, key: string | undefined): Result.Result<Stored | undefined, string> => {
  if (Predicate.isNullish(text)) return Result.succeed(undefined)
  if (typeof text !== "string") return Result.fail(`is ${quote(text)}, and not text`)
  const json = parseJson(text)
  if (Result.isFailure(json)) return Result.succeed({})
  return decodeRecord(json.success).pipe(
    Result.mapError((error) =>
      isNewer(json.success)
        ? "was written by a newer version of canvas-runs, which is needed to read it"
        : `is not one of canvas-runs (${oneLine(error.message)})`
    ),
    Result.filterOrFail(
      (record) => key === undefined || record.key === key,
      (record) => `belongs to the key ${JSON.stringify(record.key)}: the storage mixes keys up`
    )
  )
}

const isNewer = (json: unknown): boolean =>
  Predicate.hasProperty(json, "version") && Predicate.isNumber(json.version) && json.version > version

/** Derives the entry of a key from its records. `isCreating` is whether this process creates the run now. */
export const entryOf = (
  key: string,
  { created, finished, intent, refused }: { readonly [S in State]?: Stored | undefined },
  isCreating: boolean
): Entry => {
  if (finished?.ref !== undefined) {
    const { finishedAt, intendedAt, ref } = finished
    return { _tag: "Finished", key, ref, intendedAt, finishedAt: finishedAt ?? intendedAt }
  }
  if (created?.ref !== undefined) {
    return { _tag: "Created", key, ref: created.ref, intendedAt: created.intendedAt }
  }
  if (refused?.finishedAt !== undefined && intent === undefined) {
    return { _tag: "Refused", key, intendedAt: refused.intendedAt, finishedAt: refused.finishedAt }
  }
  return {
    _tag: isCreating ? "Creating" : "Unknown",
    key,
    ...(intent?.intendedAt === undefined ? undefined : { intendedAt: intent.intendedAt }),
    ...(intent?.tag === undefined ? undefined : { tag: intent.tag })
  }
}

export const isUnfinished = (entry: Entry | undefined): entry is UnfinishedEntry =>
  entry !== undefined && entry._tag !== "Finished" && entry._tag !== "Refused"

/** Orders entries by age, the oldest first, and entries of the same time by key. */
export const byAge = (self: Entry, that: Entry): number =>
  (self.intendedAt ?? 0) - (that.intendedAt ?? 0) || (self.key < that.key ? -1 : 1)

// -- names ------------------------------------------------------------------------------------------------------------

const prefixOf = (state: State): string => `canvas-runs/${state}/`

/** Where the storage holds the record of a state. */
export const locationOf = ({ name }: { readonly name: string }, state: State): string => `${prefixOf(state)}${name}`

/** The states of the records that entries with one of these tags may have. */
export const statesOf = (tags: ReadonlyArray<Entry["_tag"]>): ReadonlyArray<State> =>
  states.filter((state) => tags.some((tag) => statesOfTag[tag].includes(state)))

const statesOfTag: { readonly [Tag in Entry["_tag"]]: ReadonlyArray<State> } = {
  Creating: ["intent"],
  Unknown: ["intent", "created"],
  Created: ["created"],
  Finished: ["finished"],
  Refused: ["refused"]
}

/** The state of the record that an entry is read from. */
export const stateOf = ({ _tag }: Entry): State => statesOfTag[_tag][0]!

/** The names of the keys that may be in one of the states, among all locations of the storage. */
export const namesOf = (locations: ReadonlyArray<string>, tags: ReadonlyArray<Entry["_tag"]>): ReadonlySet<string> =>
  new Set(
    statesOf(tags).map(prefixOf).flatMap((prefix) =>
      locations.filter((location) => location.startsWith(prefix)).map((location) => location.slice(prefix.length))
    )
  )

/**
 * The length of the longest name. With its prefix it fits a file name (255 bytes) and the narrowest column of
 * `KeyValueStore.layerSql` (191 characters), with some room for a prefix that the user adds.
 */
const maxName = 140

/** Separates the beginning of a long name from the digest of the whole name. Short names do not contain it. */
const hashMark = "~"

/** Encodes a key as a name that is unique on every storage, also on one that ignores case. */
export const nameOf = (key: string): Effect.Effect<string> => {
  const name = key.replace(
    /[^a-z0-9_-]/g,
    (char) => /[A-Z]/.test(char) ? `!${char.toLowerCase()}` : `(${char.charCodeAt(0).toString(16)})`
  )
  return name.length <= maxName
    ? Effect.succeed(name)
    : Digest.Digest.use((digest) => digest.digestHex(Digest.sha256, new TextEncoder().encode(name))).pipe(
      Effect.map((hash) => `${name.slice(0, maxName - hash.length - 1)}${hashMark}${hash}`),
      Effect.provide(Digest.layerWebCrypto)
    )
}

/** The key of a short name. `undefined` for a long name, whose key is only in its records. */
export const keyOf = (name: string): string | undefined =>
  name.includes(hashMark) ? undefined : name.replace(
    /!([a-z])|\(([0-9a-f]+)\)/g,
    (_, letter?: string, code?: string) => letter?.toUpperCase() ?? String.fromCharCode(Number.parseInt(code!, 16))
  )
