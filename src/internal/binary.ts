/** Bytes, Blobs and web streams of any realm: an iframe, `node:vm`, a DOM emulation. */
import * as Predicate from "effect/Predicate"

/** The class name of an object, which is the same in every realm. */
export const tagOf = (u: unknown): string => Object.prototype.toString.call(u).slice(8, -1)

const isBuffer = (u: unknown): u is ArrayBufferLike => /^(?:Shared)?ArrayBuffer$/.test(tagOf(u))

/** Whether a value is a buffer or a view of one. */
export const isBytes = (u: unknown): u is ArrayBufferView | ArrayBufferLike => ArrayBuffer.isView(u) || isBuffer(u)

/** The bytes. Memory that can be shared or resized is copied, because the platform does not send it. */
export const bytesOf = (u: ArrayBufferView | ArrayBufferLike): Uint8Array => {
  // A detached buffer has no bytes, and throws when it is read
  if (!(u.byteLength > 0)) return new Uint8Array(0)
  const buffer = ArrayBuffer.isView(u) ? u.buffer : u
  const offset = ArrayBuffer.isView(u) ? u.byteOffset : 0
  const bytes = u instanceof Uint8Array ? u : new Uint8Array(buffer, offset, u.byteLength)
  return tagOf(buffer) === "ArrayBuffer" && (buffer as { readonly resizable?: boolean }).resizable !== true
    ? bytes
    : bytes.slice()
}

/** All bytes in one array. */
export const concatenate = (chunks: ReadonlyArray<Uint8Array>): Uint8Array<ArrayBuffer> => {
  const whole = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0))
  let offset = 0
  for (const chunk of chunks) {
    whole.set(chunk, offset)
    offset += chunk.length
  }
  return whole
}

/** Whether a value can be read like a Blob. */
export const isBlob = (u: unknown): u is Blob =>
  u instanceof Blob ||
  /^(?:Blob|File)$/.test(tagOf(u)) && Predicate.hasProperty(u, "stream") && typeof u.stream === "function"

/** Whether a value can be read like a web stream. */
export const isReadable = (u: unknown): u is ReadableStream<Uint8Array> =>
  Predicate.hasProperty(u, "getReader") && typeof u.getReader === "function"
