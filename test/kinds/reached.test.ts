import { describeKind } from "./kind.ts"
import { places } from "./reached.ts"

// Some inputs replace the global dispatcher, so this file runs in a separate process
describeKind("a create is wrongly counted as never sent or as without a run, or the reverse", places)
