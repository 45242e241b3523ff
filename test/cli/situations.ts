/** Situations in which the command does not do what it was asked to do, with the outcome and the advice that each must have. */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Fault, Timeline } from "canvas-runs/testing"
import * as SpineEmulator from "canvas-runs/testing/SpineEmulator"
import * as TelaEmulator from "canvas-runs/testing/TelaEmulator"
import type { Outcome } from "../../src/cli/exitCode.ts"

/** The secrets of the situations, which nothing may print. */
export const secrets = ["sk_spine_planted_secret", "planted_secret_of_tela", "signature="]

/** Where a situation takes place. */
export interface Place {
  /** A directory of this situation. */
  readonly directory: string
  /** Writes a file into the directory, and returns its path. */
  readonly file: (name: string, content: string | Uint8Array) => string
}

export interface Situation {
  readonly command: string
  readonly name: string
  readonly outcome: Outcome
  /** The arguments after the command. */
  readonly args: ReadonlyArray<string> | ((place: Place) => ReadonlyArray<string>)
  /** What standard error must say. */
  readonly told: RegExp
  /** Variables of the environment that differ. An empty one counts as not set. */
  readonly env?: Readonly<Record<string, string>> | ((place: Place) => Readonly<Record<string, string>>) | undefined
  readonly stdin?: string | undefined
  /** Faults of the servers. */
  readonly faults?: ReadonlyArray<Fault.Fault> | undefined
  /** Commands that succeed before, in the same store. */
  readonly before?: ReadonlyArray<ReadonlyArray<string>> | undefined
  /** Commands that may fail before, such as a create of unknown outcome. */
  readonly attempted?: ReadonlyArray<ReadonlyArray<string>> | undefined
  /** Faults of the servers during these commands. */
  readonly faultsBefore?: ReadonlyArray<Fault.Fault> | undefined
  /** Stops the command once standard error or standard output has this text, or the server has a request. */
  readonly stopAt?: RegExp | "request" | undefined
  /** A fault of standard output. */
  readonly output?: "EPIPE" | "ENOSPC" | undefined
  /** Whether it is a fault of one input among several, which is reported as the outcome of that input. */
  readonly several?: true | undefined
}

const always = (fault: Fault.Fault) => Fault.times(fault, 1000)
const creates = (fault: Fault.Fault) => always(Fault.on(fault, "POST"))
const reads = (fault: Fault.Fault) => always(Fault.on(fault, "GET"))

const failing = SpineEmulator.failingPrompt
/** A prompt whose run does not end while a test waits. */
export const slow = "a run of an hour"

/** A prompt whose run takes some seconds, in which it is polled many times. */
export const long = "a run of some seconds"

/** The run of each prompt on the emulator. */
export const script = ({ prompt }: SpineEmulator.CreateRequest): SpineEmulator.Script =>
  prompt === long
    ? { timeline: Timeline.make({ duration: "1 hour", tasks: 40 }) }
    : prompt === slow
    ? { timeline: Timeline.make({ duration: "10 hours" }) }
    : {}

const canvas = "11111111-1111-4111-8111-111111111111"
const slowCanvas = "22222222-2222-4222-8222-222222222222"

/** The canvases of the emulator. */
export const canvases: NonNullable<TelaEmulator.Options["canvases"]> = [
  TelaEmulator.invoiceCanvas,
  { id: slowCanvas, title: "Slow", script: { timeline: Timeline.make({ duration: "10 hours" }) } }
]

const fast = ["--poll-interval", "1ms"]
const unknownId = "spine:run:6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"
const created = [["run", "Tides", "--key", "july", "--detach"]]
const createdSlow = [["run", slow, "--key", "july", "--detach"]]
const createdFailing = [["run", failing, "--key", "july", "--detach"]]
const noKeys = { SPINE_API_KEY: "", TELA_API_KEY: "" }
/** A store that is a file. */
const brokenStore = (place: Place) => ({ XDG_STATE_HOME: place.file("state", "not a directory") })
/** A store whose database is not one. */
const corruptStore = (place: Place) => {
  mkdirSync(join(place.directory, "canvas-runs"))
  writeFileSync(
    join(place.directory, "canvas-runs", "runs.db"),
    "this is not a database, whatever its name says".repeat(40)
  )
  return { XDG_STATE_HOME: place.directory }
}

