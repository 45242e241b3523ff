import { places } from "./defects-arguments.ts"
import { describeKind } from "./kind.ts"

describeKind("defects of arguments and of services of the caller", places)
