/**
 * One shared timer for all sleeping fibers. A fiber in `Effect.sleep` holds a timer and twice the memory of a fiber that is
 * merely parked, which counts with thousands of waiting runs. All fibers that sleep on the same `Clock` share a heap of due
 * times, and one fiber that sleeps on that clock until the earliest of them. So a `TestClock` drives them as if each had its own
 * timer.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"

/** An entry that is due at a time. A sleeper may keep its own state in the same object. */
export interface Timer {
  /** When, in the milliseconds of {@link TimerQueue.now}. */
  due: number
  /** Its index in the heap; -1 when it is not in one. */
  index: number
  /** A method, so that an implementation may narrow the type of `self`. */
  wake(self: Timer): void
}

export interface TimerQueue {
  /** Milliseconds since the first use on this clock. Unlike the time of day, it does not jump when the system's time is set. */
  readonly now: () => number
  /** The number of entries. */
  readonly size: () => number
  readonly add: (timer: Timer, millis: number) => void
  readonly remove: (timer: Timer) => void
  readonly removeAll: (isGone: (timer: Timer) => boolean) => void
}

/**
 * The timer queue for the clock and the scheduler of a fiber. A fiber never sleeps on the scheduler of another fiber, which may
 * be stopped at any time. A Cloudflare Worker drops the timers of a request that has been answered, so there a request may not
 * use a timer that another request has set.
 */
export const of = (fiber: Fiber.Fiber<unknown, unknown>): TimerQueue => {
  const clock = fiber.getRef(Clock.Clock)
  const scheduler = fiber.getRef(Scheduler.Scheduler)
  if (isWorker) return make(clock, scheduler)
  let byScheduler = byClock.get(clock)
  if (byScheduler === undefined) byClock.set(clock, byScheduler = new WeakMap())
  let timers = byScheduler.get(scheduler)
  if (timers === undefined) byScheduler.set(scheduler, timers = make(clock, scheduler))
  return timers
}

const isWorker = (globalThis as { readonly navigator?: { readonly userAgent?: string } }).navigator?.userAgent ===
  "Cloudflare-Workers"

const byClock = new WeakMap<Clock.Clock, WeakMap<Scheduler.Scheduler, TimerQueue>>()

/**
 * The coalescing threshold and the coalescing window: from this number of sleepers on, entries that are due within this many
 * milliseconds wake together. Waking for each alone takes about 20 % more CPU time per poll.
 */
export const coalescingThreshold = 64
export const coalescingWindow = 50

/** How many entries wake between two readings of the clock. */
const batch = 64

/** The longest delay of a platform's timer, in milliseconds. */
const longest = 2 ** 31 - 1

