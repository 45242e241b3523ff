/**
 * The proof that the simulation can fail: deliberate mistakes in the library, each of which the simulation or the tests of the
 * kernel must catch. They are made in a copy of the repository, one at a time.
 */
import { spawn } from "node:child_process"
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { kept } from "../support/sample.ts"

/** One mistake: a piece of source, its replacement, and the resulting fault. */
export interface Mutant {
  readonly file: string
  readonly find: string
  readonly replace: string
  readonly breaks: string
}

const mutant = (file: string, breaks: string, find: string, replace: string): Mutant => ({
  file,
  find,
  replace,
  breaks
})

const loop = "src/internal/polling/pollLoop.ts"
const decide = "src/internal/polling/decide.ts"
const pause = "src/internal/polling/pause.ts"
const history = "src/internal/polling/pollHistory.ts"
const sleepingRun = "src/internal/polling/sleepingRun.ts"
const run = "src/Run.ts"
const http = "src/internal/http/api.ts"
const create = "src/internal/http/create.ts"
const secret = "src/internal/secret.ts"
const spineSource = "src/spine/internal/source.ts"
const spineCreate = "src/spine/internal/create.ts"
const snapshots = "src/tela/internal/source.ts"
const following = "src/tela/internal/follow.ts"
const answers = "src/tela/internal/syncAnswer.ts"
const store = "src/internal/runStore/store.ts"
const createOnce = "src/internal/runStore/createOnce.ts"
const keyValue = "src/internal/runStore/keyValue.ts"
const endMark = "src/tela/internal/endMark.ts"

