/** Serves the tools for agents as an MCP server, over standard input and output, or over HTTP on loopback. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Config from "effect/Config"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { createServer } from "node:http"
import * as McpServer from "../../ai/McpServer.ts"
import { isToken } from "../../ai/internal/httpGuard.ts"
import { Budget } from "../../Budget.ts"
import { RunStore } from "../../RunStore.ts"
import { SpineClient } from "../../spine/SpineClient.ts"
import { TelaClient } from "../../tela/TelaClient.ts"
import * as Clients from "../clients.ts"
import { KeyError, LocalError, reasonOf } from "../errors.ts"
import { Output } from "../output.ts"
import { State } from "../state.ts"
import { version } from "../version.ts"
import * as Waiting from "../waiting.ts"

const amount = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

export const command = Command.make(
  "mcp",
  {
    http: Flag.Int("http").pipe(
      Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))),
      Flag.withMetavar("PORT"),
      Flag.withDescription("Serve HTTP on this port of 127.0.0.1, instead of standard input; 0 takes any that is free"),
      Flag.optional
    ),
    budget: Flag.Finite("budget").pipe(
      Flag.withSchema(amount),
      Flag.withMetavar("CREDITS"),
      Flag.withDescription(
        "The most that the runs of all agents may cost in --budget-window. Without it there is no limit"
      ),
      Flag.optional
    ),
    window: Waiting.duration("budget-window").pipe(
      Flag.withDescription("The period of --budget, such as 8h. The default is 1 day"),
      Flag.withDefault(Duration.days(1))
    ),
    estimate: Flag.Finite("estimate").pipe(
      Flag.withSchema(amount),
      Flag.withMetavar("CREDITS"),
      Flag.withDescription("What a run is expected to cost, which --budget reserves for it. The default is 50"),
      Flag.withDefault(50)
    ),
    emulator: Clients.emulator
  },
  Effect.fnUntraced(
    function*({ budget, emulator, estimate, http, window }) {
      const clients = yield* Clients.Clients
      const served: Array<McpServer.Served<never>> = []
      if (emulator || (yield* isSet("SPINE_API_KEY"))) {
        served.push(Effect.provideService(McpServer.spine({ estimate }), SpineClient, yield* clients.spine))
      }
      if (emulator || (yield* isSet("TELA_API_KEY")) || (yield* isSet("TELA_JWT"))) {
        served.push(Effect.provideService(McpServer.tela({ estimate }), TelaClient, yield* clients.tela))
      }
      if (!Arr.isReadonlyArrayNonEmpty(served)) {
        return yield* new KeyError({
          message:
            "Neither SPINE_API_KEY nor TELA_API_KEY is set, so there is nothing to serve. Set one of them in the configuration of " +
            "the host that starts this server, or try the tools without a key: canvas-runs mcp --emulator."
        })
      }
      yield* Effect.gen(function*() {
        if (Option.isSome(http)) yield* overHttp(served, http.value)
        else yield* overStdio(served)
      }).pipe(
        Effect.provide(Option.match(budget, {
          onNone: () => Layer.empty,
          onSome: (limit) => Layer.effect(Budget, State.use(({ budget }) => budget({ limit, window })))
        })),
        Effect.provide(Layer.effect(RunStore, State.use(({ open }) => open)))
      )
    },
    (effect, { emulator }) => Clients.provide(effect, { apiKeyFile: Option.none(), baseUrl: Option.none(), emulator })
  )
).pipe(
  Command.withExamples([
    { command: "canvas-runs mcp", description: "A host that starts the server uses standard input and output" },
    { command: "canvas-runs mcp --budget 500", description: "Refuse runs beyond 500 credits a day" },
    { command: "canvas-runs mcp --http 4020", description: "Serve http://127.0.0.1:4020/mcp, with a token" },
    { command: "canvas-runs mcp --emulator", description: "Try it without a key" }
  ])
)

const tokenVariable = "CANVAS_RUNS_MCP_TOKEN"

const environment = (name: string): Effect.Effect<string> =>
  Config.String(name).pipe(Effect.map((text) => text.trim()), Effect.orElseSucceed(() => ""))

const isSet = (name: string): Effect.Effect<boolean> => Effect.map(environment(name), (text) => text !== "")

type Served = Arr.NonEmptyReadonlyArray<McpServer.Served<never>>

/** Serves until the input ends. */
const overStdio = Effect.fnUntraced(function*(serve: Served) {
  const fiber = yield* Effect.forkChild(Layer.launch(McpServer.layerStdio({ serve, version })))
  const exit = yield* Fiber.await(fiber)
  // The server interrupts itself when its input ends
  if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) return yield* Effect.failCause(exit.cause)
})

const overHttp = Effect.fnUntraced(function*(serve: Served, port: number) {
  const given = yield* environment(tokenVariable)
  const token = given !== "" ? given : yield* newToken
  if (!isToken(token)) {
    return yield* new KeyError({
      message:
        `${tokenVariable} has characters that a header cannot carry. Use letters and digits, such as those of: openssl rand -hex 24`
    })
  }
  const server = Layer.effectDiscard(Effect.gen(function*() {
    const { line, note } = yield* Output
    const { address } = yield* HttpServer.HttpServer
    const baseUrl = `http://127.0.0.1:${address._tag === "InetAddressV4" ? address.port : port}/mcp`
    yield* line({ type: "listening", baseUrl }, `listening on ${baseUrl}`)
    yield* note(
      given === ""
        ? `Each request needs the header "Authorization: Bearer ${token}". Set ${tokenVariable} to keep a token.`
        : `Each request needs the token of ${tokenVariable}, in the header Authorization.`
    )
  })).pipe(
    Layer.provideMerge(HttpRouter.serve(McpServer.layerHttp({ serve, version, token: Redacted.make(token) }), {
      disableLogger: true,
      disableListenLog: true
    })),
    Layer.provide(NodeHttpServer.layer(createServer, {
      port,
      host: "127.0.0.1",
      // An agent repeats a wait that the shutdown ended
      gracefulShutdownTimeout: "2 seconds"
    })),
    Layer.catchTag("ServeError", (error) =>
      Layer.effectDiscard(
        new LocalError({
          message: `The port ${port} of 127.0.0.1 cannot be used: ${reasonOf(error)}. Give another with --http PORT.`,
          cause: error
        })
      ))
  )
  return yield* Layer.launch(server)
})

const newToken = SecureRandom.SecureRandom.use(({ randomBytes }) => randomBytes(24)).pipe(
  Effect.map(Base64Url.encode),
  Effect.provide(SecureRandom.layerWebCrypto)
)
