import { places } from "./defects-schemas.ts"
import { describeKind } from "./kind.ts"

describeKind("a schema or a function of the caller causes a defect", places)
