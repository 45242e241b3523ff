/**
 * Standard input and output for JSON-RPC, one message in a line. A line that is not a message is answered with an error here, because the
 * parser of `effect/ai` ends the connection on text that is not JSON.
 */
import * as McpSchema from "effect/ai/McpSchema"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"

/** The longest message in characters. It bounds the memory that a client can take. */
export const maxMessage = 4 * 1024 * 1024

/** How deep a message may be nested. The protocol decodes it with recursive functions, whose stack ends at some thousand levels. */
const maxDepth = 500

/** Whether a value of JSON is nested deeper than the limit. */
const isTooDeep = (json: unknown): boolean => {
  let level = [json]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > maxDepth) return true
    level = level.flatMap((value): Array<unknown> => Predicate.isObjectOrArray(value) ? Object.values(value) : [])
  }
  return false
}

const parse = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.Unknown))

const isId = (id: unknown): id is string | number => Predicate.isString(id) || Predicate.isNumber(id)

/** The answer to a line that is not a JSON-RPC message, or `undefined` for a message. */
export const faultOf = (line: string): string | undefined => {
  const fault = (code: number, message: string, id: string | number | null = null) =>
    JSON.stringify({ jsonrpc: "2.0", id, error: { code, message } })
  if (line.length > maxMessage) {
    return fault(
      McpSchema.INVALID_REQUEST_ERROR_CODE,
      `The message is longer than ${maxMessage} characters. Send less text, or shorter files.`
    )
  }
  const parsed = parse(line)
  if (Result.isFailure(parsed)) {
    return fault(McpSchema.PARSE_ERROR_CODE, "The line is not JSON. Send each message in one line of UTF-8.")
  }
  const message = parsed.success
  if (isTooDeep(message)) {
    return fault(
      McpSchema.INVALID_REQUEST_ERROR_CODE,
      `The message is nested deeper than ${maxDepth} levels. Send a flatter one.`,
      Predicate.hasProperty(message, "id") && isId(message.id) ? message.id : null
    )
  }
  // The protocol decides about a batch
  if (Array.isArray(message)) return undefined
  if (!Predicate.isReadonlyObject(message)) {
    return fault(McpSchema.INVALID_REQUEST_ERROR_CODE, "The message is not an object.")
  }
  const { error, id, jsonrpc, method, params, result } = message
  const isRequest = Predicate.isString(method) && (id === undefined || isId(id)) &&
    (params === undefined || Predicate.isReadonlyObject(params))
  const isResponse = method === undefined && isId(id) && (result === undefined) !== (error === undefined)
  if (jsonrpc === "2.0" && (isRequest || isResponse)) return undefined
  return fault(
    McpSchema.INVALID_REQUEST_ERROR_CODE,
    "The message is not a request, notification or response of JSON-RPC 2.0.",
    isId(id) ? id : null
  )
}

/** Splits text into lines. A line that is too long is cut to one character more than the limit, which bounds its memory. */
const lines = <E>(self: Stream.Stream<Uint8Array, E>): Stream.Stream<string, E> =>
  Stream.mapAccum(
    Stream.decodeText(self),
    () => "",
    (rest, chunk): readonly [string, ReadonlyArray<string>] => {
      const parts = chunk.split("\n")
      const ended = parts.slice(0, -1).map((part, index) => cut(index === 0 ? rest + part : part))
      return [cut(parts.length === 1 ? rest + chunk : parts.at(-1)!), ended]
    },
    { onHalt: (rest) => rest === "" ? [] : [rest] }
  )

const cut = (line: string): string => line.length > maxMessage ? line.slice(0, maxMessage + 1) : line

/** Replaces the `Stdio` of the context by one whose input has only messages. */
export const layer: Layer.Layer<Stdio.Stdio, never, Stdio.Stdio> = Layer.effect(
  Stdio.Stdio,
  Effect.map(Stdio.Stdio, (stdio): Stdio.Stdio => ({
    ...stdio,
    stdin: lines(stdio.stdin).pipe(
      Stream.filter((line) => line.trim() !== ""),
      Stream.filterEffect((line) => {
        const fault = faultOf(line)
        return fault === undefined
          ? Effect.succeed(true)
          : Stream.run(Stream.make(`${fault}\n`), stdio.stdout({ endOnDone: false })).pipe(Effect.as(false))
      }),
      Stream.map((line) => new TextEncoder().encode(`${line}\n`))
    )
  }))
)