const stops = { "Ctrl-C": "interrupted", SIGTERM: "terminated", "a closed terminal": "hangup" } as const

/** A wait that each of these stops. */
const stopped = (
  names: ReadonlyArray<keyof typeof stops>,
  wait: Pick<Situation, "args" | "before" | "stdin" | "stopAt" | "told">
) => names.map((name) => ({ name, outcome: stops[name], ...wait }))

const runs: ReadonlyArray<Omit<Situation, "command">> = [
  { name: "no prompt", outcome: "badRequest", args: [], told: /There is no prompt\. Give it as an argument/ },
  {
    name: "a misspelled flag",
    outcome: "badRequest",
    args: ["Tides", "--tempalte", "report"],
    told: /--tempalte[^]*--help/
  },
  {
    name: "a template that does not exist",
    outcome: "badRequest",
    args: ["Tides", "--template", "poem"],
    told: /landing_page/
  },
  {
    name: "a prompt file that does not exist",
    outcome: "badRequest",
    args: ["--prompt-file", "/nowhere/prompt.md"],
    told: /\/nowhere\/prompt\.md/
  },
  {
    name: "a prompt file that is a directory",
    outcome: "badRequest",
    args: ({ directory }) => ["--prompt-file", directory],
    told: /file/
  },
  {
    name: "a prompt file that is binary",
    outcome: "badRequest",
    args: ({ file }) => ["--prompt-file", file("a.png", new Uint8Array([0x89, 0x50, 0xff, 0xfe, 0, 1]))],
    told: /a\.png[^]*not text[^]*UTF-8/
  },
  {
    name: "a blank prompt on standard input",
    outcome: "badRequest",
    args: ["-"],
    stdin: " \n",
    told: /prompt is blank/
  },
  {
    name: "a file to send that does not exist",
    outcome: "badRequest",
    args: ["Tides", "--file", "/nowhere/sales.csv"],
    told: /\/nowhere\/sales\.csv/
  },
  {
    name: "a timeout that is not a duration",
    outcome: "badRequest",
    args: ["Tides", "--timeout", "soon"],
    told: /"90 seconds"/
  },
  {
    name: "a directory for downloads that is blank",
    outcome: "badRequest",
    args: ["Tides", "--download="],
    told: /--download[^]*not blank/
  },
  {
    name: "an address that is no address",
    outcome: "badRequest",
    args: ["Tides", "--base-url", "api.getspine.ai"],
    told: /https?:\/\//
  },
  {
    name: "no API key",
    outcome: "auth",
    args: ["Tides"],
    env: noKeys,
    told: /SPINE_API_KEY is not set[^]*--api-key-file/
  },
  {
    name: "a key in the variable of the other provider",
    outcome: "auth",
    args: ["Tides"],
    env: { SPINE_API_KEY: "", TELA_API_KEY: secrets[0]! },
    told: /TELA_API_KEY holds a key of Spine\. Move/
  },
  {
    name: "a key of two lines",
    outcome: "auth",
    args: ({ file }) => ["Tides", "--api-key-file", file("key", "sk_spine_a\nsk_spine_b\n")],
    told: /apiKey has characters that no key has/
  },
  { name: "a revoked key", outcome: "auth", args: ["Tides"], faults: [creates(Fault.status(401))], told: /API key/ },
  { name: "no credits", outcome: "limit", args: ["Tides"], faults: [creates(Fault.status(402))], told: /credits|402/ },
  {
    name: "too many requests",
    outcome: "limit",
    args: ["Tides"],
    faults: [creates(Fault.status(429, { headers: { "retry-after": "0" } }))],
    told: /too many requests/
  },
  {
    name: "a connection that breaks after the create",
    outcome: "unknownCreate",
    args: ["Tides", "--key", "july"],
    faults: [creates(Fault.dropAfter)],
    told: /may have reached the provider[^]*canvas-runs reconcile july/
  },
  {
    name: "a proxy that answers with a page",
    outcome: "unknownCreate",
    args: ["Tides"],
    faults: [creates(Fault.html("<h1>Welcome to the proxy</h1>"))],
    told: /HTML|html/
  },
  {
    name: "a server error at the create",
    outcome: "unknownCreate",
    args: ["Tides"],
    faults: [creates(Fault.status(500))],
    told: /500/
  },
  {
    name: "a server that is not there",
    outcome: "provider",
    args: ["Tides", "--base-url", "http://127.0.0.1:47"],
    told: /not sent[^]*ECONNREFUSED[^]*Check the network/
  },
  { name: "a run that fails", outcome: "failed", args: [failing, ...fast], told: /failed/ },
  {
    name: "a deadline",
    outcome: "stillRunning",
    args: [slow, ...fast, "--timeout", "50ms"],
    told: /canvas-runs wait spine:run:/
  },
  {
    name: "a deadline of an emulated run, which ends with the command",
    outcome: "stillRunning",
    args: ["Tides", "--emulator", ...fast, "--timeout", "50ms"],
    told: /The emulator ended[^]*longer --timeout\.\n$/
  },
  {
    name: "a key of the store that another command is creating",
    outcome: "unknownCreate",
    args: ["Tides", "--key", "july"],
    attempted: [["run", "Tides", "--key", "july"]],
    faultsBefore: [creates(Fault.dropAfter)],
    told: /july[^]*(reconcile|forget)/
  },
  {
    name: "a store that is a file",
    outcome: "local",
    args: ["Tides"],
    env: brokenStore,
    told: /cannot be opened[^]*--store/
  },
  {
    name: "Ctrl-C",
    outcome: "interrupted",
    args: [slow],
    stopAt: /: (?:running|created)/,
    told: /canvas-runs wait spine:run:/
  },
  {
    name: "Ctrl-C during the create",
    outcome: "interrupted",
    args: [slow],
    faults: [Fault.on(Fault.answerLate("300 millis"), "POST")],
    stopAt: "request",
    told: /canvas-runs wait spine:run:/
  },
  {
    name: "a terminal that is closed",
    outcome: "hangup",
    args: [slow],
    stopAt: /Created/,
    told: /canvas-runs wait spine:run:/
  },
  {
    name: "a directory for downloads that is a file",
    outcome: "local",
    args: ({ file }) => ["Tides", ...fast, "--download", file("out", "")],
    told: /out/
  }
]

