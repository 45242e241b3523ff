/** What the demo knows of its jobs, whichever provider does them. */
import type { Effect, Ref } from "effect"
import type { RunRef, RunSource } from "canvas-runs"
import type * as Screen from "../screen.ts"

/** What a job is called, and how it is meant to end. */
export interface Label {
  readonly name: string
  readonly provider: "Spine" | "Tela sync" | "Tela async" | "Tela stream"
  /** The status in which it ends on the emulator. */
  readonly expected: string
}

/** A job that is shown on the screen with others, from what is asked for to what comes of it. */
export interface Job<E, R> extends Label {
  readonly perform: (setting: Setting) => Effect.Effect<Outcome, E, R>
}

/** What became of a job. A run that fails is an outcome; anything else that goes wrong is not. */
export interface Outcome {
  /** In the provider's word. */
  readonly status: string
  readonly tasks?: RunSource.Progress | undefined
  readonly canvasId?: string | undefined
  readonly credits?: number | undefined
  readonly files: ReadonlyArray<{ readonly path: string; readonly bytes: number }>
  /** What else there is to say. */
  readonly note: string
}

/** What jobs that are done side by side have in common. */
export interface Setting {
  /** Whether the real services do them, which takes longer. */
  readonly real: boolean
  readonly screen: Screen.Screen
  /** For the files that the jobs make. */
  readonly directory: string
  /** The runs that were created and have not been dealt with. */
  readonly underWay: Ref.Ref<ReadonlyArray<RunRef.RunRef>>
}
