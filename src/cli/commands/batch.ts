import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { createHash } from "node:crypto"
import { basename, extname } from "node:path"
import * as Batch from "../../Batch.ts"
import * as FileInput from "../../FileInput.ts"
import { oneLine, parseJson } from "../../internal/describe.ts"
import type { RunRef } from "../../internal/ref.ts"
import * as RunStore from "../../RunStore.ts"
import { BlockType, Template } from "../../spine/SpineSchema.ts"
import { again } from "../again.ts"
import * as Clients from "../clients.ts"
import { end, folderOf, follow } from "../follow.ts"
import { Reported, UsageError } from "../errors.ts"
import { outcomeOf, together } from "../exitCode.ts"
import { readText } from "../files.ts"
import { format } from "../refText.ts"
import * as Names from "../names.ts"
import { Output } from "../output.ts"
import * as Progress from "../progress.ts"
import { failureOf } from "../report.ts"
import { State } from "../state.ts"
import * as Stop from "../stop.ts"
import { textFlag } from "../textFlag.ts"
import * as Waiting from "../waiting.ts"

const common = {
  /** The key of the line. The default is a digest of the line. */
  key: Schema.optionalKey(Schema.NonEmptyString),
  /** The expected price, for `--budget`. */
  estimate: Schema.optionalKey(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)))
}

/** A run of Spine. */
const SpineInput = Schema.Struct({
  ...common,
  prompt: Schema.String.check(Schema.isPattern(/\S/, { expected: "a text that is not blank" })),
  template: Schema.optionalKey(Template),
  blocks: Schema.optionalKey(Schema.Array(BlockType)),
  instructions: Schema.optionalKey(Schema.String),
  /** Paths. */
  files: Schema.optionalKey(Schema.Array(Schema.String))
})

/** An execution of Tela. */
const TelaInput = Schema.Struct({
  ...common,
  canvas: Schema.NonEmptyString,
  variables: Schema.optionalKey(Schema.Record(Schema.String, Schema.Json)),
  tags: Schema.optionalKey(Schema.Array(Schema.String))
})

/** A line of the file, with its key and its files. */
type Input = SpineLine | TelaLine

interface SpineLine extends Omit<typeof SpineInput.Type, "files"> {
  readonly key: string
  readonly files: ReadonlyArray<FileInput.StreamedFile>
}

interface TelaLine extends Schema.Schema.Type<typeof TelaInput> {
  readonly key: string
}

const isTela = (input: Input): input is TelaLine => "canvas" in input

