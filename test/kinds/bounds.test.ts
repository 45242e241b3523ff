import { places } from "./bounds.ts"
import { describeKind } from "./kind.ts"

describeKind("foreign data is read, kept or quoted without a limit", places)
