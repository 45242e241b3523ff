/**
 * Every rudeness of a server, with the tolerance of the client that makes it harmless. Without that tolerance the client fails
 * with the rude server, but still works with a polite one, which each control shows.
 */
import { assert } from "@effect/vitest"
import { Cause, Effect } from "effect"
import { Rude } from "canvas-runs/testing"
import { keep, type Transport, travel } from "../contract/journeys.ts"
import type { Place, Removal } from "./kind.ts"

/** Journeys or promises, selected by a part of their names. */
type Shown =
  | { readonly journey: string; readonly over?: Transport }
  | { readonly promise: string }

const failures = (shown: Shown, rude: Rude.Rude) =>
  Effect.map(
    "promise" in shown
      ? keep(rude, (name) => name.includes(shown.promise))
      : travel(shown.over ?? "memory", rude, (name) => name.includes(shown.journey)),
    ([first]) => {
      if (first !== undefined) {
        assert.fail(`${first[0]}: ${Cause.isCause(first[1]) ? Cause.pretty(first[1]) : first[1]}`)
      }
    }
  )

const place = (name: Rude.Name, what: string, mutant: Removal, ...shown: readonly [Shown, Shown]): Place => ({
  name: `${name}: ${what}`,
  mutant,
  control: () => Effect.forEach(shown, (each) => failures(each, Rude.none)),
  inputs: Object.fromEntries(
    shown.map((each) => [
      `${"promise" in each ? each.promise : `${each.journey} over ${each.over ?? "memory"}`} holds`,
      () => failures(each, [name])
    ])
  )
})

const response = "src/internal/http/response.ts"
const responseSchema = "src/internal/responseSchema.ts"
const sse = "src/tela/internal/sse.ts"
const open = "src/internal/download/open.ts"
const fold = "src/tela/internal/streamFold.ts"
const endMark = "src/tela/internal/endMark.ts"
const webhooks = "src/Webhooks.ts"

const streams = [{ journey: "Tela: a stream gives" }, { journey: "Tela: a stream gives", over: "fetch" }] as const
const downloads = [{ journey: "artifacts are downloaded" }, {
  journey: "artifacts are downloaded",
  over: "undici"
}] as const
const runs = [{ journey: "Spine: a run is created" }, { journey: "Tela: an asynchronous" }] as const

const isPage = `/html/i.test(headers["content-type"] ?? "")`
/** Lets a side field be absent or `null`, but not odd. */
const strict = {
  file: responseSchema,
  find: "return Schema.optionalKey(Schema.Unknown).pipe(",
  replace: "return Schema.optionalKey(Schema.NullishOr(Schema.toEncoded(schema))).pipe("
}

