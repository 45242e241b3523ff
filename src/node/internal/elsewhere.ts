/**
 * Stands in for `canvas-runs/node` and its modules where the `exports` of the package find no Node. It has their names,
 * so that an import of one gets as far as the message. Bun gets it too: what it has under the name of undici lacks the
 * client.
 */
import { message } from "./requirement.ts"

const elsewhere = (): never => {
  throw new Error(message("this is neither"))
}

export const NodeHttp: never = elsewhere()
export const layer: never = NodeHttp
