import { places } from "./bounds.ts"
import { describeKind } from "./kind.ts"

describeKind("more is read, kept or quoted than has a bound", places)
