/** Every function of the clients and of the modules around them, called with arguments that a compiler rejects. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, FileSystem, Layer, Option, Redacted, Stream } from "effect"
import { HttpClient, HttpRouter } from "effect/http"
import { KeyValueStore } from "effect/persistence"
import { FileInput, RunError, RunRef, RunStore, Spine, Tela, Webhooks } from "canvas-runs"
import { type Clients, tryingOnce } from "./support.ts"
import { answering, json } from "../support/http.ts"

const id = "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"
const spineRef = RunRef.make({ provider: "spine", kind: "run", id })
const taskRef = RunRef.make({ provider: "tela", kind: "task", id })
const artifact: Spine.Artifact = {
  id: "a",
  name: "a.png",
  type: "image",
  download_url: "https://files.example/a.png"
} as Spine.Artifact
const completed = {
  status: "completed",
  run_id: id,
  result: { artifacts: [artifact] }
} as unknown as Spine.CompletedRun
const bytes = new Uint8Array([97])
const secret = Redacted.make("a secret of webhooks")

const revoked = (of: object): never => {
  const { proxy, revoke } = Proxy.revocable(of, {})
  revoke()
  return proxy as never
}

/** An object in which each of these members throws when it is read. */
const throwing = (...names: ReadonlyArray<string>): never =>
  Object.defineProperties(
    {},
    Object.fromEntries(names.map((name) => [name, {
      enumerable: true,
      get: () => {
        throw new Error(`the getter of ${name} was read`)
      }
    }]))
  ) as never

/** The arguments of a call. A test may replace each by any value. */
type Arguments = ReadonlyArray<unknown>

interface World extends Clients {
  readonly hub: Webhooks.Service
  readonly store: RunStore.Service
}

