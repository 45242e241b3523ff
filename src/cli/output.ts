/**
 * What the command prints: data to standard output, everything else to standard error.
 *
 * With `--json`, each line of standard output is one JSON object that fits {@link Line}. `canvas-runs schema` prints that schema.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import type * as Scope from "effect/Scope"
import { RunRef } from "../internal/ref.ts"
import type * as Screen from "../picture/Screen.ts"
import { LocalError, reasonOf } from "./errors.ts"
import { format } from "./refText.ts"

const Named = {
  /** The key of the run in the store, if it has one. */
  key: Schema.optionalKey(Schema.String),
  /** The run. */
  ref: RunRef
}

/** A run was created. */
const Created = Schema.Struct({ type: Schema.Literal("created"), ...Named })

/** The state of a run at one poll. */
const Run = Schema.Struct({
  type: Schema.Literal("run"),
  ...Named,
  /** The status, in the words of the provider. */
  status: Schema.String,
  /** Whether the run has ended. */
  isTerminal: Schema.Boolean,
  progress: Schema.optionalKey(Schema.Struct({ completed: Schema.Finite, total: Schema.Finite })),
  /** Why it failed, or which parts of it did. */
  errors: Schema.optionalKey(Schema.Array(Schema.String)),
  /** What the provider sent. */
  snapshot: Schema.Json
})

/** The output of a run that succeeded. */
const Result = Schema.Struct({
  type: Schema.Literal("result"),
  key: Schema.optionalKey(Schema.String),
  /** The run. A synchronous or streamed execution has none. */
  ref: Schema.optionalKey(RunRef),
  status: Schema.String,
  /** The text of a Spine run, the output of an execution of Tela. */
  output: Schema.Json,
  /** The parts of a partial run that failed. */
  errors: Schema.optionalKey(Schema.Array(Schema.String)),
  /** The artifacts of a Spine run. */
  artifacts: Schema.optionalKey(Schema.Array(Schema.Struct({
    id: Schema.String,
    name: Schema.String,
    type: Schema.String,
    size_bytes: Schema.optionalKey(Schema.Finite)
  }))),
  /** The price of a Spine run, in credits. */
  credits: Schema.optionalKey(Schema.Finite)
})

/** New text of a streamed execution. */
const Delta = Schema.Struct({ type: Schema.Literal("delta"), text: Schema.String })

/** A file was downloaded. */
const File = Schema.Struct({ type: Schema.Literal("file"), ref: RunRef, name: Schema.String, path: Schema.String })

/** An entry of the store. */
const Entry = Schema.Struct({
  type: Schema.Literal("entry"),
  key: Schema.String,
  state: Schema.Literals(["Creating", "Unknown", "Created", "Finished", "Refused", "Forgotten"]),
  ref: Schema.optionalKey(RunRef),
  /** Unix milliseconds, like `finishedAt`. */
  intendedAt: Schema.optionalKey(Schema.Finite),
  finishedAt: Schema.optionalKey(Schema.Finite)
})

/** Why something did not succeed. */
const Failure = Schema.Struct({
  /** The class of the error, such as `RunTimeoutError`. */
  tag: Schema.String,
  message: Schema.String,
  /** Whether trying again can help. */
  isRetryable: Schema.optionalKey(Schema.Boolean),
  ref: Schema.optionalKey(RunRef),
  /** The provider's id of the request. */
  requestId: Schema.optionalKey(Schema.String),
  /** The HTTP status. */
  status: Schema.optionalKey(Schema.Finite),
  /** The reasons of a run that failed. */
  errors: Schema.optionalKey(Schema.Array(Schema.String))
})

export interface Failure extends Schema.Schema.Type<typeof Failure> {}

/** The command, or its work on one run, did not succeed. */
const Error = Schema.Struct({
  type: Schema.Literal("error"),
  key: Schema.optionalKey(Schema.String),
  /** The exit code of this error. */
  exitCode: Schema.Finite,
  /** The name of the exit code. */
  outcome: Schema.String,
  error: Failure,
  /** The command that continues. */
  resume: Schema.optionalKey(Schema.String)
})

/** A wait was stopped. */
const Resume = Schema.Struct({
  type: Schema.Literal("resume"),
  /** The runs, which continue. */
  refs: Schema.Array(RunRef),
  /** The command that waits again. */
  command: Schema.String
})

/** The outcome of one input of a batch. */
const BatchOutcome = Schema.Struct({
  type: Schema.Literal("outcome"),
  key: Schema.String,
  outcome: Schema.Literals(["succeeded", "failed", "earlier"]),
  ref: Schema.optionalKey(RunRef),
  output: Schema.optionalKey(Schema.Json),
  error: Schema.optionalKey(Failure)
})

