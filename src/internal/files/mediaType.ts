/** The media type of a file: by the extension of its name, or by its first bytes. */
import * as Option from "effect/Option"

/** Whether text has the form of a media type, with parameters or without. */
export const isMediaType = (text: string): boolean => mediaType.test(text)

const mediaType = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:[ \t]*;[ \t]*[\w!#$&^.+-]+=(?:[\w!#$&^.+-]+|"[ !#-[\]-~]*"))*$/

/** The formats that the providers know. A full table would outweigh the rest of the library. */
const types: Readonly<Record<string, string>> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  svg: "image/svg+xml",
  pdf: "application/pdf",
  docx: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  pptx: "application/vnd.openxmlformats-officedocument.presentationml.presentation",
  csv: "text/csv",
  txt: "text/plain",
  md: "text/markdown",
  html: "text/html",
  yaml: "application/yaml",
  yml: "application/yaml",
  json: "application/json",
  xml: "application/xml",
  zip: "application/zip",
  mp3: "audio/mpeg",
  wav: "audio/wav",
  m4a: "audio/mp4",
  ogg: "audio/ogg",
  mp4: "video/mp4",
  webm: "video/webm"
}

/** The media type that the extension of a name stands for. */
export const byExtension = (filename: string): string | undefined => {
  const extension = filename.slice(filename.lastIndexOf(".") + 1).toLowerCase()
  return Object.hasOwn(types, extension) ? types[extension] : undefined
}

/** A media type in lower case, without its parameters. */
export const essenceOf = (contentType: string): string => contentType.split(";")[0]!.trim().toLowerCase()

/** The file extension for a media type, with its dot; empty if it is not known. */
export const extensionOf = (contentType: string): string => {
  const type = essenceOf(contentType)
  const found = Object.entries(types).find(([, value]) => value === type)
  return found === undefined ? "" : `.${found[0]}`
}

const signatures: ReadonlyArray<readonly [bytes: string, offset: number, type: string]> = [
  ["\u0089PNG\r\n", 0, "image/png"],
  ["\u00ff\u00d8\u00ff", 0, "image/jpeg"],
  ["GIF8", 0, "image/gif"],
  ["WEBP", 8, "image/webp"],
  ["WAVE", 8, "audio/wav"],
  ["%PDF-", 0, "application/pdf"],
  ["PK\u0003\u0004", 0, "application/zip"],
  ["ftyp", 4, "video/mp4"],
  ["OggS", 0, "audio/ogg"],
  ["<svg", 0, "image/svg+xml"],
  ["<?xml", 0, "application/xml"]
]

/** How many bytes {@link byContent} needs. */
export const headBytes = 512

/** The media type that the first bytes of a file show. */
export const byContent = (bytes: Uint8Array): string | undefined => {
  const text = String.fromCharCode(...bytes)
  const known = signatures.find(([signature, offset]) => text.startsWith(signature, offset))
  if (known !== undefined) return known[2]
  return bytes.length > 0 && !text.includes("\u0000") && Option.isSome(decode(bytes)) ? "text/plain" : undefined
}

/** Decodes UTF-8. A character may be cut at the end, so the decoder is told that more follows. */
const decode = Option.liftThrowable((bytes: Uint8Array) =>
  new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true })
)
