/**
 * The judge. It knows the true history (the requests, decisions and responses of the provider, with their times), derives the
 * promised behaviour from it, and compares: when each request was due, how the wait had to end, and with what result.
 *
 * It shares no code with the library. Where a promise allows a range, such as jitter, it accepts the range, and continues from
 * the observed value.
 */
import { Cause, Duration, Exit, Option, type Tracer } from "effect"
import { inspect } from "node:util"
import type { Observer } from "./observer.ts"
import type { PolicyPlan } from "./plan.ts"
import { type Exchange, maxExchanges } from "./provider.ts"
import { canvasId, type Element, type Follower, type History, type Process } from "./scenario.ts"
import * as Reading from "./reading.ts"

/** The promises. Their numbers are those of the documentation. */
export const promises = {
  1: "the first poll is immediate, then the schedule decides",
  2: "a wait pauses at least Retry-After, up to its ceiling and the time left",
  3: "the deadline bounds the wait, one more poll fits before it, and RunTimeoutError has the history",
  4: "transient failures spend the error budget, a 404 has its grace period, and final failures end the wait at once",
  5: "an unknown status is not terminal",
  6: "no request, timer or fiber after interruption, end or deadline; requests under way are aborted",
  7: "all waiters of a handle share one loop",
  8: "watch emits each change once and in order; polls emits every poll",
  9: "success is the provider's status, and its response decodes",
  10: "a stored ref gives the true outcome",
  11: "no secret in errors, spans, logs and refs, and no key to another origin",
  12: "a create is repeated only if it was never sent; an unknown outcome is reported as unknown",
  requests: "the number of requests is bounded by a function of the elapsed time",
  scopes: "every scope is closed: layers released, spans ended",
  typed: "every outcome is a value or a typed error, with the number of attempts",
  time: "virtual time is bounded",
  metrics: "the counters agree with the history",
  store: "the store accounts for every run that exists, and for no other",
  pushes: "a push causes a poll and is never an answer, and a forged one is ignored",
  limit: "no window has more requests than the limit",
  files: "a create has its files, and a download is the whole file"
} as const

export type PromiseName = keyof typeof promises

export interface Violation {
  readonly promise: PromiseName
  readonly message: string
}

export interface Verdict {
  readonly violations: ReadonlyArray<Violation>
  /** How often each promise was tested. */
  readonly checks: Readonly<Record<string, number>>
  /** How the followers ended, by tag. */
  readonly outcomes: ReadonlyArray<string>
}

/** Times are sums of fractions. Times closer than this are equal. */
const epsilon = 0.01

const isAt = (a: number | undefined, b: number): boolean => a !== undefined && Math.abs(a - b) <= epsilon

export const judge = (history: History): Verdict => {
  const violations: Array<Violation> = []
  const checks: Record<string, number> = {}
  const outcomes: Array<string> = []
  const check: Check = (promise, isKept, say) => {
    checks[promise] = (checks[promise] ?? 0) + 1
    if (!isKept) violations.push({ promise, message: say() })
    return isKept
  }
  const court: Court = { history, check, outcomes, polls: { count: 0 }, created: { count: 0 } }

  check("time", history.endedAt !== undefined, () => "the program never ended")
  for (const process of history.processes) judgeProcess(court, process)
  judgeEverything(court)
  return { violations, checks, outcomes }
}

type Check = (promise: PromiseName, isKept: boolean, say: () => string) => boolean

interface Court {
  readonly history: History
  readonly check: Check
  readonly outcomes: Array<string>
  /** The expected number of polls, and the number of successful creates. */
  readonly polls: { count: number }
  readonly created: { count: number }
}

/** A place in the list of a process's requests. */
interface Cursor {
  readonly exchanges: ReadonlyArray<Exchange>
  next: number
}

// -- one call -------------------------------------------------------------------------------------------------------

/** The end of a call: an outcome, or a cut, if its caller was stopped before. */
type Call =
  | {
    readonly _tag: "Outcome"
    readonly at: number
    readonly startedAt: number
    readonly attempts: number
    readonly outcome: Reading.Outcome
    /** Whether an attempt before the last may have had an effect. */
    readonly mayHaveActed: boolean
  }
  | { readonly _tag: "Cut"; readonly startedAt: number | undefined; readonly attempts: number }

interface CallRules {
  /** The promise that determines when the first request is due. */
  readonly promise: PromiseName
  readonly due: Reading.Range
  /** The time at which the call is stopped: the deadline, or an interruption. */
  readonly cutAt: number
  readonly mayRetry: (outcome: Reading.Outcome) => boolean
}

