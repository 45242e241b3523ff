import { places } from "./defects.ts"
import { describeKind } from "./kind.ts"

describeKind("what the caller or the server can make fail is no defect, and nothing hangs", places)
