/**
 * Runs examples one after the other in this process, which loads Effect once for all of them, and sends the output of each. The
 * process exits by itself, unless an example leaves a handle that keeps it alive.
 */

/** The output of one example, and the error that ended it. */
export interface Ran {
  readonly file: string
  readonly output: string
  readonly error: string | undefined
}

const runAll = async (files: ReadonlyArray<string>): Promise<void> => {
  const write = process.stdout.write
  for (const file of files) {
    let output = ""
    process.stdout.write = (chunk: string | Uint8Array, ...rest: ReadonlyArray<unknown>) => {
      output += typeof chunk === "string" ? chunk : new TextDecoder().decode(chunk)
      // A program may wait until its text is written
      const written = rest.find((argument) => typeof argument === "function")
      if (written !== undefined) process.nextTick(written)
      return true
    }
    const error = await import(file).then(() => undefined, String)
    process.stdout.write = write
    process.send!({ file, output, error } satisfies Ran)
  }
  process.disconnect()
}

await runAll(process.argv.slice(2))
