import { places } from "./defects-files.ts"
import { describeKind } from "./kind.ts"

describeKind("a transfer of a file runs code of the caller, or descends into foreign data, without a guard", places)
