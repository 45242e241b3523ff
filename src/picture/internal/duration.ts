/** Durations as text for readers. */

/** Formats milliseconds: `2.4 s`, from a minute on `3 min 05 s`, and from an hour on `1 h 02 min`. */
export const formatMillis = (millis: number): string => {
  if (!(millis > 0)) return "0.0 s"
  if (millis < 59_950) return `${(millis / 1000).toFixed(1)} s`
  const seconds = Math.round(millis / 1000)
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${twoDigits(seconds % 60)} s`
  const minutes = Math.round(seconds / 60)
  return `${Math.floor(minutes / 60)} h ${twoDigits(minutes % 60)} min`
}

const twoDigits = (n: number): string => String(n).padStart(2, "0")
