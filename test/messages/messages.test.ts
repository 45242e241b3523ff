/** The messages of every public function for wrong calls of a program. */
import { assert, expect, it } from "@effect/vitest"
import { Cause, ConfigProvider, Effect, Exit, Fiber, FileSystem, Layer, Random, Result, Stream } from "effect"
import { HttpClient, HttpRouter } from "effect/http"
import { TestClock } from "effect/testing"
import { vi } from "vitest"
import { Budget, RunError, RunStore, Tela, Webhooks } from "canvas-runs"
import { calls, withoutWrongCalls } from "./calls.ts"
import { functionNames } from "./functions.ts"
import { modules } from "./modules.ts"
import { errorsOf } from "../types/compiler.ts"
import * as World from "./world.ts"

/** Evaluates the text of a call as JavaScript, which no compiler has seen. */
const evaluate = (world: World.World, text: string): unknown => {
  const scope = { ...modules, ...world }
  // oxlint-disable-next-line no-new-func -- the texts are those of this folder
  return new Function(...Object.keys(scope), `return (${text})`)(...Object.values(scope))
}

// The platform's HMAC takes real time, in which the clock of the test would move
vi.mock("../../src/internal/webhooks/hmac.ts", () => import("../support/syncHmac.ts"))

/** The compiler's errors for each call, by its text. Calls that compile are left out. */
const compile = async (world: World.World, texts: ReadonlyArray<string>): Promise<ReadonlyMap<string, string>> => {
  const words = new Set(texts.join(" ").match(/\w+/g))
  const names = Object.keys({ ...modules, ...world }).filter((name) => words.has(name))
  const program = [
    "import { modules } from \"../../messages/modules.ts\"",
    "import type { World } from \"../../messages/world.ts\"",
    "declare const world: World",
    `const { ${names.join(", ")} } = { ...modules, ...world }`,
    ...texts.map((text, index) => `export const call${index} = ${text}`)
  ]
  const errors = await errorsOf(program.join("\n"))
  const first = program.length - texts.length
  // A word in a string may be the name of a module
  const ofNames = Array.from({ length: first }, (_, index) => shownError(errors[index + 1] ?? "")).join("")
  assert.strictEqual(ofNames, "", "the names of the calls")
  return new Map(texts.flatMap((text, index) => {
    const error = errors[first + index + 1]
    return error === undefined ? [] : [[text, shownError(error)]]
  }))
}

/** An error of the compiler, shortened: without errors about unused names, and without the members of long types. */
const shownError = (error: string): string =>
  error.split(/^(?=TS)/m).filter((part) => !part.startsWith("TS6133")).join("").trim()
    .replaceAll(/^TS\d+: /gm, "").replaceAll(/(missing the following properties from type '[^']*').*/g, "$1")
    .replaceAll("\n", "\n  ")

type Services =
  | FileSystem.FileSystem
  | HttpClient.HttpClient
  | HttpRouter.HttpRouter
  | Tela.TelaClient
  | Webhooks.Webhooks

const environment = ConfigProvider.fromEnv({
  env: { EMPTY: "", SPACED: "sk spaced", TELA_API_KEY: "a", TELA_JWT: "b" }
})

const files = Layer.succeed(
  FileSystem.FileSystem,
  FileSystem.makeNoop({ makeDirectory: () => Effect.void, remove: () => Effect.void })
)

const services = (world: World.World) =>
  Layer.mergeAll(
    Layer.succeed(HttpClient.HttpClient, world.http),
    Layer.succeed(Tela.TelaClient, world.tela),
    ConfigProvider.layer(environment),
    HttpRouter.layer,
    Webhooks.layer,
    files
  )

/** Runs the result of a call: an Effect, a Stream or a Layer. */
const runReturned = (returned: unknown): Effect.Effect<unknown, unknown, Services> =>
  Stream.isStream(returned)
    ? Stream.runCollect(returned as Stream.Stream<unknown, unknown, Services>)
    : Layer.isLayer(returned)
    ? Effect.scoped(Layer.build(returned as Layer.Layer<unknown, unknown, Services>))
    : Effect.isEffect(returned)
    ? returned as Effect.Effect<unknown, unknown, Services>
    : Effect.succeed(returned)

/** Runs an effect to its end, and advances the clock until then. */
const toEnd = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(self)
    while (fiber.pollUnsafe() === undefined) {
      // Promises of the platform settle before the clock moves
      for (let turn = 0; turn < 3; turn++) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      if (fiber.pollUnsafe() === undefined) yield* TestClock.adjust("5 seconds")
    }
    return yield* Fiber.await(fiber)
  })

const errorClasses = Object.values({ ...RunError, ...RunStore, ...Budget }).filter((value) =>
  typeof value === "function" && value.prototype instanceof Error
) as unknown as ReadonlyArray<new() => Error>

