/** The content that the program and the emulator share, so that each can check the bytes of the other. */

/** Pseudo-random bytes that are the same on every runtime. */
export const bytesOf = (size: number, seed: number): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(size)
  let state = seed
  for (let i = 0; i < size; i++) {
    state = Math.imul(state, 1_664_525) + 1_013_904_223 | 0
    bytes[i] = state >>> 24
  }
  return bytes
}

/** The artifact of every Spine run, which takes many chunks on every transport. */
export const artifact = { name: "table.bin", size: 1_500_000, seed: 7 }

/** The pieces of a streamed answer. The emulator cuts it inside of characters. */
export const pieces: ReadonlyArray<string> = Array.from({ length: 40 }, (_, i) => `Stück ${i} — ✓ 🎈; `)

/** The emulator's description of an uploaded file. */
export interface Received {
  readonly name: string
  readonly type: string | undefined
  readonly size: number
  readonly sha256: string
}
