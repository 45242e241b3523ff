/**
 * `npm run runtimes`: packs the package, installs it with `effect` into an empty project, and runs one program with it on every
 * runtime, against emulators in a separate process. Prints a table, and exits with 1 if anything in it failed.
 *
 * `-- --only NAME` (may be repeated) picks runtimes, and `-- --json` prints the results as JSON.
 *
 * Runtimes come from npm, each into a separate folder. Chromium comes from the system, because npm has no package with it. The
 * requests of the page are cross-origin, as for a user: the page is served by one server and calls another, which allows that by
 * CORS.
 */
import { build, transform } from "esbuild"
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import type { Readable } from "node:stream"
import { fileURLToPath } from "node:url"
import { parseArgs, promisify } from "node:util"
import type { Expected } from "./nodeOnly.ts"
import type { StepResult } from "./program.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))
const here = fileURLToPath(new URL("./", import.meta.url))
const exec = promisify(execFile)

/** The time that a runtime has for all steps. */
const timeoutMillis = 120_000

export interface Runtime {
  readonly name: string
  /** The npm package of the runtime, with its version; none for a runtime of the system. */
  readonly package?: string
  /** Runs the program on it. */
  readonly run: (stage: Stage, runtime: Runtime) => Promise<Outcome>
  /** The expected behaviour of the entry points that need Node. */
  readonly nodeOnly: Expected
  /** Steps that the platform does not allow, with the expected error and the reason. */
  readonly lacks?: { readonly [step: string]: { readonly failure: RegExp; readonly because: string } }
}

export interface Outcome {
  readonly version: string
  readonly steps: ReadonlyArray<StepResult>
}

/** The files that were prepared for all runtimes. */
export interface Stage {
  /** A folder that is removed at the end. */
  readonly directory: string
  /** The project with only the package and `effect`. */
  readonly project: string
  /** The same with `@effect/platform-node`. */
  readonly projectWithNode: string
  readonly emulator: string
}

// ---------------------------------------------------------------------------------------------------------------------

const node = (
  version: string,
  nodeOnly: Expected = { node: true, server: true },
  name = `node-${version.split(".")[0]}`
): Runtime => ({
  name,
  package: `node@${version}`,
  run: (stage, runtime) => onCommand(stage, runtime, "node", []),
  nodeOnly
})

/** All versions are defined here. */
export const runtimes: ReadonlyArray<Runtime> = [
  // The undici client of `canvas-runs/node` needs Node 22.19. Node 20.3.0 is the oldest version that `engines` of
  // `package.json` allows
  {
    ...node("20.3.0", { node: false, server: true }, "node-20.3"),
    lacks: {
      "server entry": {
        failure: /other side closed/,
        because: "the server of @effect/platform-node sets content-length as text, which it compares with a number"
      }
    }
  },
  node("20.20.2", { node: false, server: true }),
  node("22.23.3"),
  node("24.21.0"),
  node("26.10.0"),
  {
    name: "bun",
    package: "bun@1.4.5",
    run: (stage, runtime) => onCommand(stage, runtime, "bun", []),
    // Its built-in `undici` module has no client
    nodeOnly: { node: false, server: true }
  },
  {
    name: "deno",
    package: "deno@2.9.6",
    run: (stage, runtime) => onCommand(stage, runtime, "deno", ["run", "--allow-all"]),
    nodeOnly: { node: true, server: true }
  },
  {
    name: "workerd",
    package: "workerd@1.20261117.1",
    run: (stage, runtime) => onWorkerd(stage, runtime),
    nodeOnly: { node: false, server: false }
  },
  {
    name: "chromium",
    run: (stage, runtime) => onChromium(stage, runtime),
    nodeOnly: { node: false, server: false },
    lacks: {
      "stream up": {
        failure: /^CreateOutcomeUnknownError: .*Failed to fetch/,
        because: "it streams request bodies only over HTTP/2, and the emulator has HTTP/1.1"
      }
    }
  }
]