const executions: ReadonlyArray<Omit<Situation, "command">> = [
  { name: "no canvas", outcome: "badRequest", args: [], told: /--canvas/ },
  {
    name: "two modes",
    outcome: "badRequest",
    args: ["--canvas", canvas, "--sync", "--stream"],
    told: /exclude each other/
  },
  {
    name: "a variable without a value",
    outcome: "badRequest",
    args: ["--canvas", canvas, "--var", "topic"],
    told: /NAME=VALUE/
  },
  {
    name: "a variable whose file does not exist",
    outcome: "badRequest",
    args: ["--canvas", canvas, "--var", "document=@/nowhere/a.pdf"],
    told: /\/nowhere\/a\.pdf/
  },
  {
    name: "a canvas that does not exist",
    outcome: "badRequest",
    args: ["--canvas", TelaEmulator.unknownCanvasId, ...fast],
    told: /canvas/
  },
  {
    name: "a schema file that is not JSON",
    outcome: "badRequest",
    args: ({ file }) => ["--canvas", canvas, "--schema", file("a.json", "{")],
    told: /a\.json is not JSON/
  },
  {
    name: "a schema file that is no JSON Schema",
    outcome: "badRequest",
    args: ({ file }) => ["--canvas", canvas, "--schema", file("a.json", "{ \"type\": 5 }")],
    told: /a\.json[^]*JSON Schema/
  },
  {
    name: "an output that does not fit the schema",
    outcome: "failed",
    args: ({ file }) => ["--canvas", canvas, ...fast, "--schema", file("a.json", "{ \"type\": \"number\" }")],
    told: /does not fit the schema/
  },
  {
    name: "a canvas that fails",
    outcome: "failed",
    args: ["--canvas", TelaEmulator.failingCanvasId, ...fast],
    told: /failed/
  },
  {
    name: "a synchronous execution that fails",
    outcome: "failed",
    args: ["--canvas", TelaEmulator.failingCanvasId, "--sync"],
    told: /failed/
  },
  {
    name: "a key of Spine for Tela",
    outcome: "auth",
    args: ["--canvas", canvas],
    env: { TELA_API_KEY: secrets[0]! },
    told: /TELA_API_KEY holds a key of Spine/
  },
  {
    name: "a key that may not execute",
    outcome: "auth",
    args: ["--canvas", canvas],
    faults: [always(Fault.status(403))],
    told: /403|allow|permission/i
  },
  {
    name: "too many requests",
    outcome: "limit",
    args: ["--canvas", canvas],
    faults: [creates(Fault.status(429, { headers: { "retry-after": "0" } }))],
    told: /too many requests/
  },
  {
    name: "a connection that breaks after the create",
    outcome: "unknownCreate",
    args: ["--canvas", canvas, "--key", "july"],
    faults: [creates(Fault.dropAfter)],
    told: /canvas-runs reconcile july/
  },
  {
    name: "a stream that breaks",
    outcome: "provider",
    args: ["--canvas", canvas, "--stream"],
    faults: [creates(Fault.dropInside(400))],
    told: /stream|connection/i
  },
  {
    name: "Ctrl-C during a synchronous execution",
    outcome: "interrupted",
    args: ["--canvas", slowCanvas, "--sync"],
    stopAt: "request",
    told: /cannot be resumed, and may be billed/
  },
  ...stopped(["SIGTERM", "a closed terminal"], {
    args: ["--canvas", slowCanvas],
    stopAt: /: (?:running|created)/,
    told: /canvas-runs wait tela:execution:/
  }),
  {
    name: "a deadline",
    outcome: "stillRunning",
    args: ["--canvas", slowCanvas, ...fast, "--timeout", "50ms"],
    told: /canvas-runs wait tela:execution:/
  },
  {
    name: "a reader of the stream that goes away",
    outcome: "closedOutput",
    args: ["--canvas", canvas, "--stream"],
    output: "EPIPE",
    told: /^/
  }
]

