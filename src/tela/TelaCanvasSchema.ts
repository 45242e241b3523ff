/**
 * The data of canvases, their versions and their environments. `TelaSchema` describes how data is decoded.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"
import { absentable, open, openLiterals, sideField, sideFieldOr, withFallback } from "../internal/responseSchema.ts"

/**
 * A variable that a canvas takes.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Variable = open({
  name: Schema.String,
  type: openLiterals(["text", "file"]),
  required: withFallback(Schema.Boolean, false),
  description: sideField(Schema.String)
})

/**
 * @category models
 * @since 0.1.0
 */
export interface Variable extends Schema.Schema.Type<typeof Variable> {}

/**
 * One version of a canvas.
 *
 * @see https://docs.tela.com/api-reference/prompt-version/get-prompt-version-history
 * @category schemas
 * @since 0.1.0
 */
export const CanvasVersion = open({
  id: Schema.NonEmptyString,
  promptId: Schema.String,
  title: sideField(Schema.String),
  variables: withFallback(Schema.Array(Variable), []),
  configuration: absentable(open({
    model: sideField(Schema.String),
    type: sideField(Schema.String),
    temperature: sideField(Schema.Finite),
    structuredOutput: absentable(open({
      enabled: withFallback(Schema.Boolean, false),
      schema: absentable(Schema.Record(Schema.String, Schema.Unknown))
    }))
  })),
  ...Struct.Record(["promoted", "draft"], sideField(Schema.Boolean)),
  isWorkflow: withFallback(Schema.Boolean, false),
  versionIndex: sideField(Schema.Finite),
  ...Struct.Record(["createdAt", "updatedAt"], sideField(Schema.String))
})

/**
 * @category models
 * @since 0.1.0
 */
export interface CanvasVersion extends Schema.Schema.Type<typeof CanvasVersion> {}

/**
 * A canvas, without its versions.
 *
 * @see https://docs.tela.com/api-reference/canvas/get-prompt-id
 * @category schemas
 * @since 0.1.0
 */
export const CanvasInfo = open({
  id: Schema.NonEmptyString,
  title: sideFieldOr(Schema.String, ""),
  ...Struct.Record(["projectId", "workspaceId"], sideField(Schema.String))
})

/**
 * @category models
 * @since 0.1.0
 */
export interface CanvasInfo extends Schema.Schema.Type<typeof CanvasInfo> {}

/**
 * A workstation application (assumed: its look-up is not documented).
 *
 * @category schemas
 * @since 0.1.0
 */
export const Application = open({
  id: Schema.NonEmptyString,
  promptId: Schema.String,
  promptVersionId: absentable(Schema.String),
  title: sideField(Schema.String)
})

/**
 * @category models
 * @since 0.1.0
 */
export interface Application extends Schema.Schema.Type<typeof Application> {}

/**
 * A version of a canvas, as the history of versions has it: without its content.
 *
 * @see https://docs.tela.com/api-reference/prompt-version/get-prompt-version-history
 * @category schemas
 * @since 0.1.0
 */
export const CanvasVersionSummary = open({
  id: Schema.NonEmptyString,
  promptId: sideField(Schema.String),
  title: sideField(Schema.String),
  ...Struct.Record(["promoted", "draft"], sideField(Schema.Boolean)),
  versionIndex: sideField(Schema.Finite),
  ...Struct.Record(["createdAt", "updatedAt"], sideField(Schema.String))
})

/**
 * @category models
 * @since 0.1.0
 */
export interface CanvasVersionSummary extends Schema.Schema.Type<typeof CanvasVersionSummary> {}

/**
 * An environment of a canvas, such as `production`.
 *
 * @see https://docs.tela.com/api-reference/environment/get-environment
 * @category schemas
 * @since 0.1.0
 */
export const Environment = open({
  id: sideField(Schema.String),
  name: Schema.NonEmptyString,
  /** The version that it serves, if it serves any. */
  currentVersion: absentable(CanvasVersion),
  activePublication: sideField(open({
    ...Struct.Record(["id", "versionId", "publishedAt"], sideField(Schema.String))
  })),
  ...Struct.Record(["createdAt", "updatedAt"], sideField(Schema.String))
})

/**
 * @category models
 * @since 0.1.0
 */
export interface Environment extends Schema.Schema.Type<typeof Environment> {}
