/** The CPU time of drawing a canvas, by its size, and how the work of the layout grows. */
import { Picture, Report } from "canvas-runs/picture"
import { layout } from "../../src/picture/internal/layout.ts"
import * as Canvases from "../picture/canvases.ts"
import * as Random from "../support/random.ts"
import { type Benchmark, type Result, sample } from "./measure.ts"

const cpuMillis = (run: () => unknown): number => {
  const before = process.cpuUsage()
  run()
  const { system, user } = process.cpuUsage(before)
  return (user + system) / 1000
}

const shapes = ["rounds", "random", "star", "long"]

export const benchmark: Benchmark = {
  name: "picture",
  run: async ({ progress, quick }) => {
    const canvasOf = (blocks: number, shape = "rounds") =>
      Canvases.make(blocks, Canvases.shapes[shape]!(blocks, Random.make(1)))
    const results: Array<Result> = []
    const rounds = quick ? 5 : 30
    for (const blocks of [50, 500, 5000]) {
      progress(`${blocks} blocks`)
      const canvas = canvasOf(blocks)
      const history = Canvases.historyOf(canvas)
      const drawings: Readonly<Record<string, () => unknown>> = {
        svg: () => Picture.svg(canvas, { history }),
        mermaid: () => Picture.mermaid(canvas, { history }),
        "terminal rows": () => Picture.rows(canvas, { history, columns: 120, colors: true }),
        report: () => Report.spine({ status: "failed", run_id: "1", errors: [] }, { canvas, history })
      }
      for (const [name, draw] of Object.entries(drawings)) {
        results.push({
          measure: `CPU time to draw ${blocks} blocks and ${canvas.edges.length} edges: ${name}`,
          unit: "ms",
          ours: sample(Canvases.range(blocks > 500 ? Math.ceil(rounds / 5) : rounds).map(() => cpuMillis(draw))),
          peers: {},
          targets: blocks === 500 ? [{ atMost: 50 }] : []
        })
      }
    }
    for (const shape of shapes) {
      const steps = (blocks: number) => {
        const edges = Canvases.shapes[shape]!(blocks, Random.make(1)).filter(([source, target]) => source !== target)
        const sizes = { length: 208, breadth: 56, layerGap: 52, boxGap: 16, rowLength: 1040 }
        return layout(blocks, edges, sizes).steps / (blocks + edges.length)
      }
      results.push({
        measure: `steps of the layout for each block and edge of 5000 blocks (${shape}), beside 500`,
        unit: "steps",
        ours: sample([steps(5000)]),
        peers: { "500 blocks": sample([steps(500)]) },
        targets: [{ peer: "500 blocks", atMost: 2 }]
      })
    }
    return results
  }
}
