/**
 * Spine runs: create, retrieve, wait, watch.
 *
 * @see https://docs.getspine.ai/sdks/typescript/runs
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as FileInput from "../FileInput.ts"
import * as Binary from "../internal/binary.ts"
import * as Create from "../internal/create.ts"
import { quote } from "../internal/describe.ts"
import * as FetchPlatform from "../internal/fetchPlatform.ts"
import * as FileLimits from "../internal/fileLimits.ts"
import type * as Http from "../internal/http.ts"
import { checkId } from "../internal/id.ts"
import * as Multipart from "../internal/multipart.ts"
import * as Options from "../internal/options.ts"
import { whileWebhooksAreExpected } from "../internal/pace.ts"
import * as Telemetry from "../internal/telemetry.ts"
import * as Transfer from "../internal/transfer.ts"
import * as Polling from "../Polling.ts"
import * as KernelRun from "../Run.ts"
import type * as RunSource from "../RunSource.ts"
import {
  type BadRequestError,
  type CreateError,
  CreateOutcomeUnknownError,
  FileInputError,
  type OnCreatedErrorOf,
  refused,
  type RequestError,
  type RunTimeoutError,
  type WaitError,
  type WatchError
} from "../RunError.ts"
import * as RunRef from "../internal/ref.ts"
import type * as Webhooks from "../Webhooks.ts"
import * as Wire from "./SpineSchema.ts"

/**
 * What a run is asked for.
 *
 * @see https://docs.getspine.ai/api-reference/endpoints/create-run
 * @category models
 * @since 0.1.0
 */
export interface CreateRunParams {
  /** The instruction. */
  readonly prompt: string
  /**
   * What kind of result to make. Ignored by the provider when `blocks` is given.
   *
   * @default "auto"
   */
  readonly template?: Wire.Template | undefined
  /** The types of block the agents may create; at least one, or the call is refused. Wins over `template`. */
  readonly blocks?: ReadonlyArray<Wire.BlockType> | undefined
  /** Guidance for all agents: tone, audience, citations. */
  readonly agent_instructions?: string | undefined
  /** Passed on as it is. The provider reserves this field and does not honour it yet: use webhooks of its portal. */
  readonly webhook_url?: string | undefined
  /** Files for the agents to work with. */
  readonly files?: ReadonlyArray<FileInput.FileInput> | undefined
}

/**
 * A run that the provider accepted.
 *
 * @category models
 * @since 0.1.0
 */
export interface CreatedRun extends Wire.CreateRunResponse {
  /** Plain data that names the run. Store it, and any process can go on from here. */
  readonly ref: RunRef.RunRef
}

/**
 * Any way to name a run: its id, its ref, or what `create` or `retrieve` returned.
 *
 * @category models
 * @since 0.1.0
 */
export type RunTarget = string | RunRef.RunRef | { readonly run_id: string; readonly ref?: RunRef.RunRef }

/**
 * How to wait for a Spine run: every 5 seconds for 15 minutes, as the provider's SDK does, unless told otherwise.
 *
 * **Gotchas**
 *
 * Runs take 10 to 20 minutes on average and up to two hours, so give a longer `timeout` for real work.
 *
 * @category models
 * @since 0.1.0
 */
export type WaitOptions<E = never, R = never> = Polling.Options<Wire.Run, E, R>

