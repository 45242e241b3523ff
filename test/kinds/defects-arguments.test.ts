import { places } from "./defects-arguments.ts"
import { describeKind } from "./kind.ts"

describeKind("an argument or a service of the caller causes a defect", places)
