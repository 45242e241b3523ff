/** Checks that a response is about the id of the request. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { decodeAnswer } from "../SpineSchema.ts"

/**
 * Decodes a response, and compares its id with the requested one, ignoring case. A response about another id, such as one from a
 * cache, says nothing about the requested one (promise 9).
 */
export const about = <Name extends string, A extends { readonly [N in Name]: string }>(
  name: Name,
  id: string,
  decode: (body: unknown) => Effect.Effect<A, Schema.SchemaError>
) =>
(body: unknown): Effect.Effect<A, Schema.SchemaError> =>
  Effect.flatMapEager(decode(body), (value) =>
    value[name].toLowerCase() === id.toLowerCase()
      ? Effect.succeed(value)
      : Effect.as(decodeAnswer(Schema.Struct({ [name]: Schema.Literal(id) }))(body), value))
