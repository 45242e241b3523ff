import { describeKind } from "./kind.ts"
import { places } from "./transports.ts"

describeKind("a platform or a transport is used as if it were another one", places)
