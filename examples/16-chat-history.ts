/**
 * A conversation. The provider keeps no history: each execution is sent the messages so far, which are plain data. An execution
 * can override settings of the canvas, and tags mark its purpose for later.
 *
 * The canvas takes a text, `product`, and answers with text.
 *
 * Run: `npm run example examples/16-chat-history.ts`
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema } from "effect"
import { Tela } from "canvas-runs"
import { canvasId, live } from "./support/liveTela.ts"

type History = ReadonlyArray<Tela.Message>

/** Asks the next question, and returns the history with the answer in it. */
const ask = Effect.fn("ask")(function*(history: History, question: string) {
  const tela = yield* Tela.TelaClient
  const canvas = tela.canvas.make({ id: yield* canvasId, output: Schema.String })
  const messages: History = [...history, { role: "user", content: question }]

  const { result } = yield* canvas.execute({ product: "tide clock" }, {
    messages,
    override: { type: "chat", temperature: 0.2 },
    tags: ["shop", "examples"]
  })
  return [...messages, { role: "assistant", content: result }] satisfies History
})

const program = Effect.gen(function*() {
  let history: History = []
  for (const question of ["How often does it need a new battery?", "And how do I set it?"]) {
    history = yield* ask(history, question)
  }
  for (const { content, role } of history) {
    yield* Console.log(`${role.padEnd(9)} ${content}`)
  }
})

program.pipe(
  Effect.provide(live({
    executions: 2,
    canvas: {
      output: ({ messages }) => messages.length === 1 ? "Once a year." : "At high tide, with the knob on its back."
    }
  })),
  NodeRuntime.runMain
)
