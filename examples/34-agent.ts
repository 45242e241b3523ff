/**
 * An agent that starts a run, waits for it, and answers with its output. The model is a script in this file, which calls the tools as a real
 * model does: `LanguageModel` of a provider's package replaces it.
 *
 * Run: `npm run example examples/34-agent.ts`. With `SPINE_API_KEY` set, the real service does one run, for money.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Stream } from "effect"
import { Chat, LanguageModel, type Response } from "effect/ai"
import { Budget, RunStore } from "canvas-runs"
import { SpineToolkit } from "canvas-runs/ai"
import { live } from "./support/live.ts"

/** Answers with a tool call, or with text, after what the last tool returned. */
const reply = (last: Record<string, unknown> | undefined): Array<Response.PartEncoded> => {
  const call = (name: string, params: unknown): Response.PartEncoded => ({
    type: "tool-call",
    id: crypto.randomUUID(),
    name,
    params,
    providerExecuted: false
  })
  if (last === undefined) return [call("spine_start", { prompt: "The tides at Station 1", key: "tides" })]
  if (last["status"] === "running") return [call("spine_wait", { run_id: last["run_id"], seconds: 45 })]
  return [{ type: "text", text: `The run is ${String(last["status"])}: ${String(last["output"]).slice(0, 24)}` }]
}

/** A model whose answers are scripted. */
const model = Layer.effect(
  LanguageModel.LanguageModel,
  LanguageModel.make({
    generateText: ({ prompt }) =>
      Effect.sync(() => {
        const results = prompt.content.flatMap((message) =>
          message.role === "tool" ? message.content.filter((part) => part.type === "tool-result") : []
        )
        return reply(results.at(-1)?.result as Record<string, unknown> | undefined)
      }),
    streamText: () => Stream.empty
  })
)

/** Lets the model call tools until it answers with text. */
const agent = Effect.gen(function*() {
  const chat = yield* Chat.fromPrompt("Report the tides at Station 1.")
  while (true) {
    const { text, toolCalls, toolResults } = yield* chat.generateText({ prompt: [], toolkit: SpineToolkit.toolkit })
    if (toolCalls.length === 0) return yield* Console.log(text)
    for (const { name, result } of toolResults) {
      yield* Console.log(
        `${name}: ${"status" in result ? result.status : "message" in result ? result.message : "files"}`
      )
    }
  }
})

const main = Effect.gen(function*() {
  yield* agent
  // The same key, so the second agent gets the same run
  yield* agent
  const { available } = yield* (yield* Budget.Budget).status()
  yield* Console.log(`${available} credits left`)
})

main.pipe(
  Effect.provide([SpineToolkit.layer({ estimate: 50 }), model]),
  Effect.provide([live(), RunStore.layerMemory, Budget.layerMemory({ limit: 500 })]),
  NodeRuntime.runMain
)
