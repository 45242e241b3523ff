import { places } from "./files.ts"
import { describeKind } from "./kind.ts"

describeKind("a file, a name, a length or a link from outside is used unchecked", places)
