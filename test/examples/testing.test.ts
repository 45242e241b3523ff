/** The example of a test is a test. */
import "../../examples/08-testing.test.ts"
