import { describeKind } from "./kind.ts"
import { places } from "./secrets.ts"

describeKind("a secret is shown", places)
