/** The files of the Tela emulator: the uploads of v2 and v3, and the presigned URLs that carry the bytes. */
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Predicate from "effect/Predicate"
import * as Emulator from "../../Emulator.ts"
import type * as TelaScript from "../../TelaScript.ts"
import * as fileResponse from "../fileResponse.ts"
import type * as Links from "../links.ts"
import * as routing from "../routing.ts"
import * as fileRefs from "./fileRefs.ts"
import type { InputFile } from "./runs.ts"
import * as responses from "./responses.ts"

export interface StoredFile {
  readonly id: string
  readonly via: "v3" | "v2" | "vault"
  readonly createdAt: number
  readonly parentId: string | null
  name: string
  /** The announced type, until the bytes are uploaded. */
  mimeType: string | null
  bytes: Uint8Array | undefined
  uploadedAt: number | undefined
  deletedAt: number | undefined
}

export interface Settings {
  readonly fileLifetimeMillis: number
  readonly fileSize: number
  readonly requireContentLength: boolean
}

export interface Files {
  readonly routes: ReadonlyArray<routing.Route<responses.Access>>
  readonly all: () => Iterable<StoredFile>
  readonly create: (
    exchange: Emulator.Exchange,
    given: Pick<StoredFile, "via" | "name" | "mimeType" | "parentId"> & { readonly id?: string }
  ) => StoredFile
  readonly find: (id: string) => Effect.Effect<StoredFile, routing.Refusal>
  /** Makes a presigned URL. */
  readonly grant: (exchange: Emulator.Exchange, file: StoredFile, use: Grant["use"], lifetimeMillis?: number) => {
    readonly url: string
    readonly expiresAt: string
  }
  /** The files in the variables and messages of a run, or the error response for a file that does not exist. */
  readonly inputs: (
    request: Pick<TelaScript.RunRequest, "variables" | "messages">
  ) => Effect.Effect<ReadonlyArray<InputFile>, routing.Refusal>
  /** The media type of a file that a variable refers to, if it is known. */
  readonly mimeTypeOf: (ref: fileRefs.FileRef) => string | undefined
}

/** The permission in a presigned URL. */
export interface Grant {
  readonly file: StoredFile
  readonly use: "upload" | "download"
}

