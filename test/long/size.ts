/** How large a test is: `npm test` takes the short size of each, and `npm run test:long` the full one. */

export const isFull = process.env["CANVAS_RUNS_TEST_SIZE"] === "full"

/** The size of a test that has two. A file that calls this is run again by `npm run test:long`. */
export const size = <A>(short: A, full: A): A => isFull ? full : short
