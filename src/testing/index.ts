/**
 * The provider's side of the wire, for tests and for development without an account.
 *
 * @since 0.1.0
 */

/** What every emulator has in common. */
export * as Emulator from "./Emulator.ts"

/** A request that an emulator received. */
export * as Exchange from "./Exchange.ts"

/** What goes wrong between a client and a provider. */
export * as Fault from "./Fault.ts"

/** Small real files of the kinds that AI canvases produce. */
export * as OfficeFiles from "./OfficeFiles.ts"

/** What real servers do that a polite one would not. */
export * as Rude from "./Rude.ts"

/** Spine's side of the responses. */
export * as SpineEmulator from "./SpineEmulator.ts"

/** What emulated Spine runs do, and who is told of them. */
export * as SpineScript from "./SpineScript.ts"

/** Tela's side of the responses. */
export * as TelaEmulator from "./TelaEmulator.ts"

/** What emulated canvases are, and what their runs do. */
export * as TelaScript from "./TelaScript.ts"

/** A script of what a run will do. */
export * as Timeline from "./Timeline.ts"

/** What an emulator calls by itself, and what goes wrong with it on the way. */
export * as WebhookDelivery from "./WebhookDelivery.ts"
