/**
 * Every place that bounds how much foreign data is read, kept or quoted. Without its guard, one response, one event or many
 * webhooks would fill the memory, or one value of the caller would fill a log.
 */
import { assert } from "@effect/vitest"
import { Effect, Redacted, Schedule, Stream } from "effect"
import { HttpClient } from "effect/http"
import { FileInput, RunError, Spine, Webhooks } from "canvas-runs"
import type { Place } from "./kind.ts"
import { clientsOn } from "../support/clients.ts"
import { answering, noRequests, withoutWeb } from "../support/http.ts"

const hub = "src/Webhooks.ts"
const describe = "src/internal/describe.ts"

const id = "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"
const maxResponseBytes = 10_000
const options = { apiKey: Redacted.make("key_of_bounds"), maxResponseBytes, retry: Schedule.recurs(0) }

/** The failures of a retrieval and of an execution with the same response. */
const failures = (client: HttpClient.HttpClient) =>
  Effect.gen(function*() {
    const { spine, tela } = yield* clientsOn(client, options)
    return [
      yield* Effect.flip(spine.runs.retrieve(id)),
      yield* Effect.flip(tela.canvas.make({ id }).execute({}, { async: true }))
    ]
  })

/** An endless body of a fetch, and the number of kilobyte pieces that were read. */
const longBody = (pieces: number, text = "x") => {
  const seen = { pieces: 0 }
  const piece = new TextEncoder().encode(text.repeat(1000))
  const body = () =>
    new ReadableStream<Uint8Array>({
      pull: (controller) => {
        if (++seen.pieces > pieces) return controller.close()
        controller.enqueue(piece)
      }
    }, { highWaterMark: 0 })
  return { seen, body }
}

/**
 * A client of the program whose responses are not web responses, and announce their length. Reading their text fails the test.
 */
const announced = (status: number, length: number) => () =>
  Effect.gen(function*() {
    let isRead = false
    const headers = { "content-type": "application/json", "content-length": String(length) }
    const text = Effect.sync(() => {
      isRead = true
      return "x".repeat(length)
    })
    const client = HttpClient.transformResponse(
      answering(() => new Response(null, { status, headers })).client,
      Effect.map((response) =>
        Object.create(withoutWeb(response, Stream.empty), { text: { value: text } }) as typeof response
      )
    )
    yield* failures(client)
    assert.isFalse(isRead)
  })

const endless = (status: number) => () =>
  Effect.gen(function*() {
    const { body, seen } = longBody(5000)
    yield* failures(answering(() => new Response(body(), { status })).client)
    assert.isAtMost(seen.pieces, 2 * (maxResponseBytes / 1000 + 3))
  })

/** A stream of events fails when an unfinished event is too long. */
const events = (text: string) => () =>
  Effect.gen(function*() {
    const { body, seen } = longBody(5000, text)
    const headers = { "content-type": "text/event-stream" }
    const { tela } = yield* clientsOn(answering(() => new Response(body(), { headers })).client, options)
    const error = yield* Effect.flip(Stream.runDrain(tela.canvas.make({ id }).stream({})))
    assert.include(error.message, "maxResponseBytes")
    assert.isAtMost(seen.pieces, maxResponseBytes / 1000 + 3)
  })

const delivery = (eventId: string, runId = eventId): Webhooks.Delivery => ({
  provider: "spine",
  eventId,
  runId,
  isTerminal: true
})

/** After this many other deliveries the first one counts as new again. */
const forgets = (capacity: number, others: number) => () =>
  Effect.gen(function*() {
    const { deliver } = yield* Webhooks.make({ capacity })
    assert.isTrue(yield* deliver(delivery("first")))
    assert.isFalse(yield* deliver(delivery("first")))
    for (let index = 0; index < others; index++) yield* deliver(delivery(String(index)))
    assert.isTrue(yield* deliver(delivery("first")))
  })

/** After this many other ended runs the end of the first run has been dropped. */
const forgetsEnd = (capacity: number, others: number) => () =>
  Effect.gen(function*() {
    const { deliver, ended } = yield* Webhooks.make({ capacity })
    yield* deliver(delivery("first"))
    for (let index = 0; index < others; index++) yield* deliver(delivery(String(index)))
    const known = yield* Effect.raceFirst(
      Effect.as(ended("spine", "first"), true),
      Effect.as(Effect.andThen(Effect.yieldNow, Effect.yieldNow), false)
    )
    assert.isFalse(known)
  })

const isShort = <E extends { readonly message: string }>(failing: Effect.Effect<unknown, E>) => () =>
  Effect.map(Effect.flip(failing), ({ message }) => assert.isBelow(message.length, 2000))

const long = "x".repeat(1_000_000)

const spineWith = (options: Spine.Options) => Effect.provide(Spine.make(options), noRequests)

