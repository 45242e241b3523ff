/**
 * The space and the time for which a view makes its rows.
 *
 * @category models
 * @since 0.1.0
 */
export interface Frame {
  /** How many columns a row may take. */
  readonly columns: number
  /**
   * How many rows there may be. Infinite in the last frame, which stays in the terminal's history.
   *
   * @default Infinity
   */
  readonly rows?: number | undefined
  /** The time, in milliseconds since 1970. */
  readonly now: number
  /**
   * Whether rows are coloured, with ANSI escape sequences.
   *
   * @default false
   */
  readonly colors?: boolean | undefined
}
