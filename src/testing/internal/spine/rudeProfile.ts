/** The facts about Spine that rudeness depends on. */
import { isObject, type JsonObject } from "../json.ts"
import * as rude from "../rude/http.ts"

export const rudeProfile: rude.Profile = {
  members: {
    essential: rude.words(
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
    if (!isObject(body) || !isObject(data)) return body
    const { errors, status } = data
    // A create needs no status: a run that exists is running
    if (method === "POST" && shape === "missingFields") return { ...body, data: without(data, "status") }
    return {
      ...body,
      data: {
        ...data,
        ...(unknownStatus && status === "running" ? { status: rude.unknownStatus } : {}),
        ...(shape === "oddLists" && Array.isArray(errors) ? { errors: errors.map((entry) => at(entry, "error")) } : {}),
        ...(has("relativeLinks") && isObject(data["result"]) ? { result: relativeLinks(data["result"]) } : {})
      }
    }
  }
}

const relativeLinks = (result: JsonObject) => {
  const { artifacts } = result
  return Array.isArray(artifacts)
    ? {
      ...result,
      artifacts: artifacts.map((artifact: unknown) =>
        isObject(artifact)
          ? Object.assign({}, artifact, { download_url: rude.relative(String(artifact["download_url"])) })
          : artifact
      )
    }
    : result
}

const at = (value: unknown, name: string): unknown => isObject(value) ? value[name] : undefined

const without = (value: JsonObject, name: string): Record<string, unknown> => {
  const { [name]: _, ...rest } = value
  return rest
}
