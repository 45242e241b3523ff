/** The tools, resources and prompts that the scenarios of the judge ask for. */
import { Effect, Layer, Schema } from "effect"
import { McpSchema, McpServer } from "effect/ai"
import { HttpEffect, HttpServerResponse } from "effect/http"
import { acceptsTask, answerWithTask } from "./tasks.ts"

type Result = McpSchema.CallToolResult | McpSchema.InputRequired
type Failure = McpSchema.InternalError | McpSchema.InvalidParams
type Arguments = Readonly<Record<string, unknown>>

const png = Uint8Array.from(
  atob("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="),
  (char) => char.charCodeAt(0)
)
const wav = Uint8Array.from(
  atob("UklGRiQAAABXQVZFZm10IBAAAAABAAEAgD4AAAB9AAACABAAZGF0YQAAAAA="),
  (char) => char.charCodeAt(0)
)

const text = (text: string) => ({ type: "text" as const, text })
const content = (...content: ReadonlyArray<McpSchema.ContentBlock>) => new McpSchema.CallToolResult({ content })
const image = { type: "image" as const, data: png, mimeType: "image/png" }

const empty = { type: "object" as const, properties: {} }
const properties = (...names: ReadonlyArray<string>) => ({
  type: "object" as const,
  properties: Object.fromEntries(names.map((name) => [name, { type: "string" }])),
  required: names
})

const tool = <E extends Failure>(
  name: string,
  handle: (args: Arguments) => Effect.Effect<Result, E, McpSchema.McpRequestContext>,
  inputSchema: McpSchema.ToolJson = empty
) =>
  McpServer.McpServer.use((server) =>
    Effect.gen(function*() {
      yield* server.addTool({
        tool: new McpSchema.Tool({ name, description: `Fixture ${name}`, inputSchema }),
        annotations: yield* Effect.context<never>(),
        services: yield* Effect.context<never>(),
        handle: (args) => handle(args ?? {})
      })
    })
  )

const form = (message: string, properties: Record<string, unknown>) => ({
  method: "elicitation/create" as const,
  params: { mode: "form", message, requestedSchema: { type: "object", properties, required: Object.keys(properties) } }
})

const sampling = (question: string, maxTokens = 100) => ({
  method: "sampling/createMessage" as const,
  params: { messages: [{ role: "user", content: text(question) }], maxTokens }
})

const roots = { method: "roots/list" as const, params: {} }

const ask = (inputRequests: Readonly<Record<string, McpSchema.McpInputRequest>>, requestState?: string) =>
  new McpSchema.InputRequired({ inputRequests, requestState })

const responses = Effect.map(McpSchema.McpRequestContext, ({ inputResponses = {}, requestState }) => ({
  inputResponses,
  requestState
}))

/** Asks for all inputs until the client has answered them. */
const withInputs = (
  requests: Readonly<Record<string, McpSchema.McpInputRequest>>,
  done: (answers: Readonly<Record<string, McpSchema.McpInputResponse>>) => string,
  state?: string
) =>
  Effect.gen(function*() {
    const { inputResponses, requestState } = yield* responses
    if (requestState !== undefined && requestState !== state) {
      return yield* new McpSchema.InvalidParams({ message: "requestState was changed" })
    }
    return Object.keys(requests).every((key) => key in inputResponses)
      ? content(text(done(inputResponses)))
      : ask(requests, state)
  })

const reverse = <A>(
  use: (client: McpSchema.McpReverseClient) => Effect.Effect<A, unknown>
): Effect.Effect<A, McpSchema.InternalError, McpSchema.McpRequestContext> =>
  Effect.flatMap(Effect.serviceOption(McpSchema.McpServerClient), (client) =>
    client._tag === "None"
      ? Effect.fail(new McpSchema.InternalError({ message: "The protocol has no requests of the server." }))
      : Effect.scoped(Effect.flatMap(client.value.getClient, use)).pipe(
        Effect.mapError((error) => new McpSchema.InternalError({ message: String(error) }))
      ))

const elicit = (message: string, properties: Record<string, unknown>, required: ReadonlyArray<string> = []) =>
  reverse((client) =>
    Effect.flatMap(
      Schema.decodeUnknownEffect(McpSchema.ElicitRequestFormParams)({
        mode: "form",
        message,
        requestedSchema: { type: "object", properties, ...(required.length === 0 ? undefined : { required }) }
      }),
      (request) => client.elicit(request)
    )
  )

const completed = ({ action, content: given }: { readonly action: string; readonly content?: unknown }) =>
  content(text(`Elicitation completed: action=${action}, content=${JSON.stringify(given)}`))

const echo = (answers: Readonly<Record<string, unknown>>) => JSON.stringify(answers)

