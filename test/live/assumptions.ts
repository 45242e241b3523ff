/**
 * The marked assumptions of the providers' contracts, and how one cheap run can check each. `held` is undefined if no exchange
 * decides it.
 */
import type { Exchange } from "./recorder.ts"
import { pathOf } from "./redact.ts"

export interface Verdict {
  readonly held: boolean | undefined
  /** The observation. It has statuses, names of members and counts, and no contents. */
  readonly saw: string
}

export interface Assumption {
  readonly provider: "spine" | "tela"
  readonly mark: string
  readonly assumption: string
  readonly judge: (seen: Seen) => Verdict
}

/** The data that the command has collected. */
export interface Seen {
  readonly exchanges: ReadonlyArray<Exchange>
  /** The outcomes of the steps that were run, by name. */
  readonly facts: Readonly<Record<string, unknown>>
}

const unseen = (saw = "not seen"): Verdict => ({ held: undefined, saw })
const verdict = (held: boolean, saw: string): Verdict => ({ held, saw })

const find = (seen: Seen, method: string, path: string, where: (exchange: Exchange) => boolean = () => true) =>
  seen.exchanges.filter((exchange) => exchange.method === method && pathOf(exchange.url) === path && where(exchange))

const json = (exchange: Exchange | undefined): Record<string, unknown> | undefined => {
  try {
    const value: unknown = JSON.parse(exchange?.body ?? "")
    return typeof value === "object" && value !== null ? value as Record<string, unknown> : undefined
  } catch {
    return undefined
  }
}

/** Every status of the exchanges is the expected one. */
const statuses = (exchanges: ReadonlyArray<Exchange>, expected: number): Verdict =>
  exchanges.length === 0
    ? unseen()
    : verdict(
      exchanges.every(({ status }) => status === expected),
      [...new Set(exchanges.map(({ status }) => status))].join(", ")
    )

const data = (exchange: Exchange | undefined): Record<string, unknown> | undefined =>
  json(exchange)?.["data"] as Record<string, unknown> | undefined

const runs = (seen: Seen) =>
  find(seen, "GET", "/v1/run/{id}", ({ status }) => status === 200).map((poll) => data(poll) ?? {})
const terminal = (seen: Seen) => runs(seen).find(({ status }) => status !== "running")
const membersOf = (value: unknown): ReadonlyArray<string> =>
  typeof value === "object" && value !== null ? Object.keys(value) : []
const only = (values: ReadonlyArray<unknown>, known: ReadonlyArray<string>): Verdict =>
  values.length === 0
    ? unseen()
    : verdict(values.every((value) => known.includes(String(value))), [...new Set(values.map(String))].join(", "))
/** Shows a value only if the contract has it. */
const typeName = (value: unknown): string => value === null ? "null" : Array.isArray(value) ? "array" : typeof value

const nodes = (seen: Seen): ReadonlyArray<Record<string, unknown>> =>
  find(seen, "GET", "/v1/canvas/{id}/dag", ({ status }) => status === 200)
    .flatMap((exchange) => (data(exchange)?.["nodes"] ?? []) as ReadonlyArray<Record<string, unknown>>)

const fact = (seen: Seen, name: string, expected: (value: unknown) => boolean): Verdict =>
  name in seen.facts ? verdict(expected(seen.facts[name]), String(seen.facts[name])) : unseen()

const spine = (mark: string, assumption: string, judge: Assumption["judge"]): Assumption => ({
  provider: "spine",
  mark,
  assumption,
  judge
})

const created = (seen: Seen) => find(seen, "POST", "/v1/run", ({ status }) => status < 300)
const probe = (name: string) => ({ sent }: Exchange) => sent["x-probe"] === name

