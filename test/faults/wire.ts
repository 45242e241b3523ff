/** What a server can do with a request, as plain data that both transports play: in memory and on a socket. */

/** What carries requests: nothing but memory, or one of the clients for HTTP. */
export type Transport = "memory" | "fetch" | "undici"

/** Who is called: the provider's API, the host of its files, or somebody else. */
export type Host = "api" | "files" | "elsewhere"

/** A request, as the server saw it. */
export interface Received {
  readonly host: Host
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** In milliseconds, on the clock of the cell. */
  readonly at: number
}

/** Bytes, or a pause in beats. What a beat is says the {@link Pace}. */
export type Part = Uint8Array | number

/** An answer, and how it is sent. */
export interface Sending {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly parts: ReadonlyArray<Part>
  /** What `content-length` says; without one the body is chunked. */
  readonly length: number | undefined
  /**
   * - `end`: as announced;
   * - `cut`: the connection is closed in good order, before what was announced is there;
   * - `reset`: the connection is reset;
   * - `silence`: nothing comes any more, and the connection stays;
   * - `endless`: the parts are repeated for ever.
   */
  readonly ending: "end" | "cut" | "reset" | "silence" | "endless"
}

/** What happens to a request. */
export type Play =
  | { readonly _tag: "Send"; readonly sending: Sending }
  /** Two whole answers to one request, on a connection that stays open. */
  | { readonly _tag: "SendTwice"; readonly sending: Sending }
  /** The headers come a byte at a time, and never all of them. */
  | { readonly _tag: "SlowHeaders" }
  | { readonly _tag: "Silence" }
  | { readonly _tag: "Refuse" }
  | { readonly _tag: "NoSuchHost" }
  | { readonly _tag: "Reset"; readonly when: "before" | "after" | "headers" }

/** How long things take: a second of the `TestClock`, or little real time. */
export interface Pace {
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
  /** What a slow consumer takes for each part: longer than any timeout allows the server. */
  slowConsumer: 30,
  /** When a caller gives up. */
  patience: 10
} as const

const encoder = new TextEncoder()

export const encode = (text: string): Uint8Array => encoder.encode(text)

export const sizeOf = (parts: ReadonlyArray<Part>): number =>
  parts.reduce<number>((sum, part) => sum + (typeof part === "number" ? 0 : part.length), 0)

export const bytesOf = (sending: Sending): Uint8Array =>
  new Uint8Array(Buffer.concat(sending.parts.filter((part) => typeof part !== "number")))

/** An answer of known length, sent whole. */
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
