/** Drives a headless Chromium over its DevTools pipe, with Node alone. */
import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { pathToFileURL } from "node:url"

/** The command of a browser on the PATH. */
export const command: string | undefined = ["chromium", "chromium-browser", "google-chrome"].flatMap((name) =>
  (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, name))
).find((file) => existsSync(file))

/** What the protocol sends. Its types would be a dependency. */
// oxlint-disable-next-line typescript/no-explicit-any
type Data = Record<string, any>

type Params = Readonly<Record<string, unknown>>

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: Data
  readonly result?: Data
  readonly error?: { readonly message: string }
}

export interface Page {
  /** Opens a document, and returns the addresses that it requested beside its own, and the messages of its console. */
  readonly open: (content: string, extension: "html" | "svg") => Promise<{
    readonly requests: ReadonlyArray<string>
    readonly messages: ReadonlyArray<string>
  }>
  /** Evaluates an expression in the page. The page's own policy does not hold for it. */
  readonly evaluate: <A>(expression: string) => Promise<A>
  /** The page as PNG. */
  readonly screenshot: (
    options: { readonly width: number; readonly height?: number; readonly dark?: boolean; readonly print?: boolean }
  ) => Promise<Buffer>
}

/** Starts a browser with one page. */
export const launch = async (): Promise<{ readonly page: Page; readonly close: () => Promise<void> }> => {
  if (command === undefined) throw new Error("There is no Chromium on the PATH. On Debian: apt-get install -y chromium")
  const directory = mkdtempSync(join(tmpdir(), "canvas-runs-browser-"))
  const child = spawn(command, [
    "--headless",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--hide-scrollbars",
    `--user-data-dir=${join(directory, "profile")}`,
    // Chromium's sandbox does not start for root
    ...(process.getuid?.() === 0 ? ["--no-sandbox"] : [])
  ], { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] })
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()))
  const close = async () => {
    child.kill("SIGKILL")
    await exited
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    return { page: await connect(child, directory), close }
  } catch (error) {
    await close()
    throw error
  }
}

const connect = async (child: ReturnType<typeof spawn>, directory: string): Promise<Page> => {
  const input = child.stdio[3] as NodeJS.WritableStream
  const output = child.stdio[4] as NodeJS.ReadableStream
  const waiting = new Map<
    number,
    { readonly resolve: (result: Data) => void; readonly reject: (error: Error) => void }
  >()
  const listeners = new Set<(message: Message) => void>()
  let buffer = ""
  output.setEncoding("utf8")
  output.on("data", (chunk: string) => {
    buffer += chunk
    for (let end = buffer.indexOf("\0"); end !== -1; end = buffer.indexOf("\0")) {
      const message = JSON.parse(buffer.slice(0, end)) as Message
      buffer = buffer.slice(end + 1)
      if (message.id === undefined) {
        for (const listener of listeners) listener(message)
      } else if (message.error === undefined) waiting.get(message.id)?.resolve(message.result ?? {})
      else waiting.get(message.id)?.reject(new Error(message.error.message))
    }
  })
  child.once("exit", (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`Chromium ended with ${code}`))
  })
  let last = 0
  let session: string | undefined
  const send = (method: string, params: Params = {}): Promise<Data> =>
    new Promise((resolve, reject) => {
      const id = ++last
      waiting.set(id, { resolve, reject })
      input.write(
        `${JSON.stringify({ id, method, params, ...(session === undefined ? {} : { sessionId: session }) })}\0`
      )
    })
  const { targetId } = await send("Target.createTarget", { url: "about:blank" })
  const attached = await send("Target.attachToTarget", { targetId, flatten: true })
  session = attached["sessionId"]
  await Promise.all(["Page", "Runtime", "Network", "Log"].map((domain) => send(`${domain}.enable`)))

  let files = 0
  const once = (method: string) =>
    new Promise<void>((resolve) => {
      const listener = (message: Message) => {
        if (message.method !== method) return
        listeners.delete(listener)
        resolve()
      }
      listeners.add(listener)
    })

  const evaluate = async <A>(expression: string): Promise<A> => {
    const { exceptionDetails, result } = await send("Runtime.evaluate", {
      expression,
      returnByValue: true,
      awaitPromise: true,
      allowUnsafeEvalBlockedByCSP: true
    })
    if (exceptionDetails !== undefined) {
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
    }
    return result.value as A
  }

  return {
    evaluate,
    open: async (content, extension) => {
      const file = join(directory, `${++files}.${extension}`)
      writeFileSync(file, content)
      const url = pathToFileURL(file).href
      const requests = new Map<string, string>()
      const messages: Array<string> = []
      const listener = ({ method, params }: Message) => {
        if (method === "Network.requestWillBeSent" && params!["request"].url !== url) {
          requests.set(params!["requestId"], params!["request"].url)
        }
        // A request that the page's policy stops is announced, and not sent
        if (method === "Network.loadingFailed" && params!["blockedReason"] === "csp") {
          requests.delete(params!["requestId"])
        }
        if (method === "Log.entryAdded") messages.push(params!["entry"].text)
        if (method === "Runtime.consoleAPICalled") {
          messages.push(params!["args"].map((arg: { value: unknown }) => arg.value).join(" "))
        }
        if (method === "Runtime.exceptionThrown") messages.push(params!["exceptionDetails"].text)
        if (method === "Page.javascriptDialogOpening") {
          messages.push("a dialog")
          void send("Page.handleJavaScriptDialog", { accept: false })
        }
      }
      listeners.add(listener)
      const loaded = once("Page.loadEventFired")
      await send("Page.navigate", { url })
      await loaded
      // What a handler of an error or of a timer of 0 would do has been done by then
      await evaluate("new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0)))")
      listeners.delete(listener)
      return { requests: Array.from(requests.values()), messages }
    },
    screenshot: async ({ dark = false, height, print = false, width }) => {
      await send("Emulation.setEmulatedMedia", {
        media: print ? "print" : "",
        features: [
          { name: "prefers-color-scheme", value: dark ? "dark" : "light" },
          { name: "prefers-reduced-motion", value: "reduce" }
        ]
      })
      const metrics = { width, deviceScaleFactor: 1, mobile: false }
      await send("Emulation.setDeviceMetricsOverride", { ...metrics, height: height ?? 600 })
      const full = height ??
        await evaluate<number>("Math.ceil(document.documentElement.getBoundingClientRect().height)")
      await send("Emulation.setDeviceMetricsOverride", { ...metrics, height: Math.min(full, 8000) })
      const { data } = await send("Page.captureScreenshot", { format: "png" })
      return Buffer.from(data as string, "base64")
    }
  }
}
