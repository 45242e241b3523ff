/** The CPU time of drawing a canvas, by its size, and how the work of the layout grows. */
import { Picture, Report } from "canvas-runs/picture"
import { layout } from "../../src/picture/internal/layout.ts"
import * as Canvases from "../picture/canvases.ts"
import * as Random from "../support/random.ts"
import { type Benchmark, cpuMicros, interleave, type Result, sample } from "./measure.ts"

const cpuMillis = (run: () => unknown) => (): number => {
  const before = cpuMicros()
  run()
  return (cpuMicros() - before) / 1000
}

const shapes = ["rounds", "random", "star", "long"]

const canvasOf = (blocks: number) => Canvases.make(blocks, Canvases.shapes["rounds"]!(blocks, Random.make(1)))

/** How many steps the layout takes for each block and edge. */
const stepsOf = (shape: string, blocks: number) => {
  const edges = Canvases.shapes[shape]!(blocks, Random.make(1)).filter(([source, target]) => source !== target)
  const sizes = { length: 208, breadth: 56, layerGap: 52, boxGap: 16, rowLength: 1040 }
  return sample([layout(blocks, edges, sizes).steps / (blocks + edges.length)])
}

export const benchmark: Benchmark = {
  name: "picture",
  run: async ({ progress, quick }) => {
    const results: Array<Result> = []
    for (const [blocks, rounds] of [[50, 101], [500, 15], [5000, 3]] as const) {
      progress(`${blocks} blocks`)
      const canvas = canvasOf(blocks)
      const history = Canvases.historyOf(canvas)
      const drawings = await interleave(quick ? 3 : rounds, {
        svg: cpuMillis(() => Picture.svg(canvas, { history })),
        mermaid: cpuMillis(() => Picture.mermaid(canvas, { history })),
        "terminal rows": cpuMillis(() => Picture.rows(canvas, { history, columns: 120, colors: true })),
        report: cpuMillis(() => Report.spine({ status: "failed", run_id: "1", errors: [] }, { canvas, history }))
      })
      for (const [name, ours] of Object.entries(drawings)) {
        results.push({
          measure: `CPU time to draw ${blocks} blocks and ${canvas.edges.length} edges: ${name}`,
          unit: "ms",
          ours,
          peers: {},
          targets: blocks === 500 ? [{ atMost: 50 }] : []
        })
      }
    }
    return results
  },
  exact: async () =>
    shapes.map((shape) => ({
      measure: `steps of the layout for each block and edge of 5000 blocks (${shape}), beside 500`,
      unit: "steps",
      ours: stepsOf(shape, 5000),
      peers: { "500 blocks": stepsOf(shape, 500) },
      targets: [{ peer: "500 blocks", atMost: 2 }]
    }))
}
