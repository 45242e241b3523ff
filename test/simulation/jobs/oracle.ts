/**
 * The judge of the jobs. It reads the provider's ledger: the effect of each request, and the conclusion that its response allows.
 * It shares no code with the library.
 */
import { Cause, Exit, Option } from "effect"
import { field, plain, pretty, type PromiseName, shownOf, tagOf, type Verdict } from "../oracle.ts"
import * as Reading from "../reading.ts"
import { type Exchange, maxExchanges, outputOf, type RunRecord, type Verdict as Meaning } from "./provider.ts"
import type { History, Process, Step, Work } from "./scenario.ts"

const epsilon = 0.01

/**
 * The least time between a poll and one that a push asks for, in milliseconds. Tela's pushes prove nothing about their run, so a
 * sender that knows the token must not be able to make a client flood the provider.
 */
const pushGap = { spine: 100, tela: 1000 }

interface Court {
  readonly history: History
  readonly check: (promise: PromiseName, isKept: boolean, say: () => string) => boolean
  readonly outcomes: Array<string>
}

export const judge = (history: History): Verdict => {
  const violations: Array<{ readonly promise: PromiseName; readonly message: string }> = []
  const checks: Record<string, number> = {}
  const court: Court = {
    history,
    outcomes: [],
    check: (promise, isKept, say) => {
      checks[promise] = (checks[promise] ?? 0) + 1
      if (!isKept) violations.push({ promise, message: say() })
      return isKept
    }
  }
  court.check("time", history.endedAt !== undefined, () => "the program never ended")
  for (const process of history.processes) judgeProcess(court, process)
  for (const job of history.plan.jobs) judgeSpending(court, job.key)
  judgePushes(court)
  judgeSecrets(court)
  return { violations, checks, outcomes: court.outcomes }
}

// --- the conclusions of a client ---

/** Whether a client received all of a response before its process ended. */
const isDelivered = ({ history: { processes } }: Court, { end, process }: Exchange): boolean => {
  const owner = processes[process - 1]
  return end?.how === "answered" && end.at <= (owner?.end?.at ?? Infinity) + epsilon
}

/** The conclusion that a client may draw from a request. */
const meaningOf = (court: Court, exchange: Exchange): Meaning => {
  const { end, reply, verdict } = exchange
  // A broken connection allows the conclusion of its verdict
  if (isDelivered(court, exchange) || end?.how === "broken") return verdict
  const hasBegun = reply._tag === "Answer" && end !== undefined && end.at >= exchange.at + reply.after
  // A client that knows the end of a stream does not wait for its connection
  if (hasBegun && exchange.play.startsWith("stream")) return verdict
  // A known status decides, also if its body is late. The body of the response to an upload is not read at all
  const isKnown = hasBegun && (reply.status >= 300 || exchange.kind === "upload")
  return isKnown ? verdict : { _tag: "Unclear", error: "RequestTimeoutError" }
}

const of = (court: Court, process: Process, work: Work, kind: Exchange["kind"]): ReadonlyArray<Exchange> =>
  court.history.provider.exchanges.filter((exchange) =>
    exchange.process === process.number && exchange.kind === kind && exchange.job === work.job.key
  )

const runsOf = ({ history: { provider } }: Court, key: string): ReadonlyArray<RunRecord> =>
  provider.runs.filter(({ job }) => job.key === key)

const errorOf = (step: Step<unknown> | undefined): unknown =>
  step?.end === undefined ? undefined : Option.getOrUndefined(Exit.findErrorOption(step.end.exit))

const valueOf = (step: Step<unknown> | undefined): unknown =>
  step?.end !== undefined && Exit.isSuccess(step.end.exit) ? step.end.exit.value : undefined

const isSuccess = (step: Step<unknown> | undefined): boolean => step?.end !== undefined && Exit.isSuccess(step.end.exit)

/** Whether it was stopped before it had an outcome. */
const isCut = (step: Step<unknown> | undefined): boolean => step?.end === undefined || Exit.hasInterrupts(step.end.exit)

const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

// --- one process ---

