import { places } from "./defects-schemas.ts"
import { describeKind } from "./kind.ts"

describeKind("defects of the caller's schemas and functions", places)
