/**
 * Pictures of runs: their progress on a terminal, the blocks of a canvas, and a page about a whole run.
 *
 * @since 0.1.0
 */
export * as History from "./History.ts"
export * as Picture from "./Picture.ts"
export * as Progress from "./Progress.ts"
export * as Report from "./Report.ts"
export * as Screen from "./Screen.ts"
