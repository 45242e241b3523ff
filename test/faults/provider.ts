/** The good responses of both providers. */
import { encode, json, type Received, type Sending, whole } from "./play.ts"

export const ids = {
  run: "6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11",
  canvas: "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11",
  version: "7c1d2e3f-4a5b-4c6d-8e7f-9a0b1c2d3e4f",
  application: "5b8a3f8e-2b1c-4b8a-8d6f-3d1f0c2e4a55",
  execution: "b1a2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d",
  task: "c2b3d4e5-f6a7-4b8c-9d0e-1f2a3b4c5d6e",
  artifact: "d3c4e5f6-a7b8-4c9d-8e0f-2a3b4c5d6e7f",
  file: "e4d5f6a7-b8c9-4d0e-9f1a-3b4c5d6e7f80"
} as const

/** The credential, which must not appear outside of requests. */
export const secrets = {
  spine: "sk_spine_planted_secret_4711",
  tela: "tela_planted_secret_4711",
  /** The signature of a link: a secret while the link is valid. */
  link: "planted_signature_4711"
} as const

export type Model = "spine run" | "tela execution" | "tela task"

/** The state of a run. */
export type State =
  | { readonly is: "queued" | "running" | "completed" | "failed" | "unknown" | "completed without output" }
  | { readonly is: "running"; readonly done: number; readonly of: number }

export const output = { answer: "Grüße, 42 🎈" } as const

/** The file that each run makes. */
export const fileBytes = encode("0123456789abcdef".repeat(256))

export interface Provider {
  readonly filesOrigin: string
  /** The state of a run at its n-th poll. */
  readonly stateAt: (poll: number) => State
}

const link = ({ filesOrigin }: Provider, path: string): string => `${filesOrigin}${path}?signature=${secrets.link}`

/** The statuses of each provider for the states of a run. */
export const snapshot = (provider: Provider, model: Model, state: State): unknown => {
  const done = "done" in state ? state : { done: 1, of: 5 }
  switch (model) {
    case "spine run": {
      const head = { run_id: ids.run, canvas_id: ids.canvas }
      const data = {
        queued: { ...head, status: "queued" },
        running: {
          ...head,
          status: "running",
          progress: { tasks_completed: done.done, tasks_total: done.of, elapsed_ms: 1000 }
        },
        unknown: { ...head, status: "pondering" },
        failed: { ...head, status: "failed", errors: [{ error: "out of luck" }] },
        "completed without output": { ...head, status: "completed", duration_ms: 1000 },
        completed: {
          ...head,
          status: "completed",
          duration_ms: 1000,
          result: {
            final_output: output.answer,
            artifacts: [{
              id: ids.artifact,
              type: "docx",
              name: "report.docx",
              download_url: link(provider, "/artifacts/report.docx"),
              size_bytes: fileBytes.length
            }]
          },
          metadata: { template_used: "auto", models_used: [], credits_consumed: 45 }
        }
      }
      return { success: true, data: data[state.is] }
    }
    case "tela execution": {
      const status = { queued: "created", unknown: "pondering", completed: "succeeded" }
      return {
        id: ids.execution,
        status: state.is === "running" || state.is === "failed"
          ? state.is
          : state.is === "completed without output"
          ? "succeeded"
          : status[state.is],
        ...(state.is === "completed" ? { output_content: { role: "assistant", content: output } } : {}),
        ...(state.is === "failed" ? { raw_output: { error: { message: "out of luck" } } } : {})
      }
    }
    case "tela task":
      return task(
        {
          queued: "created",
          running: "running",
          unknown: "pondering",
          failed: "failed",
          completed: "validating",
          "completed without output": "validating"
        }[state.is],
        state.is === "completed"
      )
  }
}

const task = (status: string, hasOutput = true) => ({
  id: ids.task,
  name: "Invoice 17",
  status,
  inputContent: { variables: {}, files: [{ name: "a.txt", url: `vault://${ids.file}`, type: "file" }] },
  tags: [],
  ...(hasOutput ? { outputContent: { role: "assistant", content: output } } : {})
})

const version = { id: ids.version, promptId: ids.canvas, variables: [], configuration: {}, isWorkflow: false }
const page = (row: unknown) => ({ data: [row], meta: { total: 1 } })

/** A streamed response, with one chunk of the completion per event. */
export const streamChunks: ReadonlyArray<string> = (() => {
  let said = ""
  const pieces = ["Grüße, ", "42 ", "🎈"].map((content) => {
    said += content
    return JSON.stringify({ id: "s1", choices: [{ delta: { content } }], message: { content: said } })
  })
  return [
    ...pieces,
    JSON.stringify({ id: "s1", choices: [{ delta: {}, finish_reason: "stop" }], message: { content: said } })
  ]
})()