export const spineAssumptions: ReadonlyArray<Assumption> = [
  spine("R1", "a create answers 200", (seen) => statuses(created(seen), 200)),
  spine("R2", "a blank prompt is 400", (seen) => statuses(find(seen, "POST", "/v1/run", probe("R2")), 400)),
  spine("R3", "a JSON body is 400", (seen) => statuses(find(seen, "POST", "/v1/run", probe("R3")), 400)),
  spine(
    "R4",
    "an unknown template is 400 although blocks are given",
    (seen) => statuses(find(seen, "POST", "/v1/run", probe("R4")), 400)
  ),
  spine(
    "R7",
    "the key is checked before the id",
    (seen) => statuses(find(seen, "GET", "/v1/run/not-a-uuid", probe("R7")), 401)
  ),
  spine(
    "R8",
    "an unknown canvas is 404",
    (seen) => statuses(find(seen, "GET", "/v1/canvas/{id}/dag", probe("R8")), 404)
  ),
  spine("R9", "a run id that is not a UUID is 400, and real ids are UUIDs", (seen) => {
    const refused = statuses(find(seen, "GET", "/v1/run/not-a-uuid", probe("R9")), 400)
    const isUuid = created(seen).every((exchange) => /^[0-9a-f-]{36}$/i.test(String(data(exchange)?.["run_id"])))
    return refused.held === undefined
      ? refused
      : verdict(refused.held && isUuid, `${refused.saw}, ids ${isUuid ? "are" : "are not"} UUIDs`)
  }),
  spine("R10", "an unknown route is 404", (seen) => statuses(find(seen, "GET", "/v1/nothing-here", probe("R10")), 404)),
  spine("S1", "canvas_id may be absent while the run is running", (seen) => {
    const running = runs(seen).filter(({ status }) => status === "running")
    return running.length === 0
      ? unseen()
      : verdict(true, [...new Set(running.map((run) => typeName(run["canvas_id"])))].join(", "))
  }),
  spine("S2", "a finished run has canvas_id, duration_ms, result and metadata", (seen) => {
    const run = terminal(seen)
    return run === undefined || run["status"] === "failed"
      ? unseen()
      : verdict(
        ["canvas_id", "duration_ms", "result", "metadata"].every((member) => run[member] != null),
        membersOf(run).join(", ")
      )
  }),
  spine("S3", "members that do not apply are left out", (seen) => {
    const all = runs(seen)
    const nulls = [...new Set(all.flatMap((run) => membersOf(run).filter((member) => run[member] === null)))]
    return all.length === 0
      ? unseen()
      : verdict(nulls.length === 0, nulls.length === 0 ? "no null" : `null: ${nulls.join(", ")}`)
  }),
  spine("S4", "template_used is text", (seen) => {
    const metadata = terminal(seen)?.["metadata"] as Record<string, unknown> | undefined
    return metadata === undefined
      ? unseen()
      : verdict(typeof metadata["template_used"] === "string", typeName(metadata["template_used"]))
  }),
  spine(
    "S6",
    "no status beyond the four",
    (seen) => only(runs(seen).map(({ status }) => status), ["running", "completed", "partial", "failed"])
  ),
  spine("S7", "a finished run has no progress", (seen) => {
    const run = terminal(seen)
    return run === undefined ? unseen() : verdict(run["progress"] === undefined, typeName(run["progress"]))
  }),
  spine(
    "A1",
    "artifacts download without the key, from absolute links",
    (seen) => fact(seen, "artifacts downloaded", (all) => all === true)
  ),
  spine(
    "A2",
    "size_bytes is the length of the download",
    (seen) => fact(seen, "artifact sizes agree", (all) => all === true)
  ),
  spine(
    "B1",
    "block states are idle, running, completed or error",
    (seen) => only(nodes(seen).map(({ status }) => status), ["idle", "running", "completed", "error"])
  ),
  spine("B2", "sources are objects", (seen) => {
    const sources = nodes(seen).flatMap((node) => (node["sources"] ?? []) as ReadonlyArray<unknown>)
    return sources.length === 0
      ? unseen()
      : verdict(sources.every((source) => typeName(source) === "object"), typeName(sources[0]))
  }),
  spine("B3", "content and url are text or null", (seen) => {
    const values = nodes(seen).flatMap((node) => [node["content"], node["url"]])
    return values.length === 0
      ? unseen()
      : verdict(
        values.every((value) => value === null || typeof value === "string"),
        [...new Set(values.map(typeName))].join(", ")
      )
  }),
  spine("B6", "a single task lists only its immediate children", (seen) => {
    const task = data(find(seen, "GET", "/v1/canvas/{id}/tasks/{id}", ({ status }) => status === 200)[0])
    const children = (task?.["children"] ?? []) as ReadonlyArray<Record<string, unknown>>
    return children.length === 0
      ? unseen()
      : verdict(
        children.every((child) => ((child["children"] ?? []) as ReadonlyArray<unknown>).length === 0),
        `${children.length} children`
      )
  }),
  spine("B7", "the task tree of a canvas is two arrays", (seen) => {
    const trees = find(seen, "GET", "/v1/canvas/{id}/tasks", ({ status }) => status === 200).map(data)
    return trees.length === 0
      ? unseen()
      : verdict(
        trees.every((tree) => Object.values(tree ?? {}).filter(Array.isArray).length === 2),
        membersOf(trees[0]).join(", ")
      )
  }),
  spine("K3", "estimated_duration_ms is 900000", (seen) => {
    const estimates = created(seen).map((exchange) => data(exchange)?.["estimated_duration_ms"])
    return estimates.length === 0
      ? unseen()
      : verdict(estimates.every((estimate) => estimate === 900_000), estimates.map(String).join(", "))
  })
]

