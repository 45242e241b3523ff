import { describeKind } from "./kind.ts"
import { places } from "./success-stream.ts"

describeKind("a stream or a synchronous answer is wrongly counted as a success or as complete", places)
