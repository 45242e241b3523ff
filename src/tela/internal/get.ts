/** Requests that read data. */
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as Http from "../../internal/http.ts"
import type { RunRef } from "../../internal/ref.ts"
import type { RequestError } from "../../RunError.ts"

/** Sends a GET, and returns the decoded response. `ref` names what it is about. */
export const get = <A>(
  api: Http.Api,
  operation: string,
  path: string,
  decode: Http.Call<A>["decode"],
  { ref, ...options }: HttpClientRequest.Options.NoUrl & { readonly ref?: RunRef } = {}
): Effect.Effect<A, RequestError> =>
  Effect.map(
    api.call({ operation, request: HttpClientRequest.get(path, options), decode, ref }),
    ({ value }) => value
  )
