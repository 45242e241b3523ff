/**
 * Replaces `canvas-runs/node` and its modules where the `exports` of the package find no Node. It exports the same names, so that
 * an import of one shows the message. Bun gets it too, because Bun's own `undici` module lacks the client.
 */
import { message } from "./requirement.ts"

const elsewhere = (): never => {
  throw new Error(message("this is neither"))
}

export const NodeHttp: never = elsewhere()
export const layer: never = NodeHttp