/** The error of the judge's rules about a client that lacks a capability. Over HTTP it has the status 400. */
const missingCapability = (capabilities: object) =>
  Effect.withFiber((fiber) => {
    HttpEffect.appendPreResponseHandlerUnsafe(
      fiber.context,
      (_request, response) => Effect.succeed(HttpServerResponse.setStatus(response, 400))
    )
    const message = "Missing required client capability"
    return Effect.fail({
      _tag: "MissingCapability",
      code: -32021,
      message,
      data: { requiredCapabilities: capabilities }
    })
  })

/** Refuses tools for which the client lacks a capability. */
const requirements = McpServer.middleware((effect, { requestContext, target }) => {
  const { extensions, sampling } = requestContext.clientCapabilities
  if (target === "failing_job" && extensions?.["io.modelcontextprotocol/tasks"] === undefined) {
    return missingCapability({ extensions: { "io.modelcontextprotocol/tasks": {} } })
  }
  if (target === "test_missing_capability" && sampling === undefined) return missingCapability({ sampling: {} })
  return effect
})

const pause = (millis: number) => Effect.sleep(millis)

const log = (server: McpServer.McpServer["Service"], data: string) =>
  server.notifications["notifications/message"]({ level: "info", data })

const tools = Effect.gen(function*() {
  const server = yield* McpServer.McpServer
  yield* tool("test_simple_text", () => Effect.succeed(content(text("This is a simple text response for testing."))))
  yield* tool("test_image_content", () => Effect.succeed(content(image)))
  yield* tool("test_audio_content", () => Effect.succeed(content({ type: "audio", data: wav, mimeType: "audio/wav" })))
  yield* tool("test_embedded_resource", () =>
    Effect.succeed(content({
      type: "resource",
      resource: {
        uri: "test://embedded-resource",
        mimeType: "text/plain",
        text: "This is an embedded resource content."
      }
    })))
  yield* tool("test_multiple_content_types", () =>
    Effect.succeed(content(text("Multiple content types test:"), image, {
      type: "resource",
      resource: {
        uri: "test://mixed-content-resource",
        mimeType: "application/json",
        text: JSON.stringify({ test: "data", value: 123 })
      }
    })))
  yield* tool("test_error_handling", () =>
    Effect.succeed(
      new McpSchema.CallToolResult({
        isError: true,
        content: [text("This tool intentionally returns an error for testing")]
      })
    ))
  const logging = (...lines: ReadonlyArray<string>) =>
    Effect.gen(function*() {
      for (const line of lines) {
        yield* log(server, line)
        yield* pause(50)
      }
      return content(text("Logged."))
    })
  yield* tool(
    "test_tool_with_logging",
    () => logging("Tool execution started", "Tool processing data", "Tool execution completed")
  )
  yield* tool("test_logging_tool", () => logging("A log message"))
  yield* tool("test_tool_with_progress", () =>
    Effect.gen(function*() {
      const { requestMetadata } = yield* McpSchema.McpRequestContext
      const progressToken = requestMetadata?.["progressToken"] as string | number | undefined
      for (const progress of [0, 50, 100]) {
        if (progressToken !== undefined) {
          yield* server.notifications["notifications/progress"]({ progressToken, progress, total: 100 })
        }
        yield* pause(50)
      }
      return content(text("Done."))
    }))
  yield* tool("test_sampling", ({ prompt }) =>
    reverse((client) =>
      Effect.map(
        client.createMessage(
          { messages: [{ role: "user", content: text(String(prompt)) }], maxTokens: 100 } as never
        ),
        ({ content: answer }) => content(text(`LLM response: ${JSON.stringify(answer)}`))
      )
    ), properties("prompt"))
  yield* tool("test_elicitation", ({ message }) =>
    Effect.map(
      elicit(String(message), {
        username: { type: "string", description: "User's response" },
        email: { type: "string", description: "User's email address" }
      }, ["username", "email"]),
      (answer) => content(text(`User response: ${JSON.stringify(answer)}`))
    ), properties("message"))
  yield* tool("test_elicitation_sep1034_defaults", () =>
    Effect.map(
      elicit("Defaults", {
        name: { type: "string", default: "John Doe" },
        age: { type: "integer", default: 30 },
        score: { type: "number", default: 95.5 },
        status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
        verified: { type: "boolean", default: true }
      }),
      completed
    ))
  const titled = (...names: ReadonlyArray<readonly [string, string]>) =>
    names.map(([value, title]) => ({ const: value, title }))
  yield* tool("test_elicitation_sep1330_enums", () =>
    Effect.map(
      elicit("Enums", {
        untitledSingle: { type: "string", enum: ["option1", "option2", "option3"] },
        titledSingle: {
          type: "string",
          oneOf: titled(["value1", "First Option"], ["value2", "Second Option"], ["value3", "Third Option"])
        },
        legacyEnum: {
          type: "string",
          enum: ["opt1", "opt2", "opt3"],
          enumNames: ["Option One", "Option Two", "Option Three"]
        },
        untitledMulti: { type: "array", items: { type: "string", enum: ["option1", "option2", "option3"] } },
        titledMulti: {
          type: "array",
          items: { anyOf: titled(["value1", "First Choice"], ["value2", "Second Choice"], ["value3", "Third Choice"]) }
        }
      }),
      completed
    ))
  yield* tool("json_schema_2020_12_tool", () => Effect.succeed(content(text("ok"))), {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    $defs: {
      address: {
        $anchor: "addressDef",
        type: "object",
        properties: { street: { type: "string" }, city: { type: "string" } }
      }
    },
    properties: {
      name: { type: "string" },
      address: { $ref: "#/$defs/address" },
      contactMethod: { type: "string", enum: ["phone", "email"] },
      phone: { type: "string" },
      email: { type: "string" }
    },
    allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
    if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
    // oxlint-disable-next-line unicorn/no-thenable -- a word of JSON Schema
    then: { required: ["phone"] },
    else: { required: ["email"] },
    additionalProperties: false
  })
  yield* tool("test_header_tool", () => Effect.succeed(content(text("ok"))), {
    type: "object",
    properties: { region: { type: "string", "x-mcp-header": "Region" } },
    required: ["region"]
  })

  // -- inputs of the client in several rounds
  const name = { user_name: form("What is your name?", { name: { type: "string" } }) }
  const nameIn = (answers: Readonly<Record<string, McpSchema.McpInputResponse>>) =>
    String((answers["user_name"]?.["content"] as { readonly name?: unknown } | undefined)?.name)
  yield* tool(
    "test_input_required_result_elicitation",
    () => withInputs(name, (answers) => `Hello, ${nameIn(answers)}!`)
  )
  yield* tool("test_streaming_elicitation", () => withInputs(name, echo))
  yield* tool("test_missing_capability", () => withInputs({ question: sampling("What is missing?") }, echo))
  yield* tool(
    "test_input_required_result_sampling",
    () => withInputs({ capital_question: sampling("What is the capital of France?") }, echo)
  )
  yield* tool("test_input_required_result_list_roots", () => withInputs({ client_roots: roots }, echo))
  yield* tool(
    "test_input_required_result_request_state",
    () => withInputs({ confirm: form("Please confirm", { ok: { type: "boolean" } }) }, () => "state-ok", "state-1")
  )
  yield* tool(
    "test_input_required_result_multiple_inputs",
    () => withInputs({ ...name, greeting: sampling("Generate a greeting", 50), client_roots: roots }, echo, "state-1")
  )
  yield* tool(
    "test_input_required_result_tampered_state",
    () => withInputs({ confirm: form("Please confirm", { ok: { type: "boolean" } }) }, echo, "signed")
  )
  yield* tool("test_input_required_result_multi_round", () =>
    Effect.gen(function*() {
      const { inputResponses, requestState } = yield* responses
      if (requestState === "round-2" && "step2" in inputResponses) return content(text(echo(inputResponses)))
      return requestState === "round-1" && "step1" in inputResponses
        ? ask({ step2: form("Step 2: What is your favorite color?", { color: { type: "string" } }) }, "round-2")
        : ask({ step1: form("Step 1: What is your name?", { name: { type: "string" } }) }, "round-1")
    }))
  yield* tool("test_input_required_result_capabilities", () =>
    Effect.gen(function*() {
      const { clientCapabilities } = yield* McpSchema.McpRequestContext
      return yield* withInputs({
        ...(clientCapabilities.sampling === undefined ? undefined : { question: sampling("What is the capital?") }),
        ...(clientCapabilities.elicitation === undefined ? undefined : name)
      }, echo)
    }))
  const trigger = (list: "tools" | "prompts") =>
    Effect.as(server.notifications[`notifications/${list}/list_changed`]({}), content(text("Changed.")))
  yield* tool("test_trigger_tool_change", () => trigger("tools"))
  yield* tool("test_trigger_prompt_change", () => trigger("prompts"))

  // -- tasks
  yield* tool("greet", ({ name }) => Effect.succeed(content(text(`Hello, ${String(name)}!`))), properties("name"))
  const result = (said: string, isError = false) => ({ result: { content: [text(said)], isError } })
  yield* tool("slow_compute", ({ label, seconds }) =>
    Effect.gen(function*() {
      yield* (yield* acceptsTask)
        ? answerWithTask({ seconds: Number(seconds), ending: () => result(`computed ${String(label)}`) })
        : pause(Number(seconds) * 1000)
      return content(text(`computed ${String(label)}`))
    }), {
    type: "object",
    properties: { seconds: { type: "number" }, label: { type: "string" } },
    required: ["seconds"]
  })
  yield* tool(
    "failing_job",
    () =>
      Effect.as(answerWithTask({ seconds: 1, ending: () => result("the job failed", true) }), content(text("failed")))
  )
  yield* tool("protocol_error_job", () =>
    Effect.as(
      answerWithTask({ seconds: 0, ending: () => ({ error: { code: -32603, message: "the server failed" } }) }),
      content(text("failed"))
    ))
  const confirm = form("Really?", { confirm: { type: "boolean" } })
  yield* tool("confirm_delete", ({ filename }) =>
    Effect.as(
      answerWithTask({ seconds: 0, inputs: { confirm }, ending: () => result(`deleted ${String(filename)}`) }),
      content(text("asked"))
    ), properties("filename"))
  yield* tool("multi_input", () =>
    Effect.as(
      answerWithTask({
        seconds: 0,
        inputs: { first: confirm, second: confirm },
        ending: (answers) => result(echo(answers))
      }),
      content(text("asked"))
    ))
  yield* tool("test_tool_with_task", () =>
    Effect.gen(function*() {
      const { inputResponses } = yield* responses
      if (!("user_name" in inputResponses)) return ask(name)
      const said = `Hello, ${nameIn(inputResponses)}!`
      yield* answerWithTask({ seconds: 0, ending: () => result(said) })
      return content(text(said))
    }))
})

