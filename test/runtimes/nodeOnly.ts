/** Checks the entry points that need Node: each works where it can, and otherwise fails with the reason. */
import { Effect } from "effect"
import { HttpClient } from "effect/http"
import { judge, type StepResult } from "./program.ts"

/** The behaviour of the entry points on a runtime. */
export interface Expected {
  /** Whether `canvas-runs/node` works. */
  readonly node: boolean
  /** Whether the emulators' servers do. */
  readonly server: boolean
}

const loaded = <A>(load: () => Promise<A>): Effect.Effect<A, Error> =>
  Effect.tryPromise({ try: load, catch: (cause) => cause instanceof Error ? cause : new Error(String(cause)) })

/** The error has to name the requirement and the alternative. */
const refused = (load: () => Promise<unknown>, need: RegExp, instead: RegExp): Effect.Effect<void, string> =>
  Effect.matchEffect(loaded(load), {
    onSuccess: () => Effect.fail("it was loaded"),
    onFailure: ({ message }) =>
      need.test(message) && instead.test(message) ? Effect.void : Effect.fail(`the message was: ${message}`)
  })

const status = (baseUrl: string) =>
  HttpClient.get(`${baseUrl}/v1/run/none`).pipe(
    Effect.tap((response) => response.text),
    Effect.flatMap(({ status }) => status === 401 ? Effect.void : Effect.fail(`the status was ${status}`))
  )

const node = ({ node }: Expected, baseUrl: string) =>
  node
    ? Effect.flatMap(
      loaded(() => import("canvas-runs/node")),
      ({ NodeHttp }) => Effect.provide(status(baseUrl), NodeHttp.layer())
    )
    : refused(() => import("canvas-runs/node"), /needs Node 22\.19 or newer/, /FetchHttpClient/)

const server = ({ server }: Expected) =>
  server
    ? Effect.flatMap(
      loaded(() => import("canvas-runs/testing/CombinedEmulatorServer")),
      (module) =>
        Effect.service(module.CombinedEmulatorServer).pipe(
          Effect.flatMap(({ baseUrl }) => Effect.promise(() => fetch(`${baseUrl}/v1/run/none`))),
          Effect.flatMap(({ status }) => status === 401 ? Effect.void : Effect.fail(`the status was ${status}`)),
          Effect.provide(module.layer())
        )
    )
    : refused(() => import("canvas-runs/testing/CombinedEmulatorServer"), /need the sockets of Node/, /layerTest/)

/** Runs the steps against the emulator at this address. */
export const run = (expected: Expected, baseUrl: string): Promise<ReadonlyArray<StepResult>> =>
  Effect.runPromise(Effect.all([
    judge("node entry", node(expected, baseUrl)),
    judge("server entry", server(expected))
  ]))