/** The compatibility date of workerd, like that of a new project. */
const workerdDate = "2026-11-01"

// ---------------------------------------------------------------------------------------------------------------------

const npm = (cwd: string, ...args: ReadonlyArray<string>) =>
  exec("npm", [...args, "--no-audit", "--no-fund", "--loglevel=error"], { cwd, maxBuffer: 1 << 26 })

const versionOf = async (name: string): Promise<string> => {
  const { version } = JSON.parse(await readFile(join(root, "node_modules", name, "package.json"), "utf8"))
  return version as string
}

/** Builds and packs in a separate folder, so that no file of an earlier build gets into the package. */
const pack = async (directory: string): Promise<string> => {
  const folder = join(directory, "package")
  const manifest = await readFile(join(root, "package.json"), "utf8")
  const { files } = JSON.parse(manifest) as { readonly files: ReadonlyArray<string> }
  await mkdir(folder)
  await writeFile(join(folder, "package.json"), manifest)
  await exec(
    process.execPath,
    [join(root, "node_modules/typescript/bin/tsc"), "-p", join(root, "src"), "--outDir", join(folder, "dist")]
  ).catch((error: { readonly stdout: string }) => {
    throw new Error(`The package does not build:\n${error.stdout}`)
  })
  for (const file of ["README.md", ...files.filter((file) => file !== "dist" && !file.startsWith("!"))]) {
    await cp(join(root, file), join(folder, file), { recursive: true })
  }
  const { stdout } = await npm(folder, "pack", "--ignore-scripts", "--json")
  const [packed] = JSON.parse(stdout) as ReadonlyArray<{ readonly filename: string }>
  return join(folder, packed!.filename)
}

/** An empty project with the given packages, and the program as JavaScript, which every runtime reads. */
const makeProject = async (folder: string, ...packages: ReadonlyArray<string>): Promise<string> => {
  await mkdir(folder)
  await writeFile(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }))
  await npm(folder, "install", ...packages)
  for (const name of ["content", "program", "nodeOnly", "command"]) {
    const { code } = await transform(await readFile(join(here, `${name}.ts`), "utf8"), {
      loader: "ts",
      target: "es2022"
    })
    // Rewrites the extensions of relative imports, as TypeScript's build does
    await writeFile(join(folder, `${name}.js`), code.replaceAll(/((?:from |import\()"\.\/\w+)\.ts"/g, "$1.js\""))
  }
  return folder
}

/** Installs the package in a separate folder, and returns the folder of its executables. */
const install = async ({ directory }: Stage, { name, package: spec }: Runtime): Promise<string> => {
  const folder = join(directory, "runtimes", name)
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, "package.json"), JSON.stringify({ private: true }))
  await npm(folder, "install", spec!)
  return join(folder, "node_modules/.bin")
}

/** The first lines of a process's output, up to one that matches. */
const printed = (child: ChildProcess, from: Readable, pattern: RegExp): Promise<RegExpExecArray> =>
  new Promise((resolve, reject) => {
    let output = ""
    let errors = ""
    child.stderr?.on("data", (chunk: Buffer) => errors += chunk.toString())
    from.on("data", (chunk: Buffer) => {
      output += chunk.toString()
      const match = pattern.exec(output)
      if (match !== null) resolve(match)
    })
    child.once("error", reject)
    child.once("exit", (code) => reject(new Error(`it exited with ${code}: ${output}${errors}`)))
  })

const stop = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, "exit")
  child.kill()
  const timer = setTimeout(() => child.kill("SIGKILL"), 3000)
  await exit
  clearTimeout(timer)
}

