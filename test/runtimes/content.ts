/** What the program and the emulator agree on, so that each can tell whether the other's bytes arrived. */

/** Bytes that look random and are the same everywhere. */
export const bytesOf = (size: number, seed: number): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(size)
  let state = seed
  for (let i = 0; i < size; i++) {
    state = Math.imul(state, 1_664_525) + 1_013_904_223 | 0
    bytes[i] = state >>> 24
  }
  return bytes
}

/** The artifact that every Spine run makes: many chunks on every wire. */
export const artifact = { name: "table.bin", size: 1_500_000, seed: 7 }

/** What a streamed answer says, piece by piece; the emulator cuts it inside of characters. */
export const pieces: ReadonlyArray<string> = Array.from({ length: 40 }, (_, i) => `Stück ${i} — ✓ 🎈; `)

/** What the emulator says of a file that it was sent. */
export interface Received {
  readonly name: string
  readonly type: string | undefined
  readonly size: number
  readonly sha256: string
}
