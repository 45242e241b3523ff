/** Requests that read data. */
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as Http from "../../internal/http/call.ts"
import type { RunRef } from "../../internal/ref.ts"
import * as Telemetry from "../../internal/telemetry.ts"
import type { RequestError } from "../../RunError.ts"
import { provider } from "../TelaExecution.ts"

/** Sends a GET, and returns the decoded response. */
export const get = <A>(
  api: Http.Api,
  operation: string,
  path: string,
  decode: Http.Call<A>["decode"],
  { ref, span, ...options }: HttpClientRequest.Options.NoUrl & {
    /** Names the target of the request. */
    readonly ref?: RunRef
    /** The name of the span of the request. Without a name it has none. */
    readonly span?: string
  } = {}
): Effect.Effect<A, RequestError> => {
  const value = Effect.map(
    api.call({ operation, request: HttpClientRequest.get(path, options), decode, ref }),
    ({ value }) => value
  )
  const attributes = ref === undefined ? { "run.provider": provider } : Telemetry.attributes(ref)
  return span === undefined ? value : Telemetry.span(span, attributes)(value)
}