/** Replays one call: attempts, redirects and the pauses between them. */
const playCall = (court: Court, cursor: Cursor, rules: CallRules): Call => {
  const { check, history } = court
  const { client } = history.plan
  let due = rules.due
  let promise = rules.promise
  let startedAt: number | undefined
  let mayHaveActed = false

  for (let attempts = 1;; attempts++) {
    const first = takeRequest(court, cursor, promise, due, rules.cutAt)
    if (first === undefined) return { _tag: "Cut", startedAt, attempts: attempts - 1 }
    startedAt ??= first.at
    const limit = first.at + client.requestTimeout
    const attempt = playAttempt(court, cursor, first, limit, rules.cutAt)
    if (attempt === undefined) return { _tag: "Cut", startedAt, attempts }
    const { at, outcome } = attempt
    const pause = outcome._tag === "Failed" && rules.mayRetry(outcome)
      ? Reading.retryPause(client.retry, attempts)
      : undefined
    if (pause === undefined) return { _tag: "Outcome", at, startedAt, attempts, outcome, mayHaveActed }
    mayHaveActed ||= outcome._tag === "Failed" && outcome.mayExist
    const floor = Math.min(outcome.retryAfter ?? 0, client.retryAfterCeiling)
    promise = floor > pause[0] ? 2 : 1
    due = [at + Math.max(pause[0], floor), at + Math.max(pause[1], floor)]
  }

  /** One attempt, with the redirects in it. */
  function playAttempt(
    court: Court,
    cursor: Cursor,
    first: Exchange,
    limit: number,
    cutAt: number
  ): { readonly at: number; readonly outcome: Reading.Outcome } | undefined {
    let exchange = first
    for (let redirects = 0;; redirects++) {
      const { reply } = exchange
      const headAt = reply._tag === "Silent" ? Infinity : exchange.at + reply.after
      const target = reply._tag === "Answer" && exchange.method === "GET" && redirects < 3
        ? Reading.redirectHome(history.provider.origin, exchange.url, reply)
        : undefined
      if (reply._tag === "Answer" && target !== undefined && headAt <= Math.min(limit, cutAt)) {
        // The client may read the body of a redirect, or not
        const stop = Math.min(limit, cutAt)
        const next = takeRequest(court, cursor, 1, [headAt, headAt + reply.bodyAfter], stop)
        if (next !== undefined) {
          check(11, next.url === target, () => `the redirect to ${target} was followed to ${next.url}`)
          exchange = next
          continue
        }
        return cutAt <= limit ? undefined : { at: limit, outcome: Reading.timedOut }
      }
      const endsAt = reply._tag === "Answer" ? headAt + reply.bodyAfter : headAt
      const stoppedAt = Math.min(limit, cutAt)
      // Of two events at the same instant either may come first
      const isAborted = exchange.end?.how === "aborted" && isAt(exchange.end.at, stoppedAt)
      if (endsAt > stoppedAt || endsAt === stoppedAt && isAborted) {
        check(
          6,
          isAborted && exchange.signal.aborted,
          () =>
            `request ${exchange.number} had to be aborted at ${clock(court, stoppedAt)}, and was ${
              exchange.end === undefined ? "left open" : `${exchange.end.how} at ${clock(court, exchange.end.at)}`
            }`
        )
        if (cutAt < limit) return undefined
        // A known status decides, also if its body is late
        return reply._tag === "Answer" && headAt <= limit && !(reply.status >= 200 && reply.status < 300)
          ? { at: limit, outcome: Reading.read(history.plan, exchange.method, { ...reply, body: "" }, limit) }
          : { at: limit, outcome: Reading.timedOut }
      }
      const outcome = reply._tag === "Silent"
        ? Reading.timedOut
        : reply._tag === "Broken"
        ? Reading.brokenOff(reply.isConnected)
        : reply.breaks
        ? Reading.brokenOff(true)
        : Reading.read(history.plan, exchange.method, reply, endsAt)
      return { at: endsAt, outcome }
    }
  }
}

/** The next request, if it was sent when it was due; none if its sender was stopped before. */
const takeRequest = (
  court: Court,
  cursor: Cursor,
  promise: PromiseName,
  [from, to]: Reading.Range,
  cutAt: number
): Exchange | undefined => {
  const exchange = cursor.exchanges[cursor.next]
  if (exchange === undefined || exchange.at > cutAt + epsilon) {
    // No request: right if there was no time left for it
    court.check(
      cutAt <= to ? 6 : promise,
      cutAt <= to + epsilon,
      () => `a request was due at ${clock(court, from)}${to > from ? ` to ${clock(court, to)}` : ""}, and none was made`
    )
    return undefined
  }
  cursor.next++
  court.check(
    from > cutAt + epsilon ? 6 : promise,
    exchange.at >= from - epsilon && exchange.at <= to + epsilon,
    () =>
      `request ${exchange.number} was made at ${clock(court, exchange.at)}; it was due at ${clock(court, from)}${
        to > from ? ` to ${clock(court, to)}` : ""
      }${cutAt < from ? `, and nothing was to be sent after ${clock(court, cutAt)}` : ""}`
  )
  return exchange
}

// -- one poll loop --------------------------------------------------------------------------------------------------

/** The expected end of a loop. */
type End =
  & { readonly at: number }
  & (
    | { readonly _tag: "Terminal"; readonly said: Reading.Said }
    | { readonly _tag: "Error"; readonly error: string; readonly attempts: number }
    | {
      readonly _tag: "Timeout"
      readonly reason: "deadline" | "schedule"
      readonly polls: number
      readonly history: ReadonlyArray<{ readonly at: number; readonly outcome: string; readonly polls: number }>
      readonly last: Reading.Said | undefined
    }
    /** The follower was interrupted, or left early. */
    | { readonly _tag: "Left" }
  )

/** One poll that did not end the wait, or the terminal one. */
interface Polled {
  readonly at: number
  readonly poll: number
  readonly said: Reading.Said | undefined
  readonly error: string | undefined
  readonly isChanged: boolean
}

interface LoopRules {
  readonly startedAt: number
  readonly policy: PolicyPlan
  /** The creation time of the run, by the ref. */
  readonly createdAt: number
  readonly cutAt: number
  /** The snapshot that is known before the first poll (Tela). */
  readonly known: Reading.Said | undefined
  /** The time when the follower pulls again after a poll; at once if absent, never if `undefined`. */
  readonly pull: ((polled: Polled) => number | undefined) | undefined
}

interface Loop {
  readonly end: End
  readonly polled: ReadonlyArray<Polled>
}

const defaultTimeout = { spine: 15 * 60_000, tela: 60_000 }

