interface Node {
  readonly type: string
  readonly value?: unknown
  readonly callee?: { readonly name?: string }
}

/**
 * Keeps the mutation tester from emptying sentences, as the wording of a message is not what the tests are about, and from changing
 * the literals of an open set, which are for types and documentation: it decodes any other string too.
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
