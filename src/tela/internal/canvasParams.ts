/** The options of a canvas and the parameters of its executions, checked before any request. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { quote } from "../../internal/describe.ts"
import { checkId } from "../../internal/id.ts"
import * as Options from "../../internal/options.ts"
import { badRequest, type BadRequestError } from "../../RunError.ts"
import type { Schemas } from "../TelaCanvas.ts"
import type { DynamicParams, GetExecutionParams } from "../TelaExecution.ts"
import type { StreamParams } from "../TelaStream.ts"
import * as AnySchema from "./anySchema.ts"
import { type Validate, validateWith } from "./output.ts"

/** Names a canvas, one of its versions, or an application. */
export interface Target {
  /** The id of the canvas. */
  readonly id?: string | undefined
  /** The id of the version. */
  readonly versionId?: string | undefined
  /** The id of the application. */
  readonly applicationId?: string | undefined
}

/** The options of a canvas, of a version or of an application. */
export interface AnyOptions extends Target, Schemas<AnySchema.AnySchema, AnySchema.AnySchema> {}

/** The options after they have been copied. A caller in JavaScript may pass values of any type. */
export type ReadOptions = Result.Result<AnyOptions, Options.Fault>

/** Copies the options. */
export const readOptions = (given: AnyOptions): ReadOptions =>
  Options.read("options", given, [...targetNames, "input", "output"], true)

const targetNames = ["applicationId", "versionId", "id"] as const

/** Checks the options. */
export const checkOptions = (operation: string, read: ReadOptions): Effect.Effect<AnyOptions, BadRequestError> =>
  Effect.gen(function*() {
    if (Result.isFailure(read)) {
      const { message, option: parameter } = read.failure
      return yield* badRequest({ operation, parameter, message })
    }
    const options = read.success
    const given = targetNames.filter((name) => options[name] !== undefined)
    if (given.length === 0 || options.applicationId !== undefined && given.length > 1) {
      return yield* badRequest({
        operation,
        parameter: "id",
        message: `the options have ${
          given.length === 0 ? "no id" : given.join(" and ")
        }. Give the id of a canvas, a versionId or both, or an applicationId alone.`
      })
    }
    yield* checkSchema(operation, "input", options.input)
    yield* checkSchema(operation, "output", options.output)
    yield* Effect.forEach(given, (name) => checkId(operation, name, options[name]), { discard: true })
    return options
  })

/** Checks a schema of the caller. A value that is not a schema would otherwise be found after the execution is billed. */
const checkSchema = (operation: string, parameter: string, schema: unknown): Effect.Effect<void, BadRequestError> => {
  const fault = schema === undefined ? undefined : AnySchema.faultOf(schema)
  return fault === undefined ? Effect.void : Effect.fail(badRequest({
    operation,
    parameter,
    message:
      `the ${parameter} schema is ${fault}. Pass an Effect Schema, a Standard Schema such as a Zod schema, or a ` +
      "plain object of such schemas, for example { total: Schema.Number }."
  }))
}

/** The parameters of every mode. */
export interface AnyParams
  extends Omit<DynamicParams<boolean, unknown, unknown>, "async" | "stream">, Omit<StreamParams, "async" | "stream">
{
  readonly async?: boolean | undefined
  readonly stream?: boolean | undefined
  readonly label?: string | undefined
}

/** Copies and checks the parameters of a look-up of an execution. */
export const checkLookUp = (
  operation: string,
  given: (GetExecutionParams & { readonly output?: unknown }) | undefined,
  /** The options of a canvas, whose schema is used instead of the one in the parameters. */
  canvas: AnyOptions | undefined
): Effect.Effect<{ readonly params: GetExecutionParams; readonly validate: Validate }, BadRequestError> =>
  Effect.gen(function*() {
    const params = yield* Options.copy(operation, "params", given, lookUpNames)
    const { output } = canvas ?? params
    yield* checkSchema(operation, "output", output)
    const isTask = params.isTask ?? canvas?.applicationId !== undefined
    yield* Options.checkKind(operation, "isTask", isTask, Predicate.isBoolean, "true or false")
    return {
      params: { ...params, isTask },
      validate: validateWith(output as AnySchema.AnySchema | undefined, params.skipResultValidation)
    }
  })

/** The mode that a method fixes. */
export interface Mode {
  readonly async?: boolean
  readonly stream?: boolean
}

/** Copies and checks the parameters of an execution, and checks its mode and its variables. */
export const checkExecution = (
  operation: string,
  variables: unknown,
  given: AnyParams | undefined,
  mode: Mode,
  isTask: boolean
): Effect.Effect<AnyParams, BadRequestError> =>
  Effect.gen(function*() {
    const names = mode.stream ? streamNames : isTask ? taskNames : canvasNames
    const params = yield* Options.copy(operation, "params", given, names)
    const { async, stream } = { ...params, ...mode }
    const wrong = (parameter: string, message: string) => badRequest({ operation, parameter, message })
    yield* Options.checkKind(operation, "async", async, Predicate.isBoolean, "true or false")
    yield* Options.checkKind(operation, "stream", stream, Predicate.isBoolean, "true or false")
    if (async === true && stream === true) {
      return yield* wrong("stream", "async and stream are both true. An execution has one mode: leave one of them out.")
    }
    if (isTask && (async === false || stream === true)) {
      return yield* wrong(
        stream === true ? "stream" : "async",
        "a task is always asynchronous, and does not stream. Leave async and stream out."
      )
    }
    const created = createdNames.find((name) => params[name as keyof AnyParams] !== undefined)
    if (created !== undefined && async !== true && !isTask) {
      return yield* wrong(created, `${created} needs an asynchronous execution. Set async to true.`)
    }
    const timed = timeNames.find((name) => params[name as keyof AnyParams] !== undefined)
    if (timed !== undefined && async === true) {
      return yield* wrong(timed, `${timed} does not bound an asynchronous execution. Give pollingTimeout instead.`)
    }
    if (!Options.is(isVariables, variables)) {
      const message = `the variables are ${nameOf(variables)}. Pass an object with a member for each variable.`
      return yield* wrong("variables", message)
    }
    return params
  })

const isVariables = (variables: unknown): boolean =>
  Predicate.isObject(variables) && !(variables instanceof Date) && !Effect.isEffect(variables) &&
  !Predicate.isPromiseLike(variables)

/** A `Date` is an object both to the compiler and in JavaScript. */
const nameOf = (variables: unknown): string =>
  Options.is((variables) => variables instanceof Date, variables) ? "a Date" : quote(variables)

const executeNames = ["messages", "override", "tags", "skipResultValidation", "async", "stream"]
const versionNames = ["versionId", "environmentName"]
const pollNames = [
  "pollingInterval",
  "schedule",
  "pollingTimeout",
  "errorBudget",
  "notFoundGrace",
  "retryAfterCeiling"
]
const createdNames = ["webhookUrl", "forwardHeaders", "onCreated"]
const timeNames = ["timeout", "firstEventTimeout", "idleTimeout"]
const streamNames = [...executeNames, ...versionNames, ...timeNames]
const canvasNames = [...streamNames, ...pollNames, ...createdNames]
const taskNames = [...executeNames, ...pollNames, ...createdNames, "label"]
const lookUpNames = [...pollNames, "isTask", "skipResultValidation", "output"]
