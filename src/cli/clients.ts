/**
 * The clients of the providers, made from flags and the environment when a command needs them.
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Flag from "effect/cli/Flag"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import type { ConfigError } from "../RunError.ts"
import type * as Spine from "../spine/index.ts"
import type * as Tela from "../tela/index.ts"
import { KeyError, reasonOf, StillRunningError, UsageError } from "./errors.ts"
import type { Provider } from "./names.ts"
import type { State } from "./state.ts"

/** The flags of a command that calls a provider. */
export const flags = {
  apiKeyFile: Flag.Path("api-key-file", { pathType: "file", mustExist: true }).pipe(
    Flag.withDescription("A file with the API key. The default is SPINE_API_KEY or TELA_API_KEY of the environment"),
    Flag.optional
  ),
  baseUrl: Flag.String("base-url").pipe(
    Flag.withDescription(
      "The origin of the API. The default is SPINE_BASE_URL or TELA_BASE_URL, or the provider's own"
    ),
    Flag.optional
  )
}

/** The values of {@link flags}. */
export interface Options {
  readonly apiKeyFile: Option.Option<string>
  readonly baseUrl: Option.Option<string>
}

/** The flag of a command that can do its work without a key. */
export const emulator = Flag.Boolean("emulator").pipe(
  Flag.withDescription("Use a provider that this process emulates. It needs no key, and ends with the process"),
  Flag.withDefault(false)
)

export type ClientError = KeyError | UsageError | ConfigError

/** Makes the clients, once each. */
export interface Service {
  /** Whether the provider is emulated by this process: then no run outlives it. */
  readonly isEmulated: boolean
  readonly spine: Effect.Effect<Spine.Service, ClientError>
  readonly tela: Effect.Effect<Tela.Service, ClientError>
}

export class Clients extends Context.Service<Clients, Service>()("canvas-runs/cli/Clients") {}

/** Makes the clients on the network. */
export const layer = (options: Options): Layer.Layer<Clients, never, FileSystem.FileSystem> =>
  Layer.effect(
    Clients,
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const apiKey = (provider: Provider) =>
        Option.match(options.apiKeyFile, {
          onNone: () => keyOfEnvironment(provider),
          onSome: (path) => Effect.flatMap(readKey(fs, path), (key) => checkKey(provider, `the file ${path}`, key))
        })
      const baseUrl = (provider: Provider) =>
        Option.match(options.baseUrl, {
          onNone: () => environment(`${provider.toUpperCase()}_BASE_URL`),
          onSome: (url) => Effect.succeed<string | undefined>(url)
        })
      const credentialOfTela = Effect.gen(function*() {
        const jwt = Option.isSome(options.apiKeyFile) ? undefined : yield* environment("TELA_JWT")
        if (jwt === undefined) return { apiKey: yield* apiKey("tela") }
        if ((yield* environment(variables.tela)) === undefined) return { jwt: Redacted.make(jwt.trim()) }
        return yield* new KeyError({ message: "Both TELA_API_KEY and TELA_JWT are set. Unset one of them." })
      })
      return {
        isEmulated: false,
        spine: yield* Effect.cached(
          Effect.gen(function*() {
            const [{ make }, { layer }] = yield* Effect.promise(() =>
              Promise.all([import("../spine/index.ts"), import("effect/http/FetchHttpClient")])
            )
            const settings = { apiKey: yield* apiKey("spine"), baseUrl: yield* baseUrl("spine") }
            return yield* Effect.provide(make(settings), layer)
          })
        ),
        tela: yield* Effect.cached(
          Effect.gen(function*() {
            const [{ make }, { layer }] = yield* Effect.promise(() =>
              Promise.all([import("../tela/index.ts"), import("effect/http/FetchHttpClient")])
            )
            const settings = { ...yield* credentialOfTela, baseUrl: yield* baseUrl("tela") }
            return yield* Effect.provide(make(settings), layer)
          })
        )
      }
    })
  )

/** Provides the clients, and with `--emulator` a store in memory: the runs end with the process. */
export const provide = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  { emulator, ...options }: Options & { readonly emulator: boolean }
) =>
  emulator
    ? Effect.provide(Effect.mapError(effect, endsHere), [layerEmulator, layerMemory])
    : Effect.provide(effect, layer(options))