/** The functions, with valid arguments. */
const functions: Readonly<Record<string, readonly [(world: World) => Function, Arguments]>> = {
  "runs.create": [({ spine }) => spine.runs.create, [{ prompt: "x", files: [bytes], blocks: ["image-block"] }]],
  "runs.retrieve": [({ spine }) => spine.runs.retrieve, [spineRef]],
  "runs.waitForCompletion": [({ spine }) => spine.runs.waitForCompletion, [spineRef, { timeout: 5 }]],
  "runs.watch": [({ spine }) => spine.runs.watch, [spineRef, { timeout: 5 }]],
  "runs.polls": [({ spine }) => spine.runs.polls, [spineRef, { timeout: 5 }]],
  "runs.completions": [({ spine }) => spine.runs.completions, [[spineRef], { timeout: 5 }]],
  "runs.share": [({ spine }) => spine.runs.share, [spineRef, { timeout: 5 }]],
  "runs.run": [({ spine }) => spine.runs.run, [{ prompt: "x" }, { timeout: 5 }]],
  "canvases.getDag": [({ spine }) => spine.canvases.getDag, [id]],
  "canvases.getTasks": [({ spine }) => spine.canvases.getTasks, [id]],
  "canvases.getTask": [({ spine }) => spine.canvases.getTask, [id, id]],
  "artifacts.download": [({ spine }) => spine.artifacts.download, [spineRef, artifact]],
  "artifacts.stream": [({ spine }) => spine.artifacts.stream, [spineRef, artifact]],
  "artifacts.toFile": [({ spine }) => spine.artifacts.toFile, [spineRef, artifact, { directory: "d" }]],
  "artifacts.toDirectory": [({ spine }) => spine.artifacts.toDirectory, [completed, "d", { concurrency: 1 }]],
  "canvas.get": [({ tela }) => tela.canvas.get, [{ id }]],
  "canvas.make and execute": [({ tela }) => (options: never) => tela.canvas.make(options).execute({}), [{ id }]],
  "canvas.execute": [({ tela }) => tela.canvas.make({ id }).execute, [{ a: "1" }, { timeout: 5 }]],
  "canvas.execute, async": [
    ({ tela }) => tela.canvas.make({ id }).execute,
    [{ a: "1" }, { async: true, webhookUrl: "https://x.example", forwardHeaders: { a: "b" } }]
  ],
  "canvas.run": [({ tela }) => tela.canvas.make({ id }).run, [{ a: "1" }, { pollingTimeout: 5 }]],
  "canvas.stream": [({ tela }) => tela.canvas.make({ id }).stream, [{ a: "1" }, { timeout: 5 }]],
  "canvas.getExecution": [({ tela }) => tela.canvas.make({ id }).getExecution, [id, { isTask: true }]],
  "workstation.execute": [({ tela }) => tela.canvas.make({ applicationId: id }).execute, [{ a: "1" }, { label: "l" }]],
  "getExecution": [({ tela }) => tela.getExecution, [id, { isTask: true }]],
  "tasks.create": [({ tela }) => tela.tasks.create, [id, [{ name: "x", variables: {} }]]],
  "tasks.get": [({ tela }) => tela.tasks.get, [taskRef, { includeAnalytics: true }]],
  "tasks.list": [({ tela }) => tela.tasks.list, [{ tags: ["a"] }]],
  "tasks.stream": [({ tela }) => tela.tasks.stream, [{ tags: ["a"] }]],
  "tasks.progress": [({ tela }) => tela.tasks.progress, [{ limit: 1 }]],
  "tasks.update": [({ tela }) => tela.tasks.update, [taskRef, { name: "x" }]],
  "tasks.approve": [({ tela }) => tela.tasks.approve, [taskRef]],
  "tasks.rename": [({ tela }) => tela.tasks.rename, [taskRef, "x"]],
  "tasks.setOutputContent": [({ tela }) => tela.tasks.setOutputContent, [taskRef, { a: 1 }]],
  "tasks.patchOutputContent": [({ tela }) => tela.tasks.patchOutputContent, [taskRef, { a: 1 }]],
  "tasks.patchOutputField": [({ tela }) => tela.tasks.patchOutputField, [taskRef, "a.b", 1]],
  "tasks.updateOutputContent": [({ tela }) => tela.tasks.updateOutputContent, [taskRef, () => 1]],
  "tasks.getInputFiles": [({ tela }) => tela.tasks.getInputFiles, [taskRef]],
  "tasks.getOutput": [({ tela }) => tela.tasks.getOutput, [taskRef]],
  "completionRuns.list": [({ tela }) => tela.completionRuns.list, [{ tags: ["a"] }]],
  "completionRuns.stream": [({ tela }) => tela.completionRuns.stream, [{ tags: ["a"] }]],
  "versions.get": [({ tela }) => tela.versions.get, [id]],
  "versions.latest": [({ tela }) => tela.versions.latest, [id]],
  "versions.promoted": [({ tela }) => tela.versions.promoted, [id]],
  "versions.history": [({ tela }) => tela.versions.history, [id, { limit: 1 }]],
  "environments.list": [({ tela }) => tela.environments.list, [id]],
  "environments.resolve": [({ tela }) => tela.environments.resolve, [id, "production"]],
  "vault.resolve": [({ tela }) => tela.vault.resolve, [`vault://${id}`, { expiresIn: "1 minute" }]],
  "vault.download": [({ tela }) => tela.vault.download, [`vault://${id}`]],
  "vault.stream": [({ tela }) => tela.vault.stream, [`vault://${id}`]],
  "vault.toFile": [({ tela }) => tela.vault.toFile, [`vault://${id}`, { directory: "d" }]],
  "Spine.make": [() => Spine.make, [{ apiKey: Redacted.make("k"), rateLimit: undefined }]],
  "Spine.layerConfig": [() => (options: never) => Effect.scoped(Layer.build(Spine.layerConfig(options))), [
    { apiKey: Redacted.make("k") }
  ]],
  "Tela.make": [() => Tela.make, [{ apiKey: Redacted.make("k") }]],
  "Tela.layerConfig": [() => (options: never) => Effect.scoped(Layer.build(Tela.layerConfig(options))), [
    { apiKey: Redacted.make("k") }
  ]],
  "Tela.file in variables": [
    ({ tela }) => (source: never, options: never) =>
      tela.canvas.make({ id }).execute({ file: Tela.file(source, options) }),
    ["https://x.example/a.pdf", { range: [0, 1] }]
  ],
  "Tela.file of bytes in a task": [
    ({ tela }) => (source: never, options: never) =>
      tela.tasks.create(id, [{ name: "x", variables: { file: Tela.file(source, options) } }]),
    [bytes, { name: "a.pdf" }]
  ],
  "Tela.fileFromPath": [() => Tela.fileFromPath, ["a.pdf", { name: "b.pdf" }]],
  "FileInput.fromPath": [() => FileInput.fromPath, ["a.pdf", { filename: "b.pdf" }]],
  "FileInput.normalize": [
    () => (input: never, options: never) => FileInput.normalize("test", input, 1, options),
    [{ data: bytes, filename: "a.pdf" }, { filename: "b" }]
  ],
  "RunRef.parse": [() => RunRef.parse, [JSON.stringify(spineRef)]],
  "Spine.constructEvent": [() => Spine.constructEvent, ["{}", "t=1,v1=00", secret, { tolerance: "5 minutes" }]],
  "Spine.signWebhook": [() => Spine.signWebhook, ["{}", secret, { timestamp: 1 }]],
  "Tela.constructEvent": [() => Tela.constructEvent, ["{}", { "x-canvas-runs-webhook": "x" }, secret]],
  "Tela.webhookHeaders": [() => Tela.webhookHeaders, [secret]],
  "Spine.layerWebhookRoute": [() => (options: never) => routed(Spine.layerWebhookRoute(options)), [
    { path: "/x", secret }
  ]],
  "Tela.layerWebhookRoute": [() => (options: never) => routed(Tela.layerWebhookRoute(options)), [
    { path: "/x", secret }
  ]],
  "Webhooks.deliver": [({ hub }) => hub.deliver, [{ provider: "p", runId: "r", eventId: "e", isTerminal: true }]],
  "RunStore.runOnce": [({ store }) => store.runOnce, ["key", Effect.succeed({ ref: spineRef }), { onUnknown: "fail" }]],
  "RunStore.track": [({ store }) => store.track, ["key", Effect.void]],
  "RunStore.complete": [({ store }) => store.complete, ["key"]],
  "RunStore.attach": [({ store }) => store.attach, ["key", spineRef]],
  "RunStore.reconcile": [({ store }) => store.reconcile, ["key", () => Effect.succeed([]), { settlingTime: "1 hour" }]],
  "RunStore.forget": [({ store }) => store.forget, ["key"]],
  "RunStore.get": [({ store }) => store.get, ["key"]]
}

