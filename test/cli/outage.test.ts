import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Ref } from "effect"
import { TestClock } from "effect/testing"
import { RunError } from "canvas-runs"
import * as Outage from "../../src/cli/outage.ts"
import { Output } from "../../src/cli/output.ts"

const failure = new RunError.ServerError({
  message: "runs.retrieve: the provider failed with 503. Try again later.",
  operation: "runs.retrieve",
  status: 503,
  attempts: 3,
  elapsed: Duration.zero
})

/** Polls until the input ends, and returns what the user was told. */
const told = (polls: Effect.Effect<unknown, RunError.RequestError, Output>) =>
  Effect.gen(function*() {
    const notes = yield* Ref.make<ReadonlyArray<string>>([])
    const output: Output["Service"] = {
      isJson: false,
      line: () => Effect.void,
      piece: () => Effect.void,
      above: () => Effect.void,
      note: (text) => Ref.update(notes, (notes) => [...notes, text])
    }
    yield* polls.pipe(
      Effect.provideService(Output, output),
      Effect.provideService(Outage.Outages, Outage.make())
    )
    return yield* Ref.get(notes)
  })

const note = "Spine answers with status 503; trying again."
const works = Outage.watchedPoll("spine", Effect.void)
const fails = Effect.ignore(Outage.watchedPoll("spine", Effect.fail(failure)))

describe("the note about an outage", () => {
  it.effect("is one for all failing polls in a row", () =>
    Effect.gen(function*() {
      const notes = yield* told(Effect.andThen(works, Effect.repeat(fails, { times: 20 })))
      assert.deepStrictEqual(notes, [note])
    }))

  it.effect("comes again for a new outage, at most once a minute", () =>
    Effect.gen(function*() {
      const outage = Effect.andThen(fails, works)
      const notes = yield* told(
        Effect.gen(function*() {
          yield* Effect.repeat(outage, { times: 5 })
          yield* TestClock.adjust("1 minute")
          yield* Effect.repeat(outage, { times: 5 })
        })
      )
      assert.deepStrictEqual(notes, [note, note])
    }))

  it.effect("does not come for an error that ends the wait", () =>
    Effect.gen(function*() {
      const final = new RunError.NotFoundError({
        message: "runs.retrieve: not found, or owned by another account (no run). Check the id and the API key.",
        operation: "runs.retrieve",
        status: 404,
        attempts: 1,
        elapsed: Duration.zero
      })
      assert.deepStrictEqual(yield* told(Effect.ignore(Outage.watchedPoll("spine", Effect.fail(final)))), [])
    }))
})
