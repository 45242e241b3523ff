/**
 * Every place that decides whether a stream or a synchronous answer of Tela has ended, has succeeded, or is complete. Without its
 * guard, "not failed" would be read as "succeeded", or a part of the output as the whole.
 */
import { assert } from "@effect/vitest"
import { Effect, Exit, Schema } from "effect"
import {
  chunk,
  done,
  event,
  finalOf,
  interruptionOf,
  type Options,
  reportOf,
  streamed,
  synchronous
} from "../support/telaAnswers.ts"
import { outcomeOf } from "../support/results.ts"
import type { Place } from "./kind.ts"

const outputs = "src/tela/internal/output.ts"
const endMark = "src/tela/internal/endMark.ts"
const fold = "src/tela/internal/streamFold.ts"
const template = "src/tela/internal/chunkTemplate.ts"
const reader = "src/tela/internal/streamReader.ts"
const answers = "src/tela/internal/syncAnswer.ts"

/** The stream fails as interrupted, after this text. */
const isInterrupted = (body: string, message: string, options?: Options) => () =>
  Effect.gen(function*() {
    const error = interruptionOf(yield* streamed(body, options))
    assert.strictEqual(error.received.message, message)
  })

/** The stream fails with this message of the provider. */
const hasFailed = (body: string, words: ReadonlyArray<string>) => () =>
  Effect.gen(function*() {
    assert.deepStrictEqual(reportOf(yield* streamed(body)).errors, words)
  })

const succeeds = (body: string, result: unknown, options?: Options) => () =>
  Effect.gen(function*() {
    assert.deepStrictEqual(finalOf(yield* streamed(body, options)).result, result)
  })

const syncFails = (answer: unknown, words: ReadonlyArray<string>) => () =>
  Effect.gen(function*() {
    assert.deepStrictEqual(reportOf({ exit: yield* synchronous(answer) }).errors, words)
  })

const syncSucceeds = (answer: unknown, result: unknown) => () =>
  Effect.gen(function*() {
    const exit = yield* synchronous(answer)
    assert.deepStrictEqual(Exit.isSuccess(exit) ? exit.value.result : exit, result)
  })

const syncUnknown = (answer: unknown) => () =>
  Effect.gen(function*() {
    assert.strictEqual(outcomeOf(yield* synchronous(answer)), "CreateOutcomeUnknownError")
  })

const part = chunk("12 of ")
const structured = (structured_content: unknown, content: string | null = null, finish_reason: string | null = null) =>
  event({ choices: [{ delta: { content }, finish_reason }], message: { structured_content } })
const choice = (index: number, content: string, finish_reason: string | null = null) =>
  event({ choices: [{ index, delta: { content }, finish_reason }] })
const of = (id: string | null, content: string, finish_reason: string | null = null) =>
  event({ id, choices: [{ index: 0, delta: { content }, finish_reason }] })
const wholeOf = (id: string, structured_content: unknown) =>
  event({ id, choices: [{ delta: {} }], message: { structured_content } })
const sync = (content: unknown, more?: object) => ({ id: "crsv-7", choices: [{ message: { content }, ...more }] })
const workflow = (status: string) => ({ id: "wf-7", status, steps: [{ output: { total: 7 } }] })

