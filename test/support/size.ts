/** Sizes of tests: `npm test` uses the short size, and `npm run test:long` the full one. */

export const isFull = process.env["CANVAS_RUNS_TEST_SIZE"] === "full"

/** The first of the seeds that a sample of the long runs takes. Without it a test uses its fixed seeds. */
export const sampleSeed: number | undefined = process.env["CANVAS_RUNS_TEST_SEED"] === undefined
  ? undefined
  : Number(process.env["CANVAS_RUNS_TEST_SEED"])

/** Picks the size of a test. `npm run test:long` runs every file that imports this module. */
export const size = <A>(short: A, full: A): A => isFull ? full : short
