/**
 * Structured output while it grows. Until the end, members may be missing at any depth and nothing is validated, so the partial
 * output is decoded with a schema in which everything is optional. The last part holds the whole output, validated.
 *
 * The canvas takes a text, `city`, and answers with an object like `Trip`.
 *
 * Run: `npm run example examples/14-structured-stream.ts`
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Option, Schema, Stream } from "effect"
import { Tela } from "canvas-runs"
import { canvasId, live } from "./support/liveTela.ts"

const Trip = Schema.Struct({
  title: Schema.String,
  days: Schema.Array(Schema.Struct({ place: Schema.String, hours: Schema.Finite }))
})

/** Shows the parts of a trip that have arrived. */
const Sketch = Schema.Struct({
  title: Schema.optionalKey(Schema.String),
  days: Schema.optionalKey(Schema.Array(Schema.Struct({
    place: Schema.optionalKey(Schema.String),
    hours: Schema.optionalKey(Schema.Finite)
  })))
})

const decodeSketch = Schema.decodeUnknownOption(Sketch)

const sketch = ({ days = [], title = "..." }: typeof Sketch.Type): string =>
  `${title}: ${days.map(({ hours, place }) => `${place ?? "..."} (${hours ?? "?"} h)`).join(", ")}`

const program = Effect.gen(function*() {
  const tela = yield* Tela.TelaClient
  const canvas = tela.canvas.make({ id: yield* canvasId, output: Trip })

  yield* canvas.stream({ city: "Porto" }).pipe(
    Stream.map((part) => {
      switch (part._tag) {
        case "delta":
          return Option.match(decodeSketch(part.structured), {
            onNone: () => "thinking",
            onSome: (trip) => `so far: ${sketch(trip)}`
          })
        case "event":
          return `${part.event}: ${JSON.stringify(part.data)}`
        case "final":
          return `${part.result.days.reduce((sum, { hours }) => sum + hours, 0)} hours in all`
      }
    }),
    // Many parts add nothing to the sketch
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