const make = (clock: Clock.Clock, scheduler: Scheduler.Scheduler): TimerQueue => {
  const heap: Array<Timer> = []
  // Nothing else of the first caller's context, such as its tracer: it would be kept as long as the clock
  const fork = Effect.runForkWith(Context.make(Scheduler.Scheduler, scheduler))
  const origin = clock.monotonicTimeNanosUnsafe()
  // If a clock's sleep and its time disagree, the sleep is trusted
  let atLeast = 0
  let sleeping: { readonly until: number; readonly fiber: Fiber.Fiber<void> | undefined } | undefined
  let isWaking = false

  // A platform's timers have no fractions of a millisecond, and V8 stores a whole number without an object. A test clock may
  // advance by any step.
  const isReal = clock === Context.get(Context.empty(), Clock.Clock)
  const whole = (millis: number): number => isReal ? Math.ceil(millis) : millis

  const now = () => Math.max(atLeast, whole(Number(clock.monotonicTimeNanosUnsafe() - origin) / 1e6))

  const place = (timer: Timer, index: number) => {
    heap[index] = timer
    timer.index = index
  }
  /** Moves a timer from a free index of the heap up or down to its right place. */
  const sift = (timer: Timer, from: number) => {
    let index = from
    for (let parent = (index - 1) >> 1; index > 0 && heap[parent]!.due > timer.due; parent = (index - 1) >> 1) {
      place(heap[parent]!, index)
      index = parent
    }
    for (let child = 2 * index + 1; child < heap.length; child = 2 * index + 1) {
      if (child + 1 < heap.length && heap[child + 1]!.due < heap[child]!.due) child++
      if (heap[child]!.due >= timer.due) break
      place(heap[child]!, index)
      index = child
    }
    place(timer, index)
  }
  const take = (timer: Timer) => {
    const { index } = timer
    const last = heap.pop()!
    timer.index = -1
    if (last !== timer) sift(last, index)
  }

  const disarm = () => {
    sleeping?.fiber?.interruptUnsafe()
    sleeping = undefined
  }

  const dispatcher = scheduler.makeDispatcher()
  let isEnding = false
  /**
   * Ends the sleep in the next turn of the event loop, unless a new entry uses it by then. Requests that follow each other are such
   * entries, and ending one sleep and beginning another takes 5 µs, about 15 % of a request in memory.
   */
  const disarmSoon = () => {
    if (isEnding || sleeping === undefined) return
    isEnding = true
    dispatcher.scheduleTask(() => {
      isEnding = false
      if (heap.length === 0) disarm()
    }, 0)
  }

  /**
   * Wakes all entries that are due, and yields to other fibers between batches. It works for as long as the last yield took
   * before it yields again: where other fibers hold the event loop for seconds, a yield after each batch would delay the rest
   * past their deadlines.
   */
  const wakeDue = (share: number): Effect.Effect<void> =>
    Effect.suspend(() => {
      const time = now()
      for (let woken = 1;; woken++) {
        const first = heap[0]
        if (first === undefined || first.due > time) return Effect.void
        take(first)
        first.wake(first)
        if (woken % batch === 0 && now() - time >= share) break
      }
      const yielded = now()
      return Effect.flatMap(Effect.yieldNow, () => wakeDue(now() - yielded))
    })

  // If one of them throws, the others still wake
  const armAgain = Effect.sync(() => {
    isWaking = false
    arm()
  })

  /** Sleeps until the earliest entry is due, unless the shared fiber already sleeps until then. */
  const arm = () => {
    if (isWaking) return
    const first = heap[0]
    if (first === undefined) return disarmSoon()
    // The usual case, without reading the clock
    if (sleeping !== undefined && sleeping.until <= first.due) return
    const time = now()
    const until = Math.min(
      time + longest,
      heap.length < coalescingThreshold ? first.due : Math.max(first.due, time + coalescingWindow)
    )
    if (sleeping !== undefined && sleeping.until <= until) return
    disarm()
    const mine: { readonly until: number; fiber: Fiber.Fiber<void> | undefined } = { until, fiber: undefined }
    sleeping = mine
    const fiber = fork(Effect.andThen(
      clock.sleep(Duration.millis(Math.max(0, until - time))),
      Effect.suspend(() => {
        if (sleeping === mine) sleeping = undefined
        atLeast = Math.max(atLeast, until)
        isWaking = true
        return Effect.ensuring(wakeDue(0), armAgain)
      })
    ))
    // A test clock may have ended the sleep by now
    mine.fiber = fiber
  }

  return {
    now,
    size: () => heap.length,
    add: (timer, millis) => {
      timer.due = now() + whole(millis)
      heap.push(timer)
      sift(timer, heap.length - 1)
      arm()
    },
    remove: (timer) => {
      if (timer.index === -1) return
      take(timer)
      arm()
    },
    removeAll: (isGone) => {
      const kept = heap.filter((timer) => {
        if (!isGone(timer)) return true
        timer.index = -1
        return false
      })
      // An array in order of due times is a heap
      kept.sort((a, b) => a.due - b.due)
      heap.length = 0
      for (const timer of kept) place(timer, heap.length)
      arm()
    }
  }
}

