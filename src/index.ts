/**
 * canvas-runs: long AI jobs as Effect programs.
 *
 * @since 0.1.0
 */
export * as Artifact from "./Artifact.ts"
export * as Batch from "./Batch.ts"
export * as Budget from "./Budget.ts"
export * as ClientOptions from "./ClientOptions.ts"
export * as DurationHistory from "./DurationHistory.ts"
export * as FileInput from "./FileInput.ts"
export * as GenAiTelemetry from "./GenAiTelemetry.ts"
export * as Polling from "./Polling.ts"
export * as Run from "./Run.ts"
export * as RunError from "./RunError.ts"
export * as RunRef from "./RunRef.ts"
export * as RunSource from "./RunSource.ts"
export * as RunStore from "./RunStore.ts"
export * as Spine from "./spine/index.ts"
export * as Tela from "./tela/index.ts"
export * as Webhooks from "./Webhooks.ts"