export const command = Command.make(
  "batch",
  {
    file: Argument.String("file").pipe(
      Argument.withDescription("A file with one JSON object per line, or - for standard input")
    ),
    name: textFlag("name").pipe(
      Flag.withDescription("The name of the batch, with which its keys begin. The default is the name of the file"),
      Flag.optional
    ),
    concurrency: Flag.Int("concurrency").pipe(
      Flag.withSchema(Schema.Int.check(Schema.isGreaterThan(0))),
      Flag.withDescription("How many lines may be in flight. The default is 16"),
      Flag.withDefault(16)
    ),
    budget: Flag.Finite("budget").pipe(
      Flag.withSchema(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))),
      Flag.withDescription("The most that the runs of this batch may cost, such as Spine's credits"),
      Flag.optional
    ),
    estimate: Flag.Finite("estimate").pipe(
      Flag.withSchema(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))),
      Flag.withDescription("The expected price of a run whose line has no estimate. --budget needs it"),
      Flag.optional
    ),
    repeat: Flag.Boolean("repeat").pipe(
      Flag.withDescription("Print the outcomes of earlier lines again. No run is created for them"),
      Flag.withDefault(false)
    ),
    download: Waiting.download,
    ...Waiting.flags,
    ...Clients.flags,
    emulator: Clients.emulator
  },
  Effect.fnUntraced(
    function*({ budget, concurrency, download, estimate, file, name, repeat, ...options }) {
      const batch = Option.getOrElse(name, () => file === "-" ? "stdin" : basename(file, extname(file)))
      const inputs = yield* read(file, batch)
      const missing = inputs.findIndex((input) => input.estimate === undefined && Option.isNone(estimate))
      if (Option.isSome(budget) && missing >= 0) {
        return yield* new UsageError({
          message: `--budget needs the expected price of every run, and line ${
            missing + 1
          } has no estimate. Give --estimate.`
        })
      }
      const { line, note } = yield* Output
      const { spine, tela } = yield* Clients.Clients
      // A create that fails for want of a key would count as one of unknown outcome
      if (!inputs.every(isTela)) yield* spine
      if (inputs.some(isTela)) yield* tela
      const { hide, show } = yield* Progress.ofBatch
      const state = yield* State
      const limit = Option.isSome(budget) ? yield* state.budget({ limit: budget.value }) : undefined
      const outcomes = Batch.run(inputs, {
        key: ({ key }) => key,
        create: (input) => {
          const price = input.estimate ?? Option.getOrElse(estimate, () => 0)
          const limited = <E, R>(created: Effect.Effect<{ readonly ref: RunRef }, E, R>) =>
            Stop.whileCreating(
              limit === undefined ? created : limit.create(created, { estimate: price, account: batch })
            )
          // Spine cannot list runs. With a tag, `reconcile` would look for the run, and free the key of one that exists
          return isTela(input) ? (tag: string) => limited(execute(input, tag)) : limited(run(input))
        },
        wait: (ref, { key }) => {
          const wait = Effect.flatMap(
            follow({ key, ref }),
            (followed) => end(Stream.tap(followed.watch(Waiting.waitOf(options)), ({ line }) => show(line)))
          ).pipe(
            Effect.ensuring(hide(key))
          )
          return limit === undefined ? wait : limit.track(ref, wait, ({ line }) => line.credits)
        },
        deliver: (outcome) =>
          outcome._tag === "Succeeded" && Option.isSome(download) && (outcome.value.line.artifacts?.length ?? 0) > 0
            ? outcome.value.download(folderOf(outcome.key)(download.value))
            : Effect.void,
        concurrency,
        repeat
      }).pipe(Stream.provideService(RunStore.RunStore, yield* state.open))
      const counts = { succeeded: 0, failed: 0, earlier: 0 }
      const failures: Array<ReturnType<typeof outcomeOf>> = []
      const refused: Array<string> = []
      yield* Stream.runForEach(outcomes, (outcome) => {
        const { key, ref } = outcome
        const named = { type: "outcome", key, ...(ref === undefined ? undefined : { ref }) } as const
        const where = ref === undefined ? "" : ` ${format(ref)}`
        switch (outcome._tag) {
          case "Succeeded":
            counts.succeeded++
            return line(
              { ...named, outcome: "succeeded", output: outcome.value.line.output },
              `${key}: succeeded${where}`
            )
          case "Earlier":
            counts.earlier++
            if (ref === undefined) refused.push(key)
            return line(
              { ...named, outcome: "earlier" },
              `${key}: ${ref === undefined ? "refused" : "ended"} earlier${where}`
            )
          case "Failed": {
            counts.failed++
            failures.push(outcomeOf(outcome.error))
            const error = failureOf(outcome.error)
            return Effect.andThen(
              note(`${key}: ${error.message}`),
              line({ ...named, outcome: "failed", error }, `${key}: failed${where}`)
            )
          }
        }
      }).pipe(
        Effect.onInterrupt(() =>
          note("\nStopped. The runs continue. Give the same command again: it creates no run twice.")
        )
      )
      yield* line({ type: "summary", counts }, "")
      yield* note(`${counts.succeeded} succeeded, ${counts.failed} failed, ${counts.earlier} ended earlier`)
      if (failures.includes("unknownCreate")) {
        yield* note(`Find out whether the runs of unknown outcome were created with:\n  ${yield* again("reconcile")}`)
      }
      if (refused.length > 0) {
        yield* note(
          `Lines that were refused earlier have no run. Correct them, and free their keys with:\n  ${yield* again(
            "forget",
            ...refused
          )}`
        )
      }
      const outcome = together(refused.length > 0 ? [...failures, "badRequest"] : failures)
      if (outcome !== "success") return yield* new Reported({ outcome })
    },
    (effect, options) => Clients.provide(Effect.scoped(effect), options)
  )
).pipe(
  Command.withExamples([
    { command: "canvas-runs batch prompts.jsonl --json > outcomes.jsonl", description: "One outcome for each line" },
    {
      command: "canvas-runs batch prompts.jsonl --budget 5000 --estimate 40",
      description: "Spend at most 5,000 credits"
    },
    {
      command: "jq -c '{prompt: .title}' rows.json | canvas-runs batch - --name july",
      description: "From a pipe. The same command again continues the batch"
    }
  ])
)

