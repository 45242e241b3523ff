/**
 * The table: the outcome of each kind of operation under each fault.
 *
 * A row is a fault. Its columns are the kinds of operations in the order of `kinds`; `except` names operations of a kind that
 * differ. A cell is an outcome from the legend, with the number of requests that reach the server if that matters: `Tr2` is a
 * `TransportError` after the request and one repetition, `ok1` a success with one request and the same result as without a fault.
 * `--` is a fault that this kind cannot meet. `a|b` is either outcome, where it depends on the HTTP client or on time.
 *
 * Nothing here is computed from the library. The clients repeat safe requests once; waits survive one failed poll in a row.
 */
import {
  type Act,
  body,
  breakOff,
  brokenGzip,
  cut,
  endless,
  gzip,
  instead,
  noSuchHost,
  page,
  redirect,
  refuse,
  reset,
  resetBefore,
  silence,
  slices,
  slowHeaders,
  status,
  truncate,
  twice,
  typed
} from "./acts.ts"
import { type Kind, kinds, type Operation } from "./operations.ts"
import { endMark, eventStream, sse, type State, streamChunks } from "./provider.ts"
import { encode, type Transport } from "./play.ts"

/** The outcomes, by their abbreviations. */
export const legend = {
  ok: "success, with the same result as without the fault",
  Br: "BadRequestError",
  Au: "AuthenticationError",
  Ul: "UsageLimitError",
  Pd: "PermissionDeniedError",
  Nf: "NotFoundError",
  Co: "ConflictError",
  Rl: "RateLimitError",
  Se: "ServerError",
  Tr: "TransportError",
  To: "RequestTimeoutError",
  Ir: "InvalidResponseError",
  Cu: "CreateOutcomeUnknownError",
  Rt: "RunTimeoutError",
  Rf: "RunFailedError",
  Io: "InvalidOutputError",
  Si: "StreamInterruptedError",
  Ar: "ArtifactError",
  Fi: "FileInputError",
  it: "interrupted, by the caller"
} as const
export type Code = keyof typeof legend

/** The expected outcomes of a cell: any of these. `undefined` is a cell that does not apply. */
export type Expected = ReadonlyArray<{ readonly code: Code; readonly requests: number | undefined }> | undefined

export interface Fault {
  readonly name: string
  /** What happens to the requests that are hit. */
  readonly act?: Act
  /** How many requests are hit (all by default), after how many that are not. */
  readonly hits?: number
  readonly after?: number
  /** The state of the run at each poll. By default it is running at two polls and then completed. */
  readonly states?: (poll: number) => State
  /** The behaviour of the consumer of a stream, or of the caller. */
  readonly caller?: "slow" | "leaves" | "interrupts" | "closes the client"
  /** The TLS of the called host: a certificate that no client trusts, or none. */
  readonly tls?: "untrusted" | "expired" | "none"
  /** The behaviour of the proxy that the client uses. */
  readonly proxy?: "refuses" | "asks for a password" | "cuts"
  /** How long the program's event loop is blocked at a time, in milliseconds. Timers fire only between two blocks. */
  readonly turnMillis?: number
  /** The result of a success, where it differs from the result without the fault. */
  readonly result?: string | undefined
  /** Seconds between the first request and the next, for operations that repeat. Measured in memory, on the `TestClock`. */
  readonly gap?: number
  /** The client's `maxResponseBytes`, where it is not 1 MiB. */
  readonly maxResponseBytes?: number
  /** The transports that can play it. */
  readonly on?: ReadonlyArray<Transport>
  /** Whether the machine may need more time: on sockets, all times of the client are then longer. */
  readonly isSlow?: boolean
  readonly outcomes: string
  readonly except?: Readonly<Record<string, string>>
  /** Why the kinds with `--` cannot meet it. */
  readonly why?: string
}

const socket: ReadonlyArray<Transport> = ["fetch", "undici"]