const withTimeout = async <A>(self: Promise<A>): Promise<A> => {
  let timer: NodeJS.Timeout | undefined
  try {
    return await Promise.race([
      self,
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no output within ${timeoutMillis / 1000} s`)), timeoutMillis)
      })
    ])
  } finally {
    clearTimeout(timer)
  }
}

// ---------------------------------------------------------------------------------------------------------------------

/** A runtime with a command line, which reads the installed packages itself. */
const onCommand = async (
  stage: Stage,
  runtime: Runtime,
  command: string,
  args: ReadonlyArray<string>
): Promise<Outcome> => {
  const bin = await install(stage, runtime)
  const env = { PATH: [bin, process.env["PATH"]].join(delimiter), HOME: stage.directory, NO_COLOR: "1" }
  const version = await exec(join(bin, command), ["--version"], { env })
  const perform = async (project: string, module: string) => {
    const { stdout } = await exec(
      join(bin, command),
      [...args, join(project, "command.js"), module, stage.emulator, JSON.stringify(runtime.nodeOnly)],
      { cwd: project, env, timeout: timeoutMillis }
    )
    return JSON.parse(stdout) as ReadonlyArray<StepResult>
  }
  return {
    version: /\d+\.\d+\.\d+/.exec(version.stdout)?.[0] ?? version.stdout,
    steps: [...await perform(stage.project, "program"), ...await perform(stage.projectWithNode, "nodeOnly")]
  }
}

/** The program and its dependencies in one file, for runtimes that read no packages. */
const bundle = async (project: string, entry: string, conditions: ReadonlyArray<string>): Promise<string> => {
  const { outputFiles: [file] } = await build({
    stdin: { contents: entry, resolveDir: project },
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    target: "es2022",
    conditions: [...conditions],
    logLevel: "error"
  })
  return file!.text
}

const imports = `
  import * as Program from "./program.js"
  import * as NodeOnly from "./nodeOnly.js"
  const perform = async ({ emulator, expected }) => [
    ...await Program.run(emulator),
    ...await NodeOnly.run(expected, emulator)
  ]
`

const onWorkerd = async (stage: Stage, runtime: Runtime): Promise<Outcome> => {
  const bin = await install(stage, runtime)
  const folder = join(stage.directory, "workerd")
  await mkdir(folder)
  const worker = await bundle(
    stage.project,
    `${imports}
    export default {
      fetch: async (request) => {
        const asked = await request.json()
        return asked.timeout === undefined
          ? Response.json(await perform(asked))
          : new Response(await Program.serve(asked.emulator, asked.timeout))
      }
    }`,
    ["workerd", "worker"]
  )
  await writeFile(join(folder, "worker.js"), worker)
  await writeFile(
    join(folder, "config.capnp"),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [(name = "worker.js", esModule = embed "worker.js")],
      compatibilityDate = "${workerdDate}"
    )),
    (name = "internet", network = (allow = ["public", "private", "local"]))
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")]
);
`
  )
  const version = await exec(join(bin, "workerd"), ["--version"])
  const child = spawn(join(bin, "workerd"), ["serve", "config.capnp", "--control-fd=3"], {
    cwd: folder,
    stdio: ["ignore", "inherit", "pipe", "pipe"]
  })
  try {
    const [, port] = await printed(child, child.stdio[3] as Readable, /"port":(\d+)/)
    const ask = async (asked: object): Promise<Response> => {
      const response = await fetch(`http://127.0.0.1:${port}`, {
        method: "POST",
        body: JSON.stringify({ emulator: stage.emulator, ...asked }),
        signal: AbortSignal.timeout(timeoutMillis)
      })
      if (!response.ok) throw new Error(`the worker answered with ${response.status}: ${await response.text()}`)
      return response
    }
    const steps = await (await ask({ expected: runtime.nodeOnly })).json() as ReadonlyArray<StepResult>
    // Timers and sockets of a worker's request end with its response, so other requests must not wait for them
    const answers = ["150 millis", "20 seconds", "250 millis", "20 seconds"].map(async (timeout) =>
      (await ask({ timeout })).text()
    )
    const ends = (await Promise.all(answers)).join(", ")
    if (ends !== "RunTimeoutError, completed, RunTimeoutError, completed") {
      throw new Error(`concurrent requests ended with: ${ends}`)
    }
    return {
      version: /\d{4}-\d{2}-\d{2}|1\.\d+\.\d+/.exec(version.stdout)?.[0] ?? version.stdout.trim(),
      steps
    }
  } finally {
    await stop(child)
  }
}

const onChromium = async (stage: Stage, runtime: Runtime): Promise<Outcome> => {
  const command = ["chromium", "chromium-browser", "google-chrome"].flatMap((name) =>
    (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, name))
  ).find((file) => existsSync(file))
  if (command === undefined) {
    throw new Error("there is no Chromium on the PATH; on Debian: apt-get install -y chromium")
  }
  const version = await exec(command, ["--version"])
  const script = await bundle(
    stage.project,
    `${imports}
    const setting = ${JSON.stringify({ emulator: stage.emulator, expected: runtime.nodeOnly })}
    perform(setting).catch((error) => ({ error: String(error) })).then((results) =>
      fetch("/results", { method: "POST", body: JSON.stringify(results) })
    )`,
    []
  )
  let resolve: (results: string) => void
  let reject: (error: Error) => void
  const results = new Promise<string>((...settle) => [resolve, reject] = settle)
  const server = createServer((request, response) => {
    if (request.url === "/results") {
      let body = ""
      request.on("data", (chunk) => body += chunk)
      request.on("end", () => {
        resolve(body)
        response.end()
      })
    } else if (request.url === "/program.js") {
      response.setHeader("content-type", "text/javascript").end(script)
    } else {
      response.setHeader("content-type", "text/html").end(
        "<!doctype html><meta charset=utf-8><title>runtimes</title><script type=module src=/program.js></script>"
      )
    }
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as { readonly port: number }
  const child = spawn(command, [
    "--headless",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    `--user-data-dir=${join(stage.directory, "chromium")}`,
    // Chromium's sandbox does not start for root
    ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
    `http://127.0.0.1:${port}/`
  ], { stdio: "ignore" })
  child.once("error", (error) => reject(error))
  child.once("exit", (code) => reject(new Error(`Chromium ended with ${code}`)))
  try {
    const steps = JSON.parse(await withTimeout(results)) as
      | ReadonlyArray<StepResult>
      | { readonly error: string }
    if ("error" in steps) throw new Error(steps.error)
    return { version: /\d+(?:\.\d+)+/.exec(version.stdout)?.[0] ?? version.stdout.trim(), steps }
  } finally {
    await stop(child)
    server.close()
    server.closeAllConnections()
  }
}

// ---------------------------------------------------------------------------------------------------------------------

/** The row of a runtime. */
export interface Row {
  readonly name: string
  readonly version: string
  readonly cells: { readonly [step: string]: "ok" | "FAILED" | "lacks" }
  readonly millis: number
  /** The reasons of failures. */
  readonly failures: ReadonlyArray<string>
  /** The steps that the platform lacks. */
  readonly notes: ReadonlyArray<string>
}

/** The steps, in the order of the table. */
export const stepNames = [
  "create",
  "poll",
  "upload",
  "download",
  "execute",
  "stream",
  "stream up",
  "test kit",
  "node entry",
  "server entry"
] as const

/** Judges an outcome: every step must have a result, and a step that the platform lacks must fail as expected. */
export const rowOf = (runtime: Runtime, { steps, version }: Outcome, millis: number): Row => {
  const failures: Array<string> = []
  const notes: Array<string> = []
  const cellOf = (name: string): Row["cells"][string] => {
    const result = steps.find(({ step }) => step === name)
    const lack = runtime.lacks?.[name]
    if (result === undefined) failures.push(`${runtime.name}: ${name}: it was not run`)
    else if (lack !== undefined && result.failure !== undefined && lack.failure.test(result.failure)) {
      notes.push(`${runtime.name}: ${name}: ${lack.because}`)
      return "lacks"
    } else if (lack !== undefined) {
      failures.push(`${runtime.name}: ${name}: it should fail by ${lack.failure}: ${result.failure ?? "it succeeded"}`)
    } else if (result.failure !== undefined) failures.push(`${runtime.name}: ${name}: ${result.failure}`)
    else return "ok"
    return "FAILED"
  }
  const cells = Object.fromEntries(stepNames.map((name) => [name, cellOf(name)]))
  return { name: runtime.name, version, cells, millis, failures, notes }
}

/** A runtime on which no step could run. */
export const brokenRow = (runtime: Runtime, error: unknown, millis: number): Row => ({
  name: runtime.name,
  version: "-",
  cells: Object.fromEntries(stepNames.map((name) => [name, "FAILED"])),
  millis,
  failures: [`${runtime.name}: ${error instanceof Error ? error.message : String(error)}`],
  notes: []
})

/** The rows as a table for a terminal, which is one in Markdown too. */
export const table = (rows: ReadonlyArray<Row>): string => {
  const lines = [
    ["runtime", "version", ...stepNames, "time"],
    ...rows.map(({ cells, millis, name, version }) => [
      name,
      version,
      ...stepNames.map((step) => cells[step]!),
      `${(millis / 1000).toFixed(1)} s`
    ])
  ]
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  const line = (cells: ReadonlyArray<string>) => `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`
  return [line(lines[0]!), line(widths.map((width) => "-".repeat(width))), ...lines.slice(1).map(line)].join("\n")
}

const main = async (): Promise<boolean> => {
  const { values: { json, only } } = parseArgs({
    options: { only: { type: "string", multiple: true }, json: { type: "boolean", default: false } }
  })
  const names = runtimes.map(({ name }) => name)
  const unknown = only?.find((name) => !names.includes(name))
  if (unknown !== undefined) throw new Error(`There is no runtime ${unknown}, but ${names.join(", ")}.`)
  const say = (text: string) => process.stderr.write(`${text}\n`)

  const directory = await mkdtemp(join(tmpdir(), "canvas-runs-runtimes-"))
  const emulator = spawn(
    process.execPath,
    ["--conditions=canvas-runs:source", join(here, "emulator.ts")],
    { stdio: ["ignore", "pipe", "pipe"] }
  )
  try {
    say("Packing and installing the package")
    const archive = await pack(directory)
    const effect = `effect@${await versionOf("effect")}`
    const stage: Stage = {
      directory,
      project: await makeProject(join(directory, "project"), archive, effect),
      projectWithNode: await makeProject(
        join(directory, "project-with-node"),
        archive,
        effect,
        `@effect/platform-node@${await versionOf("@effect/platform-node")}`
      ),
      emulator: (await printed(emulator, emulator.stdout, /listening on (\S+)/))[1]!
    }
    const rows: Array<Row> = []
    for (const runtime of runtimes.filter(({ name }) => only === undefined || only.includes(name))) {
      say(`Running on ${runtime.name}`)
      const started = performance.now()
      const row = await runtime.run(stage, runtime).then(
        (outcome) => rowOf(runtime, outcome, sumOf(outcome.steps)),
        (error: unknown) => brokenRow(runtime, error, performance.now() - started)
      )
      rows.push(row)
      for (const failure of row.failures) say(failure)
    }
    const failures = rows.flatMap(({ failures }) => failures)
    if (json) console.log(JSON.stringify({ date: new Date().toISOString().slice(0, 10), rows }))
    else {
      console.log(`\n${table(rows)}`)
      for (const note of rows.flatMap(({ notes }) => notes)) console.log(`lacks: ${note}`)
      for (const failure of failures) console.log(`FAILED: ${failure}`)
    }
    return failures.length === 0
  } finally {
    await stop(emulator)
    await rm(directory, { recursive: true, force: true })
  }
}

const sumOf = (steps: ReadonlyArray<StepResult>): number => steps.reduce((sum, { millis }) => sum + millis, 0)

if (import.meta.main) {
  process.exitCode = await main().then((isOk) => isOk ? 0 : 1, (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  })
}
