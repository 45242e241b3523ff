import { describe, expectTypeOf, it } from "@effect/vitest"
import { type Context, Effect, Schema, type Stream } from "effect"
import { z } from "zod"
import type { RunError, Tela } from "canvas-runs"

interface Letter {
  readonly topic: string
}

interface Invoice {
  readonly total: number
}

type Sync<A> = Effect.Effect<Tela.SyncExecution<A>, Tela.SyncError>
type Any<A> = Effect.Effect<Tela.Execution<A>, Tela.SyncError>
type Async<A> = Effect.Effect<Tela.AsyncExecution<A>, Tela.ExecuteError>

declare class Store {
  readonly Service: Context.Service.Shape<never>
}

/** Only compiled, not run: the types are the test. */
const compiled = (_use: (canvas: Tela.Canvas<Letter, Invoice>, tela: Tela.Service) => void): void => {}

describe("types of Tela executions", () => {
  it("F1: the result is unknown unless skipResultValidation is certainly false", () =>
    compiled((canvas, tela) => {
      const letter: Letter = { topic: "the sea" }
      const flag = {} as boolean
      const sync = {} as Tela.SyncParams
      const asynchronous = {} as Tela.AsyncParams
      expectTypeOf(canvas.execute(letter)).toEqualTypeOf<Sync<Invoice>>()
      expectTypeOf(canvas.execute(letter, {})).toEqualTypeOf<Sync<Invoice>>()
      expectTypeOf(canvas.execute(letter, { skipResultValidation: false })).toEqualTypeOf<Sync<Invoice>>()
      expectTypeOf(canvas.execute(letter, { skipResultValidation: true })).toEqualTypeOf<Sync<unknown>>()
      expectTypeOf(canvas.execute(letter, { skipResultValidation: flag })).toEqualTypeOf<Sync<unknown>>()
      expectTypeOf(canvas.execute(letter, sync)).toEqualTypeOf<Sync<unknown>>()
      expectTypeOf(canvas.execute(letter, {} as Tela.SyncParams<false>)).toEqualTypeOf<Sync<Invoice>>()
      expectTypeOf(canvas.execute(letter, asynchronous)).toEqualTypeOf<Async<unknown>>()
      expectTypeOf(canvas.execute(letter, { async: true, skipResultValidation: flag })).toEqualTypeOf<Async<unknown>>()
      expectTypeOf(canvas.stream(letter, { skipResultValidation: flag })).toEqualTypeOf<
        Stream.Stream<Tela.StreamPart<unknown>, Tela.StreamError>
      >()
      expectTypeOf(canvas.stream(letter)).toEqualTypeOf<Stream.Stream<Tela.StreamPart<Invoice>, Tela.StreamError>>()
      expectTypeOf(canvas.run(letter, { skipResultValidation: flag })).toEqualTypeOf<
        Effect.Effect<unknown, Tela.CanvasRunError>
      >()
      expectTypeOf(canvas.getExecution("id", { skipResultValidation: flag })).toEqualTypeOf<
        Effect.Effect<Tela.AsyncExecution<unknown>, RunError.RequestError>
      >()
      expectTypeOf(tela.getExecution("id", { output: Schema.String, skipResultValidation: flag })).toEqualTypeOf<
        Effect.Effect<Tela.AsyncExecution<unknown>, RunError.RequestError>
      >()
    }))

  it("F2: optional parameters, interfaces as variables, and a mode that is known only at run time compile", () =>
    compiled((canvas, tela) => {
      const letter: Letter = { topic: "the sea" }
      const untyped = tela.canvas.make({ id: "x" })
      void untyped.execute(letter)
      void tela.canvas.make({ applicationId: "x" }).execute(letter)
      void tela.tasks.create("x", [{ name: "one", variables: letter }])

      const passOn = (
        sync?: Tela.SyncParams,
        streaming?: Tela.StreamParams,
        following?: Tela.RunParams,
        looking?: Tela.GetExecutionParams
      ) => [
        canvas.execute(letter, sync),
        canvas.stream(letter, streaming),
        canvas.run(letter, following),
        canvas.getExecution("id", looking)
      ]
      expectTypeOf(passOn).toBeFunction()

      const params = { async: true, pollingInterval: 2000, webhookUrl: "https://x.example", tags: ["a"] }
      expectTypeOf(canvas.execute(letter, params)).toEqualTypeOf<
        Effect.Effect<Tela.Execution<Invoice>, Tela.SyncError>
      >()
      const streaming = { stream: true, idleTimeout: 5000 }
      expectTypeOf(canvas.execute(letter, streaming)).toEqualTypeOf<
        Effect.Effect<Tela.Execution<Invoice>, Tela.SyncError>
      >()
      const exact = { async: true, pollingInterval: "2s" } as const
      expectTypeOf(canvas.execute(letter, exact)).toEqualTypeOf<Async<Invoice>>()
      // The members that all modes share are read in the same way
      void Effect.flatMap(canvas.execute(letter, params), (execution) => {
        expectTypeOf(execution.requestId).toEqualTypeOf<Effect.Effect<string | undefined>>()
        expectTypeOf(execution.cancel).toEqualTypeOf<Effect.Effect<void>>()
        expectTypeOf(execution.status).toExtend<Effect.Effect<Tela.ExecutionStatus | Tela.StreamStatus>>()
        if (execution.isAsync) expectTypeOf(execution).toEqualTypeOf<Tela.AsyncExecution<Invoice>>()
        return execution.cancel
      })
    }))

  it("F9: run returns the output, with the failures and services of onCreated", () =>
    compiled((canvas) => {
      const letter: Letter = { topic: "the sea" }
      expectTypeOf(canvas.run(letter)).toEqualTypeOf<Effect.Effect<Invoice, Tela.CanvasRunError>>()
      const onCreated = () => ({} as Effect.Effect<void, "store is down", Store>)
      expectTypeOf(canvas.run(letter, { onCreated })).toEqualTypeOf<
        Effect.Effect<Invoice, Tela.CanvasRunError<"store is down">, Store>
      >()
      expectTypeOf(canvas.execute(letter, { async: true, onCreated })).toEqualTypeOf<
        Effect.Effect<
          Tela.AsyncExecution<Invoice>,
          Tela.ExecuteError | RunError.OnCreatedErrorOf<"store is down">,
          Store
        >
      >()
      // @ts-expect-error -- a synchronous execution is not created before it ends
      void canvas.execute(letter, { onCreated })
    }))

  it("F5: a plain object of schemas is a struct, of Effect Schemas, of Standard Schemas and of both", () =>
    compiled((_, tela) => {
      const effect = tela.canvas.make({
        id: "x",
        input: { topic: Schema.String, note: Schema.optionalKey(Schema.String) },
        output: { total: Schema.Number, due: Schema.DateTimeUtcFromString }
      })
      expectTypeOf(effect).toExtend<Tela.Canvas<{ topic: string; note?: string }, { total: number }>>()
      const zod = tela.canvas.make({ id: "x", output: { total: z.number(), note: z.string().optional() } })
      expectTypeOf(zod.run({})).toExtend<Effect.Effect<{ total: number; note?: string | undefined }, unknown>>()
      const both = tela.canvas.make({ applicationId: "x", output: { total: z.coerce.number(), name: Schema.String } })
      expectTypeOf(both.run({})).toEqualTypeOf<
        Effect.Effect<{ readonly total: number; readonly name: string }, Tela.CanvasRunError>
      >()
      // @ts-expect-error -- a JSON Schema is not accepted as a schema
      void tela.canvas.make({ id: "x", output: { type: "object" } })
      // @ts-expect-error -- neither is a function
      void tela.canvas.make({ id: "x", output: (value: unknown) => value })
      // @ts-expect-error -- nor null
      void tela.canvas.make({ id: "x", output: null })
    }))

  it("parameters whose mode may be absent compile, and so do parameters that may be undefined", () =>
    compiled((canvas) => {
      const letter: Letter = { topic: "the sea" }
      const flag = {} as boolean
      const maybe = flag ? { async: true } as const : undefined
      expectTypeOf(canvas.execute(letter, maybe)).toEqualTypeOf<Any<Invoice>>()
      expectTypeOf(canvas.execute(letter, {} as { readonly async?: boolean })).toEqualTypeOf<Any<Invoice>>()
      expectTypeOf(canvas.execute(letter, {} as { readonly stream?: boolean | undefined })).toEqualTypeOf<
        Any<Invoice>
      >()
      expectTypeOf(canvas.execute(letter, {} as Tela.AsyncParams<false> | undefined)).toEqualTypeOf<Any<Invoice>>()
      const passOn = (params?: { readonly tags?: ReadonlyArray<string>; readonly async?: boolean } | undefined) =>
        canvas.execute(letter, params)
      void passOn
      // @ts-expect-error -- two modes
      void canvas.execute(letter, { async: true, stream: true })
      // @ts-expect-error -- a synchronous execution has no webhook
      void canvas.execute(letter, { webhookUrl: "https://example.com" })
    }))

  it("a target that is a canvas or an application at run time compiles", () =>
    compiled((_, tela) => {
      const which = {} as { readonly id: string } | { readonly applicationId: string }
      expectTypeOf(tela.canvas.make(which)).toEqualTypeOf<Tela.Canvas | Tela.Workstation>()
      expectTypeOf(tela.canvas.make({ ...which, output: Schema.String })).toEqualTypeOf<
        Tela.Canvas<Tela.Variables, string> | Tela.Workstation<Tela.Variables, string>
      >()
      expectTypeOf(tela.canvas.get(which)).toEqualTypeOf<
        Effect.Effect<Tela.Canvas | Tela.Workstation, RunError.RequestError>
      >()
      // @ts-expect-error -- a canvas and an application
      void tela.canvas.make({ id: "x", applicationId: "y" })
    }))

  it("arrays, functions and dates are not accepted as variables", () =>
    compiled((_, tela) => {
      const canvas = tela.canvas.make({ id: "x" })
      class Model {
        readonly a = 1
      }
      void canvas.execute({ a: "1" })
      void canvas.execute(new Model())
      void canvas.execute({} as object)
      void canvas.execute({} as Record<string, unknown>)
      // @ts-expect-error -- an array
      void canvas.execute([1, 2])
      // @ts-expect-error -- a function
      void canvas.execute(() => 1)
      // @ts-expect-error -- a date
      void canvas.execute(new Date())
      // @ts-expect-error -- an array of an application
      void tela.canvas.make({ applicationId: "x" }).run(["a"])
    }))
})
