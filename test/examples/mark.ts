/** The mark after each write: a character that no example writes. */
export const mark = "\u001e"
