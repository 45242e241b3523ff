/** Shares work between processes. */
import { fork, type Serializable } from "node:child_process"
import { on } from "node:events"

/**
 * The answers of `count` processes of a module to messages, in the order of the messages. A process answers its messages one after the
 * other. Fails if a process ends before.
 */
export const answersOf = async function*<A>(
  module: URL,
  messages: ReadonlyArray<Serializable>,
  count: number
): AsyncGenerator<A> {
  const workers = Array.from({ length: count }, () => {
    const worker = fork(module, { serialization: "advanced" })
    // After "exit" there may still be messages to read, after "close" there are none
    return { worker, answers: on(worker, "message", { close: ["close"] }) }
  })
  try {
    for (const [index, message] of messages.entries()) workers[index % count]!.worker.send(message)
    for (const [index, message] of messages.entries()) {
      const { answers, worker } = workers[index % count]!
      const { done, value } = await answers.next()
      if (done === true) {
        throw new Error(
          `a worker ended with ${worker.exitCode ?? worker.signalCode} before it answered ${JSON.stringify(message)}`
        )
      }
      yield (value as [A])[0]
    }
  } finally {
    for (const { worker } of workers) worker.kill()
  }
}
