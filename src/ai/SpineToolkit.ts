/**
 * Tools of `effect/ai` that let a model start Spine runs, wait for them, and read their output and files.
 *
 * **Details**
 *
 * | tool | does |
 * | --- | --- |
 * | `spine_start` | starts a run, and returns its `run_id` |
 * | `spine_wait` | waits until the run has ended, at most 45 seconds in one call |
 * | `spine_result` | reports the run now, with its output if it has ended |
 * | `spine_artifacts` | returns links to the files of the run |
 * | `spine_stop` | says that a run cannot be cancelled, and that it is billed |
 *
 * Every run is stored in the `RunStore` before its create. A call that is repeated with the same `key` returns the same run: an agent
 * that lost an answer does not pay twice. If the context has a `Budget`, each run reserves its estimate there first, and a run
 * that exceeds the limit is refused.
 *
 * A failure is the result of the tool, a `ToolError` whose message tells the model what to do. It does not end the program.
 *
 * **Example** (A model that starts a run)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { RunStore, Spine } from "canvas-runs"
 * import { SpineToolkit } from "canvas-runs/ai"
 * import { SpineEmulator, Timeline } from "canvas-runs/testing"
 *
 * const spine = Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(
 *   Layer.provide(SpineEmulator.layerTest({ script: { timeline: Timeline.make({ duration: 0 }) } }))
 * )
 * // In your program: LanguageModel.generateText({ prompt, toolkit: SpineToolkit.toolkit })
 * const main = Effect.gen(function*() {
 *   const tools = yield* SpineToolkit.toolkit
 *   console.log(Object.keys(tools.tools).length) // => 5
 * }).pipe(Effect.provide(SpineToolkit.layer()), Effect.provide([spine, RunStore.layerMemory]))
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
import { SpineClient } from "../spine/SpineClient.ts"
import { provider as name } from "../spine/SpineRuns.ts"
import * as Data from "../spine/SpineSchema.ts"
import * as AgentRuns from "./internal/agentRuns.ts"
import type { Provider } from "./internal/provider.ts"
import * as Parameters from "./internal/parameters.ts"
import { type Artifact, RunReport, ToolError } from "./RunReport.ts"

/**
 * Options for {@link layer}.
 *
 * @category options
 * @since 0.1.0
 */
export interface LayerOptions {
  /**
   * The estimated cost of one run in credits, which is reserved in the `Budget` of the context before the run is created. Without a
   * `Budget` it has no effect.
   *
   * @default 50
   */
  readonly estimate?: number | undefined
}

const failure = { failure: ToolError, failureMode: "return" } as const

const start = Tool.make("spine_start", {
  description:
    "Starts a Spine run: AI agents research, and write a report, slides, a spreadsheet, an app or a web page. A run takes 10 to 20 " +
    "minutes, sometimes two hours, and costs money. Start one run for each piece of work. The answer has a run_id and a status. If the " +
    "status is \"running\", call spine_wait with the run_id until the status changes. If a call got no answer, repeat it with the same key: " +
    "it does not start a second run.",
  parameters: Schema.Struct({
    prompt: Parameters.text("The instruction for the agents, with everything they need to know."),
    template: Schema.optionalKey(Data.Template.annotate({
      description: "The kind of result. Without it Spine decides from the prompt."
    })),
    blocks: Schema.optionalKey(
      Schema.Array(Data.BlockType).check(Schema.isMinLength(1)).annotate({
        description:
          "The types of blocks that the agents may create. It replaces the template. Leave it out in most cases."
      })
    ),
    agent_instructions: Schema.optionalKey(Schema.String.annotate({
      description: "Guidance for all agents, such as tone, audience or citations."
    })),
    files: Schema.optionalKey(
      Schema.Array(Schema.Struct({ name: Schema.String, text: Schema.String })).annotate({
        description: "Text files for the agents to work with, such as { \"name\": \"notes.md\", \"text\": \"...\" }."
      })
    ),
    key: Parameters.key
  }),
  success: RunReport,
  ...failure
}).annotate(Tool.Title, "Start a Spine run").annotate(Tool.Destructive, false)

const wait = Tool.make("spine_wait", {
  description:
    "Waits until a Spine run has ended, at most 45 seconds in one call, and returns its output. If the status is still " +
    "\"running\", call this tool again. The run continues even if you stop waiting.",
  parameters: Schema.Struct({ run_id: Parameters.runId("spine_start"), seconds: Parameters.seconds }),
  success: RunReport,
  ...failure
}).annotate(Tool.Title, "Wait for a Spine run").annotate(Tool.Readonly, true).annotate(Tool.Destructive, false)

const result = Tool.make("spine_result", {
  description: "Returns the state of a Spine run now, with its output if it has ended. It does not wait.",
  parameters: Schema.Struct({ run_id: Parameters.runId("spine_start") }),
  success: RunReport,
  ...failure
}).annotate(Tool.Title, "Result of a Spine run").annotate(Tool.Readonly, true).annotate(Tool.Destructive, false)

