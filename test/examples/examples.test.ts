import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect, Semaphore } from "effect"
import { Run } from "canvas-runs"
import { execFile } from "node:child_process"
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { stripVTControlCharacters } from "node:util"

const root = new URL("../../", import.meta.url)

/** Whatever the examples leave behind is in here. */
const temporary = await mkdtemp(`${tmpdir()}/canvas-runs-test-`)
afterAll(() => rm(temporary, { recursive: true }))

/** What the examples find in their environment: no key, and no colours. */
const environment = (added: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  ...process.env,
  FORCE_COLOR: undefined,
  SPINE_API_KEY: undefined,
  SPINE_BASE_URL: undefined,
  TMPDIR: temporary,
  // Most of the CPU time that an example takes is spent on loading Effect
  NODE_COMPILE_CACHE: `${tmpdir()}/canvas-runs-examples`,
  ...added
})

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A waiting example takes no CPU, but starting one does. */
const turn = Semaphore.makeUnsafe(2)

const run = (
  file: string,
  options: {
    readonly env?: NodeJS.ProcessEnv
    /** Sees what has been written so far whenever there is more of it, and may stop the example as Ctrl-C does. */
    readonly onOutput?: (stdout: string, interrupt: () => void) => void
  } = {}
): Promise<Ended> =>
  Effect.promise(() =>
    new Promise<Ended>((resolve) => {
      const child = execFile(
        process.execPath,
        ["--conditions=canvas-runs:source", `examples/${file}`],
        { cwd: root, env: environment(options.env), timeout: 40_000 },
        (_, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr })
      )
      let written = ""
      child.stdout?.on("data", (text: string) => {
        written += text
        options.onOutput?.(written, () => child.kill("SIGINT"))
      })
    })
  ).pipe(Semaphore.withPermits(turn, 1), Effect.runPromise)

/** Runs an example to a good end, and returns the lines it wrote. */
const linesOf = async (file: string): Promise<ReadonlyArray<string>> => {
  const { code, stderr, stdout } = await run(file)
  assert.strictEqual(stderr, "")
  assert.strictEqual(code, 0)
  return stdout.trimEnd().split("\n")
}

const uuid = "[0-9a-f]{8}-[0-9a-f-]{27}"

describe.concurrent("examples", { timeout: 60_000 }, () => {
  it("01-first-run prints the result and the files", async () => {
    const lines = await linesOf("01-first-run.ts")
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

  it("03-progress-stream shows each change once, and the end last", async () => {
    const lines = await linesOf("03-progress-stream.ts")
    const progress = lines.slice(0, -1).map((line) => Number(/^running: (\d) of 5 tasks$/.exec(line)?.[1]))
    // A busy machine may sleep through one of the five
    assert.isAtLeast(progress.length, 3)
    assert.deepStrictEqual(progress, [...new Set(progress)].sort())
    assert.strictEqual(progress[0], 0)
    assert.strictEqual(lines.at(-1), "completed with 1 files")
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

  it("05-many-prompts brings every result but one, and says which", async () => {
    const lines = await linesOf("05-many-prompts.ts")
    assert.strictEqual(lines.filter((line) => line.endsWith(": done")).length, 7)
    assert.match(lines.find((line) => line.startsWith("Athens")) ?? "", /^Athens: The spine run .* failed: /)
    assert.strictEqual(lines.at(-1), "8 prompts, 315 credits")
  })

  it("06-resume goes on with the run that another process started", async () => {
    const lines = await linesOf("06-resume.ts")
    const ids = lines.slice(0, 2).map((line) => new RegExp(uuid).exec(line)?.[0])
    assert.isString(ids[0])
    assert.strictEqual(ids[0], ids[1])
    assert.strictEqual(lines[2], "second process: completed with 2 files")
  })

  it("07-abort-signal stops the waiting and not the run", async () => {
    const lines = await linesOf("07-abort-signal.ts")
    assert.match(lines[0] ?? "", new RegExp(`^stopped waiting for spine run ${uuid}$`))
    assert.deepStrictEqual(lines.slice(1), ["it goes on: running", "picked up again: completed"])
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

  it("10-custom-schedule polls less where the estimate says that it is early", async () => {
    const lines = await linesOf("10-custom-schedule.ts")
    const polls = (name: string) =>
      Number(lines.map((line) => new RegExp(`^${name}: (\\d+) polls, done after `).exec(line)?.[1]).find(Boolean))
    assert.isAtLeast(polls("patient"), 5)
    assert.isBelow(polls("patient"), polls("backoff"))
  })
})

describe.concurrent("the demo", { timeout: 60_000 }, () => {
  it("does four runs at once, and downloads what they made", async () => {
    const { code, stderr, stdout } = await run("demo.ts")
    assert.strictEqual(stderr, "")
    assert.strictEqual(code, 0)
    assert.match(stdout, /the Spine emulator does the work: it listens on http:\/\/127\.0\.0\.1:\d+\n/)

    // Plain lines: side by side, each change once
    assert.strictEqual(stdout, stripVTControlCharacters(stdout))
    const changes = stdout.split("\n").filter((line) => line.startsWith("[")).map((line) =>
      line.slice(line.indexOf("]") + 2)
    )
    assert.strictEqual(new Set(changes).size, changes.length)
    assert.isBelow(changes.indexOf("memo: running, 0/5 tasks"), changes.indexOf("report: running, 1/8 tasks"))
    assert.include(changes, "report: running, 4/8 tasks")
    assert.include(changes, "sales: completed, 6/6 tasks, 2 files")
    assert.include(changes, "launch: partial, 3/4 tasks, 2 files; yt-block: the video is private")
    assert.include(changes, "memo: failed, 2/5 tasks, The agents ran out of sources")

    // The canvas, with the upload in it
    assert.match(
      stdout,
      /The canvas of sales:\n {2}sales\.csv +file-block +completed\n {2}Table 1 .* from sales\.csv\n/
    )

    assert.match(stdout, /^run +status +tasks +time +credits +result$/m)
    assert.match(stdout, /^report +completed +8\/8 +\d+\.\d s +62 +1 file$/m)
    assert.match(
      stdout,
      /\n4 runs: 2 completed, 1 partial, 1 failed; 5 artifacts \(\d+(\.\d)? kB\) in \d+\.\d s\n$/
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

  it("says which runs go on when it is stopped", async () => {
    const { code, stderr, stdout } = await run("demo.ts", {
      onOutput: (stdout, interrupt) => {
        if (stdout.includes("report: running, 1/8")) interrupt()
      }
    })
    assert.strictEqual(stderr, "")
    assert.strictEqual(code, 130)
    const [, refs = ""] = stdout.split(/\nStopped with 4 runs under way\. .*\n/)
    const ids = await Promise.all(
      refs.trimEnd().split("\n").map((line) => Effect.runPromise(Run.parseRef(line)).then((ref) => ref.id))
    )
    assert.strictEqual(new Set(ids).size, 4)
  })

  it("fails with a reason that can be read", async () => {
    const { code, stderr, stdout } = await run("demo.ts", {
      env: { SPINE_API_KEY: "sk_spine_test", SPINE_BASE_URL: "nonsense" }
    })
    assert.strictEqual(code, 1)
    assert.match(stdout, /^One run only, because runs cost money/)
    assert.match(stderr, /^\nThe demo failed\. baseUrl must be an http\(s\) address .*\n$/)
  })
})
