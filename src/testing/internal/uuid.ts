/** Makes UUIDs from a source of randomness, and recognises them. */
import type * as Random from "effect/Random"
import type { Has } from "./rude/json.ts"

export const make = (random: Random.Random): string => {
  const hex = Array.from(
    { length: 4 },
    () => Math.floor(random.nextDoubleUnsafe() * 0x1_0000_0000).toString(16).padStart(8, "0")
  ).join("")
  const variant = "89ab"[Number.parseInt(hex[16]!, 16) & 3]
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`
}

/** Whether a text is a UUID: of any version, in any case. */
export const isUuid = (text: string): boolean =>
  /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(text)

/** Makes ids of runs and other objects: UUIDs, or texts of another form if the server is rude. */
export const ids = (has: Has, uuid: () => string) => (kind: string): string =>
  has("oddIds") ? `${kind}_${uuid().replaceAll("-", ".")}` : uuid()