// Groups of operations for exceptions
const streamedDownloads = (outcome: string) => ({ "spine artifacts.stream": outcome, "tela vault.stream": outcome })
const watched = (outcome: string) => ({
  "spine runs.watch": outcome,
  "spine runs.polls": outcome,
  "tela execution.watch": outcome
})
/** A new execution is looked up every second, as long as the grace period of the transport lasts. */
const lookUp = (outcome: string) => ({ "tela canvas.getExecution": outcome })
const byId = (outcome: string) => ({ "spine runs.waitForCompletion by id": outcome })
/** Its response has no body that could be wrong. */
const checkCredential = (outcome: string) => ({ "tela checkCredential": outcome })
const telaWaits = (outcome: string) => ({
  "tela execute async: result": outcome,
  "tela execute a task: result": outcome,
  "tela execution.rawResult": outcome,
  "tela execution.watch": outcome,
  "tela execution.events": outcome,
  "tela canvas.getExecution: result": outcome,
  "tela canvas.getExecution of a task: result": outcome
})

const elsewhere: Act = redirect(302, ({ origins, received }) => `${origins.elsewhere}${received.path}`)
const circle: Act = redirect(302, ({ received, secret }) => `${received.path}?key=${secret}`)

const running: State = { is: "running", done: 1, of: 5 }
const done: State = { is: "completed" }
const all = sse([...streamChunks, endMark])
const [firstChunk] = streamChunks as [string]
const events = (text: string | ReadonlyArray<Uint8Array>): Act => instead(eventStream(text))

const onlyWaits = "only waits follow a run"
const onlyDirect = "a file is requested through the API first"
const onlyStreams = "only a streamed execution has a stream of events"

