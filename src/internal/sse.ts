/**
 * Server-sent events, read as bytes arrive. Unlike Effect's own decoder this one takes a `retry:` line for what it is, also
 * takes streams of one JSON document per line, and hands over what stood before a cut, for the caller to judge.
 *
 * One pass over the text, with cost linear in its length however it is cut into chunks.
 */

/** One event. */
export interface SseEvent {
  /** `"message"` unless the server named it. */
  readonly event: string
  readonly data: string
}

/** Reads events from bytes. */
export interface SseParser {
  /** The events that these bytes complete. */
  readonly feed: (bytes: Uint8Array) => Array<SseEvent>
  /** What an end at this point leaves: the last event, if its closing blank line is all it lacks. */
  readonly end: () => Array<SseEvent>
  /** Whether what has not ended is longer than allowed, so that no more should be read. */
  readonly isTooLong: () => boolean
}

export const make = (options?: {
  /** The most characters that a line, or the data of an event, may have. */
  readonly maxLength?: number
}): SseParser => {
  const maxLength = options?.maxLength ?? Infinity
  // The byte order mark is dropped here: Node 24's decoder drops a second one too if a chunk ends inside the first
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true })
  let isStart = true
  /** The pieces of a line that has not ended. */
  let pending: Array<string> = []
  let event = ""
  let data: Array<string> = []
  /** The lengths of both. */
  let pendingLength = 0
  let dataLength = 0
  /** The last character was a carriage return, so a line feed that follows belongs to it. */
  let afterReturn = false

  const dispatch = (out: Array<SseEvent>) => {
    if (data.length > 0) {
      out.push({ event: event === "" ? "message" : event, data: data.length === 1 ? data[0]! : data.join("\n") })
    }
    event = ""
    data = []
    dataLength = 0
  }

  const line = (text: string, out: Array<SseEvent>) => {
    if (text === "") return dispatch(out)
    const first = text.charCodeAt(0)
    // One JSON document per line is no event stream, and is what some servers send
    if (first === 123 /* { */ || text.startsWith("[DONE]")) {
      dispatch(out)
      out.push({ event: "message", data: text })
      return
    }
    if (first === 58 /* : */) return
    const colon = text.indexOf(":")
    const field = colon === -1 ? text : text.slice(0, colon)
    if (field !== "data" && field !== "event") return
    const value = colon === -1 ? "" : text.slice(text.charCodeAt(colon + 1) === 32 ? colon + 2 : colon + 1)
    if (field === "event") event = value
    else {
      data.push(value)
      dataLength += text.length + 1
    }
  }

  const take = (text: string, out: Array<SseEvent>) => {
    let start = 0
    if (isStart && text.length > 0) {
      if (text.charCodeAt(0) === 0xfeff) start = 1
      isStart = false
    }
    if (afterReturn && text.length > 0) {
      if (text.charCodeAt(0) === 10) start = 1
      afterReturn = false
    }
    let feed = text.indexOf("\n", start)
    let carriage = text.indexOf("\r", start)
    while (feed !== -1 || carriage !== -1) {
      const end = feed === -1 ? carriage : carriage === -1 ? feed : Math.min(feed, carriage)
      const rest = text.slice(start, end)
      if (pending.length === 0) line(rest, out)
      else {
        pending.push(rest)
        const whole = pending.join("")
        pending = []
        pendingLength = 0
        line(whole, out)
      }
      start = end + 1
      if (end === carriage) {
        if (start === text.length) afterReturn = true
        else if (text.charCodeAt(start) === 10) start++
      }
      if (feed !== -1 && feed < start) feed = text.indexOf("\n", start)
      if (carriage !== -1 && carriage < start) carriage = text.indexOf("\r", start)
    }
    if (start < text.length) {
      pending.push(text.slice(start))
      pendingLength += text.length - start
    }
  }

  return {
    isTooLong: () => pendingLength + dataLength > maxLength,
    feed: (bytes) => {
      const out: Array<SseEvent> = []
      take(decoder.decode(bytes, { stream: true }), out)
      return out
    },
    end: () => {
      const out: Array<SseEvent> = []
      take(decoder.decode(), out)
      if (pending.length > 0) {
        const rest = pending.join("")
        pending = []
        line(rest, out)
      }
      dispatch(out)
      return out
    }
  }
}
