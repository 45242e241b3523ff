/** The vault of the Tela emulator: files with meta data and parents. */
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Predicate from "effect/Predicate"
import type { Exchange } from "../../Exchange.ts"
import { user, workspaceId } from "../../TelaScript.ts"
import { isObject } from "../json.ts"
import * as routing from "../routing.ts"
import type { Files, StoredFile } from "./files.ts"
import * as lists from "./lists.ts"
import * as responses from "./responses.ts"

export const make = (files: Files): ReadonlyArray<routing.Route<responses.Access>> => {
  const create = Effect.fnUntraced(function*(exchange: Exchange, body: unknown) {
    if (!isObject(body)) return yield* responses.badRequest("The body must be a JSON object")
    const { fileName, mimeType, parentId, sha256sum } = body
    const wrong = responses.wrongMember(body, {
      fileName: "string",
      sha256sum: "string",
      mimeType: "string",
      size: "number",
      parentId: "string"
    })
    if (wrong !== undefined) return yield* responses.badRequest(wrong)
    if (Predicate.isString(sha256sum) && !/^[0-9a-f]{64}$/i.test(sha256sum)) {
      return yield* responses.badRequest("sha256sum must be 64 hexadecimal digits")
    }
    if (Predicate.isString(parentId)) yield* files.find(parentId)
    const file = files.create(exchange, {
      via: "vault",
      ...(Predicate.isString(sha256sum) ? { id: sha256sum.toLowerCase() } : {}),
      name: Predicate.isString(fileName) ? fileName : "upload",
      mimeType: Predicate.isString(mimeType) ? mimeType : null,
      parentId: Predicate.isString(parentId) ? parentId : null
    })
    return uploadable(exchange, file)
  })

  const uploadable = (exchange: Exchange, file: StoredFile, lifetime?: number) => {
    const { expiresAt, url } = files.grant(exchange, file, "upload", lifetime)
    return { id: file.id, uploadUrl: url, expiresAt, metadata: metadata(file) }
  }

  const expiresIn = ({ url }: Exchange): Effect.Effect<number | undefined, routing.Refusal> => {
    const text = url.searchParams.get("expiresIn")
    if (text === null) return Effect.undefined
    return /^[1-9]\d{0,8}$/.test(text)
      ? Effect.succeed(Number(text) * 1000)
      : responses.badRequest("expiresIn must be a number of seconds")
  }

  return routing.routes("vault", {
    "POST /_services/vault/files": Effect.fnUntraced(function*(exchange) {
      return responses.ok(yield* create(exchange, (yield* responses.readJson(exchange)) ?? {}))
    }),
    "POST /_services/vault/files/bulk": Effect.fnUntraced(function*(exchange) {
      const body = yield* responses.readJson(exchange)
      if (!Array.isArray(body)) return yield* responses.badRequest("The body must be an array")
      return responses.ok(yield* Effect.forEach(body, (item: unknown) => create(exchange, item)))
    }),
    "PUT /_services/vault/files/:id": Effect.fnUntraced(function*(exchange, { id }) {
      return responses.ok(uploadable(exchange, yield* files.find(id), yield* expiresIn(exchange)))
    }),
    "GET /_services/vault/files/:id": Effect.fnUntraced(function*(exchange, { id }) {
      const file = yield* files.find(id)
      if (file.bytes === undefined) return yield* responses.notFound("File", id)
      return responses.ok({
        ...files.grant(exchange, file, "download", yield* expiresIn(exchange)),
        metadata: metadata(file)
      })
    }),
    "GET /_services/vault/files/:id/metadata": (_exchange, { id }) =>
      Effect.map(files.find(id), (file) => responses.ok(metadata(file))),
    "PATCH /_services/vault/files/:id": Effect.fnUntraced(function*(exchange, { id }) {
      const file = yield* files.find(id)
      const body = yield* responses.readObject(exchange)
      const wrong = responses.wrongMember(body, { fileName: "string", originalFileName: "string", mimeType: "string" })
      if (wrong !== undefined) return yield* responses.badRequest(wrong)
      const name = body["fileName"] ?? body["originalFileName"]
      if (Predicate.isString(name)) file.name = name
      if (Predicate.isString(body["mimeType"])) file.mimeType = body["mimeType"]
      return responses.ok(metadata(file))
    }),
    "DELETE /_services/vault/files/:id": (exchange, { id }) =>
      Effect.map(files.find(id), (file) => {
        file.deletedAt = exchange.now
        return HttpServerResponse.empty()
      }),
    "GET /_services/vault/files/:id/children": Effect.fnUntraced(function*(exchange, { id }) {
      const parent = yield* files.find(id)
      const query = exchange.url.searchParams
      const { limit, offset } = yield* lists.page(query, { initial: 100, max: 1000 })
      const children = Array.from(files.all()).filter((file) =>
        file.parentId === parent.id && (file.deletedAt === undefined || query.get("includeDeleted") === "true")
      )
      return responses.ok({ files: children.slice(offset, offset + limit).map(metadata) })
    })
  })
}

const metadata = (file: StoredFile) => ({
  id: file.id,
  path: `/${file.id}`,
  workspaceId: workspaceId,
  createdAt: responses.iso(file.createdAt),
  parentId: file.parentId,
  originalFileName: file.name,
  mimeType: file.mimeType,
  size: file.bytes?.length ?? null,
  bucketName: "emulated",
  createdBy: user,
  uploadedAt: responses.isoOrNull(file.uploadedAt),
  deletedAt: responses.isoOrNull(file.deletedAt)
})
