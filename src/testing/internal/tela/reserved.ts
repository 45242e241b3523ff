/** What every Tela emulator has: a workspace, a person behind every key, and ids with a meaning. */
import type * as TelaScript from "../../TelaScript.ts"

/**
 * A canvas whose runs fail. The same id is its version's and its app's.
 *
 * @category constants
 * @since 0.1.0
 */
export const failingCanvasId = "00000000-0000-4000-8000-0000000fa11e"

/**
 * An id that is no canvas, no version and no app.
 *
 * @category constants
 * @since 0.1.0
 */
export const unknownCanvasId = "00000000-0000-4000-8000-000000000404"

/**
 * A canvas that is a workflow. The same id is its version's and its app's.
 *
 * @category constants
 * @since 0.1.0
 */
export const workflowCanvasId = "00000000-0000-4000-8000-00000000f10e"

/**
 * A canvas with a structured output, for the option `canvases`: it reads invoices, and answers
 * `{ total: 42, currency: "BRL" }` to everything. `npm run emulator` serves it.
 *
 * @category constants
 * @since 0.1.0
 */
export const invoiceCanvas: TelaScript.Canvas & { readonly id: string } = {
  id: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11",
  versionIds: ["0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11"],
  applicationId: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11",
  title: "Invoice reader",
  structuredOutput: {
    type: "object",
    properties: { total: { type: "number" }, currency: { type: "string" } },
    required: ["total", "currency"],
    additionalProperties: false
  },
  output: { total: 42, currency: "BRL" }
}

/**
 * The workspace that everything belongs to.
 *
 * @category constants
 * @since 0.1.0
 */
export const workspaceId = "00000000-0000-4000-8000-000000000001"

/**
 * Who everything is done by: the person behind every key.
 *
 * @category constants
 * @since 0.1.0
 */
export const user = "emulator@tela.example"
