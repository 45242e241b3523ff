import { Cause, Exit, Tracer } from "effect"

/** A tracer, and the spans that it has opened so far. */
export const recordSpans = () => {
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  return { spans, tracer }
}

/** What an exporter shows of the failure that a span has ended with. */
export const shownFailure = ({ status }: Tracer.Span): string =>
  status._tag === "Ended" && Exit.isFailure(status.exit) ? Cause.pretty(status.exit.cause) : ""