export const make = (settings: Settings, links: Links.Links<Grant>): Files => {
  const files = new Map<string, StoredFile>()

  const grant: Files["grant"] = (exchange, file, use, lifetimeMillis = settings.fileLifetimeMillis) => {
    const { expiresAt, token } = links.add({ file, use }, exchange.now, lifetimeMillis)
    return {
      url: `${origin(exchange)}/_files/${use}s/${token}?expires=${expiresAt}`,
      expiresAt: responses.iso(expiresAt)
    }
  }

  const origin = ({ request }: Emulator.Exchange) => links.originFor(Emulator.originOf(request))

  const create: Files["create"] = (exchange, given) => {
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

  const find: Files["find"] = (id) => {
    const file = files.get(id.toLowerCase())
    return file === undefined || file.deletedAt !== undefined ? responses.notFound("File", id) : Effect.succeed(file)
  }

  const lookUp = (url: string): StoredFile | undefined => {
    const id = /^vault:\/\/(.+)$/i.exec(url)?.[1] ?? /\/_files\/tmp\/([^/?]+)/.exec(url)?.[1]
    return id === undefined ? undefined : files.get(id.toLowerCase())
  }

  // --- presigned URLs: the token in the URL is the only credential ---

  const presigned = Effect.fnUntraced(function*({ now, request }: Emulator.Exchange, token: string, use: Grant["use"]) {
    const leaked = ["authorization", "x-data-token"].find((name) => request.headers[name] !== undefined)
    if (leaked !== undefined) return yield* responses.badRequest(`A presigned URL must not be sent ${leaked}`)
    const link = links.find(token)
    return link === undefined || link.target.use !== use || now >= link.expiresAt
      ? yield* responses.refuse(403, "FORBIDDEN", "The URL is invalid or has expired")
      : link.target
  })

  const upload: routing.Handler<"token"> = Effect.fnUntraced(function*(exchange, { token }) {
    const { file } = yield* presigned(exchange, token, "upload")
    const { headers } = exchange.request
    const length = headers["content-length"]
    if (length === undefined && settings.requireContentLength) {
      return yield* headers["transfer-encoding"] === undefined
        ? responses.refuse(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
        : responses.refuse(501, "NotImplemented", "A header you provided implies functionality that is not implemented")
    }
    if (length !== undefined && Number(length) > settings.fileSize) {
      return yield* responses.bodyRefusal({ reason: "TooLarge" })
    }
    const bytes = yield* Effect.mapError(exchange.bytes(settings.fileSize), responses.bodyRefusal)
    file.bytes = bytes
    file.mimeType = headers["content-type"] ?? file.mimeType
    file.uploadedAt = exchange.now
    return HttpServerResponse.empty({ status: 200, headers: { etag: fileResponse.etagOf(bytes) } })
  })

  const send = ({ request }: Emulator.Exchange, file: StoredFile) =>
    file.bytes === undefined
      ? responses.notFound("File", file.id)
      : Effect.succeed(fileResponse.respond(request.headers, {
        name: file.name,
        contentType: file.mimeType ?? "application/octet-stream",
        size: file.bytes.length,
        content: file.bytes,
        etag: fileResponse.etagOf(file.bytes)
      }))

  const download: routing.Handler<"token"> = (exchange, { token }) =>
    Effect.flatMap(
      presigned(exchange, token, "download"),
      ({ file }) => {
        const expired = links.expiredEarly(file.id, token)
        return expired === undefined ? send(exchange, file) : Effect.succeed(expired)
      }
    )

  // --- v3 and v2 ---

  const dated = <Parameter extends string = never>(
    handle: routing.Handler<Parameter>
  ): routing.Handler<Parameter> =>
  (exchange, parameters, apiKey) => {
    const date = exchange.request.headers["x-compatibility-date"]
    // Assumption 26.
    if (date === undefined) {
      return responses.refuse(400, "MISSING_COMPATIBILITY_DATE", "The header x-compatibility-date is required")
    }
    return /^\d{4}-\d\d-\d\d$/.test(date) && !Number.isNaN(new Date(date).getTime())
      ? handle(exchange, parameters, apiKey)
      : responses.badRequest("x-compatibility-date must be a date of the form YYYY-MM-DD")
  }

  const createV3 = dated(Effect.fnUntraced(function*(exchange) {
    const { fileName } = yield* responses.readObject(exchange)
    if (!Predicate.isString(fileName) || fileName.trim() === "") {
      return yield* responses.badRequest("fileName must be a text that is not empty")
    }
    const file = create(exchange, { via: "v3", name: fileName, mimeType: null, parentId: null })
    return responses.ok({ id: file.id, uploadUrl: grant(exchange, file, "upload").url })
  }))

  // An assumption of this library: the response of the look-up is not documented.
  const getV3 = dated<"id">((exchange, { id }) =>
    Effect.map(find(id), (file) =>
      responses.ok({
        id: file.id,
        fileName: file.name,
        mimeType: file.mimeType,
        size: file.bytes?.length ?? null,
        createdAt: responses.iso(file.createdAt),
        uploadedAt: responses.isoOrNull(file.uploadedAt),
        downloadUrl: file.bytes === undefined ? null : grant(exchange, file, "download").url
      }))
  )

  const createV2: routing.Handler = (exchange) =>
    Effect.sync(() => {
      const file = create(exchange, { via: "v2", name: "upload", mimeType: null, parentId: null })
      return responses.ok({
        upload_url: grant(exchange, file, "upload").url,
        download_url: `${origin(exchange)}/_files/tmp/${file.id}/`
      })
    })

  const downloadV2: routing.Handler<"id"> = (exchange, { id }) =>
    Effect.flatMap(find(id), (file) => send(exchange, file))

  // --- the inputs of runs ---

  const input = Effect.fnUntraced(function*(
    ref: fileRefs.FileRef,
    used_at: InputFile["used_at"]
  ): Effect.fn.Return<InputFile, routing.Refusal> {
    const file = lookUp(ref.url)
    const isOurs = /^vault:/i.test(ref.url) || ref.url.includes("/_files/tmp/")
    if (isOurs && (file?.bytes === undefined || file.deletedAt !== undefined)) {
      const announced = file !== undefined && file.deletedAt === undefined
      return yield* responses.notFound(announced ? "Bytes of file" : "File", ref.url)
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
      ...routing.routes("token", {
        "PUT /_files/uploads/:token": upload,
        "GET /_files/downloads/:token": download,
        "GET /_files/tmp/:id": downloadV2,
        "GET /_files/tmp/:id/": downloadV2
      }),
      ...routing.routes("bearer", {
        "POST /v3/files": createV3,
        "GET /v3/files/:id": getV3,
        "POST /v2/file": createV2
      })
    ],
    all: () => files.values(),
    create,
    find,
    grant,
    inputs,
    mimeTypeOf
  }
}