const judgeProcess = (court: Court, process: Process): void => {
  const { check, history } = court
  for (const work of process.works) {
    judgeCreate(court, process, work)
    judgeWait(court, process, work)
    judgeFiles(court, process, work)
    judgeKnown(court, process, work)
    const { whole } = work
    check(
      "typed",
      whole?.end === undefined || !Exit.hasDies(whole.end.exit),
      () => `${work.job.key} died: ${pretty(whole!.end!.exit)}`
    )
    court.outcomes.push(
      `${work.job.mode}: ${
        whole?.end === undefined
          ? "killed"
          : isSuccess(whole)
          ? "success"
          : isCut(whole)
          ? "interrupted"
          : tagOf(errorOf(whole))
      }`
    )
  }
  judgeRate(court, process)
  if (process.known !== undefined) {
    const { entries, unfinished } = process.known
    const open = [...entries].flatMap(([key, entry]) => entry !== undefined && entry._tag !== "Finished" ? [key] : [])
    check(
      "store",
      isSame([...unfinished].sort(), open.sort()),
      () => `${unfinished.join()} are listed, and not ${open.join()}`
    )
  }
  const { end, leftovers } = process
  if (end === undefined || leftovers === undefined) return
  const sent = history.provider.exchanges.filter((exchange) => exchange.process === process.number)
  const late = sent.find(({ at }) => at > end.at + epsilon)
  check(6, late === undefined, () => `request ${late!.number} was made after process ${process.number} had ended`)
  // A killed process may leave anything
  if (history.processes.some(({ stopped }) => stopped?.how === "kill")) return
  check(6, leftovers.sleeps === 0, () => `${leftovers.sleeps} timers were left at the end of process ${process.number}`)
  check(6, leftovers.fibers === 0, () => `${leftovers.fibers} fibers were left at the end of process ${process.number}`)
  check("scopes", leftovers.spans === 0, () => `${leftovers.spans} spans were left open`)
  for (const { end, number } of sent) check(6, end !== undefined, () => `request ${number} was left open`)
}

/** Promise 12, and promise 9 for modes with an immediate output. */
const judgeCreate = (court: Court, process: Process, work: Work): void => {
  const { check, history: { plan, processes } } = court
  const { create, job } = work
  const sent = of(court, process, work, "create")
  const meanings = sent.map((exchange) => meaningOf(court, exchange))
  check(
    12,
    plan.client.retryCreates
      ? sent.length <= 1 + Reading.maxRetries(plan.client.retry)
      : sent.slice(0, -1).every((_, index) => {
        const meaning = meanings[index]!
        return meaning._tag === "Refused" && !meaning.wasConnected
      }),
    () => `the create of ${job.key} was sent ${sent.length} times, after ${sent.map(({ play }) => play).join(", ")}`
  )
  // The entry of the store when this process started
  const before = processes[process.number - 2]?.known?.entries.get(job.key)
  if (before !== undefined && "ref" in before) {
    check("store", sent.length === 0, () => `${job.key} has a run in the store, and was created again`)
  }
  if (before?._tag === "Unknown" && plan.store?.onUnknown === "fail") {
    check("store", sent.length === 0, () => `${job.key} has an unknown outcome, and was created again`)
  }
  if (create === undefined || isCut(create)) return
  const last = meanings.at(-1)
  const tag = isSuccess(create) ? undefined : tagOf(errorOf(create))
  const say = () => `${job.key} ended with ${pretty(create.end!.exit)} after ${sent.map(({ play }) => play).join(", ")}`
  const mayExist = meanings.some(({ _tag }) => _tag !== "Refused")

  if (job.mode === "sync" || job.mode === "stream") {
    judgeAnswer(court, sent.at(-1), last, create, say)
  } else if (tag === undefined) {
    const id = field(field(valueOf(create), "ref"), "id")
    if (sent.length === 0) {
      check(
        "store",
        before !== undefined && "ref" in before && before.ref.id === id,
        () => `${job.key} has an unknown run`
      )
    } else check(9, last?._tag === "Accepted" && last.id === id, say)
    return
  }
  if (tag === undefined) return
  if (tag === "CreateOutcomeUnknownError") {
    const isStores = field(errorOf(create), "operation") === "RunStore.runOnce"
    check(12, isStores ? before?._tag === "Unknown" && sent.length === 0 : mayExist, say)
    return
  }
  if (tag === "RunStoreError") {
    check("store", process.storageFaults > 0, say)
    const ref = field(errorOf(create), "ref")
    // A created run is reported even if it cannot be stored
    if (last?._tag === "Accepted") check("store", field(ref, "id") === last.id, say)
    return
  }
  // It failed before any request
  if (last === undefined) return
  // A failure that the response reports about the execution is not a failed create
  if (["RunFailedError", "InvalidOutputError", "StreamInterruptedError"].includes(tag)) return
  check(12, !mayExist && last._tag === "Refused" && last.error === tag, say)
}

