/**
 * Structured output as it grows. Until the end it is a deep partial of the schema's type, which is enough to show what
 * is known; the last part holds the whole, validated.
 *
 * The canvas takes a text, `city`, and answers with an object like `Trip`.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema, Stream } from "effect"
import { Tela } from "canvas-runs"
import { canvasId, live } from "./support/liveTela.ts"

const Trip = Schema.Struct({
  title: Schema.String,
  days: Schema.Array(Schema.Struct({ place: Schema.String, hours: Schema.Finite }))
})

/** Every property may be missing, at any depth. */
const sketch = ({ days = [], title = "..." }: Tela.DeepPartial<typeof Trip.Type>): string =>
  `${title}: ${days.map(({ hours, place }) => `${place ?? "..."} (${hours ?? "?"} h)`).join(", ")}`

const program = Effect.gen(function*() {
  const tela = yield* Tela.TelaClient
  const canvas = tela.canvas.make({ id: yield* canvasId, output: Trip })

  yield* canvas.stream({ city: "Porto" }).pipe(
    Stream.map((part) => {
      switch (part._tag) {
        case "delta":
          return part.structured === undefined ? "thinking" : `so far: ${sketch(part.structured)}`
        case "event":
          return `${part.event}: ${JSON.stringify(part.data)}`
        case "final":
          return `${part.result.days.reduce((sum, { hours }) => sum + hours, 0)} hours in all`
      }
    }),
    // Many parts say nothing new
    Stream.changes,
    Stream.runForEach((line) => Console.log(line))
  )
})

const title = "Porto in two days"
const cathedral = { place: "Cathedral", hours: 2 }
const cellars = { place: "Wine cellars", hours: 4 }

program.pipe(
  Effect.provide(live({
    canvas: {
      script: {
        stream: {
          pause: "4 seconds",
          pieces: [
            "{",
            { structured: { title } },
            { structured: { title, days: [{ place: "Cathedral" }] } },
            { structured: { title, days: [cathedral] } },
            { event: "usage", data: { tokens: 128 } },
            { structured: { title, days: [cathedral, cellars] } }
          ]
        }
      }
    }
  })),
  NodeRuntime.runMain
)
