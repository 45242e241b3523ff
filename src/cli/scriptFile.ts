/** The file that `npm run emulator -- --script file.json` reads: what the runs of the served emulator do. */
import type * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as SpineEmulator from "../testing/SpineEmulator.ts"
import type * as TelaScript from "../testing/TelaScript.ts"
import * as Timeline from "../testing/Timeline.ts"

const behaviour = {
  /** From start to end, such as `"10 seconds"`. */
  duration: Schema.optionalKey(Schema.DurationFromString),
  /** The errors of a run that ends `partial` or `failed`. */
  errors: Schema.optionalKey(Schema.Array(Schema.String))
}

/** The first entry whose `prompt` is contained in the prompt of a run applies to it. Without `prompt` it always applies. */
const SpineRun = Schema.Struct({
  prompt: Schema.optionalKey(Schema.NonEmptyString),
  outcome: Schema.optionalKey(Schema.Literals(["completed", "partial", "failed"])),
  finalOutput: Schema.optionalKey(Schema.String),
  artifacts: Schema.optionalKey(Schema.Array(Schema.Struct({ name: Schema.NonEmptyString, content: Schema.String }))),
  credits: Schema.optionalKey(Schema.Finite),
  ...behaviour
})

const TelaCanvas = Schema.Struct({
  /** The id of the canvas, of its only version and of its app. */
  id: Schema.String.check(Schema.isUUID()),
  title: Schema.optionalKey(Schema.String),
  outcome: Schema.optionalKey(Schema.Literals(["completed", "failed"])),
  output: Schema.optionalKey(Schema.Json),
  /** A JSON Schema. Without `output`, runs answer with a value that fits it. */
  structuredOutput: Schema.optionalKey(Schema.Record(Schema.String, Schema.Json)),
  /** The pieces that a stream sends. */
  pieces: Schema.optionalKey(Schema.Array(Schema.String)),
  ...behaviour
})

const ScriptFile = Schema.Struct({
  spine: Schema.optionalKey(Schema.Struct({ runs: Schema.Array(SpineRun) })),
  tela: Schema.optionalKey(Schema.Struct({ canvases: Schema.Array(TelaCanvas) }))
})

export type ScriptFile = typeof ScriptFile.Type

/** Decodes the content of the file, or throws. A member that has no meaning is refused, because it is a typo. */
export const decode = Schema.decodeUnknownSync(ScriptFile, { onExcessProperty: "error", errors: "all" })

/** The script of a Spine run with that prompt. */
export const spineScript = (
  file: ScriptFile,
  defaultDuration: Duration.Input
) =>
({ prompt }: Pick<SpineEmulator.CreateRequest, "prompt">): SpineEmulator.Script => {
  const { artifacts, credits, duration = defaultDuration, errors, finalOutput, outcome } =
    file.spine?.runs.find((run) => run.prompt === undefined || prompt.includes(run.prompt)) ?? {}
  return {
    timeline: Timeline.make({ duration, outcome, errors }),
    estimatedDuration: duration,
    finalOutput,
    artifacts,
    credits
  }
}

/** The canvases of Tela, of which each answers as the file says. */
export const telaCanvases = (file: ScriptFile, defaultDuration: Duration.Input): ReadonlyArray<TelaScript.Canvas> =>
  (file.tela?.canvases ?? []).map((canvas): TelaScript.Canvas => ({
    id: canvas.id,
    versionIds: [canvas.id],
    applicationId: canvas.id,
    title: canvas.title,
    structuredOutput: canvas.structuredOutput ?? (Predicate.isObject(canvas.output) ? { type: "object" } : undefined),
    script: {
      timeline: Timeline.make({
        duration: canvas.duration ?? defaultDuration,
        outcome: canvas.outcome,
        errors: canvas.errors
      }),
      output: canvas.output as TelaScript.Output | undefined,
      ...(canvas.pieces === undefined ? {} : { stream: { pieces: canvas.pieces } })
    }
  }))