export const faults: ReadonlyArray<Fault> = [
  //                                                               read create write wait download upload stream
  // --- the connection ---
  { name: "connection refused", act: refuse, outcomes: "            Tr0  Tr0    Tr0   Tr0  Ar0      Fi0    Tr0" },
  { name: "name not found", act: noSuchHost, outcomes: "            Tr0  Tr0    Tr0   Tr0  Ar0      Fi0    Tr0" },
  {
    name: "reset before the request",
    act: resetBefore,
    // The reset may arrive before or after the client considers the connection established, so the client cannot know
    outcomes: "                                                     Tr0  Tr0|Cu0 Tr0  Tr0  Ar0      Fi0    Tr0|Cu0"
  },
  {
    name: "reset after the request: accepted, the answer lost",
    act: reset("after"),
    outcomes: "                                                     Tr2  Cu1    Tr1   Tr4  Ar2      Fi2    Cu1"
  },
  {
    name: "reset in the headers",
    act: reset("headers"),
    outcomes: "                                                     Tr2  Cu1    Tr1   Tr4  Ar2      Fi2    Cu1"
  },
  {
    name: "reset in the body",
    act: breakOff(0.5, "reset"),
    outcomes: "                                                     Tr2  Cu1    Tr1   Tr4  Ar2      --     Si1",
    except: streamedDownloads("Ar1"),
    why: "the answer to an upload has no body"
  },
  {
    name: "reset after the request, once",
    act: reset("after"),
    hits: 1,
    outcomes: "                                                     ok2  Cu1    Tr1   ok4  ok2      ok2    Cu1"
  },
  {
    name: "reset in the middle of a wait, once",
    act: reset("after"),
    after: 1,
    hits: 1,
    outcomes: "                                                     --   --     --    ok4  --       --     --",
    why: onlyWaits
  },
  ...(["untrusted", "expired", "none"] as const).map((tls): Fault => ({
    name: `TLS: ${tls === "none" ? "the host has none" : `the certificate is ${tls}`}`,
    tls,
    on: socket,
    outcomes: "                                                     Tr0  Tr0    Tr0   Tr0  Ar0      Fi0    Tr0"
  })),
  {
    name: "proxy: connection refused",
    proxy: "refuses",
    on: ["undici"],
    why: onlyDirect,
    outcomes: "                                                     Tr0  Tr0    Tr0   Tr0  --       --     Tr0"
  },
  {
    name: "proxy: 407",
    proxy: "asks for a password",
    on: ["undici"],
    why: onlyDirect,
    outcomes: "                                                     Tr0  Tr0    Tr0   Tr0  --       --     Tr0"
  },
  {
    name: "proxy: cut once the request is sent",
    proxy: "cuts",
    on: ["undici"],
    why: onlyDirect,
    outcomes: "                                                     Tr0  Cu0    Tr0   Tr0  --       --     Cu0"
  },
  // --- time ---
  {
    name: "event loop blocked for 2 s",
    turnMillis: 2000,
    on: ["memory"],
    outcomes: "                                                     ok1  ok1    ok1   ok3  ok1      ok1    ok1"
  },
  {
    name: "silence, with the event loop blocked for 2 s",
    act: silence,
    turnMillis: 2000,
    on: ["memory"],
    outcomes: "                                                     To2  Cu1    To1   To4  Ar2      Fi2    Cu1"
  },
  {
    name: "silence, and the client is closed",
    act: silence,
    caller: "closes the client",
    on: socket,
    // fetch has nothing to close; undici aborts the requests under way, and then rejects new ones
    outcomes: "                                                     To2|Tr1 Cu1 To1|Tr1 To4|Tr1 Ar2|Ar1 Fi2|Fi1 Cu1"
  },
  { name: "silence", act: silence, outcomes: "                      To2  Cu1    To1   To4  Ar2      Fi2    Cu1" },
  {
    name: "slow headers",
    act: slowHeaders,
    on: socket,
    outcomes: "                                                     To2  Cu1    To1   To4  Ar2      Fi2    Cu1"
  },
  {
    name: "silence in the body",
    act: breakOff(0.5, "silence"),
    outcomes: "                                                     To2  Cu1    To1   To4  Ar2      --     Si1",
    except: streamedDownloads("Ar1"),
    why: "the answer to an upload has no body"
  },
  {
    name: "one-byte slices",
    act: slices(1),
    isSlow: true,
    outcomes: "                                                     ok1  ok1    ok1   ok3  ok1      ok1    ok1"
  },
  {
    name: "silence, and the caller gives up",
    act: silence,
    caller: "interrupts",
    outcomes: "                                                     it1  it1    it1   it1  it1      it1    it1"
  },
  {
    name: "silence in the body, and the caller gives up",
    act: breakOff(0.5, "silence"),
    caller: "interrupts",
    outcomes: "                                                     it1  it1    it1   it1  it1      --     it1",
    why: "the answer to an upload has no body"
  },
  // --- cuts ---
  {
    name: "cut before the body",
    act: breakOff(0, "cut"),
    outcomes: "                                                     Tr2  Cu1    Tr1   Tr4  Ar2      --     Si1",
    why: "the answer to an upload has no body"
  },
  {
    name: "cut after one byte",
    act: breakOff(1, "cut"),
    outcomes: "                                                     Tr2  Cu1    Tr1   Tr4  Ar2      --     Si1",
    except: streamedDownloads("Ar1"),
    why: "the answer to an upload has no body"
  },
  {
    name: "cut in the middle",
    act: breakOff(0.5, "cut"),
    outcomes: "                                                     Tr2  Cu1    Tr1   Tr4  Ar2      --     Si1",
    except: streamedDownloads("Ar1"),
    why: "the answer to an upload has no body"
  },
  {
    name: "cut before the last byte",
    act: breakOff(-1, "cut"),
    // For a stream, the end of the execution is known by then
    outcomes: "                                                     Tr2  Cu1    Tr1   Tr4  Ar2      --     ok1",
    except: streamedDownloads("Ar1"),
    why: "the answer to an upload has no body"
  },
  // --- statuses ---
  // A rejected link counts as expired, and is requested once more
  { name: "400", act: status(400), outcomes: "                      Br1  Br1    Br1   Br1  Ar2      Fi1    Br1" },
  { name: "401", act: status(401), outcomes: "                      Au1  Au1    Au1   Au1  Ar2      Fi1    Au1" },
  { name: "402", act: status(402), outcomes: "                      Ul1  Ul1    Ul1   Ul1  Ar1      Fi1    Ul1" },
  { name: "403", act: status(403), outcomes: "                      Pd1  Pd1    Pd1   Pd1  Ar2      Fi1    Pd1" },
  {
    name: "404 forever",
    act: status(404),
    // A wait tolerates a 404 within the grace period
    outcomes: "                                                     Nf1  Nf1    Nf1   Nf   Ar2      Fi1    Nf1",
    except: { ...byId("Nf1"), ...lookUp("Nf") }
  },
  {
    name: "404 twice, then found",
    act: status(404),
    hits: 2,
    outcomes: "                                                     Nf1  Nf1    Nf1   ok5  Ar2      Fi1    Nf1",
    except: { ...byId("Nf1"), ...lookUp("ok3|Nf2") }
  },
  {
    name: "404 once: an expired link",
    act: status(404),
    hits: 1,
    outcomes: "                                                     Nf1  Nf1    Nf1   ok4  ok2      Fi1    Nf1",
    except: { ...byId("Nf1"), ...lookUp("ok2") }
  },
  {
    name: "403 once: an expired link",
    act: status(403),
    hits: 1,
    outcomes: "                                                     Pd1  Pd1    Pd1   Pd1  ok2      Fi1    Pd1"
  },
  { name: "408", act: status(408), outcomes: "                      To2  Cu1    To1   To4  Ar2      Fi2    Cu1" },
  { name: "409", act: status(409), outcomes: "                      Co1  Co1    Co1   Co1  Ar1      Fi1    Co1" },
  { name: "410", act: status(410), outcomes: "                      Br1  Br1    Br1   Br1  Ar2      Fi1    Br1" },
  { name: "422", act: status(422), outcomes: "                      Br1  Br1    Br1   Br1  Ar1      Fi1    Br1" },
  { name: "425", act: status(425), outcomes: "                      Se2  Se1    Se1   Se4  Ar2      Fi2    Se1" },
  { name: "429 forever", act: status(429), outcomes: "             Rl2  Rl1    Rl2   Rl4  Ar2      Fi2    Rl1" },
  { name: "500", act: status(500), outcomes: "                      Se2  Cu1    Se1   Se4  Ar2      Fi2    Cu1" },
  { name: "501", act: status(501), outcomes: "                      Se2  Se1    Se1   Se4  Ar2      Fi1    Se1" },
  { name: "502", act: page(502), outcomes: "                        Se2  Cu1    Se1   Se4  Ar2      Fi2    Cu1" },
  { name: "503", act: status(503), outcomes: "                      Se2  Cu1    Se1   Se4  Ar2      Fi2    Cu1" },
  { name: "504", act: status(504), outcomes: "                      Se2  Cu1    Se1   Se4  Ar2      Fi2    Cu1" },
  { name: "520", act: page(520), outcomes: "                        Se2  Cu1    Se1   Se4  Ar2      Fi2    Cu1" },
  {
    name: "503 once",
    act: status(503),
    hits: 1,
    outcomes: "                                                     ok2  Cu1    Se1   ok4  ok2      ok2    Cu1"
  },
  {
    name: "503 twice in the middle of a wait",
    act: status(503),
    after: 1,
    hits: 2,
    outcomes: "                                                     --   --     --    ok5  --       --     --",
    why: onlyWaits
  },
  {
    name: "401 in the middle of a wait",
    act: status(401),
    after: 1,
    outcomes: "                                                     --   --     --    Au2  --       --     --",
    why: onlyWaits
  },
  // --- Retry-After, on a transient 429; the delay without one is half a second, and the ceiling is ten seconds ---
  ...([
    ["0", 0.5],
    ["1", 1],
    ["999999999", 10],
    ["Sat, 01 Jan 2000 00:00:00 GMT", 0.5],
    ["Fri, 01 Jan 2100 00:00:00 GMT", 10],
    ["soon, I promise", 0.5],
    ["9".repeat(400), 0.5],
    ["-5", 0.5],
    ["1.5e3", 0.5]
  ] as const).map(([value, gap]): Fault => ({
    name: `429 once, Retry-After ${value.length > 40 ? `of ${value.length} digits` : value}`,
    act: status(429, { "retry-after": value }),
    hits: 1,
    gap,
    outcomes: "                                                     ok2  Rl1    ok2   ok4  ok2      ok2    Rl1"
  })),
  {
    name: "429 once, Retry-After-Ms 1500",
    act: status(429, { "retry-after-ms": "1500" }),
    hits: 1,
    gap: 1.5,
    outcomes: "                                                     ok2  Rl1    ok2   ok4  ok2      ok2    Rl1"
  },
  // --- redirects ---
  {
    name: "redirect to another origin",
    act: elsewhere,
    // A signed link may lead anywhere
    outcomes: "                                                     Ir1  Cu1    Ir1   Ir1  ok1      Fi1|Fi2 Cu1"
  },
  {
    name: "redirect in circles",
    act: circle,
    outcomes: "                                                     Ir4  Cu1    Ir1   Ir4  Ar       Fi1|Fi2 Cu1",
    except: {
      // A request that is not a GET is not sent twice
      "tela execute with a file: announce": "Ir1",
      "tela tasks.update": "Ir1",
      "tela tasks.approve": "Ir1",
      "tela tasks.rename": "Ir1",
      "spine runs.create, repeated": "Cu1",
      "tela execute async, repeated": "Cu1"
    }
  },
  // --- uploads ---
  {
    name: "a store that rejects chunked uploads",
    act: (good, scene) =>
      scene.received.headers["transfer-encoding"] === "chunked" ||
        scene.received.headers["content-length"] === undefined
        ? status(411)(good, scene)
        : { _tag: "Send", sending: good },
    on: socket,
    why: "only an upload has a large request body",
    outcomes: "                                                     --   --     --    --   --       ok1    --"
  },
  // --- the content of the response ---
  {
    name: "HTML with 200",
    act: page(200),
    outcomes: "                                                     Ir2  Cu1    Ir1   Ir4  Ar2      Fi2    Cu1"
  },
  {
    name: "empty body",
    act: body(""),
    outcomes: "                                                     Ir2  Cu1    Ir1   Ir4  Ar2      ok1    Si1"
  },
  {
    name: "truncated JSON",
    act: truncate(-2),
    // Of a stream, only the line break after its end mark is missing
    outcomes: "                                                     Ir2  Cu1    Ir1   Ir4  Ar2      --     ok1",
    except: streamedDownloads("Ar1"),
    why: "the answer to an upload has no body"
  },
  {
    name: "JSON of another form",
    act: body(`{"unexpected":true}`),
    outcomes: "                                                     Ir1  Cu1    Ir1   Ir1  Ar2      ok1    Si1",
    except: { ...streamedDownloads("Ar1"), ...checkCredential("ok1") }
  },
  {
    name: "null",
    act: body("null"),
    outcomes: "                                                     Ir1  Cu1    Ir1   Ir1  Ar2      ok1    Si1",
    except: { ...streamedDownloads("Ar1"), ...checkCredential("ok1") }
  },
  {
    name: "wrong content type",
    act: typed("application/x-unknown"),
    outcomes: "                                                     ok1  ok1    ok1   ok3  ok1      ok1    ok1"
  },
  {
    name: "broken gzip",
    act: brokenGzip,
    on: socket,
    // undici does not decompress: the error says so, and a repetition would not help
    outcomes: "                                                     Tr2|Ir1 Cu1 Tr1|Ir1 Tr4|Ir1 Ar2|Ar1 --  Si1|Cu1",
    why: "the answer to an upload has no body"
  },
  {
    name: "gzip, although the client did not accept it",
    act: gzip,
    on: socket,
    outcomes:
      "                                                     ok1|Ir1 ok1|Cu1 ok1|Ir1 ok3|Ir1 ok1|Ar1 -- ok1|Si1|Cu1",
    why: "the answer to an upload has no body"
  },
  {
    name: "duplicated answers",
    act: twice,
    on: socket,
    outcomes: "                                                     ok1  ok1    ok1   ok3  ok1      ok1    ok1"
  },
  {
    name: "an answer without end",
    act: endless(200),
    // Neither keep-alives nor events
    outcomes: "                                                     Ir1  Cu1    Ir1   Ir1  Ar1      ok1    Si1"
  },
  {
    name: "500, without end",
    act: endless(500),
    outcomes: "                                                     Se2  Cu1    Se1   Se4  Ar2      Fi2    Cu1"
  },
  {
    name: "403, without end",
    act: endless(403),
    outcomes: "                                                     Pd1  Pd1    Pd1   Pd1  Ar2      Fi1    Pd1"
  },
  // --- runs ---
  ...([
    ["queued forever", () => ({ is: "queued" }), "Rt", {}],
    ["running forever", () => running, "Rt", {}],
    ["an unknown status forever", () => ({ is: "unknown" }), "Rt", {}],
    ["an unknown status, then completed", (poll) => poll < 3 ? { is: "unknown" } : done, "ok3", {}],
    [
      "a status that goes backwards",
      (poll) => [running, { is: "queued" } as const, running, { is: "queued" } as const][poll - 1] ?? done,
      "ok5",
      {}
    ],
    ["progress over 100 %", (poll) => poll < 4 ? { is: "running", done: 7 * poll, of: 5 } : done, "ok4", {}],
    [
      "completed without output",
      (poll) => poll < 3 ? running : { is: "completed without output" },
      "Ir3",
      // Tela may not have stored the output yet, so the client asks again
      telaWaits("Ir6")
    ],
    [
      "failed",
      (poll) => poll < 3 ? running : { is: "failed" },
      "Rf3",
      { ...watched("ok3"), "spine runs.waitForCompletion resolveOnFailure": "ok3" }
    ]
  ] as ReadonlyArray<readonly [string, (poll: number) => State, string, Readonly<Record<string, string>>]>).map(
    ([name, states, wait, except]): Fault => ({
      name,
      states,
      except,
      result: name === "failed" ? "failed" : undefined,
      why: onlyWaits,
      outcomes: `-- -- -- ${wait} -- -- --`
    })
  ),
  // --- streams ---
  ...([
    ["stream: end without end mark", events(sse(streamChunks.slice(0, 2))), "Si1"],
    ["stream: end mark, no finish reason", events(sse([...streamChunks.slice(0, 3), endMark])), "ok1"],
    ["stream: finish reason, no end mark", events(sse(streamChunks)), "ok1"],
    ["stream: error event, then end", events(`${sse([firstChunk])}event: error\ndata: {"message":"no"}\n\n`), "Rf1"],
    ["stream: error in the data, then end", events(sse([firstChunk, `{"error":{"message":"no"}}`])), "Rf1"],
    ["stream: an event that is not JSON", events(sse([firstChunk, "{not json"])), "Si1"],
    ["stream: end mark, then silence", instead({ ...eventStream(all), ending: "silence" }), "ok1"],
    ["stream: finish reason, then reset", instead({ ...eventStream(sse(streamChunks)), ending: "reset" }), "ok1"],
    ["stream: some events, then silence", instead({ ...eventStream(sse([firstChunk])), ending: "silence" }), "Si1"],
    ["stream: keep-alives only", keepAlives(), "Si1"],
    ["stream: retry first", events(`retry: 3000\n\n${all}`), "ok1"],
    ["stream: retry huge", events(`retry: ${"9".repeat(400)}\n\n${all}`), "ok1"],
    ["stream: retry bogus", events(`retry: soon\nretry\nretry: -1\n\n${all}`), "ok1"],
    ["stream: byte order mark", events(`\u{feff}${all}`), "ok1"],
    ["stream: CRLF", events(sse([...streamChunks, endMark], "\r\n")), "ok1"],
    ["stream: CR", events(sse([...streamChunks, endMark], "\r")), "ok1"],
    ["stream: CRLF and UTF-8 split at every byte", events(cut(encode(`\u{feff}${crlf()}`), 1)), "ok1"],
    ["stream: CRLF and UTF-8 split at every third byte", events(cut(encode(crlf()), 3)), "ok1"],
    ["stream: a JSON document per line", events(`${streamChunks.join("\n")}\n`), "ok1"],
    ["stream: content type text/plain", instead(eventStream(all, "text/plain")), "ok1"],
    ["stream: comments and unknown fields", events(`: hello\nid: 7\nfoo: bar\n${all}`), "ok1"]
  ] as ReadonlyArray<readonly [string, Act, string]>).map(([name, act, stream]): Fault => ({
    name,
    act,
    isSlow: name.includes("split"),
    why: onlyStreams,
    outcomes: `-- -- -- -- -- -- ${stream}`
  })),
  {
    name: "stream: a line of 10 MB",
    act: events(sse([chunk("x".repeat(10_000_000)), endMark])),
    result: "10000000 characters",
    maxResponseBytes: 32 * 1024 * 1024,
    isSlow: true,
    why: onlyStreams,
    outcomes: "                                                     --   --     --    --   --       --     ok1"
  },
  {
    name: "stream: a line longer than the client allows",
    act: events(sse([firstChunk, chunk("x".repeat(2_000_000)), endMark])),
    isSlow: true,
    why: onlyStreams,
    outcomes: "                                                     --   --     --    --   --       --     Si1"
  },
  {
    name: "stream: 100,000 events in one chunk",
    act: events(sse([...Array.from({ length: 100_000 }, () => chunk("x")), endMark])),
    result: "100000 characters",
    isSlow: true,
    why: onlyStreams,
    outcomes: "                                                     --   --     --    --   --       --     ok1"
  },
  {
    name: "a consumer slower than any timeout",
    act: slices(16),
    caller: "slow",
    outcomes: "                                                     --   --     --    --   --       --     ok1",
    except: { "tela tasks.stream": "ok1", "tela completionRuns.stream": "ok1" },
    why: "nothing is delivered piece by piece"
  },
  {
    name: "a consumer that leaves early, of a stream without end",
    act: (good, { received }) => ({
      _tag: "Send",
      sending: received.method === "POST"
        ? { ...eventStream(sse([firstChunk])), parts: [1, encode(sse([firstChunk]))], ending: "endless" }
        : { ...good, length: undefined, ending: "silence" }
    }),
    caller: "leaves",
    result: "*",
    outcomes: "                                                     --   --     --    --   --       --     ok1",
    except: streamedDownloads("ok1"),
    why: "nothing is delivered piece by piece"
  }
]

