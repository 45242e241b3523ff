/** The tests that are run against the mutants of a file: the fewest and fastest that specify the file. */
export const targets: Readonly<Record<string, ReadonlyArray<string>>> = {
  "src/tela/internal/sse.ts": ["test/tela/internal/sse.test.ts", "test/tela/internal/sse.spec-table.test.ts"],
  "src/internal/runStore/store.ts": ["test/RunStore.test.ts"],
  "src/internal/runStore/record.ts": ["test/RunStore.test.ts"],
  "src/internal/runStore/createOnce.ts": ["test/RunStore.test.ts"],
  "src/internal/runStore/keys.ts": ["test/RunStore.test.ts"],
  "src/internal/runStore/entries.ts": ["test/RunStore.test.ts"],
  "src/internal/runStore/keyValue.ts": ["test/RunStore.test.ts", "test/runStore/contract.test.ts"],
  "src/internal/runStore/sql.ts": ["test/runStore/contract.test.ts"],
  "src/internal/http/create.ts": [
    "test/internal/http/create.test.ts",
    "test/kinds/reached.test.ts",
    "test/spine/SpineRuns.test.ts",
    "test/tela/TelaExecution.test.ts"
  ],
  "src/internal/webhooks/hmac.ts": ["test/Webhooks.test.ts"],
  "src/internal/webhooks/proof.ts": [
    "test/internal/webhooks/proof.test.ts",
    "test/Webhooks.test.ts"
  ],
  "src/internal/webhooks/route.ts": ["test/Webhooks.test.ts"],
  "src/spine/SpineWebhook.ts": ["test/Webhooks.test.ts"],
  "src/tela/TelaWebhook.ts": ["test/Webhooks.test.ts"],
  "src/internal/http/api.ts": [
    "test/internal/http/api.test.ts",
    "test/internal/http/errors.test.ts",
    "test/internal/http/response.test.ts",
    "test/internal/http/clients.test.ts",
    "test/internal/http/upload.test.ts",
    "test/internal/http/redirects.test.ts",
    "test/kinds/reached.test.ts"
  ],
  "src/internal/http/errors.ts": [
    "test/internal/http/errors.test.ts",
    "test/internal/http/clients.test.ts",
    "test/internal/http/upload.test.ts",
    "test/internal/http/redirects.test.ts"
  ],
  "src/internal/http/redirects.ts": [
    "test/internal/http/redirects.test.ts",
    "test/internal/http/clients.test.ts"
  ],
  "src/internal/http/response.ts": [
    "test/internal/http/response.test.ts",
    "test/internal/http/errors.test.ts",
    "test/internal/http/clients.test.ts",
    "test/kinds/reached.test.ts"
  ],
  "src/internal/http/retry.ts": [
    "test/internal/http/retry.test.ts",
    "test/internal/http/clients.test.ts"
  ],
  "src/internal/polling/decide.ts": [
    "test/internal/polling/decide.test.ts",
    "test/internal/polling/pollLoop.test.ts"
  ],
  "src/internal/polling/pause.ts": ["test/internal/polling/pollLoop.test.ts"],
  "src/internal/polling/pollHistory.ts": ["test/internal/polling/pollLoop.test.ts"],
  "src/internal/polling/pollLoop.ts": [
    "test/internal/polling/pollLoop.test.ts",
    "test/Run.test.ts"
  ],
  "src/internal/http/transfer.ts": [
    "test/internal/http/transfer.test.ts",
    "test/Artifact.test.ts",
    "test/transfers/uploads.test.ts",
    "test/transfers/downloads.test.ts",
    "test/spine/SpineArtifacts.test.ts",
    "test/tela/TelaTransfers.test.ts"
  ]
}

/** Parts of the names of tests that are too slow to run for each mutant. Smaller tests check the same. */
export const slow: ReadonlyArray<string> = [
  "ten thousand events at once",
  "at any step, and again at any step of the next start",
  "sends all parameters as one multipart form",
  "bytes in chunks of"
]
