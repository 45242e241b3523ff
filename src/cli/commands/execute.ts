import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import { fileFromPath } from "../../tela/TelaFile.ts"
import type * as Tela from "../../tela/index.ts"
import * as Clients from "../clients.ts"
import * as Create from "../create.ts"
import { UsageError } from "../errors.ts"
import { readJson } from "../files.ts"
import { textOf } from "../follow.ts"
import { jsonOf, Output } from "../output.ts"
import * as OutputSchema from "../outputSchema.ts"
import { waitFor } from "../waitFor.ts"
import * as Waiting from "../waiting.ts"

const mode = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withDescription(description), Flag.withDefault(false))

const variablesFlag = Flag.String("var").pipe(
  Flag.withMetavar("NAME=VALUE"),
  Flag.withDescription(
    "A variable: NAME=TEXT, or NAME=@FILE for a file, or NAME=@@TEXT for text that begins with @; may be repeated"
  ),
  Flag.atLeast(0)
)

const variablesFileFlag = Flag.Path("vars-file", { pathType: "file", mustExist: true }).pipe(
  Flag.withDescription("A file with a JSON object of variables. A --var of the same name wins"),
  Flag.optional
)

export const command = Command.make(
  "execute",
  {
    canvas: Flag.String("canvas").pipe(
      Flag.withDescription("The id of the canvas"),
      Flag.optional
    ),
    version: Flag.String("canvas-version").pipe(
      Flag.withDescription("The id of the version. The default is the one that production serves"),
      Flag.optional
    ),
    application: Flag.String("application").pipe(
      Flag.withDescription("The id of an application, instead of a canvas: it makes a task that people review"),
      Flag.optional
    ),
    environment: Flag.String("environment").pipe(
      Flag.withDescription("The environment whose version to execute, such as staging"),
      Flag.optional
    ),
    variables: variablesFlag,
    variablesFile: variablesFileFlag,
    tags: Flag.String("tag").pipe(Flag.withDescription("A tag of the execution; may be repeated"), Flag.atLeast(0)),
    async: mode("async", "Create an execution that can be looked up, and wait for it. This is the default"),
    sync: mode("sync", "Execute in one request of a few minutes at most. It cannot be resumed"),
    stream: mode("stream", "Print the text while the model writes it. It cannot be resumed"),
    schema: OutputSchema.flag,
    ...Create.flags,
    ...Waiting.flags,
    ...Clients.flags,
    emulator: Clients.emulator
  },
  Effect.fnUntraced(
    function*({ detach, key, schema, stream, sync, ...options }) {
      if ([options.async, sync, stream].filter(Boolean).length > 1) {
        return yield* new UsageError({ message: "--async, --sync and --stream exclude each other. Give one of them." })
      }
      if ((sync || stream) && (detach || Option.isSome(key))) {
        return yield* new UsageError({
          message: `--${
            sync ? "sync" : "stream"
          } makes no run that can be looked up, so it takes no --detach and no --key.`
        })
      }
      yield* Create.check({ detach, key })
      const variables = yield* readVariables(options)
      const output = yield* OutputSchema.read(schema)
      const target = yield* targetOf(options)
      const client = yield* (yield* Clients.Clients).tela
      const create = (tag: string) => {
        const params = { async: true, tags: [...options.tags, tag] } as const
        return "applicationId" in target
          ? client.canvas.make(target).execute(variables, params)
          : client.canvas.make(target).execute(variables, { ...params, environmentName })
      }
      const environmentName = Option.getOrUndefined(options.environment)
      if (!sync && !stream) {
        const named = yield* Create.once(key, create)
        return yield* detach
          ? Create.detached(named)
          : waitFor([named], { ...Waiting.waitOf(options), download: Option.none(), check: output.check })
      }
      if ("applicationId" in target) {
        return yield* new UsageError({
          message: "The task of an application is asynchronous. Leave out --sync and --stream."
        })
      }
      const canvas = client.canvas.make({ ...target, output: output.schema })
      const params = { tags: options.tags, environmentName }
      yield* unresumable(
        sync
          ? Effect.flatMap(
            canvas.execute(variables, { ...params, timeout: options.timeout }),
            ({ result }) => printResult(result)
          )
          : printStream(canvas.stream(variables, { ...params, timeout: options.timeout }))
      )
    },
    (effect, options) => Clients.provide(effect, options)
  )
).pipe(
  Command.withExamples([
    {
      command: "canvas-runs execute --canvas ID --var topic=tides --var document=@report.pdf",
      description: "Execute a canvas with a text and a file"
    },
    {
      command: "canvas-runs execute --canvas ID --var topic=tides --stream",
      description: "See the text as it is written"
    },
    { command: "canvas-runs execute --canvas ID --schema invoice.json --json", description: "Check the output" }
  ])
)

