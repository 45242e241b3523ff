/** The modules that a call may name. */
import * as effect from "effect"
import { FetchHttpClient } from "effect/http"
import * as canvasRuns from "canvas-runs"
import * as NodeHttp from "canvas-runs/node/NodeHttp"
import * as SpineGraph from "canvas-runs/spine/SpineGraph"
import * as testing from "canvas-runs/testing"
import * as CombinedEmulatorServer from "canvas-runs/testing/CombinedEmulatorServer"
import * as EmulatorServer from "canvas-runs/testing/EmulatorServer"
import * as SpineEmulatorServer from "canvas-runs/testing/SpineEmulatorServer"
import * as TelaEmulatorServer from "canvas-runs/testing/TelaEmulatorServer"

export const modules = {
  ...effect,
  FetchHttpClient,
  ...canvasRuns,
  NodeHttp,
  SpineGraph,
  ...testing,
  CombinedEmulatorServer,
  EmulatorServer,
  SpineEmulatorServer,
  TelaEmulatorServer
}
