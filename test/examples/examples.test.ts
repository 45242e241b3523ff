import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect, Semaphore } from "effect"
import { RunRef } from "canvas-runs"
import { TelaEmulator } from "canvas-runs/testing"
import * as TelaEmulatorServer from "canvas-runs/testing/TelaEmulatorServer"
import { execFile } from "node:child_process"
import { readdirSync } from "node:fs"
import { chmod, mkdtemp, readdir, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { fileURLToPath } from "node:url"
import { stripVTControlCharacters } from "node:util"
import { postgres } from "../support/databases.ts"
import { bundle } from "../support/programs.ts"
import { isFull } from "../support/size.ts"
import { mark } from "./mark.ts"

const root = new URL("../../", import.meta.url)

const directory = fileURLToPath(new URL("examples", root))
const names = readdirSync(directory).filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))

const programs = await bundle(
  [...names.map((name) => `${directory}/${name}`), fileURLToPath(new URL("./marks.ts", import.meta.url))],
  directory
)
afterAll(programs.remove)

/** The arguments of Node that run an example as `npm run example` does. */
const fromSource = (name: string): ReadonlyArray<string> => [
  "--conditions=canvas-runs:source",
  `--import=${new URL("./marks.ts", import.meta.url).href}`,
  `examples/${name}`
]

/** The arguments of Node that run an example from its bundle, which takes a quarter of the CPU time. */
const fromBundle = (
  name: string
): ReadonlyArray<string> => [`--import=${programs.path("marks.ts")}`, programs.path(name)]

/** The directory for all files of the examples. */
const temporary = await mkdtemp(`${tmpdir()}/canvas-runs-test-`)
// PostgreSQL runs as another user if the tests run as root
await chmod(temporary, 0o755)
afterAll(() => rm(temporary, { recursive: true }))

/** The environment of the examples: no keys, and no colours. */
const environment = (added: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  ...process.env,
  FORCE_COLOR: undefined,
  OTEL_EXPORTER_OTLP_ENDPOINT: undefined,
  PORT: undefined,
  SPINE_API_KEY: undefined,
  SPINE_BASE_URL: undefined,
  SPINE_WEBHOOK_SECRET: undefined,
  TELA_API_KEY: undefined,
  TELA_APPLICATION_ID: undefined,
  TELA_BASE_URL: undefined,
  TELA_CANVAS_ID: undefined,
  TELA_JWT: undefined,
  TMPDIR: temporary,
  // Most of the CPU time that an example takes is spent on loading Effect
  NODE_COMPILE_CACHE: isFull ? `${tmpdir()}/canvas-runs-examples` : programs.compiled,
  ...added
})

interface Ended {
  readonly code: number | null
  /** The output after each write. */
  readonly writes: ReadonlyArray<string>
  readonly stdout: string
  readonly stderr: string
}

const unmarked = (marked: string): Pick<Ended, "stdout" | "writes"> => {
  const pieces = marked.split(mark)
  return { stdout: pieces.join(""), writes: pieces.map((_, index) => pieces.slice(0, index + 1).join("")) }
}

/** Only a few start at a time: a waiting example takes no CPU time, but a starting one does. */
const turn = Semaphore.makeUnsafe(4)

const run = (
  file: string,
  env?: NodeJS.ProcessEnv,
  argumentsOf = isFull ? fromSource : fromBundle
): Promise<Ended> =>
  Effect.promise(() =>
    new Promise<Ended>((resolve) => {
      const child = execFile(
        process.execPath,
        [...argumentsOf(file)],
        { cwd: root, env: environment(env), timeout: 300_000 },
        (_, stdout, stderr) => resolve({ code: child.exitCode, ...unmarked(stdout), stderr })
      )
    })
  ).pipe(Semaphore.withPermits(turn, 1), Effect.runPromise)

