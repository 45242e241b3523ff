import { describeKind } from "./kind.ts"
import { places } from "./reached.ts"

// Some inputs replace globalDispatcher, so this file runs in a process of its own
describeKind("a create is wrongly counted as never sent or as without a run, or the reverse", places)
