/** The version of the command: that of the package. */
export const version = "0.1.0"
