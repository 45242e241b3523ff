/** The effects of faults on a response. Each function takes the good response, and returns the faulty one. */
import { gzipSync } from "node:zlib"
import { bytesOf, type Host, json, type Part, type Play, type Received, type Sending, sizeOf, whole } from "./play.ts"

/** The inputs of a fault. */
export interface Scene {
  readonly received: Received
  /** The origin of each host. */
  readonly origins: Readonly<Record<Host, string>>
  /** The credential, for servers that echo the request in their responses. */
  readonly secret: string
}

export type Act = (good: Sending, scene: Scene) => Play

const send = (sending: Sending): Play => ({ _tag: "Send", sending })

export const refuse: Act = () => ({ _tag: "Refuse" })
export const noSuchHost: Act = () => ({ _tag: "NoSuchHost" })
export const silence: Act = () => ({ _tag: "Silence" })
export const slowHeaders: Act = () => ({ _tag: "SlowHeaders" })
export const resetBefore: Act = () => ({ _tag: "Reset", when: "before" })
export const reset = (when: "after" | "headers"): Act => () => ({ _tag: "Reset", when })
export const twice: Act = (sending) => ({ _tag: "SendTwice", sending })

/** The first bytes of the body; a negative number counts from its end, and a fraction is a share of it. */
const head = (sending: Sending, bytes: number): ReadonlyArray<Part> => {
  const size = sizeOf(sending.parts)
  let left = bytes < 0 ? size + bytes : bytes > 0 && bytes < 1 ? Math.floor(size * bytes) : bytes
  const parts: Array<Part> = []
  for (const part of sending.parts) {
    if (left <= 0) break
    if (typeof part === "number") parts.push(part)
    else {
      parts.push(part.subarray(0, left))
      left -= part.length
    }
  }
  return parts
}

/** Sends a part of the body. Then the connection is closed, reset, or kept open without another byte. */
export const breakOff = (bytes: number, ending: "cut" | "reset" | "silence"): Act => (good) =>
  send({ ...good, parts: head(good, bytes), ending })

/** The body, in pieces of this many bytes. */
export const slices = (bytes: number): Act => (good) =>
  send({
    ...good,
    parts: good.parts.flatMap((part): ReadonlyArray<Part> => typeof part === "number" ? [part] : cut(part, bytes))
  })

export const cut = (bytes: Uint8Array, size: number): Array<Uint8Array> =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size))

/** A shorter body, with the right length. */
export const truncate = (bytes: number): Act => (good) => {
  const parts = head(good, bytes)
  return send({ ...good, parts, length: good.length === undefined ? undefined : sizeOf(parts) })
}

/** An error response in the form of either provider, which echoes the credential of the request. */
const refusal = (status: number, secret: string) => ({
  success: false,
  error: `HTTP ${status} for ${secret}`,
  code: `HTTP_${status}`,
  message: `HTTP ${status} for ${secret}`,
  status
})

export const status = (status: number, headers: Readonly<Record<string, string>> = {}): Act => (_, { secret }) =>
  send(json(refusal(status, secret), status, headers))

export const page = (status: number): Act => (_, { secret }) =>
  send(whole(status, `<!doctype html>\n<html><title>Log in</title>${secret}</html>\n`, "text/html; charset=utf-8"))

export const body = (text: string, contentType = "application/json"): Act => () => send(whole(200, text, contentType))

/** The good response, compressed. */
export const gzip: Act = (good) => {
  const bytes = new Uint8Array(gzipSync(bytesOf(good)))
  return send({
    ...good,
    headers: { ...good.headers, "content-encoding": "gzip" },
    parts: [bytes],
    length: good.length === undefined ? undefined : bytes.length
  })
}

/** Random bytes with a `content-encoding`. */
export const brokenGzip: Act = (good) =>
  send({
    ...good,
    headers: { ...good.headers, "content-encoding": "gzip" },
    parts: [new Uint8Array(64).fill(7)],
    length: 64
  })

/** An endless body: spaces, one piece per beat. */
export const endless = (status: number): Act => (good) =>
  send({
    status,
    headers: good.headers,
    parts: [1, new Uint8Array(524_288).fill(32)],
    length: undefined,
    ending: "endless"
  })

export const redirect = (status: number, to: (scene: Scene) => string): Act => (_, scene) =>
  send(whole(status, "", "text/plain", { location: to(scene) }))

/** A completely different response. */
export const instead = (sending: Sending): Act => () => send(sending)

/** The good response with another content type. */
export const typed = (contentType: string): Act => (good) =>
  send({ ...good, headers: { ...good.headers, "content-type": contentType } })
