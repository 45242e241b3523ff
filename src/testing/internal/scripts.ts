/** Scripts of runs: the emulator's option, and the scripts that a test sets over it. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Check from "./check.ts"
import { quote } from "../../internal/describe.ts"

type Given<Request, Script> = Script | ((request: Request) => Script)

export interface Scripts<Request, Script> {
  /** The script of a run. Scripts in `middle` win over the emulator's option, and lose to a script that a test has set. */
  readonly of: (request: Request, ...middle: ReadonlyArray<Script>) => Script
  /** Sets the script of the runs created from now on. */
  readonly set: (script: Given<Request, Script>) => Effect.Effect<void>
}

export const make = <Request, Script extends object>(initial: Given<Request, Script>): Scripts<Request, Script> => {
  checkTimeline(initial)
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
        checkTimeline(script)
        current = script
      })
  }
}

/** The script for a request, where a function may give it. */
export const resolve = <Request, Script extends object>(script: Given<Request, Script>, request: Request): Script =>
  typeof script === "function" ? checkTimeline((script as (request: Request) => Script)(request)) : script

/** A plain object such as `{ duration: 0 }`, which JavaScript lets through, would fail inside the emulator at the first poll. */
const checkTimeline = <Script>(script: Script): Script => {
  Check.kind("script", script, isScript, "an object, or a function that returns one")
  const timeline = Predicate.hasProperty(script, "timeline") ? script.timeline : undefined
  if (timeline !== undefined && !Predicate.hasProperty(timeline, "durationMillis")) {
    throw new RangeError(`The timeline of a script is ${quote(timeline)}; make it with Timeline.make.`)
  }
  return script
}

const definedOnly = (script: object): object =>
  Object.fromEntries(Object.entries(script).filter(([, value]) => value !== undefined))

const isScript = (script: unknown): boolean => Predicate.isObject(script) || Predicate.isFunction(script)
