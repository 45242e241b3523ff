/**
 * The file that `npm run emulator -- --script file.json` reads: a script of the runs of the served emulators.
 *
 * **Details**
 *
 * ```json
 * {
 *   "spine": { "runs": [{ "prompt": "report", "outcome": "partial", "errors": ["no images"] }, { "duration": "1 minute" }] },
 *   "tela": { "canvases": [{ "id": "11111111-1111-4111-8111-111111111111", "output": { "total": 1 } }] }
 * }
 * ```
 */
import type * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as SpineEmulator from "../testing/SpineEmulator.ts"
import type * as TelaScript from "../testing/TelaScript.ts"
import * as Timeline from "../testing/Timeline.ts"

const behaviour = {
  /** The time from start to end, such as `"10 seconds"`. By default a Spine run takes 6 seconds, and a run of Tela takes 3. */
  duration: Schema.optionalKey(Schema.DurationFromString),
  /** The errors of a run that ends `partial` or `failed`. */
  errors: Schema.optionalKey(Schema.Array(Schema.String))
}

/** The script of a run. The first entry that applies to a run counts. */
const SpineRun = Schema.Struct({
  /** A part of the prompts that the entry applies to. Without it the entry applies to every run. */
  prompt: Schema.optionalKey(Schema.NonEmptyString),
  /** How the run ends. The default is `"completed"`. */
  outcome: Schema.optionalKey(Schema.Literals(["completed", "partial", "failed"])),
  /** The text that the run produces, in Markdown. */
  finalOutput: Schema.optionalKey(Schema.String),
  /** The files of the run, as text. */
  artifacts: Schema.optionalKey(Schema.Array(Schema.Struct({ name: Schema.NonEmptyString, content: Schema.String }))),
  /** The price of the run, in credits. */
  credits: Schema.optionalKey(Schema.Finite),
  ...behaviour
})

/** A canvas, and the script of its runs. */
const TelaCanvas = Schema.Struct({
  /** The id of the canvas, of its only version and of its app. */
  id: Schema.String.check(Schema.isUUID()),
  /** The title of the canvas. */
  title: Schema.optionalKey(Schema.String),
  /** How its runs end. The default is `"completed"`. */
  outcome: Schema.optionalKey(Schema.Literals(["completed", "failed"])),
  /** The output of its runs: any JSON. By default they repeat their variables. */
  output: Schema.optionalKey(Schema.Json),
  /** A JSON Schema. Without `output`, runs answer with a value that fits it. */
  structuredOutput: Schema.optionalKey(Schema.Record(Schema.String, Schema.Json)),
  /** The pieces of text that a stream sends. */
  pieces: Schema.optionalKey(Schema.Array(Schema.String)),
  ...behaviour
})

const ScriptFile = Schema.Struct({
  /** The runs of Spine. */
  spine: Schema.optionalKey(Schema.Struct({ runs: Schema.Array(SpineRun) })),
  /** The canvases of Tela. */
  tela: Schema.optionalKey(Schema.Struct({ canvases: Schema.Array(TelaCanvas) }))
})

/** The content of the file, decoded. */
export type ScriptFile = typeof ScriptFile.Type

/**
 * Decodes the content of the file, or throws an error with the path of each mistake. An unknown member is a mistake, because it
 * is a typo.
 */
export const decode = Schema.decodeUnknownSync(ScriptFile, { onExcessProperty: "error", errors: "all" })

/** Returns the function that gives the script of a Spine run by its prompt. */
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

/** Returns the canvases of Tela with their scripts. */
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
