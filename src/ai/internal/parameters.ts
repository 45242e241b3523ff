/** Parameters and options that the tools of both providers share. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Options from "../../internal/options.ts"
import { Artifact } from "../RunReport.ts"
import { maxWaitSeconds } from "./agentRuns.ts"

const maxKey = 200

/** Text that is not blank. */
export const text = (description: string) =>
  Schema.String.check(Schema.isPattern(/\S/, { expected: "text that is not blank" })).annotate({ description })

/** Names a piece of work, so that it is started once. */
export const key = Schema.optionalKey(
  Schema.String.check(Schema.isPattern(/\S/, { expected: "text that is not blank" }), Schema.isMaxLength(maxKey))
    .annotate({
      description:
        "A name for this piece of work, such as \"market-map-2026-11\". A call that is repeated with the same key returns the " +
        "run that the first call started, and starts no second one. Give one for each run that you start."
    })
)

export const runId = (tool: string) => text(`The run_id that ${tool} returned.`)

export const seconds = Schema.optionalKey(
  Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: maxWaitSeconds })).annotate({
    description: `How long to wait, in seconds. The default is ${maxWaitSeconds}, which is also the maximum.`
  })
)

/** The result of a tool for artifacts. */
export const Artifacts = Schema.Struct({ run_id: Schema.String, artifacts: Schema.Array(Artifact) })

/** The result of a tool that cancels nothing. It makes no request, so it does not know the status of the run. */
export const Stopped = Schema.Struct({ run_id: Schema.String, message: Schema.String })

const isAmount = (value: unknown): boolean => Predicate.isNumber(value) && value >= 0 && value < Infinity

/** Checks the options of the layer of a toolkit. */
export const readOptions = Effect.fnUntraced(
  function*(options: { readonly estimate?: number | undefined } | undefined) {
    const { estimate = 50 } = yield* Options.copyConfig("options", options, ["estimate"])
    yield* Options.checkGivenConfig("estimate", estimate, isAmount, "a number, zero or more")
    return { estimate }
  }
)
