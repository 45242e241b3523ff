/** Documentation that an editor shows on hover. `docstrings.ts` says what has to have a docstring, and what an example. */
import { assert, it } from "@effect/vitest"
import { describe, findMissing, modules } from "./docstrings.ts"

const examined = "test/docs/undocumented.ts"
// Together, because to load the program takes most of the time
const found = findMissing([...modules(), examined])

it("F4: every export, member and call signature has a docstring, and every function an example", () => {
  assert.isAtLeast(modules().length, 50)
  assert.deepStrictEqual(found.filter(({ file }) => file !== examined).map(describe), [])
})

it("F4: every gap in a module with gaps is found", () => {
  assert.deepStrictEqual(found.filter(({ file }) => file === examined).map(({ name, what }) => `${name}: ${what}`), [
    "Options: docstring",
    "Options.bare: docstring",
    "Options.nested.bare: docstring",
    "Options.onlyTags: docstring",
    "Fields.bare: docstring",
    "Fields.nested.bare: docstring",
    "Fields.hidden: docstring",
    "Failure.message: docstring",
    "Failure.bare: docstring",
    "Service.method.bare: docstring",
    "Service.overloaded(): docstring",
    "Tag: example",
    "Service.method: example",
    "Given.method: example",
    "Group.method: example",
    "run: example",
    "silent: example",
    "effect: example",
    "overload: docstring"
  ])
})