const batches: ReadonlyArray<Omit<Situation, "command">> = [
  {
    name: "a file that does not exist",
    outcome: "badRequest",
    args: ["/nowhere/prompts.jsonl"],
    told: /\/nowhere\/prompts\.jsonl/
  },
  {
    name: "a line that is not JSON",
    outcome: "badRequest",
    args: ({ file }) => [file("a.jsonl", "{\"prompt\":\"Tides\"}\n{prompt}\n")],
    told: /Line 2 is not JSON\. Nothing was created/
  },
  {
    name: "a line that is no run",
    outcome: "badRequest",
    args: ({ file }) => [file("a.jsonl", "{\"promt\":\"Tides\"}\n")],
    told: /Line 1 is no run/
  },
  {
    name: "two lines that are equal",
    outcome: "badRequest",
    args: ({ file }) => [file("a.jsonl", "{\"prompt\":\"Tides\"}\n".repeat(2))],
    told: /Lines 1 and 2[^]*keys that differ/
  },
  {
    name: "keys that are refs",
    outcome: "badRequest",
    args: ["-", "--name", "spine:run:1"],
    stdin: "{\"prompt\":\"Tides\"}\n",
    told: /cannot be a key/
  },
  { name: "a name that is blank", outcome: "badRequest", args: ["-", "--name", " "], told: /--name[^]*not blank/ },
  {
    name: "no API key",
    outcome: "auth",
    args: ["-"],
    stdin: "{\"prompt\":\"Tides\"}\n",
    env: noKeys,
    told: /SPINE_API_KEY is not set/
  },
  {
    name: "a budget without estimates",
    outcome: "badRequest",
    args: ["-", "--budget", "10"],
    stdin: "{\"prompt\":\"Tides\"}\n",
    told: /--estimate/
  },
  {
    name: "a budget that is too small",
    outcome: "limit",
    args: ["-", "--budget", "10", "--estimate", "40", ...fast],
    stdin: "{\"prompt\":\"Tides\"}\n",
    told: /budget/i,
    several: true
  },
  {
    name: "no credits",
    outcome: "limit",
    args: ["-", ...fast],
    stdin: "{\"prompt\":\"Tides\"}\n",
    faults: [creates(Fault.status(402))],
    told: /credits|402/,
    several: true
  },
  {
    name: "a run that fails",
    outcome: "failed",
    args: ["-", ...fast],
    stdin: `{"prompt":"${failing}"}\n{"prompt":"Tides"}\n`,
    told: /1 succeeded, 1 failed/,
    several: true
  },
  {
    name: "a create of unknown outcome",
    outcome: "unknownCreate",
    args: ["-", ...fast],
    stdin: "{\"prompt\":\"Tides\"}\n",
    faults: [creates(Fault.dropAfter)],
    told: /may have reached the provider/,
    several: true
  },
  ...stopped(["Ctrl-C", "SIGTERM"], {
    args: ["-", ...fast],
    stdin: `{"prompt":"Tides"}\n{"prompt":"${slow}"}\n`,
    stopAt: /succeeded/,
    told: /same command again: it creates no run twice/
  }),
  {
    name: "a store that is no database",
    outcome: "local",
    args: ["-"],
    stdin: "{\"prompt\":\"Tides\"}\n",
    env: corruptStore,
    told: /cannot be opened/
  }
]

