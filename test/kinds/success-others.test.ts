import { describeKind } from "./kind.ts"
import { places } from "./success-others.ts"

describeKind("an answer about another run is read as one about this run", places)
