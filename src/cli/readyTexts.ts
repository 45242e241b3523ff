/** The texts of the help and the version, which the bundle has ready. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Sink from "effect/Sink"
import * as Stdio from "effect/Stdio"
import { commandNames, main } from "./main.ts"
import * as Platform from "./platform.ts"

/** Renders the texts, by the arguments that ask for them. */
export const readyTexts = async (): Promise<{ readonly [args: string]: string }> => {
  const calls = [
    ["--version"],
    ["-v"],
    ["--help"],
    ["-h"],
    ...commandNames.map((name) => [name, "--help"])
  ]
  const texts: { [args: string]: string } = {}
  for (const args of calls) {
    let text = ""
    const stdio = Stdio.layerTest({
      stdout: () => Sink.forEach((chunk: string | Uint8Array) => Effect.sync(() => void (text += String(chunk))))
    })
    await Effect.runPromise(Effect.provide(main(args), Layer.merge(Platform.layer, stdio)))
    texts[args.join(" ")] = text
  }
  return texts
}