/** Runs an example, which must succeed, and returns its lines. */
const linesOf = async (
  file: string,
  env?: NodeJS.ProcessEnv,
  argumentsOf?: typeof fromSource
): Promise<ReadonlyArray<string>> => {
  const { code, stderr, stdout } = await run(file, env, argumentsOf)
  assert.strictEqual(stderr, "")
  assert.strictEqual(code, 0, stdout)
  return stdout.trimEnd().split("\n")
}

/** A database of the server that the tests share. In full size the example starts a server, as it does for a reader. */
const newDatabase = isFull
  ? undefined
  : Effect.runPromise(Effect.scoped(Effect.flatMap(postgres, ({ newDatabase }) => newDatabase)))

const uuid = "[0-9a-f]{8}-[0-9a-f-]{27}"

describe.concurrent("examples", { timeout: 360_000 }, () => {
  // First, because it waits for locks that expire
  it("31-cluster completes the workflows of a runner that is killed, and creates each run once", async () => {
    assert.deepStrictEqual(await linesOf("31-cluster.ts", { DATABASE_URL: await newDatabase }), [
      "3 runners are listening",
      "9 workflows have started",
      "one runner was killed",
      "9 have completed",
      "the provider has 9 runs"
    ])
  })

  it("01-first-run prints the result and the files", async () => {
    const lines = await linesOf("01-first-run.ts", undefined, fromSource)
    assert.strictEqual(lines[0], "# Compare three vector databases")
    assert.include(lines, "completed: 45 credits, and these files:")
    assert.match(lines.at(-1) ?? "", /^- Document 6\.docx \(\d+ bytes\)$/)
  })

  it("02-files uploads every shape of file under its name", async () => {
    assert.deepStrictEqual(await linesOf("02-files.ts"), [
      "file-block   file-1.txt",
      "file-block   regions.md",
      "file-block   sales.csv",
      "file-block   config.json",
      "table-block  Table 1",
      "excel-block  Excel 2"
    ])
  })

  it("03-progress-stream shows each change once with its time, and the terminal snapshot last", async () => {
    const [run, ...lines] = await linesOf("03-progress-stream.ts")
    assert.match(run ?? "", new RegExp(`^spine run ${uuid}$`))
    assert.deepStrictEqual(lines.map((line) => line.replace(/^ *(?:\d+ min )?[\d.]+ s {2}/, "")), [
      ...[0, 1, 2, 3, 4].map((done) => `${"█".repeat(4 * done)}${"░".repeat(20 - 4 * done)} ${done} of 5 tasks`),
      "completed with 1 file"
    ])
    assert.match(lines.at(-1) ?? "", /^1\d min/)
  })

  it("04-failures decides by tag", async () => {
    const lines = await linesOf("04-failures.ts")
    assert.deepStrictEqual(lines.map((line) => line.replace(new RegExp(uuid), "ID")), [
      "an empty prompt        fix prompt (sent: false)",
      "a run of 90 minutes    come back later to spine run ID",
      "a run that fails       give up: The sources could not be read",
      "too many requests      try again in 20s",
      "no credits             top up: Insufficient credits",
      "a broken connection    look into the portal before you start another"
    ])
  })

  it("05-many-prompts prints every result but one, and names that one", async () => {
    const lines = await linesOf("05-many-prompts.ts")
    assert.strictEqual(lines.filter((line) => line.endsWith(": done")).length, 7)
    assert.match(lines.find((line) => line.startsWith("Athens")) ?? "", /^Athens: The spine run .* failed: /)
    assert.strictEqual(lines.at(-1), "8 prompts, 315 credits")
  })

  it("06-resume continues the run that another process started", async () => {
    const lines = await linesOf("06-resume.ts")
    const ids = lines.slice(0, 2).map((line) => new RegExp(uuid).exec(line)?.[0])
    assert.isString(ids[0])
    assert.strictEqual(ids[0], ids[1])
    assert.strictEqual(lines[2], "second process: completed with 2 files")
  })

  it("07-abort-signal stops the wait and not the run", async () => {
    const lines = await linesOf("07-abort-signal.ts")
    assert.match(lines[0] ?? "", new RegExp(`^stopped waiting for spine run ${uuid}$`))
    assert.deepStrictEqual(lines.slice(1), ["it continues: running", "picked up again: completed"])
  })

  it("09-artifacts reads files into a folder, into memory and as a stream", async () => {
    const lines = await linesOf("09-artifacts.ts")
    assert.deepStrictEqual(lines.map((line) => line.replaceAll(/\d{2,}/g, "N")), [
      "folder: Landing Page 1.html (N bytes)",
      "folder: Image 2.png (N bytes)",
      "folder: Excel 3.xlsx (N bytes)",
      "bytes: <!doctype html>",
      "stream: Image 2.png, N of N bytes"
    ])
    assert.match(lines[4] ?? "", /, (\d+) of \1 bytes$/)
  })

  it("10-custom-schedule draws the polls of two schedules, and the one that uses the estimate polls less often", async () => {
    const lines = await linesOf("10-custom-schedule.ts")
    const of = (name: string) => {
      const [, chart = "", polls] = lines.map((line) =>
        new RegExp(`^${name} +([|.]{46}) {2}(\\d+) polls, noticed the end at [\\d.]+ min$`).exec(line)
      )
        .find(Boolean) ?? assert.fail(`nothing of ${name}`)
      return { chart, polls: Number(polls) }
    }
    const [backoff, patient] = [of("backoff"), of("patient")]
    assert.isAtLeast(patient.polls, 5)
    assert.isBelow(patient.polls, backoff.polls)
    assert.isTrue(patient.chart.startsWith("|...."))
  })

  it("11-extract-from-pdf prints the decoded output", async () => {
    const lines = await linesOf("11-extract-from-pdf.ts")
    assert.deepStrictEqual(
      lines.map((line) =>
        line.replace(new RegExp(uuid), "ID")
      ),
      [
        "Nordwind Ltd, NW-117: 1250.50 EUR",
        "due 2026-03-01 if we want the discount",
        "Tela's support will ask for the request: ID"
      ]
    )
  })

  it("12-async-events shows polls, changes and the end, and reads the result again without polling", async () => {
    const lines = await linesOf("12-async-events.ts")
    const requests = lines.slice(0, -1).map((line) => new RegExp(`request (${uuid})`).exec(line)?.[1])
    const events = lines.map((line) => line.replaceAll(new RegExp(uuid, "g"), "ID"))
    assert.deepStrictEqual(events, [
      "tela execution ID (request ID)",
      "polled: created (request ID)",
      "polled: running (request ID)",
      "it is running",
      "polled: running (request ID)",
      "polled: running (request ID)",
      "polled: succeeded (request ID)",
      "it is succeeded",
      "done: All about tides. (request ID)",
      "looked up: All about tides."
    ])
    // The creation, each poll, and the success with the request id of the poll that found it
    const told = requests.filter((id) => id !== undefined)
    assert.strictEqual(new Set(told).size, told.length - 1)
    assert.strictEqual(told.at(-1), told.at(-2))
  })

  it("13-stream-to-terminal writes the text in pieces, and counts its words", async () => {
    const { stderr, stdout, writes } = await run("13-stream-to-terminal.ts")
    assert.strictEqual(stderr, "")
    assert.match(stdout, new RegExp(`^Twice a day .* the time\\.\n\n36 words, by request ${uuid}\n$`))
    assert.isAtLeast(writes.length, 20)
  })

  it("14-structured-stream shows the partial output as it grows", async () => {
    assert.deepStrictEqual(await linesOf("14-structured-stream.ts"), [
      "thinking",
      "so far: Porto in two days: ",
      "so far: Porto in two days: Cathedral (? h)",
      "so far: Porto in two days: Cathedral (2 h)",
      "usage: {\"tokens\":128}",
      "so far: Porto in two days: Cathedral (2 h), Wine cellars (4 h)",
      "6 hours in all"
    ])
  })

  it("15-files-in-variables sends references, one for each file", async () => {
    const lines = await linesOf("15-files-in-variables.ts")
    const sent = new Map(lines.slice(1, 7).map((line) => line.split(/ {2,}/) as [string, string]))
    assert.deepStrictEqual([...sent.keys()], [
      "offer",
      "annexes.0",
      "annexes.1",
      "annexes.2",
      "brand.marks.light",
      "brand.marks.dark"
    ])
    assert.strictEqual(sent.get("annexes.0"), "https://example.com/terms.pdf")
    assert.match(sent.get("offer") ?? "", new RegExp(`^vault://${uuid}$`))
    assert.strictEqual(sent.get("brand.marks.light"), sent.get("annexes.2"))
    assert.strictEqual(sent.get("brand.marks.dark"), sent.get("annexes.2"))
    assert.deepStrictEqual(lines.slice(8), [
      "4 files in 6 places, 3 uploads",
      "answer: Nordwind offers a tide clock for EUR 1,250.50."
    ])
  })

  it("16-chat-history continues a conversation", async () => {
    assert.deepStrictEqual(await linesOf("16-chat-history.ts"), [
      "user      How often does it need a new battery?",
      "assistant Once a year.",
      "user      And how do I set it?",
      "assistant At high tide, with the knob on its back."
    ])
  })

  it("17-workstation-task corrects an output and approves it", async () => {
    assert.deepStrictEqual(await linesOf("17-workstation-task.ts"), [
      "Invoice NW-117 is validating: Nordwnd Ltd",
      "Invoice NW-117 is completed, approved by emulator@tela.example",
      "- emulator@tela.example changed content.supplier.name, which was \"Nordwnd Ltd\"",
      "to be paid: {\"supplier\":{\"name\":\"Nordwind Ltd\"},\"total\":1250.5}"
    ])
  })

  it("18-zod applies defaults, transformations and refinements", async () => {
    assert.deepStrictEqual(await linesOf("18-zod.ts"), [
      "Nordwind Ltd: 1250.50, due 2026-03-15",
      "not to be paid: Too small: expected number to be >0 at \"total\""
    ])
  })

  it("28-own-provider waits for a job of the invented service", async () => {
    assert.deepStrictEqual(await linesOf("28-own-provider.ts"), ["42"])
  })

  it("29-durable-run continues the workflow of the process that was killed, and repeats its result", async () => {
    const lines = await linesOf("29-durable-run.ts")
    assert.strictEqual(new Set(lines.flatMap((line) => new RegExp(uuid).exec(line) ?? [])).size, 1)
    // A handler that continues prints its line again
    assert.deepStrictEqual([...new Set(lines.map((line) => line.replace(new RegExp(uuid), "ID")))], [
      "process 1: waiting for spine run ID",
      "process 1: killed by SIGKILL",
      "process 2: waiting for spine run ID",
      "process 2: completed with 2 files",
      "process 3: completed with 2 files",
      "the provider has 1 run"
    ])
  })

  it("33-report writes a picture and a report", async () => {
    const lines = await linesOf("33-report.ts")
    assert.deepStrictEqual(lines.slice(0, -1).map((line) => line.slice(0, 8)), [
      "✓ Prompt",
      "✓ Table ",
      "✓ Web 3 ",
      "✓ Yt 4  ",
      "✓ Text 5",
      "✓ Docume"
    ])
    const [, directory] = / are in (\S+)$/.exec(lines.at(-1)!)!
    assert.match(await readFile(`${directory}/run.svg`, "utf8"), /^<svg [^]*Document 6[^]*<\/svg>\n$/)
    assert.match(
      await readFile(`${directory}/report.html`, "utf8"),
      /<h2>Graph<\/h2>[^]*<h2>(Timeline|Blocks)<\/h2>[^]*<h2>Output<\/h2>[^]*<h2>Files<\/h2>/
    )
  })

  it("30-batch-with-budget stops at the limit, and continues with a higher one", async () => {
    const lines = await linesOf("30-batch-with-budget.ts")
    const delivered = lines.filter((line) => line.startsWith("tides/"))
    assert.strictEqual(new Set(delivered).size, 12)
    assert.strictEqual(delivered.length, 12)
    assert.deepStrictEqual(lines.filter((line) => !line.startsWith("tides/")), [
      "a limit of 250 credits",
      "5 succeeded, 0 before, 7 failed",
      "failed by tag: {\"BudgetExceededError\":7}",
      "225 credits spent, 25 left",
      "a limit of 1000 credits",
      "7 succeeded, 5 before, 0 failed",
      "failed by tag: {}",
      "540 credits spent, 460 left"
    ])
  })

  it("34-agent starts one run for two agents with one key, and waits for it", async () => {
    const lines = await linesOf("34-agent.ts")
    assert.deepStrictEqual(lines.filter((line) => line !== "spine_wait: running"), [
      "spine_start: running",
      "spine_wait: completed",
      "The run is completed: # The tides at Station 1",
      "spine_start: completed",
      "The run is completed: # The tides at Station 1",
      "455 credits left"
    ])
  })

  it("22-many-runs prints each run as it ends, and counts the failed ones", async () => {
    assert.deepStrictEqual(await linesOf("22-many-runs.ts"), [
      "100 of 300",
      "200 of 300",
      "300 of 300",
      "300 runs, 294 completed, 6 failed"
    ])
  })

  it("20-check-schemas shows every difference at once", async () => {
    const lines = await linesOf("20-check-schemas.ts")
    for (
      const difference of [
        "BadRequestError: ",
        "\"document\" is a file for the canvas and string in the input schema",
        "the canvas requires \"language\"",
        "output.total is number on the canvas and string in the output schema"
      ]
    ) assert.include(lines[0], difference)
    assert.strictEqual(lines.at(-1), "Invoices: 2 lines, 1250.5 in total")
  })

  it("21-adaptive-polling polls rarely at first, often at the end, and less than half as often in all", async () => {
    const lines = await linesOf("21-adaptive-polling.ts")
    const of = (name: string) => {
      const [, polls, minutes] =
        lines.map((line) => new RegExp(`^${name}: (\\d+) polls, in the minutes ([\\d ]+)$`).exec(line)).find(Boolean) ??
          assert.fail(`nothing of ${name}`)
      return { polls: Number(polls), minutes: minutes!.split(" ").map(Number) }
    }
    const [fixed, adaptive] = [of("fixed"), of("adaptive")]
    assert.isAtLeast(adaptive.polls, 5)
    assert.isBelow(adaptive.polls, fixed.polls / 2)
    assert.isBelow(adaptive.minutes.filter((minute) => minute < 30).length, 10)
    assert.isAtLeast(adaptive.minutes.at(-1)!, 40)
  })

  it("23-webhook-server polls again when the webhook says that the run has ended", async () => {
    const lines = await linesOf("23-webhook-server.ts")
    assert.match(lines[0] ?? "", /^listening on http:\/\/127\.0\.0\.1:\d+\/webhooks\/spine$/)
    assert.include(lines, "webhook: run.started")
    const polls = lines.filter((line) => line.startsWith("poll ")).map((line) =>
      /^poll (\d) after (\d+) s: (\w+)$/.exec(line) ?? assert.fail(line)
    )
    assert.deepStrictEqual(polls.map(([, poll, , status]) => `${poll} ${status}`), ["1 running", "2 completed"])
    // The next poll without a webhook
    assert.isBelow(Number(polls[1]?.[2]), 60)
  })

  it("24-run-store continues in new processes with the run of the process that was killed", async () => {
    const lines = await linesOf("24-run-store.ts")
    assert.strictEqual(new Set(lines.flatMap((line) => new RegExp(uuid).exec(line) ?? [])).size, 1)
    assert.deepStrictEqual(lines.map((line) => line.replace(new RegExp(uuid), "ID")), [
      "process 1: no entry for report-2026-07",
      "process 1: waiting for spine run ID",
      "process 1: killed by SIGKILL",
      "process 2: report-2026-07 is Created",
      "process 2: waiting for spine run ID",
      "process 2: completed with 1 files",
      "process 3: report-2026-07 is Finished",
      "process 3: waiting for spine run ID",
      "process 3: completed with 1 files",
      "the provider has 1 run"
    ])
  })

  it("25-config names the missing or wrong variable, and prefers the environment over the file", async () => {
    const outcomes = new Map(
      (await linesOf("25-config.ts")).join("\n").split("\n\n").map((part) => {
        const [title = "", ...outcome] = part.split("\n")
        return [title, outcome.join("\n")]
      })
    )
    assert.include(outcomes.get("no key"), "SPINE_API_KEY is not set")
    assert.include(outcomes.get("a line break in the key"), "SPINE_API_KEY has characters that no key has")
    assert.notInclude(outcomes.get("a line break in the key"), "sk_spine_example")
    assert.include(
      outcomes.get("an address without a scheme"),
      "REPORTS_SPINE_URL is text; it must be an http(s) address"
    )
    assert.include(outcomes.get("a timeout without a unit"), "[\"REPORTS\"][\"TIMEOUT\"]")
    assert.strictEqual(outcomes.get("a .env file"), "  completed, polled every 1s for at most 1h")
    assert.strictEqual(
      outcomes.get("a .env file and an environment variable"),
      "  completed, polled every 200ms for at most 1h"
    )
  })

  it("26-tracing sends a span for each call and each request to the receiver, as a tree", async () => {
    const lines = await linesOf("26-tracing.ts")
    const names = lines.map((line) => line.replace(/, \d+ ms.*/, ""))
    assert.deepStrictEqual(names.slice(0, 5), [
      "report",
      "  invoke_agent auto",
      "    SpineRuns.create",
      "      http.client POST",
      "    Run.wait"
    ])
    const polls = Number(/run\.outcome="Succeeded" run\.polls=(\d+)/.exec(lines[4] ?? "")?.[1])
    assert.isAtLeast(polls, 2)
    assert.deepStrictEqual(names.slice(5), Array.from({ length: polls }, () => "      http.client GET"))
  })

  it("27-web-handler streams progress, and stops the wait of a client that leaves", async () => {
    const lines = await linesOf("27-web-handler.ts")
    const [stays, leaves] = [lines.indexOf("a client that stays"), lines.indexOf("a client that leaves")]
    const statuses = (some: ReadonlyArray<string>) => some.flatMap((line) => /"status":"(\w+)"/.exec(line)?.[1] ?? [])
    assert.match(lines[0] ?? "", /^no topic: 400, /)
    assert.deepStrictEqual(statuses(lines.slice(stays, leaves)), [
      ...Array.from({ length: 5 }, () => "running"),
      "completed"
    ])
    assert.deepStrictEqual(lines.slice(leaves + 1).map((line) => line.replace(/\{.*/, "")), [
      "  data: ",
      "  (the wait has ended)",
      "  the run continues: "
    ])
    assert.deepStrictEqual(statuses(lines.slice(leaves)), ["running", "running"])
  })

  it("are numbered without a gap, say how to run them, are short, and import only packages and their support", async () => {
    const files = (await readdir(new URL("examples", root))).filter((file) => /^\d\d-.*\.ts$/.test(file)).sort()
    assert.deepStrictEqual(
      files.map((file) => Number(file.slice(0, 2))),
      Array.from({ length: 34 }, (_, index) => index + 1)
    )
    for (const file of files) {
      const text = await readFile(new URL(`examples/${file}`, root), "utf8")
      const command = file.endsWith(".test.ts") ? "npx vitest run" : "npm run example"
      assert.include(text.slice(0, text.indexOf("*/")), `Run: \`${command} examples/${file}\``)
      assert.isAtMost(text.split("\n").length, 90, file)
      for (const [, from = ""] of text.matchAll(/^(?:import|\}) .*from "(.*)"$/gm)) {
        assert.match(from, /^(?:canvas-runs|effect|@effect\/[\w-]+|zod|node:|\.\/support\/)/, file)
      }
    }
  })

  it("print why Tela's real service is not used when a key is set without a canvas", async () => {
    const { code, stdout } = await run("16-chat-history.ts", { TELA_API_KEY: "tela_test" })
    assert.strictEqual(code, 0)
    assert.match(stdout, /^TELA_API_KEY is set, but TELA_CANVAS_ID is not, .*\nuser {6}How often/)
  })
})

