/** How large a test is: `npm test` takes the short size of each, and `npm run test:long` the full one. */

export const isFull = process.env["CANVAS_RUNS_TEST_SIZE"] === "full"

/** The first of the seeds that a sample of the long runs takes. Without one, a test takes those that it always takes. */
export const sampleSeed: number | undefined = process.env["CANVAS_RUNS_TEST_SEED"] === undefined
  ? undefined
  : Number(process.env["CANVAS_RUNS_TEST_SEED"])

/** The size of a test that has two. A file that calls this is run again by `npm run test:long`. */
export const size = <A>(short: A, full: A): A => isFull ? full : short
