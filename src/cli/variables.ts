/** The variables of an execution: `--var name=text`, `--var name=@file`, and a file of JSON. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Flag from "effect/cli/Flag"
import { fileFromPath } from "../tela/TelaFile.ts"
import { UsageError } from "./errors.ts"
import { readJson } from "./files.ts"

export const flag = Flag.String("var").pipe(
  Flag.withMetavar("NAME=VALUE"),
  Flag.withDescription(
    "A variable: NAME=TEXT, or NAME=@FILE for a file, or NAME=@@TEXT for text that begins with @; may be repeated"
  ),
  Flag.atLeast(0)
)

export const fileFlag = Flag.Path("vars-file", { pathType: "file", mustExist: true }).pipe(
  Flag.withDescription("A file with a JSON object of variables. A --var of the same name wins"),
  Flag.optional
)

/** Reads the variables. Files are uploaded when the execution is created. */
export const read = Effect.fnUntraced(function*({ variables, variablesFile }: {
  readonly variables: ReadonlyArray<string>
  readonly variablesFile: Option.Option<string>
}) {
  const base = Option.isNone(variablesFile) ? {} : yield* readJson(variablesFile.value)
  if (!Predicate.isObject(base)) {
    return yield* new UsageError({ message: `The file ${Option.getOrThrow(variablesFile)} holds no JSON object.` })
  }
  const entries = yield* Effect.forEach(
    variables,
    Effect.fnUntraced(function*(text) {
      const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? []
      if (name === undefined || value === undefined) {
        return yield* new UsageError({ message: `--var ${JSON.stringify(text)} is not NAME=VALUE.` })
      }
      const isFile = value.startsWith("@") && !value.startsWith("@@")
      return [name, isFile ? yield* fileFromPath(value.slice(1)) : value.replace(/^@@/, "@")] as const
    })
  )
  const names = entries.map(([name]) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) return yield* new UsageError({ message: `--var ${twice} was given twice.` })
  return { ...base, ...Object.fromEntries<unknown>(entries) }
})
