/**
 * Exports everything about Spine from one module.
 *
 * @since 0.1.0
 */
export type { Artifacts, DownloadedArtifact } from "./SpineArtifacts.ts"
export type { Canvases } from "./SpineCanvases.ts"
export * from "./SpineCanvasSchema.ts"
export * from "./SpineClient.ts"
export {
  type CreatedRun,
  type CreateRunParams,
  defaultWait,
  isTerminal,
  provider,
  type Runs,
  type RunTarget,
  type SharedRun,
  type WaitOptions
} from "./SpineRuns.ts"
export * from "./SpineSchema.ts"
export { constructEvent, layerWebhookRoute, signWebhook, type WebhookEvent, type WebhookRun } from "./SpineWebhook.ts"