/** The counts of a batch, or of a purge. */
const Summary = Schema.Struct({
  type: Schema.Literal("summary"),
  counts: Schema.Record(Schema.String, Schema.Finite)
})

/** A server listens. */
const Listening = Schema.Struct({ type: Schema.Literal("listening"), baseUrl: Schema.String })

/** Text for a reader, such as the help. */
const Text = Schema.Struct({ type: Schema.Literal("text"), text: Schema.String })

/** A document, such as the JSON Schema of these lines. */
const Document = Schema.Struct({ type: Schema.Literal("document"), document: Schema.Json })

/** The schema of a line of standard output. */
export const Line = Schema.Union([
  Created,
  Run,
  Result,
  Delta,
  File,
  Entry,
  Error,
  Resume,
  BatchOutcome,
  Summary,
  Listening,
  Text,
  Document
])

/** A line of standard output. */
export type Line = typeof Line.Type

/** The state of a run, as a line. */
export type RunLine = typeof Run.Type

/** The output of a run, as a line. */
export type ResultLine = typeof Result.Type

/** Turns what a provider sent into JSON. */
export const jsonOf = (value: unknown): Schema.Json =>
  value === undefined ? null : JSON.parse(JSON.stringify(value) ?? "null") as Schema.Json

/** Prints for the user. */
export interface Service {
  /** Whether `--json` was given. */
  readonly isJson: boolean
  /** Prints data: with `--json` the line, otherwise the text. An empty text prints nothing. */
  readonly line: (line: Line, text: string) => Effect.Effect<void, LocalError>
  /** Prints text without a line break, for a stream of text. With `--json` it prints the line. */
  readonly piece: (line: Line, text: string) => Effect.Effect<void, LocalError>
  /** Tells the user something on standard error. */
  readonly note: (text: string) => Effect.Effect<void>
  /** Until the scope closes, everything is printed above this screen. */
  readonly above: (screen: Pick<Screen.Runs, "aside">) => Effect.Effect<void, never, Scope.Scope>
}

export class Output extends Context.Service<Output, Service>()("canvas-runs/cli/Output") {}

const encode = Schema.encodeSync(Schema.fromJsonString(Line))

/** Makes the output on the standard streams of the context. */
export const layer = (isJson: boolean): Layer.Layer<Output, never, Stdio.Stdio> =>
  Layer.effect(
    Output,
    Effect.gen(function*() {
      const stdio = yield* Stdio.Stdio
      const isTerminal = yield* stdio.stdoutIsTerminal
      let aside: Screen.Runs["aside"] = (effect) => effect
      const write = (text: string) =>
        text === "" ? Effect.void : aside(Effect.mapError(
          Stream.run(Stream.make(text), stdio.stdout()),
          (cause) => new LocalError({ message: `Standard output cannot be written: ${reasonOf(cause)}.`, cause })
        ))
      /** On a terminal, a text of the provider, or a key that an agent chose, must not move the cursor. In a pipe it is data. */
      const shown = ({ type }: Line, text: string) => isTerminal && textsOfOthers.has(type) ? clean(text) : text
      const service: Service = {
        isJson,
        line: (line, text) => write(isJson ? `${encode(line)}\n` : text === "" ? "" : `${shown(line, text)}\n`),
        piece: (line, text) => write(isJson ? `${encode(line)}\n` : shown(line, text)),
        // Nothing can be said if standard error is closed
        note: (text) => aside(Effect.ignore(Stream.run(Stream.make(`${clean(text)}\n`), stdio.stderr()))),
        above: (screen) =>
          Effect.acquireRelease(
            Effect.sync(() => {
              aside = screen.aside
            }),
            () =>
              Effect.sync(() => {
                aside = (effect) => effect
              })
          )
      }
      return service
    })
  )

const textsOfOthers: ReadonlySet<Line["type"]> = new Set(["result", "delta", "file", "run", "entry", "outcome"])

/** Shows control characters, except line breaks and tabs. */
const clean = (text: string): string =>
  // oxlint-disable-next-line no-control-regex -- the pattern replaces them
  text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "\ufffd")

/** Describes the state of a run in one line. */
export const describe = ({ errors = [], key, progress, ref, status }: RunLine): string =>
  [
    `${key ?? format(ref)}: ${status}`,
    ...(progress === undefined ? [] : [`${progress.completed}/${progress.total} tasks`]),
    ...errors
  ].join(", ")
