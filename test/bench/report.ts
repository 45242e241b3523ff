/** The results as text for a terminal and as Markdown. */
import { type Figure, judge, judgeAll, type Row, type Section, spread, type Verdict } from "./results.ts"

export const digits = (value: number): string =>
  !Number.isFinite(value) ? String(value) : Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3)

export const spreadOf = (row: Row, figure: Figure): string => {
  if (row.isExact === true) return "exact"
  const percent = spread(figure)
  return percent === undefined ? "one run" : `${percent.toFixed(percent < 9.95 ? 1 : 0)} %`
}

const valueOf = ({ figure, target }: Verdict): string =>
  `${digits(figure.value)}${target.peer === undefined ? "" : "×"}`

const boundOf = ({ target: { atLeast, atMost, peer } }: Verdict): string =>
  [
    ...atMost === undefined ? [] : [`≤ ${Number(atMost.toPrecision(6))}`],
    ...atLeast === undefined ? [] : [`≥ ${Number(atLeast.toPrecision(6))}`]
  ].join(", ") + (peer === undefined ? "" : `× ${peer}`)

const verdictOf = ({ isMet, isWithinSpread }: Verdict): string =>
  `${isMet ? "met" : "missed"}${isWithinSpread ? ", within the spread" : ""}`

const reasonOf = ({ target }: Verdict): string => target.reason ?? "no reason known"

/** When and where a section was measured, and in how many runs. */
const origin = ({ date, isQuick, machine, runs }: Section): string =>
  `${date}, ${machine}, ${runs === 1 ? "1 run" : `${runs} runs`}${isQuick ? " with few repetitions" : ""}`

/** A section for a terminal. */
export const text = (section: Section): string =>
  [
    `# ${section.name} (${origin(section)})`,
    ...section.rows.map((row) =>
      [
        `\n${row.measure} (${row.unit})`,
        `  canvas-runs: ${digits(row.ours.value)}, spread ${spreadOf(row, row.ours)}`,
        ...Object.entries(row.peers).map(([peer, theirs]) =>
          `  ${peer}: ${digits(theirs.value)}, ratio ${digits(theirs.ratio.value)}, spread ${
            spreadOf(row, theirs.ratio)
          }`
        ),
        ...row.targets.map((target) => {
          const verdict = judge(row, target)
          return `  ${verdictOf(verdict).replace("missed", "MISSED")}: ${valueOf(verdict)}, target ${boundOf(verdict)}`
        }),
        ...row.note === undefined ? [] : [`  ${row.note}`]
      ].join("\n")
    )
  ].join("\n")

/** The missed targets of the sections as a table, each with its reason below. */
export const misses = (sections: ReadonlyArray<Section>): string => {
  const lines = sections.flatMap((section) =>
    missed([section]).map((verdict) => ({
      cells: [
        `${section.name}: ${verdict.row.measure} (${verdict.row.unit})`,
        valueOf(verdict),
        boundOf(verdict),
        spreadOf(verdict.row, verdict.figure) + (verdict.isWithinSpread ? ", within the spread" : "")
      ],
      reason: reasonOf(verdict)
    }))
  )
  if (lines.length === 0) return "No target is missed."
  const heads = ["missed", "value", "target", "spread"]
  const widths = heads.map((head, column) => Math.max(head.length, ...lines.map(({ cells }) => cells[column]!.length)))
  const rowOf = (cells: ReadonlyArray<string>) => cells.map((cell, i) => cell.padEnd(widths[i]!)).join("  ").trimEnd()
  return [rowOf(heads), ...lines.map(({ cells, reason }) => `${rowOf(cells)}\n    ${reason}`)].join("\n")
}

const missed = (sections: ReadonlyArray<Section>) => judgeAll(sections).filter(({ isMet }) => !isMet)

/** How many targets are met, and where and when they were measured. */
export const summary = (sections: ReadonlyArray<Section>): string => {
  const verdicts = judgeAll(sections)
  const close = verdicts.filter(({ isWithinSpread }) => isWithinSpread).length
  const origins = [...new Set(sections.map(({ date, machine }) => `${machine}, ${date}`))]
  return [
    `${verdicts.filter(({ isMet }) => isMet).length} of ${verdicts.length} targets met` +
    (close === 0
      ? ""
      : `; ${
        close === 1 ? "1 is as near to its" : `${close} are as near to their`
      } bound as the runs are to each other`),
    ...origins
  ].join("\n")
}

const table = (heads: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => [
  `| ${heads.join(" | ")} |`,
  `| ${heads.map(() => "---").join(" | ")} |`,
  ...rows.map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`)
]

/** The whole of `results.md`. */
export const markdown = (sections: ReadonlyArray<Section>): string =>
  [
    "# Benchmark results",
    "",
    "`npm run bench -- --save` writes this file from `results.json`, a section at a time. A value is the median of the runs. A ratio is",
    "ours to the peer's: the median over the rounds of a run, and over the runs. The spread is the range of the runs in percent of their",
    "median: that of the figure that is judged, or of our value if the row has no target. A row is exact if it is the same in every run.",
    "",
    "## Missed targets",
    "",
    ...table(
      ["benchmark", "measure", "value", "target", "spread", "reason"],
      sections.flatMap((section) =>
        missed([section]).map((verdict) => [
          section.name,
          `${verdict.row.measure} (${verdict.row.unit})`,
          valueOf(verdict),
          boundOf(verdict),
          spreadOf(verdict.row, verdict.figure) + (verdict.isWithinSpread ? ", within the spread" : ""),
          reasonOf(verdict)
        ])
      )
    ),
    "",
    `${summary(sections).split("\n", 1)[0]}.`,
    ...sections.flatMap((section) => [
      "",
      `## ${section.name}`,
      "",
      `${origin(section)}.`,
      "",
      ...table(
        ["measure", "canvas-runs", "peers", "targets", "spread"],
        section.rows.map((row) => {
          const verdicts = row.targets.map((target) => judge(row, target))
          const judged = verdicts.length === 0 ? [row.ours] : verdicts.map(({ figure }) => figure)
          return [
            `${row.measure} (${row.unit})`,
            digits(row.ours.value),
            Object.entries(row.peers).map(([peer, { ratio, value }]) =>
              `${peer} ${digits(value)} (${digits(ratio.value)}×)`
            )
              .join("<br>"),
            verdicts.map((verdict) => {
              const how = verdictOf(verdict)
              return `${verdict.isMet ? how : `**${how}**`}: ${valueOf(verdict)} (${boundOf(verdict)})`
            }).join("<br>"),
            [...new Set(row.isExact === true ? ["exact"] : judged.map((figure) => spreadOf(row, figure)))].join("<br>")
          ]
        })
      )
    ]),
    ""
  ].join("\n")
