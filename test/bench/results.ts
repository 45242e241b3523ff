/** What several runs of a benchmark gave together: medians, spreads, and whether the targets are met. */
import { type Mark, ratio, type Result, sample, type Target } from "./measure.ts"

/** A value of each run, and their median. */
export interface Figure {
  readonly value: number
  readonly runs: ReadonlyArray<number>
}

export interface Row {
  readonly measure: string
  readonly unit: string
  /** The value is the same in every run, so it was measured once. */
  readonly isExact?: true
  readonly ours: Figure
  /** `ratio` is ours to the peer's. In each run it is the median over the rounds. */
  readonly peers: Readonly<Record<string, Figure & { readonly ratio: Figure }>>
  readonly targets: ReadonlyArray<Target>
  readonly note?: string
  readonly mark?: Mark
}

/** The rows of a benchmark, and how they were measured. */
export interface Section {
  readonly name: string
  /** Like `2026-11-26`. */
  readonly date: string
  readonly machine: string
  readonly runs: number
  readonly isQuick: boolean
  readonly rows: ReadonlyArray<Row>
}

/** Four digits are more than any figure is reproduced to. */
const round = (value: number): number => Number(value.toPrecision(4))

export const figure = (runs: ReadonlyArray<number>): Figure => ({
  value: round(sample(runs).median),
  runs: runs.map(round)
})

/** The rows of several runs. Texts that contain figures, such as notes and reasons, are those of the first run. */
export const combine = (
  runs: ReadonlyArray<ReadonlyArray<Result>>,
  exact: ReadonlyArray<Result> = []
): ReadonlyArray<Row> => [
  ...rowsOf(runs, false),
  ...rowsOf([exact], true)
]

const rowsOf = (
  [first = [], ...others]: ReadonlyArray<ReadonlyArray<Result>>,
  isExact: boolean
): ReadonlyArray<Row> =>
  first.map(({ mark, measure, note, ours, peers, targets, unit }): Row => {
    const all = [
      { ours, peers },
      ...others.map((results) => {
        const same = results.find((result) => result.measure === measure)
        if (same === undefined) throw new Error(`a later run has no row "${measure}"`)
        return same
      })
    ]
    const peersOf = (peer: string) =>
      all.map(({ ours, peers }) => {
        const theirs = peers[peer]
        if (theirs === undefined) throw new Error(`a run of "${measure}" has no peer "${peer}"`)
        return { theirs: theirs.median, ratio: ratio(ours, theirs) }
      })
    return {
      measure,
      unit,
      ...(isExact ? { isExact } : undefined),
      ours: figure(all.map(({ ours }) => ours.median)),
      peers: Object.fromEntries(
        Object.keys(peers).map((peer) => {
          const measured = peersOf(peer)
          return [peer, {
            ...figure(measured.map(({ theirs }) => theirs)),
            ratio: figure(measured.map(({ ratio }) => ratio))
          }]
        })
      ),
      targets,
      ...(note === undefined ? undefined : { note }),
      ...(mark === undefined ? undefined : { mark })
    }
  })

/** From the least to the greatest of the runs. */
export const range = ({ runs }: Figure): number => Math.max(...runs) - Math.min(...runs)

/** The range of the runs in percent of their median. `undefined` for one run. */
export const spread = (figure: Figure): number | undefined =>
  figure.runs.length < 2 ? undefined : range(figure) === 0 ? 0 : range(figure) / Math.abs(figure.value) * 100

export interface Verdict {
  readonly row: Row
  readonly target: Target
  /** What the target is about: the ratio to its peer, or our own value. */
  readonly figure: Figure
  readonly isMet: boolean
  /** The distance to the bound is at most the spread, so other runs may give another verdict. */
  readonly isWithinSpread: boolean
}

export const judge = (row: Row, target: Target): Verdict => {
  const peer = target.peer === undefined ? undefined : row.peers[target.peer]
  if (target.peer !== undefined && peer === undefined) throw new Error(`"${row.measure}" has no peer "${target.peer}"`)
  const bounds = [target.atMost, target.atLeast].filter((bound) => bound !== undefined)
  if (bounds.length === 0) throw new Error(`a target of "${row.measure}" has no bound`)
  const figure = peer?.ratio ?? row.ours
  const { value } = figure
  const distance = Math.min(...bounds.map((bound) => Math.abs(value - bound)))
  return {
    row,
    target,
    figure,
    isMet: value <= (target.atMost ?? Infinity) && value >= (target.atLeast ?? -Infinity),
    isWithinSpread: range(figure) > 0 && distance <= range(figure)
  }
}

export const judgeAll = (sections: ReadonlyArray<Section>): ReadonlyArray<Verdict> =>
  sections.flatMap(({ rows }) => rows.flatMap((row) => row.targets.map((target) => judge(row, target))))

/** Replaces the sections that were measured, and keeps the others. `order` is that of the names. */
export const merge = (
  saved: ReadonlyArray<Section>,
  measured: ReadonlyArray<Section>,
  order: ReadonlyArray<string>
): ReadonlyArray<Section> =>
  order.flatMap((name) =>
    measured.find((section) => section.name === name) ?? saved.find((section) => section.name === name) ?? []
  )

/** The sections as JSON, with a line for each row. */
export const encode = (sections: ReadonlyArray<Section>): string =>
  `[${
    sections.map(({ rows, ...section }) =>
      `\n${JSON.stringify(section).slice(0, -1)},"rows":[\n${rows.map((row) => JSON.stringify(row)).join(",\n")}\n]}`
    ).join(",")
  }\n]\n`

export const decode = (json: string): ReadonlyArray<Section> => JSON.parse(json) as ReadonlyArray<Section>