/** The marks of the Spine contract that no run of a client can check, with the reasons. */
export const spineUncheckable: Readonly<Record<string, string>> = {
  "R5, R6": "texts of errors, which the client never reads",
  "S5, B4, B5": "need a run that fails, has files or is interrupted",
  "F1-F4": "need uploads up to the limits, which cost credits",
  "L1, L2": "need a load, or an account without credits",
  "T1-T10": "are about the client",
  "W1-W8": "need a webhook registered in the portal and a public address",
  "K1, K2": "need the portal"
}

const tela = (mark: string, assumption: string, judge: Assumption["judge"]): Assumption => ({
  provider: "tela",
  mark,
  assumption,
  judge
})

const completions = "/v2/chat/completions"
const polls = (seen: Seen) =>
  find(seen, "GET", `${completions}/{id}`, ({ status }) => status === 200).flatMap((
    exchange
  ): ReadonlyArray<Record<string, unknown>> => [json(exchange) ?? {}])
const asyncCreates = (seen: Seen) =>
  find(seen, "POST", completions, ({ requestBody }) => /"async":true/.test(requestBody ?? ""))
const streams = (seen: Seen) =>
  find(seen, "POST", completions, ({ requestBody }) => /"stream":true/.test(requestBody ?? "")).map(({ body }) => body)
const chunks = (seen: Seen): ReadonlyArray<Record<string, unknown>> =>
  streams(seen).flatMap((body) =>
    body.split(/\r?\n/).flatMap((line) => {
      if (!line.startsWith("data:") || line.includes("[DONE]")) return []
      try {
        return [JSON.parse(line.slice(5)) as Record<string, unknown>]
      } catch {
        return []
      }
    })
  )

