/** Lines that a user copies from a message into a shell. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Fault, SpineEmulator } from "canvas-runs/testing"
import * as CombinedEmulatorServer from "canvas-runs/testing/CombinedEmulatorServer"
import { advised } from "../../src/cli/advice.ts"
import { call, home, linesOf } from "./support.ts"

const key = "sk_spine_kept_in_a_file"

/** The flags of a call that has no settings in its environment. Two of them need quotes in a shell. */
const flags = Effect.gen(function*() {
  const { baseUrl } = yield* CombinedEmulatorServer.CombinedEmulatorServer
  const env = home()
  const apiKeyFile = join(env["HOME"]!, "the owner's key")
  writeFileSync(apiKeyFile, `${key}\n`)
  const flags = ["--store", join(env["HOME"]!, "runs of $HOME"), "--base-url", baseUrl, "--api-key-file", apiKeyFile]
  return { env, flags }
})

/** Calls the command as a shell does that reads this line. */
const paste = (line: string, options: Parameters<typeof call>[1]) => {
  const words = execFileSync("sh", ["-c", `set -- ${line}; printf '%s\\0' "$@"`], { encoding: "utf8" })
  const [command, ...args] = words.split("\0").slice(0, -1)
  assert.strictEqual(command, "canvas-runs")
  return call(args, options)
}

/** The line after a text on standard error. */
const lineAfter = (text: RegExp, stderr: string): string => {
  const [, line] = new RegExp(`${text.source}\\n {2}(canvas-runs .*)`).exec(stderr) ?? []
  assert.isDefined(line, stderr)
  return line
}

describe("a line to continue with", () => {
  it.live("waits for the run of the same provider and store, after a deadline", () =>
    Effect.gen(function*() {
      const { env, flags: given } = yield* flags
      const emulator = yield* SpineEmulator.SpineEmulator
      const args = ["run", "Tides", "--key", "july", "--timeout", "50ms", "--json", ...given]
      const stopped = yield* call(args, { env })
      assert.strictEqual(stopped.code, 3, stopped.stderr)
      assert.notInclude(stopped.stderr + stopped.stdout, key)
      const line = lineAfter(/Wait again with:/, stopped.stderr)
      const error = linesOf(stopped).at(-1)
      assert.strictEqual(error?.type === "error" && error.resume, line)
      yield* emulator.advance("1 hour")
      const { code, stderr } = yield* paste(line, { env })
      assert.strictEqual(code, 0, stderr)
      const [entry] = linesOf(yield* call(["list", "--json", ...given.slice(0, 2)], { env }))
      assert.isTrue(entry?.type === "entry" && entry.key === "july" && entry.state === "Finished")
    }).pipe(Effect.provide(CombinedEmulatorServer.layer())))

  it.live("reconciles the key of the same store", () =>
    Effect.gen(function*() {
      const { env, flags: given } = yield* flags
      const emulator = yield* SpineEmulator.SpineEmulator
      yield* emulator.fault(Fault.handleThenStatus(500).pipe(Fault.on("POST", "/v1/run")))
      const created = yield* call(["run", "Tides", "--key", "the tides", ...given], { env })
      assert.strictEqual(created.code, 6, created.stderr)
      const { code, stderr } = yield* paste(lineAfter(/Find out with:/, created.stderr), { env })
      assert.strictEqual(code, 6, stderr)
      // A command that asks no provider has no flags for one
      const [, forget] = /"(canvas-runs forget .*)"/.exec(stderr) ?? []
      assert.strictEqual((yield* paste(forget!, { env })).code, 0)
    }).pipe(Effect.provide(CombinedEmulatorServer.layer())))
})

describe("advice", () => {
  it("of the library names commands and flags in the shell", () => {
    const file = fileURLToPath(new URL("../messages/messages.snapshot.txt", import.meta.url))
    const shown =
      /^ {2}(?:RunTimeout|WaitStopped|CreateOutcomeUnknown|DuplicateRuns|InvalidOutput|StreamInterrupted|Artifact|Transport)Error: (.*)$/gm
    const messages = Array.from(readFileSync(file, "utf8").matchAll(shown), ([, message]) => message!)
    assert.isAtLeast(messages.length, 30)
    for (const message of messages.filter((message) => !message.includes("schedule"))) {
      assert.notMatch(
        advised(message),
        /this error|that option|handle|skipResultValidation|onUnknown|\w\(\w+, |filename/
      )
    }
  })

  it("of a timeout is to wait again, or longer", () => {
    assert.strictEqual(
      advised(
        "The spine run 1 had not ended after 1s and 2 polls (last: running): timeout (1 second) has passed. " +
          "The run continues at the provider: wait again with this error's ref, or raise that option."
      ),
      "The spine run 1 had not ended after 1s and 2 polls (last: running): --timeout (1 second) has passed. " +
        "The run continues at the provider: wait again, or give a longer --timeout."
    )
  })

  it("leaves the words of a provider alone", () => {
    const message = "The spine run 1 failed: the forget(key) of a timeout has passed. See \"canvas-runs get 1 --json\"."
    assert.strictEqual(advised(message), message)
  })
})