/**
 * The polls that {@link Runs.waitForCompletion} makes by default.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultWait: { readonly pollInterval: Duration.Input; readonly timeout: Duration.Input } = {
  pollInterval: "5 seconds",
  timeout: "15 minutes"
}

/**
 * The endpoints about runs, and what is built on them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Runs {
  /**
   * Starts a run. The request is not repeated unless it surely did not reach the provider, because each one that does
   * may start, and bill, a run of its own.
   *
   * **Gotchas**
   *
   * An interruption while the answer is under way may leave a run that nobody knows of. `Effect.uninterruptible` waits for
   * the answer instead, at most `requestTimeout`.
   *
   * @see https://docs.getspine.ai/api-reference/endpoints/create-run
   */
  readonly create: (params: CreateRunParams) => Effect.Effect<CreatedRun, CreateError>
  /**
   * Asks once how a run is.
   *
   * @see https://docs.getspine.ai/api-reference/endpoints/get-run
   */
  readonly retrieve: (run: RunTarget) => Effect.Effect<Wire.Run, RequestError>
  /**
   * Waits until the run has ended. A `partial` run is a result; a `failed` one is a `RunFailedError`, or with
   * `resolveOnFailure` a result too.
   *
   * @see https://docs.getspine.ai/sdks/typescript/runs
   */
  readonly waitForCompletion: {
    /**
     * Waits until the run has ended, and returns a failed run as a result: with `resolveOnFailure: true` there is no
     * `RunFailedError`.
     */
    <E = never, R = never>(
      run: RunTarget,
      options: WaitOptions<E, R> & { readonly resolveOnFailure: true }
    ): Effect.Effect<Wire.TerminalRun, WatchError | E, R>
    /**
     * Waits until the run has ended: by default every 5 seconds for at most 15 minutes. A `partial` run is a result; a `failed`
     * run is a `RunFailedError`.
     */
    <E = never, R = never>(
      run: RunTarget,
      options?: WaitOptions<E, R> & { readonly resolveOnFailure?: false | undefined }
    ): Effect.Effect<Wire.CompletedRun | Wire.PartialRun, WaitError | E, R>
    /** Waits until the run has ended, where `resolveOnFailure` is known only at run time. */
    <E = never, R = never>(
      run: RunTarget,
      options: WaitOptions<E, R> & { readonly resolveOnFailure?: boolean | undefined }
    ): Effect.Effect<Wire.TerminalRun, WaitError | E, R>
    // Last, so that `Effect.flatMap(created, runs.waitForCompletion)` is understood
    /** Waits until the run has ended: every 5 seconds for at most 15 minutes. A `failed` run is a `RunFailedError`. */
    (run: RunTarget): Effect.Effect<Wire.CompletedRun | Wire.PartialRun, WaitError>
  }
  /**
   * The snapshots of a run that differ, as they come, ending with the terminal one; a failed run is the last of them.
   *
   * **Gotchas**
   *
   * The arrival of the `canvas_id` is a difference too: map to what you show, then `Stream.changes`.
   */
  readonly watch: <E = never, R = never>(
    run: RunTarget,
    options?: WaitOptions<E, R>
  ) => Stream.Stream<Wire.Run, WatchError | E, R>
  /** Every poll of a run, changed or not, with the failures that the wait survived. */
  readonly polls: <E = never, R = never>(
    run: RunTarget,
    options?: WaitOptions<E, R>
  ) => Stream.Stream<RunSource.Poll<Wire.Run>, WatchError | E, R>
  /**
   * Waits for many runs, and tells of each as it ends, with its result or what went wrong with it. It costs a fifth of the
   * memory of a `waitForCompletion` for each, and the stream goes on when one of them fails.
   *
   * **Details**
   *
   * `runs` may be a stream, so that runs are waited for as they are created. Each has the whole `timeout`, counted from its
   * first poll. At most `concurrency` polls are under way at once (128 by default); when more are due, they take turns.
   *
   * **Example** (Two runs, told of as they end)
   *
   * ```ts
   * import { Console, Effect, Result, Stream } from "effect"
   * import { Spine } from "canvas-runs"
   *
   * const main = Effect.gen(function*() {
   *   const { runs } = yield* Spine.SpineClient
   *   const created = Stream.make("Solid-state batteries", "Sodium-ion batteries").pipe(
   *     Stream.mapEffect((prompt) => runs.create({ prompt }))
   *   )
   *   yield* Stream.runForEach(runs.completions(created), ({ result, target }) =>
   *     Console.log(target.run_id, Result.isSuccess(result) ? result.success.status : result.failure.message)
   *   )
   * })
   * ```
   */
  readonly completions: <Target extends RunTarget, E = never, R = never, InputError = never, InputServices = never>(
    runs: Iterable<Target> & object | Stream.Stream<Target, InputError, InputServices>,
    options?: WaitOptions<E, R> & { readonly concurrency?: number | undefined }
  ) => Stream.Stream<
    RunSource.Completion<Target, Wire.CompletedRun | Wire.PartialRun, WaitError | E>,
    InputError | BadRequestError,
    R | InputServices
  >
  /** A handle whose waiters share one poll loop. */
  readonly share: <E = never, R = never>(
    run: RunTarget,
    options?: WaitOptions<E, R>
  ) => Effect.Effect<SharedRun<E>, BadRequestError, R>
  /**
   * Creates a run and waits for it. Every failure after the creation carries the run's `ref`.
   *
   * **Details**
   *
   * `onCreated` runs between the creation and the first poll, to store the ref. With it, an interruption waits until the
   * creation has its answer and `onCreated` has run, so that no run is lost to it; without it, nobody would learn of the
   * run, and an interruption takes effect at once. If `onCreated` fails, the failure is an `OnCreatedError` with the ref and
   * the cause; if it dies, the ref is logged and the span of the caller carries it.
   */
  readonly run: <E = never, R = never, E2 = never, R2 = never>(
    params: CreateRunParams,
    options?: WaitOptions<E, R> & {
      readonly onCreated?: ((created: CreatedRun) => Effect.Effect<unknown, E2, R2>) | undefined
    }
  ) => Effect.Effect<Wire.CompletedRun | Wire.PartialRun, CreateError | WaitError | OnCreatedErrorOf<E2> | E, R | R2>
}

