/** The actions of a server on a request, as plain data that both transports play: in memory and on a socket. */

/** The transport of requests: memory, or one of the HTTP clients. */
export type Transport = "memory" | "fetch" | "undici"

/** The called host: the provider's API, the host of its files, or a third party. */
export type Host = "api" | "files" | "elsewhere"

/** A request, as the server received it. */
export interface Received {
  readonly host: Host
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** In milliseconds, on the clock of the cell. */
  readonly at: number
}

/** Bytes, or a pause in beats. {@link Timing} has the length of a beat. */
export type Part = Uint8Array | number

/** A response, and how it is sent. */
export interface Sending {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly parts: ReadonlyArray<Part>
  /** The `content-length`; without one the body is chunked. */
  readonly length: number | undefined
  /**
   * - `end`: the body is complete, as announced;
   * - `cut`: the connection is closed normally, before the announced bytes have been sent;
   * - `reset`: the connection is reset;
   * - `silence`: sending stops, and the connection stays open;
   * - `endless`: the parts are repeated forever.
   */
  readonly ending: "end" | "cut" | "reset" | "silence" | "endless"
}

/** The action on a request. */
export type Play =
  | { readonly _tag: "Send"; readonly sending: Sending }
  /** Two complete responses to one request, on a connection that stays open. */
  | { readonly _tag: "SendTwice"; readonly sending: Sending }
  /** The headers are sent a byte at a time, and never completely. */
  | { readonly _tag: "SlowHeaders" }
  | { readonly _tag: "Silence" }
  | { readonly _tag: "Refuse" }
  | { readonly _tag: "NoSuchHost" }
  | { readonly _tag: "Reset"; readonly when: "before" | "after" | "headers" }

/** The length of a beat: a second of the `TestClock`, or a few milliseconds of real time. */
export interface Timing {
  readonly beatMillis: number
}

/** The times of the clients, in beats. */
export const beats = {
  requestTimeout: 20,
  retryDelay: 0.5,
  retryAfterCeiling: 10,
  pollInterval: 5,
  waitTimeout: 150,
  notFoundGrace: 30,
  /** The time of a slow consumer per part: longer than any timeout for the server. */
  slowConsumer: 30,
  /** When the caller interrupts. */
  patience: 10
} as const

const encoder = new TextEncoder()

export const encode = (text: string): Uint8Array => encoder.encode(text)

export const sizeOf = (parts: ReadonlyArray<Part>): number =>
  parts.reduce<number>((sum, part) => sum + (typeof part === "number" ? 0 : part.length), 0)

export const bytesOf = (sending: Sending): Uint8Array =>
  new Uint8Array(Buffer.concat(sending.parts.filter((part) => typeof part !== "number")))

/** A response of known length, sent completely. */
export const whole = (
  status: number,
  body: string | Uint8Array,
  contentType = "application/json",
  headers: Readonly<Record<string, string>> = {}
): Sending => {
  const bytes = typeof body === "string" ? encode(body) : body
  return {
    status,
    headers: { "content-type": contentType, ...headers },
    parts: bytes.length === 0 ? [] : [bytes],
    length: bytes.length,
    ending: "end"
  }
}

export const json = (body: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Sending =>
  whole(status, JSON.stringify(body), "application/json", headers)
