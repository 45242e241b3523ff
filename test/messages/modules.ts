/** The modules that a call may name. */
import * as effect from "effect"
import { FetchHttpClient } from "effect/http"
import { WorkflowEngine } from "effect/workflow"
import * as canvasRuns from "canvas-runs"
import * as ai from "canvas-runs/ai"
import * as NodeHttp from "canvas-runs/node/NodeHttp"
import * as NodeSqlite from "canvas-runs/node/NodeSqlite"
import * as picture from "canvas-runs/picture"
import * as SpineGraph from "canvas-runs/spine/SpineGraph"
import * as testing from "canvas-runs/testing"
import * as CombinedEmulatorServer from "canvas-runs/testing/CombinedEmulatorServer"
import * as EmulatorServer from "canvas-runs/testing/EmulatorServer"
import * as SpineEmulatorServer from "canvas-runs/testing/SpineEmulatorServer"
import * as TelaEmulatorServer from "canvas-runs/testing/TelaEmulatorServer"
import * as workflow from "canvas-runs/workflow"

export const modules = {
  ...effect,
  FetchHttpClient,
  WorkflowEngine,
  ...canvasRuns,
  NodeHttp,
  NodeSqlite,
  SpineGraph,
  ...picture,
  ...ai,
  ...workflow,
  ...testing,
  CombinedEmulatorServer,
  EmulatorServer,
  SpineEmulatorServer,
  TelaEmulatorServer
}
