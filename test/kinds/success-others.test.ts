import { describeKind } from "./kind.ts"
import { places } from "./success-others.ts"

describeKind("an answer about another run is taken for one about this run", places)
