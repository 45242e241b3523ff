/** The facts about Tela that rudeness depends on. */
import { isObject } from "../json.ts"
import * as rude from "../rude/http.ts"

export const rudeProfile: rude.Profile = {
  members: {
    essential: rude.words(
      "id status object output_content outputContent choices message data taskId steps code url " +
        "uploadUrl"
    ),
    opaque: new Set(["content", "variables", "output", "input", "raw_input", "rawInput", "raw_output", "rawOutput"])
  },
  isPoll: ({ method, path }) =>
    method === "GET" && /^\/v2\/chat\/completions\/[^/]+$|^\/task\/(?!progress$)[^/]+$/.test(path),
  isCreate: ({ method, path }) => method === "POST" && (path === "/v2/chat/completions" || path === "/task"),
  hasOddMembers: (path) => /^\/(?:v2\/chat\/completions|task)(?:\/|$)/.test(path),
  adjust: (body, { has, unknownStatus }) => {
    if (!isObject(body)) return body
    const { choices, status } = body
    return {
      ...body,
      ...(unknownStatus && (status === "running" || status === "created") ? { status: rude.unknownStatus } : {}),
      ...(Array.isArray(choices)
        ? {
          choices: [
            ...choices.map((choice: unknown) =>
              isObject(choice) && has("emptyFinishReason") ? Object.assign({}, choice, { finish_reason: "" }) : choice
            ),
            ...(has("severalChoices")
              ? [{ index: 1, message: { role: "assistant", content: "another" }, finish_reason: "length" }]
              : [])
          ]
        }
        : {})
    }
  }
}
