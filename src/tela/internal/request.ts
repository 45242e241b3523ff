/** The request that starts an execution, or a task, of a canvas. */
import * as Effect from "effect/Effect"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Predicate from "effect/Predicate"
import { quote } from "../../internal/describe.ts"
import type { Client } from "../../internal/http/client.ts"
import * as Options from "../../internal/options.ts"
import { badRequest, type BadRequestError } from "../../RunError.ts"
import { provider } from "../TelaExecution.ts"
import type * as Data from "../TelaSchema.ts"
import type { AnyParams, Target } from "./canvasParams.ts"
import * as Files from "./files.ts"
import type { Validate } from "./output.ts"

/** An execution to start. Its parameters are checked, and its variables are encoded. */
export interface Job {
  /** The method that the program called, such as `"canvas.run"`. Errors name it. */
  readonly operation: string
  readonly client: Client
  readonly target: Target
  /** The name of the canvas or the application, if it was looked up. */
  readonly name: string | undefined
  readonly variables: unknown
  readonly params: AnyParams
  readonly validate: Validate
}

type Mode = "sync" | "async" | "stream"

/** Checks the values of the parameters, uploads the files, and returns the request with the encoded variables. */
export const makeRequest = ({ client, operation, params, target, variables }: Job, mode: Mode) =>
  Effect.gen(function*() {
    yield* Options.checkUrl(operation, "webhookUrl", params.webhookUrl)
    for (const name of ["label", "environmentName", "versionId"] as const) {
      yield* Options.checkKind(operation, name, params[name], Predicate.isString, "text")
    }
    yield* Options.checkKind(operation, "messages", params.messages, Array.isArray, "an array of messages")
    yield* Options.checkKind(operation, "tags", params.tags, Array.isArray, "an array of texts")
    const { structuredOutput, ...override } = yield* Options.copy(operation, "override", params.override, overrideNames)
    const headers = yield* Options.reading(
      operation,
      "forwardHeaders",
      () => forwardedHeaders(operation, params.forwardHeaders)
    )
    const resolved = yield* Files.resolve(client, operation, variables)
    const body = yield* jsonBody(operation, "params", {
      ...targetFields(target, params),
      variables: resolved,
      messages: params.messages,
      override: params.override === undefined ? undefined : { ...override, structured_output: structuredOutput },
      tags: params.tags,
      label: params.label,
      webhook_url: params.webhookUrl,
      ...(mode === "sync" ? undefined : { [mode]: true })
    })
    return { variables: resolved, request: HttpClientRequest.post("/v2/chat/completions", { headers, body }) }
  })

/** The attributes of the span of an execution. */
export const spanAttributes = ({ params, target: { applicationId, id, versionId } }: Job, mode: Mode) =>
  Object.fromEntries(
    Object.entries({
      "run.provider": provider,
      "execution.mode": mode,
      "canvas.id": id,
      "canvas.version_id": params.versionId ?? versionId,
      "canvas.application_id": applicationId
    }).filter(([, value]) => value !== undefined)
  )

/** What the executions of a target are made from: its application, its canvas in any version, or a version whose canvas is not named. */
export const templateOf = ({ applicationId, id, versionId }: Target): string | undefined =>
  applicationId ?? id ?? versionId

/** A body of JSON. `parameter` names the caller's value from which it is made. */
export const jsonBody = (operation: string, parameter: string, body: unknown) =>
  Effect.mapError(
    HttpBody.json(body),
    () => badRequest({ operation, parameter, message: `${parameter} could not be written as JSON. Pass plain data.` })
  )

const overrideNames: ReadonlyArray<keyof Data.Override> = [
  "type",
  "model",
  "temperature",
  "functions",
  "structuredOutput"
]

/** The headers to forward, with the prefix that the provider removes. Messages do not show their values: they may be secrets. */
const forwardedHeaders = (
  operation: string,
  given: unknown
): Effect.Effect<Record<string, string>, BadRequestError> => {
  const wrong = (message: string) => Effect.fail(badRequest({ operation, parameter: "forwardHeaders", message }))
  if (given === undefined) return Effect.succeed({})
  if (!Predicate.isObject(given)) {
    return wrong(`forwardHeaders is ${quote(given)}; it must be an object with the values of headers by name.`)
  }
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(given)) {
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) {
      return wrong(
        `forwardHeaders has the name ${quote(name)}, which no header can have. Use letters, digits and hyphens.`
      )
    }
    if (typeof value !== "string" || !/^[\t\u0020-\u007e]*$/.test(value)) {
      return wrong(
        `the forwardHeaders value of ${quote(name)} is ${
          typeof value === "string" ? "text with characters that no header can have" : quote(value)
        }; it must be text in ASCII, without line breaks.`
      )
    }
    headers[`x-tela-forward-${name.toLowerCase().replace(/^x-tela-forward-/, "")}`] = value
  }
  return Effect.succeed(headers)
}

const targetFields = (target: Target, { environmentName, versionId = target.versionId }: AnyParams) =>
  target.applicationId !== undefined ? { application_id: target.applicationId } : {
    canvas_id: target.id,
    version_id: versionId,
    environment_name: versionId === undefined ? environmentName : undefined
  }