export const mutants: ReadonlyArray<Mutant> = [
  // The poll loop
  mutant(
    loop,
    "the first poll waits for the schedule",
    "loop.polls === 0 ? Effect.andThen",
    "loop.polls < 0 ? Effect.andThen"
  ),
  mutant(
    decide,
    "the budget is one too small",
    "failures < policy.errorBudget",
    "failures + 1 < policy.errorBudget"
  ),
  mutant(loop, "an answer does not refill the budget", "  loop.failures = 0\n", ""),
  mutant(
    decide,
    "final failures spend the budget",
    "readFailure(error).isRetryable && failures",
    "failures"
  ),
  mutant(
    decide,
    "404 spends the budget",
    "if (isReplicaLag) return \"poll again\"",
    "if (isReplicaLag) return failures < policy.errorBudget ? \"spend and poll again\" : \"end the wait\""
  ),
  mutant(decide, "404 has no grace period", "const isReplicaLag = isOurs", "const isReplicaLag = false && isOurs"),
  mutant(
    decide,
    "404 has a grace period at any age of the run",
    "now - ref.createdAt <= grace",
    "true"
  ),
  mutant(
    loop,
    "the deadline does not stop a request",
    "TimerQueue.within(result, Math.max(0, left)",
    "TimerQueue.within(result, Infinity"
  ),
  mutant(
    loop,
    "the deadline does not bound a request that may outlast it",
    "left > (source.longest ?? Infinity)",
    "left > 0"
  ),
  mutant(
    pause,
    "the deadline is ignored in a sleep",
    "if (millis < last) return millis",
    "if (millis < Infinity) return millis"
  ),
  mutant(
    pause,
    "the last sleep leaves no room for a poll",
    "return Math.max(0, last)",
    "return Math.max(0, left)"
  ),
  mutant(
    loop,
    "a consumer that returns after the deadline causes a poll",
    "if (left <= 0) return timedOut(loop, \"deadline\")",
    ""
  ),
  mutant(pause, "another poll follows the last one", "  set(loop, \"isLast\")\n", ""),
  mutant(pause, "a schedule without a pause makes a hot loop", "scheduled / 2) : minPause", "scheduled / 2) : 0"),
  mutant(
    sleepingRun,
    "a snapshot is dropped although the next poll may never end",
    " + (source.longest ?? Infinity)",
    ""
  ),
  mutant(
    loop,
    "the room for the last poll ignores slow failures",
    "onFailure: (error) => {\n        noteDuration()",
    "onFailure: (error) => {"
  ),
  mutant(
    loop,
    "Retry-After of an answer is ignored",
    "Decide.floorOf(policy, answer.retryAfter)",
    "0"
  ),
  mutant(loop, "Retry-After of a failure is ignored", "Decide.floorOf(policy, retryAfter)", "0"),
  mutant(
    decide,
    "Retry-After has no ceiling",
    "Math.min(Duration.toMillis(duration), Duration.toMillis(retryAfterCeiling))",
    "Duration.toMillis(duration)"
  ),
  mutant(
    pause,
    "Retry-After replaces the schedule",
    "if (loop.floor > millis) millis",
    "if (loop.floor > 0) millis"
  ),
  mutant(
    run,
    "every snapshot counts as changed",
    "const changed = ended || previous === undefined",
    "const changed = true || previous === undefined"
  ),
  mutant(
    history,
    "the history has wrong times",
    "Math.round(elapsed(loop))",
    "Math.round(loop.timers.now())"
  ),
  mutant(history, "the history is unbounded", "if (loop.history.length === maxPollRecords) loop.history.shift()", ""),
  mutant(
    history,
    "the last snapshot is not in the error",
    "        lastSnapshot: snapshot\n",
    ""
  ),
  mutant(
    loop,
    "the schedule gets no progress",
    "const progress = phase._tag === \"Pending\" ? phase.progress : undefined",
    "const progress = undefined as Progress | undefined"
  ),
  mutant(
    pause,
    "the schedule gets no time since the last progress",
    "remaining: Duration.millis(Duration.toMillis(policy.timeout) - elapsed)",
    "remaining: policy.timeout"
  ),
  // Sharing and streams
  mutant(run, "every waiter starts a loop", "if (loop !== undefined) {", "if (loop === null && loop !== undefined) {"),
  mutant(run, "the loop continues without waiters", "Fiber.interrupt(joined.fiber)", "Effect.void"),
  mutant(run, "the first waiter to leave stops the loop", "if (joined.waiters.size > 0) return Effect.void", ""),
  mutant(run, "the terminal snapshot is not kept", "if (isTerminal(poll)) last = poll", ""),
  mutant(
    run,
    "a late waiter does not get the latest snapshot",
    "if (loop.latest !== undefined) Queue.offerUnsafe(waiter, loop.latest)",
    ""
  ),
  mutant(run, "a failed loop is handed to a new waiter", "if (loop === self) loop = undefined\n", "\n"),
  mutant(run, "watch emits unchanged snapshots", "!(isFirst || poll.changed)", "false"),
  mutant(run, "watch does not emit the first snapshot", "let isFirst = true", "let isFirst = false"),
  mutant(run, "polling continues after the end", "ended ? Cause.done() :", "false ? Cause.done() :"),
  mutant(
    loop,
    "a failed run is a success",
    "phase._tag === \"Succeeded\" ? Effect.succeed(phase.run)",
    "phase._tag !== undefined ? Effect.succeed(phase.run)"
  ),
  // HTTP: retries
  mutant(
    http,
    "everything is retried",
    "call.retryWhile ?? ((error) => error.isRetryable)",
    "call.retryWhile ?? (() => true)"
  ),
  mutant("src/internal/http/retry.ts", "nothing is retried", "while: mayRetry", "while: () => false"),
  mutant(
    "src/internal/http/retry.ts",
    "a retry does not wait for Retry-After",
    "retryAfter === undefined\n",
    "true\n"
  ),
  mutant(
    "src/internal/http/retry.ts",
    "a retry waits for Retry-After without a ceiling",
    "Duration.min(retryAfter, retryAfterCeiling)",
    "retryAfter"
  ),
  mutant(http, "attempts are not counted", "attempts: ++attempts", "attempts: 1"),
  mutant(
    http,
    "a request may take forever",
    "TimerQueue.within(exchange(request), Duration.toMillis(timeout), timedOut)",
    "TimerQueue.within(exchange(request), Infinity, timedOut)"
  ),
  mutant(
    "src/internal/http/response.ts",
    "a page that is not JSON ends the wait",
    "not JSON.`, true)",
    "not JSON.`, false)"
  ),
  mutant(
    "src/internal/http/response.ts",
    "an answer of another form is requested again",
    "        isStale,\n",
    "        true,\n"
  ),
  mutant("src/internal/http/errors.ts", "500 is a bad request", "status >= 500", "status > 500"),
  mutant(
    "src/internal/http/errors.ts",
    "a refused connection counts as made",
    "reached: response !== undefined || reason._tag !== \"TransportError\" || !isUnsent",
    "reached: true"
  ),
  mutant(
    "src/internal/http/errors.ts",
    "a broken connection counts as never made",
    "reached: response !== undefined || reason._tag !== \"TransportError\" || !isUnsent",
    "reached: false"
  ),
  // HTTP: Retry-After
  mutant("src/internal/http/retry.ts", "Retry-After-Ms is not read", "/^\\d{1,15}$/.test(millis)", "false"),
  mutant(
    "src/internal/http/retry.ts",
    "Retry-After-Ms counts seconds",
    "return Duration.millis(Number(millis))",
    "return Duration.seconds(Number(millis))"
  ),
  mutant(
    "src/internal/http/retry.ts",
    "dates in Retry-After are not read",
    "return wait > 0 ? Duration.millis(wait) : undefined",
    "return undefined"
  ),
  mutant(
    "src/internal/http/retry.ts",
    "dates in Retry-After count from 1970",
    "const wait = DateTime.toEpochMillis(parsed.success.dateTime) - nowMillis",
    "const wait = DateTime.toEpochMillis(parsed.success.dateTime)"
  ),
  mutant(
    "src/internal/http/retry.ts",
    "a number of any length is read",
    "header === undefined || header.length > 40",
    "header === undefined"
  ),
  // HTTP: secrets
  mutant(
    secret,
    "the key is not searched for",
    "text.replace(forms, \"<redacted>\")",
    "forms.source === \"\" ? \"\" : text"
  ),
  mutant(secret, "the key is not recognised in JSON", "    inJson(secret),\n", ""),
  mutant(
    "src/internal/secret.ts",
    "a response keeps the key",
    "minKeyLength ? identity : scrub",
    "minKeyLength ? identity : identity"
  ),
  mutant(
    "src/internal/http/response.ts",
    "a request id keeps the key",
    "id === undefined ? undefined : cleaner.text(id)",
    "id"
  ),
  mutant(
    "src/internal/secret.ts",
    "a redirect's host keeps the key",
    "squeeze(host).includes(squeeze(secret))",
    "false"
  ),
  mutant(
    "src/internal/http/errors.ts",
    "only the outermost cause is read",
    "[cause.message, cause.cause,",
    "[cause.message,"
  ),
  mutant(
    "src/internal/http/fetchPlatform.ts",
    "the client's own spans are kept",
    "HttpClient.TracerDisabledWhen, () => true",
    "HttpClient.TracerDisabledWhen, () => false"
  ),
  mutant(
    secret,
    "the key is searched for once only",
    ".join(\"|\"), \"g\")",
    ".join(\"|\"))"
  ),
  mutant(
    "src/internal/http/errors.ts",
    "the message of a broken connection is shown unredacted",
    "cleaner.text(said ?? ",
    "(said ?? "
  ),
  mutant(
    "src/internal/http/errors.ts",
    "the cause of a broken connection is kept unredacted",
    "scrubCause(cause, cleaner) : undefined",
    "cause : undefined"
  ),
  mutant(
    http,
    "the key is sent in another header",
    "{ [header]:",
    "{ [\"x-key\"]:"
  ),
  mutant(
    "src/internal/http/redirects.ts",
    "redirects are followed to any origin, with the key",
    "return target?.origin === baseUrl.origin ? target : undefined",
    "return target"
  ),
  mutant(
    "src/internal/http/redirects.ts",
    "redirects are followed without end",
    "const maxRedirects = 3",
    "const maxRedirects = 300"
  ),
  mutant(
    "src/internal/http/redirects.ts",
    "redirects within the origin are not followed",
    "const maxRedirects = 3",
    "const maxRedirects = 0"
  ),
  // Creating
  mutant(
    create,
    "a create is repeated after any transient failure",
    "(options.retryCreates || neverSent(error))",
    "true"
  ),
  mutant(
    create,
    "a create that was never sent is not repeated",
    "(options.retryCreates || neverSent(error))",
    "options.retryCreates"
  ),
  mutant(create, "a first attempt that may have made a run is ignored", "mayExist ||= mayHaveCreated(error)", ""),
  mutant(create, "a lost response is not an unknown outcome", "return error.reached\n", "return false\n"),
  mutant(create, "a server error is not an unknown outcome", "    case \"ServerError\":\n", ""),
  mutant(
    create,
    "a response that does not decode is not an unknown outcome",
    "    case \"InvalidResponseError\":\n      return !unprocessed",
    "      return !unprocessed.has(error.status ?? 0)\n    case \"InvalidResponseError\":\n      return unprocessed"
  ),
  // Spine
  mutant(
    spineSource,
    "an unknown status is terminal",
    "case \"unknown\":\n          return { _tag: \"Pending\" }",
    "case \"unknown\":\n          return { _tag: \"Succeeded\", run: run as never }"
  ),
  mutant(
    spineSource,
    "a partial run is a failure",
    "        case \"partial\":\n          return { _tag: \"Succeeded\", run, durationMs: run.duration_ms }",
    "          return { _tag: \"Succeeded\", run }\n        case \"partial\":"
  ),
  mutant(
    create,
    "an interruption loses the run before onCreated",
    "Effect.uninterruptible(Effect.tap(create,",
    "((self: Effect.Effect<A, E | OnCreatedErrorOf<E2>, R | R2>) => self)(Effect.tap(create,"
  ),
  mutant(
    spineSource,
    "elapsed time counts as a change",
    "Equal.equals(withoutClock(previous), withoutClock(next))",
    "Equal.equals(previous, next)"
  ),
  mutant(spineCreate, "a ref has no creation time", "      createdAt,\n", ""),
  mutant(spineCreate, "a ref has no request id", "      requestId,\n", ""),
  // Tela
  mutant(
    following,
    "an output is not validated",
    "      validated(validate, output, { ref, requestId }),\n      (exit)",
    "      Effect.succeed(output as Output),\n      (exit)"
  ),
  mutant(following, "an ended execution is polled", "retrieve: hadEnded\n", "retrieve: false\n"),
  mutant(
    snapshots,
    "a status is looked up in the prototype",
    "Object.hasOwn(table, status) ? table[status]! : \"unknown\"",
    "table[status] ?? \"unknown\""
  ),
  mutant(
    following,
    "cancel does not stop the waits",
    "cancel: shared.stop",
    "cancel: Effect.void"
  ),
  // Refs, defaults, telemetry
  // Jobs: the store
  mutant(
    store,
    "jobs: an unknown outcome is created again",
    "earlier !== undefined && onUnknown !== \"retry\"",
    "false"
  ),
  mutant(
    store,
    "jobs: a run in the store is created again",
    "if (entry !== undefined && \"ref\" in entry) return entry.ref\n",
    ""
  ),
  mutant(
    keyValue,
    "jobs: no intent is written before the create",
    "const writing = write(subject, \"intent\", intent)",
    "const writing = Effect.void as Effect.Effect<void, Entries.RunStoreError>"
  ),
  mutant(
    store,
    "jobs: an interruption loses the run before it is stored",
    "Effect.uninterruptibleMask((restore) =>\n                    createOnce(entries, creating, subject, tagged, earlier, tag, restore)\n                  ),",
    "createOnce(entries, creating, subject, tagged, earlier, tag, (self) => self),"
  ),
  mutant(
    createOnce,
    "jobs: any failure frees the key",
    "earlier !== undefined || log.open > 0 || !cause.reasons.every(isWithoutRun(log))",
    "earlier !== undefined"
  ),
  mutant(
    createOnce,
    "jobs: an error of the program frees the key",
    "!cause.reasons.every(isWithoutRun(log))",
    "false"
  ),
  mutant(
    createOnce,
    "jobs: a certain failure leaves the key taken",
    "earlier !== undefined || log.open > 0 ||",
    "true ||"
  ),
  mutant(create, "jobs: a failed upload leaves the key taken", "log.failures.add(error)", "error"),
  mutant(
    "src/internal/runStore/record.ts",
    "jobs: the intent counts more than the ref",
    "if (created?.ref !== undefined) {",
    "if (intent === undefined && created?.ref !== undefined) {"
  ),
  mutant(
    store,
    "jobs: a wait with a transient failure counts as finished",
    "isEnd(error) && error.ref !== undefined && (begun === undefined || isSameRun(error.ref, begun))",
    "true"
  ),
  mutant(
    store,
    "jobs: a terminal state is not stored",
    "Effect.tap(() => complete(operation, key, begun))",
    "Effect.tap(() => Effect.void)"
  ),
  // Jobs: pushes
  mutant(
    "src/spine/SpineWebhook.ts",
    "jobs: a forged push is accepted",
    "if (!(yield* Hmac.verifyAny(key, signatures, [`${timestamp}.`, bytes]))) {",
    "if (!(yield* Hmac.verifyAny(key, signatures, [`${timestamp}.`, bytes])) && key === \"\") {"
  ),
  mutant(
    "src/spine/SpineWebhook.ts",
    "jobs: an old push is accepted",
    "if (Math.abs(age) > Duration.toSeconds(tolerance)) {",
    "if (Math.abs(age) > Duration.toMillis(tolerance)) {"
  ),
  mutant(
    "src/tela/TelaWebhook.ts",
    "jobs: a push with a token of another secret is accepted",
    "if (!(yield* Hmac.verifyAny(key, [signature], [purpose, nonce]))) {",
    "if (!(yield* Hmac.verifyAny(key, [signature], [purpose, nonce])) && key === \"\") {"
  ),
  mutant(
    "src/Webhooks.ts",
    "jobs: a push wakes no wait",
    "waits?.forEach((resume) => resume(Effect.succeed(count)))",
    ""
  ),
  mutant(
    "src/Webhooks.ts",
    "jobs: a push wakes the waits for other runs",
    "const maxId = 400",
    "const maxId = 8"
  ),
  mutant(
    loop,
    "jobs: a push does not shorten the sleep",
    "  loop.timers.remove(loop)\n  if (millis > 0)",
    "  return\n  if (millis > 0)"
  ),
  // Jobs: the rate limiter
  mutant(
    "src/internal/http/rateLimit.ts",
    "jobs: an old slot is used",
    "readyAt === undefined || readyAt <= now()",
    "readyAt === undefined"
  ),
  mutant(
    "src/internal/http/rateLimit.ts",
    "jobs: no request waits for a slot",
    "if (millis > 0) yield* Effect.sleep(millis)",
    ""
  ),
  mutant(
    "src/internal/http/rateLimit.ts",
    "jobs: the whole limit may burst",
    "const bucket = Math.max(1, burst)",
    "const bucket = limit"
  ),
  // Jobs: answers about the run, in the requested form
  mutant(
    spineSource,
    "jobs: the end of another run is accepted",
    "about(\"run_id\", ref.id, decodeRun)",
    "decodeRun"
  ),
  mutant(
    snapshots,
    "jobs: the end of another execution is accepted",
    "about(ref, decodeWhole(kind))",
    "decodeWhole(kind)"
  ),
  mutant(
    endMark,
    "jobs: a stream that stops counts as ended",
    "said === \"end\" || isComplete ? \"success\" : \"open\"",
    "said === \"end\" || isComplete ? \"success\" : \"success\""
  ),
  mutant(
    endMark,
    "jobs: an end with an error counts as a success",
    "new Set([\"stop\", ",
    "new Set([\"error\", \"stop\", "
  ),
  mutant(endMark, "jobs: only a lower-case end mark counts", "reason.trim().toLowerCase()", "reason.trim()"),
  mutant(
    answers,
    "jobs: an answer without a choice is a success",
    "if (errors !== undefined) return Effect.succeed(failed(body, errors))\n",
    "if (errors !== undefined) return Effect.succeed(answer(body, { _tag: \"Succeeded\", output: undefined }))\n"
  ),
  mutant(
    create,
    "jobs: a create that timed out has made no run",
    "return error.reached ?? true",
    "return false"
  ),
  mutant(
    create,
    "jobs: a rejected create may have made a run",
    "    default:\n      return false",
    "    default:\n      return true"
  ),
  // Jobs: files
  mutant(
    "src/tela/internal/uploads.ts",
    "jobs: a create is sent without its file",
    "    yield* put(transfer, file, uploadUrl, variable)\n",
    "    yield* Effect.ignore(put(transfer, file, uploadUrl, variable))\n"
  ),
  mutant(
    "src/internal/ref.ts",
    "a ref of a later version is read",
    "version: Schema.Literal(1)",
    "version: Schema.Finite"
  ),
  mutant(
    "src/internal/ref.ts",
    "a stored ref loses its creation time",
    "  createdAt: side(Schema.Finite),\n",
    ""
  ),
  mutant(
    "src/Polling.ts",
    "the default error budget is wrong",
    "errorBudget = 5",
    "errorBudget = 6"
  ),
  mutant(
    decide,
    "the default grace period is wrong",
    "const defaultGrace = 30_000",
    "const defaultGrace = 3000"
  ),
  mutant("src/Polling.ts", "a backoff never grows", "options?.factor ?? 2", "1"),
  mutant(
    "src/internal/telemetry.ts",
    "waits of a stream have no end in the trace",
    "Stream.withSpan(self, ...",
    "Stream.withSpan(Stream.concat(self, Stream.never), ..."
  )
]

