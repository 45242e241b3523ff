/** A provider of your own, for a service of jobs. Run: `npm run example examples/28-own-provider.ts` */
import { Clock, Console, Duration, Effect, Redacted, Schema } from "effect"
import { HttpClient, HttpClientRequest as Request } from "effect/http"
import { Polling, Run, RunError, RunRef, type RunSource } from "canvas-runs"
import { layer, origin } from "./support/acme.ts"

const { Finite, String } = Schema
/** The status is `running`, `succeeded`, `failed`, or a status that the service adds later. */
const Job = Schema.Struct({ id: String, status: String, done: Finite, total: Finite, output: String })
interface Job extends Schema.Schema.Type<typeof Job> {}
const decodeJob = Schema.decodeUnknownEffect(Schema.fromJsonString(Job))

export const make = Effect.fn("Acme.make")(function*(apiKey: Redacted.Redacted<string>) {
  const client = HttpClient.mapRequest(yield* HttpClient.HttpClient, Request.bearerToken(Redacted.value(apiKey)))
  /** The errors contain neither the request, which has the key, nor the body, which may quote the key. */
  const call = (operation: string, request: Request.HttpClientRequest, ref?: RunRef.RunRef) => {
    const about = { operation, ref, attempts: 1, elapsed: Duration.zero }
    const message = `${operation}: the response is not the job. Check the address of the service.`
    const invalid = new RunError.InvalidResponseError({ ...about, message, isRetryable: false })
    return Effect.gen(function*() {
      const { headers, status, text } = yield* client.execute(request)
      const seconds = Number(headers["retry-after"])
      const retryAfter = seconds > 0 ? Duration.seconds(seconds) : undefined
      const requestId = headers["x-request-id"]
      const failed = { ...about, message: `${operation}: Acme answered ${status}.`, status, requestId, retryAfter }
      if (status === 401 || status === 403) return yield* new RunError.AuthenticationError(failed)
      if (status === 404) return yield* new RunError.NotFoundError(failed)
      if (status === 429) return yield* new RunError.RateLimitError(failed)
      if (status >= 500) return yield* new RunError.ServerError(failed)
      if (status >= 400) return yield* new RunError.BadRequestError({ ...failed, sent: true })
      const value = yield* Effect.mapError(decodeJob(yield* text), () => invalid)
      if (ref !== undefined && value.id !== ref.id) return yield* invalid
      return { value, requestId, retryAfter }
    }).pipe(
      Effect.timeout("30 seconds"),
      Effect.catchTags({
        HttpClientError: ({ reason }) =>
          new RunError.TransportError({ ...about, message: `${operation}: ${reason._tag}.`, reached: true }),
        TimeoutError: () =>
          new RunError.RequestTimeoutError({ ...about, message: `${operation}: no response in 30 s.` })
      })
    )
  }

  const source = (ref: RunRef.RunRef): RunSource.RunSource<Job, Job, Job> => ({
    ref,
    retrieve: call("jobs.get", Request.get(`${origin}/jobs/${ref.id}`), ref),
    status: (job) => job.status,
    unchanged: (previous, next) => previous.status === next.status && previous.done === next.done,
    classify: (run) => {
      if (run.status === "succeeded") return { _tag: "Succeeded", run }
      if (run.status === "failed") return { _tag: "Failed", run, errors: [run.output] }
      return { _tag: "Pending", progress: { completed: run.done, total: run.total } }
    }
  })
  return {
    create: Effect.fn("Acme.create")(function*(prompt: string) {
      const createdAt = yield* Clock.currentTimeMillis
      const post = Request.bodyJsonUnsafe(Request.post(`${origin}/jobs`), { prompt })
      const { requestId, value } = yield* Effect.mapError(call("jobs.create", post), (cause) => {
        const { attempts, elapsed, message, operation, status = 0 } = cause
        if (status >= 400 && status < 500) return cause
        return new RunError.CreateOutcomeUnknownError({ message, operation, attempts, elapsed, cause })
      })
      return RunRef.make({ provider: "acme", kind: "job", id: value.id, createdAt, requestId })
    }),
    /** Returns a handle with `wait`, `watch` and more, whose waiters share one poll loop. */
    share: Effect.fn("Acme.share")(function*(ref: RunRef.RunRef, options?: Polling.Options<Job>) {
      const defaults = { pollInterval: "5 seconds", timeout: "15 minutes" } as const
      return yield* Run.share(source(ref), yield* Polling.makePolicy("jobs.share", options, defaults))
    })
  }
})

const main = Effect.gen(function*() {
  const acme = yield* make(Redacted.make("acme_key"))
  const { wait } = yield* acme.share(yield* acme.create("Compute six times seven"), { pollInterval: "200 millis" })
  yield* Console.log((yield* wait).output)
})
if (import.meta.main) await Effect.runPromise(Effect.provide(main, layer))
