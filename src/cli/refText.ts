/** The text of a ref on a command line. */
import * as Option from "effect/Option"
import { parseJson } from "../internal/describe.ts"
import { read, type RunRef } from "../internal/ref.ts"

/** Writes a ref as one word, such as `spine:run:6f1c1d5e`, which needs no quotes in a shell. */
export const format = ({ id, kind, provider }: RunRef): string => `${provider}:${kind}:${id}`

/** Reads a ref: JSON, or the three words that {@link format} and messages of the library write. */
export const parse = (text: string): Option.Option<RunRef> => {
  if (text.trimStart().startsWith("{")) {
    return Option.flatMap(parseJson(text), (json) => Option.fromUndefinedOr(read(json)))
  }
  const [, provider, kind, id] = /^(spine|tela)[: ](run|execution|task)[: ](\S+)$/.exec(text.trim()) ?? []
  return id === undefined ? Option.none() : Option.some({ version: 1, provider: provider!, kind: kind!, id })
}
