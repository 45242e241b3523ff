/**
 * Tela: everything about one provider, from one import.
 *
 * @since 0.1.0
 */
export type {
  ApplicationId,
  Canvas,
  Canvases,
  CanvasOrVersion,
  Execution,
  OutputOf,
  Result,
  Schemas,
  SyncError,
  Variables,
  VariablesOf,
  Workstation
} from "./TelaCanvas.ts"
export * from "./TelaClient.ts"
export type { CompletionRunFilters, CompletionRuns } from "./TelaCompletionRuns.ts"
export {
  type AsyncExecution,
  type AsyncParams,
  type CanvasRunError,
  type CreatedExecution,
  type CreatedParams,
  type DynamicParams,
  type ExecuteError,
  type ExecuteParams,
  type ExecutionEvent,
  type ExecutionInfo,
  type ExecutionSnapshot,
  type ExecutionStatus,
  type GetExecutionParams,
  type PollParams,
  provider,
  type ResultError,
  type RunParams,
  type SyncExecution,
  type SyncParams,
  type TaskParams,
  type TelaDuration,
  type VersionParams,
  type WebhookParams
} from "./TelaExecution.ts"
export { file, fileFromPath, type FileOptions, FileSchema, isTelaFile, type TelaFile } from "./TelaFile.ts"
export * from "./TelaSchema.ts"
export type {
  DynamicStreamParams,
  StreamError,
  StreamExecution,
  StreamParams,
  StreamPart,
  StreamStatus
} from "./TelaStream.ts"
export type { NewTask, TaskFilters, TaskPatch, TaskProgressFilters, Tasks, TaskTarget } from "./TelaTasks.ts"
export type { Vault } from "./TelaVault.ts"
export type { Environments, Versions } from "./TelaVersions.ts"
export { constructEvent, layerWebhookRoute, type RequestHeaders, webhookHeader, webhookHeaders } from "./TelaWebhook.ts"
