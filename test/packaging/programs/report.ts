/** A program that draws a canvas in every form, and writes reports. */
import { Report } from "canvas-runs/picture"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { program as picture } from "./picture.ts"

export const program = Effect.andThen(picture, Console.log(Report.spine({ status: "failed", run_id: "1", errors: [] })))