/** Promise 9 for modes with an immediate output: in the requested form, complete, and valid. */
const judgeAnswer = (
  { check }: Court,
  exchange: Exchange | undefined,
  meaning: Meaning | undefined,
  step: Step<unknown>,
  say: () => string
): void => {
  if (exchange === undefined || meaning === undefined) {
    check(9, !isSuccess(step), say)
    return
  }
  const tag = isSuccess(step) ? undefined : tagOf(errorOf(step))
  switch (meaning._tag) {
    case "Done":
      check(
        9,
        meaning.isValid ? tag === undefined && isSame(valueOf(step), meaning.output) : tag === "InvalidOutputError",
        say
      )
      return
    case "Failed":
      check(9, tag === "RunFailedError", say)
      return
    case "Interrupted":
      check(9, tag === "StreamInterruptedError", say)
      return
    default:
      check(9, tag !== undefined && tag !== "RunFailedError" && tag !== "InvalidOutputError", say)
  }
}

/** Promises 9 and 3 for a polled run. */
const judgeWait = (court: Court, process: Process, work: Work): void => {
  const { check, history: { plan } } = court
  const { create, job, wait } = work
  if (wait === undefined || wait.end === undefined) return
  const id = field(field(valueOf(create), "ref"), "id")
  const run = runsOf(court, job.key).find((run) => run.id === id)
  if (!check(9, run !== undefined, () => `${job.key} waits for ${String(id)}, which is not its run`)) return
  const polls = of(court, process, work, "poll").filter(({ at }) =>
    at >= wait.startedAt - epsilon && at <= wait.end!.at
  )
  const heard = polls.map((poll) => meaningOf(court, poll))
  const last = heard.at(-1)
  const say = () =>
    `the wait for ${job.key} ended with ${pretty(wait.end!.exit)} after ${
      polls.slice(-4).map(({ play }) => play).join(", ")
    }`
  const took = wait.end.at - wait.startedAt
  // A look-up comes before the wait, and has the times of requests
  if (plan.api === "spine") {
    check(3, took <= plan.wait.timeout + epsilon, () => `the wait for ${job.key} took ${took} ms`)
  }
  if (isCut(wait)) return
  const tag = isSuccess(wait) ? undefined : tagOf(errorOf(wait))
  const end = heard.find(({ _tag }) => _tag === "Done" || _tag === "Failed")
  if (end?._tag === "Done" && end.isValid) {
    const value = valueOf(wait)
    check(
      9,
      tag === undefined &&
        isSame(plan.api === "spine" ? field(field(value, "result"), "final_output") : value, outputOf(run!)),
      say
    )
    check(9, plan.api === "tela" || field(value, "status") === job.truth.outcome && field(value, "run_id") === id, say)
  } else if (end?._tag === "Done") check(9, tag === "InvalidOutputError", say)
  else if (end?._tag === "Failed") check(9, tag === "RunFailedError", say)
  else {
    check(9, tag !== undefined && tag !== "RunFailedError" && tag !== "InvalidOutputError", say)
    if (tag === "RunTimeoutError") check(3, took >= plan.wait.timeout - epsilon, say)
    else check("typed", last !== undefined && "error" in last && last.error === tag, say)
  }
  if (plan.store !== undefined) {
    check(10, isTrueEnd(tag, job.truth) || end === undefined, () => `${say()}, which is wrong`)
  }
}

const isTrueEnd = (tag: string | undefined, truth: Work["job"]["truth"]): boolean =>
  truth.outcome === "failed"
    ? tag === "RunFailedError"
    : truth.isOutputValid
    ? tag === undefined
    : tag === "InvalidOutputError"

