/** Partial services, for tests. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** A service with these members. Using any other member is a defect that names the member, as with `Layer.mock`. */
export const make = <S extends object>(name: string, members: object | undefined) => {
  const service = Context.Service<S>(name)
  return Effect.map(Layer.build(Layer.mock(service, (members ?? {}) as never)), Context.get(service))
}
