/**
 * What runs on Node alone.
 *
 * @since 0.1.0
 */
export * as NodeHttp from "./NodeHttp.ts"
