/** What is sent and fetched. */

/** The bytes of a download, over and over; no two neighbours are alike, so that what is lost or moved is seen. */
export const block: Uint8Array<ArrayBuffer> = Uint8Array.from(
  { length: 1 << 20 },
  (_, index) => Math.imul(index, 2654435761) >>> 13
)

/** Whether these bytes are those of a download at that place. */
export const isBlock = (bytes: Uint8Array, offset: number): boolean =>
  bytes.every((byte, index) => byte === block[(offset + index) % block.length])
