/** Scripts of runs: what the emulator's option says, and what a test has set over it. */
import * as Effect from "effect/Effect"

type Given<Request, Script> = Script | ((request: Request) => Script)

export interface Scripts<Request, Script> {
  /** The script of a run. A script in the middle wins over the emulator's option, and loses to what a test has set. */
  readonly of: (request: Request, ...middle: ReadonlyArray<Script>) => Script
  /** Sets what the runs created from now on will do. */
  readonly set: (script: Given<Request, Script>) => Effect.Effect<void>
}

export const make = <Request, Script extends object>(initial: Given<Request, Script>): Scripts<Request, Script> => {
  let current: Given<Request, Script> | undefined
  return {
    of: (request, ...middle) =>
      Object.assign(
        {},
        ...[
          resolve(initial, request),
          ...middle,
          ...current === undefined ? [] : [resolve(current, request)]
        ].map(definedOnly)
      ),
    set: (script) =>
      Effect.sync(() => {
        current = script
      })
  }
}

/** The script for a request, where a function may give it. */
export const resolve = <Request, Script extends object>(script: Given<Request, Script>, request: Request): Script =>
  typeof script === "function" ? (script as (request: Request) => Script)(request) : script

const definedOnly = (script: object): object =>
  Object.fromEntries(Object.entries(script).filter(([, value]) => value !== undefined))