const watches: ReadonlyArray<Omit<Situation, "command">> = [
  {
    name: "a server that fails for long",
    outcome: "provider",
    args: ["july", ...fast],
    before: created,
    faults: [reads(Fault.status(503, { headers: { "retry-after": "0" } }))],
    told: /503|polls/,
    several: true
  },
  {
    name: "the graph of an execution",
    outcome: "badRequest",
    args: ["july", "--graph"],
    before: [["execute", "--canvas", canvas, "--key", "july", "--detach"]],
    told: /an execution of Tela has no blocks/
  },
  { name: "no run", outcome: "badRequest", args: [], told: /run/ },
  {
    name: "a run that the store does not know",
    outcome: "badRequest",
    args: ["june"],
    told: /"june" is not a run of this store[^]*canvas-runs list/
  },
  {
    name: "a run that the provider does not know",
    outcome: "badRequest",
    args: [unknownId, ...fast],
    told: /not found/i,
    several: true
  },
  {
    name: "a run that fails",
    outcome: "failed",
    args: ["july", ...fast],
    before: createdFailing,
    told: /failed/,
    several: true
  },
  {
    name: "a deadline",
    outcome: "stillRunning",
    args: ["july", ...fast, "--timeout", "50ms"],
    before: createdSlow,
    told: /canvas-runs wait spine:run:/,
    several: true
  },
  {
    name: "a key that is revoked meanwhile",
    outcome: "auth",
    args: ["july", ...fast],
    before: created,
    faults: [reads(Fault.status(401))],
    told: /API key/,
    several: true
  },
  ...stopped(["Ctrl-C", "SIGTERM", "a closed terminal"], {
    args: ["july"],
    before: createdSlow,
    stopAt: /running/,
    told: /canvas-runs wait spine:run:/
  }),
  {
    name: "a reader that goes away",
    outcome: "closedOutput",
    args: ["july"],
    before: createdSlow,
    output: "EPIPE",
    told: /^/
  }
]

const graphs: ReadonlyArray<Omit<Situation, "command">> = [
  {
    name: "an execution, which has no blocks",
    outcome: "badRequest",
    args: ["july"],
    before: [["execute", "--canvas", canvas, "--key", "july", "--detach"]],
    told: /an execution of Tela has no blocks/
  },
  { name: "a run that the store does not know", outcome: "badRequest", args: ["june"], told: /canvas-runs list/ },
  { name: "no API key", outcome: "auth", args: [unknownId], env: noKeys, told: /SPINE_API_KEY is not set/ },
  { name: "a run that the provider does not know", outcome: "badRequest", args: [unknownId], told: /not found/i },
  { name: "a file that is blank", outcome: "badRequest", args: [unknownId, "--out="], told: /--out[^]*not blank/ },
  {
    name: "a picture in a directory that does not exist",
    outcome: "local",
    args: ["july", "--out", "/nowhere/july.svg"],
    before: [["run", "Tides", "--key", "july", ...fast]],
    told: /\/nowhere\/july\.svg/
  }
]

const reports: ReadonlyArray<Omit<Situation, "command">> = [
  { name: "a run that the store does not know", outcome: "badRequest", args: ["june"], told: /canvas-runs list/ },
  { name: "no API key", outcome: "auth", args: [unknownId], env: noKeys, told: /SPINE_API_KEY is not set/ },
  {
    name: "a server that fails",
    outcome: "provider",
    args: ["july"],
    before: created,
    faults: [reads(Fault.status(503, { headers: { "retry-after": "0" } }))],
    told: /503/
  },
  {
    name: "a directory for downloads that is blank",
    outcome: "badRequest",
    args: [unknownId, "--download="],
    told: /--download[^]*not blank/
  },
  {
    name: "a page that is a directory",
    outcome: "local",
    args: ({ directory }) => ["july", "--out", directory],
    before: [["run", "Tides", "--key", "july", ...fast]],
    told: /situation-/
  }
]

