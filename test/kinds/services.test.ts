import { describeKind } from "./kind.ts"
import { places } from "./services.ts"

describeKind("a service of the context is ignored", places)