/**
 * Whether a defect has a message of this library: messages of engines do not end with a full stop. A mock without a method is a
 * fault of the test that made it, and not of the tested program.
 */
const isOurs = (defect: unknown): boolean =>
  defect instanceof Error && (/[.?]$/.test(defect.message) || defect.name === "UnimplementedError")

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g

/** The end of a call. */
interface Outcome {
  readonly text: string
  readonly fault: string | undefined
}

const describeThrown = (thrown: unknown): string =>
  thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown)

/** The message of a call, and the faults of that message. */
const outcomeOf = (world: World.World, text: string) =>
  Effect.gen(function*() {
    world.requests.length = 0
    const called = Result.try(() => evaluate(world, text))
    if (Result.isFailure(called)) {
      return outcome(
        `throws ${describeThrown(called.failure)}`,
        isOurs(called.failure) ? undefined : "an error of JavaScript"
      )
    }
    const exit = yield* toEnd(Effect.provide(runReturned(called.success), services(world)))
    if (Exit.isSuccess(exit)) {
      return outcome(`returns ${typeof exit.value} ${JSON.stringify(exit.value)}`, "it is not rejected")
    }
    const error = Cause.findErrorOption(exit.cause)
    if (error._tag === "None") {
      const defect = Cause.squash(exit.cause)
      return outcome(`dies with ${describeThrown(defect)}`, isOurs(defect) ? undefined : "a defect")
    }
    const requests = world.requests.length === 0 ? "" : `\n  (${shownRequests(world.requests)})`
    return outcome(`${describeThrown(error.value)}${requests}`, faultOf(error.value, world.requests.length))
  })

/** The fault of an error, if it has one: its type, its form, or its account of requests. */
const faultOf = (error: unknown, requests: number): string | undefined => {
  if (!errorClasses.some((Class) => error instanceof Class)) return "an error without a type"
  const { message } = error as Error
  if (!/[.?]$/.test(message) || /\[object|^undefined/.test(message)) return "a message that is no sentence"
  if (!(error instanceof RunError.BadRequestError)) return undefined
  if (!message.startsWith(`${error.operation}: `)) return "a message without its operation"
  if (error.sent === message.endsWith(" No request was made.")) return "a message that contradicts `sent`"
  return error.sent && requests === 0 ? "an error about a request that was not made" : undefined
}

/** The requests of a call. Polls are counted. */
const shownRequests = (requests: ReadonlyArray<string>): string =>
  requests.flatMap((request, index) => {
    if (request === requests[index - 1]) return []
    const count = requests.slice(index).findIndex((other) => other !== request)
    const times = count === -1 ? requests.length - index : count
    return [times === 1 ? request : `${times} times ${request}`]
  }).join(", ")

const outcome = (text: string, fault: string | undefined): Outcome => ({
  // The emulators draw random ids, so only ids of the call are shown
  text: text.replaceAll(uuid, (found) => found === World.id ? found : "<uuid>")
    .replaceAll(/\w+\.partial/g, "<random>.partial"),
  fault: World.secrets.some((secret) => text.includes(secret)) ? "a secret" : fault
})

it.effect("every public function is called wrongly in three ways, and its messages are those of the snapshot", () =>
  Effect.gen(function*() {
    const world = yield* World.make
    const names = yield* Effect.promise(() => functionNames(world))
    const compiling = compile(world, Object.values(calls).flat())
    // The compiler removes its files when it ends, also if the test has failed by then
    yield* Effect.addFinalizer(() => Effect.promise(() => compiling))
    const outcomes = new Map<string, string>()
    const faults: Array<string> = []
    for (const text of Object.values(calls).flat()) {
      const { fault, text: line } = yield* outcomeOf(world, text)
      if (fault !== undefined) faults.push(`${text}: ${fault}: ${line}`)
      outcomes.set(text, line)
    }
    const errors = yield* Effect.promise(() => compiling)
    const blocks = Object.entries(calls).map(([name, texts]) => {
      const lines = texts.map((text) => {
        const error = errors.get(text)
        return `${text}\n${error === undefined ? "" : `  tsc: ${error}\n`}  ${outcomes.get(text)}\n`
      })
      return `## ${name}\n\n${lines.join("\n")}`
    })
    yield* Effect.promise(() => expect(blocks.join("\n")).toMatchFileSnapshot("./messages.snapshot.txt"))
    assert.deepStrictEqual(faults, [], "these calls do not fail with an error of this library")
    const fewer = names.filter((name) =>
      (calls[name]?.length ?? 0) < 3 &&
      !(name in withoutWrongCalls)
    )
    assert.deepStrictEqual(fewer, [], "these functions have fewer than three wrong calls")
    const unknown = [...Object.keys(calls), ...Object.keys(withoutWrongCalls)].filter((name) =>
      !names.includes(name) && !name.includes(":")
    )
    assert.deepStrictEqual(unknown, [], "these are not public functions")
  }).pipe(Random.withSeed("messages")))
