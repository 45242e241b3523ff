/** The client of Tela on a server that answers one execution with exact bytes. */
import { Effect, type Exit, Layer, Redacted, type Schema, Stream } from "effect"
import { type RunError, Tela } from "canvas-runs"
import { failure, success } from "./results.ts"
import { answering, json } from "./http.ts"

export const apiKey = "tela_planted_secret_0003"
const canvasId = "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11"

const telaOn = (answer: () => Response): Layer.Layer<Tela.TelaClient> =>
  Layer.provide(Layer.orDie(Tela.layer({ apiKey: Redacted.make(apiKey) })), answering(answer).layer)

export interface Options {
  readonly output?: Schema.Codec<unknown, unknown> | undefined
  readonly params?: Omit<Tela.StreamParams, "stream"> | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** The action after the last byte: the server closes the connection, breaks it, or leaves it open. */
  readonly end?: "close" | "break" | "open" | undefined
}

type Pieces = string | ReadonlyArray<string | Uint8Array>

const bodyOf = (pieces: Pieces, end: Options["end"]): ReadableStream<Uint8Array> => {
  const left = typeof pieces === "string" ? [pieces] : [...pieces]
  return new ReadableStream({
    pull: (controller) => {
      const piece = left.shift()
      if (piece !== undefined) controller.enqueue(typeof piece === "string" ? new TextEncoder().encode(piece) : piece)
      else if (end === "break") controller.error(new Error("socket hang up"))
      else if (end === "open") return new Promise(() => {})
      else controller.close()
      return undefined
    }
  }, { highWaterMark: 0 })
}

/** The parts of a stream with this body, and its end. */
export const streamed = (pieces: Pieces, { end, headers, output, params }: Options = {}) =>
  Effect.gen(function*() {
    const parts: Array<Tela.StreamPart<unknown>> = []
    const tela = yield* Tela.TelaClient
    const exit = yield* Effect.exit(
      Stream.runForEach(
        tela.canvas.make({ id: canvasId, ...(output === undefined ? undefined : { output }) }).stream({}, params ?? {}),
        (part) => Effect.sync(() => parts.push(part))
      )
    )
    return { parts, exit }
  }).pipe(
    Effect.provide(
      telaOn(() => new Response(bodyOf(pieces, end), { headers: { "content-type": "text/event-stream", ...headers } }))
    )
  )

export type Streamed = Effect.Success<ReturnType<typeof streamed>>

/** The end of a synchronous execution with this response. */
export const synchronous = (answer: unknown, { output }: Pick<Options, "output"> = {}) =>
  Effect.gen(function*() {
    const tela = yield* Tela.TelaClient
    return yield* Effect.exit(
      tela.canvas.make({ id: canvasId, ...(output === undefined ? undefined : { output }) }).execute({})
    )
  }).pipe(Effect.provide(telaOn(() => json(answer))))

/** The last part of a stream that succeeded. */
export const finalOf = ({ exit, parts }: Streamed) => {
  success(exit)
  const last = parts.at(-1)
  if (last?._tag !== "final") throw new Error(`ended with ${JSON.stringify(last)}`)
  return last
}

/** The text of all deltas. */
export const textOf = ({ parts }: Streamed): string =>
  parts.map((part) => part._tag === "delta" ? part.content : "").join("")

/** The error of an execution that the provider reported as failed. */
export const reportOf = ({ exit }: { readonly exit: Exit.Exit<unknown, { readonly _tag: string }> }) => {
  const error = failure(exit)
  if (error._tag !== "RunFailedError") throw new Error(`failed with ${error._tag}: ${String(error)}`)
  return error as RunError.RunFailedError
}

export const interruptionOf = ({ exit }: { readonly exit: Exit.Exit<unknown, { readonly _tag: string }> }) => {
  const error = failure(exit)
  if (error._tag !== "StreamInterruptedError") throw new Error(`failed with ${error._tag}: ${String(error)}`)
  return error as RunError.StreamInterruptedError
}

/** An event with this data. */
export const event = (data: unknown, name?: string): string =>
  `${name === undefined ? "" : `event: ${name}\n`}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`

/** A chunk with this text. */
export const chunk = (content: string | null, finish_reason?: string | null, more?: object): string =>
  event({
    id: "c1",
    object: "chat.completion.chunk",
    choices: [{
      index: 0,
      delta: { content },
      ...(finish_reason === undefined ? undefined : { finish_reason }),
      ...more
    }]
  })

export const done = "data: [DONE]\n\n"

/** The body in pieces of `size` bytes. */
export const cut = (body: string, size: number): ReadonlyArray<Uint8Array> => {
  const bytes = new TextEncoder().encode(body)
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) => bytes.subarray(n * size, (n + 1) * size))
}
