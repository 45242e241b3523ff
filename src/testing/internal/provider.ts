/** The parts that the emulators of all providers have in common. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import type * as Scope from "effect/Scope"
import * as Emulator from "../Emulator.ts"
import type * as Rude from "../Rude.ts"
import type * as WebhookDelivery from "../WebhookDelivery.ts"
import * as ApiKeys from "./apiKeys.ts"
import * as Deliveries from "./deliveries.ts"
import * as Ends from "./ends.ts"
import * as Links from "./links.ts"
import type * as routing from "./routing.ts"
import * as rude from "./rude/http.ts"
import type { Has } from "./rude/json.ts"
import * as Scripts from "./scripts.ts"
import { ids } from "./uuid.ts"
import * as Check from "./check.ts"

/** The options that every emulator has. */
export interface Options<Request, Script> {
  readonly origin?: string | undefined
  readonly apiKeys?: ReadonlyArray<string> | undefined
  readonly speed?: number | undefined
  readonly script?: Script | ((request: Request) => Script) | undefined
  readonly webhookClient?: HttpClient.HttpClient | undefined
  readonly webhookHosts?: ReadonlyArray<string> | undefined
  readonly deliveryScript?: WebhookDelivery.Script | undefined
  readonly rude?: Rude.Rude | undefined
}

/** What differs from provider to provider. */
export interface Provider<Run> extends Pick<Emulator.Options, "errorBody" | "errorHeaders" | "rudeProfile"> {
  readonly defaultOrigin: string
  /** The origin of links to files, if the user sets one. In memory the default is used otherwise. */
  readonly fileOrigin: string | undefined
  readonly defaultFileOrigin: string
  /** The keys that are accepted if the user lists none. */
  readonly isApiKey: (key: string) => boolean
  /** The pause before each further attempt of a webhook. */
  readonly webhookPauses: ReadonlyArray<Duration.Input>
  readonly endsAt: (run: Run) => number
  readonly hasEnded: (run: Run, now: number) => boolean
  readonly serve: routing.Serve
}

/** The values that the parts of an emulator share. */
export interface Shared<Request, Script, Run, Target> {
  readonly has: Has
  readonly uuid: () => string
  readonly newId: (kind: string) => string
  /** The time on the emulator's clock. */
  readonly now: Effect.Effect<number>
  readonly scripts: Scripts.Scripts<Request, Script>
  readonly keys: ApiKeys.ApiKeys
  readonly ends: Ends.Ends<Run>
  readonly deliveries: Deliveries.Deliveries
  readonly links: Links.Links<Target>
  /** The part of the control service that every emulator has. */
  readonly control: Emulator.Emulator & {
    readonly origin: string
    readonly script: Scripts.Scripts<Request, Script>["set"]
    readonly revokeKey: ApiKeys.ApiKeys["revoke"]
    readonly deliveries: Deliveries.Deliveries["all"]
    readonly scriptDeliveries: Deliveries.Deliveries["setScript"]
  }
}

export const make = Effect.fnUntraced(function*<Request, Script extends object, Run, Target>(
  options: Options<Request, Script>,
  provider: Provider<Run>
): Effect.fn.Return<Shared<Request, Script, Run, Target>, never, Scope.Scope> {
  const { defaultFileOrigin, endsAt, fileOrigin, hasEnded } = provider
  Check.texts("apiKeys", options.apiKeys ?? [])
  Check.positive("speed", options.speed ?? 1)
  Check.kind("rude", options.rude ?? [], Array.isArray, "an array of names, such as Rude.all")
  const scope = yield* Effect.scope
  const uuid = yield* Emulator.uuids
  const has = rude.hasOf(options.rude ?? [])
  const origin = options.origin ?? provider.defaultOrigin
  const emulator = yield* Emulator.make({
    ...provider,
    origins: [origin, fileOrigin ?? defaultFileOrigin],
    requestIdHeader: "x-request-id",
    rude: options.rude
  }, provider.serve)
  const { now } = emulator
  const scripts = Scripts.make(options.script ?? {} as Script)
  const keys = ApiKeys.make((key) => options.apiKeys?.includes(key) ?? provider.isApiKey(key), now)
  const ends = Ends.make<Run>({ scope, now, endsAt, hasEnded })
  const deliveries = yield* Deliveries.make({
    client: options.webhookClient,
    hosts: options.webhookHosts,
    pauses: provider.webhookPauses,
    script: options.deliveryScript,
    has,
    scope,
    now,
    until: ends.until
  })
  return {
    has,
    uuid,
    newId: ids(has, uuid),
    now,
    scripts,
    keys,
    ends,
    deliveries,
    links: Links.make<Target>({ has, uuid, origin, fileOrigin, defaultFileOrigin }),
    control: {
      ...emulator,
      origin,
      advance: (duration) => Effect.andThen(emulator.advance(duration), ends.moved),
      script: scripts.set,
      revokeKey: keys.revoke,
      deliveries: deliveries.all,
      scriptDeliveries: deliveries.setScript
    }
  }
})
