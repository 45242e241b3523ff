/** The files that a run of the Spine emulator makes. */
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import * as OfficeFiles from "../../OfficeFiles.ts"
import type { CreateRequest, ScriptedArtifact } from "../../SpineScript.ts"
import type * as Timeline from "../../Timeline.ts"
import * as Plan from "./plan.ts"

export interface ArtifactFile {
  readonly id: string
  readonly type: string
  readonly name: string
  readonly contentType: string
  /** `size_bytes` of the run, and the length of the download (A2). */
  readonly size: number
  readonly content: Uint8Array | Stream.Stream<Uint8Array>
}

/** The type of a scripted file. */
export const typeOf = (artifact: ScriptedArtifact): string =>
  artifact.type ?? /\.([a-z0-9]+)$/i.exec(artifact.name)?.[1]?.toLowerCase() ?? "bin"

/** The first line of a prompt, for titles. */
export const titleOf = (request: CreateRequest): string => request.prompt.trim().split("\n", 1)[0]!.slice(0, 80)

/** The files of a run: scripted ones, or those of its blocks. */
export const make = Effect.fnUntraced(function*(
  plan: Plan.Plan,
  timeline: Timeline.Timeline,
  request: CreateRequest,
  scripted: ReadonlyArray<ScriptedArtifact> | undefined
): Effect.fn.Return<ReadonlyArray<ArtifactFile>> {
  if (scripted !== undefined) {
    const blocks = plan.blocks.slice(plan.blocks.length - scripted.length)
    return scripted.map((artifact, index): ArtifactFile => {
      const { content, name } = artifact
      const type = typeOf(artifact)
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content
      return {
        // The last blocks of the plan have these files.
        id: blocks[index]!.id,
        type,
        name,
        contentType: artifact.contentType ?? OfficeFiles.mediaTypes[type] ?? "application/octet-stream",
        size: bytes instanceof Uint8Array ? bytes.length : bytes.size,
        content: bytes instanceof Uint8Array ? bytes : bytes.stream
      }
    })
  }
  const failed = Plan.failedBlock(plan, timeline.outcome)
  return yield* Effect.forEach(
    plan.blocks.filter((block) => block !== failed && Plan.fileTypes[block.type] !== undefined),
    Effect.fnUntraced(function*(block) {
      const type = Plan.fileTypes[block.type]!
      const content = yield* makeFile(type, block.name, request)
      return {
        id: block.id,
        type,
        name: `${block.name}.${type}`,
        contentType: OfficeFiles.mediaTypes[type]!,
        size: content.length,
        content
      }
    })
  )
})

const makeFile = (type: string, name: string, request: CreateRequest): Effect.Effect<Uint8Array> => {
  const content: OfficeFiles.Content = {
    title: titleOf(request),
    paragraphs: [`${name}, made by the Spine emulator.`, ...request.prompt.trim().split(/\n+/)]
  }
  switch (type) {
    case "docx":
      return OfficeFiles.docx(content)
    case "xlsx":
      return OfficeFiles.xlsx(content)
    case "pptx":
      return OfficeFiles.pptx(content)
    case "png":
      return Effect.succeed(OfficeFiles.png({ size: 8 + request.prompt.length % 57, color: [37, 99, 235] }))
    default:
      return Effect.succeed(OfficeFiles.html(content))
  }
}