export const places: ReadonlyArray<Place> = [
  place(
    "gzip",
    "the client on undici decodes compressed responses",
    {
      file: "src/node/NodeHttp.ts",
      find: "Effect.flatMap(response, decode)",
      replace: "response"
    },
    { journey: "Spine: a run is created", over: "undici" },
    { journey: "Tela: a stream gives", over: "undici" }
  ),
  place(
    "noContentLength",
    "a response of unknown length is read",
    {
      file: "src/internal/http/body.ts",
      find: "length !== undefined && length > maxBytes",
      replace: "length === undefined"
    },
    { journey: "Tela: an asynchronous" },
    { promise: "wait, promise 1" }
  ),
  place(
    "slow",
    "a response may be slow",
    { file: "src/internal/http/client.ts", find: `options.requestTimeout ?? "60 seconds"`, replace: `"15 millis"` },
    { promise: "create: returns a plain ref" },
    { promise: "wait, promise 1" }
  ),
  place(
    "noContentType",
    "a stream is read with any content type",
    { file: response, find: isPage, replace: `!/json|event-stream/.test(headers["content-type"] ?? "")` },
    ...streams
  ),
  place(
    "oddContentType",
    "the case of a content type does not count",
    {
      file: response,
      find: isPage,
      replace: `!/^(?:$|[a-z-]+\\/[a-z-]+(?:; charset=utf-8)?$)/.test(headers["content-type"] ?? "")`
    },
    ...streams
  ),
  place(
    "noRequestId",
    "a response needs no request id",
    {
      file: response,
      find: "return id === undefined ? undefined : cleaner.text(id)",
      replace: "return cleaner.text(id!.trim())"
    },
    ...runs
  ),
  place(
    "oddRetryAfter",
    "an invalid Retry-After is ignored",
    {
      file: "src/internal/http/retry.ts",
      find: "if (Result.isFailure(parsed)) return undefined",
      replace: "if (Result.isFailure(parsed)) return Duration.minutes(1)"
    },
    { promise: "wait, promise 1" },
    { promise: "watch, promise 8" }
  ),
  place(
    "redirects",
    "a redirect within the provider's origin is followed",
    { file: "src/internal/http/redirects.ts", find: "const maxRedirects = 3", replace: "const maxRedirects = 0" },
    { journey: "Spine: the canvas of a run" },
    { journey: "Tela: files are uploaded" }
  ),
  place(
    "otherSuccessStatus",
    "every 2xx is a success",
    { file: response, find: "status >= 200 && status < 300", replace: "status === 200" },
    ...runs
  ),
  place(
    "byteOrderMark",
    "a byte order mark at the start of a stream is not text",
    { file: sse, find: "if (text.charCodeAt(0) === 0xfeff) start = 1", replace: "" },
    ...streams
  ),
  place(
    "jsonWhitespace",
    "white space around JSON is ignored",
    {
      file: "src/internal/describe.ts",
      find: "const parseJson = Option.liftThrowable((text: string): unknown => JSON.parse(text))",
      replace:
        "const parseJson = Option.liftThrowable((text: string): unknown => JSON.parse(/^\\s/.test(text) ? `?${text}` : text))"
    },
    ...runs
  ),
  place(
    "unknownFields",
    "unknown members are kept",
    {
      file: "src/spine/SpineSchema.ts",
      find: "Schema.decodeUnknownEffect(Schema.Struct({ success: Schema.Literal(true), data }))",
      replace:
        `Schema.decodeUnknownEffect(Schema.Struct({ success: Schema.Literal(true), data }), { onExcessProperty: "error" })`
    },
    { journey: "Spine: a run is created" },
    { promise: "Spine runs: wait, promise 1" }
  ),
  place(
    "missingFields",
    "an optional field may be missing",
    {
      file: responseSchema,
      find:
        "): ReturnType<typeof withFallback<S>> => lenient(schema, Schema.toType(schema), () => Option.some(fallback))",
      replace: "): ReturnType<typeof withFallback<S>> => schema as never"
    },
    { journey: "Spine: a run is created" },
    { promise: "create: returns a plain ref" }
  ),
  place(
    "nullFields",
    "an optional field may be null",
    {
      file: responseSchema,
      find: "  lenient(schema, Schema.optionalKey(Schema.toType(schema)), Option.none)",
      replace: "  Schema.optionalKey(schema) as never"
    },
    { journey: "Spine: a run is created" },
    { promise: "Spine runs: create: returns a plain ref" }
  ),
  place(
    "textNumbers",
    "an optional number may be text",
    strict,
    { journey: "Spine: a run is created" },
    { promise: "wait, promise 1" }
  ),
  place(
    "numericTexts",
    "an optional text may be a number",
    strict,
    ...runs
  ),
  place(
    "oddLists",
    "an optional list may contain null",
    strict,
    { journey: "Spine: a run is created" },
    { promise: "wait, promise 1" }
  ),
  place(
    "oddIds",
    "an id may be any text that fits into a path",
    {
      file: "src/internal/id.ts",
      find: "/^[^\\s\\p{C}/\\\\?#%]{1,200}$/u.test(id)",
      replace: "/^[0-9a-f-]{36}$/i.test(id)"
    },
    ...runs
  ),
  place(
    "unknownStatuses",
    "an unknown status is not terminal",
    {
      file: "src/tela/internal/source.ts",
      find: `    : { _tag: "Pending" }`,
      replace: `    : run.providerStatus === "running" || run.providerStatus === "created"
    ? { _tag: "Pending" }
    : { _tag: "Failed", run, errors: [] }`
    },
    { journey: "Tela: an asynchronous" },
    { promise: "Tela executions: wait, promise 1" }
  ),
  place(
    "notFoundAtFirst",
    "a run that a replica does not know yet is polled again",
    {
      file: "src/internal/polling/decide.ts",
      find: "const grace = graceOf(policy, ref)",
      replace: "const grace = -1"
    },
    { journey: "Spine: a run is created" },
    { promise: "Spine runs: wait, promise 1" }
  ),
  ...([400, 401, 403] as const).map((status) =>
    place(
      `expiredLinks${status}`,
      `a link that is rejected with ${status} is replaced`,
      { file: "src/internal/download/link.ts", find: `status === ${status} || `, replace: "" },
      ...downloads
    )
  ),
  place(
    "relativeLinks",
    "a link that is a path is resolved against the API",
    {
      file: "src/internal/http/transfer.ts",
      find: `if (baseUrl === undefined || text === "" ||`,
      replace: `if (text !== undefined ||`
    },
    ...downloads
  ),
  place(
    "brokenDownloads",
    "a broken download continues from the received bytes",
    { file: open, find: "const isRange = received > 0 && !isEncoded", replace: "const isRange = false" },
    { journey: "artifacts are downloaded" },
    { journey: "artifacts are downloaded", over: "undici" }
  ),
  place(
    "brokenDownloadsWithoutRanges",
    "a download that starts again does not repeat the received bytes",
    {
      file: open,
      find: "if (received > 0 && etag === version) return { chunks, skip: received }",
      replace: "if (received > 0 && etag === version) return { chunks, skip: 0 }"
    },
    { journey: "artifacts are downloaded" },
    { journey: "artifacts are downloaded", over: "undici" }
  ),
  place(
    "emptyFinishReason",
    "an empty finish_reason does not end a stream",
    {
      file: endMark,
      find: `word === "" ? "none"`,
      replace: `typeof reason === "string" && word === "" ? "end" : word === "" ? "none"`
    },
    { journey: "Tela: a stream that is cut" },
    { journey: "Tela: a stream that is cut", over: "fetch" }
  ),
  place(
    "sparseChunks",
    "a message that no chunk repeats is assembled from its pieces",
    {
      file: fold,
      find: "said.message = whole?.content || said.message + content",
      replace: `said.message = whole?.content || content`
    },
    ...streams
  ),
  place(
    "keepAlives",
    "data that is not a JSON object is skipped",
    {
      file: fold,
      find: "const raw = /^[{[]/.test(text) ? parseJson(text) : undefined",
      replace: "const raw = parseJson(text)"
    },
    ...streams
  ),
  place(
    "emptyChoices",
    "a chunk may have no choice",
    {
      file: fold,
      find: "const choice = chunk.choices?.find(isAnswer)\n",
      replace: `const choice = chunk.choices?.find(isAnswer)
  if (chunk.choices?.length === 0) throw new Error("no choice")
`
    },
    ...streams
  ),
  place(
    "severalChoices",
    "only one choice is read",
    {
      file: fold,
      find: "chunk.choices?.find(isAnswer)",
      replace: "chunk.choices?.[0]"
    },
    ...streams
  ),
  place(
    "carriageReturns",
    "CRLF ends a line",
    { file: sse, find: "line(pending + rest)", replace: "if (end !== carriage) line(pending + rest)" },
    ...streams
  ),
  place(
    "smallPieces",
    "an event may arrive in any number of pieces",
    { file: sse, find: "pending += text.slice(start)", replace: "pending = text.slice(start)" },
    ...streams
  ),
  place(
    "eventFields",
    "the space after a colon may be missing",
    { file: sse, find: "text.charCodeAt(name + 1) === 32 ? name + 2 : name + 1", replace: "name + 2" },
    ...streams
  ),
  place(
    "splitData",
    "the lines of data of one event belong together",
    { file: sse, find: "data += `\\n${value}`", replace: "data = `\\n${value}`" },
    ...streams
  ),
  place(
    "noDone",
    "a stream may end with its last chunk",
    {
      file: endMark,
      find: `said === "end" || isComplete ? "success" : "open"`,
      replace: `isComplete ? "success" : "open"`
    },
    ...streams
  ),
  place(
    "repeatedWebhooks",
    "a webhook that is delivered again is not reported again",
    { file: webhooks, find: "if (seen.has(id)) return false", replace: "" },
    { journey: "webhooks that came before" },
    { journey: "webhooks that came before", over: "undici" }
  ),
  place(
    "earlyWebhooks",
    "a webhook that arrived before the wait wakes it",
    { file: webhooks, find: "signals.set(key, ++count)", replace: "++count" },
    { journey: "a webhook ends a wait" },
    { journey: "a webhook ends a wait", over: "undici" }
  ),
  place(
    "reorderedWebhooks",
    "a webhook about the start of a run does not mark it as ended",
    {
      file: webhooks,
      find: "if (!delivery.isTerminal) return true",
      replace: "if (!delivery.isTerminal) return signals.delete(keyOf(delivery.provider, delivery.runId)) || true"
    },
    { journey: "webhooks that came before" },
    { journey: "webhooks that came before", over: "fetch" }
  )
]