/** Replays a poll loop, from its first poll to its end. */
const playLoop = (court: Court, process: Process, cursor: Cursor, rules: LoopRules): Loop => {
  const { check, history: { plan } } = court
  const { policy, startedAt } = rules
  const timeout = policy.timeout ?? defaultTimeout[plan.api]
  const deadline = startedAt + timeout
  const budget = policy.errorBudget ?? 5
  const grace = policy.notFoundGrace ?? 30_000
  const ceiling = policy.retryAfterCeiling ?? 60_000
  const polled: Array<Polled> = []
  const record: Array<{ readonly at: number; readonly outcome: string }> = []
  const firstRequest = cursor.next
  let now = startedAt
  let polls = 0
  let failures = 0
  let slowest = 0
  let floor = 0
  let isLast = false
  let last: Reading.Said | undefined
  let progress: Reading.Said["progress"]
  let due: Reading.Range = [now, now]
  let promise: PromiseName = 1

  const done = (end: End): Loop => {
    judgeRate(court, cursor.next - firstRequest, end.at - startedAt, policy)
    court.polls.count += polls
    return { end, polled }
  }
  const expired = (reason: "deadline" | "schedule", at: number): Loop =>
    done({ _tag: "Timeout", at, reason, polls, history: inARow(record).slice(-20), last })

  if (rules.known !== undefined) {
    polls = 1
    polled.push({ at: now, poll: 1, said: rules.known, error: undefined, isChanged: true })
    return done({ _tag: "Terminal", at: now, said: rules.known })
  }

  for (;;) {
    const cutAt = Math.min(deadline, rules.cutAt)
    const counted = polls + 1
    const call = playCall(court, cursor, {
      promise,
      due,
      cutAt,
      mayRetry: (outcome) => outcome._tag === "Failed" && outcome.isPassing
    })
    if (call._tag === "Cut") {
      if (call.startedAt !== undefined) polls = counted
      return rules.cutAt <= deadline ? done({ _tag: "Left", at: rules.cutAt }) : expired("deadline", deadline)
    }
    polls = counted
    now = call.at
    // The rest of a shortened sleep has no jitter: the last poll is recognised by its time
    if (due[1] > due[0] && isAt(call.startedAt, due[1]) && promise === 3) isLast = true
    slowest = Math.max(slowest, now - call.startedAt)
    const { outcome } = call
    floor = Math.min(outcome.retryAfter ?? 0, ceiling)

    let item: Polled
    if (outcome._tag === "Said") {
      check(5, !outcome.isStrange || outcome.end === undefined, () => "an unknown status was read as terminal")
      item = {
        at: now,
        poll: polls,
        said: outcome,
        error: undefined,
        isChanged: outcome.end !== undefined || last === undefined || last.key !== outcome.key
      }
      failures = 0
      last = outcome
      progress = outcome.progress
      record.push({ at: now - startedAt, outcome: outcome.status })
    } else {
      record.push({ at: now - startedAt, outcome: outcome.error })
      const isLag = outcome.error === "NotFoundError" && grace > 0 && now - rules.createdAt <= grace
      if (!isLag && (!outcome.isPassing || ++failures > budget)) {
        return done({ _tag: "Error", at: now, error: outcome.error, attempts: call.attempts })
      }
      item = { at: now, poll: polls, said: undefined, error: outcome.error, isChanged: false }
    }
    polled.push(item)
    const pulledAt = rules.pull === undefined ? now : rules.pull(item)
    if (pulledAt === undefined || pulledAt > rules.cutAt) return done({ _tag: "Left", at: rules.cutAt })
    if (outcome._tag === "Said" && outcome.end !== undefined) {
      return done({ _tag: "Terminal", at: pulledAt, said: outcome })
    }

    // The sleep before the next poll
    now = pulledAt
    const until = (at: number, reason: "deadline" | "schedule"): Loop =>
      rules.cutAt < at ? done({ _tag: "Left", at: rules.cutAt }) : expired(reason, at)
    if (now >= deadline) return until(now, "deadline")
    if (isLast) return until(deadline, "deadline")
    // A follower that leaves at this very moment may or may not have pulled again
    if (now < rules.cutAt - epsilon) {
      judgeState(court, process, {
        now,
        startedAt,
        deadline,
        polls,
        failures,
        last,
        progress,
        createdAt: rules.createdAt
      })
    }
    const pause = Reading.pollPause(policy.pace, plan.api, polls, { progress, failures })
    if (pause === undefined) return until(now, "schedule")
    // Room for the last poll: twice the slowest poll so far, 100 ms at least, never more than half of the time left
    const left = deadline - now
    const latest = left === Infinity ? Infinity : left - Math.min(Math.max(2 * slowest, 100), left / 2)
    const from = Math.max(pause[0], floor)
    const to = Math.max(pause[1], floor)
    promise = to >= latest ? 3 : floor > pause[0] ? 2 : failures > 0 || outcome._tag === "Failed" ?
      4
      : outcome._tag === "Said" && outcome.isStrange
      ? 5
      : 1
    isLast = from >= latest
    due = [now + Math.min(from, latest), now + Math.min(to, latest)]
  }
}

/**
 * The bound on requests. Except for the first and the last poll, polls are at least the shortest pause of the schedule apart.
 * Each poll is one call of at most 1 + retries attempts, and each attempt follows at most 3 redirects:
 *
 *     requests(elapsed) <= (2 + elapsed / shortest pause) * (1 + retries) * (1 + 3)
 */
const judgeRate = ({ check, history: { plan } }: Court, requests: number, elapsed: number, { pace }: PolicyPlan) => {
  const polls = 2 + Math.floor(elapsed / Reading.shortestPause(pace, plan.api))
  const bound = polls * (1 + Reading.maxRetries(plan.client.retry)) * 4
  check("requests", requests <= bound, () => `${requests} requests in ${elapsed} ms; the bound is ${bound}`)
}

/** Promise 1 defines the input of a schedule. */
const judgeState = (
  { check }: Court,
  process: Process,
  own: {
    readonly now: number
    readonly startedAt: number
    readonly deadline: number
    readonly createdAt: number
    readonly polls: number
    readonly failures: number
    readonly last: Reading.Said | undefined
    readonly progress: Reading.Said["progress"]
  }
) => {
  if (process.policy.pace._tag !== "Adaptive") return
  const shown = process.states.find(({ at, state }) => isAt(at, own.now) && state.polls === own.polls)?.state
  if (!check(1, shown !== undefined, () => `the schedule was not stepped after poll ${own.polls}`)) return
  const remaining = Duration.toMillis(shown!.remaining)
  check(
    1,
    shown!.failures === own.failures &&
      isAt(Duration.toMillis(shown!.elapsed), own.now - own.startedAt) &&
      (remaining === own.deadline - own.now || isAt(remaining, own.deadline - own.now)) &&
      (shown!.age === undefined || isAt(Duration.toMillis(shown!.age), own.now - own.createdAt)) &&
      (shown!.snapshot === undefined) === (own.last === undefined) &&
      shown!.progress?.completed === own.progress?.completed &&
      shown!.progress?.total === own.progress?.total,
    () =>
      `after poll ${own.polls} the input of the schedule was ${inspect(shown, { depth: 4 })} instead of ${inspect(own)}`
  )
}

// -- one process ----------------------------------------------------------------------------------------------------

