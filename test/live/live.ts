/**
 * The command: `npm run live -- --limit-credits 100`. It checks the assumptions of the providers' contracts against the real
 * services whose keys are set: `SPINE_API_KEY`; `TELA_API_KEY` with `TELA_CANVAS_ID`, and optionally `TELA_VARIABLES` (JSON) and
 * `TELA_APPLICATION_ID`. `SPINE_BASE_URL` and `TELA_BASE_URL` set other addresses. **It starts runs that cost credits**, one per
 * mode.
 */
import { NodeFileSystem } from "@effect/platform-node"
import { Config, Effect, Option, Redacted } from "effect"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import * as Check from "./check.ts"

const usage = "npm run live -- --limit-credits N starts real runs that cost up to about N credits. " +
  "Set SPINE_API_KEY, or TELA_API_KEY and TELA_CANVAS_ID, or both."

const optional = (name: string) =>
  Effect.orDie(Config.String(name).pipe(Config.withDefault(""), Effect.map((text) => text === "" ? undefined : text)))

const accounts = Effect.gen(function*() {
  const spineKey = yield* optional("SPINE_API_KEY")
  const telaKey = yield* optional("TELA_API_KEY")
  const canvasId = yield* optional("TELA_CANVAS_ID")
  const variables = Option.liftThrowable((text: string) => JSON.parse(text) as unknown)(
    (yield* optional("TELA_VARIABLES")) ?? "{}"
  )
  return {
    spine: spineKey === undefined ? undefined : {
      apiKey: Redacted.make(spineKey),
      baseUrl: (yield* optional("SPINE_BASE_URL")) ?? "https://api.getspine.ai"
    },
    tela: telaKey === undefined || canvasId === undefined || Option.isNone(variables) ? undefined : {
      apiKey: Redacted.make(telaKey),
      baseUrl: (yield* optional("TELA_BASE_URL")) ?? "https://api.tela.com",
      canvasId,
      variables: variables.value,
      applicationId: yield* optional("TELA_APPLICATION_ID")
    }
  }
})

const main = Effect.gen(function*() {
  const { values } = parseArgs({ options: { "limit-credits": { type: "string" }, fixtures: { type: "string" } } })
  const limitCredits = Number(values["limit-credits"])
  const { spine, tela } = yield* accounts
  if (!(limitCredits > 0) || spine === undefined && tela === undefined) {
    console.error(usage)
    return 2
  }
  const report = yield* Check.check({ spine, tela, limitCredits })
  console.log(Check.format(report))
  const directory = values.fixtures ?? fileURLToPath(new URL("fixtures", import.meta.url))
  console.log(`${yield* Check.save(report.exchanges, directory)} redacted responses written to ${directory}`)
  return report.failures.length > 0 || report.verdicts.some(({ verdict }) => verdict.held === false) ? 1 : 0
})

process.exitCode = await Effect.runPromise(Effect.provide(main, NodeFileSystem.layer))
