import type * as Duration from "effect/Duration"

/** How often a wait polls while webhooks are expected. Here, so that a client without a hub does not carry one. */
export const whileWebhooksAreExpected: Duration.Input = "1 minute"