const routed = (layer: Layer.Layer<never, RunError.ConfigError, HttpRouter.HttpRouter | Webhooks.Webhooks>) =>
  Effect.scoped(Effect.asVoid(Layer.build(Layer.provide(layer, [HttpRouter.layer, Webhooks.layer]))))

const odd: Readonly<Record<string, () => unknown>> = {
  "undefined": () => undefined,
  "null": () => null,
  "a number": () => 5,
  "NaN": () => NaN,
  "a blank text": () => " ",
  "a symbol": () => Symbol("odd"),
  "a bigint": () => 5n,
  "a function": () => () => 1,
  "an array with null": () => [null],
  "an array with a symbol": () => [Symbol("odd")],
  "an object without a prototype": () => Object.create(null),
  "a Date": () => new Date(0),
  "a revoked Proxy": () => revoked({}),
  "a revoked Proxy of an array": () => revoked([]),
  "a revoked Proxy of a function": () => revoked(() => 1),
  "an object whose conversion throws": () => ({
    toString: () => {
      throw new Error("toString was called")
    },
    toJSON: () => {
      throw new Error("toJSON was called")
    }
  })
}

/** The places for an odd value: an argument, or a member of one. */
const places = (args: Arguments): ReadonlyArray<readonly [string, (value: unknown) => Arguments]> =>
  args.flatMap((argument, index) => {
    const at = (value: unknown): Arguments => args.map((other, i) => i === index ? value : other)
    const members = typeof argument === "object" && argument !== null && !Effect.isEffect(argument) &&
        !Redacted.isRedacted(argument) && !ArrayBuffer.isView(argument)
      ? Object.keys(argument).map((key) =>
        [
          `member ${key} of argument ${index + 1}`,
          (value: unknown) =>
            at(Array.isArray(argument) ? Object.assign([...argument], { [key]: value }) : { ...argument, [key]: value })
        ] as const
      )
      : []
    return [[`argument ${index + 1}`, at] as const, ...members]
  })

const world = Effect.gen(function*() {
  const { client: http, requests } = answering(() => json({}, 403))
  const clients = yield* tryingOnce(http)
  const store = yield* RunStore.make
  return {
    http,
    requests: () => requests.length,
    ...clients,
    hub: yield* Webhooks.make(),
    store
  }
}).pipe(Effect.provide(KeyValueStore.layerMemory))

