import { assert, describe, it } from "@effect/vitest"
import { type Result, sample, type Target } from "./measure.ts"
import { combine, decode, encode, figure, judge, judgeAll, merge, type Row, type Section, spread } from "./results.ts"

const result = (ours: ReadonlyArray<number>, peer: ReadonlyArray<number>, more: Partial<Result> = {}): Result => ({
  measure: "CPU per poll",
  unit: "µs",
  ours: sample(ours),
  peers: { loop: sample(peer) },
  targets: [{ peer: "loop", atMost: 1 }],
  ...more
})

const row = (ours: ReadonlyArray<number>, ...targets: ReadonlyArray<Target>): Row => ({
  measure: "CPU per poll",
  unit: "µs",
  ours: figure(ours),
  peers: {},
  targets
})

const section = (name: string, ...rows: ReadonlyArray<Row>): Section => ({
  name,
  date: "2026-11-26",
  machine: "a machine",
  runs: 3,
  isQuick: false,
  rows
})

describe("the runs of a benchmark", () => {
  it("a value is the median of the medians of the runs", () => {
    const [{ ours }] = combine([result([1, 2, 9], [1, 1, 1]), result([4, 4, 4], [1, 1, 1])].map((one) => [one])) as [
      Row
    ]
    assert.deepStrictEqual(ours, { value: 3, runs: [2, 4] })
  })

  it("a ratio is the median over the runs of the median over the rounds, and not the ratio of two medians", () => {
    const runs = [result([10, 20, 30], [10, 10, 10]), result([10, 10], [20, 10]), result([5], [1])]
    const [{ peers }] = combine(runs.map((one) => [one])) as [Row]
    assert.deepStrictEqual(peers["loop"]!.ratio, { value: 2, runs: [2, 0.75, 5] })
    assert.deepStrictEqual(peers["loop"]!.runs, [10, 15, 1])
  })

  it("rows are found by their measure, also in another order", () => {
    const [one, two] = [result([1], [1]), result([2], [1], { measure: "heap" })]
    const rows = combine([[one, two], [two, one]])
    assert.deepStrictEqual(rows.map(({ measure, ours }) => [measure, ours.runs]), [["CPU per poll", [1, 1]], [
      "heap",
      [2, 2]
    ]])
  })

  it("a later run without a row is an error", () => {
    assert.throws(() => combine([[result([1], [1])], []]), "a later run has no row \"CPU per poll\"")
  })

  it("rows that are the same in every run follow the others, and are marked", () => {
    const rows = combine([[result([1], [1])]], [result([2], [1], { measure: "size" })])
    assert.deepStrictEqual(rows.map(({ isExact, measure }) => [measure, isExact]), [["CPU per poll", undefined], [
      "size",
      true
    ]])
  })

  it("the spread is the range of the runs in percent of their median", () => {
    assert.strictEqual(spread(figure([90, 100, 120])), 30)
    assert.strictEqual(spread(figure([0, 0, 0])), 0)
    assert.isUndefined(spread(figure([5])))
  })
})

describe("a target", () => {
  const verdictOf = (runs: ReadonlyArray<number>, target: Target) => {
    const { isMet, isWithinSpread } = judge(row(runs, target), target)
    return [isMet, isWithinSpread]
  }

  it("is met at its bound, and missed beyond it", () => {
    assert.deepStrictEqual(verdictOf([2], { atMost: 2 }), [true, false])
    assert.deepStrictEqual(verdictOf([2.01], { atMost: 2 }), [false, false])
    assert.deepStrictEqual(verdictOf([2], { atLeast: 2 }), [true, false])
    assert.deepStrictEqual(verdictOf([1.99], { atLeast: 2 }), [false, false])
  })

  it("is within the spread if its bound is as near to the value as the runs are to each other", () => {
    assert.deepStrictEqual(verdictOf([1.8, 1.9, 2.2], { atMost: 2 }), [true, true])
    assert.deepStrictEqual(verdictOf([2, 2.1, 2.2], { atMost: 2 }), [false, true])
    assert.deepStrictEqual(verdictOf([2.5, 2.6, 2.7], { atMost: 2 }), [false, false])
    assert.deepStrictEqual(verdictOf([2, 2, 2], { atMost: 2 }), [true, false])
  })

  it("with a peer is about the ratio, and without one about our value", () => {
    const [measured] = combine([[result([30], [20])]]) as [Row]
    assert.strictEqual(judge(measured, { peer: "loop", atMost: 1 }).figure.value, 1.5)
    assert.strictEqual(judge(measured, { atMost: 1 }).figure.value, 30)
  })

  it("with an unknown peer or without a bound is an error", () => {
    assert.throws(() => judge(row([1]), { peer: "lop", atMost: 1 }), "\"CPU per poll\" has no peer \"lop\"")
    assert.throws(() => judge(row([1]), {}), "a target of \"CPU per poll\" has no bound")
  })
})

describe("the saved sections", () => {
  const order = ["waiting", "streams", "polling"]

  it("a section that was not measured keeps its data, and the order is that of the benchmarks", () => {
    const merged = merge(
      [section("polling", row([1])), section("waiting", row([1]))],
      [section("streams", row([2])), section("polling", row([2]))],
      order
    )
    assert.deepStrictEqual(merged.map(({ name, rows }) => [name, rows[0]!.ours.value]), [["waiting", 1], [
      "streams",
      2
    ], ["polling", 2]])
  })

  it("are the same after they were written as JSON and read again", () => {
    const sections = [section("waiting", ...combine([[result([1.23456], [3])]], [result([2], [1])])), section("empty")]
    assert.deepStrictEqual(decode(encode(sections)), sections)
    assert.deepStrictEqual(decode(encode([])), [])
  })

  it("have a verdict for each target", () => {
    const sections = [section("waiting", row([1], { atMost: 1 }, { atMost: 0.5 }), row([1]))]
    assert.deepStrictEqual(judgeAll(sections).map(({ isMet }) => isMet), [true, false])
  })
})
