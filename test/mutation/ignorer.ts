/** Keeps the mutation tester from emptying sentences, as the wording of a message is not what the tests are about. */
export const strykerPlugins = [{
  kind: "Ignore",
  name: "wording",
  value: {
    shouldIgnore: ({ node }: { readonly node: { readonly type: string; readonly value?: unknown } }) =>
      node.type === "StringLiteral" && /\s/.test(String(node.value)) ? "wording" : undefined
  }
}]
