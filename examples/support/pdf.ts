/** A PDF of one page. It saves the examples a library for PDF. */

/** Writes lines of ASCII text onto a page, and returns the file. */
export const pdf = (lines: ReadonlyArray<string>): Uint8Array => {
  const text = lines.map((line) => `(${line.replace(/[\\()]/g, "\\$&")}) '`).join("\n")
  const content = `BT /F1 12 Tf 16 TL 72 770 Td\n${text}\nET`
  const objects = [
    "<< /Type /Catalog /Pages 2 0 R >>",
    "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
    `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
  ]

  // The table at the end lists the offset of each object
  let file = "%PDF-1.4\n"
  const offsets = objects.map((object, index) => {
    const offset = file.length
    file += `${index + 1} 0 obj\n${object}\nendobj\n`
    return `${String(offset).padStart(10, "0")} 00000 n \n`
  })
  const size = objects.length + 1
  return new TextEncoder().encode(
    `${file}xref\n0 ${size}\n0000000000 65535 f \n${offsets.join("")}` +
      `trailer\n<< /Size ${size} /Root 1 0 R >>\nstartxref\n${file.length}\n%%EOF\n`
  )
}
