/**
 * The program to which canvas-runs is added: a client for a job API, written by hand with Effect's Schema, Stream and HttpClient
 * as in their guides. It creates a job, polls it on a Schedule, reads a stream of lines, decodes every answer, and logs.
 */
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { flow } from "effect/Function"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

class Job extends Schema.Class<Job>("Job")({
  id: Schema.String,
  status: Schema.Literals(["queued", "running", "succeeded", "failed"]),
  output: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown))
}) {}

const LogLine = Schema.fromJsonString(Schema.Struct({ level: Schema.String, text: Schema.String }))

class JobsError extends Schema.TaggedError<JobsError>()("JobsError", { cause: Schema.Defect() }) {}

interface JobsService {
  readonly create: (prompt: string) => Effect.Effect<Job, JobsError>
  readonly wait: (id: string) => Effect.Effect<Job, JobsError>
  readonly logs: (id: string) => Stream.Stream<typeof LogLine.Type, JobsError>
}

class Jobs extends Context.Service<Jobs, JobsService>()("app/Jobs") {
  static readonly layer = Layer.effect(
    Jobs,
    Effect.gen(function*() {
      const token = yield* Config.Redacted("JOBS_TOKEN")
      const client = (yield* HttpClient.HttpClient).pipe(
        HttpClient.mapRequest(flow(
          HttpClientRequest.prependUrl("https://jobs.example"),
          HttpClientRequest.bearerToken(Redacted.value(token)),
          HttpClientRequest.acceptJson
        )),
        HttpClient.filterStatusOk
      )
      const reads = client.pipe(HttpClient.retryTransient({ schedule: Schedule.exponential(100), times: 3 }))
      const failed = Effect.mapError((cause: unknown) => new JobsError({ cause }))

      const create = Effect.fn("Jobs.create")(function*(prompt: string) {
        const request = HttpClientRequest.post("/jobs").pipe(HttpClientRequest.bodyJsonUnsafe({ prompt }))
        return yield* client.execute(request).pipe(
          Effect.flatMap(HttpClientResponse.schemaBodyJson(Job)),
          Effect.timeout("30 seconds"),
          failed
        )
      })

      const wait = Effect.fn("Jobs.wait")(function*(id: string) {
        return yield* reads.get(`/jobs/${id}`).pipe(
          Effect.flatMap(HttpClientResponse.schemaBodyJson(Job)),
          Effect.repeat({
            schedule: Schedule.spaced("5 seconds"),
            until: (job) => job.status === "succeeded" || job.status === "failed"
          }),
          Effect.timeout("15 minutes"),
          failed
        )
      })

      const logs = (id: string) =>
        reads.get(`/jobs/${id}/logs`).pipe(
          HttpClientResponse.stream,
          Stream.decodeText(),
          Stream.splitLines,
          Stream.filter((line) => line !== ""),
          Stream.mapEffect((line) => Schema.decodeEffect(LogLine)(line)),
          Stream.mapError((cause) => new JobsError({ cause }))
        )

      return Jobs.of({ create, wait, logs })
    })
  ).pipe(Layer.provide(FetchHttpClient.layer))
}

export const program = Effect.gen(function*() {
  const jobs = yield* Jobs
  const { id } = yield* jobs.create("Compare three vector databases")
  yield* jobs.logs(id).pipe(Stream.runForEach(({ level, text }) => Effect.logInfo(level, text)))
  const job = yield* jobs.wait(id)
  yield* Console.log(job.output)
}).pipe(
  Effect.catchTag("JobsError", (error) => Effect.logError(error)),
  Effect.provide(Jobs.layer)
)
