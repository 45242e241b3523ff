/** The content of the transferred files. */

/** The bytes of a download, repeated. No two neighbours are equal, so that lost or moved bytes are noticed. */
export const block: Uint8Array<ArrayBuffer> = Uint8Array.from(
  { length: 1 << 20 },
  (_, index) => Math.imul(index, 2654435761) >>> 13
)

/** Whether these bytes are those of a download at that offset. */
export const isBlock = (bytes: Uint8Array, offset: number): boolean =>
  bytes.every((byte, index) => byte === block[(offset + index) % block.length])
