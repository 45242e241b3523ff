/**
 * Durable runs on `effect/workflow` and `effect/cluster`.
 *
 * @since 0.1.0
 */
export * as DurableRun from "./DurableRun.ts"
export * as SpineWorkflow from "./SpineWorkflow.ts"
export * as TelaWorkflow from "./TelaWorkflow.ts"
export * as Waits from "./Waits.ts"
