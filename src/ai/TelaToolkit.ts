/**
 * Tools of `effect/ai` that let a model execute Tela canvases, wait for them, and read their output and files.
 *
 * **Details**
 *
 * | tool | does |
 * | --- | --- |
 * | `tela_execute` | executes a canvas, and waits for its output, at most 45 seconds |
 * | `tela_wait` | waits until the execution has ended, at most 45 seconds in one call |
 * | `tela_result` | reports the execution now, with its output if it has ended |
 * | `tela_artifacts` | returns links to the files in the output |
 * | `tela_stop` | says that an execution cannot be cancelled, and that it is billed |
 *
 * Executions are asynchronous, and are stored in the `RunStore` before their create. A call that is repeated with the same `key` returns
 * the same execution. If a create had no answer, the repeated call looks for the execution at the provider, by its tag. If the context has
 * a `Budget`, each execution reserves its estimate there first.
 *
 * A failure is the result of the tool, a `ToolError` whose message tells the model what to do. It does not end the program.
 *
 * **Example** (The tools of an agent)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { RunStore, Tela } from "canvas-runs"
 * import { TelaToolkit } from "canvas-runs/ai"
 * import { TelaEmulator } from "canvas-runs/testing"
 *
 * const tela = Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(Layer.provide(TelaEmulator.layerTest()))
 *
 * // In your program: LanguageModel.generateText({ prompt, toolkit: TelaToolkit.toolkit })
 * const main = Effect.gen(function*() {
 *   const { tools } = yield* TelaToolkit.toolkit
 *   console.log(Object.keys(tools).length) // => 5
 * }).pipe(Effect.provide(TelaToolkit.layer()), Effect.provide([tela, RunStore.layerMemory]))
 *
 * await Effect.runPromise(main)
 * ```
 *
 * @see {@link module:McpServer} to serve the tools to an agent in another program
 * @since 0.1.0
 */
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { ConfigError } from "../RunError.ts"
import type { RunStore } from "../RunStore.ts"
import { TelaClient } from "../tela/TelaClient.ts"
import { type ExecutionSnapshot, provider as name } from "../tela/TelaExecution.ts"
import { findByTag } from "../tela/TelaTags.ts"
import * as AgentRuns from "./internal/agentRuns.ts"
import * as Parameters from "./internal/parameters.ts"
import { type Provider, toolError } from "./internal/provider.ts"
import { RunReport, ToolError } from "./RunReport.ts"

/**
 * Options for {@link layer}.
 *
 * @category options
 * @since 0.1.0
 */
export interface LayerOptions {
  /**
   * The estimated cost of one execution, which is reserved in the `Budget` of the context before the execution is created. It is also
   * the cost of the execution, because Tela does not report one. Without a `Budget` it has no effect.
   *
   * @default 50
   */
  readonly estimate?: number | undefined
}

const failure = { failure: ToolError, failureMode: "return" } as const

const execute = Tool.make("tela_execute", {
  description:
    "Executes a Tela canvas: a prompt or workflow that people prepared, with variables. It takes seconds to minutes, and costs money. The " +
    "call waits at most 45 seconds. The answer has a run_id and a status. If the status is \"running\", call tela_wait with the run_id until " +
    "the status changes. If a call got no answer, repeat it with the same key: it does not execute the canvas twice.",
  parameters: Schema.Struct({
    canvas_id: Parameters.text("The id of the canvas, a UUID."),
    version_id: Schema.optionalKey(Schema.String.annotate({
      description: "The id of a version of the canvas. Without it, the version that is in production is executed."
    })),
    variables: Schema.Record(Schema.String, Schema.Unknown).annotate({
      description:
        "The variables of the canvas by name. A value is text, or JSON, or a file as { \"file_url\": \"https://...\" }."
    }),
    key: Parameters.key
  }),
  success: RunReport,
  ...failure
}).annotate(Tool.Title, "Execute a Tela canvas").annotate(Tool.Destructive, false)

const wait = Tool.make("tela_wait", {
  description:
    "Waits until a Tela execution has ended, at most 45 seconds in one call, and returns its output. If the status is still " +
    "\"running\", call this tool again. The execution continues even if you stop waiting.",
  parameters: Schema.Struct({ run_id: Parameters.runId("tela_execute"), seconds: Parameters.seconds }),
  success: RunReport,
  ...failure
}).annotate(Tool.Title, "Wait for a Tela execution").annotate(Tool.Readonly, true).annotate(Tool.Destructive, false)

const result = Tool.make("tela_result", {
  description: "Returns the state of a Tela execution now, with its output if it has ended. It does not wait.",
  parameters: Schema.Struct({ run_id: Parameters.runId("tela_execute") }),
  success: RunReport,
  ...failure
}).annotate(Tool.Title, "Result of a Tela execution").annotate(Tool.Readonly, true).annotate(Tool.Destructive, false)

const artifacts = Tool.make("tela_artifacts", {
  description:
    "Returns links to the files in the output of a Tela execution, whose references begin with vault://. The links work for a " +
    "limited time: call it again for new ones.",
  parameters: Schema.Struct({ run_id: Parameters.runId("tela_execute") }),
  success: Parameters.Artifacts,
  ...failure
}).annotate(Tool.Title, "Files of a Tela execution").annotate(Tool.Readonly, true).annotate(Tool.Destructive, false)

