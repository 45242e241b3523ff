import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Command from "effect/cli/Command"
import { exitCodes } from "../exitCode.ts"
import { jsonOf, Line, Output } from "../output.ts"

export const command = Command.make("schema", {}, () =>
  Effect.gen(function*() {
    const { line } = yield* Output
    const { definitions, schema } = Schema.toJsonSchemaDocument(Line)
    const document = jsonOf({
      $schema: "https://json-schema.org/draft/2020-12/schema",
      title: "A line of the output of canvas-runs --json",
      ...schema,
      $defs: definitions,
      "x-exit-codes": exitCodes
    })
    yield* line({ type: "document", document }, JSON.stringify(document, undefined, 2))
  })).pipe(
    Command.withExamples([{
      command: "canvas-runs schema > canvas-runs.schema.json",
      description: "Keep the schema in a file"
    }])
  )