const artifacts = Tool.make("spine_artifacts", {
  description:
    "Returns links to the files that a Spine run produced. The links work for a limited time: call it again for new ones.",
  parameters: Schema.Struct({ run_id: Parameters.runId("spine_start") }),
  success: Parameters.Artifacts,
  ...failure
}).annotate(Tool.Title, "Files of a Spine run").annotate(Tool.Readonly, true).annotate(Tool.Destructive, false)

const stop = Tool.make("spine_stop", {
  description:
    "Spine has no way to cancel a run. This tool makes no request. It explains what happens to a run that is no longer needed.",
  parameters: Schema.Struct({ run_id: Parameters.runId("spine_start") }),
  success: Parameters.Stopped,
  ...failure
}).annotate(Tool.Title, "Stop waiting for a Spine run").annotate(Tool.Readonly, true).annotate(Tool.Destructive, false)

/**
 * The tools. `LanguageModel.generateText` takes them, and {@link layer} provides their handlers.
 *
 * **Example** (The names of the tools)
 *
 * ```ts
 * import { SpineToolkit } from "canvas-runs/ai"
 *
 * console.log(Object.keys(SpineToolkit.toolkit.tools).join(" "))
 * // => spine_start spine_wait spine_result spine_artifacts spine_stop
 * ```
 *
 * @category toolkits
 * @since 0.1.0
 */
export const toolkit = Toolkit.make(start, wait, result, artifacts, stop)

/**
 * The runs of Spine, as the tools and the tasks of the MCP server need them.
 *
 * @internal
 */
export const provider: Effect.Effect<Provider<Data.Run>, never, SpineClient> = SpineClient.useSync(({ runs }) => ({
  name,
  title: "Spine",
  kind: "run",
  source: runs.source,
  outcome: (run) => {
    const { metadata, result } = run as Data.CompletedRun | Data.PartialRun
    return {
      status: run.status === "partial" ? "partial" : "completed",
      output: result.final_output,
      artifacts: result.artifacts.map(withoutLink),
      credits: metadata?.credits_consumed,
      errors: run.status === "partial" ? run.errors.map(({ error }) => error) : undefined
    }
  }
}))

/** Removes the link, which is secret and expires. Only the tool for artifacts returns it. */
const withoutLink = ({ id, name, size_bytes, type }: Data.Artifact): Artifact =>
  size_bytes === undefined ? { id, name, type } : { id, name, type, size_bytes }

/**
 * Creates a layer with the handlers of the tools.
 *
 * **Details**
 *
 * It uses the `Budget` of the context, if there is one. An option that does not fit is a `ConfigError`.
 *
 * **Example** (An agent that may spend 200 credits)
 *
 * ```ts
 * import { Effect, Layer, Option, Redacted, Stream } from "effect"
 * import { Budget, RunStore, Spine } from "canvas-runs"
 * import { SpineToolkit } from "canvas-runs/ai"
 * import { SpineEmulator } from "canvas-runs/testing"
 *
 * const services = Layer.mergeAll(
 *   Spine.layer({ apiKey: Redacted.make("sk_spine_test") }).pipe(Layer.provide(SpineEmulator.layerTest())),
 *   RunStore.layerMemory,
 *   Budget.layerMemory({ limit: 200 })
 * )
 * const tools = Layer.provide(SpineToolkit.layer({ estimate: 80 }), services)
 *
 * const main = Effect.gen(function*() {
 *   const { handle } = yield* SpineToolkit.toolkit
 *   const start = (prompt: string) =>
 *     Effect.map(Stream.runLast(Stream.unwrap(handle("spine_start", { prompt }))), (last) => Option.getOrThrow(last))
 *   yield* start("Tides")
 *   yield* start("Winds")
 *   const third = yield* start("Waves")
 *   console.log(third.isFailure) // => true
 * }).pipe(Effect.provide(tools))
 *
 * await Effect.runPromise(main)
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options?: LayerOptions
): Layer.Layer<Tool.HandlersFor<typeof toolkit.tools>, ConfigError, SpineClient | RunStore> =>
  toolkit.toLayer(Effect.gen(function*() {
    const { estimate } = yield* Parameters.readOptions(options)
    const { runs: spine } = yield* SpineClient
    const runs = yield* AgentRuns.make(yield* provider)
    return toolkit.of({
      spine_start: ({ files = [], key, ...params }) =>
        runs.start(
          spine.create({
            ...params,
            files: files.map(({ name, text }) => ({ data: new TextEncoder().encode(text), filename: name }))
          }),
          { key, estimate, waitSeconds: "now" }
        ),
      spine_wait: ({ run_id, seconds = AgentRuns.maxWaitSeconds }) => runs.wait(run_id, seconds),
      spine_result: ({ run_id }) => runs.report(run_id),
      spine_artifacts: ({ run_id }) =>
        Effect.map(runs.succeeded(run_id), (run) => ({
          run_id,
          artifacts: run.status === "completed" || run.status === "partial" ? run.result.artifacts : []
        })),
      spine_stop: ({ run_id }) => Effect.succeed(runs.stop(run_id))
    })
  }))