export const sse = (chunks: ReadonlyArray<string>, newline = "\n"): string =>
  chunks.map((chunk) => `data: ${chunk}${newline}${newline}`).join("")

export const endMark = "[DONE]"

/** A stream of events, chunked. */
export const eventStream = (text: string | ReadonlyArray<Uint8Array>, contentType = "text/event-stream"): Sending => ({
  status: 200,
  headers: { "content-type": contentType },
  parts: typeof text === "string" ? [encode(text)] : text,
  length: undefined,
  ending: "end"
})

/** The response to the `count`-th request with this method and path. */
export const answer = (provider: Provider, { body, host, method, path }: Received, count: number): Sending => {
  const [route] = path.split("?", 1)
  if (host === "elsewhere") return whole(200, fileBytes, "application/octet-stream")
  if (host === "files") {
    return method === "PUT" ? whole(200, "") : whole(200, fileBytes, "application/octet-stream")
  }
  const polled = (model: Model) => json(snapshot(provider, model, provider.stateAt(count)))
  switch (`${method} ${route}`) {
    // Spine
    case "POST /v1/run":
      return json({
        success: true,
        data: { run_id: ids.run, status: "running", poll_url: `/v1/run/${ids.run}`, estimated_duration_ms: 900_000 }
      })
    case `GET /v1/run/${ids.run}`:
      return polled("spine run")
    case `GET /v1/canvas/${ids.canvas}/dag`:
      return json({
        success: true,
        data: {
          canvas_id: ids.canvas,
          canvas_name: "Canvas",
          nodes: [{ id: "b1", name: "Memo", type: "memo-block", status: "completed" }],
          edges: []
        }
      })
    case `GET /v1/canvas/${ids.canvas}/tasks`:
      return json({ success: true, data: { canvas_id: ids.canvas, completed: [spineTask], not_completed: [] } })
    case `GET /v1/canvas/${ids.canvas}/tasks/${ids.task}`:
      return json({ success: true, data: spineTask })
    // Tela
    case "POST /v2/chat/completions": {
      const sent = JSON.parse(body) as { readonly [field: string]: unknown }
      if (sent["stream"] === true) return eventStream(sse([...streamChunks, endMark]))
      if (sent["application_id"] !== undefined) return json([task("created", false)])
      return json(
        sent["async"] === true
          ? snapshot(provider, "tela execution", { is: "queued" })
          : { id: "s1", object: "chat.completion", choices: [{ message: { role: "assistant", content: output } }] }
      )
    }
    case `GET /v2/chat/completions/${ids.execution}`:
      return polled("tela execution")
    case `GET /task/${ids.task}`:
      return polled("tela task")
    case `PATCH /task/${ids.task}`:
      return json(task("completed"))
    case "POST /task":
      return json([task("created", false)])
    case "GET /task":
      return json(page(task("validating")))
    case "GET /task/progress":
      return json(page({ taskId: ids.task, status: "running", progress: { percentage: 40 } }))
    case "GET /v1/completion-run":
      return json(page(snapshot(provider, "tela execution", { is: "completed" })))
    case `GET /prompt/${ids.canvas}`:
      return json({ id: ids.canvas, title: "Canvas" })
    case `GET /prompt/${ids.canvas}/promoted-version`:
    case `GET /prompt/${ids.canvas}/latest-version`:
    case `GET /prompt-version/${ids.version}`:
    case "GET /environment/version":
      return json(version)
    case `GET /prompt-application/${ids.application}`:
      return json({ id: ids.application, promptId: ids.canvas, title: "Application" })
    case "GET /prompt-version/history":
      return json(page({ id: ids.version, promptId: ids.canvas }))
    case "GET /environment":
      return json(page({ name: "production" }))
    case "GET /api-key":
      return json({ role: "member" })
    case "POST /v3/files":
      return json({ id: ids.file, uploadUrl: link(provider, `/uploads/${ids.file}`) })
    case `GET /_services/vault/files/${ids.file}`:
      return json({
        url: link(provider, `/vault/${ids.file}`),
        metadata: { id: ids.file, originalFileName: "scan.pdf", size: fileBytes.length }
      })
    default:
      return json({ message: `no route for ${method} ${path}` }, 404)
  }
}

const spineTask = { task_id: ids.task, name: "Research", task_type: "parent-task", status: "completed" }
