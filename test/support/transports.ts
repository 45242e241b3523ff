/** The HTTP clients of Node that tests on sockets run with. */
import { Layer } from "effect"
import { FetchHttpClient } from "effect/http"
import { NodeHttp } from "canvas-runs/node"

export const transports = [
  ["fetch", FetchHttpClient.layer],
  ["undici", Layer.orDie(NodeHttp.layer())]
] as const