export const places: ReadonlyArray<Place> = [
  {
    name: "reasonOf: an unknown reason does not end the stream",
    mutant: { file: endMark, find: "? \"failure\" : \"other\"", replace: "? \"failure\" : \"end\"" },
    inputs: {
      "\"model_length\" at the end of the file": isInterrupted(part + chunk("9", "model_length"), "12 of 9"),
      "\"toString\" at the end of the file": isInterrupted(part + chunk("9", "toString"), "12 of 9")
    }
  },
  {
    name: "reasonOf: an empty reason does not end the stream",
    mutant: { file: endMark, find: "word === \"\" ? \"none\"", replace: "word === \"\" ? \"end\"" },
    inputs: {
      "a tab in every chunk": isInterrupted(chunk("12 of ", "\t") + chunk("9", "\t"), "12 of 9"),
      "\"\" in the first chunk only": isInterrupted(chunk("12 of ", "") + chunk("9"), "12 of 9")
    }
  },
  {
    name: "outcomeOf: a reason of failure is not a success",
    mutant: { file: endMark, find: "said === \"failure\" ? \"failure\" :", replace: "" },
    inputs: {
      "a synchronous answer that was cancelled": syncFails(sync("12", { finish_reason: "Cancelled" }), []),
      "a synchronous answer with an error in capitals": syncFails(sync({ a: 1 }, { finish_reason: "ERROR" }), [])
    }
  },
  {
    name: "outcomeOf: the end of the body alone is not a success",
    mutant: { file: endMark, find: "? \"success\" : \"open\"", replace: "? \"success\" : \"success\"" },
    inputs: {
      "one chunk": isInterrupted(part, "12 of "),
      "a chunk and a comment": isInterrupted(`${part}: bye\n\n`, "12 of ")
    }
  },
  {
    name: "errorIn: an empty object is an error without a message",
    mutant: {
      file: endMark,
      find: "value !== false && value !== 0",
      replace: "value !== false && !isEmptyObject(value)"
    },
    inputs: {
      "after text": hasFailed(part + event({ error: {} }) + done, []),
      "in a list of errors": hasFailed(part + event({ errors: [{}, {}] }) + done, [])
    }
  },
  {
    name: "errorIn: a list of errors is an error",
    mutant: { file: endMark, find: "isError(errors) && !isEmptyObject(errors)", replace: "false" },
    inputs: {
      "of texts": hasFailed(part + event({ errors: ["a", "b"] }) + done, ["a", "b"]),
      "as an object": hasFailed(part + event({ errors: { message: "quota" }, choices: [] }) + done, ["quota"])
    }
  },
  {
    name: "errorIn: an object whose object or type is error is an error",
    mutant: { file: endMark, find: "object === \"error\" || type === \"error\" ||", replace: "" },
    inputs: {
      "by object, beside choices": hasFailed(part + event({ object: "error", message: "no", choices: [] }) + done, [
        "no"
      ]),
      "by type": hasFailed(part + event({ type: "error", detail: "evicted" }) + done, ["evicted"])
    }
  },
  {
    name: "errorIn: a status of 400 or more is an error",
    mutant: { file: endMark, find: "[statusCode, code].some(isErrorStatus)", replace: "false" },
    inputs: {
      "a code": hasFailed(part + event({ code: 500, detail: "x" }) + done, ["x"]),
      "a statusCode in digits": hasFailed(part + event({ statusCode: "429", reason: "slow down" }) + done, [
        "slow down"
      ])
    }
  },
  {
    name: "errorIn: a status of failure is an error, also beside choices",
    mutant: {
      file: endMark,
      find: "reasonOf(status) === \"failure\" || isErrorStatus(status)",
      replace: "!Array.isArray(choices) && (reasonOf(status) === \"failure\" || isErrorStatus(status))"
    },
    inputs: {
      "in a chunk with an end": hasFailed(
        part + event({ status: "Cancelled", choices: [{ delta: { content: "9" }, finish_reason: "stop" }] }) + done,
        ["Cancelled"]
      ),
      "in a synchronous answer": syncFails({ ...sync("12"), status: 503, detail: "no capacity" }, ["no capacity"])
    }
  },
  {
    name: "errorIn: success false is a failure, beside choices too",
    mutant: { file: endMark, find: "success === false", replace: "success === 0" },
    inputs: {
      "in a chunk": hasFailed(part + event({ success: false, message: "quota" }) + done, ["quota"]),
      "in a chunk with an end": hasFailed(
        event({ success: false, choices: [{ delta: { content: "9" }, finish_reason: "stop" }] }) + done,
        []
      ),
      "in a synchronous answer": syncFails({ ...sync("12"), success: false, detail: "no credits" }, ["no credits"]),
      "in a synchronous workflow": syncFails({ ...workflow("completed"), success: false }, [])
    },
    control: succeeds(event({ success: true, choices: [{ delta: { content: "12" }, finish_reason: "stop" }] }), "12")
  },
  {
    name: "isCommonChunk: a chunk with the field success takes the full path",
    mutant: { file: fold, find: " &&\n    success === undefined", replace: "" },
    inputs: {
      "false": hasFailed(event({ success: false, choices: [{ delta: { content: "9" } }] }) + done, []),
      "false, with an end": hasFailed(
        part + event({ success: false, message: null, choices: [{ delta: { content: "" }, finish_reason: "stop" }] }),
        []
      )
    }
  },
  {
    name: "isCommonChunk: a chunk with a status takes the full path",
    mutant: { file: fold, find: " && status === undefined", replace: "" },
    inputs: {
      "failed": hasFailed(event({ status: "failed", choices: [{ delta: { content: "9" } }] }) + done, ["failed"]),
      "a number": hasFailed(
        part + event({ status: 500, message: null, choices: [{ delta: { content: "" }, finish_reason: "stop" }] }),
        ["500"]
      )
    }
  },
  {
    name: "take: the reason counts under both of its names",
    mutant: { file: fold, find: "choice?.finish_reason ?? choice?.finishReason", replace: "choice?.finish_reason" },
    inputs: {
      "finishReason failed": hasFailed(part + chunk("9", undefined, { finishReason: "Failed" }) + done, []),
      "finishReason length, without [DONE]": succeeds(part + chunk("9", null, { finishReason: "length" }), "12 of 9")
    }
  },
  {
    name: "take: text in the delta under the name text is output",
    mutant: { file: fold, find: "textIn(choice?.delta) || ", replace: "" },
    inputs: {
      "beside a content of null": succeeds(
        part + event({ choices: [{ delta: { content: null, text: "9" } }] }) + chunk("", "stop"),
        "12 of 9"
      ),
      "in every chunk": succeeds(
        ["1", "2"].map((text) => event({ choices: [{ delta: { role: "assistant", text } }] })).join("") + done,
        "12"
      )
    }
  },
  {
    name: "take: text in the choice under the name text is output",
    mutant: { file: fold, find: " || textIn(choice)\n", replace: "\n" },
    inputs: {
      "after a delta": succeeds(part + event({ choices: [{ text: "9", finish_reason: "length" }] }), "12 of 9"),
      "beside a delta of null": succeeds(
        event({ choices: [{ delta: null, text: "12" }] }) + chunk("", "stop") + done,
        "12"
      )
    }
  },
  {
    name: "isCommonChunk: a chunk with errors takes the full path",
    mutant: { file: fold, find: "errors === undefined && ", replace: "" },
    inputs: {
      "beside text": hasFailed(event({ choices: [{ delta: { content: "9" } }], errors: ["x"] }) + done, ["x"]),
      "beside an end": hasFailed(
        part + event({ choices: [{ delta: { content: "" }, finish_reason: "stop" }], errors: [{ message: "y" }] }) +
          done,
        ["y"]
      )
    }
  },
  {
    name: "isCommonChunk: a chunk whose object or type is error takes the full path",
    mutant: { file: fold, find: "object !== \"error\" && type === undefined", replace: "true" },
    inputs: {
      "by its object": hasFailed(
        event({ object: "error", choices: [{ delta: { content: "9" }, finish_reason: "stop" }], message: null }) + done,
        []
      ),
      "by its type": hasFailed(
        part + event({ type: "error", choices: [{ delta: { content: "" }, finish_reason: "stop" }], code: "E1" }) +
          done,
        ["error"]
      )
    }
  },
  {
    name: "take: a reason that is a failure ends the stream as failed",
    mutant: { file: fold, find: "words !== undefined || reason === \"failure\"", replace: "words !== undefined" },
    inputs: {
      "failed, with [DONE]": hasFailed(part + chunk("9", "failed") + done, []),
      "cancelled, and then stop": hasFailed(part + chunk("", "cancelled") + chunk("", "stop"), [])
    }
  },
  {
    name: "take: an error of the choice ends the stream as failed",
    mutant: {
      file: fold,
      find: "choice?.error == null ? undefined : errorIn({ error: choice.error })",
      replace: "undefined as ReadonlyArray<string> | undefined"
    },
    inputs: {
      "text": hasFailed(part + chunk("", "stop", { error: "evicted" }) + done, ["evicted"]),
      "a list": hasFailed(part + chunk("9", null, { error: [{ message: "a" }, "b"] }) + done, ["a", "b"])
    }
  },
  {
    name: "take: a choice with another index is not part of the answer",
    mutant: { file: fold, find: "chunk.choices?.find(isAnswer)", replace: "chunk.choices?.[0]" },
    inputs: {
      "its end": isInterrupted(choice(0, "12") + choice(1, "13", "stop"), "12"),
      "its text, when it comes first": succeeds(choice(2, "13") + choice(0, "12") + choice(0, "", "stop"), "12"),
      "its failure": succeeds(choice(0, "12", "stop") + choice(3, "", "error") + done, "12"),
      "without another choice": isInterrupted(choice(1, "12", "stop"), "")
    },
    control: succeeds(choice(0, "12") + chunk("", "stop", { index: null }) + done, "12")
  },
  {
    name: "ownerOf: a chunk of another completion adds no text and ends nothing",
    mutant: {
      file: fold,
      find: "if (owner !== \"this\") return owner",
      replace: "if (owner === undefined) return owner"
    },
    inputs: {
      "its end": isInterrupted(of("x", "12") + of("y", "13", "stop"), "12"),
      "its text, beside the end of the right one": succeeds(
        of("x", "1") + of("y", "Z") + of("x", "2", "stop") + of("y", "Y", "stop") + done,
        "12"
      ),
      "its failure": succeeds(of("x", "1") + of("x", "2", "stop") + of("y", "", "failed") + done, "12"),
      "its text before [DONE]": isInterrupted(of("x", "1") + of("x", "2") + of("y", "3") + done, "12"),
      "its text, when two chunks of it come": isInterrupted(of("x", "12") + of("y", "3") + of("y", "", "stop"), "12"),
      "its structured output": isInterrupted(of("x", "12") + wholeOf("y", { n: 1 }) + done, "12")
    },
    control: succeeds(of("x", "1") + of("", "2") + of(null, "3") + of("x", "", "stop"), "123")
  },
  {
    name: "ownerOf: a chunk without an id is part of the completion, and means that ids name completions",
    mutant: { file: fold, find: "id != null && id !== \"\" && id !== completionId", replace: "id !== completionId" },
    inputs: {
      "null after an id": succeeds(of("x", "1") + of(null, "2") + of(null, "3", "stop"), "123"),
      "an empty one after an id": succeeds(of("x", "1") + of("", "2", "stop"), "12"),
      "before two others": isInterrupted(of("x", "1") + of(null, "2") + of("y", "3") + of("z", "4", "stop"), "12")
    }
  },
  {
    name: "ownerOf: three different first ids name chunks",
    mutant: {
      file: fold,
      find: "    if (held !== undefined) {\n      said.idsName",
      replace: "    if (held?.id === \"\") {\n      said.idsName"
    },
    inputs: {
      "the chunk that was held back is read, and in order": succeeds(
        of("a", "1") + of("b", "2") + of("c", "3") + of("d", "4", "stop") + done,
        "1234"
      ),
      "its end counts": succeeds(of("a", "1") + of("b", "2", "stop") + of("c", ""), "12"),
      "its failure counts": hasFailed(of("a", "1") + of("b", "2", "error") + of("c", "3") + done, []),
      "an id may come again then": succeeds(of("a", "1") + of("b", "2") + of("c", "3") + of("a", "4", "stop"), "1234")
    }
  },
  {
    name: "ownerOf: two different ids may be two completions, so [DONE] is not a success",
    mutant: { file: fold, find: "    said.held = { id, raw, text }\n", replace: "    return \"this\"\n" },
    inputs: {
      "an end in the second": isInterrupted(of("x", "12") + of("y", "3", "stop") + done, "12"),
      "text in the second": isInterrupted(of("x", "12") + of("y", "3") + ": alive\n\n" + done, "12")
    }
  },
  {
    name: "take: an empty structured output at the end means that the output cannot be parsed",
    mutant: { file: fold, find: "    said.isStructuredStale = true\n", replace: "" },
    inputs: {
      "null with stop, after an object": succeeds(
        structured({ n: 1 }, "{\"n\":1") + structured(null, "", "stop"),
        "{\"n\":1"
      ),
      "{} with length, after a list": succeeds(structured([1], "[1") + structured({}, "", "length"), "[1"),
      "null before [DONE], without text": isInterrupted(structured({ n: 1 }) + structured(null) + done, "")
    }
  },
  {
    name: "take: a reason that ended the stream is kept",
    mutant: {
      file: fold,
      find: "reason === \"end\" || finishReason !== undefined && reasonOf(said.finishReason) !== \"end\"",
      replace: "true"
    },
    inputs: {
      "when the next chunk has none": succeeds(chunk("12", "length") + chunk(""), "12"),
      "when the next chunk has another": succeeds(chunk("12", "stop") + chunk("", "billing"), "12")
    }
  },
  {
    name: "take: an empty message does not replace the text so far",
    mutant: { file: fold, find: "whole?.content || said.message", replace: "whole?.content ?? said.message" },
    inputs: {
      "in the last chunk": succeeds(
        part + event({ choices: [{ delta: {}, finish_reason: "stop" }], message: { content: "" } }),
        "12 of "
      ),
      "in every chunk": succeeds(
        [1, 2].map((n) => event({ choices: [{ delta: { content: `${n}` } }], message: { content: "" } })).join("") +
          done,
        "12"
      )
    }
  },
  {
    name: "take: an empty structured output before the end is ignored",
    mutant: {
      file: fold,
      find: "isStructured(whole?.structured_content)",
      replace: "whole?.structured_content != null"
    },
    inputs: {
      "an object before it": succeeds(structured({ n: [1] }) + structured({}, "12", "stop") + done, "12"),
      "a list before it, and text beside both": succeeds(structured(["a"], "a") + structured([], "", "length"), "a"),
      "only [DONE] after it": isInterrupted(structured({}) + done, ""),
      "text beside it": succeeds(structured({}, "12", "stop"), "12"),
      "text beside an empty list": succeeds(structured([], "12", "stop"), "12"),
      "text beside an empty text": succeeds(structured("", "12", "stop"), "12")
    }
  },
  {
    name: "take: the whole answer in one chunk is output",
    mutant: {
      file: fold,
      find: "(choice?.message == null ? undefined : wholeOf(choice.message.content))",
      replace: "undefined"
    },
    inputs: {
      "text": succeeds(event({ choices: [{ message: { content: "12" }, finish_reason: "stop" }] }), "12"),
      "an object": succeeds(event({ choices: [{ message: { content: { n: [1] } } }] }) + done, { n: [1] })
    }
  },
  {
    name: "take: a chunk without choices and message is recorded as not understood",
    mutant: {
      file: fold,
      find: "isKnown ? undefined : { raw, text, why: \"has an unknown form\" }",
      replace: "undefined"
    },
    inputs: {
      "before [DONE]": isInterrupted(part + event({ title: "Service Unavailable" }) + done, "12 of "),
      "after a reason that is not known": isInterrupted(
        part + chunk("", "eos") + event({ aborted: true }) + done,
        "12 of "
      )
    }
  },
  {
    name: "take: a choice without delta and message may hold the output",
    mutant: { file: fold, find: "whole == null && choice?.delta == null", replace: "false" },
    inputs: {
      "under another name": isInterrupted(event({ choices: [{ output: "12" }] }) + chunk("", "stop") + done, ""),
      "in the last chunk": isInterrupted(event({ choices: [{ completion: "12", finish_reason: "stop" }] }), "")
    }
  },
  {
    name: "keep: text that is too long to be kept still counts",
    mutant: {
      file: fold,
      find: "said.unreadLength += length\n",
      replace: "if (said.unreadLength + length <= maxUnread) said.unreadLength += length\n"
    },
    inputs: {
      "one long event": isInterrupted(event("z".repeat(70_000), "text") + chunk("", "stop"), ""),
      "one long chunk": isInterrupted(event({ output: "z".repeat(70_000) }) + chunk("", "stop") + done, "")
    }
  },
  {
    name: "isSuccess: [DONE] after an unknown chunk is not a success",
    mutant: { file: fold, find: "said.unknown === undefined && hasOutput(said)", replace: "hasOutput(said)" },
    inputs: {
      "a text": isInterrupted(part + event({ info: "shutting down" }) + done, "12 of "),
      "an empty object": isInterrupted(part + event({}) + done, "12 of ")
    }
  },
  {
    name: "isSuccess: [DONE] without output is not a success",
    mutant: {
      file: fold,
      find: "said.unknown === undefined && hasOutput(said)",
      replace: "said.unknown === undefined"
    },
    inputs: {
      "after a role": isInterrupted(event({ choices: [{ delta: { role: "assistant" } }] }) + done, ""),
      "after comments": isInterrupted(`: a\n\n: b\n\n${done}`, "")
    }
  },
  {
    name: "isSuccess: a stop without output is not a success beside events that may have it",
    mutant: { file: fold, find: "(hasOutput(said) || said.unreadLength === 0 ||", replace: "(true ||" },
    inputs: {
      "JSON": isInterrupted(event({ t: "12" }, "token") + chunk("", "stop"), ""),
      "text": isInterrupted(event("12", "token") + chunk(null, "STOP") + done, "")
    }
  },
  {
    name: "outputOf: text that grew after the structured output is newer",
    mutant: { file: fold, find: "said.message.length === said.structuredAt", replace: "true" },
    inputs: {
      "by a chunk": succeeds(structured({ n: 1 }, "{\"n\":1") + chunk("2}", "stop"), { n: 12 }),
      "by two chunks": succeeds(structured({ a: [] }, "{\"a\":[") + chunk("1,2") + chunk("]}") + done, { a: [1, 2] })
    }
  },
  {
    name: "step: a keep-alive does not end the stream",
    mutant: {
      file: fold,
      find: "said.skipped++\n  if (!isKeepAlive",
      replace: "said.skipped++\n  if (isKeepAlive(text)) return done\n  if (!isKeepAlive"
    },
    inputs: {
      "\"false\" after the text": isInterrupted(part + event("false"), "12 of "),
      "a time between the texts": succeeds(part + event("1764100000.5") + chunk("9", "stop"), "12 of 9")
    }
  },
  {
    name: "step: a text other than a keep-alive before [DONE] is not a success",
    mutant: { file: fold, find: "if (!isKeepAlive(text))", replace: "if (said.chunks < 0)" },
    inputs: {
      "a gateway's words": isInterrupted(`${part}${event("upstream connect error")}${done}`, "12 of "),
      "in quotes, after a reason that is not known": isInterrupted(
        `${part}${chunk("", "eos")}${event("\"Service Unavailable\"")}${done}`,
        "12 of "
      ),
      "before a stop without output": isInterrupted(event("Unauthorized") + chunk("", "stop"), "")
    }
  },
  {
    name: "read: a text with quotation marks is parsed, because other members may follow it",
    mutant: { file: template, find: "  if (escaped.test(content)) return undefined\n", replace: "" },
    inputs: {
      "an error": hasFailed(
        part + chunk("9").replace("}]}", "}],\"error\":\"evicted\",\"more\":[{\"a\":{\"b\":\"\"}}]}") + done,
        ["evicted"]
      ),
      "a finish_reason": hasFailed(
        part + chunk("9", "error").replace("}]}", ",\"more\":{\"a\":\"\"}}]}") + done,
        []
      )
    }
  },
  {
    name: "make: the text that is replaced is that of the delta",
    mutant: { file: template, find: "choice?.delta?.content === probe", replace: "choice?.delta != null" },
    inputs: {
      "a member of the same name": succeeds(
        ["1", "2"].map((content) => event({ content, choices: [{ delta: { content: "7" } }] })).join("") + done,
        "77"
      ),
      "the same member twice": succeeds(
        ["1", "2"].map((content) => event(`{"choices":[{"delta":{"content":"${content}","content":"7"}}]}`)).join("") +
          done,
        "77"
      )
    }
  },
  {
    name: "readChunk: the lines of an event may be chunks each",
    mutant: { file: fold, find: "if (lines !== undefined) return { _tag: \"lines\", lines }", replace: "" },
    inputs: {
      "two texts": succeeds(`${part.trimEnd()}\n${chunk("9")}${done}`, "12 of 9"),
      "a text and the end mark": succeeds(`${part.trimEnd()}\n${done}`, "12 of "),
      "an error in the second": hasFailed(`${part.trimEnd()}\n${event({ error: "evicted" })}${done}`, ["evicted"])
    }
  },
  {
    name: "step: the lines of an event are chunks under any name, if one has choices",
    mutant: { file: fold, find: "linesOf(text)?.map(parseJson) ?? []", replace: "[]" },
    inputs: {
      "two texts": succeeds(`event: token\n${part.trimEnd()}\n${chunk("9")}${done}`, "12 of 9"),
      "usage and a failure": hasFailed(
        `event: t\n${event({ usage: 1 }).trimEnd()}\n${chunk("", "error")}${done}`,
        []
      )
    }
  },
  {
    name: "SSE dispatch: an event with the name of a failure needs no data",
    mutant: {
      file: reader,
      find: "isWhole: (event) => reasonOf(event) === \"failure\"",
      replace: "isWhole: () => false"
    },
    inputs: {
      "in capitals, before [DONE]": hasFailed(`${part}event: FAILED\n\n${done}`, []),
      "after a stop, with an id": hasFailed(`${chunk("12", "stop")}id: 7\nevent:error\n\n${done}`, [])
    }
  },
  {
    name: "step: an event with the name of a failure is a failure",
    mutant: { file: fold, find: "isNamed && reasonOf(event) === \"failure\"", replace: "false" },
    inputs: {
      "cancelled": hasFailed(`${part}event: cancelled\ndata: {"message":"by an operator"}\n\n${done}`, [
        "by an operator"
      ]),
      "Error, without words": hasFailed(`${part}event: Error\ndata:\n\n${done}`, [])
    }
  },
  {
    name: "step: chunks are read under any name",
    mutant: { file: fold, find: "?? [] : [raw]).some(hasChoices)", replace: "?? [] : []).some(hasChoices)" },
    inputs: {
      "their text": succeeds(event({ choices: [{ delta: { content: "12" } }] }, "token") + done, "12"),
      "their failure": hasFailed(part + event({ choices: [{ finish_reason: "error" }] }, "end") + done, [])
    }
  },
  {
    name: "step: a name that chunks had marks later events as chunks",
    mutant: { file: fold, find: "isNamed && event !== said.chunkName", replace: "isNamed && !hasChoices(raw)" },
    inputs: {
      "an error": hasFailed(
        event({ choices: [{ delta: { content: "12" } }] }, "token") + event({ error: "x" }, "token") + done,
        ["x"]
      ),
      "an object that is not understood": isInterrupted(
        event({ choices: [{ delta: { content: "12" } }] }, "token") + event({ bye: 1 }, "token") + done,
        "12"
      )
    }
  },
  {
    name: "readChunk: a truncated chunk does not end the stream",
    mutant: { file: fold, find: "return said.isCutOff ? skipped :", replace: "return said.isCutOff ? done :" },
    inputs: {
      "in a reason": isInterrupted(`${part}data: {"choices":[{"finish_reason":"st`, "12 of "),
      "in JSON lines": isInterrupted("{\"choices\":[{\"delta\":{\"content\":\"12\"}}]}\n{\"cho", "12")
    }
  },
  {
    name: "isDoneMark: [DONE] counts at the beginning of the data only",
    mutant: { file: "src/tela/internal/sse.ts", find: "/^\\s*\\[done\\]/i", replace: "/\\[done\\]/i" },
    inputs: {
      "at the end of a text": isInterrupted(part + event("wait for [DONE]"), "12 of "),
      "in an event with a name": isInterrupted(part + event("not [done] yet", "log"), "12 of ")
    }
  },
  {
    name: "SSE line: a field named error is an error",
    mutant: { file: "src/tela/internal/sse.ts", find: "text.startsWith(\"error:\")", replace: "false" },
    inputs: {
      "text": hasFailed(`${part}error: KV cache is full\n\n${done}`, ["KV cache is full"]),
      "JSON without a space": hasFailed(`${part}error:{"message":"slot lost"}\n\n${chunk("", "stop")}`, ["slot lost"])
    }
  },
  {
    name: "finish: the end of the body does not count as [DONE]",
    mutant: { file: reader, find: "conclude(reader, false)", replace: "conclude(reader, true)" },
    inputs: {
      "after text": isInterrupted(chunk("12"), "12"),
      "after structured output": isInterrupted(structured({ n: 1 }), "")
    }
  },
  {
    name: "breakOff: a connection that breaks before the end is not a success",
    mutant: {
      file: reader,
      find: "if (Fold.isSuccess(reader.said, false)) return finish(reader)\n  failWith(",
      replace: "if (Fold.isSuccess(reader.said, true)) conclude(reader, true)\n  failWith("
    },
    inputs: {
      "after text": isInterrupted(chunk("12"), "12", { end: "break" }),
      "after a reason that is not known": isInterrupted(chunk("12", "eos"), "12", { end: "break" })
    }
  },
  {
    name: "watchdog: silence before the end is not a success",
    mutant: {
      file: reader,
      find: "if (Fold.isSuccess(reader.said, false)) return finish(reader)\n  failWith(",
      replace: "if (Fold.isSuccess(reader.said, true)) conclude(reader, true)\n  failWith("
    },
    inputs: {
      "after the idle timeout": isInterrupted(chunk("12"), "12", { end: "open", params: { idleTimeout: "20ms" } }),
      "after the timeout of the whole stream": isInterrupted(chunk("12"), "12", {
        end: "open",
        params: { timeout: "1s" }
      })
    }
  },
  {
    name: "conclude: an event that looks like a whole answer does not end a stream of events",
    mutant: { file: reader, find: " && !isDone && isJson(opened.response)", replace: "" },
    inputs: {
      "a completion": isInterrupted(event(sync("12")), "12"),
      "a run": isInterrupted(event({ id: "r", status: "succeeded", output_content: { content: "12" } }), ""),
      "a run, and [DONE]": isInterrupted(
        event({ id: "r", status: "succeeded", output_content: { content: "12" } }) + done,
        ""
      )
    },
    control: succeeds(JSON.stringify(sync("12")), "12", { headers: { "content-type": "application/json" } })
  },
  {
    name: "whole: a document of JSON without a success does not end the stream",
    mutant: {
      file: reader,
      find: "Option.isSome(answer) && Result.isSuccess(answer.value.outcome)",
      replace: "Option.isNone(answer) || Result.isSuccess(answer.value.outcome)"
    },
    inputs: {
      "a run that runs": isInterrupted(JSON.stringify({ id: "r", status: "running", output_content: null }), "", {
        headers: { "content-type": "application/json" }
      }),
      "a workflow that is paused": isInterrupted(JSON.stringify(workflow("paused")), "", {
        headers: { "content-type": "application/problem+json" }
      })
    }
  },
  {
    name: "validateText: text that is not JSON is not validated as another value",
    mutant: {
      file: outputs,
      find: "onNone: () => Effect.fail(issue)",
      replace: "onNone: () => validate({})"
    },
    inputs: Object.fromEntries(
      ["sorry, I cannot", "{\"a\":"].map((text) => [
        text,
        () =>
          Effect.gen(function*() {
            const output = Schema.Struct({ a: Schema.optionalKey(Schema.Finite) })
            const { exit } = yield* streamed(chunk(text, "stop") + done, { output })
            assert.strictEqual(outcomeOf(exit), "InvalidOutputError")
          })
      ])
    )
  },
  {
    name: "decodeSync: an answer that reports an error failed",
    mutant: {
      file: answers,
      find: "if (errors !== undefined) return Effect.succeed(failed(body, errors))",
      replace: ""
    },
    inputs: {
      "beside choices": syncFails({ ...sync("12"), error: { message: "evicted" } }, ["evicted"]),
      "in a list, beside choices": syncFails({ ...sync("12"), errors: ["a"] }, ["a"]),
      "in a workflow that calls itself completed": syncFails({ ...workflow("completed"), error: "step 2" }, ["step 2"])
    }
  },
  {
    name: "decodeSync: an error of the choice is a failure",
    mutant: {
      file: answers,
      find: "errorIn({ error: choice.error })",
      replace: "undefined as ReadonlyArray<string> | undefined"
    },
    inputs: {
      "text": syncFails(sync("12", { error: "evicted" }), ["evicted"]),
      "beside a stop": syncFails(sync("12", { finish_reason: "stop", error: { code: 502 } }), ["502"])
    }
  },
  {
    name: "decodeSync: the first choice by its index is the answer",
    mutant: { file: answers, find: "choices.find(isAnswer) ?? choices[0]", replace: "choices[0]" },
    inputs: {
      "when it is not first": syncSucceeds({
        id: "c",
        choices: [{ index: 1, message: { content: "b" } }, { index: 0, message: { content: "a" } }]
      }, "a"),
      "when the other failed": syncSucceeds({
        id: "c",
        choices: [{ index: 1, message: { content: "" }, finish_reason: "error" }, {
          index: 0,
          message: { content: "a" }
        }]
      }, "a")
    }
  },
  {
    name: "decodeSync: a workflow succeeded only when it is completed",
    mutant: {
      file: answers,
      find: "decodeStatus(isWorkflow(body) ? \"completed\" : \"succeeded\")(body),",
      replace: "Effect.void,"
    },
    inputs: {
      "paused": syncUnknown(workflow("paused")),
      "completed in another word": syncUnknown(workflow("succeeded"))
    }
  }
]
