import { describeKind } from "./kind.ts"
import { places } from "./success-stream.ts"

describeKind("a stream or a synchronous answer is taken for a success, or for complete, that is not", places)
