import type { Benchmark } from "./measure.ts"

export const benchmark: Benchmark = { name: "waiting", run: () => Promise.resolve([]) }
