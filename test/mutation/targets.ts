/** The files whose mutants have to be killed, and the tests that are run against each. */
export const targets: Readonly<Record<string, ReadonlyArray<string>>> = {
  "src/internal/pollLoop.ts": [
    "test/Run.test.ts",
    "test/Polling.test.ts",
    "test/many/completions.test.ts",
    "test/spine/SpineRuns.test.ts",
    "test/contract/contract.test.ts",
    "test/kinds/defects.test.ts",
    "test/internal/pollLoop.test.ts"
  ],
  "src/internal/create.ts": [
    "test/spine/SpineRuns.test.ts",
    "test/tela/TelaExecution.test.ts",
    "test/tela/TelaStream.test.ts",
    "test/kinds/reached.test.ts",
    "test/internal/create.test.ts"
  ],
  "src/internal/http.ts": [
    "test/spine/SpineClient.test.ts",
    "test/spine/SpineRuns.test.ts",
    "test/tela/TelaClient.test.ts",
    "test/tela/TelaStream.test.ts",
    "test/hostile/responses.test.ts",
    "test/kinds/reached.test.ts",
    "test/internal/http.test.ts"
  ],
  "src/internal/sse.ts": ["test/internal/sse.test.ts", "test/internal/sse.spec-table.test.ts"],
  "src/internal/transfer.ts": [
    "test/Artifact.test.ts",
    "test/spine/SpineArtifacts.test.ts",
    "test/tela/TelaTransfers.test.ts"
  ],
  "src/RunStore.ts": ["test/RunStore.test.ts", "test/kinds/reached.test.ts"],
  "src/internal/hmac.ts": [
    "test/Webhooks.test.ts",
    "test/testing/SpineWebhooks.test.ts",
    "test/webhooks/random.test.ts"
  ],
  "src/internal/webhookRoute.ts": [
    "test/Webhooks.test.ts",
    "test/webhooks/endToEnd.test.ts",
    "test/hostile/webhooks.test.ts"
  ],
  "src/spine/SpineWebhook.ts": [
    "test/Webhooks.test.ts",
    "test/testing/SpineWebhooks.test.ts",
    "test/webhooks/random.test.ts",
    "test/webhooks/endToEnd.test.ts",
    "test/hostile/webhooks.test.ts"
  ],
  "src/tela/TelaWebhook.ts": [
    "test/Webhooks.test.ts",
    "test/webhooks/random.test.ts",
    "test/webhooks/endToEnd.test.ts",
    "test/hostile/webhooks.test.ts"
  ]
}
