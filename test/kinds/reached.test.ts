import { describeKind } from "./kind.ts"
import { places } from "./reached.ts"

// Some inputs replace globalDispatcher, so this file runs in a process of its own
describeKind("a create is taken for never sent, or for without a run, or the reverse", places)
