/** The examples of tests are tests. */
import "../../examples/08-testing.test.ts"
import "../../examples/19-testing-streams.test.ts"
