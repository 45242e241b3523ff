/** Validates the output of the command by its own JSON Schema, with a validator that knows nothing of this library. */
import { Ajv2020 } from "ajv/dist/2020.js"

/** Makes a check from the text of a JSON Schema. It returns what is wrong with a value, or `undefined`. */
export const validate = (schema: string): (value: unknown) => string | undefined => {
  const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true })
  // Text for readers
  ajv.addVocabulary(["x-exit-codes"])
  const check = ajv.compile(JSON.parse(schema))
  return (value) => check(value) ? undefined : ajv.errorsText(check.errors)
}
