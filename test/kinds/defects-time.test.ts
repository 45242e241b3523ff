import { describeKind } from "./kind.ts"
import { places } from "./defects-time.ts"

describeKind("nothing from outside makes a call last longer than its time", places)