/** The tests that run when the simulation has not caught the mutant. */
const tests = [
  "test/Run.test.ts",
  "test/RunStore.test.ts",
  "test/contract/contract.test.ts",
  "test/spine/SpineRuns.test.ts",
  "test/spine/SpineClient.test.ts"
]

const root = fileURLToPath(new URL("../..", import.meta.url))

/** How often the file contains the text that a mutant replaces; it must be once. */
export const occurrences = async ({ file, find }: Mutant): Promise<number> =>
  (await readFile(join(root, file), "utf8")).split(find).length - 1

type Caught =
  | { readonly by: "simulation" | "tests"; readonly how: string }
  | { readonly by: "nothing"; readonly how: string }

/** Makes one mistake after the other, and returns whether all were caught. */
export const main = async (
  options: { readonly seeds: number; readonly only: string | undefined; readonly sample: string | undefined }
): Promise<boolean> => {
  const wanted = mutants.filter(({ breaks }) => options.only === undefined || breaks.includes(options.only))
  const chosen = options.sample === undefined ? wanted : kept(wanted, 3, options.sample)
  for (const mutant of chosen) {
    const found = await occurrences(mutant)
    if (found !== 1) throw new Error(`${mutant.file} has ${found} times: ${mutant.find}`)
  }
  const started = performance.now()
  const workers = Math.min(2, availableParallelism(), chosen.length)
  const copies = await Promise.all(Array.from({ length: workers }, copyRepository))
  try {
    const healthy = await simulateIn(copies[0]!, options.seeds)
    if (healthy.by !== "nothing") throw new Error(`the library itself fails: ${healthy.how}`)
    const sound = await testIn(copies[0]!)
    if (sound.by !== "nothing") throw new Error(`the tests fail without any mutant: ${sound.how}`)
    console.log("Without a mutant, all pass")
    const left = [...chosen.entries()]
    const results: Array<readonly [number, Mutant, Caught]> = []
    await Promise.all(copies.map(async (copy) => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        const [index, mutant] = next
        const caught = await tryOut(copy, mutant, options.seeds)
        results.push([index, mutant, caught])
        console.log(`${caught.by.padEnd(10)}  ${mutant.breaks}  (${mutant.file}): ${caught.how}`)
      }
    }))
    const count = (by: Caught["by"]) => results.filter(([, , caught]) => caught.by === by).length
    console.log(
      `${results.length} mutants, ${results.length - count("nothing")} caught (${
        count("simulation")
      } by the simulation, ${count("tests")} by the tests), ${count("nothing")} survived, in ${
        Math.round((performance.now() - started) / 1000)
      } s`
    )
    return count("nothing") === 0
  } finally {
    await Promise.all(copies.map((copy) => rm(copy, { recursive: true, force: true })))
  }
}

