/** How often the HTTP client really sends one request. An `HttpClient` of the program may repeat it below this library. */
import * as Context from "effect/Context"

export interface Sends {
  /** How many times a client of this package, or Effect's fetch client, has sent the request. Other clients count nothing. */
  count: number
  /** Whether a fetch of the program sent it, which may have sent it several times. */
  isOwnFetch: boolean
}

/** Its key is text, so that all loaded copies of this package share it. */
export const CurrentSends = Context.Reference<Sends | undefined>("canvas-runs/internal/Sends", {
  defaultValue: () => undefined
})

/** Whether the last failure says nothing about the request as a whole, because the request may have been sent before. */
export const isRepeated = (sends: Sends | undefined): boolean =>
  sends !== undefined && (sends.count > 1 || sends.isOwnFetch)