function crlf(): string {
  return sse([...streamChunks, endMark], "\r\n")
}

function chunk(content: string): string {
  return JSON.stringify({ choices: [{ delta: { content } }] })
}

/** One keep-alive every five beats, for longer than any timeout. */
function keepAlives(): Act {
  return instead({
    ...eventStream(Array.from({ length: 20 }, () => encode(": keep-alive\n\n"))),
    parts: Array.from({ length: 20 }, () => [5, encode(": keep-alive\n\n")]).flat(),
    ending: "silence"
  })
}

/** Cells that show a known defect of the library, by operation and fault, with a description. They stay red until it is fixed. */
export const knownDefects: ReadonlyArray<{
  readonly fault: string
  readonly operations: RegExp
  readonly transports: ReadonlyArray<Transport>
  readonly what: string
}> = []

/** The expected outcome of a cell. */
export const expected = (
  fault: Fault,
  operation: Pick<Operation, "name" | "kind" | "like" | "client">
): Expected => {
  const own = fault.except?.[operation.name] ?? fault.except?.[operation.like ?? ""]
  if (own !== undefined) return parse(fault, own)
  const of = (kind: Kind) => parse(fault, fault.outcomes.trim().split(/\s+/)[kinds.indexOf(kind)])
  if (operation.client !== "repeated creates") return of(operation.kind)
  // It fails like any other create, and is repeated like a read
  const [asCreate, asRead] = [of("create"), of("read")]
  if (asCreate === undefined || asRead === undefined) return undefined
  const good = asRead.filter(({ code }) => code === "ok")
  const bad = asRead.filter(({ code }) => code !== "ok")
  return [
    ...good,
    ...asCreate.flatMap(({ code }) => code === "ok" ? [] : bad.map(({ requests }) => ({ code, requests })))
  ]
}

const parse = (fault: Fault, text: string | undefined): Expected => {
  if (text === undefined) throw new Error(`"${fault.name}" has no outcome for a kind`)
  if (text === "--") return undefined
  return text.split("|").map((either) => {
    const match = /^([a-zA-Z]{2})(\d*)$/.exec(either)
    if (match === null || !Object.hasOwn(legend, match[1]!)) {
      throw new Error(`"${fault.name}": "${either}" is not in the legend`)
    }
    return { code: match[1] as Code, requests: match[2] === "" ? undefined : Number(match[2]) }
  })
}