/**
 * A handle on a Spine run whose waiters share one poll loop.
 *
 * @category models
 * @since 0.1.0
 */
export interface SharedRun<E = never> extends KernelRun.SharedRun<Source, RequestError | RunTimeoutError | E> {}

/**
 * The name of this provider in a `RunRef`.
 *
 * @category constants
 * @since 0.1.0
 */
export const provider = "spine"

/**
 * Whether a snapshot is the last one of its run: `completed`, `partial` or `failed`.
 *
 * **Example** (Stopping at the end of a run)
 *
 * ```ts
 * import { Spine } from "canvas-runs"
 *
 * const run: Spine.Run = {
 *   status: "running",
 *   run_id: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11",
 *   progress: { tasks_completed: 1, tasks_total: 4, elapsed_ms: 61_000 }
 * }
 *
 * console.log(Spine.isTerminal(run)) // => false
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isTerminal = (run: Wire.Run): run is Wire.TerminalRun =>
  run.status === "completed" || run.status === "partial" || run.status === "failed"

/**
 * Makes {@link Runs} on an API.
 *
 * @internal
 */
export const make = (
  api: Http.Api,
  options: {
    readonly retryCreates: boolean
    readonly skipFileValidation: boolean
    readonly webhooks: Webhooks.Service | undefined
  }
): Runs => {
  const { webhooks } = options
  const defaults = webhooks === undefined ? defaultWait : { ...defaultWait, pollInterval: whileWebhooksAreExpected }

  // All but the ref is the same for every run, and a request is made anew for each poll, and so is the ref of a run of which
  // only the id is known: a run that is waited for holds none of them
  const kind: Source & { readonly id: string } = {
    id: "",
    get ref() {
      return refOfId(this.id)
    },
    get pushed() {
      return webhooks === undefined ? undefined : (after: number) => webhooks.ended(provider, this.ref.id, after)
    },
    // Spine signs its webhooks
    isPushProof: true,
    get retrieve() {
      return retrieve(this.ref, true)
    },
    classify,
    status: statusOf,
    unchanged,
    longest: api.longest
  }
  const source = (ref: RunRef.RunRef): Source => ({ __proto__: kind, ref } as unknown as Source)

  const sourceOf = (operation: string, run: RunTarget): Effect.Effect<Source, BadRequestError> =>
    typeof run === "string"
      ? Effect.map(checkId(operation, "run_id", run), (id) => ({ __proto__: kind, id } as unknown as Source))
      : Effect.map(refOf(operation, run), source)

  const retrieve = (ref: RunRef.RunRef, isPoll: boolean) =>
    api.call({
      operation: "runs.retrieve",
      request: HttpClientRequest.get(`/v1/run/${ref.id}`),
      decode: (body) =>
        Effect.flatMap(decodeRun(body), (run) =>
          run.run_id.toLowerCase() === ref.id.toLowerCase()
            ? Effect.succeed(run)
            // Promise 9: a response about another run, as of a cache, says nothing of this one
            : Effect.as(decodeRunOf(ref.id)(body), run)),
      ref,
      isPoll
    })

  const prepare = <E, R>(operation: string, run: RunTarget, wait: WaitOptions<E, R> | undefined) =>
    Effect.all([sourceOf(operation, run), Polling.makePolicy(operation, wait, defaults)])

  const create: Runs["create"] = (params) =>
    Effect.flatMap(checkParams(params, options.skipFileValidation), (parts) => send(api, parts, options.retryCreates))
      .pipe(
        Create.operation,
        Effect.tap((created) => Effect.annotateCurrentSpan("run.id", created.run_id)),
        Telemetry.span("SpineRuns.create", { "run.provider": provider })
      )

  const waitForCompletion = <E, R>(
    run: RunTarget,
    wait?: WaitOptions<E, R> & { readonly resolveOnFailure?: boolean | undefined }
  ): Effect.Effect<Wire.TerminalRun, WaitError | E, R> =>
    // Suspended, because what is built here would be held while the run is waited for
    Effect.suspend(() =>
      Effect.flatMap(
        Effect.flatMap(
          Polling.readOptions("runs.waitForCompletion", wait, ["resolveOnFailure"]),
          ({ resolveOnFailure, ...wait }) =>
            Effect.map(
              prepare<E, R>("runs.waitForCompletion", run, wait as WaitOptions<E, R>),
              (prepared) => ({ prepared, isSettled: resolveOnFailure === true })
            )
        ),
        ({ isSettled, prepared: [source, policy] }): Effect.Effect<Wire.TerminalRun, WaitError | E, R> =>
          isSettled ? KernelRun.settle(source, policy) : KernelRun.wait(source, policy)
      )
    )

  return {
    create,
    retrieve: (run) =>
      Effect.flatMap(refOf("runs.retrieve", run), (ref) =>
        Effect.map(retrieve(ref, false), ({ value }) => value).pipe(
          Telemetry.span("SpineRuns.retrieve", Telemetry.attributes(ref))
        )),
    waitForCompletion: waitForCompletion as Runs["waitForCompletion"],
    watch: (run, wait) =>
      Stream.unwrap(
        Effect.map(prepare("runs.watch", run, wait), ([source, policy]) => KernelRun.watch(source, policy))
      ),
    polls: (run, wait) =>
      Stream.unwrap(
        Effect.map(prepare("runs.polls", run, wait), ([source, policy]) => KernelRun.polls(source, policy))
      ),
    completions: (runs, wait) =>
      Stream.unwrap(
        Effect.gen(function*() {
          const operation = "runs.completions"
          const { concurrency, ...rest } = yield* Polling.readOptions(operation, wait, ["concurrency"])
          const policy = yield* Polling.makePolicy(operation, rest as NonNullable<typeof wait>, defaults)
          yield* Polling.concurrency(operation, concurrency)
          const targets = yield* Options.reading(operation, "runs", () =>
            Stream.isStream(runs) || Predicate.isIterable(runs) && typeof runs !== "string"
              ? Effect.succeed(runs)
              : Effect.fail(refused({
                operation,
                parameter: "runs",
                message: `runs is ${quote(runs)}; it must be an array, another iterable, or a Stream of runs.`
              })))
          return KernelRun.completions(
            Stream.isStream(targets) ? targets : Stream.fromIterable(targets),
            (run) =>
              sourceOf(operation, run),
            policy,
            { concurrency }
          )
        })
      ),
    share: (run, wait) =>
      Effect.flatMap(prepare("runs.share", run, wait), ([source, policy]) => KernelRun.share(source, policy)),
    run: (params, wait) =>
      // The options are checked first: a mistake in them must not cost a run
      Effect.flatMap(
        Create.operation(Effect.gen(function*() {
          const { onCreated, ...rest } = yield* Polling.readOptions("runs.run", wait, ["onCreated"])
          const policy = yield* Polling.makePolicy("runs.run", rest as NonNullable<typeof wait>, defaults)
          yield* Options.checkOnCreated("runs.run", onCreated)
          return { created: Create.thenOnCreated(create(params), onCreated), policy }
        })),
        ({ created, policy }) => Effect.flatMap(created, ({ ref }) => KernelRun.wait(source(ref), policy))
      )
  }
}

