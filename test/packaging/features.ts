/**
 * The bytes that each feature adds to a program: the modules of a bundle, grouped by their use. The size report prints the
 * groups, and the check fails if a module belongs to none, so that no KiB is unexplained.
 */
import type { Added } from "./size.ts"

interface Feature {
  /** The use of the feature. */
  readonly name: string
  /** Paths of modules, without their extension. The first feature that fits counts. */
  readonly modules: RegExp
}

const features: ReadonlyArray<Feature> = [
  { name: "pictures and reports", modules: /(?:^|\/)picture\// },
  { name: "modules of Effect that the program did not have", modules: /^node_modules\/effect\/|^effect\// },
  {
    name: "downloads: ranges, fresh links, safe names, directories",
    modules: /Artifact|internal\/download|internal\/files\/fileName|transfer$/
  },
  {
    name: "uploads: files of any shape, checked and streamed",
    modules:
      /FileInput|internal\/files\/(?!fileName)|binary|multipart|upload$|tela\/internal\/(?:files|uploads|variables)|TelaFile/
  },
  {
    name: "streaming executions: SSE, chunks, deltas, validated end",
    modules: /tela\/internal\/(?:sse|stream\w*|endMark)|TelaStream/
  },
  {
    name: "typed output: schemas of any library, compared with the canvas",
    modules: /anySchema|compareSchemas|schemaShape|tela\/internal\/output/
  },
  { name: "fetch on every runtime: no 300 s limit, no cache, lengths", modules: /fetchPlatform/ },
  {
    name: "safe creates: proof of \"never sent\", onCreated, unknown outcomes",
    modules: /internal\/http\/(?:create|neverSent|sentRequests)/
  },
  { name: "rate limits", modules: /rateLimit/ },
  { name: "requests: retries, redirects, decoding, errors with advice", modules: /internal\/http\// },
  {
    name: "errors and refs",
    modules:
      /RunError|requestError|createError|taggedError|internal\/ref$|RunRef|runFailed|internal\/id$|tela\/internal\/ref$/
  },
  {
    name: "arguments checked before a request",
    modules: /internal\/(?:options|describe)$|canvasParams|checks?$/
  },
  { name: "secrets kept out of errors, spans and logs", modules: /internal\/secret$/ },
  { name: "spans and metrics", modules: /telemetry/ },
  {
    name: "polling: schedules, one loop, shared and joint waits",
    modules: /internal\/polling\/|Polling$|dist\/Run$|RunSource|tela\/internal\/policy/
  },
  { name: "webhooks that wake a wait", modules: /Webhooks|internal\/webhooks\// },
  {
    name: "Tela's tasks, versions, vault and lists",
    modules: /TelaVault|TelaVersions|TelaTasks|TelaCompletionRuns|TelaPage|internal\/(?:tasks|paginate|get)$/
  },
  {
    name: "the provider's calls and response schemas",
    modules: /\/(?:spine|tela)\/|responseSchema|ClientOptions|internal\/mock/
  },
  { name: "the measured program itself", modules: /^programs\/|^rolldown\// }
]

/** The minified bytes of each feature, its share of the gzipped size, and the modules without a feature. */
export const attribute = ({ gzip, min, modules }: Added): {
  readonly features: ReadonlyArray<readonly [name: string, min: number, gzip: number]>
  readonly unknown: ReadonlyArray<string>
} => {
  const bytes = new Map(features.map(({ name }) => [name, 0]))
  const unknown: Array<string> = []
  for (const [module, size] of modules) {
    const feature = features.find((each) => each.modules.test(module.replace(/\.[jt]s$/, "")))
    if (feature === undefined) unknown.push(module)
    else bytes.set(feature.name, bytes.get(feature.name)! + size)
  }
  return {
    features: [...bytes].filter(([, size]) => size > 0).map(([name, size]) => [name, size, size * gzip / min] as const)
      .toSorted(([, a], [, b]) => b - a),
    unknown
  }
}
