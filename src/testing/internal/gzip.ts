/**
 * gzip without compression: stored blocks in a gzip frame. Unlike `CompressionStream` it sends each chunk at once, and it uses no
 * promise, so the `TestClock` waits for it.
 */
import * as Stream from "effect/Stream"
import { crc32 } from "./crc32.ts"

export const gzip = <E, R>(self: Stream.Stream<Uint8Array, E, R>): Stream.Stream<Uint8Array, E, R> =>
  Stream.suspend(() => {
    let crc = 0
    let size = 0
    const blocks = Stream.map(self, (chunk) => {
      crc = crc32(chunk, crc)
      size += chunk.length
      return stored(chunk)
    })
    return Stream.succeed(header).pipe(
      Stream.concat(blocks),
      Stream.concat(Stream.suspend(() => Stream.succeed(trailer(crc, size)))),
      // Chunks are emitted one by one, or a chunk would wait for the next
      Stream.rechunk(1)
    )
  })

// Deflate, no flags, no time, unknown system
const header = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255)

const maxBlock = 0xffff

const stored = (bytes: Uint8Array): Uint8Array => {
  const blocks = Math.ceil(bytes.length / maxBlock)
  const result = new Uint8Array(bytes.length + 5 * blocks)
  const view = new DataView(result.buffer)
  for (let block = 0; block < blocks; block++) {
    const part = bytes.subarray(block * maxBlock, (block + 1) * maxBlock)
    const at = block * (maxBlock + 5)
    view.setUint16(at + 1, part.length, true)
    view.setUint16(at + 3, part.length ^ 0xffff, true)
    result.set(part, at + 5)
  }
  return result
}

const trailer = (crc: number, size: number): Uint8Array => {
  const result = new Uint8Array(13)
  const view = new DataView(result.buffer)
  // An empty block marked as the last
  view.setUint8(0, 1)
  view.setUint16(3, 0xffff, true)
  view.setUint32(5, crc, true)
  view.setUint32(9, size >>> 0, true)
  return result
}
