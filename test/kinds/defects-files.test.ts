import { places } from "./defects-files.ts"
import { describeKind } from "./kind.ts"

describeKind("what moves files runs a caller's code, or descends into data from outside", places)