const judgeProcess = (court: Court, process: Process): void => {
  const { check, history } = court
  const { plan, provider } = history
  const exchanges = provider.exchanges.filter((exchange) => exchange.process === process.number)
  const creates: Cursor = { exchanges: exchanges.filter(({ method }) => method === "POST"), next: 0 }
  const polls: Cursor = { exchanges: exchanges.filter(({ method }) => method === "GET"), next: 0 }
  const interruptedAt = process.interruptedAt ?? Infinity

  const start = process.resumed === undefined
    ? judgeCreation(court, process, creates, interruptedAt)
    : judgeLookup(court, process, polls, interruptedAt)
  check(
    12,
    creates.next === creates.exchanges.length,
    () => `${creates.exchanges.length} creates were sent, and ${creates.next} were expected`
  )
  if (start === undefined) {
    check(
      6,
      process.followers.every(({ kind }) => kind === "wait") && polls.exchanges.length === polls.next,
      () => `${polls.exchanges.length - polls.next} polls were sent without a follower`
    )
  } else if (plan.program._tag === "Single" || process.resumed !== undefined) {
    judgeSingle(court, process, polls, start)
  } else {
    judgeShared(court, process, polls, start)
  }
  check(6, polls.next === polls.exchanges.length, () => {
    const extra = polls.exchanges[polls.next]!
    return `request ${extra.number} at ${clock(court, extra.at)} was not expected`
  })

  const { end, leftovers } = process
  if (end === undefined || leftovers === undefined) return
  check(6, leftovers.sleeps === 0, () => `${leftovers.sleeps} timers were left at the end of process ${process.number}`)
  check(6, leftovers.fibers === 0, () => `${leftovers.fibers} fibers were left at the end of process ${process.number}`)
  check("scopes", leftovers.spans === 0, () => `${leftovers.spans} spans were left open`)
  check("scopes", process.openLayers === 0, () => "the layer was not released")
  const late = exchanges.find(({ at }) => at > end.at + epsilon)
  check(6, late === undefined, () => `request ${late!.number} was made after the end`)
  if (process.interruptedAt !== undefined) {
    check(
      6,
      end.at <= interruptedAt + epsilon || process.onCreated !== undefined || isUninterruptible(court, process),
      () => `the interruption at ${clock(court, interruptedAt)} took until ${clock(court, end.at)}`
    )
  }
  for (const exchange of exchanges) {
    check(
      6,
      exchange.end !== undefined && exchange.end.at <= end.at + epsilon,
      () => `request ${exchange.number} was left open`
    )
  }
  check("typed", Exit.isSuccess(end.exit) || isTyped(end.exit), () => `it ended with a defect: ${pretty(end.exit)}`)
}

/** The start of following a run. */
interface Start {
  readonly at: number
  readonly createdAt: number
  readonly ref: unknown
  readonly known: Reading.Said | undefined
}

const isUninterruptible = ({ history: { plan } }: Court, process: Process): boolean =>
  process.resumed === undefined && plan.program._tag === "Single" && plan.program.mode === "run" &&
  plan.program.onCreated !== undefined

/** Promise 12. */
const judgeCreation = (court: Court, process: Process, cursor: Cursor, interruptedAt: number): Start | undefined => {
  const { check, history: { plan, provider } } = court
  const { program, client: { retryCreates } } = plan
  const isRun = program._tag === "Single" && program.mode === "run"
  const step = isRun ? process.followers[0] : process.creation
  if (step === undefined) return undefined
  const cutAt = isUninterruptible(court, process) ? Infinity : interruptedAt
  const call = playCall(court, cursor, {
    promise: 12,
    due: [step.startedAt, step.startedAt],
    cutAt,
    mayRetry: (outcome) => outcome._tag === "Failed" && (outcome.neverSent || retryCreates && outcome.isPassing)
  })
  const owned = provider.runs.length
  if (!retryCreates) check(12, owned <= 1, () => `${owned} runs were created and billed`)

  const end = step.end
  if (end === undefined) return undefined
  if (call._tag === "Cut") {
    court.outcomes.push("create: interrupted")
    check(
      6,
      Exit.hasInterrupts(end.exit) && isAt(end.at, cutAt),
      () => `the create was not interrupted: ${pretty(end.exit)}`
    )
    return undefined
  }
  const { outcome } = call
  if (outcome._tag === "Failed") {
    const isUnknown = outcome.mayExist || call.mayHaveActed
    const tag = isUnknown ? "CreateOutcomeUnknownError" : outcome.error
    court.outcomes.push(`create: ${tag}`)
    const error = errorOf(end.exit)
    // An uninterruptible create may end with its outcome, or as interrupted
    if (error === undefined && cutAt === Infinity && interruptedAt < end.at) return undefined
    check(
      12,
      tagOf(error) === tag && isAt(end.at, call.at),
      () =>
        `the create had to fail with ${tag} at ${clock(court, call.at)}; it ended with ${pretty(end.exit)} at ${
          clock(court, end.at)
        }`
    )
    check(
      12,
      owned === 0 || tagOf(error) === "CreateOutcomeUnknownError",
      () => `a run exists at the provider, and the caller got ${tagOf(error)}`
    )
    check(
      "typed",
      field(error, "attempts") === call.attempts,
      () => `the error has ${String(field(error, "attempts"))} attempts, and there were ${call.attempts}`
    )
    return undefined
  }

  court.created.count++
  court.outcomes.push("create: created")
  const ref = isRun
    ? process.onCreated?.ref
    : process.creation?.end === undefined
    ? undefined
    : valueOf(process.creation.end.exit)
  const mustTell = !isRun || program.onCreated !== undefined
  if (mustTell) {
    const expected = {
      version: 1,
      provider: plan.api,
      kind: plan.api === "spine" ? "run" : "execution",
      id: outcome.id,
      createdAt: step.startedAt,
      ...(outcome.requestId === undefined ? undefined : { requestId: outcome.requestId }),
      ...(plan.api === "tela" || plan.truth.estimate === undefined
        ? undefined
        : { estimatedDurationMs: plan.truth.estimate }),
      template: plan.api === "spine" ? "auto" : canvasId
    }
    check(10, isSame(ref, expected), () => `the ref is ${inspect(ref)} instead of ${inspect(expected)}`)
  }
  const at = isRun && program.onCreated !== undefined ? process.onCreated?.endedAt : call.at
  if (isRun && program.onCreated !== undefined) {
    check(6, isAt(process.onCreated?.startedAt, call.at) && at !== undefined, () => "onCreated did not complete")
  } else if (!isRun) {
    check(
      12,
      isAt(end.at, call.at),
      () => `the create ended at ${clock(court, end.at)}, not at ${clock(court, call.at)}`
    )
  }
  if (at === undefined) return undefined
  return { at, createdAt: step.startedAt, ref, known: outcome.end === undefined ? undefined : outcome }
}

