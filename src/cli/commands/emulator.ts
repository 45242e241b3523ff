/** Serves the emulators of both providers on a socket, for clients in any language. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as CombinedEmulatorServer from "../../testing/CombinedEmulatorServer.ts"
import * as Rude from "../../testing/Rude.ts"
import * as SpineEmulator from "../../testing/SpineEmulator.ts"
import * as TelaEmulator from "../../testing/TelaEmulator.ts"
import * as Timeline from "../../testing/Timeline.ts"
import { LocalError, reasonOf, UsageError } from "../errors.ts"
import { readJson } from "../files.ts"
import { Output } from "../output.ts"
import { textFlag } from "../textFlag.ts"
import { decode, type ScriptFile, spineScript, telaCanvases } from "../scriptFile.ts"

/** Makes the text that is printed once the server listens: requests to try, and the scripts and peculiarities of this server. */
const help = (baseUrl: string, script: ScriptFile, rude: Rude.Rude) => `
Spine: any API key of the form sk_spine_... works. Start a run:

  curl ${baseUrl}/v1/run -H "X-API-KEY: sk_spine_demo" -F prompt="Compare three vector databases" -F template=report

Poll it with the poll_url of the response, until its status is not "running":

  curl ${baseUrl}/v1/run/RUN_ID -H "X-API-KEY: sk_spine_demo"

Download its files from each download_url, without the key.

A run fails if its prompt begins with: ${SpineEmulator.failingPrompt}
A run ends partial if its prompt begins with: ${SpineEmulator.partialPrompt}

Tela: any API key and any UUID work. Run a canvas and wait, start a run to poll, or watch a stream:

  curl ${baseUrl}/v2/chat/completions -H "Authorization: Bearer demo" --json \\
    '{"canvas_id":"${canvasId}","variables":{"topic":"vector databases"}}'
  curl ${baseUrl}/v2/chat/completions -H "Authorization: Bearer demo" --json \\
    '{"canvas_id":"${canvasId}","variables":{"topic":"vector databases"},"async":true}'
  curl ${baseUrl}/v2/chat/completions/RUN_ID -H "Authorization: Bearer demo"
  curl -N ${baseUrl}/v2/chat/completions -H "Authorization: Bearer demo" --json \\
    '{"canvas_id":"${canvasId}","variables":{"topic":"vector databases"},"stream":true}'

A canvas with a structured output, ${
  JSON.stringify(TelaEmulator.invoiceCanvas.output)
}: ${TelaEmulator.invoiceCanvas.id}
A canvas that fails: ${TelaEmulator.failingCanvasId}
A canvas that does not exist: ${TelaEmulator.unknownCanvasId}
A workflow: ${TelaEmulator.workflowCanvasId}
${scripted(script)}${rude.map((name) => `Rude: ${Rude.descriptions[name]} (${name})\n`).join("")}
Ctrl-C stops the emulator.`

/** Describes the script of this server, one line for each entry. */
const scripted = ({ spine, tela }: ScriptFile): string =>
  [
    ...(spine?.runs ?? []).map(({ outcome = "completed", prompt }) =>
      `Scripted: a run of Spine ${
        prompt === undefined ? "with any other prompt" : `whose prompt contains ${JSON.stringify(prompt)}`
      } ends ${outcome}\n`
    ),
    ...(tela?.canvases ?? []).map(({ id, outcome = "completed", title }) =>
      `Scripted: the canvas ${id}${title === undefined ? "" : ` (${title})`} ends ${outcome}\n`
    )
  ].join("")

/** Reads the value of `--rude`. */
const parseRude = (text: string): Option.Option<Rude.Rude> => {
  if (text === "all") return Option.some(Rude.all)
  if (text === "none") return Option.some(Rude.none)
  if (/^\d{1,9}$/.test(text)) return Option.some(Rude.sample(Number(text)))
  return Schema.decodeUnknownOption(Schema.Array(Schema.Literals(Rude.names)))(text.split(","))
}

/** The id of the canvas in the requests to try. */
const canvasId = "11111111-1111-4111-8111-111111111111"

export const command = Command.make(
  "emulator",
  {
    port: Flag.Int("port").pipe(
      Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))),
      Flag.withDescription("The port to listen on; 0 takes any that is free"),
      Flag.withDefault(4010)
    ),
    host: textFlag("host").pipe(
      Flag.withDescription("The address to listen on"),
      Flag.withDefault("127.0.0.1")
    ),
    allowHost: Flag.String("allow-host").pipe(
      Flag.withDescription("A host name to answer to, beside localhost; may be repeated"),
      Flag.atLeast(0)
    ),
    speed: Flag.Finite("speed").pipe(
      Flag.withSchema(Schema.Finite.check(Schema.isGreaterThan(0))),
      Flag.withDescription("How many times faster a run goes; at 1 it takes a few seconds"),
      Flag.withDefault(1)
    ),
    rude: Flag.String("rude").pipe(
      Flag.withDescription(
        "Peculiarities of real servers: all, none, a number that selects about half of all names, or names such as " +
          "gzip,oddIds; listed in the documentation of Rude"
      ),
      Flag.filterMap(parseRude, () => `all, none, a number, or some of ${Rude.names.join(", ")}`),
      Flag.withDefault(Rude.none)
    ),
    script: Flag.Path("script", { pathType: "file", mustExist: true }).pipe(
      Flag.withDescription(
        "A JSON file that says what runs do, such as " +
          "{\"spine\":{\"runs\":[{\"prompt\":\"words of it\",\"outcome\":\"partial\"}]}," +
          "\"tela\":{\"canvases\":[{\"id\":\"a UUID\",\"output\":{\"total\":1}}]}}"
      ),
      Flag.optional
    )
  },
  Effect.fnUntraced(function*({ allowHost, host, port, rude, speed, ...files }) {
    const script = yield* readScript(files.script)
    return yield* CombinedEmulatorServer.CombinedEmulatorServer.pipe(
      Effect.tap(({ baseUrl }) =>
        Output.use(({ line }) =>
          line({ type: "listening", baseUrl }, `listening on ${baseUrl}\n${help(baseUrl, script, rude)}`)
        )
      ),
      Effect.andThen(Effect.never),
      Effect.provide(CombinedEmulatorServer.layer({
        host,
        port,
        allowedHosts: allowHost,
        spine: { rude, speed, script: spineScript(script, "6 seconds") },
        tela: {
          rude,
          speed,
          script: { timeline: Timeline.make({ duration: "3 seconds" }), stream: { pause: "300 millis" } },
          canvases: [TelaEmulator.invoiceCanvas, ...telaCanvases(script, "3 seconds")]
        }
      })),
      Effect.catchTag("ServeError", (cause) =>
        Effect.fail(
          new LocalError({
            message: `The emulator cannot listen on ${host}:${port}: ${
              reasonOf(cause)
            }. Give another --port or --host.`,
            cause
          })
        ))
    )
  })
).pipe(
  Command.withExamples([
    { command: "canvas-runs emulator --port 4010", description: "Then use --base-url http://127.0.0.1:4010" },
    { command: "canvas-runs emulator --rude all --speed 10", description: "Behave like real servers, ten times faster" }
  ])
)

/** Reads the file of `--script`. */
const readScript = Effect.fnUntraced(function*(file: Option.Option<string>) {
  if (Option.isNone(file)) return {}
  const json = yield* readJson(file.value)
  return yield* Effect.try({
    try: () => decode(json),
    catch: (error) =>
      new UsageError({ message: `--script: the file ${file.value} is no script. ${(error as Error).message}` })
  })
})
