/** Turns an emulator that needs a scope into a function from `Request` to `Response` that owns the scope. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Emulator from "../Emulator.ts"

export const make = <Service extends Emulator.Emulator>(emulator: Effect.Effect<Service, never, Scope.Scope>): {
  readonly handler: (request: Request) => Promise<Response>
  readonly dispose: () => Promise<void>
  readonly control: Service
} => {
  const scope = Scope.makeUnsafe()
  const control = Effect.runSync(Scope.provide(emulator, scope))
  const { dispose, handler } = Emulator.toWebHandler(control)
  return {
    handler,
    dispose: () => dispose().then(() => Effect.runPromise(Scope.close(scope, Exit.void))),
    control
  }
}