/** The start of a second process; Tela looks the execution up first. */
const judgeLookup = (court: Court, process: Process, cursor: Cursor, cutAt: number): Start | undefined => {
  const { check } = court
  const ref: unknown = JSON.parse(process.resumed!)
  const createdAt = Number(field(ref, "createdAt"))
  const { lookup } = process
  if (lookup === undefined) return { at: process.startedAt, createdAt, ref, known: undefined }
  const grace = process.policy.notFoundGrace ?? 30_000
  const look = (at: number): Call =>
    playCall(court, cursor, {
      promise: 10,
      due: [at, at],
      cutAt,
      mayRetry: (outcome) => outcome._tag === "Failed" && outcome.isPassing
    })
  let call = look(process.startedAt)
  const last = Math.min(
    createdAt + grace,
    process.startedAt + (process.policy.timeout ?? defaultTimeout[court.history.plan.api])
  )
  // A replica that does not know the execution yet is polled every second, or less often by its Retry-After
  while (call._tag === "Outcome" && call.outcome._tag === "Failed" && call.outcome.error === "NotFoundError") {
    const next = call.at +
      Math.max(1000, Math.min(call.outcome.retryAfter ?? 0, process.policy.retryAfterCeiling ?? 60_000))
    if (next > last) break
    call = look(next)
  }
  if (call._tag === "Cut" || lookup.end === undefined) return undefined
  const { end } = lookup
  if (call.outcome._tag === "Failed") {
    const { error } = call.outcome
    check(
      10,
      tagOf(errorOf(end.exit)) === error && isAt(end.at, call.at),
      () => `looking it up had to fail with ${error}; it ended with ${pretty(end.exit)}`
    )
    court.outcomes.push(`lookup: ${error}`)
    return undefined
  }
  check(10, Exit.isSuccess(end.exit) && isAt(end.at, call.at), () => `looking it up failed: ${pretty(end.exit)}`)
  return { at: call.at, createdAt, ref, known: call.outcome.end === undefined ? undefined : call.outcome }
}

/** One follower with a separate loop. */
const judgeSingle = (court: Court, process: Process, cursor: Cursor, start: Start): void => {
  const { check } = court
  const follower = process.followers[0]
  const interruptedAt = process.interruptedAt ?? Infinity
  if (follower === undefined) {
    check(1, interruptedAt <= start.at + epsilon, () => "the run had no follower")
    return
  }
  const isStream = follower.kind === "watch" || follower.kind === "polls"
  let shown = 0
  const pull = (polled: Polled): number | undefined => {
    if (follower.kind === "watch" && !polled.isChanged) return polled.at
    const element = follower.elements[shown++]
    const isThere = check(
      8,
      isAt(element?.at, polled.at) || polled.at > interruptedAt - epsilon,
      () => `poll ${polled.poll} at ${clock(court, polled.at)} was not emitted`
    )
    if (!isThere || element === undefined) return undefined
    judgeElement(court, follower, element, polled, start)
    // A follower that left early does not pull again
    return element.doneAt !== undefined && follower.consumer.leavesAfter !== shown ? element.doneAt : undefined
  }
  const loop = playLoop(court, process, cursor, {
    startedAt: start.at,
    policy: process.policy,
    createdAt: start.createdAt,
    cutAt: Math.max(interruptedAt, start.at),
    known: start.known,
    pull: isStream ? pull : undefined
  })
  check(
    8,
    !isStream || shown === follower.elements.length,
    () => `${follower.elements.length} elements were emitted, of ${shown}`
  )
  const enough = follower.consumer.leavesAfter
  const left = enough !== undefined && follower.elements.length === enough
    ? follower.elements[enough - 1]!.doneAt
    : undefined
  if (left !== undefined) {
    court.outcomes.push(`${follower.kind}: left early`)
    check(6, isAt(follower.end?.at, left), () => "a follower that left early did not end")
    return
  }
  judgeEnd(court, process, follower, loop.end, start, Math.max(interruptedAt, start.at))
}

/** Followers that join and leave one handle: one loop at a time, from the first follower to the last. */
const judgeShared = (court: Court, process: Process, cursor: Cursor, start: Start): void => {
  const { check } = court
  const interruptedAt = process.interruptedAt ?? Infinity
  const waiting = process.followers.filter(({ end }) => end !== undefined)
    .toSorted((a, b) => a.startedAt - b.startedAt)
  const endOf = (follower: Follower): number => follower.end!.at
  /** The terminal snapshot that the handle keeps. */
  let remembered: Loop | undefined

  while (waiting.length > 0) {
    const first = waiting[0]!
    // A cancelled handle can be waited for again
    const cancelledAt = first.startedAt > (process.cancelledAt ?? Infinity)
      ? Infinity
      : process.cancelledAt ?? Infinity
    if (remembered !== undefined) {
      waiting.shift()
      judgeMember(court, process, first, remembered, start, interruptedAt)
      continue
    }
    // A follower that joins while another one is there
    let cutAt = endOf(first)
    for (const other of waiting) if (other.startedAt < cutAt) cutAt = Math.max(cutAt, endOf(other))
    const before = cursor.next
    const loop = playLoop(court, process, cursor, {
      startedAt: first.startedAt,
      policy: process.policy,
      createdAt: start.createdAt,
      // Followers that end with the loop do not stop it
      cutAt: Math.min(cutAt, cancelledAt) + epsilon / 2,
      known: start.known,
      pull: undefined
    })
    check(
      7,
      start.known !== undefined || cursor.next > before,
      () =>
        `a ${first.kind} began at ${clock(court, first.startedAt)}, when there was no loop to join, and made no poll`
    )
    // An ended loop is never joined, not even by a follower that comes a fraction of a millisecond later. Followers that come
    // after a terminal end are compared with the kept snapshot
    const members = waiting.filter(({ startedAt }) => startedAt <= Math.min(loop.end.at, cancelledAt))
    for (const member of members) {
      waiting.splice(waiting.indexOf(member), 1)
      judgeMember(court, process, member, loop, start, interruptedAt)
    }
    if (members.length > 1) {
      const sent = cursor.exchanges.filter(({ at }) => at >= first.startedAt && at <= loop.end.at).length
      check(
        7,
        sent === cursor.next - before,
        () => `${members.length} followers made ${sent} requests, and one loop makes ${cursor.next - before}`
      )
    }
    if (loop.end._tag === "Terminal") remembered = loop
  }
}

