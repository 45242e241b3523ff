/** `npm run emulator -- --port 4010`: the emulator on a socket, for clients in any language. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as CombinedEmulatorServer from "../testing/CombinedEmulatorServer.ts"
import * as TelaEmulator from "../testing/TelaEmulator.ts"
import * as Timeline from "../testing/Timeline.ts"

const help = (baseUrl: string) => `
Spine: any API key of the form sk_spine_... will do. Start a run:

  curl ${baseUrl}/v1/run -H "X-API-KEY: sk_spine_demo" -F prompt="Compare three vector databases" -F template=report

Poll it with the poll_url of the answer, until its status is no longer "running":

  curl ${baseUrl}/v1/run/RUN_ID -H "X-API-KEY: sk_spine_demo"

Download what it made from each download_url, without the key.

Tela: any API key and any UUID will do. Run a canvas and wait, start a run to poll, or watch a stream:

  curl ${baseUrl}/v2/chat/completions -H "Authorization: Bearer demo" --json \\
    '{"canvas_id":"${canvasId}","variables":{"topic":"vector databases"}}'
  curl ${baseUrl}/v2/chat/completions -H "Authorization: Bearer demo" --json \\
    '{"canvas_id":"${canvasId}","variables":{"topic":"vector databases"},"async":true}'
  curl ${baseUrl}/v2/chat/completions/RUN_ID -H "Authorization: Bearer demo"
  curl -N ${baseUrl}/v2/chat/completions -H "Authorization: Bearer demo" --json \\
    '{"canvas_id":"${canvasId}","variables":{"topic":"vector databases"},"stream":true}'

A canvas that fails: ${TelaEmulator.failingCanvasId}
A canvas that is not there: ${TelaEmulator.unknownCanvasId}
A workflow: ${TelaEmulator.workflowCanvasId}

Ctrl-C stops the emulator.`

const canvasId = "11111111-1111-4111-8111-111111111111"

const emulator = Command.make(
  "emulator",
  {
    port: Flag.Int("port").pipe(
      Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))),
      Flag.withDescription("The port to listen on; 0 takes any that is free"),
      Flag.withDefault(4010)
    ),
    host: Flag.String("host").pipe(
      Flag.withDescription("The address to listen on"),
      Flag.withDefault("127.0.0.1")
    ),
    speed: Flag.Finite("speed").pipe(
      Flag.withSchema(Schema.Finite.check(Schema.isGreaterThan(0))),
      Flag.withDescription("How many times faster a run goes; at 1 it takes a few seconds"),
      Flag.withDefault(1)
    )
  },
  Effect.fnUntraced(function*({ host, port, speed }) {
    return yield* CombinedEmulatorServer.CombinedEmulatorServer.pipe(
      Effect.tap(({ baseUrl }) => Console.log(`listening on ${baseUrl}\n${help(baseUrl)}`)),
      Effect.andThen(Effect.never),
      Effect.provide(CombinedEmulatorServer.layer({
        host,
        port,
        spine: {
          speed,
          script: { timeline: Timeline.make({ duration: "6 seconds" }), estimatedDuration: "6 seconds" }
        },
        tela: {
          speed,
          script: { timeline: Timeline.make({ duration: "3 seconds" }), stream: { pause: "300 millis" } }
        }
      }))
    )
  })
).pipe(Command.withDescription("Serves the APIs of Spine and Tela from memory, with runs that take a few seconds"))

emulator.pipe(
  Command.run({ version: "0.1.0" }),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain({
    // To be stopped is how a server ends well.
    teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 0 : 1)
  })
)
