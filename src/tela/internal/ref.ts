/** Reads the ids and refs of executions and tasks, and checks that a response is about the named one. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { checkId, checkRef } from "../../internal/id.ts"
import * as Options from "../../internal/options.ts"
import * as RunRef from "../../internal/ref.ts"
import type { BadRequestError } from "../../RunError.ts"
import { provider } from "../TelaExecution.ts"

/** Reads the id or the ref of an execution or a task. `kind` is the kind of an id alone, and `kinds` are those that a ref may have. */
export const refOf = (
  operation: string,
  parameter: string,
  target: unknown,
  kind: string,
  kinds: ReadonlyArray<string> = [kind]
): Effect.Effect<RunRef.RunRef, BadRequestError> =>
  Options.reading(operation, parameter, () =>
    Predicate.isObject(target)
      ? checkRef(operation, parameter, target, provider, kinds)
      : Effect.map(checkId(operation, "id", target), (id) => RunRef.make({ provider, kind, id })))

/**
 * Decodes a response about the execution or the task of `ref`. A response with another id, such as one from a cache, is invalid
 * (promise 9).
 */
export const about =
  <A>(ref: RunRef.RunRef, decode: (body: unknown) => Effect.Effect<A, Schema.SchemaError>) =>
  (body: unknown): Effect.Effect<A, Schema.SchemaError> =>
    isAbout(ref, body)
      ? decode(body)
      : Effect.andThen(Schema.decodeUnknownEffect(Schema.Struct({ id: Schema.Literal(ref.id) }))(body), decode(body))

/** Whether a response has the id of `ref`, ignoring case. */
export const isAbout = (ref: RunRef.RunRef, body: unknown): boolean =>
  Predicate.hasProperty(body, "id") && typeof body.id === "string" && body.id.toLowerCase() === ref.id.toLowerCase()
