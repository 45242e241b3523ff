/** The files of the Tela emulator: uploads old and new, the vault, and the presigned URLs that carry the bytes. */
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Predicate from "effect/Predicate"
import * as Emulator from "../../Emulator.ts"
import type * as TelaScript from "../../TelaScript.ts"
import * as fileResponse from "../fileResponse.ts"
import * as fileRefs from "./fileRefs.ts"
import * as rude from "../rude/http.ts"
import type { Has } from "../rude/json.ts"
import type { InputFile } from "./runs.ts"
import * as wire from "./wire.ts"

export interface StoredFile {
  readonly id: string
  readonly via: "v3" | "v2" | "vault"
  readonly createdAt: number
  readonly parentId: string | null
  name: string
  /** What was announced, until there are bytes. */
  mimeType: string | null
  bytes: Uint8Array | undefined
  uploadedAt: number | undefined
  deletedAt: number | undefined
}

export interface Options {
  readonly origin: string
  /** Where presigned URLs point to; `undefined` leaves it to the request. */
  readonly fileOrigin: string | undefined
  readonly defaultFileOrigin: string
  readonly workspaceId: string
  readonly user: string
  readonly lifetimeMillis: number
  readonly fileSize: number
  readonly requireContentLength: boolean
  readonly has: Has
}

export interface Files {
  readonly routes: ReadonlyArray<wire.Route>
  readonly all: () => Iterable<StoredFile>
  /** Lets every presigned URL expire. */
  readonly expire: () => void
  /** What a run sees of the files in its variables and messages, or why it cannot have them. */
  readonly inputs: (
    request: Pick<TelaScript.RunRequest, "variables" | "messages">
  ) => Effect.Effect<ReadonlyArray<InputFile>, wire.Refusal>
  /** The media type of a file that a variable refers to, as far as it is known. */
  readonly mimeTypeOf: (ref: fileRefs.FileRef) => string | undefined
}

interface Grant {
  readonly file: StoredFile
  readonly use: "upload" | "download"
  readonly expiresAt: number
}

