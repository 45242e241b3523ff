import * as Effect from "effect/Effect"
import * as Zip from "effect/encoding/Zip"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as SpineCanvasSchema from "../../src/spine/SpineCanvasSchema.ts"
import * as SpineSchema from "../../src/spine/SpineSchema.ts"
import * as SpineEmulator from "../../src/testing/SpineEmulator.ts"
import * as Timeline from "../../src/testing/Timeline.ts"

export { raw, uuid } from "./responses.ts"

/** A minimal client of Spine: no retries, no checks, and exactly the bytes of the test. */

export const key = "sk_spine_test"
/** An unknown id. */
export const other = "00000000-0000-4000-8000-000000000000"
export const origin = "https://api.getspine.ai"

export interface Part {
  readonly name: string
  readonly value: string | Uint8Array
  readonly filename?: string
  readonly contentType?: string
}

const encoder = new TextEncoder()

export const multipart = (parts: ReadonlyArray<Part>): Uint8Array => {
  const chunks = parts.flatMap(({ contentType, filename, name, value }) => [
    encoder.encode(
      `--b\r\nContent-Disposition: form-data; name="${name}"${
        filename === undefined ? "" : `; filename="${filename}"`
      }\r\n${contentType === undefined ? "" : `Content-Type: ${contentType}\r\n`}\r\n`
    ),
    typeof value === "string" ? encoder.encode(value) : value,
    encoder.encode("\r\n")
  ])
  return new Uint8Array(Buffer.concat([...chunks, encoder.encode("--b--\r\n")]))
}

export const multipartType = "multipart/form-data; boundary=b"

export const part = (name: string, value: string): Part => ({ name, value })

export const file = (filename: string, value: string | Uint8Array = "x", contentType?: string): Part => ({
  name: "files",
  filename,
  value,
  ...(contentType === undefined ? {} : { contentType })
})

export const post = Effect.fnUntraced(function*(body: HttpBody.HttpBody, apiKey = key) {
  const http = yield* HttpClient.HttpClient
  return yield* HttpClientRequest.post(`${origin}/v1/run`).pipe(
    HttpClientRequest.setHeader("x-api-key", apiKey),
    HttpClientRequest.setBody(body),
    http.execute
  )
})

export const create = (parts: ReadonlyArray<Part>, apiKey = key) =>
  post(HttpBody.uint8Array(multipart(parts), multipartType), apiKey)

export const get = Effect.fnUntraced(function*(path: string, apiKey = key) {
  const http = yield* HttpClient.HttpClient
  return yield* HttpClientRequest.get(path.startsWith("/") ? `${origin}${path}` : path).pipe(
    HttpClientRequest.setHeader("x-api-key", apiKey),
    http.execute
  )
})

/** A download: a request without a key. */
export const download = (url: string) => HttpClient.get(url)

const data = <A>(schema: Schema.ConstraintDecoder<A>) => {
  const decode = Schema.decodeUnknownEffect(schema)
  return (response: HttpClientResponse.HttpClientResponse) =>
    Effect.flatMap(response.json, (body) => decode((body as { readonly data: unknown }).data))
}

export const created = (...parts: ReadonlyArray<Part>) =>
  Effect.flatMap(
    create([part("prompt", "Compare three vector databases"), ...parts]),
    data(SpineSchema.CreateRunResponse)
  )

export const run = (id: string, apiKey = key) => Effect.flatMap(get(`/v1/run/${id}`, apiKey), data(SpineSchema.Run))

export const dag = (canvasId: string) =>
  Effect.flatMap(get(`/v1/canvas/${canvasId}/dag`), data(SpineCanvasSchema.Canvas))

export const tasks = (canvasId: string) =>
  Effect.flatMap(get(`/v1/canvas/${canvasId}/tasks`), data(SpineCanvasSchema.TaskTree))

export const task = (canvasId: string, taskId: string) =>
  Effect.flatMap(get(`/v1/canvas/${canvasId}/tasks/${taskId}`), data(SpineCanvasSchema.Task))

export const refusal = (status: number, error: string) => ({ status, body: { success: false, error } })

export const unzip = (bytes: Uint8Array) =>
  Stream.succeed(bytes).pipe(
    Stream.pipeThroughChannel(Zip.decode()),
    Stream.mapEffect((entry) =>
      Effect.map(
        Stream.mkUint8Array(entry.body),
        (content) => [entry.header.path, new TextDecoder().decode(content)] as const
      )
    ),
    Stream.runCollect,
    Effect.map((entries) => new Map(entries))
  )

export const emulated = (options?: SpineEmulator.Options) => Effect.provide(SpineEmulator.layerTest(options))

export const prompt = part("prompt", "Compare three vector databases")

/** The response to a poll of a run that has ended. */
export const finished = Effect.fnUntraced(function*(script: SpineEmulator.Script = {}, ...parts: ReadonlyArray<Part>) {
  const emulator = yield* SpineEmulator.SpineEmulator
  yield* emulator.script({ timeline: Timeline.make({ duration: 0 }), ...script })
  return yield* run((yield* created(...parts)).run_id)
})

export const succeeded = Effect.fnUntraced(function*(script?: SpineEmulator.Script, ...parts: ReadonlyArray<Part>) {
  const ended = yield* finished(script, ...parts)
  if (ended.status !== "completed") return yield* Effect.die(new Error(`the run is ${ended.status}`))
  return ended
})
