import { describeKind } from "./kind.ts"
import { places } from "./success-executions.ts"

describeKind("an execution or a task is wrongly counted as succeeded or as ended", places)