/** One of the followers that share a loop. */
const judgeMember = (
  court: Court,
  process: Process,
  follower: Follower,
  loop: Loop,
  start: Start,
  interruptedAt: number
): void => {
  const { check } = court
  const end = follower.end!
  // An ended loop is not stopped
  const cancelledAt = loop.end._tag === "Left" && follower.startedAt <= (process.cancelledAt ?? -Infinity)
    ? process.cancelledAt!
    : Infinity
  const leaveAt = Math.min(follower.leaveAt ?? Infinity, interruptedAt, cancelledAt)
  if (follower.kind === "background") {
    court.outcomes.push("background: left")
    check(
      6,
      Exit.hasInterrupts(end.exit) && isAt(end.at, Math.min(follower.leaveAt!, process.interruptedAt ?? Infinity)),
      () => "the background fiber did not end with its scope"
    )
    return
  }
  // The latest element, then all later ones
  const news = loop.polled.filter(({ at }) => at <= follower.startedAt).slice(-1)
    .concat(loop.polled.filter(({ at }) => at > follower.startedAt))
  const isOver = loop.end._tag === "Terminal" && loop.end.at < follower.startedAt
  const heard = isOver ? loop.polled.slice(-1) : news
  const overAt = Math.max(loop.end.at, follower.startedAt)

  if (follower.kind === "watch" || follower.kind === "polls") {
    let isFirst = true
    const due = heard.filter((polled) => {
      if (follower.kind === "polls") return true
      if (polled.said === undefined || !isFirst && !polled.isChanged) return false
      isFirst = false
      return true
    })
    const wanted = due.slice(0, follower.consumer.leavesAfter)
    // A follower that is told to leave while it reads does not get the queued elements
    const isReading = follower.elements.length > 0 && follower.elements.at(-1)!.doneAt === undefined
    follower.elements.forEach((element, index) => {
      const polled = wanted[index]
      if (check(8, polled !== undefined, () => `${follower.kind} emitted more elements than expected`)) {
        judgeElement(court, follower, element, polled!, start)
      }
    })
    const seen = wanted.filter(({ at }) => Math.max(at, follower.startedAt) < end.at - epsilon)
    const lastDone = follower.elements.at(-1)?.doneAt
    // Elements that wait for a busy reader when the execution is cancelled are dropped
    const wasBusy = lastDone !== undefined && lastDone > cancelledAt
    check(
      8,
      isReading || wasBusy || follower.elements.length >= seen.length,
      () => `${follower.kind} showed ${follower.elements.length} of ${seen.length}`
    )
    check(
      6,
      follower.elements.every(({ at }) => at <= cancelledAt),
      () => `${follower.kind} emitted an element after the execution was cancelled`
    )
    if (wasBusy) {
      // A cancelled execution does not interrupt the work of its consumers, only their waits
      court.outcomes.push(`${follower.kind}: left`)
      check(6, isAt(end.at, lastDone), () => "a stream of a cancelled execution did not end")
      return
    }
    if (isReading && end.at > cancelledAt) {
      court.outcomes.push(`${follower.kind}: left`)
      const leftAt = Math.min(follower.leaveAt ?? Infinity, process.interruptedAt ?? Infinity)
      check(6, isAt(end.at, leftAt), () => "a consumer of a cancelled execution ended before it left")
      return
    }
    const enough = follower.consumer.leavesAfter
    if (enough !== undefined && follower.elements.length === enough && follower.elements.at(-1)!.doneAt !== undefined) {
      court.outcomes.push(`${follower.kind}: left early`)
      check(6, isAt(end.at, follower.elements.at(-1)!.doneAt!), () => "a follower that left early did not end")
      return
    }
    if (follower.consumer.takes > 0 && leaveAt >= overAt) {
      const readAt = isReading ? Infinity : Math.max(overAt, follower.elements.at(-1)?.doneAt ?? 0)
      judgeEnd(
        court,
        process,
        follower,
        readAt > leaveAt ? { _tag: "Left", at: leaveAt } : { ...loop.end, at: readAt },
        start,
        leaveAt
      )
      return
    }
  }
  if (follower.kind === "events") {
    judgeEvents(court, process, follower, heard, loop, overAt, leaveAt)
    return
  }
  judgeEnd(
    court,
    process,
    follower,
    leaveAt < overAt ? { _tag: "Left", at: leaveAt } : { ...loop.end, at: overAt },
    start,
    leaveAt
  )
}

/** Tela's events: each poll, each change of status, and the end. */
const judgeEvents = (
  { check, history: { plan }, outcomes }: Court,
  _process: Process,
  follower: Follower,
  heard: ReadonlyArray<Polled>,
  loop: Loop,
  overAt: number,
  leaveAt: number
): void => {
  const tags = follower.elements.map(({ value }) => tagOf(value))
  const polls = follower.elements.filter(({ value }) => tagOf(value) === "poll")
  const said = heard.filter(({ said }) => said !== undefined)
  polls.forEach(({ value }, index) => {
    const snapshot = field(value, "snapshot")
    check(
      8,
      field(snapshot, "providerStatus") === said[index]?.said?.status,
      () =>
        `event ${index} shows ${String(field(snapshot, "providerStatus"))}, and not ${
          String(said[index]?.said?.status)
        }`
    )
  })
  if (leaveAt < overAt || loop.end._tag === "Left") return
  outcomes.push(`events: ${tags.at(-1)}`)
  check(8, polls.length === said.length, () => `${polls.length} of ${said.length} polls were emitted`)
  const { end } = loop
  const isGood = end._tag === "Terminal" && end.said.end === "success" && plan.truth.isOutputValid
  check(9, tags.at(-1) === (isGood ? "success" : "error"), () => `the last event is ${String(tags.at(-1))}`)
}

/** Promise 8: an element describes its poll. */
const judgeElement = (court: Court, follower: Follower, { value }: Element, polled: Polled, start: Start): void => {
  const { check } = court
  const snapshot = follower.kind === "polls" ? field(value, "snapshot") : value
  if (follower.kind === "polls") {
    const elapsed = field(value, "elapsed")
    check(
      8,
      field(value, "poll") === polled.poll,
      () => `poll ${polled.poll} is emitted as ${String(field(value, "poll"))}`
    )
    check(
      8,
      Duration.isDuration(elapsed) && Duration.toMillis(elapsed) <= polled.at - start.at + epsilon,
      () => "the elapsed time of a poll is wrong"
    )
    check(
      8,
      tagOf(value) === (polled.said === undefined ? "Failure" : "Snapshot"),
      () => `poll ${polled.poll} is not a ${tagOf(value)}`
    )
    if (polled.said === undefined) {
      check(
        4,
        tagOf(field(value, "error")) === polled.error,
        () => `the error is ${tagOf(field(value, "error"))} instead of ${polled.error}`
      )
      return
    }
    check(
      8,
      field(value, "changed") === polled.isChanged,
      () => `poll ${polled.poll} says changed: ${String(field(value, "changed"))}`
    )
    check(
      8,
      field(value, "terminal") === (polled.said.end !== undefined),
      () => "a terminal poll is not marked as terminal"
    )
    check(
      8,
      field(value, "requestId") === polled.said.requestId,
      () => "the request id is wrong"
    )
  }
  check(
    polled.said?.isStrange === true ? 5 : 8,
    shows(court, snapshot, polled.said),
    () => `poll ${polled.poll} is emitted as ${inspect(snapshot)} instead of ${inspect(polled.said?.data)}`
  )
}

