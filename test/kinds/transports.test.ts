import { describeKind } from "./kind.ts"
import { places } from "./transports.ts"

describeKind("the client works with what each platform and transport has", places)
