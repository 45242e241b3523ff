/**
 * Modules that need Node. On another runtime, this entry point throws an error that names an alternative.
 *
 * @since 0.1.0
 */
export * as NodeHttp from "./NodeHttp.ts"

/**
 * A database in one file, on the `node:sqlite` of the platform.
 *
 * @since 0.1.0
 */
export * as NodeSqlite from "./NodeSqlite.ts"