/** Whether a snapshot of the library equals the provider's response. */
const shows = ({ history: { plan } }: Court, snapshot: unknown, said: Reading.Said | undefined): boolean => {
  if (said === undefined) return false
  const word = plan.api === "tela"
    ? field(snapshot, "providerStatus")
    : field(snapshot, "status") === "unknown"
    ? field(snapshot, "provider_status")
    : field(snapshot, "status")
  const progress = field(snapshot, "progress")
  return word === said.status &&
    (plan.api === "spine" || isSame(field(snapshot, "raw"), said.data)) &&
    (plan.api === "spine" || field(snapshot, "status") === (said.isStrange ? "unknown" : said.status)) &&
    (said.progress === undefined || field(progress, "tasks_completed") === said.progress.completed) &&
    (plan.api === "tela" || field(snapshot, "canvas_id") === field(said.data, "canvas_id")) &&
    isSame(
      plan.api === "tela" ? field(snapshot, "output") : field(field(snapshot, "result"), "final_output"),
      said.output
    )
}

/** Compares the end of a follower with the expected one. */
const judgeEnd = (
  court: Court,
  process: Process,
  follower: Follower,
  due: End,
  start: Start,
  leaveAt: number
): void => {
  const { check, history: { plan } } = court
  const { end, kind } = follower
  if (end === undefined) {
    check("time", false, () => `a ${kind} never ended`)
    return
  }
  // The follower was stopped while it read buffered elements
  const expected: End = due.at > leaveAt + epsilon ? { _tag: "Left", at: leaveAt } : due
  const say = () =>
    `a ${kind} had to end at ${clock(court, expected.at)} with ${describe(expected)}; it ended at ${
      clock(court, end.at)
    } with ${pretty(end.exit)}`
  const error = errorOf(end.exit)
  switch (expected._tag) {
    case "Left":
      court.outcomes.push(`${kind}: left`)
      check(
        6,
        (Exit.hasInterrupts(end.exit) ||
          isAt(process.cancelledAt, expected.at) && tagOf(error) === "WaitStoppedError") &&
          isAt(end.at, Math.max(expected.at, follower.startedAt)),
        say
      )
      return
    case "Error":
      court.outcomes.push(`${kind}: ${expected.error}`)
      check(4, tagOf(error) === expected.error && isAt(end.at, expected.at), say)
      check(
        "typed",
        field(error, "attempts") === expected.attempts,
        () => `the error has ${String(field(error, "attempts"))} attempts, and there were ${expected.attempts}`
      )
      if (start.ref !== undefined) {
        check(10, isSame(field(error, "ref"), start.ref), () => "the error's ref is wrong")
      }
      return
    case "Timeout": {
      court.outcomes.push(`${kind}: RunTimeoutError, ${expected.reason}`)
      const { last, polls, reason } = expected
      check(3, tagOf(error) === "RunTimeoutError" && isAt(end.at, expected.at), say)
      if (tagOf(error) !== "RunTimeoutError") return
      const elapsed = field(error, "elapsed")
      check(
        3,
        field(error, "reason") === reason && field(error, "polls") === polls,
        () =>
          `the error has ${String(field(error, "polls"))} polls and ${
            String(field(error, "reason"))
          }; it was ${polls} and ${reason}`
      )
      check(
        3,
        Duration.isDuration(elapsed) && Duration.toMillis(elapsed) <= end.at - start.at + epsilon,
        () => "the elapsed time is wrong"
      )
      const told = field(error, "history")
      check(
        3,
        Array.isArray(told) && told.length === expected.history.length &&
          expected.history.every(({ at, outcome, polls }, index) =>
            // In whole milliseconds
            Math.abs(Number(field(told[index], "elapsedMs")) - at) <= 0.5 + epsilon &&
            field(told[index], "outcome") === outcome && field(told[index], "polls") === polls
          ),
        () => `the history of the error is ${inspect(told)} instead of ${inspect(expected.history)}`
      )
      check(
        3,
        last === undefined
          ? field(error, "lastSnapshot") === undefined
          : shows(court, field(error, "lastSnapshot"), last),
        () => "the last snapshot is wrong"
      )
      if (start.ref !== undefined) {
        check(10, isSame(field(error, "ref"), start.ref), () => "the error's ref is wrong")
      }
      return
    }
    case "Terminal": {
      const { said } = expected
      const isFine = said.end === "success"
      if (kind === "watch" || kind === "polls") {
        court.outcomes.push(`${kind}: ${said.status}`)
        check(8, Exit.isSuccess(end.exit) && isAt(end.at, expected.at), say)
        return
      }
      const isValid = plan.api === "spine" || kind === "raw" || plan.truth.isOutputValid
      if (isFine && isValid || kind === "settle") {
        court.outcomes.push(`${kind}: ${said.status}`)
        check(9, Exit.isSuccess(end.exit) && isAt(end.at, expected.at), say)
        // `run` and `wait` give the snapshot, Tela's `result` the output and its `rawResult` the answer
        if (Exit.isSuccess(end.exit)) {
          const { value } = end.exit
          const isRight = plan.api === "spine"
            ? shows(court, value, said)
            : isSame(value, kind === "raw" ? said.data : said.output)
          check(9, isRight, () => `${inspect(value)} is not the provider's response`)
        }
        if (process.resumed !== undefined) {
          check(10, isTrue(court, said), () => `a resumed wait ended with ${said.status}, which is not the truth`)
        }
        return
      }
      const tag = isFine ? "InvalidOutputError" : "RunFailedError"
      court.outcomes.push(`${kind}: ${tag}`)
      check(9, tagOf(error) === tag && isAt(end.at, expected.at), say)
      if (isFine) check(9, isSame(field(error, "output"), said.output), () => "the raw output was not kept")
      if (start.ref !== undefined) {
        check(10, isSame(field(error, "ref"), start.ref), () => "the error's ref is wrong")
      }
      if (process.resumed !== undefined) {
        check(10, isTrue(court, said), () => `a resumed wait ended with ${said.status}, which is not the truth`)
      }
      return
    }
  }
}

