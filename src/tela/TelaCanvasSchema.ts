/**
 * The data of canvases, their versions and their environments. `TelaSchema` describes how data is decoded.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import {
  absentable,
  open,
  openLiterals,
  sideField,
  sideFieldOr,
  times,
  withFallback
} from "../internal/responseSchema.ts"

/**
 * Decodes a variable that a canvas takes.
 *
 * @see https://docs.tela.com/api-reference/prompt-version/get-prompt-id-promoted-version
 * @category schemas
 * @since 0.1.0
 */
export const Variable = open({
  /** The name: the key of the variable in `variables`. */
  name: Schema.String,
  /** `text` or `file`, or a type that this library does not know. */
  type: openLiterals(["text", "file"]),
  /** Whether an execution needs it. `false` if the provider does not say. */
  required: withFallback(Schema.Boolean, false),
  /** A description for people. */
  description: sideField(Schema.String)
})

/**
 * A variable that a canvas takes.
 *
 * **Details**
 *
 * | member | what it is |
 * | --- | --- |
 * | `name` | the key of the variable in `variables` |
 * | `type` | `text` or `file`, or a type that this library does not know |
 * | `required` | whether an execution needs it; `false` if the provider does not say |
 * | `description` | a description for people |
 *
 * @category models
 * @since 0.1.0
 */
export interface Variable extends Schema.Schema.Type<typeof Variable> {}

/** The fields that a version has with its content and without it. */
const version = {
  /** The id of the version. */
  id: Schema.NonEmptyString,
  /** The title of the version. */
  title: sideField(Schema.String),
  /** Whether production serves it. */
  promoted: sideField(Schema.Boolean),
  /** Whether it was never published. */
  draft: sideField(Schema.Boolean),
  /** Its place among the versions of the canvas. 1 is the oldest. */
  versionIndex: sideField(Schema.Finite),
  ...times
}

/**
 * Decodes one version of a canvas. Settings that do not decode are absent.
 *
 * @see https://docs.tela.com/api-reference/prompt-version/get-prompt-version-history
 * @category schemas
 * @since 0.1.0
 */
export const CanvasVersion = open({
  ...version,
  /** The id of the canvas. */
  promptId: Schema.String,
  /** The variables that it takes. Empty if the provider sends none that can be read. */
  variables: withFallback(Schema.Array(Variable), []),
  /** Its settings, if the provider sends any that can be read. */
  configuration: absentable(open({
    /** The name of the model. */
    model: sideField(Schema.String),
    /** `chat` or `completion`. */
    type: sideField(Schema.String),
    /** From 0 to 1. */
    temperature: sideField(Schema.Finite),
    /** The form of the output. Without it the output is text. */
    structuredOutput: absentable(open({
      /** Whether the output is an object. */
      enabled: withFallback(Schema.Boolean, false),
      /** The JSON Schema of the output. */
      schema: absentable(Schema.Record(Schema.String, Schema.Unknown))
    }))
  })),
  /** Whether it is a workflow, whose output is that of its last step. `false` if the provider does not say. */
  isWorkflow: withFallback(Schema.Boolean, false)
})

/**
 * One version of a canvas, as `tela.versions` and `canvas.version` have it.
 *
 * **Details**
 *
 * | member | what it is |
 * | --- | --- |
 * | `id`, `promptId` | the ids of the version and of its canvas |
 * | `title` | the title of the version |
 * | `variables` | the variables that it takes; empty if the provider sends none that can be read |
 * | `configuration` | `model`, `type` (`chat` or `completion`), `temperature` (0 to 1) and `structuredOutput` (`enabled`, and the JSON Schema of the output in `schema`) |
 * | `promoted` | whether production serves it |
 * | `draft` | whether it was never published |
 * | `isWorkflow` | whether it is a workflow; `false` if the provider does not say |
 * | `versionIndex` | its place among the versions of the canvas, from 1 for the oldest |
 * | `createdAt`, `updatedAt` | the times of creation and of the last change, in ISO 8601 |
 *
 * @category models
 * @since 0.1.0
 */
export interface CanvasVersion extends Schema.Schema.Type<typeof CanvasVersion> {}

/**
 * Decodes a canvas, without its versions.
 *
 * @see https://docs.tela.com/api-reference/canvas/get-prompt-id
 * @category schemas
 * @since 0.1.0
 */
