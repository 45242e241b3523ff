/**
 * Wrong calls of each public function, as the text of a program. JavaScript runs each text, and the compiler checks it. The names
 * in them are those of `world.ts` and of the modules of Effect and of this package.
 */

/** The calls by function. A name with a colon is a group of calls that fail because of the provider, not of the caller. */
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
    `Effect.flatMap(Spine.signWebhook("{}", secret, { timestamp: 1000 }), (header) => Spine.constructEvent("{}", header, secret))`,
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
  "GenAiTelemetry.layer": [
    `GenAiTelemetry.layer()`,
    `GenAiTelemetry.layer({ baseUrl: "http://localhost:4318" })`,
    `GenAiTelemetry.layer(() => Layer.empty)`
  ],
  "GenAiTelemetry.make": [
    `GenAiTelemetry.make()`,
    `GenAiTelemetry.make(Layer.empty)`,
    `GenAiTelemetry.make("otlp")`
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
    `store.runOnce("k", () => ref)`,
    `store.runOnce("k", { prompt: "x" })`,
    `store.runOnce("k", Effect.runPromise(Effect.succeed({ ref })))`,
    `store.runOnce("k", Effect.succeed({ ref }), "retry")`,
    `store.runOnce("k", Effect.succeed({ ref }), { onUnknown: "again" })`,
    `store.runOnce("k", Effect.succeed({ ref }), { onUnkown: "retry" })`,
    `store.runOnce("a", Effect.succeed(id))`,
    `store.runOnce("a", Effect.succeed({ ref }))`,
    `Effect.andThen(Effect.ignore(store.runOnce("b", Effect.fail("out of luck"))), store.runOnce("b", Effect.succeed({ ref })))`,
    `store.runOnce("c", store.runOnce("c", spine.runs.create({ prompt: "x" })))`
  ],
  "store.refuse": [
    `store.refuse()`,
    `store.refuse(ref)`,
    `store.refuse("a")`
  ],
  "store.list": [
    `store.list("Finished")`,
    `store.list({ state: "finished" })`,
    `store.list({ provider: 5 })`,
    `store.list({ before: "yesterday" })`,
    `store.list({ before: new Date("yesterday") })`,
    `store.list({ states: ["Finished"] })`
  ],
  "store.purge": [
    `store.purge()`,
    `store.purge("30 dayz")`,
    `store.purge(-1)`,
    `store.purge({ olderThan: "30 days" })`,
    `store.purge(new Date(0))`
  ],
  "store.reconcile": [
    `store.reconcile()`,
    `store.reconcile("a")`,
    `store.reconcile("a", Effect.succeed([]))`,
    `store.reconcile("a", Tela.findByTag, "1 hour")`,
    `store.reconcile("a", Tela.findByTag, { settlingTime: "soon" })`,
    `store.reconcile("a", Tela.findByTag, { settlingTime: -1 })`,
    `store.reconcile("a", Tela.findByTag, { settlngTime: "1 hour" })`,
    `Effect.andThen(Effect.ignore(store.runOnce("e", () => Effect.fail("out of luck"))), store.reconcile("e", (tag) => Effect.as(Tela.findByTag(tag), [{ id }])))`,
    `store.reconcile("e", () => Effect.succeed([ref, failing]))`
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
  "Tela.make": [
    `Tela.make()`,
    `Tela.make({})`,
    `Tela.make({ apiKey: secret, jwt: secret })`,
    `Tela.make({ jwt: "sk_spine_planted_secret_of_messages" })`,
    `Tela.make({ apiKey: 5 })`,
    `Tela.make({ token: secret })`
  ],
  "Tela.layer": [
    `Tela.layer()`,
    `Tela.layer({ apiKey: secret, baseUrl: "https://me:abc@api.tela.com" })`,
    `Tela.layer({ apiKey: secret, uploadIdleTimeout: "soon" })`,
    `Tela.layer({ apiKey: secret, retryAfterCeiling: 0 })`,
    `Tela.layer({ apiKey: secret, maxRetries: 3 })`
  ],
  "Tela.layerConfig": [
    `Tela.layerConfig()`,
    `Tela.layerConfig(secret)`,
    `Tela.layerConfig({ apiKey: Config.Redacted("ACME_KEY") })`,
    `Tela.layerConfig({ jwt: Config.Redacted("SPACED") })`,
    `Tela.layerConfig({ apiKey: secret, jwt: Config.Redacted("SPACED") })`,
    `Effect.provideService(Layer.build(Tela.layerConfig()), ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env: {} }))`
  ],
  "Tela.layerFetch": [
    `Tela.layerFetch({ apiKey: "sk_spine_planted_secret_of_messages" })`,
    `Tela.layerFetch({ url: "https://api.tela.com" })`,
    `Tela.layerFetch({ apiKey: secret, requestTimeout: {} })`
  ],
  "Tela.layerTest": [
    `Effect.provide(Tela.TelaClient.use((tela) => tela.tasks.get(id)), Tela.layerTest())`,
    `Effect.provide(Tela.TelaClient.use((tela) => tela.canvas.get({ id })), Tela.layerTest({}))`,
    `Effect.provide(Tela.TelaClient.use((tela) => tela.canvas.make({ id }).execute({})), Tela.layerTest({ canvas: {} }))`
  ],
  "Tela.file": [
    `canvas.execute({ topic: Tela.file() })`,
    `canvas.execute({ topic: Tela.file("report.pdf") })`,
    `canvas.execute({ topic: Tela.file(5) })`,
    `canvas.execute({ topic: Tela.file(FileInput.fromPath("report.pdf")) })`,
    `untyped.execute({ doc: Tela.file("https://files.example/a.pdf", { range: [3, 1] }) })`,
    `untyped.execute({ doc: Tela.file("https://files.example/a.pdf", { pages: [0, 1] }) })`,
    `untyped.execute({ doc: Tela.file(bytes, { parserType: 5 }) })`,
    `untyped.execute({ doc: Tela.file("report.pdf") })`,
    `untyped.execute({ doc: Tela.file() })`,
    `untyped.execute({ doc: Tela.file(FileInput.fromPath("report.pdf")) })`,
    `untyped.execute({ docs: [Tela.file(bytes), bytes] })`
  ],
  "Tela.fileFromPath": [
    `Tela.fileFromPath()`,
    `Tela.fileFromPath("missing.pdf")`,
    `Tela.fileFromPath("missing.pdf", { name: 5 })`
  ],
  "Tela.webhookHeaders": [
    `Tela.webhookHeaders()`,
    `Tela.webhookHeaders("a secret of webhooks")`,
    `Tela.webhookHeaders(Redacted.make(" spaced "))`,
    `Tela.webhookHeaders(Redacted.make(""))`
  ],
  "Tela.constructEvent": [
    `Tela.constructEvent("{}")`,
    `Tela.constructEvent("{}", "a.b", secret)`,
    `Tela.constructEvent("{}", {}, secret)`,
    `Tela.constructEvent("{}", { "x-canvas-runs-webhook": "abc" }, secret)`,
    `Tela.constructEvent("{}", { "x-canvas-runs-webhook": "abc." + "0".repeat(64) }, secret)`,
    `Effect.flatMap(Tela.webhookHeaders(secret), (headers) => Tela.constructEvent({ id: "1" }, headers, secret))`,
    `Effect.flatMap(Tela.webhookHeaders(secret), (headers) => Tela.constructEvent("{}", headers, secret))`
  ],
  "Tela.layerWebhookRoute": [
    `Tela.layerWebhookRoute()`,
    `Tela.layerWebhookRoute({ path: "/hook" })`,
    `Tela.layerWebhookRoute({ path: "/hook", secret, tolerance: "5 minutes" })`,
    `Tela.layerWebhookRoute({ path: "/hook", secret, maxBodyBytes: "1 MB" })`
  ],
  "tela.canvas.get": [
    `tela.canvas.get()`,
    `tela.canvas.get(id)`,
    `tela.canvas.get({})`,
    `tela.canvas.get({ id: "a/b" })`,
    `tela.canvas.get({ canvasId: id })`,
    `tela.canvas.get({ id, applicationId: id })`,
    `tela.canvas.get({ id, input: { type: "object" } })`,
    `tela.canvas.get({ id, output: "text" })`,
    `tela.canvas.get({ id: made.id, input: Schema.Struct({ subject: Schema.String }) })`,
    `tela.canvas.get({ id: made.id, input: Schema.Struct({ topic: Schema.String, tone: Schema.String }) })`,
    `tela.canvas.get({ id: made.id, input: Letter, output: Schema.Struct({ total: Schema.Finite }) })`
  ],
  "tela.canvas.make": [
    `tela.canvas.make().execute({})`,
    `tela.canvas.make(id).execute({})`,
    `tela.canvas.make({ id: "" }).execute({})`,
    `tela.canvas.make({ id, input: Letter, outputs: Schema.String }).execute({ topic: "x" })`,
    `tela.canvas.make({ id, output: "text" }).execute({})`
  ],
  "canvas.execute": [
    `canvas.execute()`,
    `canvas.execute("the sea")`,
    `canvas.execute({})`,
    `canvas.execute({ topik: "the sea" })`,
    `canvas.execute({ topic: 5 })`,
    `canvas.execute([{ topic: "the sea" }])`,
    `canvas.execute({ topic: "the sea" }, "async")`,
    `canvas.execute({ topic: "the sea" }, { asynch: true })`,
    `canvas.execute({ topic: "the sea" }, { async: "yes" })`,
    `canvas.execute({ topic: "the sea" }, { async: true, stream: true })`,
    `canvas.execute({ topic: "the sea" }, { webhookUrl: "https://app.example/hook" })`,
    `canvas.execute({ topic: "the sea" }, { async: true, webhookUrl: "app.example/hook" })`,
    `canvas.execute({ topic: "the sea" }, { async: true, pollingInterval: "5 minuts" })`,
    `canvas.execute({ topic: "the sea" }, { async: true, pollingTimeout: -1 })`,
    `canvas.execute({ topic: "the sea" }, { async: true, timeout: "5m" })`,
    `canvas.execute({ topic: "the sea" }, { timeout: "5 minuts" })`,
    `canvas.execute({ topic: "the sea" }, { stream: true, webhookUrl: "https://app.example/hook" })`,
    `canvas.execute({ topic: "the sea" }, { messages: "hello" })`,
    `canvas.execute({ topic: "the sea" }, { messages: [{ role: 5, content: "hello" }] })`,
    `canvas.execute({ topic: "the sea" }, { override: { temprature: 1 } })`,
    `canvas.execute({ topic: "the sea" }, { tags: "nightly" })`,
    `canvas.execute({ topic: "the sea" }, { versionId: "a/b" })`,
    `canvas.execute({ topic: "the sea" }, { versionId: id, environmentName: "production" })`,
    `canvas.execute({ topic: "the sea" }, { async: true, forwardHeaders: { "x y": "z" } })`,
    `canvas.execute({ topic: "the sea" }, { async: true, onCreated: ({ ref }) => ref })`,
    `canvas.execute(Effect.succeed({ topic: "the sea" }))`,
    `untyped.execute({ topic: Effect.succeed("the sea") })`,
    `untyped.execute({ topic: Promise.resolve("the sea") })`,
    `untyped.execute({ topic: NaN })`,
    `untyped.execute({ topic: 5n })`,
    `untyped.execute({ topic: secret })`,
    `untyped.execute({ topic: new Map([["a", 1]]) })`,
    `untyped.execute({ topic: cyclic })`,
    `untyped.execute({ topic: bytes })`
  ],
  "canvas.run": [
    `canvas.run()`,
    `canvas.run({ topic: "the sea" }, { interval: 5 })`,
    `canvas.run({ topic: "the sea" }, { timeout: "5m" })`,
    `canvas.run({ topic: "the sea" }, { schedule: Polling.fixed("1 second"), pollingInterval: 5 })`,
    `canvas.run({ topic: "the sea" }, { onCreated: "log" })`,
    `canvas.run({ topic: "the sea" }, { webhookUrl: "nope" })`,
    `canvas.run({ topic: "the sea" }, { pollingTimeout: -1 })`
  ],
  "canvas.stream": [
    `canvas.stream()`,
    `canvas.stream({ topic: "the sea" }, { idleTimeoutMs: 5 })`,
    `canvas.stream({ topic: "the sea" }, { idleTimeout: "long" })`,
    `canvas.stream({ topic: "the sea" }, { async: true })`,
    `canvas.stream({ topic: "the sea" }, { tags: "nightly" })`
  ],
  "canvas.getExecution": [
    `canvas.getExecution()`,
    `canvas.getExecution("")`,
    `canvas.getExecution(ref)`,
    `canvas.getExecution(id, { isTasks: true })`,
    `canvas.getExecution(id, { isTask: "yes" })`,
    `canvas.getExecution(id, { pollingTimeout: "long" })`,
    `canvas.getExecution(canvas.execute({ topic: "the sea" }, { async: true }))`
  ],
  "tela.getExecution": [
    `tela.getExecution()`,
    `tela.getExecution("a b")`,
    `tela.getExecution(id, { output: "text" })`,
    `tela.getExecution(id, { outputs: Schema.String })`
  ],
  "workstation.execute": [
    `workstation.execute()`,
    `workstation.execute({ topic: "the sea" }, { stream: true })`,
    `workstation.execute({ topic: "the sea" }, { label: 5 })`,
    `workstation.execute({ topic: "the sea" }, { versionId: id })`,
    `workstation.execute({ topic: "the sea" }, { messages: [{ role: "user", content: "hello" }], lable: "x" })`
  ],
  "workstation.run": [
    `workstation.run()`,
    `workstation.run({ topic: 5 })`,
    `workstation.run({ topic: "the sea" }, { pollingTimeout: "long" })`
  ],
  "workstation.getExecution": [
    `workstation.getExecution()`,
    `workstation.getExecution(ref)`,
    `workstation.getExecution(id, 5)`
  ],
  "tela.tasks.create": [
    `tela.tasks.create()`,
    `tela.tasks.create(id)`,
    `tela.tasks.create(id, [])`,
    `tela.tasks.create(id, { name: "a", variables: {} })`,
    `tela.tasks.create(id, [{ variables: {} }])`,
    `tela.tasks.create(id, [{ name: "a" }])`,
    `tela.tasks.create(id, [{ name: "a", variables: "x" }])`,
    `tela.tasks.create(id, [{ name: "a", variables: {}, label: "b" }])`,
    `tela.tasks.create(id, [{ name: "a", variables: {}, tags: "b" }])`,
    `tela.tasks.create(id, [{ name: "a", variables: { n: NaN } }])`,
    `tela.tasks.create(id, [{ name: "a", variables: {}, webhookUrl: "/hook" }])`,
    `tela.tasks.create("a/b", [{ name: "a", variables: {} }])`,
    `tela.tasks.create(made.applicationId, [{ name: "a", variables: { subject: "x" } }])`
  ],
  "tela.tasks.get": [
    `tela.tasks.get()`,
    `tela.tasks.get(ref)`,
    `tela.tasks.get(id, { includeAnalytics: "yes" })`,
    `tela.tasks.get(id, { analytics: true })`
  ],
  "tela.tasks.list": [
    `tela.tasks.list("completed")`,
    `tela.tasks.list({ state: "completed" })`,
    `tela.tasks.list({ limit: 0 })`,
    `tela.tasks.list({ offset: -1 })`,
    `tela.tasks.list({ createdAtSince: "yesterday" })`,
    `tela.tasks.list({ tags: "nightly" })`,
    `tela.tasks.list({ ids: id })`,
    `tela.tasks.list({ order: "up" })`
  ],
  "tela.tasks.stream": [
    `tela.tasks.stream({ limit: 10 })`,
    `tela.tasks.stream({ pageSize: 0 })`,
    `tela.tasks.stream(5)`
  ],
  "tela.tasks.progress": [
    `tela.tasks.progress({ status: "completed" })`,
    `tela.tasks.progress({ promptApplicationId: 5 })`,
    `tela.tasks.progress({ limit: "10" })`
  ],
  "tela.tasks.update": [
    `tela.tasks.update()`,
    `tela.tasks.update(id)`,
    `tela.tasks.update(id, {})`,
    `tela.tasks.update(id, { status: "done" })`,
    `tela.tasks.update(id, { title: "x" })`,
    `tela.tasks.update(id, { tags: [5] })`,
    `tela.tasks.update(id, { outputContent: "x" })`
  ],
  "tela.tasks.approve": [
    `tela.tasks.approve()`,
    `tela.tasks.approve("")`,
    `tela.tasks.approve(telaRef)`
  ],
  "tela.tasks.rename": [
    `tela.tasks.rename(id)`,
    `tela.tasks.rename(id, " ")`,
    `tela.tasks.rename(null, "x")`
  ],
  "tela.tasks.setOutputContent": [
    `tela.tasks.setOutputContent(id)`,
    `tela.tasks.setOutputContent("a/b", "x")`,
    `tela.tasks.setOutputContent(id, cyclic)`
  ],
  "tela.tasks.patchOutputContent": [
    `tela.tasks.patchOutputContent(id)`,
    `tela.tasks.patchOutputContent(id, "x")`,
    `tela.tasks.patchOutputContent(id, { total: NaN })`
  ],
  "tela.tasks.patchOutputField": [
    `tela.tasks.patchOutputField(id)`,
    `tela.tasks.patchOutputField(id, "", 1)`,
    `tela.tasks.patchOutputField(id, "a..b", 1)`,
    `tela.tasks.patchOutputField(id, ["a", "b"], 1)`,
    `tela.tasks.patchOutputField(id, "a.b")`
  ],
  "tela.tasks.updateOutputContent": [
    `tela.tasks.updateOutputContent(id)`,
    `tela.tasks.updateOutputContent(id, { total: 1 })`,
    `Effect.flatMap(tela.tasks.create(made.applicationId, [{ name: "a", variables: { topic: "x" }, outputContent: {} }]), ([task]) => tela.tasks.updateOutputContent(task.id, () => Promise.resolve({})))`,
    `Effect.flatMap(tela.tasks.create(made.applicationId, [{ name: "a", variables: { topic: "x" }, outputContent: {} }]), ([task]) => tela.tasks.updateOutputContent(task.id, (content) => content.a.b))`
  ],
  "tela.tasks.getInputFiles": [
    `tela.tasks.getInputFiles()`,
    `tela.tasks.getInputFiles(5)`,
    `tela.tasks.getInputFiles("a b")`
  ],
  "tela.tasks.getOutput": [
    `tela.tasks.getOutput()`,
    `tela.tasks.getOutput(ref)`,
    `tela.tasks.getOutput(tela.tasks.get(id))`
  ],
  "tela.completionRuns.list": [
    `tela.completionRuns.list(5)`,
    `tela.completionRuns.list({ promptId: "a/b" })`,
    `tela.completionRuns.list({ canvasId: id })`,
    `tela.completionRuns.list({ createdAtUntil: NaN })`
  ],
  "tela.completionRuns.stream": [
    `tela.completionRuns.stream({ offset: 5 })`,
    `tela.completionRuns.stream({ pageSize: 1.5 })`,
    `tela.completionRuns.stream({ status: 5 })`
  ],
  "tela.versions.get": [
    `tela.versions.get()`,
    `tela.versions.get("")`,
    `tela.versions.get({ id })`
  ],
  "tela.versions.latest": [
    `tela.versions.latest()`,
    `tela.versions.latest(5)`,
    `tela.versions.latest(canvas)`
  ],
  "tela.versions.promoted": [
    `tela.versions.promoted()`,
    `tela.versions.promoted("a#b")`,
    `tela.versions.promoted(null)`
  ],
  "tela.versions.history": [
    `tela.versions.history()`,
    `tela.versions.history(id, { limit: 0 })`,
    `tela.versions.history(id, { page: 2 })`,
    `tela.versions.history(id, 10)`
  ],
  "tela.environments.list": [
    `tela.environments.list()`,
    `tela.environments.list(".")`,
    `tela.environments.list({})`
  ],
  "tela.environments.resolve": [
    `tela.environments.resolve(id)`,
    `tela.environments.resolve(id, "")`,
    `tela.environments.resolve("", "production")`
  ],
  "tela.vault.resolve": [
    `tela.vault.resolve()`,
    `tela.vault.resolve(id)`,
    `tela.vault.resolve("vault://a/b")`,
    `tela.vault.resolve("vault://" + id, { expiresIn: 0 })`,
    `tela.vault.resolve("vault://" + id, { expires: "1 hour" })`
  ],
  "tela.vault.download": [
    `tela.vault.download()`,
    `tela.vault.download("https://files.example/a.pdf?signature=abc")`,
    `tela.vault.download("vault://")`
  ],
  "tela.vault.stream": [
    `tela.vault.stream()`,
    `tela.vault.stream(5)`,
    `tela.vault.stream("vault://a b")`
  ],
  "tela.vault.toFile": [
    `tela.vault.toFile("vault://" + id)`,
    `tela.vault.toFile("vault://" + id, "downloads")`,
    `tela.vault.toFile("file:///a", { directory: "d" })`
  ],
  "Spine: faults of the provider": [
    `answered(400).spine.runs.create({ prompt: "x" })`,
    `answered(401).spine.runs.create({ prompt: "x" })`,
    `answered(402).spine.runs.create({ prompt: "x" })`,
    `answered(429).spine.runs.create({ prompt: "x" })`,
    `answered(500).spine.runs.create({ prompt: "x" })`,
    `answered("html").spine.runs.create({ prompt: "x" })`,
    `answered("truncated").spine.runs.create({ prompt: "x" })`,
    `answered("odd").spine.runs.create({ prompt: "x" })`,
    `answered("redirect").spine.runs.create({ prompt: "x" })`,
    `answered("refused").spine.runs.create({ prompt: "x" })`,
    `answered("reset").spine.runs.create({ prompt: "x" })`,
    `answered("silence").spine.runs.create({ prompt: "x" })`,
    `answered(401).spine.runs.waitForCompletion(ref)`,
    `answered(403).spine.runs.waitForCompletion(ref)`,
    `answered(404).spine.runs.waitForCompletion(id)`,
    `answered(404).spine.runs.waitForCompletion(ref)`,
    `answered(429).spine.runs.waitForCompletion(ref, { timeout: "10 minutes" })`,
    `answered(500).spine.runs.waitForCompletion(ref)`,
    `answered(503).spine.runs.retrieve(ref)`,
    `answered("html").spine.runs.retrieve(ref)`,
    `answered("truncated").spine.runs.retrieve(ref)`,
    `answered("empty").spine.runs.retrieve(ref)`,
    `answered("odd").spine.runs.retrieve(ref)`,
    `answered("redirect").spine.runs.retrieve(ref)`,
    `answered("refused").spine.runs.retrieve(ref)`,
    `answered("reset").spine.runs.retrieve(ref)`,
    `answered("silence").spine.runs.waitForCompletion(ref, { timeout: "30 seconds" })`,
    `spine.runs.run({ prompt: "x" }, { timeout: "10 seconds" })`,
    `spine.runs.run({ prompt: "x" }, { schedule: Schedule.recurs(1) })`,
    `spine.runs.waitForCompletion(failing)`,
    `spine.runs.run({ prompt: "x" }, { onCreated: () => Effect.fail(new Error("the store is down")) })`,
    `Effect.flatMap(Effect.flatMap(spine.runs.create({ prompt: "x" }), spine.runs.share), (run) => Effect.andThen(Effect.forkChild(Effect.delay(run.stop, "1 second")), run.wait))`,
    `answered(404).spine.canvases.getDag(id)`,
    `answered(404).spine.artifacts.download(ref, artifact)`,
    `answered(500).spine.artifacts.download(ref, artifact)`,
    `answered("refused").spine.artifacts.download(ref, artifact)`,
    `answered("html").spine.artifacts.toFile(ref, { ...artifact, size_bytes: 5 }, { directory: "d" })`
  ],
  "Tela: faults of the provider": [
    `answered(400).canvas.execute({ topic: "the sea" })`,
    `answered(401).canvas.execute({ topic: "the sea" })`,
    `answered(402).canvas.execute({ topic: "the sea" })`,
    `answered(403).canvas.execute({ topic: "the sea" })`,
    `answered(404).canvas.execute({ topic: "the sea" })`,
    `answered(422).canvas.execute({ topic: "the sea" })`,
    `answered(429).canvas.execute({ topic: "the sea" })`,
    `answered(500).canvas.execute({ topic: "the sea" })`,
    `answered(500).canvas.execute({ topic: "the sea" }, { async: true })`,
    `answered("html").canvas.execute({ topic: "the sea" })`,
    `answered("truncated").canvas.execute({ topic: "the sea" }, { async: true })`,
    `answered("odd").canvas.execute({ topic: "the sea" })`,
    `answered("odd").canvas.execute({ topic: "the sea" }, { async: true })`,
    `answered("refused").canvas.execute({ topic: "the sea" })`,
    `answered("reset").canvas.execute({ topic: "the sea" }, { async: true })`,
    `answered("silence").canvas.execute({ topic: "the sea" })`,
    `answered("silence").canvas.execute({ topic: "the sea" }, { async: true })`,
    `answered(401).canvas.stream({ topic: "the sea" })`,
    `answered(500).canvas.stream({ topic: "the sea" })`,
    `answered("html").canvas.stream({ topic: "the sea" })`,
    `answered("empty").canvas.stream({ topic: "the sea" })`,
    `answered("truncated").canvas.stream({ topic: "the sea" })`,
    `answered("silence").canvas.stream({ topic: "the sea" })`,
    `answered(404).canvas.getExecution(id)`,
    `answered("odd").canvas.getExecution(id)`,
    `answered(404).tela.canvas.get({ id })`,
    `answered(500).tela.canvas.get({ id })`,
    `answered(404).tela.tasks.get(id)`,
    `answered(409).tela.tasks.approve(id)`,
    `answered(422).tela.tasks.create(id, [{ name: "a", variables: { subject: "x" } }])`,
    `answered("truncated").tela.tasks.create(id, [{ name: "a", variables: {} }])`,
    `answered("html").tela.tasks.list()`,
    `answered(404).tela.versions.latest(id)`,
    `answered(404).tela.environments.resolve(id, "staging")`,
    `answered(404).tela.vault.download("vault://" + id)`,
    `answered(401).tela.checkCredential`,
    `canvas.run({ topic: "the sea" }, { pollingTimeout: "10s" })`,
    `tela.canvas.make({ id: made.id, output: Schema.Finite }).run({ topic: "the sea" })`,
    `tela.canvas.make({ id: TelaEmulator.failingCanvasId }).run({})`,
    `tela.canvas.make({ id: TelaEmulator.failingCanvasId }).execute({})`,
    `tela.canvas.make({ id: TelaEmulator.unknownCanvasId }).execute({})`,
    `Effect.flatMap(canvas.execute({ topic: "the sea" }, { stream: true }), ({ result }) => Effect.andThen(Stream.runDrain(result), Stream.runDrain(result)))`
  ],
  "SpineGraph.fromCanvas": [
    `SpineGraph.fromCanvas()`,
    `SpineGraph.fromCanvas({})`,
    `SpineGraph.fromCanvas(spine.canvases.getDag(id))`
  ],
  "Picture.mermaid": [
    `Picture.mermaid()`,
    `Picture.mermaid({ nodes: [] })`,
    `Picture.mermaid({ nodes: [{ name: "Sources" }], edges: [] })`,
    `Picture.mermaid({ nodes: [], edges: [] }, { direction: "LR" })`,
    `Picture.mermaid({ nodes: [], edges: [] }, { now: new Date() })`,
    `Picture.mermaid({ nodes: [], edges: [] }, { history: [] })`,
    `Picture.mermaid({ nodes: [], edges: [] }, { titel: "Tides" })`
  ],
  "Picture.svg": [
    `Picture.svg(spine.canvases.getDag(id))`,
    `Picture.svg({ nodes: [], edges: [] }, { theme: "Dark" })`,
    `Picture.svg({ nodes: [], edges: [] }, { tasks: [] })`,
    `Picture.svg({ nodes: [], edges: [] }, { tasks: { completed: [null], not_completed: [] } })`,
    `Picture.svg({ nodes: [], edges: [] }, { title: 7 })`,
    `Picture.svg({ nodes: [], edges: [] }, "dark")`
  ],
  "Picture.rows": [
    `Picture.rows([])`,
    `Picture.rows({ nodes: [], edges: [] }, { columns: 0 })`,
    `Picture.rows({ nodes: [], edges: [] }, { rows: "all" })`,
    `Picture.rows({ nodes: [], edges: [] }, { color: true })`
  ],
  "History.observe": [
    `History.observe()`,
    `History.observe(undefined, { nodes: [], edges: [] })`,
    `History.observe({}, { nodes: [], edges: [] }, 0)`
  ],
  "Report.spine": [
    `Report.spine()`,
    `Report.spine(ref)`,
    `Report.spine({ status: "running", run_id: id })`,
    `Report.spine({ status: "failed", run_id: id, errors: [] }, { title: 7 })`,
    `Report.spine({ status: "failed", run_id: id, errors: [] }, { ref: "spine:run:42" })`,
    `Report.spine({ status: "failed", run_id: id, errors: [] }, { canvas: id })`,
    `Report.spine({ status: "failed", run_id: id, errors: [] }, { artifacts: [] })`,
    `Report.spine({ status: "failed", run_id: id, errors: [] }, { errors: "timeout" })`,
    `Report.spine({ status: "failed", run_id: id, errors: [] }, { files: ["report.docx"] })`
  ],
  "Report.tela": [
    `Report.tela()`,
    `Report.tela(telaRef)`,
    `Report.tela({ status: "succeeded" })`,
    `Report.tela({ id, status: "succeeded", providerStatus: "succeeded", output: 1n })`,
    `Report.tela({ id, status: "succeeded", providerStatus: "succeeded" }, { canvas: { nodes: [], edges: [] } })`
  ],
  "Progress.rows": [
    `Progress.rows()`,
    `Progress.rows({ name: "report", status: "running" }, { columns: 80, now: 0 })`,
    `Progress.rows([ref], { columns: 80, now: 0 })`,
    `Progress.rows([])`,
    `Progress.rows([], { columns: 0, now: 0 })`,
    `Progress.rows([], { columns: 80, now: new Date() })`,
    `Progress.rows([], { columns: 80, now: 0, width: 80 })`
  ],
  "Progress.line": [
    `Progress.line()`,
    `Progress.line("report")`,
    `Progress.line({ name: "report" })`
  ],
  "Progress.lines": [
    `Progress.lines()`,
    `Progress.lines({ name: "report", status: "running" })`,
    `Progress.lines([{ name: "report" }])`
  ],
  "Progress.bar": [
    `Progress.bar()`,
    `Progress.bar(0.5, 20)`,
    `Progress.bar({ completed: 3, total: 8 })`,
    `Progress.bar({ completed: 3, total: 8 }, 0)`
  ],
  "Progress.counts": [
    `Progress.counts()`,
    `Progress.counts("running")`,
    `Progress.counts([{ status: "running" }])`
  ],
  "Screen.runs": [
    `Effect.scoped(Screen.runs("report"))`,
    `Effect.scoped(Screen.runs({ names: "report" }))`,
    `Effect.scoped(Screen.runs({ interval: "often" }))`
  ],
  "Screen.make": [
    `Effect.scoped(Screen.make())`,
    `Effect.scoped(Screen.make({ initial: [], rows: [] }))`,
    `Effect.scoped(Screen.make({ initial: [], rows: (runs, frame) => Progress.rows(runs, frame) }))`,
    `Effect.scoped(Screen.make({ initial: [], rows: Progress.rows, lines: Progress.lines, interval: 0 }))`,
    `Effect.scoped(Screen.make({ initial: [], rows: Progress.rows, lines: Progress.lines, color: true }))`
  ],
  "SpineEmulator.make": [
    `SpineEmulator.make("fast")`,
    `SpineEmulator.make({ scripts: {} })`,
    `SpineEmulator.make({ apiKeys: "sk" })`,
    `SpineEmulator.make({ speed: 0 })`,
    `SpineEmulator.make({ rude: "all" })`
  ],
  "SpineEmulator.layer": [
    `SpineEmulator.layer(5)`,
    `SpineEmulator.layer({ speed: "fast" })`,
    `SpineEmulator.layer({ origins: [] })`
  ],
  "SpineEmulator.layerTest": [
    `SpineEmulator.layerTest({ script: "slow" })`,
    `SpineEmulator.layerTest({ script: { timeline: { duration: "1 minute" } } })`,
    `SpineEmulator.layerTest({ apiKey: "sk" })`
  ],
  "SpineEmulator.toWebHandler": [
    `SpineEmulator.toWebHandler("x")`,
    `SpineEmulator.toWebHandler({ apiKeys: [5] })`,
    `SpineEmulator.toWebHandler({ spede: 2 })`
  ],
  "TelaEmulator.make": [
    `TelaEmulator.make("fast")`,
    `TelaEmulator.make({ scripts: {} })`,
    `TelaEmulator.make({ apiKeys: "sk" })`,
    `TelaEmulator.make({ speed: 0 })`,
    `TelaEmulator.make({ rude: "all" })`
  ],
  "TelaEmulator.layer": [
    `TelaEmulator.layer(5)`,
    `TelaEmulator.layer({ speed: "fast" })`,
    `TelaEmulator.layer({ origins: [] })`
  ],
  "TelaEmulator.layerTest": [
    `TelaEmulator.layerTest({ script: "slow" })`,
    `TelaEmulator.layerTest({ script: { timeline: { duration: "1 minute" } } })`,
    `TelaEmulator.layerTest({ apiKey: "sk" })`
  ],
  "TelaEmulator.toWebHandler": [
    `TelaEmulator.toWebHandler("x")`,
    `TelaEmulator.toWebHandler({ apiKeys: [5] })`,
    `TelaEmulator.toWebHandler({ spede: 2 })`
  ],
  "SpineEmulatorServer.layer": [
    `SpineEmulatorServer.layer("4010")`,
    `SpineEmulatorServer.layer({ port: 70000 })`,
    `SpineEmulatorServer.layer({ port: "4010" })`,
    `SpineEmulatorServer.layer({ hots: "127.0.0.1" })`
  ],
  "TelaEmulatorServer.layer": [
    `TelaEmulatorServer.layer("4010")`,
    `TelaEmulatorServer.layer({ port: 70000 })`,
    `TelaEmulatorServer.layer({ port: "4010" })`,
    `TelaEmulatorServer.layer({ hots: "127.0.0.1" })`
  ],
  "CombinedEmulatorServer.layer": [
    `CombinedEmulatorServer.layer("4010")`,
    `CombinedEmulatorServer.layer({ port: 70000 })`,
    `CombinedEmulatorServer.layer({ port: "4010" })`,
    `CombinedEmulatorServer.layer({ hots: "127.0.0.1" })`
  ],
  "EmulatorServer.listen": [
    `EmulatorServer.listen()`,
    `EmulatorServer.listen({ httpApp: Effect.void }, { port: -1 })`,
    `EmulatorServer.listen({ httpApp: Effect.void }, "4010")`
  ],
  "Emulator.make": [
    `Emulator.make()`,
    `Emulator.make({ origins: [] })`,
    `Emulator.make({ origins: "https://x.example", requestIdHeader: "x-id", errorBody: () => ({}) }, () => Effect.void)`
  ],
  "Emulator.toHttpClient": [
    `Emulator.toHttpClient()`,
    `Emulator.toHttpClient(SpineEmulator.make())`,
    `Emulator.toHttpClient({})`
  ],
  "Emulator.toWebHandler": [
    `Emulator.toWebHandler()`,
    `Emulator.toWebHandler(SpineEmulator.make())`,
    `Emulator.toWebHandler({})`
  ],
  "Emulator.originOf": [
    `Emulator.originOf()`,
    `Emulator.originOf("https://x.example")`,
    `Emulator.originOf({})`
  ],
  "Fault.status": [
    `Fault.status()`,
    `Fault.status(99)`,
    `Fault.status("500")`,
    `Fault.status(500, { retryAfter: -1 })`
  ],
  "Fault.handleThenStatus": [
    `Fault.handleThenStatus()`,
    `Fault.handleThenStatus(1000)`,
    `Fault.handleThenStatus(NaN)`
  ],
  "Fault.html": [
    `Fault.html()`,
    `Fault.html("<html>", 0)`,
    `Fault.html("<html>", "200")`
  ],
  "Fault.empty": [
    `Fault.empty(0)`,
    `Fault.empty("204")`,
    `Fault.empty(null)`
  ],
  "Fault.truncate": [
    `Fault.truncate()`,
    `Fault.truncate(-1)`,
    `Fault.truncate(0.5)`
  ],
  "Fault.dropInside": [
    `Fault.dropInside()`,
    `Fault.dropInside(-1)`,
    `Fault.dropInside("10")`
  ],
  "Fault.delay": [
    `Fault.delay()`,
    `Fault.delay("long")`,
    `Fault.delay(-1)`
  ],
  "Fault.answerLate": [
    `Fault.answerLate()`,
    `Fault.answerLate(NaN)`,
    `Fault.answerLate({ second: 5 })`
  ],
  "Fault.after": [
    `Fault.after(Fault.drop, "long")`,
    `Fault.after(5, "1 second")`,
    `Fault.after({}, "1 second")`
  ],
  "Fault.times": [
    `Fault.times(Fault.drop, -1)`,
    `Fault.times(Fault.drop, "2")`,
    `Fault.times("drop", 2)`
  ],
  "Fault.skip": [
    `Fault.skip(Fault.drop, -1)`,
    `Fault.skip(Fault.drop, 0.5)`,
    `Fault.skip(undefined, 2)`
  ],
  "Fault.on": [
    `Fault.on(Fault.drop, 5, "/v1/run")`,
    `Fault.on(Fault.drop, "GTE", "/v1/run")`,
    `Fault.on(undefined, "GET", "/v1/run")`
  ],
  "Fault.matches": [
    `Fault.matches()`,
    `Fault.matches(Fault.drop)`,
    `Fault.matches("drop", { method: "GET", path: "/" })`
  ],
  "Rude.only": [
    `Rude.only("retryAfter")`,
    `Rude.only(5)`,
    `Rude.only(["all"])`
  ],
  "Rude.except": [
    `Rude.except("nothing")`,
    `Rude.except(null)`,
    `Rude.except({})`
  ],
  "Rude.sample": [
    `Rude.sample()`,
    `Rude.sample(0.5)`,
    `Rude.sample("seed")`
  ],
  "Timeline.make": [
    `Timeline.make("1 minute")`,
    `Timeline.make({ duration: "long" })`,
    `Timeline.make({ tasks: -1 })`,
    `Timeline.make({ outcome: "done" })`,
    `Timeline.make({ errors: "out of luck" })`,
    `Timeline.make({ durations: "1 minute" })`,
    `Timeline.make({ statuses: [{ from: "long", status: "queued" }] })`
  ],
  "Timeline.at": [
    `Timeline.at()`,
    `Timeline.at({}, 5)`,
    `Timeline.at(Timeline.make(), "5")`
  ],
  "OfficeFiles.docx": [
    `OfficeFiles.docx()`,
    `OfficeFiles.docx("title")`,
    `OfficeFiles.docx({ title: "x" })`
  ],
  "OfficeFiles.xlsx": [
    `OfficeFiles.xlsx()`,
    `OfficeFiles.xlsx(5)`,
    `OfficeFiles.xlsx({ title: "x", paragraphs: "y" })`
  ],
  "OfficeFiles.pptx": [
    `OfficeFiles.pptx()`,
    `OfficeFiles.pptx([])`,
    `OfficeFiles.pptx({ title: 5, paragraphs: [] })`
  ],
  "OfficeFiles.html": [
    `OfficeFiles.html()`,
    `OfficeFiles.html("title")`,
    `OfficeFiles.html({ title: "x", paragraphs: [5] })`
  ],
  "OfficeFiles.png": [
    `OfficeFiles.png()`,
    `OfficeFiles.png({ width: 1, height: 1 })`,
    `OfficeFiles.png({ size: 10, color: "red" })`
  ],
  "spineEmulator.fault": [
    `spineEmulator.fault("drop")`,
    `spineEmulator.fault({ status: 500 })`,
    `spineEmulator.fault([Fault.drop])`
  ],
  "spineEmulator.advance": [
    `spineEmulator.advance()`,
    `spineEmulator.advance("long")`,
    `spineEmulator.advance(-1)`
  ],
  "spineEmulator.script": [
    `spineEmulator.script()`,
    `spineEmulator.script("slow")`,
    `spineEmulator.script({ timeline: { duration: 0 } })`
  ],
  "spineEmulator.revokeKey": [
    `spineEmulator.revokeKey()`,
    `spineEmulator.revokeKey("sk", { after: "long" })`,
    `spineEmulator.revokeKey("sk", { in: "1 minute" })`
  ],
  "spineEmulator.scriptDeliveries": [
    `spineEmulator.scriptDeliveries()`,
    `spineEmulator.scriptDeliveries("lost")`,
    `spineEmulator.scriptDeliveries([])`
  ],
  "telaEmulator.fault": [
    `telaEmulator.fault("drop")`,
    `telaEmulator.fault({ status: 500 })`,
    `telaEmulator.fault([Fault.drop])`
  ],
  "telaEmulator.advance": [
    `telaEmulator.advance()`,
    `telaEmulator.advance("long")`,
    `telaEmulator.advance(-1)`
  ],
  "telaEmulator.script": [
    `telaEmulator.script()`,
    `telaEmulator.script("slow")`,
    `telaEmulator.script({ timeline: { duration: 0 } })`
  ],
  "telaEmulator.revokeKey": [
    `telaEmulator.revokeKey()`,
    `telaEmulator.revokeKey("sk", { after: "long" })`,
    `telaEmulator.revokeKey("sk", { in: "1 minute" })`
  ],
  "telaEmulator.scriptDeliveries": [
    `telaEmulator.scriptDeliveries()`,
    `telaEmulator.scriptDeliveries("lost")`,
    `telaEmulator.scriptDeliveries([])`
  ],
  "spineEmulator.webhooks": [
    `spineEmulator.webhooks("https://app.example/hook")`,
    `spineEmulator.webhooks({ url: "/hook", secret: "s" })`,
    `spineEmulator.webhooks({ url: "https://app.example/hook" })`
  ],
  "telaEmulator.canvas": [
    `telaEmulator.canvas("x")`,
    `telaEmulator.canvas({ name: "x" })`,
    `telaEmulator.canvas(canvas.execute({ topic: "the sea" }))`
  ],
  "telaEmulator.revokeApproval": [
    `telaEmulator.revokeApproval()`,
    `telaEmulator.revokeApproval(5)`,
    `telaEmulator.revokeApproval({ id })`
  ],
  "RunStore.layerSql": [
    `Layer.provide(RunStore.layerSql("runs"), database)`,
    `Layer.provide(RunStore.layerSql({ table: "my runs" }), database)`,
    `Layer.provide(RunStore.layerSql({ createTimeout: "soon" }), database)`,
    `Layer.provide(RunStore.layerSql({ createTimeout: 0 }), database)`,
    `Layer.provide(RunStore.layerSql({ creatTimeout: "1 minute" }), database)`
  ],
  "NodeSqlite.layer": [
    `NodeSqlite.layer()`,
    `NodeSqlite.layer("runs.db")`,
    `NodeSqlite.layer({})`,
    `NodeSqlite.layer({ filename: "" })`,
    `NodeSqlite.layer({ filename: "file:runs.db" })`,
    `NodeSqlite.layer({ filename: new URL("file:///runs.db") })`,
    `NodeSqlite.layer({ filename: ":memory:", busyTimeout: -1 })`,
    `NodeSqlite.layer({ fileName: "runs.db" })`
  ],
  "Batch.run": [
    `Batch.run()`,
    `Batch.run(["a"])`,
    `Batch.run("abc", { key: (input) => input, create: () => Effect.succeed({ ref }), wait: () => Effect.void })`,
    `Batch.run(["a"], { create: () => Effect.succeed({ ref }), wait: () => Effect.void })`,
    `Batch.run(["a"], { key: "a", create: () => Effect.succeed({ ref }), wait: () => Effect.void })`,
    `Batch.run(["a"], { key: (input) => input, create: Effect.succeed({ ref }), wait: () => Effect.void })`,
    `Batch.run(["a"], { key: (input) => input, create: () => Effect.succeed({ ref }), wait: Effect.void })`,
    `Batch.run(["a"], { key: (input) => input, create: () => Effect.succeed({ ref }), wait: () => Effect.void, concurrency: 0 })`,
    `Batch.run(["a"], { key: (input) => input, create: () => Effect.succeed({ ref }), wait: () => Effect.void, repeat: "yes" })`,
    `Batch.run(["a"], { key: (input) => input, create: () => Effect.succeed({ ref }), wait: () => Effect.void, deliver: Effect.void })`,
    `Batch.run(["a"], { key: (input) => input, create: () => Effect.succeed({ ref }), wait: () => Effect.void, concurency: 8 })`
  ],
  "Batch.progress": [
    `Batch.progress()`,
    `Batch.progress([])`,
    `Batch.progress(Batch.summary)`
  ],
  "SpineToolkit.layer": [
    `Layer.provide(SpineToolkit.layer(50), [Spine.layerTest({}), RunStore.layerMemory])`,
    `Layer.provide(SpineToolkit.layer({ estimate: -1 }), [Spine.layerTest({}), RunStore.layerMemory])`,
    `Layer.provide(SpineToolkit.layer({ estimat: 50 }), [Spine.layerTest({}), RunStore.layerMemory])`
  ],
  "TelaToolkit.layer": [
    `Layer.provide(TelaToolkit.layer("50"), RunStore.layerMemory)`,
    `Layer.provide(TelaToolkit.layer({ estimate: Infinity }), RunStore.layerMemory)`,
    `Layer.provide(TelaToolkit.layer({ budget: 50 }), RunStore.layerMemory)`
  ],
  "McpServer.spine": [
    `Effect.provide(McpServer.spine(50), [Spine.layerTest({}), RunStore.layerMemory])`,
    `Effect.provide(McpServer.spine({ estimate: "50" }), [Spine.layerTest({}), RunStore.layerMemory])`,
    `Effect.provide(McpServer.spine({ estimates: 50 }), [Spine.layerTest({}), RunStore.layerMemory])`
  ],
  "McpServer.tela": [
    `Effect.provide(McpServer.tela(50), RunStore.layerMemory)`,
    `Effect.provide(McpServer.tela({ estimate: NaN }), RunStore.layerMemory)`,
    `Effect.provide(McpServer.tela({ limit: 50 }), RunStore.layerMemory)`
  ],
  "McpServer.layerStdio": [
    `Layer.provide(McpServer.layerStdio(), [RunStore.layerMemory, Stdio.layerTest({})])`,
    `Layer.provide(McpServer.layerStdio({ serve: [] }), [RunStore.layerMemory, Stdio.layerTest({})])`,
    `Layer.provide(McpServer.layerStdio({ serve: ["tela"] }), [RunStore.layerMemory, Stdio.layerTest({})])`,
    `Layer.provide(McpServer.layerStdio({ serve: [McpServer.tela()], name: " " }), [RunStore.layerMemory, Stdio.layerTest({})])`,
    `Layer.provide(McpServer.layerStdio({ serve: [McpServer.tela()], port: 1 }), [RunStore.layerMemory, Stdio.layerTest({})])`
  ],
  "McpServer.layerHttp": [
    `Layer.provide(McpServer.layerHttp(), RunStore.layerMemory)`,
    `Layer.provide(McpServer.layerHttp({ serve: McpServer.tela() }), RunStore.layerMemory)`,
    `Layer.provide(McpServer.layerHttp({ serve: [McpServer.tela()], path: "mcp" }), RunStore.layerMemory)`,
    `Layer.provide(McpServer.layerHttp({ serve: [McpServer.tela()], token: Redacted.make(" ") }), RunStore.layerMemory)`,
    `Layer.provide(McpServer.layerHttp({ serve: [McpServer.tela()], allowedHosts: "localhost" }), RunStore.layerMemory)`,
    `Layer.provide(McpServer.layerHttp({ serve: [McpServer.tela()], port: 4020 }), RunStore.layerMemory)`
  ],
  "Budget.layerMemory": [
    `Budget.layerMemory()`,
    `Budget.layerMemory(500)`,
    `Budget.layerMemory({})`,
    `Budget.layerMemory({ limit: -1 })`,
    `Budget.layerMemory({ limit: "500" })`,
    `Budget.layerMemory({ limit: 500, window: "day" })`,
    `Budget.layerMemory({ limit: 500, createTimeout: 0 })`,
    `Budget.layerMemory({ limit: 500, windw: "1 day" })`
  ],
  "Budget.layerSql": [
    `Layer.provide(Budget.layerSql(), database)`,
    `Layer.provide(Budget.layerSql({ limit: NaN }), database)`,
    `Layer.provide(Budget.layerSql({ limit: 500, table: "a-b" }), database)`
  ],
  "budget.create": [
    `budget.create()`,
    `budget.create(Effect.succeed({ ref }))`,
    `budget.create(() => spine.runs.create({ prompt: "x" }), { estimate: 5 })`,
    `budget.create(Effect.succeed({ ref }), 5)`,
    `budget.create(Effect.succeed({ ref }), { estimate: -5 })`,
    `budget.create(Effect.succeed({ ref }), { estimate: 5, account: " " })`,
    `budget.create(Effect.succeed({ ref }), { estimate: 5, acount: "a" })`,
    `budget.create(Effect.succeed({ ref }), { estimate: 51 })`
  ],
  "budget.track": [
    `budget.track()`,
    `budget.track(id, Effect.void)`,
    `budget.track(ref, () => spine.runs.waitForCompletion(ref))`,
    `budget.track(ref, Effect.void, 5)`
  ],
  "budget.settle": [
    `budget.settle()`,
    `budget.settle(id, 5)`,
    `budget.settle(ref, -5)`,
    `budget.settle(ref, "5")`
  ],
  "budget.status": [
    `budget.status(5)`,
    `budget.status("")`,
    `budget.status(ref)`
  ],
  "DurableRun.create": [
    `inWorkflow(DurableRun.create())`,
    `inWorkflow(DurableRun.create(spine.runs.create({ prompt: "x" })))`,
    `inWorkflow(DurableRun.create("report", ref))`,
    `inWorkflow(DurableRun.create("report", spine.runs.create({ prompt: "x" }), { onUnkown: "retry" }))`,
    `inWorkflow(DurableRun.create("report", spine.runs.create({ prompt: "x" }), { onUnknown: "again" }))`,
    `inWorkflow(DurableRun.create("report", spine.runs.create({ prompt: "x" }), { lookup: [ref] }))`,
    `inWorkflow(DurableRun.create("report", spine.runs.create({ prompt: "x" }), { settlingTime: "soon" }))`,
    `inWorkflow(DurableRun.create("report", spine.runs.create({ prompt: "" })))`
  ],
  "DurableRun.wait": [
    `inWorkflow(DurableRun.wait())`,
    `inWorkflow(DurableRun.wait("report", id, { provider: SpineWorkflow.provider }))`,
    `inWorkflow(DurableRun.wait("report", ref))`,
    `inWorkflow(DurableRun.wait("report", ref, { provider: "spine" }))`,
    `inWorkflow(DurableRun.wait("report", ref, { provider: SpineWorkflow.provider, timeout: "long" }))`,
    `inWorkflow(DurableRun.wait("report", ref, { provider: SpineWorkflow.provider, timout: "1 hour" }))`,
    `inWorkflow(DurableRun.wait("report", telaRef, { provider: SpineWorkflow.provider }))`,
    `inWorkflow(DurableRun.wait("report", telaRef, { provider: { ...SpineWorkflow.provider, name: "tela" } }))`
  ],
  "DurableRun.run": [
    `inWorkflow(DurableRun.run())`,
    `inWorkflow(DurableRun.run("report", spine.runs.create({ prompt: "x" })))`,
    `inWorkflow(DurableRun.run("report", spine.runs.create({ prompt: "x" }), { provider: SpineWorkflow.provider, timeout: -1 }))`,
    `inWorkflow(DurableRun.run("report", spine.runs.create({ prompt: "x" }), { provider: SpineWorkflow.provider, timout: "1 hour" }))`,
    `inWorkflow(DurableRun.run("", spine.runs.create({ prompt: "x" }), { provider: SpineWorkflow.provider }))`,
    `inWorkflow(DurableRun.run("a\\u0000b", spine.runs.create({ prompt: "x" }), { provider: SpineWorkflow.provider }))`
  ],
  "Waits.layerMemory": [
    `Layer.provide(Waits.layerMemory(), [WorkflowEngine.layerMemory])`,
    `Layer.provide(Waits.layerMemory({ providers: "spine" }), [WorkflowEngine.layerMemory])`,
    `Layer.provide(Waits.layerMemory({ providers: [SpineWorkflow.Run] }), [WorkflowEngine.layerMemory])`,
    `Layer.provide(Waits.layerMemory({ providers: [SpineWorkflow.provider, { ...SpineWorkflow.provider }] }), [WorkflowEngine.layerMemory, Layer.succeed(Spine.SpineClient, spine)])`,
    `Layer.provide(Waits.layerMemory({ providers: [], timeout: "1 hour" }), [WorkflowEngine.layerMemory])`,
    `Layer.provide(Waits.layerMemory({ providers: [], pollInterval: 0 }), [WorkflowEngine.layerMemory])`,
    `Layer.provide(Waits.layerMemory({ providers: [], concurrency: 0 }), [WorkflowEngine.layerMemory])`,
    `Layer.provide(Waits.layerMemory({ providers: [], pollIntervall: "1 minute" }), [WorkflowEngine.layerMemory])`
  ],
  "waits.wake": [
    `waits.wake()`,
    `waits.wake("spine")`,
    `waits.wake("spine", ref)`
  ],
  "waits.purge": [
    `waits.purge()`,
    `waits.purge("old")`,
    `waits.purge(-1)`,
    `waits.purge({ olderThan: "30 days" })`
  ],
  "Waits.layerSql": [
    `Layer.provide(Waits.layerSql(), [WorkflowEngine.layerMemory, database])`,
    `Layer.provide(Waits.layerSql({ providers: [], table: "a b" }), [WorkflowEngine.layerMemory, database])`,
    `Layer.provide(Waits.layerSql({ providers: [], partitions: 0 }), [WorkflowEngine.layerMemory, database])`,
    `Layer.provide(Waits.layerSql({ providers: [], partition: 1 }), [WorkflowEngine.layerMemory, database])`,
    `Layer.provide(Waits.layerSql({ providers: [], refreshInterval: "often" }), [WorkflowEngine.layerMemory, database])`
  ],
  "spine.runs.source": [
    `spine.runs.source()`,
    `spine.runs.source("a b")`,
    `spine.runs.source(telaRef)`
  ],
  "tela.source": [
    `tela.source()`,
    `tela.source("a b")`,
    `tela.source(ref)`
  ],
  "Tela.findByTag": [
    `Tela.findByTag()`,
    `Tela.findByTag("")`,
    `Tela.findByTag(["a"])`
  ],
  "NodeHttp.layer": [
    `NodeHttp.layer("fast")`,
    `NodeHttp.layer({ conections: 5 })`,
    `NodeHttp.layer({ connections: 0 })`,
    `NodeHttp.layer({ bodyTimeout: "long" })`,
    `NodeHttp.layer({ proxy: 5 })`,
    `NodeHttp.layer({ connect: { caa: "x" } })`
  ]
}

/** Functions that take any input, with the reason. */
export const withoutWrongCalls: Readonly<Record<string, string>> = {
  "SpineToolkit.toolkit": "is a toolkit of Effect",
  "TelaToolkit.toolkit": "is a toolkit of Effect",
  "SpineWorkflow.Run": "is a workflow, whose payload Effect's Schema checks",
  "TelaWorkflow.Run": "is a workflow, whose payload Effect's Schema checks",
  "waits.begin": "is internal: `DurableRun.wait` calls it",
  "waits.interrupt": "is internal: `DurableRun.wait` calls it",
  "Tela.isTelaFile": "returns whether any value is a file",
  "Spine.decodeAnswer": "decodes any body of a response, with the error of Effect's Schema",
  "Tela.decodePage": "decodes any body of a response, with the error of Effect's Schema",
  "Spine.isTerminal": "returns whether any run has ended",
  "RunRef.format": "describes any value, for logs and messages that must not fail",
  "RunError.badRequest": "makes an error from any fields, because making an error must not fail",
  "Spine.describeError": "reads any body of a response",
  "Tela.describeError": "reads any body of a response"
}
