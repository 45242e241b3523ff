/** Safe names for files that are named by others. */

/** The part of a path after its last slash or backslash. */
export const lastSegment = (path: string): string =>
  path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1)

/** Control characters, which could end a header, hide the end of a name or reverse its text direction. */
// oxlint-disable-next-line no-control-regex -- the pattern removes them
const control = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** A name without folders and control characters, short enough for every file system; possibly empty. */
export const plain = (name: string): string =>
  shorten(lastSegment(name).replaceAll(/\p{Surrogate}/gu, "\ufffd").replaceAll(control, "").trim()).trimStart()

/**
 * File systems allow 255 bytes, of which a download in progress needs some. The end of the name is kept, because it has the
 * extension.
 */
const maxBytes = 200

const shorten = (name: string, limit = maxBytes): string => {
  // A UTF-16 unit takes 3 bytes at most
  if (name.length * 3 <= limit) return name
  const bytes = new TextEncoder().encode(name.slice(-limit))
  if (bytes.length <= limit) return name.slice(-limit)
  // The rest of a character that is cut is decoded as U+FFFD
  return new TextDecoder().decode(bytes.subarray(-limit)).replace(/^\ufffd+/, "")
}

/** Names that Windows reserves for devices, with any extension, with superscript digits and with trailing spaces. */
const reserved = /^(?:con|prn|aux|nul|conin\$|conout\$|clock\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])\s*(?:\..*)?$/i

/** A name that can be written into a folder, and into that folder only. The function is idempotent. */
export const writable = (name: string, fallback: string): string => {
  const safe = plain(name).replaceAll(/[<>:"|?*]/g, "_").replace(/^[.\s]+/, "").replace(/[.\s]+$/, "")
  return safe === "" ? fallback : reserved.test(safe) ? `_${safe}` : safe
}

/** The form in which a file system compares names if it ignores case and Unicode composition. */
const folded = (name: string): string => name.normalize("NFC").toLowerCase().toUpperCase().normalize("NFC")

/** Bytes that a name keeps free for its number. */
const numberBytes = 10

/** A longer text after a dot is not an extension, and is not kept behind the number. */
const maxExtension = 20

/** Makes each name writable, and numbers names that a file system could consider equal. */
export const distinct = (names: ReadonlyArray<string>, fallback: string): ReadonlyArray<string> => {
  const taken = new Set<string>()
  /** The next number for each name. Without it, each of many equal names would try all smaller numbers first. */
  const next = new Map<string, number>()
  return names.map((name) => {
    const safe = writable(name, fallback)
    let candidate = safe
    if (taken.has(folded(safe))) {
      const dot = safe.lastIndexOf(".")
      const extension = dot > 0 && safe.length - dot <= maxExtension ? safe.slice(dot) : ""
      const rest = shorten(safe, maxBytes - numberBytes)
      const stem = rest.slice(0, Math.max(0, rest.length - extension.length))
      const key = folded(`${stem}${extension}`)
      let number = next.get(key) ?? 2
      do {
        candidate = writable(`${stem}-${number++}${extension}`, fallback)
      } while (taken.has(folded(candidate)))
      next.set(key, number)
    }
    taken.add(folded(candidate))
    return candidate
  })
}