interface Source extends RunSource.RunSource<Wire.Run, Wire.CompletedRun | Wire.PartialRun, Wire.FailedRun> {}

const decodeAnyRun = Wire.decodeAnswer(Wire.Run)

/** Reads the reason of a failure also where it is one text, `error`, and not the list `errors`. */
const decodeRun = (body: unknown): Effect.Effect<Wire.Run, Schema.SchemaError> =>
  Effect.map(
    decodeAnyRun(body),
    (run) =>
      run.status === "failed" && run.errors.length === 0 && Predicate.hasProperty(run.raw, "error") &&
        Predicate.isString(run.raw.error)
        ? { ...run, errors: [{ error: run.raw.error }] }
        : run
  )

const decodeRunOf = (id: string) => Wire.decodeAnswer(Schema.Struct({ run_id: Schema.Literal(id) }))
const decodeCreated = Wire.decodeAnswer(Wire.CreateRunResponse)

const classify: Source["classify"] = (run) => {
  switch (run.status) {
    case "completed":
    case "partial":
      return { _tag: "Succeeded", run }
    case "failed":
      return { _tag: "Failed", run, errors: run.errors.map(({ error }) => error) }
    case "running":
      return {
        _tag: "Pending",
        progress: { completed: run.progress.tasks_completed, total: run.progress.tasks_total }
      }
    case "unknown":
      return { _tag: "Pending" }
  }
}

