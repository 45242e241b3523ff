import { places } from "./defects.ts"
import { describeKind } from "./kind.ts"

describeKind("a failure that a caller or a server can cause is a defect or a hang", places)
