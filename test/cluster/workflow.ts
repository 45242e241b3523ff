/** The workflow that the runners of the cluster test execute, and the layers of a runner and of its client. */
import { NodeClusterSocket } from "@effect/platform-node"
import { Layer, Option, Schema } from "effect"
import { ClusterWorkflowEngine, RunnerAddress } from "effect/cluster"
import { Workflow } from "effect/workflow"
import { DurableRun } from "canvas-runs/workflow"
import { postgresLayer } from "../support/databases.ts"

export const Report = Workflow.make("Report", {
  payload: { topic: Schema.String },
  success: Schema.String,
  error: DurableRun.Error,
  idempotencyKey: ({ topic }) => topic
})

/**
 * The points at which a runner is killed, in the order in which a run passes them: before the claim is written, before the request, before the
 * response, before the ref is written, before the engine has the ref, and when a run is polled.
 */
export const points = [
  "before the claim",
  "claim to request",
  "request to response",
  "response to outcome",
  "outcome to reply",
  "poll"
] as const

export type Point = typeof points[number]

/** The providers. Spine cannot list its runs. The unknown creates of Tela are looked up by their tags. */
export type Provider = "spine" | "tela"

export const canvasId = "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11"

export interface RunnerOptions {
  readonly provider: Provider
  readonly databaseUrl: string
  readonly baseUrl: string
  readonly port: number
  /** Whether the creates are claimed in the database, or in memory, which is wrong with several processes. */
  readonly claims: boolean
  /** How long a create may take. After that its outcome is unknown. */
  readonly createTimeout: `${number} seconds`
  /** The point at which the runner kills itself, and the number of the pass, counted without passes during another create. */
  readonly death?: { readonly point: Point; readonly nth: number } | undefined
}

/** Short times, so that the work of a dead runner goes to another one within seconds. */
const shardingConfig = (port: number) => ({
  runnerAddress: Option.some(RunnerAddress.make("127.0.0.1", port)),
  shardsPerGroup: 30,
  shardLockExpiration: "6 seconds",
  shardLockRefreshInterval: "1 second",
  refreshAssignmentsInterval: "1 second",
  entityMessagePollInterval: "1 second",
  entityReplyPollInterval: "500 millis",
  sendRetryInterval: "200 millis",
  runnerHealthCheckInterval: "1 second"
} as const)

/** A node of the cluster: a runner, or only a client, which runs no entities. */
export const cluster = (
  options: { readonly databaseUrl: string; readonly port: number; readonly clientOnly: boolean }
) =>
  ClusterWorkflowEngine.layer.pipe(
    Layer.provideMerge(
      options.clientOnly
        ? NodeClusterSocket.layer({ clientOnly: true, shardingConfig: shardingConfig(options.port) })
        : NodeClusterSocket.layer({ shardingConfig: shardingConfig(options.port) })
    ),
    Layer.provideMerge(postgresLayer(options.databaseUrl)),
    Layer.orDie
  )
