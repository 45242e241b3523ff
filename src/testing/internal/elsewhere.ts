/**
 * Replaces the emulators' servers where the `exports` of the package find no Node. It exports the names of all of them, so that
 * an import of one shows the message.
 */
const elsewhere = (): never => {
  throw new Error(
    "The emulators' servers need the sockets of Node, Bun or Deno. Here, use an emulator without a socket: layerTest or " +
      "toWebHandler of SpineEmulator and TelaEmulator, from canvas-runs/testing; or call a server that runs elsewhere, " +
      "with its option cors where this is a page."
  )
}

export const CombinedEmulatorServer: never = elsewhere()
export const SpineEmulatorServer: never = CombinedEmulatorServer
export const TelaEmulatorServer: never = CombinedEmulatorServer
export const layer: never = CombinedEmulatorServer
export const listen: never = CombinedEmulatorServer