const refusedWith = (body: string) => () =>
  Effect.gen(function*() {
    const { client } = answering(() => new Response(body, { status: 400 }))
    const { spine } = yield* clientsOn(client, { ...options, maxResponseBytes: 10_000_000 })
    const error = yield* Effect.flip(spine.runs.retrieve(id))
    assert.instanceOf(error, RunError.BadRequestError)
    assert.isBelow(JSON.stringify(error.body).length, 3000)
  })

export const places: ReadonlyArray<Place> = [
  {
    name: "bounds: an answer whose announced length is over the limit is not read",
    mutant: {
      file: "src/internal/http/body.ts",
      find: "if (length !== undefined && length > maxBytes)",
      replace: "if (length === -1)"
    },
    inputs: {
      "a byte more than is read": announced(200, maxResponseBytes + 1),
      "much more, of an error": announced(500, 1_000_000)
    }
  },
  {
    name: "bounds: an answer without an announced length is read only up to the limit",
    mutant: { file: "src/internal/http/body.ts", find: "if (bytes > maxBytes) return false\n", replace: "" },
    inputs: { "of 200": endless(200), "of an error": endless(503), "of a refusal": endless(402) }
  },
  {
    name: "bounds: an answer that is cut at the limit is an error",
    mutant: { file: "src/internal/http/body.ts", find: "bytes > maxBytes ? undefined : text", replace: "text" },
    inputs: Object.fromEntries([" ", "x"].map((text) => [
      `of ${JSON.stringify(text)}`,
      () =>
        Effect.gen(function*() {
          const { client } = answering(() => new Response(longBody(20, text).body()))
          for (const error of yield* failures(client)) assert.include(error.message, "maxResponseBytes")
        })
    ]))
  },
  {
    name: "bounds: an endless event of a stream is not collected",
    mutant: {
      file: "src/tela/internal/sse.ts",
      find: "isTooLong: () => pending.length + dataLength > maxLength,",
      replace: "isTooLong: () => false,"
    },
    inputs: {
      "as one line": events("data: x"),
      "as many lines": events("data: x\n")
    }
  },
  {
    name: "bounds: the hub remembers a limited number of deliveries",
    mutant: { file: hub, find: "if (seen.size > capacity)", replace: "if (seen.size > 1e9)" },
    inputs: { "one": forgets(1, 1), "three": forgets(3, 3) }
  },
  {
    name: "bounds: the hub remembers a limited number of completion signals",
    mutant: { file: hub, find: "if (signals.size > capacity)", replace: "if (signals.size > 1e9)" },
    inputs: { "one": forgetsEnd(1, 1), "four": forgetsEnd(4, 9) }
  },
  {
    name: "bounds: the hub keeps a limited part of an id",
    mutant: { file: hub, find: "id.length > maxId ?", replace: "id.length > 1e9 ?" },
    inputs: Object.fromEntries([1000, 100_000].map((length) => [
      `of ${length} characters`,
      () =>
        Effect.gen(function*() {
          const { deliver } = yield* Webhooks.make()
          const start = "x".repeat(length)
          assert.isTrue(yield* deliver(delivery(`${start}a`)))
          assert.isFalse(yield* deliver(delivery(`${start}b`)), "its end is not kept")
        })
    ]))
  },
  {
    name: "bounds: a message quotes a limited part of a value",
    mutant: { file: describe, find: "JSON.stringify(value.slice(0, maxLength))", replace: "JSON.stringify(value)" },
    inputs: {
      "an id": isShort(Effect.flatMap(spineWith(options), ({ runs }) => runs.retrieve(`/${long}` as never))),
      "an option": isShort(
        spineWith({ ...options, baseUrl: 5, requestTimeout: long as never } as never)
      )
    }
  },
  {
    name: "bounds: a message quotes a limited part of an error of the caller",
    mutant: {
      file: describe,
      find: "\"a value that has no text\").slice(0, maxLength)",
      replace: "\"a value that has no text\")"
    },
    inputs: {
      "an error of transformClient": isShort(spineWith({
        ...options,
        transformClient: () => {
          throw new Error(long)
        }
      })),
      "a getter of a file": isShort(FileInput.normalize(
        "test",
        {
          get data(): never {
            throw new Error(long)
          },
          filename: "a.txt"
        },
        1
      ))
    }
  },
  {
    name: "bounds: an error keeps a limited part of a body",
    mutant: { file: "src/internal/http/response.ts", find: "clean.length > maxBodyLength ? undefined :", replace: "" },
    inputs: {
      "of one text": refusedWith(JSON.stringify({ success: false, error: { message: long } })),
      "of many members": refusedWith(JSON.stringify(Object.fromEntries(Array.from({ length: 9000 }, (_, n) => [n, n]))))
    }
  }
]
