/**
 * Emulators of the providers, for tests and for development without an account. The servers that put an emulator on a socket are
 * separate modules, such as `canvas-runs/testing/SpineEmulatorServer`, because they need Node, Bun or Deno.
 *
 * @since 0.1.0
 */

/** The part that all emulators have in common, for an emulator of your own. */
export * as Emulator from "./Emulator.ts"

/** The requests that an emulator receives. */
export * as Exchange from "./Exchange.ts"

/** Failures between a client and a provider, such as a status, a delay or a broken connection. */
export * as Fault from "./Fault.ts"

/** Small real files of the kinds that AI canvases produce. */
export * as OfficeFiles from "./OfficeFiles.ts"

/** Peculiarities of real servers that an emulator does not have by default. */
export * as Rude from "./Rude.ts"

/** The emulator of Spine. */
export * as SpineEmulator from "./SpineEmulator.ts"

/** Scripts of Spine runs, and endpoints of webhooks. */
export * as SpineScript from "./SpineScript.ts"

/** The emulator of Tela. */
export * as TelaEmulator from "./TelaEmulator.ts"

/** Canvases of Tela, and scripts of their runs. */
export * as TelaScript from "./TelaScript.ts"

/** The course of a run: its duration, its progress and its outcome. */
export * as Timeline from "./Timeline.ts"

/** The webhooks that an emulator sends, and what goes wrong with them. */
export * as WebhookDelivery from "./WebhookDelivery.ts"
