/** The server's side of one cell: selects the requests that meet the fault, and records all requests. */
import { noSuchHost, refuse, resetBefore } from "./acts.ts"
import type { Fault } from "./matrix.ts"
import type { Operation } from "./operations.ts"
import { answer, type Provider, type State } from "./provider.ts"
import type { Host, Play, Received, Timing } from "./play.ts"

/** The fate of a connection. */
export type Early = "refuse" | "no such host" | "reset" | undefined

export interface Stage {
  readonly timing: Timing
  /** The fate of a request before any of it is read. On a socket, the connection has this fate. */
  readonly beforeRequest: (
    host: Host,
    method: string,
    path: string
  ) => Early
  /** Whether a host is unreachable or resets, after this many connections. */
  readonly beforeConnection: (host: Host, connections: number) => Early
  /** The TLS mode of a host, if it uses TLS. */
  readonly tls: (host: Host) => Fault["tls"]
  readonly handle: (received: Received) => Play
  readonly received: ReadonlyArray<Received>
  /** The target requests of the fault, hit or not. */
  readonly targets: ReadonlyArray<Received>
}

const usual = (poll: number): State => poll < 3 ? { is: "running", done: 2 * poll, of: 5 } : { is: "completed" }

export const make = (
  operation: Operation,
  fault: Fault | undefined,
  options: {
    readonly timing: Timing
    readonly secret: string
    readonly origins: () => Readonly<Record<Host, string>>
  }
): Stage => {
  const received: Array<Received> = []
  const targets: Array<Received> = []
  const counts = new Map<string, number>()
  // A run without a wait has ended
  const stateAt = operation.kind !== "wait" ? (): State => ({ is: "completed" }) : fault?.states ?? usual
  let spared = 0
  const isLikeTarget = (host: Host, method: string, path: string) => operation.target.test(`${method} ${host} ${path}`)
  const targetHost: Host = operation.kind === "download" || operation.kind === "upload" ? "files" : "api"
  const after = fault?.after ?? 0
  const hits = fault?.hits ?? Infinity

  // The fate of a connection does not depend on a request
  const act = fault?.act
  const early: Early = act === refuse
    ? "refuse"
    : act === noSuchHost
    ? "no such host"
    : act === resetBefore
    ? "reset"
    : undefined

  return {
    timing: options.timing,
    received,
    targets,
    beforeRequest: (host, method, path) =>
      isLikeTarget(host, method, path) && spared === operation.spared ? early : undefined,
    beforeConnection: (host, connections) => host === targetHost && connections >= operation.before ? early : undefined,
    tls: (host) => host === targetHost ? fault?.tls : undefined,
    handle: (request) => {
      received.push(request)
      const origins = options.origins()
      const provider: Provider = { filesOrigin: origins.files, stateAt }
      const isLike = isLikeTarget(request.host, request.method, request.path)
      const isSpared = isLike && spared < operation.spared
      if (isSpared) spared++
      const isTarget = isLike && !isSpared
      const index = targets.length
      if (isTarget) targets.push(request)
      const isHit = isTarget && fault?.act !== undefined && index >= after && index < after + hits
      const route = `${request.method} ${request.host} ${request.path}`
      const count = (counts.get(route) ?? 0) + 1
      const good = answer(provider, request, count)
      const play: Play = isHit
        ? fault.act!(good, { received: request, origins, secret: options.secret })
        : { _tag: "Send", sending: good }
      // A failed poll does not advance the run
      if (isWhole(play) && !isSpared) counts.set(route, count)
      return play
    }
  }
}

const isWhole = (play: Play): boolean =>
  (play._tag === "Send" || play._tag === "SendTwice") && play.sending.status < 300 && play.sending.ending === "end"