describe.concurrent("the demo", { timeout: 180_000 }, () => {
  it("executes runs of both providers at once, downloads their files, and streams", async () => {
    const { code, stderr, stdout, writes } = await run("demo.ts")
    assert.strictEqual(stderr, "")
    assert.strictEqual(code, 0)
    assert.match(stdout, /emulators of Spine and Tela do the work: they listen on http:\/\/127\.0\.0\.1:\d+\n/)

    // Plain lines: concurrent jobs, each change once
    assert.strictEqual(stdout, stripVTControlCharacters(stdout))
    const changes = stdout.split("\n").filter((line) => line.startsWith("[")).map((line) =>
      line.slice(line.indexOf("]") + 2)
    )
    assert.strictEqual(new Set(changes).size, changes.length)
    const reportEnds = changes.findIndex((change) => change.startsWith("report: completed"))
    assert.isBelow(changes.indexOf("memo: running, 0/5 tasks"), reportEnds)
    // A busy machine may miss some of the eight
    assert.isNotEmpty(changes.filter((change) => /^report: running, [1-7]\/8 tasks$/.test(change)))
    assert.include(changes, "sales: completed, 6/6 tasks, 2 files")
    assert.include(changes, "launch: partial, 3/4 tasks, 2 files; yt-block: the video is private")
    assert.include(changes, "memo: failed, 2/5 tasks, The agents ran out of sources")

    // A polled execution, and a synchronous one
    assert.deepStrictEqual(changes.filter((change) => change.startsWith("receipt")), [
      "receipt: creating",
      "receipt: created",
      "receipt: running",
      "receipt: succeeded, 0042 of Harbour Cafe: 18.20 EUR"
    ])
    assert.deepStrictEqual(changes.filter((change) => change.startsWith("invoice")), [
      "invoice: executing",
      "invoice: succeeded, NW-117 of Nordwind Ltd: 1250.50 EUR"
    ])

    // A text in pieces, after the other jobs
    assert.match(stdout, /matter in invoice\.pdf\?\n\n {2}Nordwind asks .* silent about that, too\.\n/)
    const unfinished = writes.filter((stdout) => /Nordwind asks .*$/.test(stdout) && !stdout.includes("that, too."))
    assert.isAtLeast(unfinished.length, 20)
    assert.isTrue(unfinished.every((stdout) => stdout.includes("report: completed")))

    // The canvas, with the upload in it
    assert.match(
      stdout,
      /The canvas of sales:\n {2}sales\.csv +file-block +completed\n {2}Table 1 .* from sales\.csv\n/
    )

    assert.match(stdout, /^run +provider +status +tasks +time +credits +result$/m)
    assert.match(stdout, /^report +Spine +completed +8\/8 +\d+\.\d s +62 +1 file$/m)
    assert.match(stdout, /^receipt +Tela async +succeeded +- +\d+\.\d s +- +0042 of Harbour Cafe: 18\.20 EUR$/m)
    assert.match(stdout, /^invoice +Tela sync +succeeded +- +\d+\.\d s +- +NW-117 of Nordwind Ltd: 1250\.50 EUR$/m)
    assert.match(stdout, /^question +Tela stream +succeeded +- +\d+\.\d s +- +244 characters in 47 pieces$/m)
    assert.match(
      stdout,
      /\n7 runs: 2 completed, 1 partial, 1 failed, 3 succeeded; 5 artifacts \(\d+(\.\d)? kB\) in \d+\.\d s\n$/
    )

    const directory = /^The files in (.*):$/m.exec(stdout)?.[1] ?? assert.fail("no folder")
    const files = (await readdir(directory, { recursive: true, withFileTypes: true })).filter((file) => file.isFile())
    const heads = await Promise.all(files.map(async ({ name, parentPath }) => [
      name,
      (await readFile(`${parentPath}/${name}`)).subarray(0, 4).toString("latin1")
    ]))
    assert.deepStrictEqual(heads.sort(), [
      ["Document 6.docx", "PK\u0003\u0004"],
      ["Excel 2.xlsx", "PK\u0003\u0004"],
      ["Image 3.png", "\u0089PNG"],
      ["Landing Page 6.html", "<!do"],
      ["Presentation 3.pptx", "PK\u0003\u0004"]
    ])
  })

  it("lists the runs that continue when it is stopped", async () => {
    const { code, stderr, stdout } = await run("demo.ts", { INTERRUPT_AT: "report: running, " })
    assert.strictEqual(stderr, "")
    assert.strictEqual(code, 130)
    const [, refs = ""] = stdout.split(/\nStopped with 5 runs under way\. .*\n/)
    const parsed = await Promise.all(
      refs.trimEnd().split("\n").map((line) => Effect.runPromise(RunRef.parse(line)))
    )
    assert.strictEqual(new Set(parsed.map(({ id }) => id)).size, 5)
    assert.deepStrictEqual(parsed.map(({ provider }) => provider).sort(), ["spine", "spine", "spine", "spine", "tela"])
  })

  it("fails with a readable reason", async () => {
    const { code, stderr, stdout } = await run("demo.ts", {
      SPINE_API_KEY: "sk_spine_test",
      SPINE_BASE_URL: "nonsense"
    })
    assert.strictEqual(code, 1)
    assert.match(stdout, /^TELA_API_KEY and TELA_CANVAS_ID are not both set, so Tela is left out\.\nOne run each, /)
    assert.match(stderr, /^\nThe demo failed\. Spine client: SPINE_BASE_URL is text; it must be an http\(s\) .*\n$/)
  })

  it("skips a provider without a key, and reports a canvas that does not fit", async () => {
    const server = Effect.gen(function*() {
      const { baseUrl } = yield* TelaEmulatorServer.TelaEmulatorServer
      const emulator = yield* TelaEmulator.TelaEmulator
      const { id } = yield* emulator.canvas({ output: "Not an invoice" })
      const ended = yield* Effect.promise(() =>
        run("demo.ts", { TELA_API_KEY: "tela_test", TELA_CANVAS_ID: id, TELA_BASE_URL: baseUrl })
      )
      return { ended, modes: (yield* emulator.runs).map(({ request }) => request.mode) }
    })
    const { ended, modes } = await Effect.runPromise(Effect.provide(server, TelaEmulatorServer.layer()))
    // Only one, because they cost money
    assert.deepStrictEqual(modes, ["sync"])
    assert.strictEqual(ended.code, 1)
    assert.match(
      ended.stdout,
      /^SPINE_API_KEY is not set, so Spine is left out\.\nOne run each, .*\nTELA_API_KEY is set, /
    )
    assert.match(ended.stdout, /^invoice +Tela sync +failed .* The answer is not an invoice: Expected object$/m)
    assert.match(ended.stdout, /\n1 run: 1 failed; /)
    assert.strictEqual(ended.stderr, "\nThe demo failed. \"invoice\" was not meant to end failed.\n")
  })
})
