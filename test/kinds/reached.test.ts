import { describeKind } from "./kind.ts"
import { places } from "./reached.ts"

describeKind("a create is taken for never sent, or for without a run, or the reverse", places)
