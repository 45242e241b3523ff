import { describeKind } from "./kind.ts"
import { places } from "./success-executions.ts"

describeKind("success of executions and tasks", places)
