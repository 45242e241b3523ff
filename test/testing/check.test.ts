import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { Fault, Rude, SpineEmulator, TelaEmulator, Timeline } from "canvas-runs/testing"

const plain = { duration: 0 } as never

/** Invalid values for the test kit, with the text that the error must have. */
const wrong: Readonly<Record<string, readonly [() => unknown, ...Array<string>]>> = {
  "a rudeness with an unknown name": [() => Rude.only("gzipp" as never), "\"gzipp\"", "gzip"],
  "a rudeness that is undefined": [() => Rude.only(undefined as never), "undefined"],
  "a rudeness to leave out with an unknown name": [() => Rude.except("gzip", "etag" as never), "\"etag\""],
  "a seed that is text": [() => Rude.sample("1" as never), "seed is \"1\""],
  "a seed that is a fraction": [() => Rude.sample(0.5), "seed is 0.5"],
  "a negative count": [() => Fault.drop.pipe(Fault.times(-1)), "times of a fault is -1"],
  "a count that is text": [() => Fault.times(Fault.drop, "2" as never), "times of a fault is \"2\""],
  "a count that is NaN": [() => Fault.times(Fault.drop, NaN), "times of a fault is NaN"],
  "a fraction of requests to spare": [() => Fault.skip(Fault.drop, 1.5), "skip of a fault is 1.5"],
  "a status below 200": [() => Fault.status(99), "status of a fault is 99", "200 to 599"],
  "a status above 599": [() => Fault.handleThenStatus(600), "status of a fault is 600"],
  "a status of a page that is text": [() => Fault.html("<p>", "200" as never), "status of a fault is \"200\""],
  "a status of an empty answer that is a fraction": [() => Fault.empty(200.5), "status of a fault is 200.5"],
  "a negative number of bytes": [() => Fault.truncate(-4), "bytes of a fault is -4"],
  "an infinite number of bytes": [() => Fault.dropInside(Infinity), "bytes of a fault is Infinity"],
  "a negative delay": [() => Fault.delay(-1), "delay of a fault is -1"],
  "a delay in an unknown unit": [() => Fault.answerLate("5 parsecs" as never), "delay of a fault is \"5 parsecs\""],
  "a pause that is NaN": [() => Fault.after(Fault.drop, NaN), "delay of a fault is NaN"],
  "a negative duration": [() => Timeline.make({ duration: -1 }), "duration of a timeline is -1"],
  "a duration that is text": [() => Timeline.make({ duration: "x" as never }), "duration of a timeline is \"x\""],
  "a negative number of tasks": [() => Timeline.make({ tasks: -1 }), "tasks of a timeline is -1"],
  "an unknown outcome": [() => Timeline.make({ outcome: "done" as never }), "\"done\"", "completed"],
  "errors that are text": [() => Timeline.make({ errors: "no" as never }), "errors of a timeline is \"no\""],
  "a status from a negative time": [
    () => Timeline.make({ statuses: [{ from: -5, status: "queued" }] }),
    "from of a status is -5"
  ],
  "a status until an invalid time": [
    () => Timeline.make({ statuses: [{ from: 0, to: "soon" as never, status: "queued" }] }),
    "to of a status is \"soon\""
  ],
  "a timeline in the options that is a plain object": [
    () => Effect.runSync(Effect.provide(Effect.void, SpineEmulator.layer({ script: { timeline: plain } }))),
    "timeline of a script is",
    "Timeline.make"
  ],
  "a timeline of a test that is a plain object": [
    () =>
      Effect.runSync(
        TelaEmulator.TelaEmulator.use(({ script }) => script({ timeline: plain })).pipe(
          Effect.provide(TelaEmulator.layer())
        )
      ),
    "timeline of a script is"
  ]
}

describe("arguments of the test kit", () => {
  for (const [name, [make, ...words]] of Object.entries(wrong)) {
    it(`${name} is rejected with a message that names it`, () => {
      let thrown: unknown
      try {
        make()
      } catch (error) {
        thrown = error
      }
      assert.instanceOf(thrown, RangeError)
      for (const word of words) assert.include((thrown as Error).message, word)
    })
  }

  it("the limits of allowed ranges are accepted", () => {
    assert.deepStrictEqual(Rude.only(), [])
    assert.deepStrictEqual(Rude.only("gzip"), ["gzip"])
    assert.strictEqual(Fault.times(Fault.drop, Infinity).times, Infinity)
    assert.strictEqual(Fault.skip(Fault.drop, 0).skip, 0)
    assert.strictEqual(Fault.delay(0).delayMillis, 0)
    assert.strictEqual(Timeline.make({ duration: 0, tasks: 0 }).durationMillis, 0)
    assert.strictEqual(Timeline.make({ duration: Duration.infinity }).durationMillis, Infinity)
    for (const status of [200, 599]) {
      const { action } = Fault.status(status)
      assert.strictEqual(action._tag === "Respond" && action.answer.status, status)
    }
  })
})