export const telaAssumptions: ReadonlyArray<Assumption> = [
  tela("1", "polls are in snake case", (seen) => {
    const runs = polls(seen)
    return runs.length === 0
      ? unseen()
      : verdict(
        runs.every((run) => "output_content" in run),
        runs.some((run) => "outputContent" in run) ? "camel case" : "snake case"
      )
  }),
  tela("3", "a stream is server-sent events that end with [DONE]", (seen) => {
    const bodies = streams(seen)
    return bodies.length === 0
      ? unseen()
      : verdict(
        bodies.every((body) => /^data: ?\[DONE\]/m.test(body)),
        bodies.every((body) => body.includes("[DONE]")) ? "[DONE]" : "no [DONE]"
      )
  }),
  tela("4", "every chunk has the accumulated message", (seen) => {
    const all = chunks(seen)
    const have = all.filter(({ message }) => typeName(message) === "object").length
    return all.length === 0 ? unseen() : verdict(have === all.length, `${have} of ${all.length} chunks`)
  }),
  tela("6", "an execution of an application answers one task", (seen) => {
    const bodies = find(seen, "POST", completions, ({ requestBody }) => /"application_id"/.test(requestBody ?? ""))
    return bodies.length === 0
      ? unseen()
      : verdict(
        bodies.every((exchange) => !exchange.body.trimStart().startsWith("[")),
        bodies.map(({ body }) => body.trimStart().startsWith("[") ? "array" : "object").join(", ")
      )
  }),
  tela("8", "a finished task is validating", (seen) => {
    const states = find(seen, "GET", "/task/{id}", ({ status }) => status === 200).map((exchange) =>
      json(exchange)?.["status"]
    )
    return states.length === 0
      ? unseen()
      : verdict(states.at(-1) === "validating", [...new Set(states.map(String))].join(", "))
  }),
  tela("15", "lists are { data, meta }", (seen) => {
    const lists = find(seen, "GET", "/v1/completion-run", ({ status }) => status === 200)
    return lists.length === 0
      ? unseen()
      : verdict(
        lists.every((list) => Array.isArray(json(list)?.["data"]) && json(list)?.["meta"] !== undefined),
        membersOf(json(lists[0])).join(", ") || "an array"
      )
  }),
  tela("21", "tags are stored on the run", (seen) => {
    const runs = [
      ...asyncCreates(seen).flatMap((exchange): ReadonlyArray<Record<string, unknown>> => [json(exchange) ?? {}]),
      ...polls(seen)
    ]
    return runs.length === 0
      ? unseen()
      : verdict(runs.some((run) => Array.isArray(run["tags"])), runs.some((run) => "tags" in run) ? "tags" : "no tags")
  }),
  tela(
    "24",
    "files are uploaded through /v3/files",
    (seen) => statuses(find(seen, "POST", "/v3/files", ({ sent }) => sent["x-probe"] === undefined), 200)
  ),
  tela(
    "26",
    "/v3/files without x-compatibility-date is 400",
    (seen) => statuses(find(seen, "POST", "/v3/files", probe("26")), 400)
  ),
  tela(
    "status",
    "an asynchronous execution begins as created",
    (seen) => only(asyncCreates(seen).map((exchange) => json(exchange)?.["status"]), ["created", "running"])
  ),
  tela("request id", "every response has x-request-id", (seen) => {
    const own = seen.exchanges.filter(({ url }) => url.pathname.startsWith("/v"))
    return own.length === 0
      ? unseen()
      : verdict(
        own.every(({ headers }) => headers["x-request-id"] !== undefined),
        `${own.filter(({ headers }) => headers["x-request-id"] !== undefined).length} of ${own.length}`
      )
  }),
  tela("sync mark", "a synchronous answer has no finish_reason", (seen) => {
    const answers = find(
      seen,
      "POST",
      completions,
      ({ requestBody, status }) => status === 200 && !/"(?:async|stream)":true/.test(requestBody ?? "")
    )
    const choice = (answers.flatMap((answer) =>
      (json(answer)?.["choices"] ?? []) as ReadonlyArray<Record<string, unknown>>
    ))[0]
    return choice === undefined
      ? unseen()
      : verdict(choice["finish_reason"] === undefined, typeName(choice["finish_reason"]))
  })
]

/** The marks of the Tela contract that one run of a client cannot check, with the reasons. */
export const telaUncheckable: Readonly<Record<string, string>> = {
  "2": "needs a run that fails",
  "5, 11": "need a workflow",
  "7, 9, 10, 12-14": "need approvals, queues, or a webhook at a public address",
  "16-20, 22, 23, 25": "need other settings, loads or services",
  "27-37": "are about parts that the library leaves out, or about the client"
}