const statusOf: Source["status"] = (run) => run.status === "unknown" ? run.provider_status : run.status

/** The time a run has taken changes with every poll, and tells nothing new; `raw` has it, too. */
const unchanged = (previous: Wire.Run, next: Wire.Run): boolean =>
  Equal.equals(withoutClock(previous), withoutClock(next))

const withoutClock = (run: Wire.Run): object => {
  // A run whose status is not known keeps its progress as it came
  const progress: unknown = "progress" in run ? run.progress : undefined
  return Predicate.isObject(progress)
    ? { ...run, raw: undefined, progress: { ...progress, elapsed_ms: 0 } }
    : { ...run, raw: undefined }
}

const refOfId = (id: string): RunRef.RunRef => ({ version: 1, provider, kind: "run", id })

/**
 * Finds the ref that a target names.
 *
 * @internal
 */
export const refOf = (operation: string, run: RunTarget): Effect.Effect<RunRef.RunRef, BadRequestError> =>
  Options.reading(operation, "run", () => refIn(operation, run))

const refIn = (operation: string, run: RunTarget): Effect.Effect<RunRef.RunRef, BadRequestError> => {
  if (Predicate.hasProperty(run, "provider")) {
    const ref = RunRef.read(run)
    return ref?.provider === provider && ref.kind === "run"
      ? Effect.as(checkId(operation, "ref.id", ref.id), ref)
      : Effect.fail(refused({
        operation,
        parameter: "run",
        message: `this is ${RunRef.describe(run)}, not a ref of a spine run in version 1.`
      }))
  }
  if (Predicate.hasProperty(run, "ref") && Predicate.isNotNullish(run.ref)) {
    const named = Predicate.hasProperty(run, "run_id") ? run.run_id : undefined
    return Effect.flatMap(
      refIn(operation, run.ref as RunRef.RunRef),
      (ref) =>
        Predicate.isNullish(named) || String(named).toLowerCase() === ref.id.toLowerCase()
          ? Effect.succeed(ref)
          : Effect.fail(refused({
            operation,
            parameter: "run",
            message: `this names two runs: its run_id is ${quote(named)}, and its ref is ${
              RunRef.format(ref)
            }. Give one of the two.`
          }))
    )
  }
  const id = Predicate.hasProperty(run, "run_id") ? run.run_id : run
  return Effect.map(checkId(operation, "run_id", id), refOfId)
}

const paramNames: ReadonlyArray<keyof CreateRunParams> = [
  "prompt",
  "template",
  "blocks",
  "agent_instructions",
  "webhook_url",
  "files"
]

/**
 * The formats of the provider's page about uploads, and `.pptx` and `.bin`, which the page of its Python SDK uploads. Sizes
 * depend on the plan and are not published.
 *
 * @see https://docs.getspine.ai/api-reference/concepts/file-uploads
 */
const limits: FileLimits.FileLimits = {
  provider: "Spine",
  types:
    /^(?:image\/(?:png|jpeg|gif|webp|svg\+xml)|application\/(?:pdf|json|zip|(?:x-)?yaml|vnd\.openxmlformats-officedocument\..*)|text\/(?:csv|plain|markdown|(?:x-)?yaml))$/,
  extensions: new Set(
    "png jpg jpeg gif webp svg pdf docx xlsx pptx csv txt md yaml yml json zip bin".split(" ")
  ),
  formats: "images (PNG, JPEG, GIF, WEBP, SVG), PDF, DOCX, XLSX, PPTX, CSV, TXT, MD, YAML, JSON and ZIP",
  maxBytes: Infinity
}

