import { describeKind } from "./kind.ts"
import { places } from "./defects-time.ts"

describeKind("a call lasts longer than its timeout", places)