/**
 * An idle timeout for something that arrives in pieces. A timeout around each piece would cost two fibers per piece. A watchdog
 * costs nothing while pieces arrive, because its timer is not set again for each.
 */
export interface Watchdog extends Timer {
  /** Waits for the next piece, for at most so many milliseconds. */
  readonly expect: (millis: number) => void
  /** Waits for nothing. */
  readonly rest: () => void
  readonly stop: () => void
}

/** Makes a watchdog that calls `isLate` when the next piece has not arrived in time. */
export const watchdog = (timers: TimerQueue, isLate: () => void): Watchdog => {
  let deadline = Infinity
  const self: Watchdog = {
    due: 0,
    index: -1,
    wake: () => {
      if (deadline === Infinity) return
      const left = deadline - timers.now()
      if (left > 0) return timers.add(self, left)
      deadline = Infinity
      isLate()
    },
    expect: (millis) => {
      deadline = timers.now() + Math.max(0, millis)
      if (deadline === Infinity || self.index !== -1 && self.due <= deadline) return
      timers.remove(self)
      timers.add(self, Math.max(0, millis))
    },
    rest: () => {
      deadline = Infinity
    },
    stop: () => {
      deadline = Infinity
      timers.remove(self)
    }
  }
  return self
}

/** Runs an effect under a watchdog. When the idle timeout has passed, the effect is interrupted, and `orElse` takes its place. */
export const watching = <A, E, R, E2, R2>(
  use: (watchdog: Watchdog) => Effect.Effect<A, E, R>,
  orElse: () => Effect.Effect<A, E2, R2>
): Effect.Effect<A, E | E2, R | R2> =>
  Effect.withFiber((fiber) => {
    const late = Deferred.makeUnsafe<void>()
    const self = watchdog(of(fiber), () => Deferred.doneUnsafe(late, Effect.void))
    return Effect.raceFirst(use(self), Effect.flatMap(Deferred.await(late), orElse)).pipe(
      Effect.ensuring(Effect.sync(self.stop))
    )
  })

/** The timeout of a fiber. */
interface Timeout extends Timer {
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  isLate: boolean
}

const interrupt = (timeout: Timeout): void => {
  timeout.isLate = true
  timeout.fiber?.interruptUnsafe()
}

/**
 * Makes the observer of a fiber with a timeout. It refers to nothing of the effect that the fiber runs: V8 allocates the list of
 * observers in the old generation, and with 64 requests at once a reference there kept 4 KB of each request until the next full
 * collection.
 */
const ending =
  <A, E>(timers: TimerQueue, timeout: Timeout, resume: (exit: Exit.Exit<A, E>) => void) =>
  (exit: Exit.Exit<A, E>): void => {
    timers.remove(timeout)
    timeout.fiber = undefined
    resume(exit)
  }

/**
 * `Effect.timeoutOrElse` on the shared timer, with one fiber instead of two: every request has a timeout, and hardly any request
 * times out.
 */
export const within = <A, E, R, E2, R2>(
  self: Effect.Effect<A, E, R>,
  millis: number,
  orElse: () => Effect.Effect<A, E2, R2>
): Effect.Effect<A, E | E2, R | R2> =>
  millis === Infinity ? self : Effect.suspend(() => {
    let timeout: Timeout | undefined
    const ended = Effect.callback<A, E, R>((resume) => {
      const parent = Fiber.getCurrent()!
      const fiber = Effect.runForkWith(parent.context as Context.Context<R>)(self)
      const exit = fiber.pollUnsafe()
      if (exit !== undefined) return resume(exit)
      const timers = of(parent)
      timeout = { due: 0, index: -1, wake: interrupt, fiber, isLate: false }
      fiber.addObserver(ending(timers, timeout, resume))
      timers.add(timeout, millis)
      return Fiber.interrupt(fiber)
    })
    return Effect.catchCause(ended, (cause): Effect.Effect<A, E | E2, R2> =>
      timeout?.isLate === true && Cause.hasInterrupts(cause) ? orElse() : Effect.failCause(cause))
  })
