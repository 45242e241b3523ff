/**
 * Finds the parts of the API for which an editor shows no documentation.
 *
 * - A docstring is required on each export, on each member of an exported type, class or schema (nested types and the options of
 *   functions included), and on each call signature. A member whose only value is a literal, such as `_tag: "Failure"`, explains
 *   itself.
 * - An example, which is a block of TypeScript that asserts its output, is required for each exported function, layer, Effect and
 *   service, and for each function that a program gets from them, such as a method of a service. It is in the docstring, or in that
 *   of one overload.
 *
 * Types, errors, schemas and other constants need no example. Functions that a caller writes, and members that may be absent, need
 * none either.
 */
import { globSync } from "node:fs"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import type { Node, SourceFile } from "typescript/unstable/ast"
import * as Is from "typescript/unstable/ast/is"
import {
  API,
  type Checker,
  type Project,
  SignatureKind,
  type Symbol,
  SymbolFlags,
  type Type
} from "typescript/unstable/sync"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** A part of the API without a docstring or an example. */
export interface Missing {
  readonly file: string
  readonly line: number
  /** Its name with the names of its parents, such as `Runs.create`. */
  readonly name: string
  readonly what: "docstring" | "example"
}

/** The comments and white space before a node. */
const triviaOf = (node: Node): string => {
  const text = node.getSourceFile().text.slice(node.pos, node.end)
  return /^(?:\s+|\/\*[\s\S]*?\*\/|\/\/[^\n]*\n)*/.exec(text)![0]
}

/** The docstring of a node: the last comment before it, where a line comment may come between. */
const docstringOf = (node: Node): string | undefined =>
  /\/\*\*(?:(?!\*\/)[\s\S])*\*\/\s*$/.exec(triviaOf(node).replaceAll(/(?<=\n|^)\s*\/\/[^\n]*\n/g, ""))?.[0]

/** A docstring that has more than tags. */
const isDocumented = (node: Node): boolean => /\/\*\*[\s*]*[^\s*@/]/.test(docstringOf(node) ?? "")

/** An example with its output in comments, or a test. */
const hasExample = (node: Node): boolean =>
  /^\s*\* ```ts(?: test\n|(?: alone)?\n(?:(?!\s*\* ```).*\n)*?.*\/\/ => )/m.test(docstringOf(node) ?? "")

const isInternal = (node: Node): boolean => docstringOf(node)?.includes("@internal") === true

const nameOf = (node: Node): string => {
  const name = (node as { readonly name?: Node }).name
  return name === undefined ? "()" : name.getText(name.getSourceFile())
}

const isLiteral = (type: string): boolean => /^(?:"[^"]*"|undefined)$/.test(type)

/** The body of a function. */
const isCode = (node: Node): boolean => Is.isArrowFunction(node.parent) && node === node.parent.body

/** A type that is only compared with another. */
const isCondition = (node: Node): boolean =>
  Is.isConditionalTypeNode(node.parent) && (node === node.parent.checkType || node === node.parent.extendsType)

const isType = (node: Node): boolean => Is.isInterfaceDeclaration(node) || Is.isTypeAliasDeclaration(node)

/** The node that has the docstring. */
const statementOf = (declaration: Node): Node =>
  Is.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration

class Finder {
  readonly missing: Array<Missing> = []
  readonly #project: Project
  readonly #checker: Checker
  /** The declarations that were checked for docstrings, and for functions. */
  readonly #documented = new Set<Node>()
  readonly #offered = new Set<Node>()
  readonly #shownTypes = new Set<number>()

  constructor(project: Project) {
    this.#project = project
    this.#checker = project.checker
  }

