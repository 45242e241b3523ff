interface Node {
  readonly type: string
  readonly value?: unknown
  readonly callee?: { readonly name?: string }
}

/**
 * Prevents two kinds of mutants. Sentences are not emptied, because the tests do not check the wording of messages. Literals of
 * an open set are not changed, because they only serve types and documentation: the set decodes any other string too.
 */
export const strykerPlugins = [{
  kind: "Ignore",
  name: "wording",
  value: {
    shouldIgnore: ({ node }: { readonly node: Node }) =>
      node.type === "StringLiteral" && /\s/.test(String(node.value))
        ? "wording"
        : node.type === "CallExpression" && node.callee?.name === "openLiterals"
        ? "open set"
        : undefined
  }
}]
