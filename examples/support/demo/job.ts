/** The jobs of the demo, for both providers. */
import type { Effect, Ref } from "effect"
import type { RunRef, RunSource } from "canvas-runs"
import type { Screen } from "canvas-runs/picture"

/** The name of a job, and its intended end. */
export interface Label {
  readonly name: string
  readonly provider: "Spine" | "Tela sync" | "Tela async" | "Tela stream"
  /** Its terminal status on the emulator. */
  readonly expected: string
}

/** A job that is shown on the screen with others, from its input to its outcome. */
export interface Job<E, R> extends Label {
  readonly perform: (setting: Setting) => Effect.Effect<Outcome, E, R>
}

/** The outcome of a job. A failed run is an outcome; any other failure is not. */
export interface Outcome {
  /** The status as the provider reports it. */
  readonly status: string
  readonly tasks?: RunSource.Progress | undefined
  readonly canvasId?: string | undefined
  readonly credits?: number | undefined
  readonly files: ReadonlyArray<{ readonly path: string; readonly bytes: number }>
  /** Other details. */
  readonly note: string
}

/** The state that concurrent jobs share. */
export interface Setting {
  /** Whether the real services run them, which takes longer. */
  readonly real: boolean
  readonly screen: Screen.Runs
  /** The folder for the files of the jobs. */
  readonly directory: string
  /** The runs that were created and have not finished. */
  readonly underWay: Ref.Ref<ReadonlyArray<RunRef.RunRef>>
}