/** A create is sent with its files, and a download is the whole file or an error. */
const judgeFiles = (court: Court, process: Process, work: Work): void => {
  const { check } = court
  const { create, download, job } = work
  if (job.hasFile) {
    const announced = of(court, process, work, "announce").map((exchange) => meaningOf(court, exchange))
    const uploads = of(court, process, work, "upload").map((exchange) => meaningOf(court, exchange))
    const [first] = of(court, process, work, "create")
    const isUploaded = announced.at(-1)?._tag === "Transferred" && uploads.at(-1)?._tag === "Transferred"
    check("files", first === undefined || isUploaded, () => `${job.key} was created without its file`)
    const failed = uploads.at(-1) ?? announced.at(-1)
    if (create !== undefined && !isCut(create) && failed !== undefined && failed._tag !== "Transferred") {
      const tag = tagOf(errorOf(create))
      check(
        "files",
        tag === "FileInputError" || tag === "RunStoreError" || "error" in failed && failed.error === tag,
        () => `a file of ${job.key} could not be uploaded, and it ended with ${pretty(create.end!.exit)}`
      )
    }
  }
  if (download === undefined || isCut(download)) return
  const value = valueOf(download)
  check(
    "files",
    isSuccess(download)
      ? value instanceof Uint8Array && new TextDecoder().decode(value) === "0123456789abcdef".repeat(16)
      : tagOf(errorOf(download)) !== "undefined",
    () => `the file of ${job.key} ended with ${pretty(download.end!.exit)}`
  )
}

/** The store after a process agrees with the provider's ledger. */
const judgeKnown = (court: Court, process: Process, work: Work): void => {
  const { check, history } = court
  const { key } = work.job
  const { known } = process
  if (known === undefined) return
  const entry = known.entries.get(key)
  const exchanges = history.provider.exchanges.filter((exchange) =>
    exchange.job === key && exchange.process <= process.number
  )
  const runs = runsOf(court, key).filter((run) => run.process <= process.number)
  const say = () =>
    `the store's entry of ${key}: ${entry === undefined ? "none" : entry._tag}, and ${runs.length} runs exist`
  check("store", entry !== undefined || runs.length === 0, say)
  const { download, wait, whole } = work
  // A wait that has returned the end of its run is over
  const isOver = wait !== undefined && !isCut(whole) &&
    (isSuccess(whole) ||
      (download === undefined && ["RunFailedError", "InvalidOutputError"].includes(tagOf(errorOf(whole)))))
  if (isOver && process.storageFaults === 0 && process.stopped?.how !== "kill") {
    check("store", entry?._tag === "Finished", () => `${say()}; it has ended with ${pretty(whole!.end!.exit)}`)
  }
  if (entry === undefined) return
  if ("ref" in entry) {
    check("store", runs.some(({ id }) => id === entry.ref.id), say)
    if (entry._tag !== "Finished") return
    const hasEnded = exchanges.some((exchange) =>
      exchange.runId === entry.ref.id && isDelivered(court, exchange) &&
      (exchange.verdict._tag === "Done" || exchange.verdict._tag === "Failed")
    )
    check("store", hasEnded, () => `${say()}, although its end was not reported`)
    return
  }
  check("store", entry._tag === "Unknown", say)
  const mayExist = exchanges.some((exchange) =>
    exchange.kind === "create" && meaningOf(court, exchange)._tag !== "Refused"
  )
  // A killed process cannot know whether it had sent its request
  const isExcused = history.processes.some(({ number, stopped, storageFaults }) =>
    number <= process.number && (stopped?.how === "kill" || storageFaults > 0)
  )
  check(12, mayExist || isExcused, () => `${say()}; no request can have made one`)
}

/** Promise 12: the cost of a piece of work. */
const judgeSpending = (court: Court, key: string): void => {
  const { check, history: { plan, provider } } = court
  if (plan.client.retryCreates || plan.store?.onUnknown === "retry") return
  const runs = runsOf(court, key)
  check(12, runs.length <= 1, () => `${runs.length} runs were created for ${key} and billed`)
  const open = provider.exchanges.filter((exchange) =>
    exchange.kind === "create" && exchange.job === key && meaningOf(court, exchange)._tag !== "Refused"
  )
  check(12, open.length <= 1, () => `the provider may have accepted ${open.length} creates of ${key}`)
}

/** No window has more requests than the limit. */
const judgeRate = ({ check, history: { plan, provider } }: Court, process: Process): void => {
  const { rateLimit } = plan
  check("requests", provider.exchanges.length < maxExchanges, () => "the client asked without end")
  if (rateLimit === undefined) return
  const times = provider.exchanges.filter((exchange) => exchange.process === process.number && exchange.isHome)
    .map(({ at }) => at)
  times.forEach((at, index) => {
    const first = times[index - rateLimit.limit]
    if (first === undefined) return
    check(
      "limit",
      at - first >= rateLimit.window - epsilon,
      () =>
        `${rateLimit.limit + 1} requests within ${
          at - first
        } ms, where ${rateLimit.window} ms may have ${rateLimit.limit}`
    )
  })
}

