/** The rules for ids of runs, canvases and tasks, from a caller or from a provider, and for refs from a caller. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { badRequest, type BadRequestError } from "../RunError.ts"
import { quote } from "./describe.ts"
import { is } from "./options.ts"
import * as RunRef from "./ref.ts"

/**
 * Whether an id can be one segment of a path, so that it cannot change the target of a request. It has no slashes, no characters
 * that end a path, no percent sign that would be decoded, no spaces, no control characters and no halves of surrogate pairs, and
 * it is not only dots.
 */
export const isId = (id: unknown): id is string =>
  typeof id === "string" && /^[^\s\p{C}/\\?#%]{1,200}$/u.test(id) && !/^\.+$/.test(id)

/** The schema of an id in a response. */
export const Id = Schema.String.check(
  /*#__PURE__*/ Schema.makeFilter(isId, { expected: "an id that fits into a path" })
)

/** Checks an id of the caller before it becomes part of a path. */
export const checkId = (operation: string, parameter: string, id: unknown): Effect.Effect<string, BadRequestError> => {
  const isJson = typeof id === "string" && /^\s*\{.*"provider"/s.test(id)
  return isId(id) && !isJson ? Effect.succeed(id) : Effect.fail(badRequest({
    operation,
    parameter,
    message: `${parameter} is ${quote(id)}, which is not an id. ${
      isJson
        ? "It is the JSON of a ref: read it with RunRef.parse, and pass the ref."
        : is(Effect.isEffect, id)
        ? "Run it with yield*, and pass its result."
        : "Give 1 to 200 characters without spaces and without any of / \\ ? # %."
    }`
  }))
}

/** Checks a ref of the caller: the provider and the kind that an operation is about, and an id that fits into a path. */
export const checkRef = (
  operation: string,
  parameter: string,
  given: unknown,
  provider: string,
  kinds: ReadonlyArray<string>
): Effect.Effect<RunRef.RunRef, BadRequestError> => {
  const ref = RunRef.read(given)
  if (ref?.provider === provider && kinds.includes(ref.kind)) {
    return Effect.as(checkId(operation, "ref.id", ref.id), ref)
  }
  const message = `${parameter} is ${RunRef.describe(given)}; it must be an id, or a ref of a ${provider} ${
    kinds.join(" or ")
  } in version 1.`
  return Effect.fail(badRequest({ operation, parameter, message }))
}
