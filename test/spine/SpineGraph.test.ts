import { assert, it } from "@effect/vitest"
import { Effect, Graph } from "effect"
import { TestClock } from "effect/testing"
import { Spine } from "canvas-runs"
import { SpineEmulator } from "canvas-runs/testing"
import { fromCanvas } from "canvas-runs/spine/SpineGraph"
import { live } from "../support/spine.ts"

it.effect("a canvas is a graph in which each block comes after those that feed it", () =>
  Effect.gen(function*() {
    const spine = yield* Spine.SpineClient
    yield* (yield* SpineEmulator.SpineEmulator).script({ canvasIdAfter: 0 })
    const created = yield* spine.runs.create({ prompt: "x", template: "report" })
    const { canvas_id } = yield* spine.runs.retrieve(created)
    yield* TestClock.adjust("12 minutes")
    const canvas = yield* spine.canvases.getDag(canvas_id!)
    const graph = fromCanvas({
      ...canvas,
      edges: [...canvas.edges, { source_id: "unknown", target_id: canvas.nodes[0]!.id }]
    })
    assert.strictEqual(Graph.nodeCount(graph), canvas.nodes.length)
    assert.strictEqual(Graph.edgeCount(graph), canvas.edges.length)
    const order = Array.from(Graph.values(Graph.topo(graph)), ({ id }) => id)
    for (const { source_id, target_id } of canvas.edges) {
      assert.isBelow(order.indexOf(source_id), order.indexOf(target_id))
    }
  }).pipe(Effect.provide(live())))