/** Whether a response has the true outcome of the run. */
const isTrue = ({ history: { plan } }: Court, said: Reading.Said): boolean =>
  plan.api === "spine"
    ? said.status === plan.truth.outcome
    : said.status === (plan.truth.outcome === "failed" ? "failed" : "succeeded")

const describe = (end: End): string =>
  end._tag === "Terminal"
    ? `the answer ${end.said.status}`
    : end._tag === "Error"
    ? end.error
    : end._tag === "Timeout"
    ? `a RunTimeoutError (${end.reason}, ${end.polls} polls)`
    : "an interruption"

// -- everything -----------------------------------------------------------------------------------------------------

const judgeEverything = (court: Court): void => {
  const { check, history } = court
  const { observer, plan, processes, provider } = history
  check("requests", provider.exchanges.length < maxExchanges, () => "the client sent requests without end")

  for (const exchange of provider.exchanges) {
    check(
      11,
      exchange.isHome ? exchange.hasCredential : !exchange.hasSecret,
      () =>
        exchange.isHome ? `request ${exchange.number} has no key` : `the key went to ${new URL(exchange.url).origin}`
    )
  }
  const shown = shownOf(observer)
  for (const process of processes) {
    if (process.resumed !== undefined) shown.push(["a serialised ref", () => process.resumed!])
    if (process.onCreated !== undefined) shown.push(["a ref", () => JSON.stringify(process.onCreated!.ref)])
    const steps = [process.creation, process.lookup, ...process.followers, { startedAt: 0, end: process.end }]
    for (const step of steps) {
      if (step?.end !== undefined && Exit.isFailure(step.end.exit)) {
        const { cause } = step.end.exit
        shown.push(["an error", () => Cause.pretty(cause) + cause.reasons.map(showAll).join()])
      }
      if (step !== undefined && step === process.creation && step.end !== undefined && Exit.isSuccess(step.end.exit)) {
        const { value } = step.end.exit
        shown.push(["a ref", () => JSON.stringify(value)])
      }
    }
    for (const { elements } of process.followers) {
      for (const { value } of elements) {
        const error = field(value, "error")
        if (error !== undefined) shown.push(["an error in a stream", () => showAll(error)])
      }
    }
  }
  const needle = plain(plan.secret)
  for (const [what, show] of shown) {
    const text = show()
    check(11, !plain(text).includes(needle), () => `${what} shows the key: ${excerpt(text, plan.secret)}`)
  }

  const total = (id: string) =>
    observer.metrics().filter((metric) => metric.id === id).reduce(
      (sum, metric) => sum + Number(field(metric.state, "count")),
      0
    )
  const polls = total("canvas_runs_polls_total")
  check(
    "metrics",
    polls === court.polls.count,
    () => `${polls} polls were counted instead of ${court.polls.count}`
  )
  const created = total("canvas_runs_created_total")
  check(
    "metrics",
    created === court.created.count,
    () => `${created} creations were counted, of ${court.created.count}`
  )
}

/** The texts of spans and logs, by their source. */
export const shownOf = ({ logs, spans }: Observer): Array<readonly [string, () => string]> => [
  ...spans.map((span) => ["the span " + span.name, () => showSpan(span)] as const),
  ...logs.map((log) => ["a log", () => log] as const)
]

/** The parts of a span that an exporter sends: its name, attributes and events, and all texts of a failure. */
const showSpan = ({ attributes, events, name, status }: Tracer.NativeSpan): string =>
  name + inspect([attributes, events], { depth: 12 }) +
  (status._tag === "Ended" && Exit.isFailure(status.exit) ? Cause.pretty(status.exit.cause) : "")

/** All texts that a program could print from a value. */
const showAll = (value: unknown): string => {
  const text = inspect(value, { depth: 20, showHidden: true, maxStringLength: null })
  try {
    return text + String(value) + JSON.stringify(value)
  } catch {
    return text
  }
}

/** The letters and digits of a text: a host name keeps no more of a key. */
export const plain = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9]/g, "")

const excerpt = (text: string, secret: string): string => {
  const at = Math.max(0, plain(text).indexOf(plain(secret)))
  return JSON.stringify(plain(text).slice(Math.max(0, at - 120), at + 60))
}

export const field = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null && key in value ? (value as Record<string, unknown>)[key] : undefined

export const tagOf = (value: unknown): string => String(field(value, "_tag"))

const errorOf = (exit: Exit.Exit<unknown, unknown>): unknown => Option.getOrUndefined(Exit.findErrorOption(exit))

const valueOf = (exit: Exit.Exit<unknown, unknown>): unknown => Exit.isSuccess(exit) ? exit.value : undefined

/** Whether the exit is an error with a tag or an interruption, and not a defect. */
const isTyped = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && exit.cause.reasons.every((reason) => reason._tag !== "Die")

export const pretty = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.isSuccess(exit)
    ? `success ${inspect(exit.value, { depth: 2, breakLength: Infinity })}`
    : Exit.hasInterrupts(exit)
    ? "an interruption"
    : `${tagOf(errorOf(exit))}: ${String(field(errorOf(exit), "message") ?? Cause.pretty(exit.cause))}`

/** Equal as JSON. */
const isSame = (a: unknown, b: unknown): boolean => canonical(a) === canonical(b)

const canonical = (value: unknown): string | undefined =>
  JSON.stringify(value, (_, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => a < b ? -1 : 1))
      : part)

/** Consecutive polls with one outcome count as one, at the time of the last. */
const inARow = (
  record: ReadonlyArray<{ readonly at: number; readonly outcome: string }>
): Array<{ readonly at: number; readonly outcome: string; readonly polls: number }> => {
  const rows: Array<{ at: number; outcome: string; polls: number }> = []
  for (const { at, outcome } of record) {
    const last = rows.at(-1)
    if (last?.outcome === outcome) {
      last.at = at
      last.polls++
    } else rows.push({ at, outcome, polls: 1 })
  }
  return rows
}

/** A time, as the history counts it: from the start of the program. */
const clock = ({ history }: Court, at: number): string => `${Math.round((at - history.startedAt) * 1000) / 1000} ms`
