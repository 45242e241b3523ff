/** File names from elsewhere, made harmless. */

/** What follows the last slash or backslash. */
export const lastSegment = (path: string): string =>
  path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1)

/** Control characters, which could end a header, hide a name's end or turn its direction. */
// oxlint-disable-next-line no-control-regex -- they are what this removes
const control = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** A name without folders and control characters, short enough for every file system; possibly empty. */
export const plain = (name: string): string =>
  shorten(lastSegment(name).replaceAll(/\p{Surrogate}/gu, "\ufffd").replaceAll(control, "").trim()).trimStart()

/** File systems allow 255 bytes, of which a download in progress needs some. The end stays, with the extension. */
const maxBytes = 200

const shorten = (name: string): string => {
  // No UTF-16 unit takes more than three bytes
  if (name.length * 3 <= maxBytes) return name
  const characters = Array.from(name)
  let start = characters.length
  for (let bytes = 0; start > 0; start--) {
    bytes += encoder.encode(characters[start - 1]).length
    if (bytes > maxBytes) break
  }
  return characters.slice(start).join("")
}

const encoder = new TextEncoder()

/** Names that Windows keeps for devices, whatever their extension. */
const reserved = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?$/i

/** A name that can be written into a folder, and into that folder only. Doing this again changes nothing. */
export const writable = (name: string, fallback: string): string => {
  const safe = plain(name).replaceAll(/[<>:"|?*]/g, "_").replace(/^[.\s]+/, "").replace(/[.\s]+$/, "")
  return safe === "" ? fallback : reserved.test(safe) ? `_${safe}` : safe
}