const servers: ReadonlyArray<Omit<Situation, "command">> = [
  { name: "a flag that does not exist", outcome: "badRequest", args: ["--prot", "1"], told: /--prot/ },
  { name: "a port that does not exist", outcome: "badRequest", args: ["--http", "70000"], told: /65535|65,535/ },
  { name: "a store that is a file", outcome: "local", args: [], env: brokenStore, told: /cannot be opened/ },
  { name: "a budget that is no number", outcome: "badRequest", args: ["--budget", "much"], told: /much/ }
]

const waits: ReadonlyArray<Omit<Situation, "command">> = [
  {
    name: "@last in an empty store",
    outcome: "badRequest",
    args: ["@last"],
    told: /the store has none[^]*Create a run/
  },
  {
    name: "an id without a provider",
    outcome: "badRequest",
    args: ["6f1c1d5e-2b7e-4a0c-9a53-0d6a6f0c7a11"],
    told: /--provider/
  },
  { name: "a run that fails", outcome: "failed", args: ["july", ...fast], before: createdFailing, told: /failed/ },
  {
    name: "two runs of which one fails",
    outcome: "failed",
    args: ["july", "june", ...fast],
    before: [...createdFailing, ["run", "Tides", "--key", "june", "--detach"]],
    told: /july: [^]*failed/,
    several: true
  },
  {
    name: "a deadline",
    outcome: "stillRunning",
    args: ["july", ...fast, "--timeout", "50ms"],
    before: createdSlow,
    told: /canvas-runs wait spine:run:/
  },
  ...stopped(["SIGTERM", "a closed terminal"], {
    args: ["july"],
    before: createdSlow,
    stopAt: /running/,
    told: /canvas-runs wait spine:run:/
  }),
  ...stopped(["Ctrl-C"], {
    args: [unknownId, "--base-url", "http://127.0.0.1:47", ...fast],
    stopAt: /trying again/,
    told: /^Spine does not answer \(connection refused\); trying again\.$/m
  }),
  {
    name: "Ctrl-C with two runs",
    outcome: "interrupted",
    args: ["july", "june"],
    before: [...createdSlow, ["run", slow, "--key", "june", "--detach"]],
    stopAt: /running/,
    told: /canvas-runs wait spine:run:\S+ spine:run:/
  },
  {
    name: "a create of unknown outcome",
    outcome: "unknownCreate",
    args: ["july"],
    attempted: [["run", "Tides", "--key", "july"]],
    faultsBefore: [creates(Fault.dropAfter)],
    told: /canvas-runs reconcile july/
  },
  {
    name: "a full disk behind standard output",
    outcome: "local",
    args: ["july", ...fast],
    before: created,
    output: "ENOSPC",
    told: /Standard output cannot be written[^]*ENOSPC/
  }
]

const gets: ReadonlyArray<Omit<Situation, "command">> = [
  {
    name: "a ref of an unknown form",
    outcome: "badRequest",
    args: ["acme:job:1"],
    told: /"acme:job:1"[^]*spine:run:ID/
  },
  { name: "a run that the provider does not know", outcome: "badRequest", args: [unknownId], told: /not found/i },
  { name: "no API key", outcome: "auth", args: [unknownId], env: noKeys, told: /SPINE_API_KEY is not set/ },
  {
    name: "a proxy that answers with a page",
    outcome: "provider",
    args: ["july"],
    before: created,
    faults: [reads(Fault.html("<h1>Welcome</h1>"))],
    told: /HTML|html/
  },
  {
    name: "a response that is cut",
    outcome: "provider",
    args: ["july"],
    before: created,
    faults: [reads(Fault.truncate(20))],
    told: /answer is text that breaks off/
  },
  {
    name: "too many requests",
    outcome: "limit",
    args: ["july"],
    before: created,
    faults: [reads(Fault.status(429, { headers: { "retry-after": "0" } }))],
    told: /too many requests/
  },
  {
    name: "a reader that goes away",
    outcome: "closedOutput",
    args: ["july"],
    before: created,
    output: "EPIPE",
    told: /^/
  }
]

