/** Reads the value that a caller gives as a file. The caller may be untyped. */
import * as Effect from "effect/Effect"
import { constVoid } from "effect/Function"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import * as Binary from "../binary.ts"

/** The bytes of a file, with their size, name and type where these are known. */
export interface Content {
  readonly data: Uint8Array | Blob | Stream.Stream<Uint8Array, unknown>
  readonly size: number
  readonly contentType?: string | undefined
}

/** Reads a value. If it is not a file, `hint` describes the value and says which kind of value to pass. */
export const read = (
  input: unknown
): (Content | { readonly hint: string }) & { readonly filename: string | undefined } => {
  const own = ofData(input, undefined)
  if (own !== undefined) return { ...own, filename: nameOf(input) }
  const { contentType, data, filename: name, size }: Record<string, unknown> = Predicate.isObject(input) ? input : {}
  const filename = typeof name === "string" ? name : undefined
  const content = ofData(data, size)
  return content === undefined
    ? { hint: hintFor(data === undefined ? input : data), filename }
    : { ...content, filename, contentType: typeof contentType === "string" ? contentType : content.contentType }
}

const ofData = (data: unknown, size: unknown): Content | undefined => {
  if (Binary.isBytes(data)) {
    const bytes = Binary.bytesOf(data)
    return { data: bytes, size: bytes.byteLength }
  }
  if (Binary.isBlob(data)) {
    return {
      // The platform reads its own Blobs itself, but turns a Blob of another realm into text
      data: data instanceof Blob ? data : fromReadable(() => (data as Blob).stream()),
      size: data.size,
      contentType: data.type === "" ? undefined : data.type
    }
  }
  const stream = Binary.isReadable(data) ? fromReadable(() => data) : data
  return size !== undefined && Stream.isStream(stream)
    ? { data: stream as Stream.Stream<Uint8Array, unknown>, size: size as number }
    : undefined
}

/** Streams a web stream, which `evaluate` returns when the stream starts. */
export const fromReadable = (evaluate: () => ReadableStream<Uint8Array>): Stream.Stream<Uint8Array, unknown> =>
  Stream.fromReadableStream({
    evaluate: () => {
      const reader = evaluate().getReader()
      return new ReadableStream({
        pull: (controller) =>
          reader.read().then(({ done, value }) => done ? controller.close() : controller.enqueue(value)),
        // The caller's stream may never finish its cancellation
        cancel: () => void reader.cancel().catch(constVoid)
      }, { highWaterMark: 0 })
    },
    onError: (cause) => cause
  })

const hintFor = (input: unknown): string =>
  typeof input === "string"
    ? "is text, not a file. For a file on disk there is FileInput.fromPath(path); for text, new TextEncoder().encode(text)."
    : Effect.isEffect(input)
    ? "is an Effect, not a file. Run it first: yield* FileInput.fromPath(path)."
    : Predicate.isPromiseLike(input)
    ? "is a promise, not a file. Await it first."
    : Stream.isStream(input) || Binary.isReadable(input)
    ? "is a stream of unknown size. Give { data: stream, size, filename }."
    : "is neither bytes, a Blob, nor an object with data and a filename. For a file on disk there is FileInput.fromPath(path)."

const nameOf = (data: unknown): string | undefined =>
  Predicate.hasProperty(data, "name") && typeof data.name === "string" && data.name !== "" ? data.name : undefined