export const copyRepository = async (): Promise<string> => {
  const copy = await mkdtemp(join(tmpdir(), "canvas-runs-mutants-"))
  for (const part of ["examples", "src", "test", "package.json", "tsconfig.json", "vitest.config.ts"]) {
    await cp(join(root, part), join(copy, part), { recursive: true })
  }
  await symlink(join(root, "node_modules"), join(copy, "node_modules"))
  return copy
}

const tryOut = async (copy: string, { file, find, replace }: Mutant, seeds: number): Promise<Caught> => {
  const path = join(copy, file)
  const source = await readFile(path, "utf8")
  await writeFile(path, source.replace(find, () => replace))
  try {
    const caught = await simulateIn(copy, seeds)
    return caught.by === "nothing" ? await testIn(copy) : caught
  } finally {
    await writeFile(path, source)
  }
}

const simulateIn = async (copy: string, seeds: number): Promise<Caught> => {
  const { output, status } = await execute(copy, [
    "--conditions=canvas-runs:source",
    "test/simulation/simulate.ts",
    "--seeds",
    String(seeds),
    "--max-failures",
    "1",
    "--workers",
    "1",
    "--no-shrink"
  ])
  if (status === 0) return { by: "nothing", how: "" }
  if (status === undefined) return { by: "simulation", how: "it did not end" }
  const broken = /seed (\d+) breaks:\n\s+promise (\w+) \([^)]*\): (.*)/.exec(output)
  // A mutant that cannot be loaded proves nothing
  if (broken === null) throw new Error(`the simulation itself failed:\n${output.slice(0, 4000)}`)
  return { by: "simulation", how: `seed ${broken[1]}, promise ${broken[2]}: ${broken[3]!.slice(0, 160)}` }
}

const testIn = async (copy: string): Promise<Caught> => {
  const { output, status } = await execute(copy, [
    "node_modules/vitest/vitest.mjs",
    "run",
    "--bail=1",
    "--reporter=tap-flat",
    ...tests
  ])
  if (status === 0) return { by: "nothing", how: "SURVIVED" }
  if (status === undefined) return { by: "tests", how: "they did not end" }
  const broken = /^not ok \d+ - (.*?)(?: # time.*)?$/m.exec(output)
  if (broken === null) throw new Error(`the tests could not be run:\n${output.slice(0, 4000)}`)
  return { by: "tests", how: broken[1]! }
}

/** Runs Node in a copy. There is no status if it had to be stopped. */
export const execute = (
  cwd: string,
  args: ReadonlyArray<string>
): Promise<{ readonly output: string; readonly status: number | undefined }> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd, timeout: 300_000, killSignal: "SIGKILL" })
    let output = ""
    child.stdout.on("data", (chunk: Buffer) => output += chunk.toString())
    child.stderr.on("data", (chunk: Buffer) => output += chunk.toString())
    child.on("error", reject)
    child.on("close", (code) => resolve({ output, status: code ?? undefined }))
  })
