/** A flag with a text. A blank one is a mistake of a script whose variable is not set, and is found before any request. */
import * as Flag from "effect/cli/Flag"

export const textFlag = (name: string) =>
  Flag.filter(Flag.String(name), (text) => text.trim() !== "", () => "a text that is not blank")
