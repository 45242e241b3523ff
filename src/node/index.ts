/**
 * What needs Node: loaded anywhere else, it throws an error that names what to use there.
 *
 * @since 0.1.0
 */
export * as NodeHttp from "./NodeHttp.ts"
