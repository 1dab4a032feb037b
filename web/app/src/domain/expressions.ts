/** What the words of a filter say together: `and or xor ! ( )` (client/tasks/expressions.py). */

import { readWords, WordError, type TaskWord } from "./words.ts";

export type Expression =
  | { readonly kind: "word"; readonly word: TaskWord }
  | { readonly kind: "not"; readonly part: Expression }
  /** All of them; without any it is always true. */
  | { readonly kind: "both"; readonly parts: readonly Expression[] }
  | { readonly kind: "either"; readonly left: Expression; readonly right: Expression; readonly exclusive: boolean };

type Token = string | { readonly kind: "word"; readonly word: TaskWord };

const OPERATORS = new Set(["and", "or", "xor", "!", "(", ")"]);
const TOKEN = /\s*([()]|!(?=[(+\s-])|(?:"[^"]*"|'[^']*'|[^\s()"'])+)/g;

/** Throws WordError for what is no expression. */
export function parseExpression(words: readonly string[]): Expression {
  const parser = new Parser([...tokens(words)]);
  const expression = parser.expression();
  if (parser.next() !== undefined)
    throw new WordError('there is a ")" without a "(" before it. If it is meant as text, write -- before it.');
  return expression;
}

export function* plainWords(expression: Expression): Generator<TaskWord> {
  if (expression.kind === "word") yield expression.word;
  else if (expression.kind === "not") yield* plainWords(expression.part);
  else if (expression.kind === "both") for (const part of expression.parts) yield* plainWords(part);
  else {
    yield* plainWords(expression.left);
    yield* plainWords(expression.right);
  }
}

function* tokens(words: readonly string[]): Generator<Token> {
  for (const [place, word] of words.entries()) {
    if (word === "--") {
      for (const text of words.slice(place + 1)) yield { kind: "word", word: { kind: "text", text } };
      return;
    }
    if (/^!?\(/.test(word) || (word.endsWith(")") && !word.includes("(") && word.length > 1)) {
      for (const [, token] of word.matchAll(TOKEN))
        yield* tokenOf(OPERATORS.has(token!) ? token! : token!.replace(/"([^"]*)"|'([^']*)'/g, "$1$2"));
    } else if (/^![+-]/.test(word)) {
      yield "!";
      yield* tokenOf(word.slice(1));
    } else yield* tokenOf(word);
  }
}

function* tokenOf(text: string): Generator<Token> {
  if (OPERATORS.has(text)) yield text;
  else for (const word of readWords([text])) yield { kind: "word", word };
}

class Parser {
  private readonly tokens: readonly Token[];
  private place = 0;

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  next(): Token | undefined {
    return this.tokens[this.place];
  }

  expression(): Expression {
    let left = this.or();
    while (this.take("xor")) left = { kind: "either", left, right: this.or("xor"), exclusive: true };
    return left;
  }

  private or(needed?: string): Expression {
    let left = this.and(needed);
    while (this.take("or")) left = { kind: "either", left, right: this.and("or"), exclusive: false };
    return left;
  }

  private and(needed?: string): Expression {
    const parts: Expression[] = [];
    for (;;) {
      const piece = this.next();
      if (piece === undefined || piece === "or" || piece === "xor" || piece === ")") break;
      if (piece === "and" && parts.length > 0) {
        this.place += 1;
        needed = "and";
      }
      parts.push(this.unary("and"));
    }
    const next = this.next();
    if (parts.length === 0 && (needed !== undefined || next === "or" || next === "xor"))
      throw nothingBeside(needed ?? String(next));
    return parts.length === 1 ? parts[0]! : { kind: "both", parts };
  }

  private unary(needed: string): Expression {
    const piece = this.next();
    this.place += 1;
    if (typeof piece === "object") return piece;
    if (piece === "!") return { kind: "not", part: this.unary("!") };
    if (piece !== "(") throw nothingBeside(needed);
    const inside = this.expression();
    if (!this.take(")"))
      throw new WordError('a "(" has no ")" behind it. If it is meant as text, write -- before it.');
    return inside;
  }

  private take(token: string): boolean {
    if (this.next() !== token) return false;
    this.place += 1;
    return true;
  }
}

function nothingBeside(operator: string): WordError {
  return new WordError(`beside "${operator}" something is missing. If it is meant as text, write -- before it.`);
}