const results: ReadonlyArray<Omit<Situation, "command">> = [
  {
    name: "a run that has not ended",
    outcome: "stillRunning",
    args: ["july"],
    before: createdSlow,
    told: /has not ended: its status is running[^]*canvas-runs wait/
  },
  {
    name: "a run that failed",
    outcome: "failed",
    args: ["july"],
    before: [["run", "Tides", "--key", "june", ...fast]],
    attempted: [["run", failing, "--key", "july", ...fast]],
    told: /failed/
  },
  {
    name: "an output that does not fit the schema",
    outcome: "failed",
    args: ({ file }) => ["july", "--schema", file("a.json", "{ \"type\": \"number\" }")],
    before: [["run", "Tides", "--key", "july", ...fast]],
    told: /does not fit the schema/
  },
  { name: "a run that the store does not know", outcome: "badRequest", args: ["june"], told: /canvas-runs list/ },
  { name: "two names", outcome: "badRequest", args: ["june", "july"], told: /july/ }
]

const downloads: ReadonlyArray<Omit<Situation, "command">> = [
  {
    name: "a run that has not ended",
    outcome: "stillRunning",
    args: ["july"],
    before: createdSlow,
    told: /has not ended/
  },
  {
    name: "an execution, which has no files",
    outcome: "badRequest",
    args: ["july"],
    before: [["execute", "--canvas", canvas, "--key", "july", ...fast]],
    told: /no files to download/
  },
  {
    name: "a directory that is a file",
    outcome: "local",
    args: ({ file }) => ["july", file("out", "")],
    before: [["run", "Tides", "--key", "july", ...fast]],
    told: /out/
  },
  {
    name: "a link that does not work",
    outcome: "provider",
    args: ({ directory }) => ["july", directory],
    before: [["run", "Tides", "--key", "july", ...fast]],
    faults: [always(Fault.on(Fault.status(503, { headers: { "retry-after": "0" } }), "*", "/_artifacts"))],
    told: /503[^]*Download again with:\n {2}canvas-runs download spine:run:/
  },
  { name: "no run", outcome: "badRequest", args: [], told: /run/ }
]

const lists: ReadonlyArray<Omit<Situation, "command">> = [
  { name: "a state that does not exist", outcome: "badRequest", args: ["--state", "Done"], told: /Finished/ },
  { name: "a word too many", outcome: "badRequest", args: ["all"], told: /all/ },
  { name: "a store that is blank", outcome: "badRequest", args: ["--store", ""], told: /--store[^]*not blank/ },
  { name: "a store that is a file", outcome: "local", args: [], env: brokenStore, told: /cannot be opened[^]*--store/ },
  { name: "a reader that goes away", outcome: "closedOutput", args: [], before: created, output: "EPIPE", told: /^/ },
  {
    name: "a full disk behind standard output",
    outcome: "local",
    args: [],
    before: created,
    output: "ENOSPC",
    told: /ENOSPC/
  }
]

