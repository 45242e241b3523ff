import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import * as Random from "../support/random.ts"
import { size } from "../support/size.ts"
import {
  answered,
  anyJson,
  check,
  endpoints,
  key,
  maxResponseBytes,
  mutate,
  type Recorded,
  type Recordings,
  recordings,
  tryingOnce
} from "./support.ts"
import { finish } from "../support/results.ts"
import { answering } from "../support/http.ts"

const encoder = new TextEncoder()

let cached: Recordings | undefined
const recorded = Effect.suspend(() =>
  cached === undefined ? Effect.tap(recordings, (made) => Effect.sync(() => cached = made)) : Effect.succeed(cached)
)

// --- all kinds of responses ---

const statuses = [200, 200, 200, 200, 201, 202, 204, 206, 300, 302, 304, 307, 308, 400, 401, 402, 403, 404, 408, 409]
const moreStatuses = [410, 413, 422, 425, 429, 451, 500, 501, 502, 503, 504, 529, 599]

const headerPool: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
  ["content-type", ["application/json", "text/html", "text/event-stream", "", "x", "application/json; charset=utf-16"]],
  ["content-length", ["0", "5", "-1", "1e9", "99999999999999999999", "Infinity"]],
  ["content-encoding", ["gzip", "x"]],
  ["retry-after", ["0", "-5", "1e400", "9".repeat(400), "9".repeat(39), "soon", "Wed, 99 Foo 9999", "NaN"]],
  ["retry-after-ms", ["0", "-5", "999999999999999", "9".repeat(400), "x"]],
  ["location", ["/", "//", "https://evil.example/", "javascript:alert(1)", "https://api.tela.com/x", "http://[", ""]],
  ["x-request-id", ["", "x".repeat(5000)]]
]

const responseOf = (
  draw: Random.Draw,
  status: number,
  body: BodyInit | null,
  headers: Record<string, string> = {}
): Response => {
  for (const [name, values] of headerPool) if (draw.chance(0.15)) headers[name] = draw.pick(values)
  const hasNoBody = status === 204 || status === 304
  return new Response(hasNoBody ? null : body, { status, headers })
}

const anyBytes = (draw: Random.Draw): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length: draw.pick([0, 1, 2, 10, 100, 5000]) }, () => draw.int(0, 255))

const deep = (depth: number, open: string, close: string): string => open.repeat(depth) + close.repeat(depth)

const anyText = (draw: Random.Draw): string => {
  const json = () => JSON.stringify(anyJson(draw, 4))
  switch (draw.int(0, 9)) {
    case 0:
      return ""
    case 1:
      return `<!doctype html><title>${key}</title>`
    case 2:
      return json().slice(0, draw.int(0, 40))
    case 3:
      return `\ufeff${json()}`
    case 4:
      return deep(draw.pick([10, 100, 1000]), "[", "]")
    case 5:
      return deep(draw.pick([10, 100, 1000]), "{\"children\":", "}").replace("}", "1}")
    case 6:
      return `{"success":true,"data":${json()}}`
    case 7:
      return `data: ${json()}\n\ndata: ${json()}\n\n${draw.pick(["", "data: [DONE]\n\n"])}`
    default:
      return json()
  }
}

