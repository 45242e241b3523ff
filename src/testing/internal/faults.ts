/** The faults of an emulator: which request meets which fault, and what happens to its response. */
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Stream from "effect/Stream"
import * as Check from "./check.ts"
import { ConnectionDropped } from "../Exchange.ts"
import * as Fault from "../Fault.ts"
import { bodyStream, breakAfter, takeBytes } from "./responseBody.ts"

type Response = HttpServerResponse.HttpServerResponse

export interface Faults {
  readonly add: (faults: ReadonlyArray<Fault.Fault>) => Effect.Effect<void>
  readonly clear: Effect.Effect<void>
  /** Uses up the first fault that matches a request. */
  readonly take: (request: { readonly method: string; readonly path: string }) => Fault.Fault | undefined
}

export const make = (): Faults => {
  let faults: Array<{ readonly fault: Fault.Fault; seen: number }> = []
  return {
    add: (added) =>
      Effect.sync(() => {
        faults.push(...added.map((fault) => ({ fault: Check.fault(fault), seen: 0 })))
      }),
    clear: Effect.sync(() => {
      faults = []
    }),
    take: (request) =>
      faults.find((entry) => {
        if (!Fault.matches(entry.fault, request) || entry.seen >= entry.fault.skip + entry.fault.times) return false
        entry.seen++
        return entry.seen > entry.fault.skip
      })?.fault
  }
}

/** The outcome of a request that meets a fault. `handled` is how the provider handles the request. */
export const act = <R>(
  action: Fault.Action,
  handled: Effect.Effect<Response, never, R>,
  toResponse: (answer: Fault.Answer) => Response
): Effect.Effect<Response, ConnectionDropped, R> => {
  switch (action._tag) {
    case "Handle":
      return handled
    case "HandleThenWait":
      return Effect.tap(handled, Effect.sleep(action.millis))
    case "Respond":
      return Effect.sync(() => toResponse(action.answer))
    case "HandleThenRespond":
      return Effect.map(handled, () => toResponse(action.answer))
    case "HandleThenTruncate":
      return Effect.flatMap(handled, (response) => truncated(response, action.bytes))
    case "Hang":
      return Effect.never
    case "Drop":
      return Effect.fail(new ConnectionDropped())
    case "HandleThenDrop":
      return Effect.andThen(handled, Effect.fail(new ConnectionDropped()))
    case "DropInside":
      return Effect.map(handled, (response) =>
        breakAfter(
          response,
          action.bytes,
          Math.max(Number(response.headers["content-length"] ?? 0), action.bytes + 1)
        ))
  }
}

const truncated = (response: Response, bytes: number): Effect.Effect<Response> =>
  bodyStream(response).pipe(
    takeBytes(bytes),
    Stream.mkUint8Array,
    Effect.orDie,
    Effect.map((content) =>
      HttpServerResponse.uint8Array(content, {
        status: response.status,
        headers: { ...response.headers, "content-length": String(content.length) }
      })
    )
  )