/** A timeout of an emulated run does not say how to wait again. */
const endsHere = <E>(error: E) =>
  Predicate.isTagged(error, "RunTimeoutError")
    ? new StillRunningError({
      message:
        "The run had not ended when --timeout passed. The emulator ended, and the run with it. Give a longer --timeout."
    })
    : error

const layerMemory: Layer.Layer<State> = Layer.unwrap(
  Effect.map(Effect.promise(() => import("./openStore.ts")), ({ layerMemory }) => layerMemory)
)

/** Makes the clients on emulators in this process, whose runs take a few seconds. */
const layerEmulator: Layer.Layer<Clients> = Layer.effect(
  Clients,
  Effect.gen(function*() {
    const scope = yield* Effect.scope
    return {
      isEmulated: true,
      spine: yield* Effect.cached(Effect.gen(function*() {
        const [{ make }, { layerTest }, Timeline] = yield* Effect.promise(() =>
          Promise.all([
            import("../spine/index.ts"),
            import("../testing/SpineEmulator.ts"),
            import("../testing/Timeline.ts")
          ])
        )
        const emulator = yield* Layer.buildWithScope(
          layerTest({ script: { timeline: Timeline.make({ duration: "4 seconds" }), estimatedDuration: "4 seconds" } }),
          scope
        )
        return yield* Effect.provideContext(make({ apiKey: Redacted.make("sk_spine_emulator") }), emulator)
      })),
      tela: yield* Effect.cached(Effect.gen(function*() {
        const [{ make }, { layerTest }, Timeline] = yield* Effect.promise(() =>
          Promise.all([
            import("../tela/index.ts"),
            import("../testing/TelaEmulator.ts"),
            import("../testing/Timeline.ts")
          ])
        )
        const emulator = yield* Layer.buildWithScope(
          layerTest({
            script: { timeline: Timeline.make({ duration: "3 seconds" }), stream: { pause: "300 millis" } }
          }),
          scope
        )
        return yield* Effect.provideContext(make({ apiKey: Redacted.make("emulator") }), emulator)
      }))
    }
  })
)

const environment = (name: string): Effect.Effect<string | undefined> =>
  Config.String(name).pipe(
    Effect.map((text) => text.trim() === "" ? undefined : text),
    Effect.orElseSucceed(() => undefined)
  )

const keyOfEnvironment = (provider: Provider) =>
  Effect.gen(function*() {
    const name = variables[provider]
    const key = yield* environment(name)
    if (key !== undefined) return yield* checkKey(provider, name, key)
    const other = provider === "spine" ? variables.tela : variables.spine
    const otherKey = yield* environment(other)
    if (otherKey !== undefined && isSpineKey(otherKey) === (provider === "spine")) {
      return yield* new KeyError({
        message: `${name} is not set, and ${other} holds a key of ${names[provider]}. Move the key to ${name}.`
      })
    }
    return yield* new KeyError({
      message: `${name} is not set. Set it to your API key, or give --api-key-file FILE. ` +
        "Without a key, try \"canvas-runs run PROMPT --emulator\"."
    })
  })

const variables = { spine: "SPINE_API_KEY", tela: "TELA_API_KEY" } as const
const names = { spine: "Spine", tela: "Tela" } as const

/** Keys of Spine have a prefix. The form of other keys is not documented. */
const isSpineKey = (key: string): boolean => key.trim().startsWith("sk_spine_")

const checkKey = (provider: Provider, place: string, key: string) =>
  provider === "tela" && isSpineKey(key)
    ? Effect.fail(
      new KeyError({
        message: `${place} holds a key of Spine (sk_spine_...), and Tela needs a key of Tela. No request was made.`
      })
    )
    : provider === "spine" && !isSpineKey(key)
    ? Effect.fail(
      new KeyError({ message: `${place} holds no key of Spine: those begin with sk_spine_. No request was made.` })
    )
    : Effect.succeed(Redacted.make(key.trim()))

const readKey = (fs: FileSystem.FileSystem, path: string) =>
  Effect.mapError(
    fs.readFileString(path),
    (cause) => new UsageError({ message: `The file ${path} with the API key cannot be read: ${reasonOf(cause)}.` })
  )