  #report(node: Node, name: string, what: Missing["what"]): void {
    const source = node.getSourceFile()
    const line = source.text.slice(0, node.pos + triviaOf(node).length).split("\n").length
    this.missing.push({ file: relative(root, source.fileName), line, name, what })
  }

  /** The declarations of a symbol in this package. */
  #declarationsOf(symbol: Symbol | undefined): ReadonlyArray<Node> {
    if (symbol === undefined) return []
    const target = (symbol.flags & SymbolFlags.Alias) === 0 ? symbol : this.#checker.getAliasedSymbol(symbol)
    return target.declarations
      .filter(({ path }) => !path.includes("/node_modules/"))
      .map((handle) => handle.resolve(this.#project)!)
      .filter((node) => !Is.isSourceFile(node))
  }

  /** Checks all exports of a module. */
  module(source: SourceFile): void {
    const symbol = this.#checker.getSymbolAtLocation(source)
    if (symbol === undefined) throw new Error(`${source.fileName} exports nothing`)
    for (const exported of this.#checker.getExportsOfModule(symbol)) {
      const all = this.#declarationsOf(exported)
      // The implementation of overloads is not shown
      const declarations = all.filter((node) =>
        all.length === 1 || !Is.isFunctionDeclaration(node) || node.body === undefined
      )
      for (const declaration of declarations) {
        // An editor shows the docstring of a schema for the type of the same name too
        const others = isType(declaration) ? declarations : [declaration]
        this.#export(exported.name, declaration, others.some((node) => isDocumented(statementOf(node))))
      }
      this.#examples(exported.name, declarations)
      const type = declarations.find((node) => Is.isInterfaceDeclaration(node) || Is.isClassDeclaration(node))
      if (type !== undefined && !isInternal(type)) this.#shown(exported.name, type)
    }
  }

  /** Finds properties without a docstring that a type gets from another declaration, such as a schema. */
  #shown(path: string, type: Node): void {
    const declared = this.#checker.getTypeAtLocation(type)
    if (declared === undefined || this.#shownTypes.has(declared.id)) return
    this.#shownTypes.add(declared.id)
    for (const property of this.#checker.getPropertiesOfType(declared)) {
      const isForeign = property.declarations.some(({ path }) => path.includes("/node_modules/"))
      if (isForeign || this.#checker.getDocumentationCommentOfSymbol(property) !== "") continue
      const [ownDeclaration] = property.declarations.map((handle) => handle.resolve(this.#project)!)
      const name = `${path}.${property.name}`
      // A declaration in the type itself, or in its schema, has been checked
      if (ownDeclaration?.parent === type || this.missing.some((one) => one.name === name)) continue
      const text = this.#checker.typeToString(this.#checker.getTypeOfSymbol(property)!)
      if (!isLiteral(text)) this.#report(type, name, "docstring")
    }
  }

  #export(name: string, declaration: Node, documented: boolean): void {
    const statement = statementOf(declaration)
    if (this.#documented.has(declaration) || isInternal(statement)) return
    this.#documented.add(declaration)
    if (!documented) this.#report(statement, name, "docstring")
    this.#members(name, declaration)
  }

  /** Checks the types and schemas in a declaration for docstrings, but not the bodies of functions. */
  #members(path: string, node: Node): void {
    node.forEachChild((child) => {
      if (Is.isTypeParameterDeclaration(child) || Is.isBlock(child)) return
      if (isCode(child) || isCondition(child)) return
      // Bodies of functions, except the fields of schemas
      if (Is.isPropertyAssignment(child)) {
        if (!this.#isSchema(child.initializer)) return
        return this.#member(
          `${path}.${nameOf(child)}`,
          child,
          /^Schema\.(?:Literal|tag)\(/.test(child.initializer.getText(child.getSourceFile()))
        )
      }
      if (Is.isPropertySignatureDeclaration(child) || Is.isPropertyDeclaration(child)) {
        return this.#member(`${path}.${nameOf(child)}`, child, child.type !== undefined && this.#isLiteral(child.type))
      }
      if (
        Is.isMethodSignatureDeclaration(child) || Is.isMethodDeclaration(child) || Is.isGetAccessorDeclaration(child)
      ) return this.#member(`${path}.${nameOf(child)}`, child, false)
      if (Is.isCallSignatureDeclaration(child)) return this.#member(`${path}()`, child, false)
      this.#members(path, child)
    })
  }

  #member(name: string, node: Node, isEvident: boolean): void {
    if (isInternal(node)) return
    if (!isEvident && !isDocumented(node)) this.#report(node, name, "docstring")
    this.#members(name, node)
  }

  #isLiteral(type: Node): boolean {
    return isLiteral(type.getText(type.getSourceFile()))
  }

  #isSchema(node: Node): boolean {
    const type = this.#checker.getTypeAtLocation(node)
    return type !== undefined && this.#checker.getPropertyOfType(type, "ast") !== undefined
  }

  /** Checks an exported name for examples: its own, and those of the methods of its result. */
  #examples(path: string, declarations: ReadonlyArray<Node>): void {
    const values = declarations.filter((node) => !isType(node))
    const [first] = values
    if (first === undefined || this.#offered.has(first) || isInternal(statementOf(first))) return
    for (const node of values) this.#offered.add(node)
    if (values.some((node) => this.#isOffer(node))) this.#example(path, values.map(statementOf))
    for (const node of values) this.#outputs(node)
  }

  #example(path: string, nodes: ReadonlyArray<Node>): void {
    const signatures = nodes.flatMap((node) => this.#signaturesIn(node))
    if (![...nodes, ...signatures].some(hasExample)) this.#report(nodes[0]!, path, "example")
  }

  #signaturesIn(node: Node): ReadonlyArray<Node> {
    const found: Array<Node> = []
    const visit = (child: Node): void => {
      if (Is.isCallSignatureDeclaration(child)) found.push(child)
      if (Is.isTypeLiteralNode(child) || Is.isVariableDeclaration(child) || Is.isVariableDeclarationList(child)) {
        child.forEachChild(visit)
      }
    }
    node.forEachChild(visit)
    return found
  }

  /** Whether a value is a function, a layer, an effect, or a service. */
  #isOffer(node: Node): boolean {
    if (Is.isClassDeclaration(node)) {
      return /\bContext\.(?:Service|Reference)\b/.test(node.getText(node.getSourceFile()).split("{")[0]!)
    }
    const type = this.#checker.getTypeAtLocation(node)
    return type !== undefined && (this.#isCallable(type) || /^(?:Layer|Effect|Stream)$/.test(this.#symbolNameOf(type)))
  }

  #isCallable(type: Type): boolean {
    return this.#checker.getSignaturesOfType(type, SignatureKind.Call).length > 0
  }

  #symbolNameOf(type: Type): string {
    return type.getSymbol()?.name ?? ""
  }

  /** Follows the types of the values that a program gets. */
  #outputs(node: Node): void {
    if (Is.isTypeParameterDeclaration(node) || Is.isParameterDeclaration(node) || Is.isBlock(node)) return
    if (Is.isTypeReferenceNode(node)) this.#reference(node.typeName)
    if (Is.isExpressionWithTypeArguments(node)) this.#reference(node.expression)
    node.forEachChild((child) => {
      if (!isCode(child) && !isCondition(child)) this.#outputs(child)
    })
  }

  #reference(name: Node): void {
    for (const declaration of this.#declarationsOf(this.#checker.getSymbolAtLocation(name))) {
      if (this.#offered.has(declaration)) continue
      if (isType(declaration)) {
        this.#offered.add(declaration)
        this.#methods(nameOf(declaration), declaration)
        this.#outputs(declaration)
      }
    }
  }

  /** The functions among the members of a type. */
  #methods(path: string, type: Node): void {
    type.forEachChild((child) => {
      if (Is.isPropertySignatureDeclaration(child) || Is.isMethodSignatureDeclaration(child)) {
        const memberPath = `${path}.${nameOf(child)}`
        const ownType = this.#checker.getTypeAtLocation(child)
        if (isInternal(child) || ownType === undefined) return
        if (this.#isCallable(ownType)) {
          this.#example(memberPath, [
            child,
            ...(Is.isPropertySignatureDeclaration(child) && child.type !== undefined ? [child.type] : [])
          ])
        } else this.#methods(memberPath, child)
        return
      }
      if (Is.isTypeParameterDeclaration(child) || Is.isParameterDeclaration(child)) return
      this.#methods(path, child)
    })
  }
}

/** The public modules of the package. */
export const modules = (): ReadonlyArray<string> =>
  globSync("src/**/*.ts", { cwd: root }).filter((file) => !/\/(?:internal|cli)\//.test(file)).sort()

/** All parts of these modules without a docstring or an example. */
export const findMissing = (files: ReadonlyArray<string>): ReadonlyArray<Missing> => {
  const api = new API({ cwd: root })
  try {
    const config = join(root, "tsconfig.json")
    const project = api.updateSnapshot({ openProjects: [config] }).getProject(config)!
    const finder = new Finder(project)
    for (const file of files) finder.module(project.program.getSourceFile(join(root, file))!)
    return finder.missing
  } finally {
    api.close()
  }
}

/** Describes a gap as `file:line: name has no docstring`. */
export const describe = ({ file, line, name, what }: Missing): string => `${file}:${line}: ${name} has no ${what}`

// `node test/docs/docstrings.ts src/tela` prints the gaps in that folder
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const under = process.argv[2] ?? "src"
  for (const one of findMissing(modules())) if (one.file.startsWith(under)) console.log(describe(one))
}