const stop = Tool.make("tela_stop", {
  description:
    "Tela has no way to cancel an execution. This tool makes no request. It explains what happens to an execution that is no longer needed.",
  parameters: Schema.Struct({ run_id: Parameters.runId("tela_execute") }),
  success: Parameters.Stopped,
  ...failure
}).annotate(Tool.Title, "Stop waiting for a Tela execution").annotate(Tool.Readonly, true).annotate(
  Tool.Destructive,
  false
)

/**
 * The tools. `LanguageModel.generateText` takes them, and {@link layer} provides their handlers.
 *
 * **Example** (The names of the tools)
 *
 * ```ts
 * import { TelaToolkit } from "canvas-runs/ai"
 *
 * console.log(Object.keys(TelaToolkit.toolkit.tools).join(" "))
 * // => tela_execute tela_wait tela_result tela_artifacts tela_stop
 * ```
 *
 * @category toolkits
 * @since 0.1.0
 */
export const toolkit = Toolkit.make(execute, wait, result, artifacts, stop)

/**
 * The executions of Tela, as the tools and the tasks of the MCP server need them.
 *
 * @internal
 */
export const provider: Effect.Effect<Provider<ExecutionSnapshot>, never, TelaClient> = TelaClient.useSync((tela) => ({
  name,
  title: "Tela",
  kind: "execution",
  source: tela.source,
  outcome: ({ output }) => ({
    status: "completed",
    output,
    artifacts: referencesIn(output).map((id) => ({ id, name: id }))
  }),
  findByTag: (tag) => Effect.provideService(findByTag(tag), TelaClient, tela)
}))

/** The references to files of the vault in an output. */
const referencesIn = (output: unknown): ReadonlyArray<string> => [
  ...new Set(JSON.stringify(output ?? null).match(/vault:\/\/[A-Za-z0-9._-]+/g) ?? [])
]

/**
 * Creates a layer with the handlers of the tools.
 *
 * **Details**
 *
 * It uses the `Budget` of the context, if there is one. An option that does not fit is a `ConfigError`.
 *
 * **Example** (Executing a canvas by its tool)
 *
 * ```ts
 * import { Effect, Layer, Option, Redacted, Stream } from "effect"
 * import { RunStore, Tela } from "canvas-runs"
 * import { TelaToolkit } from "canvas-runs/ai"
 * import { TelaEmulator, Timeline } from "canvas-runs/testing"
 *
 * const emulator = TelaEmulator.layerTest({ script: { timeline: Timeline.make({ duration: 0 }) } })
 * const tela = Tela.layer({ apiKey: Redacted.make("tela_test") }).pipe(Layer.provide(emulator))
 *
 * const main = Effect.gen(function*() {
 *   const { handle } = yield* TelaToolkit.toolkit
 *   const call = { canvas_id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11", variables: { topic: "tides" } }
 *   const answer = Option.getOrThrow(yield* Stream.runLast(Stream.unwrap(handle("tela_execute", call))))
 *   console.log(answer.isFailure) // => false
 * }).pipe(Effect.provide(TelaToolkit.layer()), Effect.provide([tela, RunStore.layerMemory]))
 *
 * await Effect.runPromise(main)
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options?: LayerOptions
): Layer.Layer<Tool.HandlersFor<typeof toolkit.tools>, ConfigError, TelaClient | RunStore> =>
  toolkit.toLayer(Effect.gen(function*() {
    const { estimate } = yield* Parameters.readOptions(options)
    const tela = yield* TelaClient
    const runs = yield* AgentRuns.make(yield* provider)
    const waitSeconds = AgentRuns.maxWaitSeconds
    return toolkit.of({
      tela_execute: ({ canvas_id, key, variables, version_id }) =>
        runs.start(
          (tag) =>
            tela.canvas.make({ id: canvas_id, versionId: version_id }).execute(variables, {
              async: true,
              tags: [tag],
              skipResultValidation: true
            }),
          { key, estimate, waitSeconds }
        ),
      tela_wait: ({ run_id, seconds = waitSeconds }) => runs.wait(run_id, seconds),
      tela_result: ({ run_id }) => runs.report(run_id),
      tela_artifacts: ({ run_id }) =>
        Effect.gen(function*() {
          const { output } = yield* runs.succeeded(run_id)
          const artifacts = yield* Effect.forEach(
            referencesIn(output),
            (id) =>
              Effect.map(tela.vault.resolve(id), ({ metadata, url }) => ({
                id,
                name: metadata?.originalFileName ?? id,
                download_url: url,
                ...(metadata?.size === undefined ? undefined : { size_bytes: metadata.size })
              })),
            { concurrency: 4 }
          ).pipe(Effect.mapError((error) => toolError(error, run_id)))
          return { run_id, artifacts }
        }),
      tela_stop: ({ run_id }) => Effect.succeed(runs.stop(run_id))
    })
  }))
