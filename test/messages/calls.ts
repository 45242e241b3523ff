/**
 * Wrong calls of each public function, as the text of a program. JavaScript runs each text, and the compiler reads it. What they
 * name is in `world.ts` and in the modules of Effect and of this package.
 */

/** By function. A name with a colon is a group of calls that a provider, and not the caller, makes fail. */
export const calls: Readonly<Record<string, ReadonlyArray<string>>> = {
  "Spine.make": [
    `Spine.make()`,
    `Spine.make({})`,
    `Spine.make({ apiKey: "sk_spine_planted_secret_of_messages" })`,
    `Spine.make({ apiKey: Redacted.make("") })`,
    `Spine.make({ apiKey: Redacted.make("sk_spine_planted_secret_of_messages\\n") })`,
    `Spine.make({ apikey: secret })`,
    `Spine.make({ apiKey: secret, baseURL: "https://api.getspine.ai" })`,
    `Spine.make({ apiKey: Promise.resolve(secret) })`
  ],
  "Spine.layer": [
    `Spine.layer()`,
    `Spine.layer("sk_spine_planted_secret_of_messages")`,
    `Spine.layer({ apiKey: secret, baseUrl: "api.getspine.ai" })`,
    `Spine.layer({ apiKey: secret, requestTimeout: "5 minuts" })`,
    `Spine.layer({ apiKey: secret, requestTimeout: -1 })`,
    `Spine.layer({ apiKey: secret, retry: 3 })`,
    `Spine.layer({ apiKey: secret, rateLimit: 10 })`,
    `Spine.layer({ apiKey: secret, rateLimit: { limit: 10, window: "1 second" } })`,
    `Layer.provide(Spine.layer({ apiKey: secret, rateLimit: { limit: 0, window: "1 second" } }), limiter)`,
    `Layer.provide(Spine.layer({ apiKey: secret, rateLimit: { limit: 10 } }), limiter)`,
    `Layer.provide(Spine.layer({ apiKey: secret, rateLimit: { limit: 10, windowMs: 1000 } }), limiter)`,
    `Spine.layer({ apiKey: secret, maxResponseBytes: "1 MB" })`,
    `Spine.layer({ apiKey: secret, transformClient: (client) => {} })`,
    `Spine.layer({ apiKey: secret, webhooks: Webhooks.layer })`,
    `Spine.layer({ apiKey: secret, timeout: "5 minutes" })`
  ],
  "Spine.layerConfig": [
    `Spine.layerConfig()`,
    `Spine.layerConfig("sk_spine_planted_secret_of_messages")`,
    `Spine.layerConfig({ apiKey: Config.Redacted("ACME_KEY") })`,
    `Spine.layerConfig({ apiKey: Config.Redacted("EMPTY") })`,
    `Spine.layerConfig({ apiKey: Config.Redacted("SPACED") })`,
    `Spine.layerConfig({ apiKey: Config.String("SPACED") })`,
    `Spine.layerConfig({ apiKey: secret, baseUrl: Config.String("ACME_URL") })`,
    `Spine.layerConfig({ apiKey: secret, baseUrl: Config.String("SPACED") })`
  ],
  "Spine.layerFetch": [
    `Spine.layerFetch()`,
    `Spine.layerFetch({ key: "x" })`,
    `Spine.layerFetch({ apiKey: secret, requestTimeout: NaN })`
  ],
  "Spine.layerTest": [
    `Effect.provide(Spine.SpineClient.use((spine) => spine.runs.retrieve(id)), Spine.layerTest())`,
    `Effect.provide(Spine.SpineClient.use((spine) => spine.runs.retrieve(id)), Spine.layerTest({ runs: { create: () => Effect.void } }))`,
    `Effect.provide(Spine.SpineClient.use((spine) => spine.runs.retrieve(id)), Spine.layerTest({ run: { retrieve: () => Effect.void } }))`
  ],
  "spine.runs.create": [
    `spine.runs.create()`,
    `spine.runs.create("Compare three databases")`,
    `spine.runs.create({})`,
    `spine.runs.create({ prompt: " " })`,
    `spine.runs.create({ promt: "x" })`,
    `spine.runs.create({ prompt: "x", template: "tables" })`,
    `spine.runs.create({ prompt: "x", blocks: [] })`,
    `spine.runs.create({ prompt: "x", blocks: "image-block" })`,
    `spine.runs.create({ prompt: "x", blocks: [5] })`,
    `spine.runs.create({ prompt: "x", webhook_url: "/hook" })`,
    `spine.runs.create({ prompt: "x", timeout: "2 hours" })`,
    `spine.runs.create({ prompt: "x", files: bytes })`,
    `spine.runs.create({ prompt: "x", files: ["report.pdf"] })`,
    `spine.runs.create({ prompt: "x", files: [FileInput.fromPath("report.pdf")] })`,
    `spine.runs.create({ prompt: "x", files: [{ data: Stream.make(bytes), filename: "a.pdf" }] })`,
    `spine.runs.create({ prompt: "x", files: [new Uint8Array()] })`,
    `spine.runs.create({ prompt: "x", files: [{ data: bytes, filename: "a.exe" }] })`
  ],
  "spine.runs.retrieve": [
    `spine.runs.retrieve()`,
    `spine.runs.retrieve("")`,
    `spine.runs.retrieve("runs/" + id)`,
    `spine.runs.retrieve(JSON.stringify(ref))`,
    `spine.runs.retrieve(telaRef)`,
    `spine.runs.retrieve({ run_id: 5 })`,
    `spine.runs.retrieve({ id })`,
    `spine.runs.retrieve(spine.runs.create({ prompt: "x" }))`,
    `spine.runs.retrieve(Effect.runPromise(spine.runs.create({ prompt: "x" })))`
  ],
  "spine.runs.waitForCompletion": [
    `spine.runs.waitForCompletion()`,
    `spine.runs.waitForCompletion(null)`,
    `spine.runs.waitForCompletion(spine.runs.create({ prompt: "x" }))`,
    `spine.runs.waitForCompletion(ref, "5 minutes")`,
    `spine.runs.waitForCompletion(ref, { timeoutMs: 5000 })`,
    `spine.runs.waitForCompletion(ref, { timeout: "5 minuts" })`,
    `spine.runs.waitForCompletion(ref, { timeout: -1 })`,
    `spine.runs.waitForCompletion(ref, { timeout: NaN })`,
    `spine.runs.waitForCompletion(ref, { timeout: null })`,
    `spine.runs.waitForCompletion(ref, { pollInterval: 0 })`,
    `spine.runs.waitForCompletion(ref, { pollInterval: "5 seconds", schedule: Polling.fixed("5 seconds") })`,
    `spine.runs.waitForCompletion(ref, { schedule: "5 seconds" })`,
    `spine.runs.waitForCompletion(ref, { errorBudget: 0.5 })`,
    `spine.runs.waitForCompletion(ref, { notFoundGrace: "soon" })`,
    `spine.runs.waitForCompletion(ref, { retryAfterCeiling: [] })`,
    `spine.runs.waitForCompletion(ref, { resolveOnFailure: "yes" })`
  ],
  "spine.runs.watch": [
    `spine.runs.watch()`,
    `spine.runs.watch(id, { interval: 5 })`,
    `spine.runs.watch(id, { schedule: 5 })`
  ],
  "spine.runs.polls": [
    `spine.runs.polls()`,
    `spine.runs.polls({ ref: telaRef, run_id: id })`,
    `spine.runs.polls(id, { timeout: "tomorrow" })`
  ],
  "spine.runs.completions": [
    `spine.runs.completions()`,
    `spine.runs.completions(id)`,
    `spine.runs.completions(ref)`,
    `spine.runs.completions([id], { concurrency: 0 })`,
    `spine.runs.completions([id], { concurrency: "unbounded" })`,
    `spine.runs.completions([id], { concurency: 5 })`,
    `spine.runs.completions([id], 5)`
  ],
  "spine.runs.share": [
    `spine.runs.share()`,
    `spine.runs.share("a b")`,
    `spine.runs.share(ref, { timeout: 0 })`
  ],
  "spine.runs.run": [
    `spine.runs.run()`,
    `spine.runs.run("Compare three databases")`,
    `spine.runs.run({ prompt: "x", timeout: "2 hours" })`,
    `spine.runs.run({ prompt: "x" }, { timout: "2 hours" })`,
    `spine.runs.run({ prompt: "x" }, { onCreated: "log" })`,
    `spine.runs.run({ prompt: "x" }, { onCreated: ({ ref }) => ref })`,
    `spine.runs.run({ prompt: "x" }, { resolveOnFailure: true })`
  ],
  "spine.canvases.getDag": [
    `spine.canvases.getDag()`,
    `spine.canvases.getDag(5)`,
    `spine.canvases.getDag("../runs")`,
    `spine.canvases.getDag(ref)`
  ],
  "spine.canvases.getTasks": [
    `spine.canvases.getTasks()`,
    `spine.canvases.getTasks(null)`,
    `spine.canvases.getTasks("a?b")`
  ],
  "spine.canvases.getTask": [
    `spine.canvases.getTask(id)`,
    `spine.canvases.getTask("", id)`,
    `spine.canvases.getTask(id, "a/b")`
  ],
  "spine.artifacts.download": [
    `spine.artifacts.download(ref)`,
    `spine.artifacts.download(artifact)`,
    `spine.artifacts.download(ref, artifact.download_url)`,
    `spine.artifacts.download(ref, { ...artifact, size_bytes: "5" })`
  ],
  "spine.artifacts.stream": [
    `spine.artifacts.stream(ref)`,
    `spine.artifacts.stream(null, artifact)`,
    `spine.artifacts.stream(ref, { ...artifact, name: undefined })`
  ],
  "spine.artifacts.toFile": [
    `spine.artifacts.toFile(ref, artifact)`,
    `spine.artifacts.toFile(ref, artifact, "downloads")`,
    `spine.artifacts.toFile(ref, artifact, { directory: "" })`,
    `spine.artifacts.toFile(ref, artifact, { directory: "d", fileName: "a.png" })`,
    `spine.artifacts.toFile(ref, artifact, { directory: "d", filename: 5 })`
  ],
  "spine.artifacts.toDirectory": [
    `spine.artifacts.toDirectory(ref, "d")`,
    `spine.artifacts.toDirectory({ status: "completed", run_id: id, result: { artifacts: [] } })`,
    `spine.artifacts.toDirectory({ status: "completed", run_id: id, result: { artifacts: [artifact] } }, "d", 4)`,
    `spine.artifacts.toDirectory({ status: "completed", run_id: id, result: { artifacts: [artifact] } }, "d", { concurrency: 0 })`,
    `spine.artifacts.toDirectory({ status: "completed", run_id: id, result: { artifacts: ["a.png"] } }, "d")`
  ],
  "Spine.constructEvent": [
    `Spine.constructEvent({ id: "evt_1" }, "t=1,v1=00", secret)`,
    `Spine.constructEvent("{}", undefined, secret)`,
    `Spine.constructEvent("{}", "sha256=abc", secret)`,
    `Spine.constructEvent("{}", ["t=1"], secret)`,
    `Spine.constructEvent("{}", "t=1,v1=" + "0".repeat(64), "a secret of webhooks")`,
    `Spine.constructEvent("{}", "t=1,v1=" + "0".repeat(64))`,
    `Spine.constructEvent("{}", "t=1,v1=" + "0".repeat(64), secret)`,
    `Spine.constructEvent("{}", "t=1,v1=" + "0".repeat(64), secret, { tolerance: 0 })`,
    `Spine.constructEvent("{}", "t=1,v1=" + "0".repeat(64), secret, { tolerence: 5 })`,
    `Effect.flatMap(Spine.signWebhook("{}", secret, { timestamp: 1 }), (header) => Spine.constructEvent("{}", header, secret))`,
    `Effect.flatMap(Spine.signWebhook("{}", secret), (header) => Spine.constructEvent("{}", header, secret))`
  ],
  "Spine.signWebhook": [
    `Spine.signWebhook({}, secret)`,
    `Spine.signWebhook("{}", "a secret of webhooks")`,
    `Spine.signWebhook("{}", secret, { timestamp: new Date(0) })`,
    `Spine.signWebhook("{}", secret, 5)`
  ],
  "Spine.layerWebhookRoute": [
    `Spine.layerWebhookRoute()`,
    `Spine.layerWebhookRoute({ secret })`,
    `Spine.layerWebhookRoute({ path: "hook", secret })`,
    `Spine.layerWebhookRoute({ path: "/hook" })`,
    `Spine.layerWebhookRoute({ path: "/hook", secret: "a secret of webhooks" })`,
    `Spine.layerWebhookRoute({ path: "/hook", secret, onevent: () => Effect.void })`,
    `Spine.layerWebhookRoute({ path: "/hook", secret, onEvent: 5 })`,
    `Spine.layerWebhookRoute({ path: "/hook", secret, tolerance: "long" })`
  ],
  "RunRef.make": [
    `spine.runs.retrieve(RunRef.make())`,
    `spine.runs.retrieve(RunRef.make({ provider: "spine", kind: "run" }))`,
    `spine.runs.retrieve(RunRef.make({ provider: "spine", kind: "run", id: 5 }))`,
    `spine.runs.retrieve(RunRef.make({ provider: "Spine", kind: "run", id }))`,
    `spine.runs.retrieve(RunRef.make({ provider: "spine", kind: "run", id: "a/b" }))`
  ],
  "RunRef.parse": [
    `RunRef.parse()`,
    `RunRef.parse(id)`,
    `RunRef.parse(ref)`,
    `RunRef.parse("{}")`,
    `RunRef.parse(JSON.stringify({ ...ref, version: 2 }))`,
    `RunRef.parse(JSON.stringify({ ...ref, id: "" }))`
  ],
  "Polling.fixed": [
    `Polling.fixed()`,
    `Polling.fixed("5 minuts")`,
    `Polling.fixed(0)`,
    `Polling.fixed(NaN)`,
    `Polling.fixed({ second: 5 })`
  ],
  "Polling.backoff": [
    `Polling.backoff("2 seconds")`,
    `Polling.backoff({ initial: "soon" })`,
    `Polling.backoff({ factor: 0.5 })`,
    `Polling.backoff({ factor: "2" })`,
    `Polling.backoff({ factor: NaN })`,
    `Polling.backoff({ maximum: "1 minute" })`,
    `Polling.backoff({ max: -1 })`
  ],
  "Polling.adaptive": [
    `Polling.adaptive({ min: "1 minute", max: "1 second" })`,
    `Polling.adaptive({ pastDurations: "5 minutes" })`,
    `Polling.adaptive({ pastDurations: ["5 minutes", "long"] })`,
    `Polling.adaptive({ pastDurations: [Infinity] })`,
    `Polling.adaptive({ latency: "1 second" })`
  ],
  "Polling.make": [
    `Polling.make()`,
    `Polling.make("5 seconds")`,
    `Polling.make({ delay: () => 5000 })`
  ],
  "Polling.makePolicy": [
    `Polling.makePolicy("acme.wait", { timeout: 0 }, { pollInterval: "1 second", timeout: "1 minute" })`,
    `Polling.makePolicy("acme.wait", { every: 5 }, { pollInterval: "1 second", timeout: "1 minute" })`,
    `Polling.makePolicy("acme.wait", {})`,
    `Polling.makePolicy("acme.wait", {}, { pollInterval: "1 second" })`
  ],
  "Run.polls": [
    `Run.polls()`,
    `Run.polls(source)`,
    `Run.polls(ref, policy)`
  ],
  "Run.watch": [
    `Run.watch()`,
    `Run.watch(source, { timeout: "1 minute" })`,
    `Run.watch({ ...source, retrieve: undefined }, policy)`
  ],
  "Run.settle": [
    `Run.settle()`,
    `Run.settle(source)`,
    `Run.settle({ ...source, classify: undefined }, policy)`
  ],
  "Run.wait": [
    `Run.wait()`,
    `Run.wait(source, "5 minutes")`,
    `Run.wait({ ...source, retrieve: Promise.resolve() }, policy)`,
    `Run.wait(source, { ...policy, timeout: "1 minute" })`
  ],
  "Run.completions": [
    `Run.completions()`,
    `Run.completions([id], () => Effect.succeed(source), policy)`,
    `Run.completions(Stream.make(id), source, policy)`,
    `Run.completions(Stream.make(id), () => Effect.succeed(source), policy, { concurrency: 0 })`
  ],
  "Run.share": [
    `Run.share()`,
    `Run.share(ref, policy)`,
    `Run.share(source)`
  ],
  "FileInput.fromPath": [
    `FileInput.fromPath()`,
    `FileInput.fromPath("")`,
    `FileInput.fromPath(new URL("file:///report.pdf"))`,
    `FileInput.fromPath("report.pdf", "report.pdf")`,
    `FileInput.fromPath("report.pdf", { name: "a.pdf" })`,
    `FileInput.fromPath("report.pdf", { filename: 5 })`,
    `FileInput.fromPath("missing.pdf")`
  ],
  "FileInput.normalize": [
    `FileInput.normalize("acme.create", "report.pdf", 1)`,
    `FileInput.normalize("acme.create", { data: bytes, filename: "a.pdf", contentType: "pdf" }, 1)`,
    `FileInput.normalize("acme.create", { data: Stream.make(bytes), size: -1, filename: "a.pdf" }, 1)`,
    `FileInput.normalize("acme.create", bytes, 1, { filename: 5 })`,
    `FileInput.normalize("acme.create", Promise.resolve(bytes), 1)`
  ],
  "Artifact.bytes": [
    `Artifact.bytes()`,
    `Artifact.bytes(transfer, {})`,
    `Artifact.bytes({}, artifactSource)`,
    `Artifact.bytes(transfer, { ...artifactSource, url: "chart.png" })`
  ],
  "Artifact.stream": [
    `Artifact.stream()`,
    `Artifact.stream(transfer, { ...artifactSource, url: 5 })`,
    `Artifact.stream(transfer, { ...artifactSource, refresh: undefined })`
  ],
  "Artifact.toFile": [
    `Artifact.toFile(transfer, artifactSource)`,
    `Artifact.toFile(transfer, artifactSource, "d")`,
    `Artifact.toFile(transfer, artifactSource, { directory: "" })`,
    `Artifact.toFile(transfer, {}, { directory: "d" })`
  ],
  "store.runOnce": [
    `store.runOnce()`,
    `store.runOnce("", spine.runs.create({ prompt: "x" }))`,
    `store.runOnce("k", () => spine.runs.create({ prompt: "x" }))`,
    `store.runOnce("k", Effect.runPromise(Effect.succeed({ ref })))`,
    `store.runOnce("k", Effect.succeed({ ref }), "retry")`,
    `store.runOnce("k", Effect.succeed({ ref }), { onUnknown: "again" })`,
    `store.runOnce("k", Effect.succeed({ ref }), { onUnkown: "retry" })`,
    `store.runOnce("a", Effect.succeed(id))`,
    `store.runOnce("a", Effect.succeed({ ref }))`,
    `Effect.andThen(Effect.ignore(store.runOnce("b", Effect.fail("out of luck"))), store.runOnce("b", Effect.succeed({ ref })))`,
    `store.runOnce("c", store.runOnce("c", spine.runs.create({ prompt: "x" })))`
  ],
  "store.track": [
    `store.track()`,
    `store.track("a", ref)`,
    `store.track("missing", Effect.void)`,
    `store.track("a", () => spine.runs.waitForCompletion(ref))`
  ],
  "store.complete": [
    `store.complete()`,
    `store.complete("missing")`,
    `store.complete("a")`,
    `store.complete(ref)`
  ],
  "store.attach": [
    `store.attach()`,
    `store.attach("d", id)`,
    `store.attach("d", { run_id: id })`,
    `store.attach("d", spine.runs.create({ prompt: "x" }))`,
    `Effect.andThen(store.attach("d", ref), store.attach("d", failing))`
  ],
  "store.forget": [
    `store.forget()`,
    `store.forget(null)`,
    `store.forget(["a"])`
  ],
  "store.get": [
    `store.get()`,
    `store.get(5)`,
    `store.get({ key: "a" })`
  ],
  "Webhooks.make": [
    `Webhooks.make({ capacity: 0 })`,
    `Webhooks.make({ capacity: "10" })`,
    `Webhooks.make(10)`,
    `Webhooks.make({ size: 10 })`
  ],
  "hub.deliver": [
    `hub.deliver()`,
    `hub.deliver({ provider: "spine", runId: id })`,
    `hub.deliver({ provider: "spine", runId: "", eventId: "e", isTerminal: true })`,
    `hub.deliver({ provider: "spine", runId: id, eventId: "e", isTerminal: "yes" })`
  ],
  "hub.ended": [
    `hub.ended()`,
    `hub.ended("spine")`,
    `hub.ended("spine", 5)`
  ],
  "SpineGraph.fromCanvas": [
    `SpineGraph.fromCanvas()`,
    `SpineGraph.fromCanvas({})`,
    `SpineGraph.fromCanvas(spine.canvases.getDag(id))`
  ]
}

/** Functions that take any input, with the reason. */
export const withoutWrongCalls: Readonly<Record<string, string>> = {
  "Spine.isTerminal": "tells for any run whether it has ended",
  "RunRef.format": "names anything, for logs and messages that must not fail",
  "RunError.badRequest": "makes an error from any fields, because making an error must not fail",
  "Spine.describeError": "reads any body of a response",
  "Tela.describeError": "reads any body of a response"
}