export const CanvasInfo = open({
  /** The id of the canvas. */
  id: Schema.NonEmptyString,
  /** Its title. Empty if the provider sends none. */
  title: sideFieldOr(Schema.String, ""),
  /** The id of the project that it belongs to, if it belongs to one. */
  projectId: sideField(Schema.String),
  /** The id of the workspace. */
  workspaceId: sideField(Schema.String)
})

/**
 * A canvas, without its versions.
 *
 * **Details**
 *
 * | member | what it is |
 * | --- | --- |
 * | `id` | the id of the canvas |
 * | `title` | its title; empty if the provider sends none |
 * | `projectId`, `workspaceId` | the ids of the project and the workspace that it belongs to |
 *
 * @category models
 * @since 0.1.0
 */
export interface CanvasInfo extends Schema.Schema.Type<typeof CanvasInfo> {}

/**
 * Decodes a workstation application. The provider does not document how one is looked up, so these members are assumed.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Application = open({
  /** The id of the application. */
  id: Schema.NonEmptyString,
  /** The id of its canvas. */
  promptId: Schema.String,
  /** The id of the version that it executes. Without it, that is the version that production serves. */
  promptVersionId: absentable(Schema.String),
  /** Its title. */
  title: sideField(Schema.String)
})

/**
 * A workstation application.
 *
 * **Details**
 *
 * | member | what it is |
 * | --- | --- |
 * | `id` | the id of the application |
 * | `promptId` | the id of its canvas |
 * | `promptVersionId` | the id of the version that it executes; if absent, that is the version that production serves |
 * | `title` | its title |
 *
 * @category models
 * @since 0.1.0
 */
export interface Application extends Schema.Schema.Type<typeof Application> {}

/**
 * Decodes a version of a canvas in the history of versions, which leaves out its content.
 *
 * @see https://docs.tela.com/api-reference/prompt-version/get-prompt-version-history
 * @category schemas
 * @since 0.1.0
 */
export const CanvasVersionSummary = open({
  ...version,
  /** The id of the canvas. */
  promptId: sideField(Schema.String)
})

/**
 * A version of a canvas without its content, as `tela.versions.history` returns it.
 *
 * **Details**
 *
 * | member | what it is |
 * | --- | --- |
 * | `id`, `promptId` | the ids of the version and of its canvas |
 * | `title` | the title of the version |
 * | `promoted` | whether production serves it |
 * | `draft` | whether it was never published |
 * | `versionIndex` | its place among the versions of the canvas, from 1 for the oldest |
 * | `createdAt`, `updatedAt` | the times of creation and of the last change, in ISO 8601 |
 *
 * @category models
 * @since 0.1.0
 */
export interface CanvasVersionSummary extends Schema.Schema.Type<typeof CanvasVersionSummary> {}

/**
 * Decodes an environment of a canvas.
 *
 * @see https://docs.tela.com/api-reference/environment/get-environment
 * @category schemas
 * @since 0.1.0
 */
export const Environment = open({
  /** The id of the environment. */
  id: sideField(Schema.String),
  /** Its name, such as `production`: the `environmentName` of an execution. */
  name: Schema.NonEmptyString,
  /** The version that it serves, if it serves any. */
  currentVersion: absentable(CanvasVersion),
  /** The last publication to it. */
  activePublication: sideField(open({
    /** The id of the publication. */
    id: sideField(Schema.String),
    /** The id of the version that was published. */
    versionId: sideField(Schema.String),
    /** When it was published, in ISO 8601. */
    publishedAt: sideField(Schema.String)
  })),
  ...times
})

/**
 * An environment of a canvas, such as `production`.
 *
 * **Details**
 *
 * | member | what it is |
 * | --- | --- |
 * | `id` | the id of the environment |
 * | `name` | its name: the `environmentName` of an execution |
 * | `currentVersion` | the version that it serves, if it serves any |
 * | `activePublication` | the last publication to it: its `id`, the `versionId`, and the time in `publishedAt` |
 * | `createdAt`, `updatedAt` | the times of creation and of the last change, in ISO 8601 |
 *
 * @category models
 * @since 0.1.0
 */
export interface Environment extends Schema.Schema.Type<typeof Environment> {}
