/** Every place that reads an answer about one run or task: an answer about another one is no answer. */
import { assert } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import { RunError, Spine, Tela } from "canvas-runs"
import type { Place } from "./kind.ts"

const asked = "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"
const other = "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a12"

const run = (id: string, status = "completed") => ({
  success: true,
  data: { run_id: id, status, duration_ms: 1, result: { final_output: "the answer", artifacts: [] } }
})

const task = (id: string) => ({
  id,
  status: "completed",
  inputContent: { files: [] },
  outputContent: { role: "assistant", content: "the answer" }
})

const answering = (body: unknown) =>
  Layer.mergeAll(
    Spine.layer({ apiKey: Redacted.make("sk_spine_key") }),
    Tela.layer({ apiKey: Redacted.make("tela_key") })
  ).pipe(
    Layer.provide(Layer.succeed(
      HttpClient.HttpClient,
      HttpClient.make((request) => Effect.sync(() => HttpClientResponse.fromWeb(request, Response.json(body))))
    )),
    Layer.orDie
  )

/** Is refused where the answer is about another one, and taken where it is not. */
const isRefused = (
  about: (id: string) => unknown,
  use: Effect.Effect<unknown, unknown, Spine.SpineClient | Tela.TelaClient>
) =>
() =>
  Effect.gen(function*() {
    const error = yield* Effect.flip(Effect.provide(use, answering(about(other))))
    assert.instanceOf(error, RunError.InvalidResponseError)
    yield* Effect.provide(use, answering(about(asked.toUpperCase())))
  })

const spine = <A, E>(use: (spine: Spine.Service) => Effect.Effect<A, E>) => Spine.SpineClient.use(use)
const tela = <A, E>(use: (tela: Tela.Service) => Effect.Effect<A, E>) => Tela.TelaClient.use(use)

export const places: ReadonlyArray<Place> = [
  {
    name: "a poll of Spine answers about the run that was asked for",
    mutant: {
      file: "src/spine/SpineRuns.ts",
      find: "run.run_id.toLowerCase() === ref.id.toLowerCase()",
      replace: "run.run_id !== \"\""
    },
    inputs: {
      "a wait is told the end of another run": isRefused(run, spine(({ runs }) => runs.waitForCompletion(asked))),
      "a failure of another run is no failure of this one": isRefused(
        (id) => run(id, "failed"),
        spine(({ runs }) => runs.waitForCompletion(asked, { resolveOnFailure: true }))
      ),
      "a look-up": isRefused(run, spine(({ runs }) => runs.retrieve(asked)))
    }
  },
  {
    name: "a call about a Tela task answers about the task that was asked for",
    mutant: {
      file: "src/tela/TelaTasks.ts",
      find: "id.toLowerCase() === ref.id.toLowerCase()",
      replace: "id !== \"\""
    },
    inputs: {
      "its output": isRefused(task, tela(({ tasks }) => tasks.getOutput(asked))),
      "its files": isRefused(task, tela(({ tasks }) => tasks.getInputFiles(asked))),
      "a change of it": isRefused(task, tela(({ tasks }) => tasks.approve(asked)))
    }
  }
]