export const make = (options: Options): Files => {
  const files = new Map<string, StoredFile>()
  const grants = new Map<string, Grant>()
  const refusedLink = rude.makeLinks(options.has)

  const base = ({ request }: Emulator.Exchange): string => {
    const requested = Emulator.originOf(request)
    return options.fileOrigin ?? (requested === options.origin ? options.defaultFileOrigin : requested)
  }

  const grant = (
    exchange: Emulator.Exchange,
    file: StoredFile,
    use: Grant["use"],
    lifetime = options.lifetimeMillis
  ) => {
    // What is not here is refused, so expired grants can go: those at the front, as most live equally long.
    for (const [token, { expiresAt }] of grants) {
      if (expiresAt > exchange.now) break
      grants.delete(token)
    }
    const token = exchange.uuid().replaceAll("-", "")
    const expiresAt = exchange.now + lifetime
    grants.set(token, { file, use, expiresAt })
    const path = use === "upload" ? "uploads" : "downloads"
    return { url: `${base(exchange)}/_files/${path}/${token}?expires=${expiresAt}`, expiresAt: wire.iso(expiresAt) }
  }

  const create = (
    exchange: Emulator.Exchange,
    given: Pick<StoredFile, "via" | "name" | "mimeType" | "parentId"> & { readonly id?: string }
  ): StoredFile => {
    const file: StoredFile = {
      ...given,
      id: given.id ?? exchange.uuid(),
      createdAt: exchange.now,
      bytes: undefined,
      uploadedAt: undefined,
      deletedAt: undefined
    }
    files.set(file.id.toLowerCase(), file)
    return file
  }

  const find = (id: string): Effect.Effect<StoredFile, wire.Refusal> => {
    const file = files.get(id.toLowerCase())
    return file === undefined || file.deletedAt !== undefined ? wire.notFound("File", id) : Effect.succeed(file)
  }

  const lookUp = (url: string): StoredFile | undefined => {
    const id = /^vault:\/\/(.+)$/i.exec(url)?.[1] ?? /\/_files\/tmp\/([^/?]+)/.exec(url)?.[1]
    return id === undefined ? undefined : files.get(id.toLowerCase())
  }

  // --- presigned URLs: the token in them is all the proof there is ---

  const presigned = Effect.fnUntraced(function*({ now, request }: Emulator.Exchange, token: string, use: Grant["use"]) {
    const leaked = ["authorization", "x-data-token"].find((name) => request.headers[name] !== undefined)
    if (leaked !== undefined) return yield* wire.badRequest(`A presigned URL must not be sent ${leaked}`)
    const found = grants.get(token)
    return found === undefined || found.use !== use || now >= found.expiresAt
      ? yield* wire.refuse(403, "FORBIDDEN", "The URL is invalid or has expired")
      : found
  })

  const upload: wire.Handler = Effect.fnUntraced(function*(exchange, { token }) {
    const { file } = yield* presigned(exchange, token!, "upload")
    const { headers } = exchange.request
    const length = headers["content-length"]
    if (length === undefined && options.requireContentLength) {
      return yield* headers["transfer-encoding"] === undefined
        ? wire.refuse(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
        : wire.refuse(501, "NotImplemented", "A header you provided implies functionality that is not implemented")
    }
    if (length !== undefined && Number(length) > options.fileSize) {
      return yield* wire.bodyRefusal(new Emulator.BodyError({ reason: "TooLarge" }))
    }
    const bytes = yield* Effect.mapError(exchange.bytes(options.fileSize), wire.bodyRefusal)
    file.bytes = bytes
    file.mimeType = headers["content-type"] ?? file.mimeType
    file.uploadedAt = exchange.now
    return HttpServerResponse.empty({ status: 200, headers: { etag: fileResponse.etagOf(bytes) } })
  })

  const send = ({ request }: Emulator.Exchange, file: StoredFile) =>
    file.bytes === undefined
      ? wire.notFound("File", file.id)
      : Effect.succeed(fileResponse.respond(request.headers, {
        name: file.name,
        contentType: file.mimeType ?? "application/octet-stream",
        size: file.bytes.length,
        content: file.bytes,
        etag: fileResponse.etagOf(file.bytes)
      }))

  const download: wire.Handler = (exchange, { token }) =>
    Effect.flatMap(
      presigned(exchange, token!, "download"),
      ({ file }) => {
        const refusedWith = refusedLink(file.id, token!)
        return refusedWith === undefined ? send(exchange, file) : Effect.succeed(rude.expired(refusedWith))
      }
    )

  // --- v3 and v2 ---

  const dated = (handle: wire.Handler): wire.Handler => (exchange, params) => {
    const date = exchange.request.headers["x-compatibility-date"]
    // Assumption 26.
    if (date === undefined) {
      return wire.refuse(400, "MISSING_COMPATIBILITY_DATE", "The header x-compatibility-date is required")
    }
    return /^\d{4}-\d\d-\d\d$/.test(date) && !Number.isNaN(new Date(date).getTime())
      ? handle(exchange, params)
      : wire.badRequest("x-compatibility-date must be a date of the form YYYY-MM-DD")
  }

  const createV3 = dated(Effect.fnUntraced(function*(exchange) {
    const { fileName } = yield* wire.readObject(exchange)
    if (!Predicate.isString(fileName) || fileName.trim() === "") {
      return yield* wire.badRequest("fileName must be a text that is not empty")
    }
    const file = create(exchange, { via: "v3", name: fileName, mimeType: null, parentId: null })
    return wire.ok({ id: file.id, uploadUrl: grant(exchange, file, "upload").url })
  }))

  // An assumption of ours: what the look-up answers is not documented.
  const getV3 = dated((exchange, { id }) =>
    Effect.map(find(id!), (file) =>
      wire.ok({
        id: file.id,
        fileName: file.name,
        mimeType: file.mimeType,
        size: file.bytes?.length ?? null,
        createdAt: wire.iso(file.createdAt),
        uploadedAt: wire.isoOrNull(file.uploadedAt),
        downloadUrl: file.bytes === undefined ? null : grant(exchange, file, "download").url
      }))
  )

  const createV2: wire.Handler = (exchange) =>
    Effect.sync(() => {
      const file = create(exchange, { via: "v2", name: "upload", mimeType: null, parentId: null })
      return wire.ok({
        upload_url: grant(exchange, file, "upload").url,
        download_url: `${base(exchange)}/_files/tmp/${file.id}/`
      })
    })

  const downloadV2: wire.Handler = (exchange, { id }) => Effect.flatMap(find(id!), (file) => send(exchange, file))

  // --- the vault ---

  const metadata = (file: StoredFile) => ({
    id: file.id,
    path: `/${file.id}`,
    workspaceId: options.workspaceId,
    createdAt: wire.iso(file.createdAt),
    parentId: file.parentId,
    originalFileName: file.name,
    mimeType: file.mimeType,
    size: file.bytes?.length ?? null,
    bucketName: "emulated",
    createdBy: options.user,
    uploadedAt: wire.isoOrNull(file.uploadedAt),
    deletedAt: wire.isoOrNull(file.deletedAt)
  })

  const createVault = Effect.fnUntraced(function*(exchange: Emulator.Exchange, body: unknown) {
    if (!wire.isObject(body)) return yield* wire.badRequest("The body must be a JSON object")
    const { fileName, mimeType, parentId, sha256sum } = body
    const wrong = wire.wrongMember(body, {
      fileName: "string",
      sha256sum: "string",
      mimeType: "string",
      size: "number",
      parentId: "string"
    })
    if (wrong !== undefined) return yield* wire.badRequest(wrong)
    if (Predicate.isString(sha256sum) && !/^[0-9a-f]{64}$/i.test(sha256sum)) {
      return yield* wire.badRequest("sha256sum must be 64 hexadecimal digits")
    }
    if (Predicate.isString(parentId)) yield* find(parentId)
    const file = create(exchange, {
      via: "vault",
      ...(Predicate.isString(sha256sum) ? { id: sha256sum.toLowerCase() } : {}),
      name: Predicate.isString(fileName) ? fileName : "upload",
      mimeType: Predicate.isString(mimeType) ? mimeType : null,
      parentId: Predicate.isString(parentId) ? parentId : null
    })
    return uploadable(exchange, file)
  })

  const uploadable = (exchange: Emulator.Exchange, file: StoredFile, lifetime?: number) => {
    const { expiresAt, url } = grant(exchange, file, "upload", lifetime)
    return { id: file.id, uploadUrl: url, expiresAt, metadata: metadata(file) }
  }

  const expiresIn = ({ url }: Emulator.Exchange): Effect.Effect<number | undefined, wire.Refusal> => {
    const text = url.searchParams.get("expiresIn")
    if (text === null) return Effect.succeed(undefined)
    return /^[1-9]\d{0,8}$/.test(text)
      ? Effect.succeed(Number(text) * 1000)
      : wire.badRequest("expiresIn must be a number of seconds")
  }

  const vault = (method: string, path: string, handle: wire.Handler) =>
    wire.route(method, `/_services/vault${path}`, handle, "vault")

  const vaultRoutes = [
    vault(
      "POST",
      "/files",
      Effect.fnUntraced(function*(exchange) {
        return wire.ok(yield* createVault(exchange, (yield* wire.readJson(exchange)) ?? {}))
      })
    ),
    vault(
      "POST",
      "/files/bulk",
      Effect.fnUntraced(function*(exchange) {
        const body = yield* wire.readJson(exchange)
        if (!Array.isArray(body)) return yield* wire.badRequest("The body must be an array")
        return wire.ok(yield* Effect.forEach(body, (item: unknown) => createVault(exchange, item)))
      })
    ),
    vault(
      "PUT",
      "/files/:id",
      Effect.fnUntraced(function*(exchange, { id }) {
        return wire.ok(uploadable(exchange, yield* find(id!), yield* expiresIn(exchange)))
      })
    ),
    vault(
      "GET",
      "/files/:id",
      Effect.fnUntraced(function*(exchange, { id }) {
        const file = yield* find(id!)
        if (file.bytes === undefined) return yield* wire.notFound("File", id!)
        return wire.ok({
          ...grant(exchange, file, "download", yield* expiresIn(exchange)),
          metadata: metadata(file)
        })
      })
    ),
    vault(
      "GET",
      "/files/:id/metadata",
      (_exchange, { id }) => Effect.map(find(id!), (file) => wire.ok(metadata(file)))
    ),
    vault(
      "PATCH",
      "/files/:id",
      Effect.fnUntraced(function*(exchange, { id }) {
        const file = yield* find(id!)
        const body = yield* wire.readObject(exchange)
        const wrong = wire.wrongMember(body, { fileName: "string", originalFileName: "string", mimeType: "string" })
        if (wrong !== undefined) return yield* wire.badRequest(wrong)
        const name = body["fileName"] ?? body["originalFileName"]
        if (Predicate.isString(name)) file.name = name
        if (Predicate.isString(body["mimeType"])) file.mimeType = body["mimeType"]
        return wire.ok(metadata(file))
      })
    ),
    vault("DELETE", "/files/:id", (exchange, { id }) =>
      Effect.map(find(id!), (file) => {
        file.deletedAt = exchange.now
        return HttpServerResponse.empty()
      })),
    vault(
      "GET",
      "/files/:id/children",
      Effect.fnUntraced(function*(exchange, { id }) {
        const parent = yield* find(id!)
        const query = exchange.url.searchParams
        const { limit, offset } = yield* wire.queryPage(query, { initial: 100, max: 1000 })
        const children = Array.from(files.values()).filter((file) =>
          file.parentId === parent.id && (file.deletedAt === undefined || query.get("includeDeleted") === "true")
        )
        return wire.ok({ files: children.slice(offset, offset + limit).map(metadata) })
      })
    )
  ]

  const input = Effect.fnUntraced(function*(
    ref: fileRefs.FileRef,
    used_at: InputFile["used_at"]
  ): Effect.fn.Return<InputFile, wire.Refusal> {
    const file = lookUp(ref.url)
    const isOurs = /^vault:/i.test(ref.url) || ref.url.includes("/_files/tmp/")
    if (isOurs && (file?.bytes === undefined || file.deletedAt !== undefined)) {
      const announced = file !== undefined && file.deletedAt === undefined
      return yield* wire.notFound(announced ? "Bytes of file" : "File", ref.url)
    }
    const mimeType = mimeTypeOf(ref) ?? ""
    const name = file?.name ?? ref.name
    return {
      name,
      used_at,
      parsed_content: file?.bytes !== undefined && /^text\/|json/.test(mimeType)
        ? new TextDecoder().decode(file.bytes.subarray(0, 100_000))
        : `Content of ${name}`,
      url: ref.url,
      type: mimeType.startsWith("image/") ? "image" : "file"
    }
  })

  const inputs: Files["inputs"] = ({ messages, variables }) =>
    Effect.zipWith(
      Effect.forEach(fileRefs.inValue(variables), (ref) => input(ref, "variables")),
      Effect.forEach(fileRefs.inMessages(messages), (ref) => input(ref, "messages")),
      (inVariables, inMessages) => [...inVariables, ...inMessages]
    )

  const mimeTypeOf: Files["mimeTypeOf"] = (ref) =>
    (lookUp(ref.url)?.mimeType ?? ref.mimeType)?.split(";", 1)[0]!.trim().toLowerCase()

  return {
    routes: [
      wire.route("PUT", "/_files/uploads/:token", upload, "none"),
      wire.route("GET", "/_files/downloads/:token", download, "none"),
      wire.route("GET", "/_files/tmp/:id", downloadV2, "none"),
      wire.route("GET", "/_files/tmp/:id/", downloadV2, "none"),
      wire.route("POST", "/v3/files", createV3),
      wire.route("GET", "/v3/files/:id", getV3),
      wire.route("POST", "/v2/file", createV2),
      ...vaultRoutes
    ],
    all: () => files.values(),
    expire: () => grants.clear(),
    inputs,
    mimeTypeOf
  }
}