/** Reads and checks all lines before anything is created. */
const read = Effect.fnUntraced(function*(file: string, batch: string) {
  const lines = (yield* readText(file)).split("\n")
  const inputs: Array<Input> = []
  const places = new Map<string, number>()
  for (const [index, text] of lines.entries()) {
    if (text.trim() === "") continue
    const place = index + 1
    const json = parseJson(text)
    if (Option.isNone(json)) {
      return yield* new UsageError({ message: `Line ${place} is not JSON. Nothing was created.` })
    }
    const input = yield* Effect.mapError(
      decode(json.value),
      (error) => new UsageError({ message: `Line ${place} is no run: ${oneLine(error.message)}. Nothing was created.` })
    )
    const key = `${batch}/${
      input.key ?? createHash("sha256").update(JSON.stringify(json.value)).digest("hex").slice(0, 16)
    }`
    yield* Names.checkKey(key)
    const earlier = places.get(key)
    if (earlier !== undefined) {
      return yield* new UsageError({
        message: `Lines ${earlier} and ${place} are one piece of work. Give them keys that differ. Nothing was created.`
      })
    }
    places.set(key, place)
    if ("canvas" in input) inputs.push({ ...input, key })
    else inputs.push({ ...input, key, files: yield* readFiles(input.files, place) })
  }
  return inputs
})

const decodeSpine = Schema.decodeUnknownEffect(SpineInput, { onExcessProperty: "error" })
const decodeTela = Schema.decodeUnknownEffect(TelaInput, { onExcessProperty: "error" })

/** Decodes a line. A union of both forms would report the errors of both. */
const decode = (json: unknown): Effect.Effect<typeof SpineInput.Type | typeof TelaInput.Type, Schema.SchemaError> =>
  Predicate.hasProperty(json, "canvas") ? decodeTela(json) : decodeSpine(json)

/** Creates the run of a line. */
const run = Effect.fnUntraced(function*({ blocks, files, instructions, prompt, template }: SpineLine) {
  const { runs } = yield* (yield* Clients.Clients).spine
  return yield* runs.create({ prompt, template, blocks, agent_instructions: instructions, files })
})

/** Creates the execution of a line. */
const execute = Effect.fnUntraced(function*({ canvas, tags = [], variables = {} }: TelaLine, tag: string) {
  const client = yield* (yield* Clients.Clients).tela
  return yield* client.canvas.make({ id: canvas }).execute(variables, { async: true, tags: [...tags, tag] })
})

/** Opens the files of a line. One that is missing is found before anything is created. */
const readFiles = (paths: ReadonlyArray<string> = [], place: number) =>
  Effect.mapError(
    Effect.forEach(paths, (path) => FileInput.fromPath(path)),
    ({ message }) => new UsageError({ message: `Line ${place}: ${message}` })
  )
