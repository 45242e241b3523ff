/** The checksum of ZIP, PNG and gzip. */

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1
  return value
})

/** The checksum of these bytes. It continues the checksum of earlier bytes. */
export const crc32 = (bytes: Uint8Array, before = 0): number =>
  (bytes.reduce((crc, byte) => table[(crc ^ byte) & 0xff]! ^ (crc >>> 8), before ^ 0xffffffff) ^ 0xffffffff) >>> 0
