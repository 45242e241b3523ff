/** Checks the examples of the README and the guides against the packed package. */
import { cpSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, ManagedRuntime } from "effect"
import * as SpineEmulatorServer from "canvas-runs/testing/SpineEmulatorServer"
import { extract } from "../docs/extract.ts"
import * as Running from "../docs/running.ts"
import { root, run } from "./stage.ts"

/** Compiles and runs the examples in a project that has the package. Returns their number. Fails with the first one that is wrong. */
export const checkExamples = async (project: string): Promise<number> => {
  const directory = join(project, "examples")
  const examples = extract(directory, ["README.md", "docs/*.md"])
  writeFileSync(
    join(directory, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        module: "NodeNext",
        target: "ES2022",
        lib: ["ES2023", "DOM", "DOM.Iterable", "DOM.AsyncIterable"],
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: true,
        noEmit: true,
        types: ["node"]
      },
      include: ["*.ts"]
    })
  )
  await run("tsc", ["-p", directory], project)

  const script = join(directory, "together.ts")
  cpSync(join(root, "test/docs/together.ts"), script)
  const service = ManagedRuntime.make(Running.service)
  try {
    const { baseUrl } = await service.runPromise(Effect.service(SpineEmulatorServer.SpineEmulatorServer))
    const options = { env: Running.environment(baseUrl), execArgv: [] }
    const together = await Running.runTogether(examples, { ...options, script })
    for (const example of examples) {
      if (Running.isRight(example, together)) continue
      const { code, errors, output } = await Running.runAlone(example, options)
      if (code === 0 && Running.missing(example, output) === undefined) continue
      throw new Error(`${example.origin} is wrong with the packed package; it printed:\n${output}${errors}`)
    }
  } finally {
    await service.dispose()
  }
  return examples.length
}
