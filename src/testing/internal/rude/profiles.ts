/** What rudeness has to know of each provider. */
import * as Predicate from "effect/Predicate"
import * as rude from "./http.ts"

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => Predicate.isObject(value)

const at = (value: unknown, ...names: ReadonlyArray<string>): unknown =>
  names.reduce<unknown>((inner, name) => isRecord(inner) ? inner[name] : undefined, value)

const without = (value: Readonly<Record<string, unknown>>, name: string): Record<string, unknown> => {
  const { [name]: _, ...rest } = value
  return rest
}

const words = (text: string): ReadonlySet<string> => new Set(text.split(" "))

export const spine: rude.Profile = {
  members: {
    essential: words(
      "success data error errors run_id canvas_id status result final_output artifacts id name type " +
        "download_url url nodes edges source_id target_id task_id task_type children completed " +
        "not_completed"
    ),
    opaque: new Set(["content"])
  },
  isPoll: ({ method, path }) => method === "GET" && /^\/v1\/run\/[^/]+$/.test(path),
  isCreate: ({ method, path }) => method === "POST" && path === "/v1/run",
  hasOddMembers: (path) => path.startsWith("/v1/"),
  adjust: (body, { has, method, shape, unknownStatus }) => {
    const data = at(body, "data")
    if (!isRecord(body) || !isRecord(data)) return body
    const { errors, status } = data
    // A create needs no status: a run that exists is running
    if (method === "POST" && shape === "missingFields") return { ...body, data: without(data, "status") }
    return {
      ...body,
      data: {
        ...data,
        ...(unknownStatus && status === "running" ? { status: rude.unknownStatus } : {}),
        ...(shape === "oddLists" && Array.isArray(errors) ? { errors: errors.map((entry) => at(entry, "error")) } : {}),
        ...(has("relativeLinks") && isRecord(data["result"]) ? { result: relativeLinks(data["result"]) } : {})
      }
    }
  }
}

const relativeLinks = (result: Readonly<Record<string, unknown>>) => {
  const { artifacts } = result
  return Array.isArray(artifacts)
    ? {
      ...result,
      artifacts: artifacts.map((artifact: unknown) =>
        isRecord(artifact)
          ? Object.assign({}, artifact, { download_url: rude.relative(String(artifact["download_url"])) })
          : artifact
      )
    }
    : result
}

export const tela: rude.Profile = {
  members: {
    essential: words(
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
    if (!isRecord(body)) return body
    const { choices, status } = body
    return {
      ...body,
      ...(unknownStatus && (status === "running" || status === "created") ? { status: rude.unknownStatus } : {}),
      ...(Array.isArray(choices)
        ? {
          choices: [
            ...choices.map((choice: unknown) =>
              isRecord(choice) && has("emptyFinishReason") ? Object.assign({}, choice, { finish_reason: "" }) : choice
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