const param = McpSchema.param("id", Schema.String)

const resources = Layer.mergeAll(
  McpServer.resource({
    uri: "test://static-text",
    name: "Static text",
    description: "A text",
    mimeType: "text/plain",
    content: Effect.succeed({
      contents: [{
        uri: "test://static-text",
        mimeType: "text/plain",
        text: "This is the content of the static text resource."
      }]
    })
  }),
  McpServer.resource({
    uri: "test://static-binary",
    name: "Static image",
    description: "An image",
    mimeType: "image/png",
    content: Effect.succeed({ contents: [{ uri: "test://static-binary", mimeType: "image/png", blob: png }] })
  }),
  McpServer.resource({
    uri: "test://watched-resource",
    name: "Watched",
    description: "A text that clients subscribe to",
    mimeType: "text/plain",
    content: Effect.succeed("Watched.")
  }),
  McpServer.resource`test://template/${param}/data`({
    name: "Template",
    description: "A template",
    mimeType: "application/json",
    content: (uri, id) =>
      Effect.succeed({
        contents: [{
          uri,
          mimeType: "application/json",
          text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` })
        }]
      })
  })
)

const prompts = Layer.mergeAll(
  McpServer.prompt({
    name: "test_simple_prompt",
    description: "A prompt",
    content: () => Effect.succeed("This is a simple prompt for testing.")
  }),
  McpServer.prompt({
    name: "test_prompt_with_arguments",
    description: "A prompt with arguments",
    parameters: { arg1: Schema.String, arg2: Schema.String },
    completion: { arg1: () => Effect.succeed(["paris", "park", "party"]) },
    content: ({ arg1, arg2 }) => Effect.succeed(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)
  }),
  McpServer.prompt({
    name: "test_prompt_with_embedded_resource",
    description: "A prompt with a resource",
    parameters: { resourceUri: Schema.String },
    content: ({ resourceUri }) =>
      Effect.succeed([
        {
          role: "user" as const,
          content: {
            type: "resource" as const,
            resource: { uri: resourceUri, mimeType: "text/plain", text: "Embedded resource content for testing." }
          }
        },
        { role: "user" as const, content: text("Please process the embedded resource above.") }
      ])
  }),
  McpServer.prompt({
    name: "test_prompt_with_image",
    description: "A prompt with an image",
    content: () =>
      Effect.succeed([
        { role: "user" as const, content: image },
        { role: "user" as const, content: text("Please analyze the image above.") }
      ])
  }),
  Layer.effectDiscard(McpServer.McpServer.use((server) =>
    Effect.gen(function*() {
      yield* server.addPrompt({
        prompt: new McpSchema.Prompt({
          name: "test_input_required_result_prompt",
          description: "A prompt that asks the client"
        }),
        annotations: yield* Effect.context<never>(),
        completions: {},
        handle: () =>
          Effect.gen(function*() {
            const { inputResponses } = yield* responses
            return "user_context" in inputResponses
              ? new McpSchema.GetPromptResult({ messages: [{ role: "user", content: text(echo(inputResponses)) }] })
              : ask({ user_context: form("What context should the prompt use?", { context: { type: "string" } }) })
          })
      })
    })
  ))
)

/** Registers the fixtures at a server. */
export const fixtures = Layer.mergeAll(Layer.effectDiscard(tools), resources, prompts, requirements.layerGlobal)
