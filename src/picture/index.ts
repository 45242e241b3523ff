/**
 * Pictures of runs: their progress on a terminal.
 *
 * @since 0.1.0
 */
export * as Progress from "./Progress.ts"
export * as Screen from "./Screen.ts"