// --- pushes ---

const isAccepted = (status: number): boolean => status === 204

const judgePushes = (court: Court): void => {
  const { check, history: { plan, processes, pushes } } = court
  for (const { kind, status } of pushes) {
    check(
      "pushes",
      isAccepted(status) === (kind !== "forged" && kind !== "stale"),
      () => `a ${kind} push was answered ${status}`
    )
  }
  if (!plan.hasWebhooks || plan.client.retry._tag !== "None") return
  for (const process of processes) {
    for (const work of process.works) {
      const { create, job, wait } = work
      if (wait === undefined) continue
      const id = String(field(field(valueOf(create), "ref"), "id"))
      const told = pushes.filter((push) =>
        push.process === process.number && push.runId === id && isAccepted(push.status)
      )
      const endsAt = wait.end?.at ?? process.end?.at ?? Infinity
      const all = of(court, process, work, "poll").filter(({ at }) =>
        at >= wait.startedAt - epsilon && at <= endsAt + epsilon
      )
      // A download may request another link at the very end of the wait
      const isOver = (poll: Exchange) => job.hasArtifact && poll.at > endsAt - epsilon
      // Tela looks an execution up before it is waited for. The rate limiter may delay the first poll after that
      const polls = plan.api === "tela" ? all.slice(1) : all
      const deadline = (plan.api === "tela" ? all[0]?.end?.at ?? Infinity : wait.startedAt) + plan.wait.timeout
      polls.forEach((poll, index) => {
        const next = polls[index + 1]
        if (next === undefined || poll.end === undefined) return
        const isEarly = next.at - poll.end.at < plan.wait.every - epsilon
        // The last poll of a wait comes before its deadline
        if (!isEarly || isOver(next) || deadline - next.at < plan.wait.every) return
        check(
          "pushes",
          told.some(({ at }) => at <= next.at + epsilon),
          () =>
            `request ${next.number} of ${job.key} came ${
              next.at - poll.end!.at
            } ms after the one before, and no push called for it`
        )
      })
      // A genuine push is followed by a poll, unless one is under way or requests have to wait
      if (plan.rateLimit !== undefined) continue
      for (const { at, kind } of told) {
        if (kind !== "genuine" || at < wait.startedAt || at >= deadline - 1000) continue
        const current = polls.findLast((poll) => poll.at <= at)
        if (current === undefined || current.end === undefined || current.end.at > at) continue
        const latest = Math.max(at, current.end.at + pushGap[plan.api]) + 1
        // The wait was over before the poll was due
        if (latest > endsAt) continue
        const isNew = !told.some((other) => other.at < at && other.kind !== "lying")
        if (!isNew) continue
        check(
          "pushes",
          current.at >= at - 1 || polls.some((poll) => poll.at >= at - epsilon && poll.at <= latest),
          () => `a push at ${at} reported the end of ${job.key}, and no poll followed`
        )
      }
    }
  }
}

// --- secrets ---

const judgeSecrets = ({ check, history }: Court): void => {
  const { observer, plan, processes, provider } = history
  for (const { hasCredential, hasSecret, isHome, number } of provider.exchanges) {
    check(
      11,
      isHome ? hasCredential : !hasSecret,
      () => isHome ? `request ${number} has no key` : `the key was sent to another origin with request ${number}`
    )
  }
  const needle = plain(plan.secret)
  const shown = [
    ...shownOf(observer),
    ...processes.flatMap(({ works }) =>
      works.flatMap(({ whole }) =>
        whole?.end !== undefined && Exit.isFailure(whole.end.exit)
          ? [["an error", () => showCause(whole.end!.exit as Exit.Failure<unknown, unknown>)] as const]
          : []
      )
    )
  ]
  for (const [what, show] of shown) {
    const text = show()
    check(11, !plain(text).includes(needle), () => `${what} shows the key: ${text.slice(0, 300)}`)
  }
}

const showCause = ({ cause }: Exit.Failure<unknown, unknown>): string =>
  Cause.pretty(cause) + cause.reasons.map((reason) => JSON.stringify(reason)).join()
