/** The classes of this library's errors, and how to recognise their instances. */
import type * as Cause from "effect/Cause"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"

const TypeId = "~canvas-runs/RunError"

/**
 * Makes the class of an error: `Schema.TaggedError` whose instances {@link isOurs} recognises. A program may have errors of
 * its own with the same tags.
 */
export const TaggedError = <Self>() =>
<const Tag extends string, const Fields extends Schema.Struct.Fields>(
  tag: Tag,
  fields: Fields
): Schema.Class<Self, Schema.TaggedStruct<Tag, Fields>, Cause.YieldableError> => {
  const Class = Schema.TaggedError<Cause.YieldableError>()(tag, fields)
  // On the prototype, so that it is neither printed nor compared; a string, so that all loaded copies of the package share it
  Object.defineProperty(Class.prototype, TypeId, { value: TypeId })
  return Class as never
}

/** Whether an error has this tag and was made by this library, in whichever copy of it. */
export const isOurs = <const Tag extends string>(
  error: unknown,
  ...tags: ReadonlyArray<Tag>
): error is { readonly _tag: Tag } =>
  Predicate.hasProperty(error, TypeId) && Predicate.hasProperty(error, "_tag") && tags.includes(error._tag as Tag)
