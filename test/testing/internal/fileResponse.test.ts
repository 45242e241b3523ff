import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Headers, HttpServerResponse } from "effect/http"
import * as fileResponse from "../../../src/testing/internal/fileResponse.ts"

const content = new TextEncoder().encode("0123456789")
const file: fileResponse.File = { name: "a.txt", contentType: "text/plain", size: 10, content, etag: "\"a\"" }
const streamed: fileResponse.File = {
  ...file,
  content: Stream.rechunk(Stream.make(content.subarray(0, 3), content.subarray(3, 4), content.subarray(4)), 1)
}

const ask = (file: fileResponse.File, headers: Record<string, string>) =>
  Effect.promise(async () => {
    const response = HttpServerResponse.toWeb(fileResponse.respond(Headers.fromInput(headers), file))
    return [response.status, response.headers.get("content-range"), await response.text()] as const
  })

describe("the download of an emulated file", () => {
  const cases: ReadonlyArray<readonly [Record<string, string>, readonly [number, string | null, string]]> = [
    [{}, [200, null, "0123456789"]],
    [{ range: "bytes=4-" }, [206, "bytes 4-9/10", "456789"]],
    [{ range: "bytes=2-4" }, [206, "bytes 2-4/10", "234"]],
    [{ range: "bytes=0-0" }, [206, "bytes 0-0/10", "0"]],
    [{ range: "bytes=-3" }, [206, "bytes 7-9/10", "789"]],
    [{ range: "bytes=-99" }, [206, "bytes 0-9/10", "0123456789"]],
    [{ range: "bytes=8-99" }, [206, "bytes 8-9/10", "89"]],
    [{ range: "bytes=10-" }, [416, "bytes */10", ""]],
    [{ range: "bytes=5-2" }, [200, null, "0123456789"]],
    [{ range: "bytes=0-1,4-5" }, [200, null, "0123456789"]],
    [{ range: "lines=1-" }, [200, null, "0123456789"]],
    [{ range: "bytes=4-", "if-range": "\"a\"" }, [206, "bytes 4-9/10", "456789"]],
    [{ range: "bytes=4-", "if-range": "\"b\"" }, [200, null, "0123456789"]]
  ]
  for (const [headers, expected] of cases) {
    it.live(`honours ranges as HTTP requires, in memory and streamed: ${JSON.stringify(headers)}`, () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* ask(file, headers), expected)
        assert.deepStrictEqual(yield* ask(streamed, headers), expected)
      }))
  }

  it("has an ETag that differs whenever the bytes differ", () => {
    const response = fileResponse.respond(Headers.empty, file)
    assert.deepStrictEqual([response.headers["etag"], response.headers["accept-ranges"]], ["\"a\"", "bytes"])
    assert.notStrictEqual(fileResponse.etagOf(content), fileResponse.etagOf(content.subarray(1)))
    assert.strictEqual(fileResponse.etagOf(content), fileResponse.etagOf(content.slice()))
  })
})
