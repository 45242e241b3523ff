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
import * as SpineEmulatorServer from "../testing/SpineEmulatorServer.ts"
import * as Timeline from "../testing/Timeline.ts"

const help = (baseUrl: string) => `
Any API key of the form sk_spine_... will do. Start a run:

  curl ${baseUrl}/v1/run -H "X-API-KEY: sk_spine_demo" -F prompt="Compare three vector databases" -F template=report

Poll it with the poll_url of the answer, until its status is no longer "running":

  curl ${baseUrl}/v1/run/RUN_ID -H "X-API-KEY: sk_spine_demo"

Download what it made from each download_url, without the key. Ctrl-C stops the emulator.`

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
      Flag.withDescription("How many times faster a run goes; at 1 it takes six seconds"),
      Flag.withDefault(1)
    )
  },
  Effect.fnUntraced(function*({ host, port, speed }) {
    return yield* SpineEmulatorServer.SpineEmulatorServer.pipe(
      Effect.tap(({ baseUrl }) => Console.log(`listening on ${baseUrl}\n${help(baseUrl)}`)),
      Effect.andThen(Effect.never),
      Effect.provide(SpineEmulatorServer.layer({
        host,
        port,
        speed,
        script: { timeline: Timeline.make({ duration: "6 seconds" }), estimatedDuration: "6 seconds" }
      }))
    )
  })
).pipe(Command.withDescription("Serves the Spine API from memory, with runs that take a few seconds"))

emulator.pipe(
  Command.run({ version: "0.1.0" }),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain({
    // To be stopped is how a server ends well.
    teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 0 : 1)
  })
)
