/**
 * Tela: everything about one provider, from one import.
 *
 * @since 0.1.0
 */
export * from "./TelaCanvas.ts"
export * from "./TelaCanvasSchema.ts"
export * from "./TelaClient.ts"
export type { CompletionRunFilters, CompletionRuns } from "./TelaCompletionRuns.ts"
export * from "./TelaExecution.ts"
export { file, fileFromPath, type FileOptions, FileSchema, isTelaFile, type TelaFile } from "./TelaFile.ts"
export * from "./TelaPage.ts"
export * from "./TelaSchema.ts"
export * from "./TelaStream.ts"
export * from "./TelaTags.ts"
export * from "./TelaTasks.ts"
export type { Vault } from "./TelaVault.ts"
export type { Environments, Versions } from "./TelaVersions.ts"
export { constructEvent, layerWebhookRoute, type RequestHeaders, webhookHeader, webhookHeaders } from "./TelaWebhook.ts"
