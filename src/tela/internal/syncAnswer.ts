/** The response to a synchronous execution: how it is decoded, and which responses say that the execution failed. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as RunRef from "../../internal/ref.ts"
import type { CreateOutcomeUnknownError, FileInputError, RequestError, RunFailedError } from "../../RunError.ts"
import { provider } from "../TelaExecution.ts"
import * as Data from "../TelaSchema.ts"
import { errorIn, isAnswer, outcomeOf, reasonOf } from "./endMark.ts"
import { decodeWhole, executionFailed, failureOf, field, isWorkflow } from "./source.ts"

/** A response, with the output, or the provider's reasons if it says that the execution failed. */
export interface SyncAnswer {
  readonly outcome: Result.Result<unknown, ReadonlyArray<string>>
  readonly id: string | undefined
  readonly finishReason: string | undefined
  readonly raw: unknown
}

/**
 * Decodes a response by the rules of `endMark`. It is complete, because it is one JSON document, so only an error or a failed
 * `finish_reason` is a failure. A workflow or a run also has a status, which must be a success.
 */
export const decodeSync = (body: unknown): Effect.Effect<SyncAnswer, Schema.SchemaError> => {
  const errors = errorIn(body)
  if (errors !== undefined) return Effect.succeed(failed(body, errors))
  if (isWorkflow(body) || isRun(body)) {
    return Effect.andThen(
      decodeStatus(isWorkflow(body) ? "completed" : "succeeded")(body),
      Effect.map(decodeWhole("execution")(body), ({ output }) => answer(body, Result.succeed(output)))
    )
  }
  return Effect.map(Effect.andThen(decodeEnded(body), decodeChat(body)), ({ choices }) => {
    const choice = choices.find(isAnswer) ?? choices[0]
    const reason = choice.finish_reason ?? choice.finishReason
    const finishReason = typeof reason === "string" && reasonOf(reason) !== "none" ? reason : undefined
    const errors = errorIn({ error: choice.error })
    return errors !== undefined || outcomeOf(reason, true) !== "success"
      ? failed(body, errors ?? [], finishReason)
      : answer(body, Result.succeed(choice.message.content), finishReason)
  })
}

const answer = (body: unknown, outcome: SyncAnswer["outcome"], finishReason?: string): SyncAnswer => ({
  outcome,
  id: textIn(body, "id") || undefined,
  finishReason,
  raw: body
})

const failed = (body: unknown, errors: ReadonlyArray<string>, finishReason?: string): SyncAnswer =>
  answer(body, Result.fail(errors.length === 0 ? failureOf(body) : errors), finishReason)

/**
 * Recovers from an error whose response says that the execution ran and failed. Any other response of 5xx may come from a proxy,
 * while the execution succeeds.
 */
export const failedAnswer = <E extends RequestError | CreateOutcomeUnknownError | FileInputError>(
  error: E
): Effect.Effect<{ readonly value: SyncAnswer; readonly requestId: string | undefined }, E> => {
  if (error._tag === "FileInputError" || !saysThatItFailed(error.body)) return Effect.fail(error)
  const { body, providerMessage, requestId } = error
  const errors = failureOf(body)
  return Effect.succeed({
    requestId,
    value: failed(body, errors.length > 0 || providerMessage === undefined ? errors : [providerMessage])
  })
}

/** Fails if the response says that the execution failed. */
export const outputOf = ({ outcome, raw }: SyncAnswer, ref: RunRef.RunRef): Effect.Effect<unknown, RunFailedError> =>
  Effect.mapError(Effect.fromResult(outcome), (errors) => executionFailed(ref, raw, ref.requestId, errors))

/** Names an execution that cannot be looked up. */
export const refOf = (kind: "sync" | "stream", id: string | undefined, requestId: string | undefined): RunRef.RunRef =>
  RunRef.make({ provider, kind, id: id ?? requestId ?? "unknown", requestId })

/** Whether a response is a failed run, or an error whose code or name says that a run failed (assumed: none is documented). */
const saysThatItFailed = (body: unknown): boolean =>
  /^failed$/i.test(textIn(body, "status")) ||
  [textIn(body, "code"), textIn(body, "name")].some((word) =>
    /^(?:execution|run|completion|workflow)[_-]?failed(?:[_-]?error)?$/i.test(word)
  )

const textIn = (value: unknown, key: string): string => {
  const found = field(value, key)
  return typeof found === "string" ? found : ""
}

/** Whether a response has the form of an asynchronous run with an output. */
const isRun = (body: unknown): boolean =>
  !Array.isArray(field(body, "choices")) && (field(body, "output_content") ?? field(body, "outputContent")) != null

const decodeChat = Schema.decodeUnknownEffect(Data.ChatCompletion)

const decodeStatus = (status: string) => Schema.decodeUnknownEffect(Schema.Struct({ status: Schema.Literal(status) }))

/** A completion has no status, so any text that is not a success may mean that it has not ended. */
const decodeEnded = Schema.decodeUnknownEffect(Schema.Struct({
  status: Schema.optionalKey(
    Schema.Unknown.check(
      Schema.makeFilter((status) =>
        typeof status !== "string" || /^\s*(succeeded|success|completed?|done|finished|ok|2\d\d)?\s*$/i.test(status) ||
        "a status that says that the execution has succeeded"
      )
    )
  )
}))