/** Reads which canvas or application to execute. */
const targetOf = ({ application, canvas, environment, version }: {
  readonly application: Option.Option<string>
  readonly canvas: Option.Option<string>
  readonly environment: Option.Option<string>
  readonly version: Option.Option<string>
}) => {
  const others = [canvas, version, environment].some(Option.isSome)
  return Option.isSome(application)
    ? others
      ? Effect.fail(new UsageError({ message: "--application was given with a canvas. Give one of them." }))
      : Effect.succeed({ applicationId: application.value })
    : Option.isSome(version)
    ? Effect.succeed({ id: Option.getOrUndefined(canvas), versionId: version.value })
    : Option.isSome(canvas)
    ? Effect.succeed({ id: canvas.value })
    : Effect.fail(new UsageError({ message: "There is no canvas. Give --canvas, --canvas-version or --application." }))
}

const printResult = (result: unknown) =>
  Output.use(({ line }) => line({ type: "result", status: "succeeded", output: jsonOf(result) }, textOf(result)))

/** Prints the text of a stream as it arrives. An output that is no text is printed at the end. */
const printStream = Effect.fnUntraced(function*<E, R>(stream: Stream.Stream<Tela.StreamPart<unknown>, E, R>) {
  const { isJson, piece } = yield* Output
  let printed = ""
  yield* Stream.runForEach(stream, (part) => {
    if (part._tag === "delta" && part.content !== "") {
      printed += part.content
      return piece({ type: "delta", text: part.content }, part.content)
    }
    if (part._tag !== "final") return Effect.void
    const text = textOf(part.result)
    const rest = printed === text ? "" : printed === "" ? text : `\n${text}`
    return isJson ? printResult(part.result) : piece({ type: "text", text: rest }, `${rest}\n`)
  }).pipe(
    // The text so far ends in the middle of a line, and a message follows
    Effect.tapError(() =>
      isJson || printed === "" ? Effect.void : Effect.ignore(piece({ type: "text", text: "" }, "\n"))
    )
  )
})

/** Says what an interruption means for an execution that cannot be looked up. */
const unresumable = <A, E, R>(execution: Effect.Effect<A, E, R>) =>
  Effect.onInterrupt(
    execution,
    () => Output.use(({ note }) => note("\nStopped. The execution cannot be resumed, and may be billed."))
  )

/** Reads the variables: `--var name=text`, `--var name=@file`, and a file of JSON. Files are uploaded when the execution is created. */
const readVariables = Effect.fnUntraced(function*({ variables, variablesFile }: {
  readonly variables: ReadonlyArray<string>
  readonly variablesFile: Option.Option<string>
}) {
  const base = Option.isNone(variablesFile) ? {} : yield* readJson(variablesFile.value)
  if (!Predicate.isObject(base)) {
    return yield* new UsageError({ message: `The file ${Option.getOrThrow(variablesFile)} holds no JSON object.` })
  }
  const entries = yield* Effect.forEach(
    variables,
    Effect.fnUntraced(function*(text) {
      const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? []
      if (name === undefined || value === undefined) {
        return yield* new UsageError({ message: `--var ${JSON.stringify(text)} is not NAME=VALUE.` })
      }
      const isFile = value.startsWith("@") && !value.startsWith("@@")
      return [name, isFile ? yield* fileFromPath(value.slice(1)) : value.replace(/^@@/, "@")] as const
    })
  )
  const names = entries.map(([name]) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) return yield* new UsageError({ message: `--var ${twice} was given twice.` })
  return { ...base, ...Object.fromEntries<unknown>(entries) }
})