/** A body that breaks off, or arrives in pieces. */
const inPieces = (draw: Random.Draw, bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array> => {
  let at = 0
  const breaks = draw.chance(0.3) ? draw.int(0, bytes.length) : Infinity
  return new ReadableStream({
    pull: (controller) => {
      if (at >= breaks) return controller.error(new Error("reset"))
      if (at >= bytes.length) return controller.close()
      const end = at + draw.int(1, 50)
      controller.enqueue(bytes.slice(at, end))
      at = end
    }
  })
}

const anyResponse = (draw: Random.Draw): Response => {
  if (draw.chance(0.02)) return Response.error()
  const bytes = draw.chance(0.3) ? anyBytes(draw) : encoder.encode(anyText(draw))
  const status = draw.pick([...statuses, ...moreStatuses])
  return responseOf(draw, status, draw.chance(0.3) ? inPieces(draw, bytes) : bytes)
}

/** Valid responses, with a fault in one of them. */
const mutated = (draw: Random.Draw, answers: ReadonlyArray<Recorded>): ReadonlyArray<Response> => {
  const target = draw.int(0, answers.length - 1)
  return answers.map(({ contentType, status, text }, index) => {
    const headers = { "content-type": contentType }
    if (index !== target) return new Response(text, { status, headers })
    if (draw.chance(0.1)) return new Response(text.slice(0, draw.int(0, text.length)), { status, headers })
    if (draw.chance(0.05)) {
      const bytes = encoder.encode(text)
      if (bytes.length > 0) bytes[draw.int(0, bytes.length - 1)] = draw.int(0, 255)
      return new Response(bytes, { status, headers })
    }
    if (contentType.includes("event-stream")) {
      const events = text.split("\n\n").map((event) => {
        const data = /^data: (\{.*)$/.exec(event)?.[1]
        if (draw.chance(0.7)) return event
        if (data === undefined || draw.chance(0.2)) {
          return draw.pick(["", ": x", "event: error\ndata: 1", "data: {", "x"])
        }
        return `data: ${JSON.stringify(mutate(draw, JSON.parse(data)))}`
      })
      return new Response(events.join("\n\n"), { status, headers })
    }
    try {
      return new Response(JSON.stringify(mutate(draw, JSON.parse(text))), { status, headers })
    } catch {
      return new Response(text, { status, headers })
    }
  })
}

const seeds = size(8, 40)

describe("any response of a provider", () => {
  endpoints.forEach(({ call, name }, index) => {
    it.live(`${name}: gives a value or a typed failure`, () =>
      Effect.gen(function*() {
        const { answers, subjects } = yield* recorded
        const valid = answers.get(name)!
        let failures = 0
        for (let seed = index * 1000; seed < index * 1000 + seeds; seed++) {
          const any = Random.make(seed)
          const anything = yield* answered(() => anyResponse(any))
          const exit = yield* Effect.exit(call(anything, subjects))
          if (check(exit, `${name}, seed ${seed}, anything`) === "failure") failures++

          const responses = mutated(Random.make(seed), valid)
          const almost = yield* answered(({ index }) => responses[index] ?? Response.json([]))
          check(yield* Effect.exit(call(almost, subjects)), `${name}, seed ${seed}, mutated`)
        }
        assert.isAbove(failures, seeds / 3)
      }))
  })

  it.effect("waits and watches end with a value or a typed failure", () =>
    Effect.gen(function*() {
      const { answers, subjects } = yield* recorded
      const bodies = [answers.get("Spine runs.retrieve")!, answers.get("Tela getExecution")!]
      for (let seed = 1; seed <= 40; seed++) {
        const draw = Random.make(seed)
        const { spine, tela } = yield* answered(({ url }) =>
          draw.chance(0.3)
            ? anyResponse(draw)
            : mutated(draw, bodies[url.pathname.startsWith("/v1/run") ? 0 : 1]!)[0]!
        )
        const options = { pollInterval: "5 seconds", timeout: "1 minute" } as const
        const calls: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
          spine.runs.waitForCompletion(subjects.run, options),
          Stream.runCollect(spine.runs.watch(subjects.run, options)),
          Effect.flatMap(
            tela.canvas.make({ id: subjects.telaCanvas }).getExecution(subjects.execution, { pollingInterval: "5s" }),
            (execution) => Effect.andThen(Stream.runCollect(execution.events), execution.result)
          )
        ]
        for (const [index, call] of calls.entries()) {
          check(yield* finish(call, "10 minutes"), `wait ${index}, seed ${seed}`)
        }
      }
    }))
})

// ---------------------------------------------------------------------------------------------------------------------

/** An endless body, and the number of bytes that were read. */
const endless = (piece: string, headers: Record<string, string> = {}, status = 200) => {
  const chunk = encoder.encode(piece.repeat(Math.ceil(65_536 / piece.length)))
  const taken = { bytes: 0 }
  const { client } = answering(() => {
    taken.bytes = 0
    return new Response(
      new ReadableStream({
        pull: (controller) => {
          taken.bytes += chunk.length
          if (taken.bytes > 8 * maxResponseBytes) controller.error(new Error("enough"))
          else controller.enqueue(chunk)
        }
      }),
      { status, headers }
    )
  })
  return { client, taken }
}

/** The bytes that may be read beyond the limit: the rest of a chunk, and those that the platform reads ahead. */
const slack = 4 * 65_536

describe("endless responses", () => {
  const bounded = endpoints.filter(({ name }) =>
    !name.startsWith("Tela stream") && !name.endsWith("artifacts.download")
  )

  for (const [what, status] of [["good", 200], ["bad", 500]] as const) {
    it.live(`every endpoint reads a ${what} response only up to the limit`, () =>
      Effect.gen(function*() {
        const { subjects } = yield* recorded
        for (const { call, name } of bounded) {
          for (const headers of [{}, { "content-length": "5", "content-encoding": "gzip" }]) {
            const { client, taken } = endless("[1,", headers, status)
            const exit = yield* Effect.exit(call(yield* tryingOnce(client), subjects))
            assert.strictEqual(check(exit, name), "failure")
            assert.isAtMost(taken.bytes, maxResponseBytes + slack, name)
          }
        }
      }))
  }

  it.live("an artifact is read only up to its size", () =>
    Effect.gen(function*() {
      const { subjects } = yield* recorded
      const { client, taken } = endless("x")
      const { spine } = yield* tryingOnce(client)
      const exit = yield* Effect.exit(spine.artifacts.download(subjects.run, subjects.artifact))
      assert.strictEqual(check(exit, "download"), "failure")
      assert.isAtMost(taken.bytes, subjects.artifact.size_bytes! + slack)
    }))

  it.live("an invalid length does not disable the limit", () =>
    Effect.gen(function*() {
      const { subjects } = yield* recorded
      const { client, taken } = endless("[1,", { "content-length": "x" })
      const { spine } = yield* tryingOnce(client)
      yield* Effect.exit(spine.runs.retrieve(subjects.run))
      assert.isAtMost(taken.bytes, maxResponseBytes + slack)
    }))

  for (const [what, piece] of [["line", "x"], ["event", "data: x\n"]] as const) {
    it.live(`the ${what} of a stream is read only up to the limit`, () =>
      Effect.gen(function*() {
        const { subjects } = yield* recorded
        const { client, taken } = endless(piece)
        const { tela } = yield* tryingOnce(client)
        yield* Effect.exit(Stream.runDrain(tela.canvas.make({ id: subjects.telaCanvas }).stream({})))
        assert.isAtMost(taken.bytes, maxResponseBytes + slack)
      }))
  }
})

// ---------------------------------------------------------------------------------------------------------------------

describe("deeply nested responses", () => {
  const nested = (depth: number, open: string, core: string, close: string) =>
    open.repeat(depth) + core + close.repeat(depth)
  const json = (text: string) => answered(() => new Response(text))

  it.live("are accepted or rejected by every endpoint, if the depth is in an untyped field", () =>
    Effect.gen(function*() {
      const { answers, subjects } = yield* recorded
      for (const { call, name } of endpoints) {
        for (const depth of [1000, 20_000]) {
          const hole = nested(depth, "[", "1", "]")
          const responses = answers.get(name)!.map(({ contentType, status, text }) =>
            new Response(
              text.startsWith("{")
                ? text.replace("{", `{"deep":${hole},`)
                : text.replace("data: {", `data: {"deep":${hole},`),
              { status, headers: { "content-type": contentType } }
            )
          )
          const clients = yield* answered(({ index }) => responses[index] ?? Response.json([]))
          check(yield* Effect.exit(call(clients, subjects)), `${name}, ${depth} deep`)
          const refusal = yield* answered(() => new Response(hole, { status: 400 }))
          check(yield* Effect.exit(call(refusal, subjects)), `${name}, refused, ${depth} deep`)
        }
      }
    }))

  it.live("a tree of tasks may be of any depth", () =>
    Effect.gen(function*() {
      const { subjects } = yield* recorded
      const open = `{"task_id":"1","name":"x","task_type":"x","status":"completed","children":[`
      const { spine } = yield* json(`{"success":true,"data":${nested(2000, open, "", "]}")}}`)
      check(yield* Effect.exit(spine.canvases.getTask(subjects.canvas, subjects.task)), "2000 deep")
    }))

  it.live("a snapshot may have fields of any depth", () =>
    Effect.gen(function*() {
      const { subjects } = yield* recorded
      const text = `{"success":true,"data":{"run_id":"${subjects.run}","status":"running","x":${
        nested(20_000, "[", "1", "]")
      }}}`
      const { spine } = yield* json(text)
      const polls = Stream.take(spine.runs.polls(subjects.run, { pollInterval: 1 }), 3)
      check(yield* Effect.exit(Stream.runCollect(polls)), "20,000 deep")
    }))
})

describe("other responses of a provider", () => {
  for (
    const [what, schema] of [
      ["a property that is null", { type: "object", properties: { total: null } }],
      ["a type that is a number", { type: 1 }],
      ["a reference that is a number", { $ref: 1 }]
    ] as const
  ) {
    it.live(`a structured output with ${what} is a typed failure`, () =>
      Effect.gen(function*() {
        const { subjects } = yield* recorded
        const version = { id: "1", promptId: "2", configuration: { structuredOutput: { enabled: true, schema } } }
        const { tela } = yield* answered(() => Response.json(version))
        const output = Schema.Struct({ total: Schema.Finite })
        check(yield* Effect.exit(tela.canvas.get({ versionId: subjects.version, output })), what)
      }))
  }

  for (const header of ["x-request-id", "content-type"]) {
    it.live(`an echo of the key in ${header} is not shown in an error`, () =>
      Effect.gen(function*() {
        const { subjects } = yield* recorded
        const { spine } = yield* answered(() => new Response("x", { headers: { [header]: key } }))
        check(yield* Effect.exit(spine.runs.retrieve(subjects.run)), header)
      }))
  }

  it.live("an echo of the key in a body is not shown in an error of any status", () =>
    Effect.gen(function*() {
      const { subjects } = yield* recorded
      for (const status of [...statuses, ...moreStatuses].filter((status) => status !== 204 && status !== 304)) {
        for (const body of [key, JSON.stringify({ error: key, message: key, code: key }), `<html>${key}`]) {
          for (const { call, name } of endpoints.slice(0, 2)) {
            const clients = yield* answered(() => new Response(body, { status }))
            check(yield* Effect.exit(call(clients, subjects)), `${name}, ${status}`)
          }
        }
      }
    }))

  it.live("an echo of the key in a failed run is not shown in the error's message", () =>
    Effect.gen(function*() {
      const { subjects } = yield* recorded
      const data = { run_id: subjects.run, status: "failed", errors: [{ error: `the key ${key} is not allowed` }] }
      const { spine } = yield* answered(() => Response.json({ success: true, data }))
      const error = yield* Effect.flip(spine.runs.waitForCompletion(subjects.run))
      assert.notInclude(error.message, key)
    }))

  it.live("an echo of the key in a stream is not shown in the error's message", () =>
    Effect.gen(function*() {
      const { subjects } = yield* recorded
      const { tela } = yield* answered(() => new Response(`data: {"error":"the key ${key} is not allowed"}\n\n`))
      const stream = tela.canvas.make({ id: subjects.telaCanvas }).stream({})
      const error = yield* Effect.flip(Stream.runDrain(stream))
      assert.notInclude(error.message, key)
    }))
})
