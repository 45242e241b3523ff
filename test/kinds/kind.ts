/**
 * A kind of mistake, with the list of all places in the code that could make it. Each place has a guard that prevents the
 * mistake, inputs that would show it, and a mutant that removes the guard. `npm run mutants -- --kinds` applies each mutant and
 * expects the tests of its place to fail.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

/** The removal of one guard: the text of the guard in a file of `src`, and the text that takes its place. */
export interface Removal {
  readonly file: string
  readonly find: string
  readonly replace: string
}

/** One place in the code that has the shape of the kind. */
export interface Place {
  /** A sentence that names the place and what its guard does. It is unique within the kind. */
  readonly name: string
  readonly mutant: Removal
  /**
   * Inputs of the place, each with a sentence that states the right outcome. Each fails without the guard, or another input of
   * the place does.
   */
  readonly inputs: Readonly<Record<string, () => Effect.Effect<unknown, unknown> | Promise<unknown>>>
  /** An input that passes without the guard too, which shows that the mutant breaks nothing else. */
  readonly control?: () => Effect.Effect<unknown, unknown>
}

/** The name of the test of a control. A mutant with which it fails is too strong. */
export const controlName = "the control passes, with the guard and without it"

/**
 * Registers the tests of a kind. Each place needs two inputs at least, and a mutant that still fits the source. `isRepeated`
 * means that other tests of the suite check the same, so that these run only for the mutants.
 */
export const describeKind = (
  kind: string,
  places: ReadonlyArray<Place>,
  { isRepeated = false }: { readonly isRepeated?: boolean } = {}
): void => {
  describe(`kind: ${kind}`, () => {
    for (const { control, inputs, name } of isRepeated && process.env["MUTANTS"] === undefined ? [] : places) {
      describe(name, () => {
        if (control !== undefined) it.live(controlName, control)
        for (const [title, run] of Object.entries(inputs)) {
          it.live(title, () => {
            const running = run()
            return running instanceof Promise ? Effect.promise(() => running) : running
          })
        }
      })
    }
    // The mutation tester runs the tests in a copy with changed sources
    it.skipIf(process.env["MUTATION_TESTS"] !== undefined)(
      "lists every place once, with two inputs at least and a mutant that fits the source",
      () => {
        assert.strictEqual(new Set(places.map(({ name }) => name)).size, places.length, "two places have one name")
        for (const { inputs, mutant, name } of places) {
          assert.isAtLeast(Object.keys(inputs).length, 2, name)
          assert.strictEqual(
            occurrences(mutant),
            1,
            `${mutant.file} must contain this text once: ${mutant.find} (${name})`
          )
        }
      }
    )
  })
}

const root = fileURLToPath(new URL("../../", import.meta.url))

/** How often a file contains the text of a guard. */
export const occurrences = ({ file, find }: Removal): number =>
  readFileSync(`${root}${file}`, "utf8").split(find).length - 1