const checkParams = (
  given: CreateRunParams,
  skipFileValidation: boolean
): Effect.Effect<ReadonlyArray<Multipart.Part>, BadRequestError | FileInputError> =>
  Effect.gen(function*() {
    const operation = "runs.create"
    const params = yield* Options.copyRequired(operation, "params", given, paramNames)
    const parts: Array<Multipart.Part> = []
    const text = (parameter: string, value: unknown, isRequired = false) => {
      if (value === undefined && !isRequired) return Effect.void
      if (typeof value !== "string" || isRequired && value.trim() === "") {
        return refused({
          operation,
          parameter,
          message: `${parameter} is ${quote(value)}; it must be text${isRequired ? " that is not blank" : ""}.`
        })
      }
      parts.push({ name: parameter, value })
      return Effect.void
    }
    yield* text("prompt", params.prompt, true)
    if (params.template !== undefined && !Wire.Template.literals.includes(params.template)) {
      return yield* refused({
        operation,
        parameter: "template",
        message: `${quote(params.template)} is not a template. There are: ${Wire.Template.literals.join(", ")}.`
      })
    }
    yield* text("template", params.template)
    if (params.blocks !== undefined) {
      const wrong = (message: string) => refused({ operation, parameter: "blocks", message })
      if (!Array.isArray(params.blocks)) {
        return yield* wrong(
          `blocks is ${quote(params.blocks)}; it must be an array of block types, such as ["${
            Wire.BlockType.literals[0]
          }"].`
        )
      }
      const blocks: ReadonlyArray<Wire.BlockType> = Array.from(params.blocks)
      if (blocks.length === 0) return yield* wrong("blocks is empty. Leave it out, or name one block type.")
      const unknown = blocks.findIndex((block) => !Wire.BlockType.literals.includes(block))
      if (unknown !== -1) {
        return yield* wrong(
          `blocks[${unknown}] is ${quote(blocks[unknown])}, which is not a block type. There are: ${
            Wire.BlockType.literals.join(", ")
          }.`
        )
      }
      parts.push({ name: "blocks", value: JSON.stringify(blocks) })
    }
    yield* text("agent_instructions", params.agent_instructions)
    yield* Options.checkUrl(operation, "webhook_url", params.webhook_url)
    yield* text("webhook_url", params.webhook_url)
    const files: unknown = params.files ?? []
    if (!Predicate.isIterable(files) || typeof files === "string" || Binary.isBytes(files)) {
      return yield* refused({
        operation,
        parameter: "files",
        message: `files is ${quote(files)}; it must be an array of files.`
      })
    }
    let index = 0
    for (const file of files as Iterable<FileInput.FileInput>) {
      const ready = yield* FileInput.normalize(operation, file, ++index)
      if (!skipFileValidation) yield* FileLimits.check(operation, "files", ready, limits)
      parts.push({ name: "files", file: ready })
    }
    return parts
  }).pipe((check) => Options.reading("runs.create", "params", () => check))

const send = (
  api: Http.Api,
  parts: ReadonlyArray<Multipart.Part>,
  retryCreates: boolean
): Effect.Effect<CreatedRun, CreateError> =>
  Effect.gen(function*() {
    const createdAt = yield* Clock.currentTimeMillis
    let fileError: FileInputError | undefined
    const body = yield* Multipart.body(yield* Multipart.begin(parts), (error) => {
      fileError = error
    })
    // A file that fails in the middle of its form. The client fails with an error of its own, by which a Blob can be told
    const fileErrorOf = (error: { readonly cause?: unknown }): FileInputError | undefined =>
      fileError ?? (Transfer.isUnreadableBlob(error.cause) ? FileInput.readError("a Blob", error.cause) : undefined)
    const { requestId, value } = yield* Create.create(
      api,
      {
        operation: "runs.create",
        request: HttpClientRequest.post("/v1/run", { body }),
        decode: decodeCreated,
        isUpload: true
      },
      {
        retryCreates,
        // Where the length is not announced, the client alone knows that more was to come
        isIncomplete: (error) => fileErrorOf(error) !== undefined && FetchPlatform.announcesLength(body)
      }
    ).pipe(
      Effect.mapError((error): CreateError => {
        if (error._tag === "CreateOutcomeUnknownError") {
          return fileError === undefined ? error : new CreateOutcomeUnknownError({
            ...error,
            message: error.message,
            cause: fileError
          })
        }
        const broken = fileErrorOf(error)
        return broken === undefined ? error : new FileInputError({
          ...broken,
          message: broken.message,
          // Multipart.begin has read the first chunk of each file by now, so the request was under way. Only the client can know
          // that it had not left yet
          reached: error._tag !== "TransportError" || error.reached
        })
      })
    )
    const ref = RunRef.make({
      provider,
      kind: "run",
      id: value.run_id,
      createdAt,
      ...(requestId === undefined ? undefined : { requestId }),
      ...(value.estimated_duration_ms === undefined
        ? undefined
        : { estimatedDurationMs: value.estimated_duration_ms })
    })
    yield* Create.accepted(ref)
    return { ...value, ref }
  }).pipe(Effect.scoped)
