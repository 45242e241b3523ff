/** The inputs of the batch, some of which fail. */

export const canvasId = "0d3b8a3e-6a0c-4d0e-9f0a-2f6f3c1f7b11"

/** The ways to fail, with the error of the outcome. */
export const ways = {
  /** The provider refuses the variables. */
  refused: "BadRequestError",
  /** There is no such canvas. */
  missing: "NotFoundError",
  failed: "RunFailedError",
  invalid: "InvalidOutputError",
  /** The run does not end in time. */
  slow: "RunTimeoutError",
  undelivered: "Undelivered"
} as const

export type Way = keyof typeof ways

export interface Input {
  readonly key: string
  readonly index: number
  readonly way: Way | undefined
}

const names = Object.keys(ways) as ReadonlyArray<Way>

/** Makes the inputs. 1 % of them fail; in a small batch, one in each way. */
export const inputsOf = (count: number): ReadonlyArray<Input> => {
  const distance = Math.min(100, Math.floor(count / names.length))
  return Array.from({ length: count }, (_, index) => ({
    key: `input-${index}`,
    index,
    way: index % distance === distance - 1 ? names[Math.floor(index / distance) % names.length]! : undefined
  }))
}
