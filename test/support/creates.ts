/** Creates that fail in the ways that a store of runs tells apart. */
import { Duration, Effect, Redacted, Schedule } from "effect"
import { HttpClient } from "effect/http"
import { RunError, Spine } from "canvas-runs"
import { answering } from "./http.ts"

/** The error of a create after which a run may exist. */
export const noAnswer = new RunError.CreateOutcomeUnknownError({
  operation: "runs.create",
  attempts: 1,
  elapsed: Duration.zero,
  message: "test",
  cause: new Error("no answer")
})

/** A create that the provider refuses with this status, so that surely no run exists. */
export const refusedWith = (status: number) =>
  Spine.make({ apiKey: Redacted.make("sk_spine_answered"), retry: Schedule.recurs(0) }).pipe(
    Effect.provideService(HttpClient.HttpClient, answering(() => new Response("{}", { status })).client),
    Effect.orDie,
    Effect.flatMap(({ runs }) => runs.create({ prompt: "x" }))
  )
