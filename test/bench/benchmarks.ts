/** The benchmarks by name, in the order of the report. */
import type { Benchmark } from "./measure.ts"

export const benchmarks: Readonly<Record<string, () => Promise<{ readonly benchmark: Benchmark }>>> = {
  waiting: () => import("./waiting.ts"),
  requests: () => import("./requests.ts"),
  streams: () => import("./streams.ts"),
  transfers: () => import("./transfers.ts"),
  startup: () => import("./startup.ts"),
  polling: () => import("./polling.ts"),
  durable: () => import("./durable.ts"),
  picture: () => import("./picture.ts")
}
