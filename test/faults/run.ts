/** Runs one cell, an operation under a fault on a transport, and compares the outcome with the table. */
import { NodeFileSystem, NodeHttpClient } from "@effect/platform-node"
import {
  Cause,
  Clock,
  Duration,
  Effect,
  Exit,
  FileSystem,
  Layer,
  Option,
  Path,
  PlatformError,
  Redacted,
  Schedule,
  Scope,
  Stream
} from "effect"
import { FetchHttpClient, HttpClient } from "effect/http"
import { KeyValueStore, RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import { inspect } from "node:util"
import { type ClientOptions, RunError, Spine, Tela, Webhooks } from "canvas-runs"
import { NodeHttp } from "canvas-runs/node"
import { noSuchHost } from "./acts.ts"
import { type Code, type Expected, expected, type Fault, knownDefects, legend } from "./matrix.ts"
import { patientClock } from "../support/clock.ts"
import { openFile } from "../support/fileStore.ts"
import * as Memory from "./memory.ts"
import { type Caller, type Operation } from "./operations.ts"
import { secrets } from "./provider.ts"
import * as Socket from "./socket.ts"
import * as Stage from "./stage.ts"
import { beats, type Host, type Timing, type Transport } from "./play.ts"

export interface Cell {
  readonly operation: Operation
  /** The fault. Without one, the result is the reference for a success under a fault. */
  readonly fault: Fault | undefined
  readonly transport: Transport
  /** Whether this is a repetition with longer beats. */
  readonly isSlowed?: boolean
}

/** A problem of a cell. */
export type Problem = "defect" | "hang" | "leak" | "untyped" | "secret" | "unexpected"

export interface Outcome {
  readonly cell: Cell
  /** The actual outcome, such as `Tr2`. */
  readonly actual: string
  readonly expected: string
  readonly problems: ReadonlyArray<{ readonly problem: Problem; readonly detail: string }>
  /** The known defect of the cell. */
  readonly known: string | undefined
  /** The result of a success. */
  readonly result: unknown
  /** Whether the cell was repeated. */
  readonly isSecond?: boolean
}

/** The factor for the beats of a repeated cell, so that no stall of the machine reaches a timeout. */
const slownessOf = ({ fault, isSlowed }: Cell): number => isSlowed !== true ? 1 : fault?.isSlow === true ? 2 : 10

const timings: Readonly<Record<Transport, Timing>> = {
  memory: { beatMillis: 1000 },
  fetch: { beatMillis: 15 },
  undici: { beatMillis: 15 }
}

/** The time that the machine may need for a cell beyond the times of the client. */
const watchdog: Readonly<Record<Transport, Duration.Input>> = {
  memory: "30 seconds",
  fetch: "15 seconds",
  undici: "15 seconds"
}

const watchdogOf = (cell: Cell): Duration.Duration =>
  Duration.times(Duration.fromInputUnsafe(watchdog[cell.transport]), slownessOf(cell))

const timingOf = (cell: Cell): Timing => ({ beatMillis: slownessOf(cell) * timings[cell.transport].beatMillis })

const timesOf = ({ beatMillis }: Timing, isSlow: boolean) => (count: number): Duration.Duration =>
  Duration.millis(count * beatMillis * (isSlow && beatMillis < 1000 ? 10 : 1))

/** A folder in memory, whose files can be listed at the end. */
const makeDisk = () => {
  const files = new Map<string, number>()
  const fileSystem = FileSystem.makeNoop({
    makeDirectory: () => Effect.void,
    open: (path) =>
      Effect.sync(() => {
        files.set(path, 0)
        return openFile({
          writeAll: (bytes) =>
            Effect.sync(() => {
              files.set(path, (files.get(path) ?? 0) + bytes.length)
            }),
          truncate: () =>
            Effect.sync(() => {
              files.set(path, 0)
            })
        })
      }),
    rename: (from, to) =>
      Effect.sync(() => {
        files.set(to, files.get(from) ?? 0)
        files.delete(from)
      }),
    remove: (path) =>
      Effect.sync(() => {
        files.delete(path)
      })
  })
  return { files, layer: Layer.succeed(FileSystem.FileSystem, fileSystem) }
}

/** Files in memory: on the `TestClock` nothing may take real time. */
const filesInMemory = Layer.effect(
  FileSystem.FileSystem,
  Effect.sync(() => {
    const files = new Map<string, string>()
    return FileSystem.makeNoop({
      exists: (path) => Effect.succeed(files.has(path)),
      makeDirectory: () => Effect.void,
      readFileString: (path) =>
        Effect.suspend(() => {
          const text = files.get(path)
          return text === undefined
            ? Effect.fail(
              PlatformError.systemError({ _tag: "NotFound", module: "FileSystem", method: "readFileString" })
            )
            : Effect.succeed(text)
        }),
      writeFileString: (path, text) => Effect.sync(() => void files.set(path, text)),
      remove: (path) => Effect.sync(() => void files.delete(path))
    })
  })
)

const storageOf = (transport: Transport): Caller["storage"] => ({
  memory: KeyValueStore.layerMemory,
  files: transport === "memory"
    ? Layer.orDie(Layer.provide(KeyValueStore.layerFileSystem("/runs"), [filesInMemory, Path.layer]))
    : Layer.unwrap(Effect.map(
      Effect.flatMap(FileSystem.FileSystem, (files) => files.makeTempDirectoryScoped()),
      KeyValueStore.layerFileSystem
    )).pipe(Layer.provide([NodeFileSystem.layer, Path.layer]), Layer.orDie)
})

const clientOptions = (
  time: (count: number) => Duration.Duration,
  baseUrl: string,
  { hub, operation: { client } }: { readonly hub: Webhooks.Service; readonly operation: Operation },
  maxResponseBytes = 1024 * 1024
): ClientOptions.ClientOptions => ({
  ...(client === "webhooks" ? { webhooks: hub } : undefined),
  // Half of the pause before a request is repeated
  ...(client === "rate limit" ? { rateLimit: { limit: 1, window: time(beats.retryDelay / 2) } } : undefined),
  ...(client === "repeated creates" ? { retryCreates: true } : undefined),
  baseUrl,
  requestTimeout: time(beats.requestTimeout),
  retry: Schedule.max([Schedule.spaced(time(beats.retryDelay)), Schedule.recurs(1)]),
  retryAfterCeiling: time(beats.retryAfterCeiling),
  maxResponseBytes
})

const perform = (
  cell: Cell,
  timing: Timing,
  origins: Readonly<Record<Host, string>>,
  onElement: () => void = () => {}
) => {
  const { fault, operation, transport } = cell
  const hub = Effect.runSync(Webhooks.make())
  // Without a fault the times are long: the first cell also loads and compiles code
  const time = timesOf(timing, fault === undefined || fault.isSlow === true)
  const caller: Caller = {
    filesOrigin: origins.files,
    beats: time,
    hub,
    storage: storageOf(transport),
    consume: (stream) =>
      fault?.caller === "slow"
        ? Stream.tap(stream, () => Effect.sleep(time(beats.slowConsumer)))
        : fault?.caller === "leaves"
        ? Stream.take(stream, 1)
        : Stream.map(stream, (element) => {
          onElement()
          return element
        })
  }
  const disk = makeDisk()
  const options = clientOptions(time, origins.api, { hub, operation }, fault?.maxResponseBytes)
  const call = operation.run(caller)
  const exit = (fault?.caller === "interrupts"
    ? Effect.timeoutOrElse(call, { duration: time(beats.patience), orElse: () => Effect.interrupt })
    : call).pipe(
      Effect.provide(
        Layer.mergeAll(
          disk.layer,
          Spine.layer({ apiKey: Redacted.make(secrets.spine), ...options }),
          Tela.layer({ apiKey: Redacted.make(secrets.tela), ...options })
        ).pipe(Layer.provide(Layer.provide(RateLimiter.layer, RateLimiter.layerStoreMemory)))
      ),
      Effect.exit
    )
  return { exit, disk }
}

/** The outcome of a cell, before the comparison. */
interface Ended {
  /** `undefined` if the cell has not ended. */
  readonly exit: Exit.Exit<unknown, unknown> | undefined
  readonly stage: Stage.Stage
  readonly open: ReadonlyArray<string>
  readonly files: ReadonlyArray<string>
}

const inMemory = (cell: Cell): Effect.Effect<Ended> =>
  Effect.gen(function*() {
    // HTTP dates need a current year
    yield* TestClock.setTime(Date.UTC(2026, 0, 1))
    const stage = Stage.make(cell.operation, cell.fault, {
      timing: timings.memory,
      secret: secrets[cell.operation.provider],
      origins: () => Memory.origins
    })
    const transport = Memory.make(stage)
    const { disk, exit } = perform(cell, timings.memory, Memory.origins, transport.note)
    const fiber = yield* Effect.forkChild(
      Effect.provideService(
        cell.fault?.turnMillis === undefined ? exit : inTurns(exit, cell.fault.turnMillis),
        HttpClient.HttpClient,
        transport.client
      )
    )
    // The clock waits for fibers that it wakes, but not for fibers that have only just been started
    let seen = -1
    while (transport.activity() !== seen) {
      seen = transport.activity()
      yield* Effect.repeat(Effect.yieldNow, { times: 50 })
    }
    yield* TestClock.adjust("3 hours")
    const ended = fiber.pollUnsafe()
    return {
      exit: ended === undefined || Exit.isFailure(ended) ? ended : ended.value,
      stage,
      open: transport.open(),
      files: Array.from(disk.files.keys())
    }
  }).pipe(Effect.provide(patientClock))

/** Rounds every sleep up to the end of the current block of the event loop. */
const inTurns = <A, E, R>(effect: Effect.Effect<A, E, R>, turnMillis: number): Effect.Effect<A, E, R> =>
  Effect.clockWith((clock) =>
    Effect.provideService(effect, Clock.Clock, {
      ...clock,
      sleep: (duration) =>
        Effect.suspend(() => {
          const now = clock.currentTimeMillisUnsafe()
          const end = Math.ceil((now + Duration.toMillis(duration)) / turnMillis) * turnMillis
          return clock.sleep(Duration.millis(end - now))
        })
    })
  )

const onSocket = (cell: Cell, layer: Layer.Layer<HttpClient.HttpClient>): Effect.Effect<Ended> =>
  Effect.scoped(Effect.gen(function*() {
    const { server, stage } = yield* Socket.listen((origins) =>
      Stage.make(cell.operation, cell.fault, {
        timing: timingOf(cell),
        secret: secrets[cell.operation.provider],
        origins
      })
    )
    const scope = yield* Scope.fork(yield* Effect.scope)
    const proxy = cell.fault?.proxy === undefined ? undefined : yield* Socket.listenAsProxy(cell.fault.proxy)
    const context = yield* Layer.buildWithScope(
      proxy === undefined ? layer : Layer.orDie(NodeHttp.layer({ proxy })),
      scope
    )
    if (cell.fault?.caller === "closes the client") {
      yield* Effect.forkScoped(Effect.gen(function*() {
        while (stage.targets.length === 0) yield* Effect.sleep("1 millis")
        yield* Scope.close(scope, Exit.void)
      }))
    }
    // Requests to this machine bypass a proxy
    const origins = proxy === undefined ? server.origins : { ...server.origins, api: "http://provider.invalid" }
    const { disk, exit } = perform(cell, timingOf(cell), origins)
    const ended = yield* Effect.timeoutOption(Effect.provide(exit, context), watchdogOf(cell))
    // A connection takes a moment to close, and several on a busy machine
    for (let tries = 0; tries < 1000 && server.open().length > 0; tries++) yield* Effect.sleep("10 millis")
    return {
      exit: Option.getOrUndefined(ended),
      stage,
      open: server.open(),
      files: Array.from(disk.files.keys())
    }
  }))

const tags: ReadonlyMap<string, Code> = new Map(
  Object.entries(legend).map(([code, tag]) => [tag, code as Code] as const)
)

const errorClasses = Object.values(RunError).filter((
  value
): value is Extract<typeof value, new(...args: never) => Error> =>
  typeof value === "function" && value.prototype instanceof Error
)

const show = (outcome: Expected): string =>
  outcome === undefined
    ? "--"
    : outcome.map(({ code, requests }) => `${code}${requests ?? ""}`).join("|")

/** All texts that a program could print from an error. */
const printed = (error: unknown): string =>
  [
    inspect(error, { depth: 20, showHidden: true, maxStringLength: null, maxArrayLength: null }),
    String(error),
    JSON.stringify(error),
    Cause.pretty(Cause.fail(error))
  ].join("\n")

const judge = (cell: Cell, ended: Ended, baseline: unknown): Outcome => {
  const { fault, operation, transport } = cell
  const wanted = fault === undefined ? undefined : expected(fault, operation)
  const problems: Array<{ problem: Problem; detail: string }> = []
  const add = (problem: Problem, detail: string) => problems.push({ problem, detail })
  const { exit, files, open, stage } = ended
  const requests = stage.targets.length
  let code: Code | undefined
  let result: unknown
  let told = ""

  if (exit === undefined) add("hang", "it has not ended")
  else if (Exit.isSuccess(exit)) {
    code = "ok"
    result = exit.value
    if (fault !== undefined && fault.result !== "*") {
      const should = fault.result ?? baseline
      if (JSON.stringify(result) !== JSON.stringify(should)) {
        add("unexpected", `the result is ${JSON.stringify(result)} instead of ${JSON.stringify(should)}`)
      }
    }
  } else if (Cause.hasDies(exit.cause)) add("defect", Cause.pretty(exit.cause))
  else if (Cause.hasInterruptsOnly(exit.cause)) code = "it"
  else {
    const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
    if (!errorClasses.some((known) => error instanceof known)) add("untyped", inspect(error))
    else {
      const { _tag, message } = error as { readonly _tag: string; readonly message: string }
      code = tags.get(_tag)
      told = message
      const all = printed(error)
      if (all.includes(secrets.spine) || all.includes(secrets.tela)) add("secret", `the API key shows: ${all}`)
      const isTransfer = error instanceof RunError.ArtifactError || error instanceof RunError.FileInputError
      if (message.includes(secrets.link) || isTransfer && all.includes(secrets.link)) {
        add("secret", `the signed link shows: ${all}`)
      }
    }
  }

  if (open.length > 0) add("leak", `still open: ${open.join(", ")}`)
  const leftFiles = files.filter((file) => code !== "ok" || file.endsWith(".partial"))
  if (leftFiles.length > 0) add("leak", `left on the disk: ${leftFiles.join(", ")}`)
  for (const { headers, host, method, path } of stage.received) {
    if (host !== "api" && ("x-api-key" in headers || "authorization" in headers)) {
      add("secret", `the API key was sent with ${method} ${host} ${path}`)
    }
  }
  const actual = `${code ?? "??"}${requests}`
  if (code !== undefined && wanted !== undefined) {
    const fits = wanted.some((one) => one.code === code && (one.requests === undefined || one.requests === requests))
    if (!fits) add("unexpected", told === "" ? `it is ${actual}` : `it is ${actual}: ${told}`)
  }
  if (fault === undefined && code !== "ok") add("unexpected", `without any fault: ${told}`)
  const gap = gapOf(stage)
  if (
    transport === "memory" && fault?.gap !== undefined && gap !== undefined && gap !== fault.gap * 1000 &&
    (operation.kind === "read" || operation.kind === "write" || operation.kind === "wait")
  ) {
    add("unexpected", `it waits ${gap} ms before the next request instead of ${fault.gap * 1000}`)
  }
  return {
    cell,
    actual,
    expected: show(wanted),
    problems,
    known: knownDefects.find((defect) =>
      defect.fault === fault?.name && defect.operations.test(operation.name) && defect.transports.includes(transport)
    )?.what,
    result
  }
}

const gapOf = ({ targets: [first, second] }: Stage.Stage): number | undefined =>
  first === undefined || second === undefined ? undefined : second.at - first.at

const run = (cell: Cell): Effect.Effect<Ended> => {
  switch (cell.transport) {
    case "memory":
      return inMemory(cell)
    case "fetch":
      return onSocket(cell, FetchHttpClient.layer)
    case "undici":
      return onSocket(cell, NodeHttpClient.layerUndici)
  }
}

const baselines = new Map<string, unknown>()

/** Runs the operation without any fault, once. */
const baseline = (cell: Cell): Effect.Effect<unknown> =>
  Effect.suspend(() => {
    const key = `${cell.operation.name} ${cell.transport}`
    if (baselines.has(key)) return Effect.succeed(baselines.get(key))
    const well = { ...cell, fault: undefined }
    return Effect.map(run(well), (ended) => {
      const outcome = judge(well, ended, undefined)
      if (outcome.problems.length > 0) {
        throw new Error(`${key}, without any fault: ${JSON.stringify(outcome.problems)}`)
      }
      baselines.set(key, outcome.result)
      return outcome.result
    })
  })

/** Whether a cell applies. */
export const applies = ({ fault, operation, transport }: Cell & { readonly fault: Fault }): boolean =>
  (fault.on ?? [transport]).includes(transport) && (operation.on ?? [transport]).includes(transport) &&
  expected(fault, operation) !== undefined &&
  // A host has one TLS mode, and a client one proxy
  !((fault.tls ?? fault.proxy) !== undefined && operation.before > 0) &&
  // The name of a host cannot vanish between two requests
  !(fault.act === noSuchHost && transport !== "memory" && operation.before > 0)

export const runCell = (cell: Cell): Effect.Effect<Outcome> =>
  Effect.gen(function*() {
    const judged = Effect.flatMap(
      baseline(cell),
      (result) => Effect.map(run(cell), (ended) => judge(cell, ended, result))
    )
    const exit = yield* Effect.exit(Effect.timeoutOption(judged, watchdogOf(cell)))
    if (Exit.isSuccess(exit) && Option.isSome(exit.value)) return exit.value.value
    return {
      cell,
      actual: "??",
      expected: cell.fault === undefined ? "ok" : show(expected(cell.fault, cell.operation)),
      problems: [
        Exit.isSuccess(exit)
          ? { problem: "hang" as const, detail: "the watchdog stopped it" }
          : { problem: "defect" as const, detail: Cause.pretty(exit.cause) }
      ],
      known: undefined,
      result: undefined
    }
  })