const stores: ReadonlyArray<Situation> = [
  {
    command: "attach",
    name: "a ref of an unknown form",
    outcome: "badRequest",
    args: ["july", "acme:job:1"],
    told: /spine:run:ID/
  },
  {
    command: "attach",
    name: "a key that has a run",
    outcome: "badRequest",
    args: ["july", unknownId],
    before: created,
    told: /under "july" already\. Use "canvas-runs forget KEY" first/
  },
  {
    command: "attach",
    name: "a key that names the last run",
    outcome: "badRequest",
    args: ["@last", unknownId],
    told: /"@last" cannot be a key[^]*july/
  },
  { command: "attach", name: "a key and no run", outcome: "badRequest", args: ["july"], told: /run/ },
  {
    command: "attach",
    name: "a store that is no database",
    outcome: "local",
    args: ["july", unknownId],
    env: corruptStore,
    told: /cannot be opened/
  },
  {
    command: "forget",
    name: "a key that the store does not have",
    outcome: "badRequest",
    args: ["july"],
    told: /no key "july"[^]*canvas-runs list/
  },
  { command: "forget", name: "no key", outcome: "badRequest", args: [], told: /key/ },
  {
    command: "forget",
    name: "a store that is a file",
    outcome: "local",
    args: ["july"],
    env: brokenStore,
    told: /cannot be opened/
  },
  {
    command: "forget",
    name: "a reader that goes away",
    outcome: "closedOutput",
    args: ["july"],
    before: created,
    output: "EPIPE",
    told: /^/
  },
  {
    command: "purge",
    name: "an age that is no duration",
    outcome: "badRequest",
    args: ["--older-than", "a week"],
    told: /"90 seconds"/
  },
  { command: "purge", name: "a negative age", outcome: "badRequest", args: ["--older-than=-1s"], told: /"90 seconds"/ },
  {
    command: "purge",
    name: "a store that is no database",
    outcome: "local",
    args: [],
    env: corruptStore,
    told: /cannot be opened/
  },
  {
    command: "purge",
    name: "a full disk behind standard output",
    outcome: "local",
    args: [],
    output: "ENOSPC",
    told: /ENOSPC/
  },
  {
    command: "reconcile",
    name: "a key that the store does not have",
    outcome: "badRequest",
    args: ["june"],
    told: /june/,
    several: true
  },
  {
    command: "reconcile",
    name: "a run of Spine, which cannot list runs",
    outcome: "unknownCreate",
    args: ["july"],
    attempted: [["run", "Tides", "--key", "july"]],
    faultsBefore: [creates(Fault.dropAfter)],
    told: /developer portal[^]*canvas-runs attach july/,
    several: true
  },
  {
    command: "reconcile",
    name: "a key that is revoked meanwhile",
    outcome: "auth",
    args: ["july"],
    attempted: [["execute", "--canvas", canvas, "--key", "july"]],
    faultsBefore: [creates(Fault.dropAfter)],
    faults: [always(Fault.status(401))],
    told: /API key/,
    several: true
  },
  {
    command: "reconcile",
    name: "a server that fails",
    outcome: "provider",
    args: [],
    attempted: [["execute", "--canvas", canvas, "--key", "july"]],
    faultsBefore: [creates(Fault.dropAfter)],
    faults: [always(Fault.status(503, { headers: { "retry-after": "0" } }))],
    told: /503/,
    several: true
  },
  {
    command: "reconcile",
    name: "a store that is a file",
    outcome: "local",
    args: [],
    env: brokenStore,
    told: /cannot be opened/
  }
]

const others: ReadonlyArray<Situation> = [
  {
    command: "emulator",
    name: "a port that does not exist",
    outcome: "badRequest",
    args: ["--port", "70000"],
    told: /65535/
  },
  {
    command: "emulator",
    name: "an address that is blank",
    outcome: "badRequest",
    args: ["--host="],
    told: /--host[^]*not blank/
  },
  {
    command: "emulator",
    name: "a script that does not exist",
    outcome: "badRequest",
    args: ["--script", "/nowhere/script.json"],
    told: /\/nowhere\/script\.json/
  },
  {
    command: "emulator",
    name: "a script of unknown words",
    outcome: "badRequest",
    args: ({ file }) => ["--script", file("script.json", "{ \"spin\": {} }")],
    told: /spin/
  },
  {
    command: "emulator",
    name: "a peculiarity that does not exist",
    outcome: "badRequest",
    args: ["--rude", "polite"],
    told: /all, none/
  },
  {
    command: "emulator",
    name: "an address of another machine",
    outcome: "local",
    args: ["--host", "192.0.2.1"],
    told: /192\.0\.2\.1|EADDRNOTAVAIL/
  },
  { command: "schema", name: "a word too many", outcome: "badRequest", args: ["all"], told: /all/ },
  {
    command: "schema",
    name: "a flag that does not exist",
    outcome: "badRequest",
    args: ["--pretty"],
    told: /--pretty/
  },
  { command: "schema", name: "a reader that goes away", outcome: "closedOutput", args: [], output: "EPIPE", told: /^/ },
  {
    command: "schema",
    name: "a full disk behind standard output",
    outcome: "local",
    args: [],
    output: "ENOSPC",
    told: /ENOSPC/
  }
]

const of = (command: string, situations: ReadonlyArray<Omit<Situation, "command">>): ReadonlyArray<Situation> =>
  situations.map((situation) => ({ command, ...situation }))

export const situations: ReadonlyArray<Situation> = [
  // The first one waits longest: it polls until it gives up
  ...of("watch", watches),
  ...of("run", runs),
  ...of("execute", executions),
  ...of("batch", batches),
  ...of("wait", waits),
  ...of("get", gets),
  ...of("result", results),
  ...of("download", downloads),
  ...of("graph", graphs),
  ...of("report", reports),
  ...of("mcp", servers),
  ...of("list", lists),
  ...stores,
  ...others
]