const files = Layer.succeed(
  FileSystem.FileSystem,
  FileSystem.makeNoop({
    makeDirectory: () => Effect.void,
    remove: () => Effect.void,
    open: (path) => FileSystem.makeNoop({}).stat(path) as never
  })
)

/** Calls a function, and runs the returned effect. A throw counts as a defect. */
const run = (call: () => unknown, http: HttpClient.HttpClient): Effect.Effect<Exit.Exit<unknown, unknown>> =>
  Effect.suspend(() => {
    const returned = call()
    return (Stream.isStream(returned) ? Stream.runCollect(returned) : returned) as Effect.Effect<
      unknown,
      unknown,
      FileSystem.FileSystem | HttpClient.HttpClient
    >
  }).pipe(Effect.provide(files), Effect.provideService(HttpClient.HttpClient, http), Effect.exit)

const errorClasses = Object.values({ ...RunError, RunStoreError: RunStore.RunStoreError }).filter((value) =>
  typeof value === "function" && value.prototype instanceof Error
) as unknown as ReadonlyArray<new() => Error>

/** Fails if a call ended with a defect, or with an untyped error. */
const hasNoDefect = (exit: Exit.Exit<unknown, unknown>, context: string) => {
  if (Exit.isSuccess(exit)) return
  const error = Option.getOrElse(
    Cause.findErrorOption(exit.cause),
    () => assert.fail(`${context}: a defect: ${Cause.pretty(exit.cause).slice(0, 600)}`)
  )
  assert.isTrue(errorClasses.some((Class) => error instanceof Class), `${context}: an error without a type`)
}

describe("arguments that a compiler rejects", () => {
  for (const [name, [functionOf, args]] of Object.entries(functions)) {
    it.live(`${name} fails with a typed error, or accepts them`, () =>
      Effect.gen(function*() {
        const it = yield* world
        for (const [place, replace] of places(args)) {
          for (const [kind, make] of Object.entries(odd)) {
            const exit = yield* run(() => functionOf(it)(...replace(make())), it.http)
            hasNoDefect(exit, `${name}, ${kind} as ${place}`)
          }
        }
        for (const [index, argument] of args.entries()) {
          const names = typeof argument === "object" && argument !== null ? Object.keys(argument) : []
          for (const member of [...names, "provider", "ref", "id", "run_id", "timeout", "async", "unknown"]) {
            const exit = yield* run(
              () => functionOf(it)(...args.map((other, i) => i === index ? throwing(member) : other)),
              it.http
            )
            hasNoDefect(exit, `${name}, a getter of ${member} that throws in argument ${index + 1}`)
          }
        }
      }))
  }
})

/** The calls, each with the tag of its error and the texts that its message must have. A text after "!" must be absent. */
const messages: Readonly<
  Record<
    string,
    readonly [
      (
        world: World
      ) =>
        | Effect.Effect<unknown, unknown, FileSystem.FileSystem | HttpClient.HttpClient>
        | Stream.Stream<unknown, unknown>,
      string,
      ...Array<string>
    ]
  >
