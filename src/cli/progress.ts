/** Shows how far runs are, on standard error: live on a terminal, and elsewhere as a line for each change. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"
import type * as Stdio from "effect/Stdio"
import * as History from "../picture/History.ts"
import * as Picture from "../picture/Picture.ts"
import * as Progress from "../picture/Progress.ts"
import * as Screen from "../picture/Screen.ts"
import type { Canvas } from "../spine/SpineCanvasSchema.ts"
import type { Named } from "./names.ts"
import { Outages } from "./outage.ts"
import { Output, type RunLine } from "./output.ts"
import { format } from "./refText.ts"
import * as Terminal from "./terminal.ts"

/** Shows a state of a run, and the canvas that the run has built so far. */
export type Show = (line: RunLine, canvas?: Canvas) => Effect.Effect<void>

/** A run that is shown. */
interface Shown extends Progress.Run {
  readonly provider: string
  readonly isTerminal: boolean
}

/** What is shown, by the names of the runs. */
interface View {
  readonly runs: ReadonlyMap<string, Shown>
  readonly canvases: ReadonlyMap<string, { readonly canvas: Canvas; readonly history: History.History }>
}

/** Makes the view of these runs, until the scope closes. */
export const make = (runs: ReadonlyArray<Named>): Effect.Effect<Show, never, Output | Scope.Scope | Stdio.Stdio> =>
  Effect.map(open(runs, lines), showOn)

/** The view of a batch: only the runs in flight, and only on a terminal, because each outcome is printed anyway. */
export const ofBatch: Effect.Effect<
  { readonly show: Show; readonly hide: (key: string) => Effect.Effect<void> },
  never,
  Output | Scope.Scope | Stdio.Stdio
> = Effect.suspend(() =>
  Effect.map(open([], () => new Map()), (screen) => ({
    show: showOn(screen),
    hide: (key) =>
      screen.update((view) => {
        const runs = new Map(view.runs)
        runs.delete(key)
        return { ...view, runs }
      })
  }))
)

const open = (
  runs: ReadonlyArray<Named>,
  lines: (view: View) => ReadonlyMap<string, string>
): Effect.Effect<Screen.Screen<View>, never, Output | Scope.Scope | Stdio.Stdio> =>
  Effect.gen(function*() {
    const { above } = yield* Output
    const startedAt = yield* Clock.currentTimeMillis
    const outages = yield* Outages
    const screen = yield* Terminal.onStandardError(Screen.make<View>({
      initial: {
        runs: new Map(runs.map((run) => {
          const name = nameOf(run)
          return [name, { name, status: waiting, startedAt, provider: run.ref.provider, isTerminal: false }]
        })),
        canvases: new Map()
      },
      rows: (view, frame) => rows(view, frame, outages.providers),
      lines
    }))
    yield* above(screen)
    return screen
  })

const showOn = (screen: Screen.Screen<View>): Show => (line, canvas) =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    screen.update(({ canvases, runs }) => {
      const name = nameOf(line)
      return {
        runs: new Map(runs).set(name, changed(runs.get(name), line, now)),
        canvases: canvas === undefined
          ? canvases
          : new Map(canvases).set(name, {
            canvas,
            history: History.observe(canvases.get(name)?.history, canvas, now)
          })
      }
    }))

const nameOf = ({ key, ref }: Named): string => key ?? format(ref)

const changed = (earlier: Progress.Run | undefined, line: RunLine, now: number): Shown => {
  const { errors = [], progress = earlier?.progress, status } = line
  return {
    name: nameOf(line),
    status,
    progress,
    unit: "tasks",
    note: errors.join("; "),
    provider: line.ref.provider,
    isTerminal: line.isTerminal,
    ...times(earlier, line, now)
  }
}

/** When a run began and ended. A run that had ended before it was watched took the time that the provider states, if it does. */
const times = (
  earlier: Progress.Run | undefined,
  { isTerminal, ref, snapshot }: RunLine,
  now: number
): Pick<Progress.Run, "endedAt" | "startedAt"> => {
  const startedAt = ref.createdAt ?? earlier?.startedAt ?? now
  if (!isTerminal) return { startedAt }
  const duration = Predicate.hasProperty(snapshot, "duration_ms") ? snapshot.duration_ms : undefined
  if (Predicate.isNumber(duration)) return { startedAt, endedAt: startedAt + duration }
  return earlier === undefined || earlier.status === waiting ? {} : { startedAt, endedAt: now }
}

const waiting = "waiting"

/** The status of a run whose provider does not answer. */
const noAnswer = "no answer"

/** A row for each run, and below them the canvases, which share the other rows of the screen. */
const rows = (
  { canvases, runs }: View,
  frame: Screen.Frame,
  outages: ReadonlySet<string>
): ReadonlyArray<string> => {
  const progress = Progress.rows(
    Array.from(
      runs.values(),
      (run) => !run.isTerminal && outages.has(run.provider) ? { ...run, status: noAnswer } : run
    ),
    frame
  )
  const titles = canvases.size > 1 ? 1 : 0
  const share = Math.floor(((frame.rows ?? Infinity) - progress.length) / canvases.size) - titles
  if (!(share >= 1)) return progress
  return [
    ...progress,
    ...Array.from(canvases).flatMap(([name, { canvas, history }]) => {
      const picture = Picture.rows(canvas, { ...frame, rows: share, history })
      return titles === 0 ? picture : [name].concat(picture)
    })
  ]
}

/** A line for each run and for each block. */
const lines = ({ canvases, runs }: View): ReadonlyMap<string, string> =>
  new Map([
    ...Progress.lines(runs.values()),
    ...Array.from(canvases).flatMap(([name, { canvas }]) =>
      canvas.nodes.map((block) =>
        [`${name}/${block.id}`, `${name}: ${block.name} (${block.type}) ${block.status}`] as const
      )
    )
  ])