> = {
  "a webhook_url that is a symbol": [
    ({ spine }) => spine.runs.create({ prompt: "x", webhook_url: Symbol("hook") as never }),
    "BadRequestError",
    "webhook_url is Symbol(hook)",
    "absolute URL"
  ],
  "a webhook_url without its origin": [
    ({ spine }) => spine.runs.create({ prompt: "x", webhook_url: "/hook?token=abc" }),
    "BadRequestError",
    "webhook_url is \"/hook?<redacted>\"",
    "!abc"
  ],
  "a webhookUrl with a password": [
    ({ tela }) => tela.canvas.make({ id }).execute({}, { async: true, webhookUrl: "//me:abc@x.example" }),
    "BadRequestError",
    "webhookUrl is \"//<redacted>@x.example\"",
    "!abc"
  ],
  "a webhookUrl of a task that is a number": [
    ({ tela }) => tela.tasks.create(id, [{ name: "x", variables: {}, webhookUrl: 5 as never }]),
    "BadRequestError",
    "tasks[0].webhookUrl is 5"
  ],
  "a header to forward that is a number": [
    ({ tela }) => tela.canvas.make({ id }).execute({}, { async: true, forwardHeaders: { "x-a": 5 as never } }),
    "BadRequestError",
    "the forwardHeaders value of \"x-a\" is 5"
  ],
  "a header to forward with a line break": [
    ({ tela }) => tela.canvas.make({ id }).execute({}, { async: true, forwardHeaders: { "x-a": "abc\r\nx-b: 1" } }),
    "BadRequestError",
    "the forwardHeaders value of \"x-a\" is text",
    "!abc"
  ],
  "an override that is null": [
    ({ tela }) => tela.canvas.make({ id }).execute({}, { override: null as never }),
    "BadRequestError",
    "override must be an object, and is null"
  ],
  "an override with another name": [
    ({ tela }) => tela.canvas.make({ id }).execute({}, { override: { type: "chat", temprature: 1 } as never }),
    "BadRequestError",
    "temperature"
  ],
  "options of the vault that are null": [
    ({ tela }) => tela.vault.resolve(`vault://${id}`, null as never),
    "BadRequestError",
    "options must be an object, and is null"
  ],
  "options of a file that are null": [
    ({ tela }) => tela.canvas.make({ id }).execute({ doc: Tela.file("https://x.example", null as never) }),
    "BadRequestError",
    "options of doc must be an object, and is null"
  ],
  "a range of a file that is a number": [
    ({ tela }) => tela.canvas.make({ id }).execute({ doc: Tela.file("https://x.example", { range: 5 as never }) }),
    "BadRequestError",
    "doc has the range 5"
  ],
  "a range of a file with three pages": [
    ({ tela }) =>
      tela.canvas.make({ id }).execute({ doc: Tela.file("https://x.example", { range: [1, 2, 3] as never }) }),
    "BadRequestError",
    "doc has the range [1, 2, 3]"
  ],
  "a name of a file that is a number": [
    ({ tela }) => tela.canvas.make({ id }).execute({ doc: Tela.file(bytes, { name: 5 as never }) }),
    "BadRequestError",
    "doc has the name 5"
  ],
  "a path instead of a link": [
    ({ tela }) => tela.canvas.make({ id }).execute({ doc: Tela.file("files/a.pdf") }),
    "BadRequestError",
    "doc is \"files/a.pdf\"",
    "Tela.fileFromPath"
  ],
  "a long text instead of a link": [
    ({ tela }) => tela.canvas.make({ id }).execute({ doc: Tela.file("x".repeat(1000)) }),
    "BadRequestError",
    "doc is \"xxx",
    `!${"x".repeat(101)}`
  ],
  "no tasks": [({ tela }) => tela.tasks.create(id, undefined as never), "BadRequestError", "tasks is undefined"],
  "a task that is null": [
    ({ tela }) => tela.tasks.create(id, [null as never]),
    "BadRequestError",
    "tasks[0] must be an object, and is null"
  ],
  "a task without a name": [
    ({ tela }) => tela.tasks.create(id, [{ variables: {} } as never]),
    "BadRequestError",
    "tasks[0].name is undefined"
  ],
  "a path of a field that is a symbol": [
    ({ tela }) => tela.tasks.patchOutputField(id, Symbol("a") as never, 1),
    "BadRequestError",
    "path is Symbol(a)"
  ],
  "a path of a field that is an array": [
    ({ tela }) => tela.tasks.patchOutputField(id, ["a"] as never, 1),
    "BadRequestError",
    "path is an array"
  ],
  "a delivery that is undefined": [
    ({ hub }) => hub.deliver(undefined as never),
    "BadRequestError",
    "delivery is undefined"
  ],
  "a delivery without ids": [
    ({ hub }) => hub.deliver({ provider: "p", isTerminal: true } as never),
    "BadRequestError",
    "runId is undefined"
  ],
  "a folder that is a number": [
    ({ spine }) => spine.artifacts.toFile(id, artifact, { directory: 5 as never }),
    "BadRequestError",
    "directory is 5"
  ],
  "a file name that is an array": [
    ({ tela }) => tela.vault.toFile(`vault://${id}`, { directory: "d", filename: ["a"] as never }),
    "BadRequestError",
    "filename is an array"
  ],
  "an artifact with a name that is a number": [
    ({ spine }) => spine.artifacts.download(id, { ...artifact, name: 5 as never }),
    "BadRequestError",
    "artifact.name is 5"
  ],
  "an artifact with a negative size": [
    ({ spine }) => spine.artifacts.stream(id, { ...artifact, size_bytes: -1 }),
    "BadRequestError",
    "artifact.size_bytes is -1"
  ],
  "options of a folder that are null": [
    ({ spine }) => spine.artifacts.toDirectory(completed, "d", null as never),
    "BadRequestError",
    "options must be an object, and is null"
  ],
  "an odd concurrency": [
    ({ spine }) => spine.artifacts.toDirectory(completed, "d", { concurrency: "all" as never }),
    "BadRequestError",
    "concurrency is \"all\""
  ],
  "a list of artifacts with null": [
    ({ spine }) => spine.artifacts.toDirectory({ ...completed, result: { artifacts: [null] } } as never, "d"),
    "BadRequestError",
    "artifact is null"
  ],
  "a path that is a number": [() => FileInput.fromPath(3 as never), "FileInputError", "its path is 3"],
  "a size that is text": [
    ({ spine }) =>
      spine.runs.create({ prompt: "x", files: [{ data: Stream.make(bytes), size: "1" as never, filename: "a" }] }),
    "BadRequestError",
    "a has the size \"1\""
  ],
  "a size whose conversion throws": [
    ({ spine }) =>
      spine.runs.create({
        prompt: "x",
        files: [{ data: Stream.make(bytes), size: odd["an object whose conversion throws"]!() as never, filename: "a" }]
      }),
    "BadRequestError",
    "a has the size an object"
  ],
  "a key of the store that is a symbol": [
    ({ store }) => store.get(Symbol("k") as never),
    "BadRequestError",
    "key is Symbol(k)"
  ],
  "a timestamp that is text": [
    () => Spine.signWebhook("{}", secret, { timestamp: "now" as never }),
    "ConfigError",
    "timestamp is \"now\""
  ],
  "a timestamp in milliseconds with a fraction": [
    () => Spine.signWebhook("{}", secret, { timestamp: 1.5 }),
    "ConfigError",
    "timestamp is 1.5"
  ],
  "a payload to sign that was parsed": [
    () => Spine.signWebhook({ a: 1 } as never, secret),
    "ConfigError",
    "The payload is an object"
  ],
  "a payload of Spine that was transferred": [
    () => Spine.constructEvent(detached().buffer as ArrayBuffer, "t=1,v1=" + "0".repeat(64), secret),
    "WebhookSignatureError",
    "a buffer that was transferred"
  ],
  "a payload of Tela that was transferred": [
    () =>
      Effect.flatMap(
        Tela.webhookHeaders(secret),
        (headers) => Tela.constructEvent(detached(), headers, secret)
      ),
    "WebhookSignatureError",
    "a buffer that was transferred"
  ],
  "headers that are text": [
    () => Tela.constructEvent("{}", "x-canvas-runs-webhook: abc" as never, secret),
    "WebhookSignatureError",
    "The headers are text",
    "!abc"
  ],
  "a path of a route without its slash": [
    () => routed(Spine.layerWebhookRoute({ path: "hooks" as never, secret })),
    "ConfigError",
    "path is \"hooks\""
  ],
  "an onEvent that is an Effect": [
    () => routed(Tela.layerWebhookRoute({ path: "/hooks", secret, onEvent: Effect.void as never })),
    "ConfigError",
    "onEvent is an Effect that has not run"
  ],
  "params that throw": [
    ({ spine }) => spine.runs.create(throwing("prompt")),
    "BadRequestError",
    "params could not be read",
    "the getter of prompt was read"
  ],
  "options that throw": [
    ({ spine }) => spine.runs.waitForCompletion(id, throwing("timeout")),
    "BadRequestError",
    "options could not be read"
  ],
  "a run that is a revoked Proxy": [
    ({ spine }) => spine.runs.retrieve(revoked({})),
    "BadRequestError",
    "run could not be read"
  ],
  "a task that is a revoked Proxy": [
    ({ tela }) => tela.tasks.get(revoked({})),
    "BadRequestError",
    "task could not be read"
  ],
  "options of a client that throw": [() => Spine.make(throwing("apiKey")), "ConfigError", "options could not be read"],
  "a rate limit that throws": [
    () => Tela.make({ apiKey: Redacted.make("k"), rateLimit: throwing("limit") }),
    "ConfigError",
    "rateLimit could not be read"
  ],
  "a key that is plain text": [
    () => Spine.make({ apiKey: "sk_spine_abc" as never }),
    "ConfigError",
    "apiKey is plain text",
    "Redacted.make",
    "!missing",
    "!abc"
  ],
  "no key": [() => Tela.make({} as never), "ConfigError", "apiKey is missing"],
  "a key that is a promise": [
    () => Spine.make({ apiKey: Promise.resolve("sk_spine_abc") as never }),
    "ConfigError",
    "apiKey is a Promise that has not been awaited"
  ],
  "blocks that are text": [
    ({ spine }) => spine.runs.create({ prompt: "x", blocks: "image-block" as never }),
    "BadRequestError",
    "blocks is \"image-block\"; it must be an array"
  ],
  "an unknown block": [
    ({ spine }) => spine.runs.create({ prompt: "x", blocks: ["image-block", "imag" as never] }),
    "BadRequestError",
    "blocks[1] is \"imag\"",
    "image-block"
  ],
  "a prompt that is a number": [
    ({ spine }) => spine.runs.create({ prompt: 5 as never }),
    "BadRequestError",
    "prompt is 5"
  ],
  "files that are one file": [
    ({ spine }) => spine.runs.create({ prompt: "x", files: bytes as never }),
    "BadRequestError",
    "files is an object"
  ],
  "a baseUrl without http": [
    () => Spine.make({ apiKey: Redacted.make("k"), baseUrl: "api.getspine.ai?key=abc" }),
    "ConfigError",
    "baseUrl is \"api.getspine.ai?<redacted>\"",
    "!abc"
  ],
  "params that are undefined": [
    ({ spine }) => spine.runs.create(undefined as never),
    "BadRequestError",
    "params must be an object, and is undefined",
    "!null"
  ],
  "params that are null": [({ spine }) => spine.runs.create(null as never), "BadRequestError", "and is null"],
  "a timeout of NaN": [
    ({ spine }) => spine.runs.waitForCompletion(id, { timeout: NaN }),
    "BadRequestError",
    "timeout is NaN",
    "!zero"
  ],
  "a pollingTimeout of NaN": [
    ({ tela }) => tela.getExecution(id, { pollingTimeout: NaN }),
    "BadRequestError",
    "pollingTimeout is NaN"
  ],
  "a requestTimeout of NaN": [
    () => Spine.make({ apiKey: Redacted.make("k"), requestTimeout: NaN }),
    "ConfigError",
    "requestTimeout is NaN"
  ],
  "a ref of a later version": [
    () => RunRef.parse(JSON.stringify({ version: 2, provider: "spine", run: { id } })),
    "BadRequestError",
    "the version 2, and this version of canvas-runs reads version 1"
  ],
  "the JSON of a ref instead of the ref": [
    ({ spine }) => spine.runs.retrieve(JSON.stringify(spineRef)),
    "BadRequestError",
    "RunRef.parse"
  ],
  "the JSON of the ref of a task": [
    ({ tela }) => tela.tasks.get(JSON.stringify(taskRef)),
    "BadRequestError",
    "RunRef.parse"
  ],
  "variables that are a Date": [
    ({ tela }) => tela.canvas.make({ id }).execute(new Date(0) as never),
    "BadRequestError",
    "the variables are a Date"
  ],
  "variables that are a function": [
    ({ tela }) => tela.canvas.make({ id }).run((() => 1) as never),
    "BadRequestError",
    "the variables are a function"
  ],
  "variables that are an array": [
    ({ tela }) => tela.canvas.make({ id }).stream([1, 2] as never),
    "BadRequestError",
    "the variables are an array"
  ]
}

const detached = (view = new Uint8Array(4)): Uint8Array => {
  structuredClone(view.buffer, { transfer: [view.buffer] })
  return view
}

describe("messages about arguments", () => {
  for (const [name, [call, tag, ...words]] of Object.entries(messages)) {
    it.live(`${name}: the message quotes the value that was received, before any request`, () =>
      Effect.gen(function*() {
        const it = yield* world
        const exit = yield* run(() => call(it), it.http)
        hasNoDefect(exit, name)
        const error = Option.getOrThrow(Exit.findErrorOption(exit)) as {
          readonly _tag: string
          readonly message: string
        }
        assert.strictEqual(error._tag, tag, error.message)
        for (const word of words) {
          if (word.startsWith("!")) assert.notInclude(error.message, word.slice(1))
          else assert.include(error.message, word)
        }
        assert.strictEqual(it.requests(), 0)
      }))
  }
})
